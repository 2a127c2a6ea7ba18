"""The tap: never in the way, right about cut streams, and bounded."""

# ruff: noqa: E501  (events, one a line)

import gzip
import json
import tracemalloc
import zlib
from typing import Any

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.meters import Usage
from limiter.usage import following, framing, reading, tap
from limiter.usage.forecast import text_tokens
from limiter.usage.requests import Ask
from limiter.usage.tap import Tap
from tests.usage.exchanges import EVENTS, JSON, ask_for, cuts, observe, pieces, sse
from tests.usage.test_eventstream import frame
from tests.usage.test_readers import CASES, CLAUDE_STREAM

CHAT = "api.openai.com/v1/chat/completions"
STREAM = {"model": "gpt-4o", "stream": True}
WORDS = "It was the best of times, it was the worst of times. " * 5


def _delta(text: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "c1",
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "delta": {"content": text}, **more}],
        "usage": None,
    }


USAGE = {"id": "c1", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}}
WHOLE = sse(_delta("Hello"), _delta(" there"), _delta("", finish_reason="stop"), USAGE, done=True)


def _asking() -> Ask:
    return ask_for(CHAT, STREAM)


# ── what was cut ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cut_chat_is_counted_by_its_text() -> None:
    ask = _asking()
    seen = observe(ask, sse(*map(_delta, WORDS.split(" "))), EVENTS)
    assert seen.usage is None
    assert not seen.complete
    assert seen.visible_tokens == text_tokens(ask, WORDS.replace(" ", "")) > 0


def test_usage_before_a_cut_is_final() -> None:
    """Only the end marker is missing."""
    seen = observe(_asking(), WHOLE.removesuffix(b"data: [DONE]\n\n"), EVENTS)
    assert seen.complete
    assert seen.usage == Usage(prompt_tokens=9, completion_tokens=7, total_tokens=16)
    assert seen.visible_tokens == 0


@pytest.mark.parametrize(
    ("url", "events", "text"),
    [
        (CHAT, [_delta("a b")], "a b"),
        (CHAT, [{"choices": [{"delta": {"reasoning_content": "mm"}}]}, {"choices": [{"delta": {"reasoning": "hm"}}]}], "mmhm"),
        (CHAT, [{"choices": [{"delta": {"refusal": "no"}}, {"delta": {"content": "yes"}}]}], "noyes"),
        (CHAT, [{"choices": [{"delta": {"tool_calls": [{"function": {"name": "f", "arguments": '{"a'}}]}}]}], 'f{"a'),
        ("api.openai.com/v1/completions", [{"choices": [{"text": "a b"}]}], "a b"),
        ("api.openai.com/v1/responses", [
            {"type": "response.output_text.delta", "delta": "a b"},
            {"type": "response.function_call_arguments.delta", "delta": '{"x":1}'},
            {"type": "response.reasoning_summary_text.delta", "delta": "hm"},
            {"type": "response.output_text.done", "text": "a b"},
            {"type": "response.output_audio.delta", "delta": "QUJD"},
        ], 'a b{"x":1}hm'),
        ("api.openai.com/v1/threads/t/runs", [{"object": "thread.message.delta", "delta": {"content": [{"text": {"value": "a b"}}]}}], "a b"),
        ("generativelanguage.googleapis.com/v1beta/models/g:streamGenerateContent", [
            {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}, {"text": "a b"}]}}]},
            {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {"x": 1}}}]}}]},
        ], 'hma bf{"x":1}'),
        ("api.cohere.com/v2/chat", [{"type": "content-delta", "delta": {"message": {"content": {"text": "a b"}}}}], "a b"),
        ("api.writer.com/v1/completions", [{"value": "a b"}], "a b"),
    ],
)  # fmt: skip
def test_text_of_every_kind_is_output(url: str, events: list[dict[str, Any]], text: str) -> None:
    ask = ask_for(url, STREAM)
    seen = observe(ask, sse(*events), EVENTS)
    assert seen.usage is None
    assert seen.visible_tokens == text_tokens(ask, text)


def test_a_cut_claude_stream_has_its_prompt_and_an_estimate() -> None:
    """`message_start` tells the prompt; its output count is a placeholder."""
    ask = ask_for("api.anthropic.com/v1/messages", {"model": "claude-x", "stream": True})
    more = [("content_block_delta", {"type": "content_block_delta", "delta": {"type": kind, key: WORDS}}) for kind, key in (("text_delta", "text"), ("thinking_delta", "thinking"), ("input_json_delta", "partial_json"))]  # fmt: skip
    seen = observe(ask, sse(CLAUDE_STREAM[0], *more), EVENTS)
    expected = text_tokens(ask, WORDS * 3)
    assert not seen.complete
    assert seen.visible_tokens == expected
    assert seen.usage == Usage(
        prompt_tokens=2312, completion_tokens=expected, total_tokens=2312 + expected, cached_tokens=2000,
        cache_creation_tokens=300, apart_tokens=2300, estimated=True,
    )  # fmt: skip


def test_a_claude_stream_that_was_cut_at_once_keeps_the_placeholder() -> None:
    ask = ask_for("api.anthropic.com/v1/messages", {"model": "claude-x", "stream": True})
    usage = observe(ask, sse(CLAUDE_STREAM[0]), EVENTS).usage
    assert usage is not None
    assert (usage.completion_tokens, usage.estimated) == (3, True)


def test_a_claude_stream_that_was_cut_behind_its_usage_is_exact() -> None:
    ask = ask_for("api.anthropic.com/v1/messages", {"model": "claude-x", "stream": True})
    seen = observe(ask, sse(*CLAUDE_STREAM[:-1]), EVENTS)
    assert seen.usage is not None
    assert (seen.complete, seen.usage.completion_tokens, seen.usage.estimated) == (True, 50, False)


def test_a_cut_gemini_stream_takes_the_larger_count() -> None:
    ask = ask_for("generativelanguage.googleapis.com/v1beta/models/g:streamGenerateContent?alt=sse")
    event = {
        "candidates": [{"content": {"parts": [{"text": WORDS}]}}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
    }
    usage = observe(ask, sse(event), EVENTS).usage
    assert usage is not None
    assert (usage.completion_tokens, usage.total_tokens) == (text_tokens(ask, WORDS), 5 + text_tokens(ask, WORDS))
    event["usageMetadata"] = {"promptTokenCount": 5, "thoughtsTokenCount": 900, "totalTokenCount": 905}
    usage = observe(ask, sse(event), EVENTS).usage
    assert usage is not None
    assert (usage.completion_tokens, usage.reasoning_tokens, usage.estimated) == (900, 900, True)


def test_a_cut_array_of_gemini() -> None:
    ask = ask_for("generativelanguage.googleapis.com/v1beta/models/g:streamGenerateContent")
    seen = observe(ask, b'[{"candidates":[{"content":{"parts":[{"text":"a b"}]}}]},{"cand')
    assert (seen.complete, seen.visible_tokens, seen.streamed) == (False, text_tokens(ask, "a b"), True)


def test_a_cut_binary_stream() -> None:
    ask = ask_for("bedrock-runtime.us-east-1.amazonaws.com/model/m/converse-stream")
    body = frame(b'{"delta":{"text":"a b"}}') + frame(b'{"stopReason":"end_turn"}')
    seen = observe(ask, body, "application/vnd.amazon.eventstream")
    assert (seen.complete, seen.visible_tokens) == (False, text_tokens(ask, "a b"))


def test_a_cut_document_is_not_complete() -> None:
    ask = ask_for(CHAT, {"model": "gpt-4o"})
    seen = observe(ask, b'{"choices": [], "usage": {"prompt_to')
    assert (seen.usage, seen.complete) == (None, False)


def test_an_answer_without_usage_is_counted_by_its_text() -> None:
    """Some gateways leave it out."""
    ask = ask_for(CHAT, {"model": "gpt-4o"})
    seen = observe(ask, b'{"choices": [{"message": {"content": "a b c"}, "finish_reason": "stop"}]}')
    assert (seen.usage, seen.complete, seen.visible_tokens) == (None, True, text_tokens(ask, "a b c"))


@pytest.mark.parametrize(
    ("url", "body", "content_type"),
    [
        ("localhost:8080/generate", {"generated_text": WORDS}, JSON),
        ("x.endpoints.huggingface.cloud/", [{"generated_text": WORDS}], JSON),
        ("llama.example/raw", {"data": [{"generated_text": WORDS}]}, JSON),
        ("llama.example/raw", [{"generated_text": WORDS}], JSON),
        ("llama.example/completion", {"content": WORDS}, JSON),
    ],
)
def test_generated_text_without_counts_is_counted(url: str, body: Any, content_type: str) -> None:
    ask = ask_for(url, {"inputs": "Who are you?"})
    seen = observe(ask, json.dumps(body).encode(), content_type)
    assert seen.usage is None
    assert seen.complete
    assert seen.visible_tokens == text_tokens(ask, WORDS)


@pytest.mark.parametrize("url", ["localhost:8080/generate_stream", "llama.example/raw"])
def test_generated_text_that_repeats_a_stream_is_not_counted_again(url: str) -> None:
    """Without `details` asked for, the last event has the whole text and no count."""
    ask = ask_for(url, {"inputs": "Who are you?", "stream": True})
    words = [f"{word} " for word in WORDS.split(" ")]
    events = [{"index": at, "token": {"text": word}, "generated_text": None} for at, word in enumerate(words)]
    seen = observe(ask, sse(*events[:-1], {**events[-1], "generated_text": "".join(words)}), EVENTS)
    assert seen.usage is None
    assert seen.visible_tokens == text_tokens(ask, "".join(words))


def test_what_is_no_model_is_not_looked_into() -> None:
    """Of a host that is mapped to `other`, neither the request's body nor the answer's is read."""
    ask = ask_for("files.example/v1/chat/completions", {**STREAM, "max_tokens": 5}, "PUT")
    assert (ask.model, ask.streaming, ask.max_output, ask.problem) == ("", False, None, "")
    seen = observe(ask, WHOLE, EVENTS)
    assert (seen.usage, seen.visible_tokens, seen.complete) == (None, 0, True)
    assert observe(ask, b"\x00" * 100, JSON, content_encoding="gzip") == seen


def test_a_long_stream_is_counted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little text is held, and the parts sum up to about the whole."""
    counted: list[int] = []
    count = following.tokens.of_output
    monkeypatch.setattr(following.tokens, "of_output", lambda *args: counted.append(len(args[2])) or count(*args))
    ask = _asking()
    events = sse(*(_delta(WORDS) for _ in range(1000)))
    seen = observe(ask, pieces(events, 4096), EVENTS)
    assert len(counted) > 3
    assert max(counted) <= 2 * reading.MOST_TEXT
    assert seen.visible_tokens == pytest.approx(text_tokens(ask, WORDS * 1000), rel=0.01)


def test_the_header_names_the_model_where_the_body_does_not() -> None:
    ask = ask_for("r.openai.azure.com/openai/deployments/prod/chat/completions", {})
    served = {"x_ms_served_model": "gpt-5-nano-2025-08-07"}
    assert observe(ask, b'{"model":"gpt-5-nano"}', **served).model == "gpt-5-nano"
    assert observe(ask, b"{}", **served).model == "gpt-5-nano-2025-08-07"


def test_background_work_is_pending() -> None:
    """Its usage comes with a later poll of the same id."""
    body = b'{"id":"resp_1","object":"response","status":"queued","output":[],"usage":null,"tool_usage":{"web_search":{"num_requests":0}}}'
    seen = observe(ask_for("api.openai.com/v1/responses", {"model": "gpt-5", "background": True}), body)
    assert (seen.usage, seen.complete, seen.pending, seen.response_id) == (None, True, True, "resp_1")


# ── what is no answer ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
def test_errors_report_nothing(status: int) -> None:
    """Even where they hold a usage, or would be hidden from."""
    tap = Tap(_asking(), status, {"content-type": EVENTS}, hide_usage=True)
    assert not tap.rewrites
    assert tap.feed(WHOLE) is WHOLE
    seen = tap.finish()
    assert (seen.usage, seen.complete, seen.visible_tokens, seen.streamed) == (None, True, 0, False)


@pytest.mark.parametrize("body", [b"", b"  ", b"<html></html>", b"\x89PNG", b"null", b"[]", b"{}"])
def test_bodies_that_say_nothing(body: bytes) -> None:
    seen = observe(ask_for(CHAT, {"model": "gpt-4o"}), body)
    assert (seen.usage, seen.model, seen.visible_tokens) == (None, "", 0)


# ── encodings ────────────────────────────────────────────────────────────────────────────────────────────────────────

ENCODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("encoding", ENCODERS)
def test_usage_is_read_through_any_encoding(encoding: str) -> None:
    """At any cut, and what is forwarded is what came."""
    for parts in cuts(ENCODERS[encoding](WHOLE)):
        seen = observe(_asking(), parts, EVENTS, content_encoding=encoding)
        assert seen.usage == Usage(prompt_tokens=9, completion_tokens=7, total_tokens=16)


@pytest.mark.parametrize("encoding", ENCODERS)
def test_an_encoded_stream_is_rewritten_decoded(encoding: str) -> None:
    for parts in cuts(ENCODERS[encoding](WHOLE)):
        tap = Tap(_asking(), 200, {"content-type": EVENTS, "content-encoding": encoding}, hide_usage=True)
        assert tap.rewrites
        out = [piece for part in parts for piece in tap.feed(part)] + tap.flush()
        assert all(out)
        assert b"".join(out) == WHOLE.replace(sse(USAGE), b"")  # type: ignore[arg-type]
        assert tap.finish().usage == Usage(prompt_tokens=9, completion_tokens=7, total_tokens=16)


@pytest.mark.parametrize("encoding", ["compress", "gzip, what"])
def test_an_unknown_encoding_is_forwarded_unread(encoding: str) -> None:
    tap = Tap(_asking(), 200, {"content-type": EVENTS, "content-encoding": encoding}, hide_usage=True)
    assert not tap.rewrites
    assert tap.feed(WHOLE) is WHOLE
    seen = tap.finish()
    assert (seen.usage, seen.truncated, seen.complete) == (None, True, False)


def test_a_corrupt_encoding_is_forwarded_unread() -> None:
    body = bytearray(gzip.compress(WHOLE * 50))
    body[40] ^= 0xFF
    seen = observe(_asking(), bytes(body), EVENTS, content_encoding="gzip")
    assert (seen.truncated, seen.complete) == (True, False)


def test_a_bomb_does_not_fill_the_memory() -> None:
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1024 * 1024)
    bomb = b"".join([packer.compress(b'{"a":"'), *(packer.compress(zeros) for _ in range(150)), packer.flush()])
    tracemalloc.start()
    try:
        seen = observe(ask_for(CHAT, {"model": "gpt-4o"}), pieces(bomb, 65_536), content_encoding="gzip")
        assert tracemalloc.get_traced_memory()[1] < 2.5 * framing.MOST_HELD
    finally:
        tracemalloc.stop()
    assert (seen.usage, seen.truncated, seen.complete) == (None, True, False)


def test_a_stream_is_held_in_little_memory() -> None:
    event = sse(_delta("lorem ipsum " * 20))
    tap = Tap(_asking(), 200, {"content-type": EVENTS})
    for _ in range(1000):
        tap.feed(event)
    tracemalloc.start()
    try:
        for _ in range(3000):
            tap.feed(event)
        assert tracemalloc.get_traced_memory()[1] < 2 * 1024 * 1024
    finally:
        tracemalloc.stop()


# ── hiding ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_streams_of_events_are_rewritten() -> None:
    tap = Tap(_asking(), 200, {"content-type": JSON}, hide_usage=True)
    assert not tap.rewrites
    body = json.dumps(USAGE).encode()
    assert tap.feed(body) is body


def test_rewriting_never_gives_an_empty_piece() -> None:
    """An empty piece would end a chunked body."""
    tap = Tap(_asking(), 200, {"content-type": EVENTS}, hide_usage=True)
    assert tap.feed(b"") == []
    assert tap.feed(b"data") == []
    assert tap.feed(b": {}\n\n") == [b"data: {}\n\n"]
    assert tap.feed(sse(USAGE)) == []
    assert tap.flush() == []


def test_held_bytes_come_out_at_the_end() -> None:
    tap = Tap(_asking(), 200, {"content-type": EVENTS}, hide_usage=True)
    assert tap.feed(b"data: [DO") == []
    assert tap.flush() == [b"data: [DO"]
    assert tap.flush() == []


def test_a_bad_encoding_in_a_rewritten_stream_ends_it() -> None:
    """Undecodable bytes must not reach a client that was promised decoded ones."""
    tap = Tap(_asking(), 200, {"content-type": EVENTS, "content-encoding": "zstd"}, hide_usage=True)
    assert tap.feed(b"not zstandard at all") == []
    assert tap.feed(b"more") == []
    assert tap.finish().truncated


# ── robustness ───────────────────────────────────────────────────────────────────────────────────────────────────────

urls = st.sampled_from(sorted({case.url for case in CASES.values()}))
types = st.sampled_from([EVENTS, JSON, "application/x-ndjson", "application/vnd.amazon.eventstream", "", "text/plain"])
encodings = st.sampled_from(["", "gzip", "br", "zstd", "deflate", "gzip, br", "x"])


@given(urls, types, encodings, st.booleans(), st.binary(max_size=400), st.integers(1, 80))
@settings(max_examples=250, deadline=None)
def test_arbitrary_bytes_pass_unchanged(
    url: str, content_type: str, encoding: str, hide: bool, body: bytes, size: int
) -> None:
    tap = Tap(ask_for(url, STREAM), 200, {"content-type": content_type, "content-encoding": encoding}, hide_usage=hide)
    for piece in pieces(body, size):
        forwarded = tap.feed(piece)
        assert (isinstance(forwarded, list) and all(forwarded)) if tap.rewrites else forwarded is piece
    tap.flush()
    tap.finish()


@given(st.sampled_from(sorted(CASES)), st.data())
@settings(max_examples=250, deadline=None)
def test_damaged_bodies_pass_unchanged(name: str, data: st.DataObject) -> None:
    """Real bodies with bytes changed, cut anywhere: no exception, sound counts."""
    case = CASES[name]
    body = bytearray(case.body[:20_000])
    for _ in range(data.draw(st.integers(0, 5))):
        if body:
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(0, len(body)))]
    seen = observe(ask_for(case.url, case.request, case.method), pieces(bytes(body), 997), case.content_type)
    if seen.usage is not None:
        assert 0 <= seen.usage.cached_tokens <= seen.usage.prompt_tokens
        assert seen.usage.completion_tokens >= 0


def test_a_bug_of_ours_stays_inside(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Even one that raises what is no `Exception`; said once."""

    class Panic(BaseException):
        pass

    def fail(*_: object) -> None:
        raise Panic

    monkeypatch.setattr(tap.Following, "feed", fail)
    seen = observe(_asking(), pieces(WHOLE, 50), EVENTS)
    assert (seen.usage, seen.complete, seen.truncated) == (None, False, True)
    assert len(caplog.records) == 1
    rewriting = Tap(_asking(), 200, {"content-type": EVENTS}, hide_usage=True)
    assert b"".join([*rewriting.feed(WHOLE), *rewriting.flush()]) == WHOLE.replace(sse(USAGE), b"")
    monkeypatch.setattr(tap.Following, "observe", fail)
    assert not Tap(_asking(), 200, {}).finish().complete
    monkeypatch.setattr(tap, "Following", fail)
    assert not Tap(_asking(), 200, {}).finish().complete


def test_a_wish_to_stop_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tap.Following, "feed", stop)
    with pytest.raises(KeyboardInterrupt):
        Tap(_asking(), 200, {"content-type": EVENTS}).feed(b"x")
