"""Quotas that an upstream counts in a response header, through a real proxy, over HTTP/1.1, HTTP/2 and gRPC."""

import ssl
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest

from tests.e2e.certificates import Certificates
from tests.e2e.counting_upstream import PATIENCE, PIECE, CountingUpstream
from tests.e2e.proxy import Proxy
from tests.servers import valkey
from tests.servers.valkey import Server, until

SETTINGS = """
settings:
  providers: [{{host: "127.0.0.1:{port}", provider: other}}]
  trusted_peers: [127.0.0.1]
limits:
  - {{name: calls, amount: 100 requests per year, per: ip}}
  - {{name: cost, amount: 2.5 per year, meter: "header:x-kong-limit:cost", per: ip}}
"""
LOCAL = """---
_format_version: "3.0"
plugins:
- name: response-ratelimiting
  config:
    limits:
      video: {month: 6, year: 10}
      sms_out: {year: 3}
"""
SHARED = """---
_format_version: "3.0"
plugins:
- name: response-ratelimiting
  config:
    policy: redis
    redis: {{host: 127.0.0.1, port: {port}, timeout: 20000}}
    fault_tolerant: false
    block_on_first_violation: true
    limits:
      video: {{year: 3}}
"""
_addresses = (f"10.{number >> 8}.{number & 255}.1" for number in count(1))


class Http2(ssl.SSLContext):
    """Offers nothing else: with a choice, mitmproxy takes what it is offered first."""

    def set_alpn_protocols(self, alpn_protocols: Any) -> None:
        super().set_alpn_protocols(["h2"])


@pytest.fixture(scope="module")
def counting(certificates: Certificates) -> Iterator[CountingUpstream]:
    with CountingUpstream(certificates) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def proxy(counting: CountingUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """In front of the upstream."""
    config = SETTINGS.format(port=counting.port) + LOCAL
    mode = f"reverse:https://127.0.0.1:{counting.port}"
    with Proxy(tmp_path_factory.mktemp("proxy"), counting, mode=mode, config=config) as started:  # type: ignore[arg-type]
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with valkey.started(Path(tmp_path_factory.mktemp("v"))) as started:
        yield started


@pytest.fixture(scope="module")
def tunnel(counting: CountingUpstream, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A forward proxy, whose quotas are in Redis."""
    config = SETTINGS.format(port=counting.port) + SHARED.format(port=server.port)
    with Proxy(tmp_path_factory.mktemp("tunnel"), counting, config=config) as started:  # type: ignore[arg-type]
        yield started


@pytest.fixture
def address() -> str:
    """A client of its own for each test."""
    return next(_addresses)


def _client(proxy: Proxy, address: str, *, two: bool = False) -> httpx2.Client:
    trust = Http2(ssl.PROTOCOL_TLS_CLIENT) if two else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_verify_locations(proxy.ca_file)
    return httpx2.Client(
        http1=not two,
        http2=two,
        verify=trust,
        trust_env=False,
        timeout=PATIENCE,
        base_url=f"https://127.0.0.1:{proxy.port}",
        headers={"x-forwarded-for": address},
    )


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
def client(proxy: Proxy, address: str, request: pytest.FixtureRequest) -> Iterator[httpx2.Client]:
    with _client(proxy, address, two=request.param == "HTTP/2") as made:
        yield made
        assert made.get("/").http_version == request.param


def _told(response: httpx2.Response) -> dict[str, str]:
    prefix = "x-ratelimit-remaining-"
    return {name.removeprefix(prefix): value for name, value in response.headers.items() if name.startswith(prefix)}


def _settled(client: httpx2.Client, **expected: str) -> httpx2.Response:
    """An answer that counts nothing, once it shows what is expected: counts are booked behind the answers."""
    seen: list[httpx2.Response] = []

    def as_expected() -> bool:
        seen.append(client.get("/"))
        told = _told(seen[-1])
        return all(told[name.replace("_", "-")] == value for name, value in expected.items())

    until(as_expected)
    return seen[-1]


def test_what_the_upstream_counts_is_taken_off(client: httpx2.Client, counting: CountingUpstream) -> None:
    response = client.get("/", headers={"x-say": "video=2, sms_out=1, other=5"})

    assert (response.status_code, response.content) == (200, PIECE)
    assert _told(response) == {"video-month": "4", "video-year": "8", "sms-out-year": "2"}
    assert response.headers["x-ratelimit-limit-sms-out-year"] == "3"
    assert "x-kong-limit" not in response.headers
    assert response.headers["x-other"] == "kept"
    assert counting.last.headers["x-ratelimit-remaining-video"] == "6"
    assert counting.last.headers["x-ratelimit-remaining-sms_out"] == "3"
    _settled(client, video_month="4", video_year="8", sms_out_year="2")
    assert counting.last.headers["x-ratelimit-remaining-video"] == "4"


def test_an_upstream_is_told_the_truth_whatever_the_client_says(
    client: httpx2.Client, counting: CountingUpstream
) -> None:
    client.get("/", headers={"x-ratelimit-remaining-video": "1000"})

    told = [value for name, value in counting.last.fields if name == "x-ratelimit-remaining-video"]
    assert told == ["6"]


def test_only_the_first_of_two_fields_counts(client: httpx2.Client) -> None:
    response = client.get("/", headers=[("x-say", "video=1"), ("x-say", "video=5")])

    assert _told(response)["video-month"] == "5"
    assert "x-kong-limit" not in response.headers


def test_an_answer_that_uses_more_than_nothing_is_replaced(client: httpx2.Client, counting: CountingUpstream) -> None:
    client.get("/", headers={"x-say": "video=6"})
    calls = _settled(client, video_month="0").headers["ratelimit"]

    response = client.get("/", headers={"x-say": "video=1, sms_out=1, cost=2"})

    assert (response.status_code, response.content, response.headers["content-length"]) == (429, b"", "0")
    assert _told(response) == {"video-month": "0", "video-year": "3", "sms-out-year": "2"}
    assert "x-kong-limit" not in response.headers
    assert response.headers["x-other"] == "kept"
    assert counting.last.headers["x-say"] == "video=1, sms_out=1, cost=2"
    after = _settled(client, video_year="4", sms_out_year="3")
    # Nothing was counted, by other limits neither: there is one request more, the last one.
    assert _calls(after) == _calls(calls) - 1
    assert '"cost";r=2;' in after.headers["ratelimit"]


def _calls(response: httpx2.Response | str) -> int:
    field = response if isinstance(response, str) else response.headers["ratelimit"]
    return int(field.partition('"calls";r=')[2].partition(";")[0])


def test_a_replaced_answer_does_not_wait_for_the_upstreams(client: httpx2.Client, counting: CountingUpstream) -> None:
    client.get("/", headers={"x-say": "video=6"})
    _settled(client, video_month="0")

    for _ in range(2):  # The connection still serves.
        response = client.get("/", headers={"x-say": "video=1", "x-endless": "1"})

        assert (response.status_code, response.content) == (429, b"")
        assert counting.last.left.wait(PATIENCE)
    assert client.get("/").content == PIECE


def test_streams_keep_streaming(client: httpx2.Client, proxy: Proxy, address: str) -> None:
    two = client.get("/").http_version == "HTTP/2"
    with (
        _client(proxy, address, two=two) as leaving,
        leaving.stream("GET", "/", headers={"x-say": "video=1", "x-endless": "1"}) as response,
    ):
        assert _told(response)["video-month"] == "5"
        assert next(response.iter_raw()).startswith(PIECE)
    # What was counted counts, also when the client leaves.
    _settled(client, video_month="5")


def test_a_native_limit_counts_what_the_upstream_says(proxy: Proxy, address: str) -> None:
    with _client(proxy, address) as client:
        assert client.get("/", headers={"x-say": "cost=1.25"}).status_code == 200
        assert client.get("/", headers={"x-say": "cost=1.5, video=2"}).status_code == 200
        until(lambda: client.get("/").status_code != 200)

        response = client.get("/")

    assert 'limit \\"cost\\" reached: 2.75 of 2.5 cost per year used' in response.text
    assert '"cost";q=2;qu="cost"' in response.headers["ratelimit-policy"]
    # The others' headers are there too.
    assert _told(response)["video-month"] == "4"


def test_grpc(proxy: Proxy, address: str, counting: CountingUpstream) -> None:
    credentials = grpc.ssl_channel_credentials(proxy.ca_file.read_bytes())
    whole = {"request_serializer": bytes, "response_deserializer": bytes}
    with grpc.secure_channel(f"127.0.0.1:{proxy.port}", credentials) as channel:
        say = channel.unary_unary("/Greeter/Say", **whole)
        stream = channel.unary_stream("/Greeter/Stream", **whole)

        def told(says: str) -> dict[str, str]:
            metadata = (("x-say", says), ("x-forwarded-for", address))
            answer, call = say.with_call(b"", metadata=metadata, timeout=PATIENCE)
            assert answer == b""
            return {str(name): str(value) for name, value in call.initial_metadata()}

        first = told("video=6")
        assert first["x-ratelimit-limit-video-month"] == "6"
        assert first["x-ratelimit-remaining-video-month"] == "0"
        assert "x-kong-limit" not in first
        until(lambda: told("")["x-ratelimit-remaining-video-year"] == "4")

        with pytest.raises(grpc.RpcError) as refused:
            told("video=1")
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert dict(refused.value.trailing_metadata())["x-ratelimit-remaining-video-year"] == "3"

        metadata = (("x-say", "video=1"), ("x-endless", "1"), ("x-forwarded-for", address))
        with pytest.raises(grpc.RpcError) as refused:
            list(stream(b"", metadata=metadata, timeout=PATIENCE))
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert counting.last.left.wait(PATIENCE)


@pytest.fixture
def through(tunnel: Proxy, counting: CountingUpstream, address: str) -> Iterator[httpx2.Client]:
    trust = ssl.create_default_context(cafile=tunnel.ca_file)
    with httpx2.Client(
        proxy=tunnel.url,
        verify=trust,
        trust_env=False,
        timeout=PATIENCE,
        base_url=f"https://127.0.0.1:{counting.port}",
        headers={"x-forwarded-for": address},
    ) as made:
        yield made


def test_an_answer_is_replaced_in_a_tunnel_too(through: httpx2.Client, counting: CountingUpstream) -> None:
    assert through.get("/", headers={"x-say": "video=5"}).status_code == 200
    until(lambda: through.get("/").headers["x-ratelimit-remaining-video-year"] == "0")
    until(lambda: counting.last.headers["x-ratelimit-remaining-video"] == "-2")

    response = through.get("/", headers={"x-say": "video=1", "x-endless": "1"})

    assert (response.status_code, response.content) == (429, b"")
    assert counting.last.left.wait(PATIENCE)
    assert through.get("/").content == PIECE


def test_nothing_is_asked_of_the_upstream_when_a_quota_blocks(
    through: httpx2.Client, counting: CountingUpstream, server: Server, address: str
) -> None:
    assert through.get("/", headers={"x-say": "video=3"}).status_code == 200
    until(lambda: through.get("/").status_code == 429)
    asked = len(counting.calls)

    response = through.get("/", headers={"accept": "text/html"})

    assert response.status_code == 429
    assert "<p>API rate limit exceeded for 'video'.</p>" in response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "x-ratelimit-limit-video-year" not in response.headers
    assert '"calls"' in response.headers["ratelimit"]
    assert len(counting.calls) == asked
    with server.client() as client:
        (year,) = client.scan_iter(f"response-ratelimit:*:{address}:*:video:year")
        assert client.get(year) == b"3"


def test_a_store_that_is_away_is_an_error_until_it_is_back(through: httpx2.Client, server: Server) -> None:
    assert through.get("/").status_code == 200
    server.kill()
    try:
        response = through.get("/")

        assert response.status_code == 500
        assert response.json()["message"] == "An unexpected error occurred"
    finally:
        server.start()
    until(lambda: through.get("/").status_code == 200)
