"""What conditions come to for requests: the examples of Kong's documentation, and CEL's rules."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.facts import Facts
from limiter.kong.conditions.condition import Expression, Met
from limiter.kong.conditions.entities import Entities
from limiter.kong.entities import Consumer, Gateway, Group, Route, Service

GATEWAY = Gateway(
    services=(Service(id="s1", name="payments-service", tags=("internal",)), Service(id="s2")),
    routes=(
        Route(id="r1", name="payments-route", tags=("internal", "eu")),
        Route(id="r2", protocols=("grpc", "grpcs")),
    ),
    consumers=(Consumer(id="c1", username="alice", custom_id="user-123", tags=("vip",)),),
    groups=(Group(id="g1", name="premium"),),
)
ENTITIES = Entities.of(GATEWAY)
FACTS: Mapping[str, Any] = {
    "method": "POST",
    "asked_host": "internal.example.com",
    "asked_scheme": "https",
    "host": "api.openai.com:8443",
    "path": "/api/v2/admin",
    "target": "/api//v2/./admin?auth=required&tag=a&tag=featured&empty",
    "ip": "10.0.0.1",
    "route": "r1",
    "service": "s1",
    "consumer": "alice",
    "consumer_id": "c1",
    "custom_id": "user-123",
    "groups": ("premium",),
    "fields": (("host", "x"), ("x-version", "2"), ("x-roles", "reader"), ("x_roles", "editor")),
}
FULL = Facts(**FACTS)
EMPTY = Facts(method="GET", host="api.openai.com", path="/")


def met(text: str, facts: Facts = FULL) -> bool:
    return Met(Expression.parse(text), ENTITIES)(facts)


@pytest.mark.parametrize(
    "text",
    [
        'http.method == "POST"',
        'http.host == "internal.example.com"',
        'http.path.startsWith("/api/v2")',
        '"admin" in http.path_segments',
        'http.path_segments[0] == "api"',
        'http.headers.x_version == "2"',
        'http.queries.auth == "required"',
        'http.headers_list.x_roles != null && "editor" in http.headers_list.x_roles',
        'http.queries_list.tag != null && "featured" in http.queries_list.tag',
        'net.protocol == "https"',
        'net.src.ip == "10.0.0.1"',
        'route.id == "r1"',
        'route.name == "payments-route"',
        'route.tags != null && "internal" in route.tags',
        'service.id == "s1"',
        'service.name == "payments-service"',
        'service.tags != null && "internal" in service.tags',
        'consumer.id == "c1"',
        'consumer.username == "alice"',
        'consumer.custom_id == "user-123"',
        'consumer.tags != null && "vip" in consumer.tags',
        'consumer_group.names != null && "premium" in consumer_group.names',
        'consumer_group.ids != null && "g1" in consumer_group.ids',
        '(http.method == "POST" || http.method == "PUT") && net.protocol == "https"',
    ],
)
def test_documented_fields(text: str) -> None:
    """Each is met by a request that has what it asks for, and not by one that has nothing."""
    assert met(text)
    assert not met(f"default({text}, false)", EMPTY)


@pytest.mark.parametrize(
    "text",
    [
        '!(http.method == "DELETE")',
        '!!(http.method == "POST")',
        '"POST" == http.method',
        'http.path.endsWith("/admin") && http.path.contains("v2")',
        'http.path.matches("^/api/v[0-9]+/") && http.path.matches("v[0-9]")',
        'matches(http.path, r"\\Aadmin") == false',
        "size(http.path_segments) == 3 && http.path.size() == 13 && size('é😀') == 2",
        'http.path_segments.all(s, size(s) > 1) && http.path_segments.exists(s, s == "v2")',
        'http.path_segments.filter(s, s.startsWith("a")) == ["api", "admin"]',
        'http.path_segments.map(s, s + "!")[1] == "v2!"',
        'http.path_segments.map(s, s.size() > 2, s + "!") == ["api!", "admin!"]',
        'http.path_segments.exists(s, ["x", "v"].exists(t, s.startsWith(t)))',
        "[1, 2].map(s, [3].map(s, s)) == [[3], [3]]",
        'has(http.headers.x_version) && !has(http.headers["x-other"])',
        'http.headers["X-Version"] == "2" && http.headers.x_roles == "reader"',
        'http.headers.absent == null && http.queries_list.absent == null && http.queries.empty == ""',
        '"a" < "b" && 2 >= 2 && -1 < 0x10 && false < true && 9223372036854775807 > -9223372036854775808',
        '1 + 2 == 3 && "a" + "b" + "c" == "abc" && [1] + [2] == [1, 2]',
        '!(1 == true) && !("1" == 1) && null == null && [true] != [1] && [[1]] == [[1]]',
        '\'a\\n\\x41\\u00e9\\U0001F600\\101\\\'\' == """a\nAé😀A\'"""',
        "r\"\\n\" == \"\\\\n\" && R'''a'b''' == \"a'b\" && \"\" == ''",
        'http.method == "POST" // as most do\n',
        "[1, 2, ] == [1, 2]",
        # A side that decides, decides.
        'http.headers.absent.startsWith("a") || true',
        '!(http.headers.absent.startsWith("a") && false)',
        '["a", http.headers.absent].exists(s, s.startsWith("a"))',
    ],
)
def test_the_language(text: str) -> None:
    assert met(f"default({text}, false)" if "//" not in text else text)


@pytest.mark.parametrize(
    "text",
    [
        'http.headers.absent.startsWith("a")',
        "http.path_segments[3] == null",
        '"a" in http.headers_list.absent',
        "size(http.queries.absent) == 0",
        "http.headers.absent < http.path",
        "http.headers.absent + http.path == http.path",
        "http.path_segments[0]",
        "http.path_segments[0] && true",
        "!http.path_segments[0]",
        "9223372036854775807 + 1 == 0",
        "http.path_segments.all(s, s)",
        "[1][http.path_segments[0]] == 1",
    ],
)
def test_what_fails_is_met(text: str) -> None:
    """So that limits apply, unless `default()` says otherwise."""
    assert met(text)
    assert met(f"default({text}, true)")
    assert not met(f"default({text}, false)")


def test_what_takes_too_long_is_met_whatever_default_says() -> None:
    """However it is nested: paths and headers come from clients."""
    long = Facts(path="/a" * 3000, target="/?" + "b&" * 3000, fields=(("x-long", "x" * 60_000),))
    for text in (
        'http.path_segments.exists(a, http.path_segments.exists(b, http.path_segments.exists(c, c == "b")))',
        "http.path_segments.all(a, http.path_segments.all(b, a in http.path_segments))",
        "http.path_segments.all(s, http.queries.a == null)",
        "size(http.path_segments.map(s, http.headers.x_long + http.headers.x_long)) > 0",
        'http.path_segments.all(s, http.headers.x_long.matches("(x+x+)+"))',
        "http.path_segments.map(s, http.path_segments) == http.path_segments.map(s, http.path_segments)",
    ):
        assert met(f"default({text}, false)", long)
        assert met(text, long)


def test_protocols_and_hosts() -> None:
    """A route of gRPC alone has its protocol; without a gateway before it the host is the one that is asked."""
    assert met('net.protocol == "grpcs"', Facts(route="r2", asked_scheme="https"))
    assert met("net.protocol == null", Facts())
    assert met('http.host == "api.openai.com"', Facts(host="api.openai.com:8443"))
    assert met('http.host == "[::1]"', Facts(host="[::1]"))


def test_who_is_told_by_a_peer_is_no_consumer_of_kong() -> None:
    assert met("consumer.id == null && consumer.username == null && consumer_group.ids == null", Facts(consumer="bob"))


def test_secrets_are_not_shown() -> None:
    """Conditions stand in what `adapt` prints and in `repr`."""
    secret = Met(Expression.parse('http.headers.apikey == "alice-key"'), ENTITIES)
    assert str(secret) == "a condition on secrets is met"
    assert "alice" not in repr(secret)
    assert str(Met(Expression.parse('http.method ==\n  "GET"'), ENTITIES)) == 'http.method == "GET"'


def test_conditions_are_equal_by_their_text() -> None:
    one, same, other = (Met(Expression.parse(text), ENTITIES) for text in ("1 == 1", "1 == 1", "1 == 2"))
    assert one == same
    assert len({one, same, other}) == 2


VALUES = st.recursive(
    st.sampled_from(
        ["http.path", "http.headers.x_version", "http.headers.no", "route.tags", "1", "-2", '"a"', "true", "null", "[]"]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["==", "<", "in", "&&", "||", "+"]), inner).map(
            lambda it: f"({' '.join(it)})"
        ),
        inner.map(lambda it: f"!({it})"),
        inner.map(lambda it: f"({it}).size()"),
        st.tuples(inner, inner).map(lambda it: f"({it[0]}).contains({it[1]})"),
        st.tuples(inner, inner).map(lambda it: f"({it[0]}).map(x, {it[1]})"),
        st.tuples(inner, inner).map(lambda it: f"({it[0]})[{it[1]}]"),
    ),
    max_leaves=8,
)


@given(VALUES)
def test_a_condition_never_raises(text: str) -> None:
    """It is wrong for all requests, or comes to a boolean for each."""
    try:
        expression = Expression.parse(f"default({text}, false)")
    except ValueError:
        return
    for facts in (FULL, EMPTY):
        assert Met(expression, ENTITIES)(facts) in (True, False)


def test_a_long_request_is_no_way_out_of_a_limit() -> None:
    long = replace(FULL, method="GET", target="/?" + "a" * 2_000_000)
    text = 'default(http.queries.a == "b" || http.method == "POST", false)'
    assert met(text, long)


@pytest.mark.parametrize(("asked", "host"), [("[::1]:8443", "[::1]"), ("::1", "::1"), ("a.example:80", "a.example")])
def test_a_host_has_no_port(asked: str, host: str) -> None:
    assert met(f'http.host == "{host}"', replace(FULL, asked_host=asked))
