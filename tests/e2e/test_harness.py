"""The harness itself, against a mitmdump without the product: what passes through is what the upstream sent."""

import os
import socket
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.e2e.behaviour import Behaviour, Tokens
from tests.e2e.clients import Clients, Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.proxy import Proxy, ProxyEndedError
from tests.e2e.upstream import Upstream

ASK: list[Any] = [{"role": "user", "content": "hello"}]
CLAUDE = "claude-sonnet-5"
STREAMING = """
def responseheaders(flow):
    flow.response.stream = True
"""


@pytest.fixture(scope="module")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A script that streams every answer, as a proxy for language models must."""
    script = tmp_path_factory.mktemp("script") / "streaming.py"
    script.write_text(STREAMING)
    return script


@pytest.fixture(scope="module")
def forward(module_proxy_factory: ProxyFactory, streaming: Any) -> Proxy:
    """Decrypts all hosts but one."""
    lazy = ("--set", "connection_strategy=lazy")
    return module_proxy_factory(script=streaming, args=(*lazy, "--set", r"ignore_hosts=example\.com"))


@pytest.fixture(scope="module")
def reverse(module_proxy_factory: ProxyFactory, shared_upstream: Upstream, streaming: Any) -> Proxy:
    return module_proxy_factory(script=streaming, mode=f"reverse:{shared_upstream.http_url}")


@pytest.fixture
def direct(upstream: Upstream) -> Route:
    return Route(base=upstream.https_url, ca_file=upstream.ca_file)


@pytest.fixture(params=["forward", "reverse"])
def through(request: pytest.FixtureRequest) -> Route:
    proxy: Proxy = request.getfixturevalue(request.param)
    if request.param == "reverse":
        return Route(base=proxy.url)
    return Route(proxy=proxy.url, ca_file=proxy.ca_file)


def _openai(clients: Clients, route: Route) -> Any:
    answer = clients.openai(route).chat.completions.create(model="gpt-4o-mini", messages=ASK)
    return answer.choices[0].message.content, answer.usage


def _openai_stream(clients: Clients, route: Route) -> Any:
    stream = clients.openai(route).chat.completions.create(
        model="gpt-4o-mini", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    return [(chunk.choices and chunk.choices[0].delta.content, chunk.usage) for chunk in stream]


def _responses(clients: Clients, route: Route) -> Any:
    answer = clients.openai(route).responses.create(model="gpt-4o-mini", input="hello")
    return answer.output_text, answer.usage


def _responses_stream(clients: Clients, route: Route) -> Any:
    with clients.openai(route).responses.stream(model="gpt-4o-mini", input="hello") as stream:
        answer = stream.get_final_response()
    return answer.output_text, answer.usage


def _embeddings(clients: Clients, route: Route) -> Any:
    answer = clients.openai(route).embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    return [entry.embedding for entry in answer.data], answer.usage


def _azure_stream(clients: Clients, route: Route) -> Any:
    stream = clients.azure(route).chat.completions.create(
        model="my-deployment", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    return [(chunk.choices and chunk.choices[0].delta.content, chunk.usage) for chunk in stream]


def _anthropic(clients: Clients, route: Route) -> Any:
    answer = clients.anthropic(route).messages.create(model=CLAUDE, max_tokens=9, messages=ASK)
    return answer.content, answer.usage


def _anthropic_stream(clients: Clients, route: Route) -> Any:
    with clients.anthropic(route).messages.stream(model=CLAUDE, max_tokens=9, messages=ASK) as stream:
        answer = stream.get_final_message()
    return answer.content, answer.usage


def _gemini(clients: Clients, route: Route) -> Any:
    gemini = clients.gemini(route)
    answer = gemini.models.generate_content(model="gemini-2.5-flash", contents="hello")
    return answer.text, answer.usage_metadata


def _gemini_stream(clients: Clients, route: Route) -> Any:
    gemini = clients.gemini(route)
    stream = gemini.models.generate_content_stream(model="gemini-2.5-flash", contents="hello")
    return [(chunk.text, chunk.usage_metadata) for chunk in stream]


CALLS = (
    _openai,
    _openai_stream,
    _responses,
    _responses_stream,
    _embeddings,
    _azure_stream,
    _anthropic,
    _anthropic_stream,
    _gemini,
    _gemini_stream,
)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__.strip("_"))
def test_a_call_through_the_proxy_equals_the_direct_one(
    upstream: Upstream, clients: Clients, direct: Route, through: Route, call: Callable[[Clients, Route], Any]
) -> None:
    """SDK results, text and usage, are the same, and so is the body that the upstream gets."""
    upstream.behaviour = Behaviour(usage=Tokens(prompt=100, completion=50, cached=20, reasoning=8))
    expected, found = call(clients, direct), call(clients, through)
    assert found == expected
    assert "100" in repr(found) or "80" in repr(found)
    first, second = upstream.exchanges
    assert second.body == first.body


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_coded_stream_is_readable(
    upstream: Upstream, clients: Clients, direct: Route, forward: Proxy, encoding: str
) -> None:
    plain = _anthropic_stream(clients, direct)
    upstream.behaviour = Behaviour(encoding=encoding)
    assert _anthropic_stream(clients, Route(proxy=forward.url, ca_file=forward.ca_file)) == plain


def test_headers_of_one_request_override_the_behaviour(upstream: Upstream, clients: Clients, direct: Route) -> None:
    answer = clients.openai(direct).chat.completions.create(
        model="gpt-4o-mini",
        messages=ASK,
        extra_headers={"x-test-usage": "prompt=7,completion=3", "x-test-model": "gpt-4o-mini-2024-07-18"},
    )
    assert answer.usage
    assert (answer.model, answer.usage.total_tokens) == ("gpt-4o-mini-2024-07-18", 10)


def test_without_include_usage_a_stream_has_none(upstream: Upstream, clients: Clients, direct: Route) -> None:
    stream = clients.openai(direct).chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True)
    chunks = list(stream)
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


def test_a_json_array_comes_in_pieces(upstream: Upstream, clients: Clients, forward: Proxy) -> None:
    http = clients.http(Route(proxy=forward.url, ca_file=forward.ca_file))
    path = "v1beta/models/gemini-2.5-flash:streamGenerateContent"
    answer = http.post(f"https://generativelanguage.googleapis.com/{path}", json={"contents": []})
    assert [chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in answer.json()] == [
        "word1 ",
        "word2 ",
        "word3 ",
    ]
    assert len(upstream.only.sent_at) == 4


def test_chunks_pass_on_arrival_and_a_client_that_leaves_is_recorded(
    upstream: Upstream, clients: Clients, forward: Proxy
) -> None:
    upstream.behaviour = Behaviour(hold_after=2)
    http = clients.http(Route(proxy=forward.url, ca_file=forward.ca_file))
    body = {"model": "gpt-4o-mini", "messages": ASK, "stream": True}
    with http.stream("POST", "https://api.openai.com/v1/chat/completions", json=body) as answer:
        first = next(answer.iter_lines())
        assert first.startswith("data: {")
        upstream.only.wait_sent(2)
        assert upstream.only.outcome == ""
    upstream.only.wait_end("gone")
    assert len(upstream.only.sent_at) == 2


def test_a_held_answer_goes_on_when_released(upstream: Upstream, clients: Clients, direct: Route) -> None:
    upstream.behaviour = Behaviour(hold_after=1)
    http = clients.http(direct)
    with http.stream("POST", f"{direct.base}/v1/messages", json={"model": CLAUDE, "stream": True}) as answer:
        upstream.wait_exchange().release()
        assert "message_stop" in answer.read().decode()
    upstream.only.wait_end("finished")


def test_a_cut_stream_ends_without_its_end(upstream: Upstream, clients: Clients, forward: Proxy) -> None:
    upstream.behaviour = Behaviour(cut_after=2)
    http = clients.http(Route(proxy=forward.url, ca_file=forward.ca_file))
    with pytest.raises(httpx2.RemoteProtocolError):
        http.post("https://api.openai.com/v1/chat/completions", json={"model": "m", "stream": True})
    assert upstream.only.outcome == "cut"


def test_a_hanging_answer_is_left_by_the_client(upstream: Upstream, clients: Clients, direct: Route) -> None:
    upstream.behaviour = Behaviour(hang=True)
    with pytest.raises(httpx2.ReadTimeout):
        clients.http(direct).post(f"{direct.base}/v1/messages", json={}, timeout=0.2)
    upstream.only.wait_end("gone")


@pytest.mark.parametrize("path", ["v1/messages", "v1/chat/completions", "v1/models/gemini-2.5-flash:generateContent"])
def test_errors_have_the_provider_s_form(upstream: Upstream, clients: Clients, direct: Route, path: str) -> None:
    upstream.behaviour = Behaviour(status=429)
    answer = clients.http(direct).post(f"{direct.base}/{path}", json={})
    assert answer.status_code == 429
    assert answer.json()["error"]["message"]


def test_the_upstream_is_a_parent_proxy_too(upstream: Upstream, clients: Clients, proxy_factory: ProxyFactory) -> None:
    """A proxy whose parent is the upstream asks it for a tunnel, and survives a restart on the same port."""
    child = proxy_factory(script=None, mode=f"upstream:{upstream.http_url}")
    before = child.port, child.pid
    child.kill()
    child.start()
    assert (child.port, child.pid != before[1]) == (before[0], True)
    assert _openai(clients, Route(proxy=child.url, ca_file=child.ca_file))[0] == "word1 word2 word3 "
    assert upstream.connects == ["api.openai.com:443"]
    assert upstream.only.secure
    assert child.stop() == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", child.port), timeout=1)


def test_a_proxy_that_ends_at_start_says_why(proxy_factory: ProxyFactory) -> None:
    with pytest.raises(ProxyEndedError, match="no-such-mode") as ended:
        proxy_factory(script=None, mode="no-such-mode")
    assert ended.value.code == 1


def test_a_host_that_is_passed_through_shows_its_own_certificate(
    upstream: Upstream, clients: Clients, forward: Proxy
) -> None:
    with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        clients.http(Route(proxy=forward.url, ca_file=forward.ca_file)).get("https://example.com/page")
    for trusted in (upstream.ca_file, forward.trust_file):
        answer = clients.http(Route(proxy=forward.url, ca_file=trusted)).get("https://example.com/page")
        assert answer.text == "GET example.com/page\n"
    assert [exchange.secure for exchange in upstream.exchanges] == [True, True]


def test_no_request_leaves_the_machine(upstream: Upstream, clients: Clients, forward: Proxy) -> None:
    answer = clients.http(Route(proxy=forward.url)).get("http://example.com:8080/")
    assert answer.status_code == 502
    assert "out of reach of the tests" in answer.text
    assert upstream.exchanges == []


def test_a_client_process_gets_this_proxy_and_no_other(forward: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "api.openai.com")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    found = forward.client_env()
    assert "NO_PROXY" not in found
    assert found["https_proxy"] == found["HTTPS_PROXY"] == forward.url
    assert found["SSL_CERT_FILE"] == str(forward.trust_file)
    assert found["PATH"] == os.environ["PATH"]
