"""The router: which route a request takes, and where it goes."""

import re
from dataclasses import replace
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.kong.entities import Gateway, Proxied, Route, Scope, Service
from limiter.kong.paths import normal
from limiter.kong.router import Ask, Router

SERVICE = Service(id="s", name="s", host="up.example", port=8080, path="/base")


def gateway(*routes: Route, services: tuple[Service, ...] = (SERVICE,)) -> Gateway:
    return Gateway(services=services, routes=routes)


def route(name: str, **fields: Any) -> Route:
    return Route(id=name, name=name, service="s", **fields)


def ask(target: str = "/", host: str = "gw.example", **fields: Any) -> Ask:
    given = {"method": "GET", "scheme": "http", "port": 80, **fields}
    return Ask(host=host, target=target, **given)


def taken(router: Router, request: Ask) -> str:
    found = router.match(request)
    return found.route.id if found and found.route else ""


HOST = {"hosts": ("gw.example",)}
PRIORITIES = [
    # Each of the first beats each of the second for GET /a/b of gw.example with x-a: 1.
    ("kinds of conditions", {"methods": ("GET",), "paths": ("/",)}, {"paths": ("/a/b",)}),
    ("kinds over hosts", {"methods": ("GET",), "paths": ("/",)}, HOST),
    ("plain hosts", HOST, {"paths": ("/a/b",)}),
    ("plain over wildcard hosts", HOST, {"hosts": ("*.example",)}),
    ("more headers", {"headers": (("x-a", ("1",)), ("x-b", ("2",)))}, {"headers": (("x-a", ("1",)),)}),
    ("header over path", {"headers": (("x-a", ("1",)),)}, {"paths": ("/a/b",)}),
    ("pattern over prefix", {"paths": ("~/a",)}, {"paths": ("/a/b",)}),
    ("higher regex_priority", {"paths": ("~/a",), "regex_priority": 5}, {"paths": ("~/a/b",), "regex_priority": 1}),
    ("longer prefix", {"paths": ("/a/b",)}, {"paths": ("/a",)}),
    ("one of several paths", {"paths": ("/x", "/a/b")}, {"paths": ("/a/",)}),
]


@pytest.mark.parametrize(("winner", "loser"), [pair[1:] for pair in PRIORITIES], ids=[pair[0] for pair in PRIORITIES])
def test_priority(winner: dict[str, Any], loser: dict[str, Any]) -> None:
    """The route with more to say wins, whichever was declared first."""
    first, second = route("winner", **winner), route("loser", **loser)
    request = ask("/a/b", fields=(("x-a", "1"), ("x-b", "2")))

    assert taken(Router(gateway(first, second)), request) == "winner"
    assert taken(Router(gateway(second, first)), request) == "winner"
    assert taken(Router(gateway(second)), request) == "loser"


def test_of_equal_routes_the_first_wins() -> None:
    """Routes that differ in nothing are taken in their order."""
    assert taken(Router(gateway(route("a", paths=("/",)), route("b", paths=("/",)))), ask()) == "a"


CONDITIONS: list[tuple[str, dict[str, Any], Ask, bool]] = [
    ("host", {"hosts": ("gw.example",)}, ask(), True),
    ("another host", {"hosts": ("other.example",)}, ask(), False),
    ("wildcard in front", {"hosts": ("*.example",)}, ask(), True),
    ("wildcard in front, deeper", {"hosts": ("*.example",)}, ask(host="a.b.example"), True),
    ("wildcard in front, bare", {"hosts": ("*.example",)}, ask(host="example"), False),
    ("wildcard behind", {"hosts": ("gw.*",)}, ask(), True),
    ("host and port", {"hosts": ("gw.example:80",)}, ask(), True),
    ("host and another port", {"hosts": ("gw.example:81",)}, ask(), False),
    ("wildcard and port", {"hosts": ("*.example:8000",)}, ask(port=8000), True),
    ("method", {"methods": ("GET", "PUT")}, ask(method="PUT"), True),
    ("another method", {"methods": ("GET",)}, ask(method="POST"), False),
    ("prefix", {"paths": ("/a",)}, ask("/abc"), True),
    ("prefix without query", {"paths": ("/a?",)}, ask("/a?b"), False),
    ("path is normal", {"paths": ("/b",)}, ask("/a/..//%62"), True),
    ("case matters", {"paths": ("/A",)}, ask("/a"), False),
    ("pattern", {"paths": ("~/v[0-9]+/x$",)}, ask("/v12/x"), True),
    ("pattern from the start", {"paths": ("~/x",)}, ask("/v/x"), False),
    ("pattern with a named group", {"paths": (r"~/(?<id>\d+)$",)}, ask("/12"), True),
    ("header", {"headers": (("x-a", ("one", "two")),)}, ask(fields=(("x-a", "Two"),)), True),
    ("header in any field", {"headers": (("x-a", ("two",)),)}, ask(fields=(("x-a", "one"), ("x-a", "two"))), True),
    ("header missing", {"headers": (("x-a", ("one",)),)}, ask(), False),
    ("header pattern", {"headers": (("x-a", ("~*^inf.+",)),)}, ask(fields=(("x-a", "INFRA"),)), True),
    ("header pattern not", {"headers": (("x-a", ("~*^inf.+",)),)}, ask(fields=(("x-a", "x-infra"),)), False),
    ("no conditions", {}, ask(), True),
    ("no protocol of HTTP", {"protocols": ("tcp",), "paths": ("/",)}, ask(), False),
]


@pytest.mark.parametrize(
    ("fields", "request_", "expected"), [case[1:] for case in CONDITIONS], ids=[case[0] for case in CONDITIONS]
)
def test_condition(fields: dict[str, Any], request_: Ask, *, expected: bool) -> None:
    """A request takes a route when it meets all of its conditions."""
    assert (taken(Router(gateway(route("r", **fields))), request_) == "r") is expected


def test_routes_of_disabled_services_are_not_there() -> None:
    """As Kong has it: nothing is found, or what comes next."""
    off = replace(SERVICE, enabled=False)

    assert Router(gateway(route("r", paths=("/",)), services=(off,))).match(ask()) is None


def test_a_route_without_service() -> None:
    """It is taken, and leads nowhere."""
    found = Router(gateway(Route(id="r", paths=("/",)))).match(ask())

    assert found
    assert found.service is None
    assert found.upstream(ask()) is None


def test_upstream() -> None:
    """The matched part is stripped, the query stays, the host is the service's."""
    request = ask("/chat/x?a=1&b=%20", fields=())
    found = Router(gateway(route("r", paths=("/chat",)))).match(request)

    assert found
    assert found.upstream(request) == ("http", "up.example", 8080, "/base/x?a=1&b=%20", "up.example:8080")


def test_upstream_keeps_what_it_is_told_to() -> None:
    """`strip_path: false` and `preserve_host: true`."""
    request = ask("/chat/x", port=8000)
    keeping = route("r", paths=("/chat",), strip_path=False, preserve_host=True)
    found = Router(gateway(keeping, services=(replace(SERVICE, protocol="https", port=443),))).match(request)

    assert found
    assert found.upstream(request) == ("https", "up.example", 443, "/base/chat/x", "gw.example:8000")


def test_the_part_that_a_pattern_matched_is_stripped() -> None:
    """What follows the match stays."""
    found = Router(gateway(route("r", paths=("~/v[0-9]+",)))).match(ask("/v12/x"))

    assert found
    upstream = found.upstream(ask("/v12/x"))
    assert upstream
    assert upstream.target == "/base/x"


# --- forward mode -------------------------------------------------------------------------------------------------

OPENAI = Service(id="openai", host="api.openai.com", protocol="https", port=443)
V1 = Service(id="v1", host="api.openai.com", protocol="https", port=443, path="/v1")


def sent(target: str, host: str = "api.openai.com", port: int = 443, **fields: Any) -> Ask:
    return ask(target, host, port=port, scheme="https", **fields)


def test_towards_the_service_with_the_longest_path() -> None:
    """Of services on one host the most telling one is meant."""
    router = Router(Gateway(services=(OPENAI, V1)))

    def service(request: Ask) -> str:
        found = router.towards(request)
        return found.service.id if found and found.service else ""

    assert service(sent("/v1/chat")) == "v1"
    assert service(sent("/v1")) == "v1"
    assert service(sent("/v12")) == "openai"
    assert service(sent("/", host="api.anthropic.com")) == ""
    assert service(sent("/v1", port=80)) == ""


def test_towards_a_route() -> None:
    """A route is meant that could have led to what is asked for; hosts are the gateway's, so they do not count."""
    stripped = Route(id="stripped", service="v1", hosts=("gw.example",), paths=("/openai",))
    kept = Route(id="kept", service="v1", paths=("/embeddings",), strip_path=False)
    posts = Route(id="posts", service="v1", paths=("/posts",), methods=("POST",))
    router = Router(Gateway(services=(V1,), routes=(stripped, kept, posts)))

    def name(request: Ask) -> str:
        found = router.towards(request)
        return found.route.id if found and found.route else ""

    assert name(sent("/v1/embeddings")) == "stripped"
    assert name(sent("/v1/chat", method="POST")) == "stripped"
    assert name(sent("/v1/embeddings")) == "stripped"
    only_kept = Router(Gateway(services=(V1,), routes=(kept,)))
    found = only_kept.towards(sent("/v1/chat"))
    assert found
    assert found.route is None
    assert only_kept.towards(sent("/v1/embeddings/x")).route is kept  # type: ignore[union-attr]


def test_towards_a_provider() -> None:
    """Where a plugin leads to a provider, its route is meant, as the service's own host is a dummy."""
    dummy = Service(id="d", host="localhost", port=32000)
    first = Route(id="first", service="d", paths=("/openai",))
    second = Route(id="second", service="d", paths=("/b",), methods=("POST",))
    third = Route(id="third", service="d", paths=("/b/longer",))
    router = Router(
        Gateway(
            services=(dummy, V1),
            routes=(first, second, third),
            proxied=(
                Proxied(scope=Scope(route="first"), providers=frozenset({"openai"})),
                Proxied(scope=Scope(service="d"), providers=frozenset({"bedrock", "gemini"})),
            ),
        )
    )

    def name(request: Ask, provider: str) -> str:
        found = router.towards(request, provider)
        return found.route.id if found and found.route else ""

    assert name(sent("/v1/chat"), "openai") == ""
    assert name(sent("/v1/chat", host="openai.example"), "openai") == "first"
    assert name(sent("/x", host="g.example"), "gemini") == "third"
    assert name(sent("/x", host="g.example", method="POST"), "gemini") == "second"
    assert name(sent("/x", host="g.example"), "anthropic") == ""
    assert name(sent("/x", host="g.example"), "") == ""


# --- against an oracle --------------------------------------------------------------------------------------------

PATHS = ("/", "/a", "/a/", "/ab", "/a/b", "~/a", "~/a/[bc]$", "~/.*b")
HOSTS = ("gw.example", "*.example", "gw.*", "other.example", "gw.example:8000")
ROUTES = st.builds(
    lambda hosts, paths, methods, headers, priority: Route(
        id="",
        service="s",
        hosts=tuple(hosts),
        paths=tuple(paths),
        methods=tuple(methods),
        headers=tuple(sorted((name, ("1",)) for name in headers)),
        regex_priority=priority,
    ),
    st.lists(st.sampled_from(HOSTS), max_size=2, unique=True),
    st.lists(st.sampled_from(PATHS), max_size=3, unique=True),
    st.lists(st.sampled_from(("GET", "POST")), max_size=1),
    st.sets(st.sampled_from(("x-a", "x-b")), max_size=2),
    st.integers(0, 2),
)
ASKS = st.builds(
    lambda target, host, port, method, headers: ask(
        target, host, port=port, method=method, fields=tuple((name, "1") for name in headers)
    ),
    st.sampled_from(("/", "/a", "/a/b", "/a/c", "/abb", "/x", "/a//b?q")),
    st.sampled_from(("gw.example", "x.example", "gw.test", "other.example", "none")),
    st.sampled_from((80, 8000)),
    st.sampled_from(("GET", "POST")),
    st.sets(st.sampled_from(("x-a", "x-b")), max_size=2),
)


def oracle(routes: list[Route], request: Ask) -> str:
    """Every route by every path, one after the other: Kong's bit fields as a tuple."""
    best: tuple[tuple[int, ...], str] = ((), "")
    path = normal(request.target.partition("?")[0])
    for candidate in routes:
        hosts = [host for host in candidate.hosts if _host_fits(host, request)]
        if candidate.hosts and not hosts:
            continue
        if candidate.methods and request.method not in candidate.methods:
            continue
        if any((name, "1") not in request.fields for name, _ in candidate.headers):
            continue
        kinds = (candidate.hosts, candidate.paths, candidate.methods, candidate.headers)
        for own in candidate.paths or ("",):
            regex = own.startswith("~")
            if not (re.match(own[1:], path) if regex else path.startswith(own)):
                continue
            weight = (
                sum(1 for kind in kinds if kind),
                int(bool(candidate.hosts) and "*" not in "".join(candidate.hosts)),
                len(candidate.headers),
                int(regex),
                candidate.regex_priority if regex else 0,
                0 if regex else len(own),
            )
            if weight > best[0]:
                best = (weight, candidate.id)
    return best[1]


def _host_fits(host: str, request: Ask) -> bool:
    name, _, port = host.partition(":")
    return bool(re.fullmatch(re.escape(name).replace(r"\*", ".*"), request.host)) and port in ("", str(request.port))


@given(st.lists(ROUTES, max_size=8), st.lists(ASKS, min_size=1, max_size=5))
def test_the_index_changes_nothing(routes: list[Route], requests: list[Ask]) -> None:
    """Filed routes are found as if each one were looked at."""
    named = [replace(each, id=f"r{number}") for number, each in enumerate(routes)]
    router = Router(gateway(*named))

    for request in requests:
        assert taken(router, request) == oracle(named, request)


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_request_can_be_asked_about(target: str, host: str) -> None:
    """Nothing that a client sends raises."""
    router = Router(gateway(route("r", paths=("~/a.*",), hosts=("*.x", "y.*")), route("q", paths=("/",))))

    router.match(ask(target, host))
    router.towards(ask(target, host))


def test_a_thousand_routes_cost_no_more_than_ten() -> None:
    """Routes are found by host and path, not one by one."""

    def seconds(count: int) -> float:
        routes = [route(f"r{n}", hosts=(f"h{n}.example",), paths=(f"/p{n}",)) for n in range(count // 2)]
        routes += [route(f"q{n}", paths=(f"/only/{n}",)) for n in range(count // 2)]
        router = Router(gateway(*routes))
        request = ask("/only/3/x")
        assert taken(router, request) == "q3"
        best = float("inf")
        for _ in range(5):
            before = perf_counter()
            for _ in range(200):
                router.match(request)
            best = min(best, perf_counter() - before)
        return best

    assert seconds(1000) < 3 * seconds(10)
