"""What functions read comes from the facts of a request, and carries no more than they may read."""

import json

import pytest

from limiter.facts import Facts
from limiter.lua.messages import snapshot_of
from limiter.lua.request import MOST_BODY, LuaRequest, LuaResponse, snapshot
from tests.lua.running import Bench


@pytest.mark.parametrize(
    ("host", "scheme", "shown"),
    [
        ("api.openai.com", "https", ("api.openai.com", 443)),
        ("api.openai.com", "http", ("api.openai.com", 80)),
        ("127.0.0.1:9000", "http", ("127.0.0.1", 9000)),
        ("[::1]", "https", ("[::1]", 443)),
        ("[::1]:8443", "https", ("[::1]", 8443)),
    ],
)
def test_host_and_port(host: str, scheme: str, shown: tuple[str, int]) -> None:
    request = snapshot(Facts(host=host), scheme=scheme, http_version=1.1, body=b"", started=0)
    assert (request.host, request.port) == shown


def test_facts_as_functions_see_them(bench: Bench) -> None:
    facts = Facts(
        host="api.cohere.com", method="POST", path="/v2/chat", target="/v2/chat?a=1", ip="192.0.2.7", machine="box",
        consumer="ann", consumer_id="c1", custom_id="x9", credential_id="k1", groups=("gold", "staff"), service="s1",
        route="r1", fields=(("x-prompt-count", "7"), ("x-b", "caf\udcc3\udca9")),
    )  # fmt: skip
    request = snapshot(
        facts, scheme="https", http_version=2.0, body=b"hi", started=5, peer="10.0.0.1", trusted=True,
        trusted_peers=("10.0.0.0/8",), client_port=4711,
    )  # fmt: skip
    found = bench.values(
        """kong.request.get_method(), kong.request.get_path_with_query(), kong.request.get_http_version(),
        kong.request.get_raw_body(), kong.request.get_start_time(), kong.client.get_ip(),
        kong.client.get_forwarded_ip(), kong.client.get_port(), kong.client.get_consumer(),
        kong.client.get_credential(), kong.client.get_consumer_groups(), kong.client.get_consumer_group(),
        kong.router.get_route().id, kong.router.get_service().id, kong.ip.is_trusted("10.9.9.9"),
        kong.ip.is_trusted("192.0.2.7"),
        kong.node.get_hostname(), kong.request.get_header("x-b")""",
        request,
    )
    assert found == [
        "POST", "/v2/chat?a=1", 2, "hi", 5, "10.0.0.1", "192.0.2.7", 4711,
        {"id": "c1", "username": "ann", "custom_id": "x9"}, {"id": "k1"}, [{"name": "gold"}, {"name": "staff"}],
        {"name": "gold"}, "r1", "s1", True, False, "box", "café",
    ]  # fmt: skip


def test_nobody_is_nil(bench: Bench) -> None:
    found = bench.values(
        "kong.client.get_consumer(), kong.client.get_credential(), kong.client.get_consumer_groups(),"
        "kong.router.get_route(), kong.request.get_forwarded_prefix()",
        snapshot(Facts(host="a"), scheme="https", http_version=1.1, body=b"", started=0),
    )
    assert found == [None] * 5


def test_a_body_too_large_is_not_sent() -> None:
    request = snapshot(Facts(), scheme="https", http_version=1.1, body=b"x" * (MOST_BODY + 1), started=0)
    assert request.body is None
    assert snapshot_of(request, with_body=True).body is None


def test_a_body_travels_only_where_it_is_read() -> None:
    request = LuaRequest(body=b"secret prompt")
    assert snapshot_of(request, with_body=False).body is None
    assert snapshot_of(request, with_body=False).body_away
    assert not snapshot_of(LuaRequest(), with_body=False).body_away


def test_names_in_any_encoding_reach_lua(bench: Bench) -> None:
    request = LuaRequest(consumer={"id": "caf\udce9 é"}, response=LuaResponse(status=200, request_model="m\udcff"))
    assert bench.values("kong.client.get_consumer().id", request) == ["caf\udce9 é"]
    assert bench.values("kong.request.get_method()", LuaRequest(method="\ud800")) == ["?"]
    assert json.loads(snapshot_of(request, with_body=False).context.decode("utf-8", "surrogateescape"))["ai"]


def test_representations_show_no_secret() -> None:
    request = LuaRequest(
        headers=(("authorization", "Bearer hush"),),
        body=b"hush",
        response=LuaResponse(status=1, headers=(("a", "hush"),)),
    )
    assert "hush" not in repr(request)
