"""key-auth and basic-auth: who is let in, what the upstream learns, and what others are told."""

from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.consumers import NOBODY
from limiter.identity import digest
from limiter.kong.authentication import Authentication, Consumers, Identified, Shown, basic_pair
from limiter.kong.entities import BasicAuth, Consumer, Credential, Gateway, KeyAuth, Scope
from limiter.voices import Answer


def full(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


ALICE = Consumer(
    id="1",
    username="alice",
    custom_id="a-1",
    groups=("admins", "gold"),
    keys=(Credential(id="k1", digest=full("alice-key")), Credential(id="k2", digest=digest("short-key"))),
    passwords=(Credential(id="p1", digest=full("pw:with:colons"), username="alice"),),
)
BOB = Consumer(id="2", custom_id="b-2", keys=(Credential(id="k3", digest=full("bob-key")),))
GUEST = Consumer(id="3", username="guest")


def gateway(*methods: KeyAuth | BasicAuth) -> Authentication:
    return Authentication(Gateway(consumers=(ALICE, BOB, GUEST), authentication=methods))


def fields(**headers: str) -> tuple[tuple[str, str], ...]:
    return tuple((name.replace("_", "-"), value) for name, value in headers.items())


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def identified(result: Identified | Answer) -> Identified:
    assert isinstance(result, Identified)
    return result


def test_nobody_is_asked_without_plugins() -> None:
    """The request goes on, and nobody is known."""
    assert not gateway()
    assert gateway().ask(Shown(fields(apikey="alice-key"))) == Identified(NOBODY)


def test_a_key_in_a_header() -> None:
    """Its consumer is known with name, ids and groups; the upstream is told."""
    found = identified(gateway(KeyAuth()).ask(Shown(fields(apikey="alice-key"))))

    assert found.who == ("alice", "1", "a-1", "k1", ("admins", "gold"))
    assert found.hide == ()
    assert found.fields == (
        ("X-Consumer-ID", "1"),
        ("X-Consumer-Custom-ID", "a-1"),
        ("X-Consumer-Username", "alice"),
        ("X-Credential-Identifier", "k1"),
    )


def test_a_consumer_without_username() -> None:
    """Is called by its custom id, which is not told as a username."""
    found = identified(gateway(KeyAuth()).ask(Shown((), "apikey=bob-key")))

    assert found.who.name == "b-2"
    assert "X-Consumer-Username" not in dict(found.fields)


def test_a_key_of_which_only_the_short_digest_is_known() -> None:
    """Configurations that name digests of 16 digits work as well."""
    assert identified(gateway(KeyAuth()).ask(Shown(fields(apikey="short-key")))).who.credential_id == "k2"


REFUSED = [
    ("no key", Shown(()), "No API key found in request"),
    ("empty key", Shown(fields(apikey="")), "No API key found in request"),
    ("parameter without value", Shown((), "apikey"), "No API key found in request"),
    ("wrong key", Shown(fields(apikey="wrong")), "Unauthorized"),
    ("digest as key", Shown(fields(apikey=full("alice-key"))), "Unauthorized"),
    ("twice in headers", Shown((("apikey", "a"), ("apikey", "a"))), "Duplicate API key found"),
    ("twice in the query", Shown((), "apikey=a&apikey=b"), "Duplicate API key found"),
    ("parameter in another case", Shown((), "ApiKey=alice-key"), "No API key found in request"),
]


@pytest.mark.parametrize(("shown", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(shown: Shown, message: str) -> None:
    """Kong's words, as JSON, with a challenge."""
    answer = gateway(KeyAuth()).ask(shown)

    assert isinstance(answer, Answer)
    assert answer.status == 401
    assert answer.body == f'{{"message":"{message}"}}'.encode()
    assert dict(answer.headers) == {"content-type": "application/json; charset=utf-8", "www-authenticate": "Key"}


def test_the_realm_is_part_of_the_challenge() -> None:
    """Of both plugins."""
    keys, passwords = gateway(KeyAuth(realm="llm")).ask(Shown(())), gateway(BasicAuth()).ask(Shown(()))

    assert isinstance(keys, Answer)
    assert isinstance(passwords, Answer)
    assert dict(keys.headers)["www-authenticate"] == 'Key realm="llm"'
    assert dict(passwords.headers)["www-authenticate"] == 'Basic realm="service"'
    assert passwords.body == b'{"message":"Unauthorized"}'


def test_names_are_asked_in_their_order() -> None:
    """Headers are the same in any case and with either dash; the header comes before the query."""
    method = KeyAuth(names=("X_Api_Key", "apikey"))

    assert identified(gateway(method).ask(Shown(fields(x_api_key="alice-key", apikey="bob-key")))).who.id == "1"
    assert identified(gateway(method).ask(Shown(fields(apikey="bob-key")))).who.id == "2"
    assert identified(gateway(method).ask(Shown(fields(apikey="bob-key"), "apikey=alice-key"))).who.id == "2"


def test_keys_count_only_where_they_are_looked_for() -> None:
    """`key_in_header: false` and `key_in_query: false`."""
    shown = Shown(fields(apikey="alice-key"), "apikey=bob-key")

    assert identified(gateway(KeyAuth(in_header=False)).ask(shown)).who.id == "2"
    assert identified(gateway(KeyAuth(in_query=False)).ask(shown)).who.id == "1"
    assert isinstance(gateway(KeyAuth(in_query=False)).ask(Shown((), "apikey=bob-key")), Answer)


def test_credentials_can_be_hidden() -> None:
    """The name is told whose header and parameter the upstream must not see."""
    assert identified(gateway(KeyAuth(hide=True)).ask(Shown(fields(apikey="alice-key")))).hide == ("apikey",)
    password = fields(authorization=basic("alice", "pw:with:colons"))
    assert identified(gateway(BasicAuth(hide=True)).ask(Shown(password))).hide == ("authorization",)


def test_anonymous() -> None:
    """Whoever shows no valid key is the anonymous consumer, without a credential."""
    for shown in (Shown(()), Shown(fields(apikey="wrong"))):
        found = identified(gateway(KeyAuth(anonymous="3")).ask(shown))

        assert found.who == ("guest", "3", "", "", ())
        assert dict(found.fields)["X-Anonymous-Consumer"] == "true"
        assert "X-Credential-Identifier" not in dict(found.fields)


def test_preflight_requests() -> None:
    """Are asked unless `run_on_preflight: false`."""
    assert isinstance(gateway(KeyAuth()).ask(Shown((), "", "OPTIONS")), Answer)
    assert identified(gateway(KeyAuth(on_preflight=False)).ask(Shown((), "", "OPTIONS"))).who == NOBODY


def test_a_password() -> None:
    """In `authorization`, or in `proxy-authorization`, which is read first."""
    good, bad = basic("alice", "pw:with:colons"), basic("alice", "pw")
    ask = gateway(BasicAuth()).ask

    assert identified(ask(Shown(fields(authorization=good)))).who.credential_id == "p1"
    assert identified(ask(Shown(fields(proxy_authorization=good, authorization=bad)))).who.id == "1"
    assert identified(ask(Shown(fields(proxy_authorization=bad, authorization=good)))).who.id == "1"
    for shown in (bad, basic("bob", "pw"), "Basic !!", "Bearer x", basic("alice", ""), basic("", "x")):
        assert isinstance(ask(Shown(fields(authorization=shown))), Answer)


def test_both_plugins() -> None:
    """Both must be content; with `anonymous` one is enough."""
    password = basic("alice", "pw:with:colons")
    both = gateway(KeyAuth(), BasicAuth())
    either = gateway(KeyAuth(anonymous="3"), BasicAuth(anonymous="3"))

    assert isinstance(both.ask(Shown(fields(apikey="bob-key"))), Answer)
    assert identified(both.ask(Shown(fields(apikey="bob-key", authorization=password)))).who.id == "1"
    assert identified(either.ask(Shown(fields(apikey="bob-key")))).who.id == "2"
    assert identified(either.ask(Shown(fields(authorization=password)))).who.id == "1"
    assert identified(either.ask(Shown(()))).who.id == "3"


def test_the_nearest_instance_asks() -> None:
    """That of the route and service, of the route, of the service, or of everything."""
    authentication = gateway(
        KeyAuth(names=("everywhere",)),
        KeyAuth(names=("service",), scope=Scope(service="s")),
        KeyAuth(names=("route",), scope=Scope(route="r")),
        KeyAuth(names=("both",), scope=Scope(service="s", route="r")),
    )
    key = "alice-key"
    for name, service, route in (
        ("everywhere", "", ""),
        ("everywhere", "x", "y"),
        ("service", "s", "y"),
        ("route", "x", "r"),
        ("both", "s", "r"),
    ):
        assert identified(authentication.ask(Shown(((name, key),)), service, route)).who.id == "1"
        assert isinstance(authentication.ask(Shown((("other", key),)), service, route), Answer)


def test_no_secret_is_kept() -> None:
    """What is held knows digests alone, and shows not even those."""
    held = f"{vars(Consumers((ALICE, BOB)))}{ALICE}"

    assert "alice-key" not in held
    assert "digest" not in repr(ALICE)


@given(st.text(), st.text(), st.text())
def test_any_request_can_be_asked(key: str, header: str, query: str) -> None:
    """Nothing that a client sends raises, and nobody gets in by chance."""
    authentication = gateway(KeyAuth(anonymous="3"), BasicAuth(anonymous="3"))
    found = identified(authentication.ask(Shown((("apikey", key), ("authorization", header)), query)))

    assert found.who.id == "3"


@given(st.text(min_size=1).filter(lambda user: ":" not in user), st.text())
def test_basic_headers(user: str, password: str) -> None:
    """What a client encodes comes out."""
    assert basic_pair(basic(user, password)) == (user, password)
