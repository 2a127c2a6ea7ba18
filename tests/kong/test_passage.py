"""The way of a request through a gateway: routed, identified, and what the upstream is told."""

from dataclasses import replace
from hashlib import sha256

from limiter.consumers import Who
from limiter.kong.entities import Consumer, Credential, Gateway, KeyAuth, Proxied, Route, Scope, Service
from limiter.kong.passage import NO_ROUTE, NO_SERVICE, Passage, Passing
from limiter.kong.router import Ask
from limiter.voices import Answer

KEY = Credential(id="k1", digest=sha256(b"secret").hexdigest())
GATEWAY = Gateway(
    services=(Service(id="s1", host="api.openai.com", port=443, protocol="https"), Service(id="s2", host="dummy")),
    routes=(Route(id="r1", service="s1", paths=("/openai",)), Route(id="r2", service="s2", paths=("/chat",))),
    consumers=(Consumer(id="c1", username="ann", keys=(KEY,), groups=("red",)),),
    authentication=(KeyAuth(scope=Scope(route="r1"), hide=True),),
    proxied=(Proxied(scope=Scope(route="r2"), providers=frozenset({"anthropic"})),),
)
SHOWN = (("apikey", "secret"),)


def ask(target: str, host: str = "proxy", fields: tuple[tuple[str, str], ...] = ()) -> Ask:
    return Ask("POST", "https", host, 443, target, fields)


def taken(asked: Ask, provider: str = "", *, inbound: bool) -> Passing:
    found = Passage(GATEWAY).take(asked, provider, inbound=inbound)
    assert isinstance(found, Passing)
    return found


def test_a_gateways_upstream_learns_who_asks() -> None:
    passing = taken(ask("/openai/v1/x", fields=SHOWN), inbound=True)
    assert (passing.service, passing.route, passing.who.name) == ("s1", "r1", "ann")
    assert passing.upstream is not None
    assert passing.upstream.target == "/v1/x"
    assert passing.hidden == ("apikey",)
    assert ("X-Consumer-Username", "ann") in (passing.told or ())


def test_behind_a_forward_proxy_nobody_does() -> None:
    passing = taken(ask("/v1/x", "api.openai.com", SHOWN), inbound=False)
    assert (passing.service, passing.route, passing.who.name) == ("s1", "r1", "ann")
    assert passing.upstream is None
    assert passing.told == ()


def test_who_has_proven_it_to_a_forward_proxy_is_not_asked_again() -> None:
    asked, bob = ask("/v1/x", "api.openai.com"), Who("bob", "c2", "", "k2")
    assert isinstance(Passage(GATEWAY).take(asked, inbound=False), Answer)
    found = Passage(GATEWAY).take(asked, "", bob, inbound=False)
    assert isinstance(found, Passing)
    assert found.who == bob
    assert isinstance(Passage(GATEWAY).take(ask("/openai/v1/x"), "", bob, inbound=True), Answer)
    # What was meant for the gateway goes no further all the same.
    found = Passage(GATEWAY).take(ask("/v1/x", "api.openai.com", SHOWN), "", bob, inbound=False)
    assert isinstance(found, Passing)
    assert (found.who, found.hidden) == (bob, ("apikey",))


def test_what_a_route_asks_for_is_no_way_around_it() -> None:
    route = Route(id="r", service="s1", headers=(("x-team", ("a",)),), methods=("PUT",))
    passage = Passage(replace(GATEWAY, routes=(route,), authentication=()))
    found = passage.take(ask("/v1/x", "api.openai.com"), inbound=False)
    assert isinstance(found, Passing)
    assert found.route == "r"


def test_a_path_in_another_case_is_no_way_around_a_route() -> None:
    service = Service(id="az", host="x.openai.azure.com", port=443, protocol="https")
    route = Route(id="r", service="az", paths=("/openai/deployments/MyGPT",), strip_path=False)
    passage = Passage(Gateway(services=(service,), routes=(route,)))
    for path in ("/openai/deployments/MyGPT/x", "/OpenAI/deployments/mygpt/x"):
        found = passage.take(ask(path, "x.openai.azure.com"), inbound=False)
        assert isinstance(found, Passing)
        assert found.route == "r"


def test_a_route_without_service_answers_as_kong_does() -> None:
    passage = Passage(replace(GATEWAY, routes=(Route(id="r", paths=("/none",)),)))
    assert passage.take(ask("/none"), inbound=True) is NO_SERVICE


def test_a_route_whose_service_is_a_dummy_is_known_by_the_provider() -> None:
    asked = ask("/v1/messages", "api.anthropic.com")
    assert taken(asked, "anthropic", inbound=False).route == "r2"
    assert taken(asked, inbound=False).route == ""


def test_strangers_and_unknown_ways_are_answered() -> None:
    refused = Passage(GATEWAY).take(ask("/openai/v1/x"), inbound=True)
    assert isinstance(refused, Answer)
    assert refused.status == 401
    assert Passage(GATEWAY).take(ask("/elsewhere"), inbound=True) is NO_ROUTE


def test_without_a_gateway_nothing_changes() -> None:
    assert not Passage(Gateway())
    assert Passage(GATEWAY)
