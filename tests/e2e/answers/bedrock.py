"""Bedrock: `converse` in one format for all models, `invoke` in each family's. Its input leaves cached tokens out."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

from tests.e2e.answers import anthropic, eventstream
from tests.e2e.answers.parts import Answer, Asked, document

_PADDING = "abcdefghijklmnopqrstuvwxyz"
_LATENCY = 321


def converse(asked: Asked) -> Answer:
    body = {
        "metrics": {"latencyMs": _LATENCY},
        "output": {"message": {"content": [{"text": asked.text}], "role": "assistant"}},
        "stopReason": "end_turn",
        "usage": _usage(asked),
    }
    return document(body, headers=_headers(asked))


def converse_stream(asked: Asked) -> Answer:
    def pieces() -> Iterator[bytes]:
        yield event("messageStart", role="assistant")
        for word in asked.words:
            yield event("contentBlockDelta", contentBlockIndex=0, delta={"text": word})
        yield event("contentBlockStop", contentBlockIndex=0)
        yield event("messageStop", stopReason="end_turn")
        yield event("metadata", metrics={"latencyMs": _LATENCY}, usage=_usage(asked))

    def event(name: str, **payload: Any) -> bytes:
        # Padding of various lengths hides the lengths of tokens.
        return eventstream.frame(name, {**payload, "p": _PADDING[: 5 + len(name)]})

    return eventstream.frames(pieces(), _headers(asked))


def invoke(asked: Asked) -> Answer:
    body = _family(asked)[0](asked)
    return document(body, headers=(*_headers(asked), *_token_headers(asked)))


def invoke_stream(asked: Asked) -> Answer:
    *chunks, last = _family(asked)[1](asked)
    if asked.behaviour.usage:
        last = {**last, "amazon-bedrock-invocationMetrics": _metrics(asked)}
    encoded = (b64encode(json.dumps(chunk, separators=(",", ":")).encode()).decode() for chunk in (*chunks, last))
    pieces = (eventstream.frame("chunk", {"bytes": text, "p": _PADDING}) for text in encoded)
    return eventstream.frames(pieces, (*_headers(asked), ("x-amzn-bedrock-content-type", "application/json")))


def _claude(asked: Asked) -> dict[str, Any]:
    return {**anthropic.body(asked), "model": _claude_name(asked)}


def _claude_chunks(asked: Asked) -> Iterator[dict[str, Any]]:
    start, *others = anthropic.stream(asked)
    yield {**start, "message": {**start["message"], "model": _claude_name(asked)}}
    yield from others


def _claude_name(asked: Asked) -> str:
    """As Anthropic calls the model: without Bedrock's prefixes and version."""
    return _model(asked).rpartition("anthropic.")[2].rpartition("-v")[0]


def _nova(asked: Asked) -> dict[str, Any]:
    body: dict[str, Any] = {
        "output": {"message": {"content": [{"text": asked.text}], "role": "assistant"}},
        "stopReason": "end_turn",
    }
    if asked.behaviour.usage:
        total = asked.tokens.prompt + asked.tokens.completion
        body["usage"] = {**_nova_usage(asked), "totalTokens": total}
    return body


def _nova_chunks(asked: Asked) -> Iterator[dict[str, Any]]:
    yield {"messageStart": {"role": "assistant"}}
    for n, word in enumerate(asked.words):
        yield {"contentBlockDelta": {"delta": {"text": word}, "contentBlockIndex": n}}
        yield {"contentBlockStop": {"contentBlockIndex": n}}
    yield {"messageStop": {"stopReason": "end_turn"}}
    usage = {"usage": _nova_usage(asked)} if asked.behaviour.usage else {}
    yield {"metadata": {**usage, "metrics": {}, "trace": {}}}


def _llama(asked: Asked) -> dict[str, Any]:
    return {"generation": asked.text, **_llama_counts(asked, asked.tokens.completion), "stop_reason": "stop"}


def _llama_chunks(asked: Asked) -> Iterator[dict[str, Any]]:
    for n, word in enumerate(asked.words, 1):
        yield {"generation": word, **_llama_counts(asked, n, first=n == 1), "stop_reason": None}
    counts = _llama_counts(asked, asked.tokens.completion, first=False)
    yield {"generation": "", **counts, "stop_reason": "stop"}


_Family = tuple[Callable[[Asked], dict[str, Any]], Callable[[Asked], Iterator[dict[str, Any]]]]
_FAMILIES: dict[str, _Family] = {
    "anthropic.": (_claude, _claude_chunks),
    "amazon.nova": (_nova, _nova_chunks),
    "meta.llama": (_llama, _llama_chunks),
}


def _family(asked: Asked) -> _Family:
    return next(family for name, family in _FAMILIES.items() if name in _model(asked))


def _model(asked: Asked) -> str:
    """In the path; may be prefixed with a region (`us.`), and is encoded (`%3A`)."""
    return unquote(asked.path.split("/")[-2])


def _usage(asked: Asked) -> dict[str, Any]:
    if asked.behaviour.usage is None:
        return {}
    tokens = asked.tokens
    return {
        "inputTokens": _uncached(asked),
        "outputTokens": tokens.completion,
        "totalTokens": tokens.prompt + tokens.completion,
        "cacheReadInputTokens": tokens.cached,
        "cacheReadInputTokenCount": tokens.cached,
        "cacheWriteInputTokens": tokens.cache_creation,
        "cacheWriteInputTokenCount": tokens.cache_creation,
        "serverToolUsage": {},
    }


def _nova_usage(asked: Asked) -> dict[str, Any]:
    return {
        "inputTokens": _uncached(asked),
        "outputTokens": asked.tokens.completion,
        "cacheReadInputTokenCount": asked.tokens.cached,
        "cacheWriteInputTokenCount": asked.tokens.cache_creation,
    }


def _llama_counts(asked: Asked, output: int, *, first: bool = True) -> dict[str, Any]:
    """Llama knows no cache: all of the prompt is counted, in the first chunk."""
    if asked.behaviour.usage is None:
        return {"prompt_token_count": None, "generation_token_count": None}
    return {"prompt_token_count": asked.tokens.prompt if first else None, "generation_token_count": output}


def _metrics(asked: Asked) -> dict[str, Any]:
    caching = {
        "cacheReadInputTokenCount": asked.tokens.cached,
        "cacheWriteInputTokenCount": asked.tokens.cache_creation,
    }
    llama = "meta.llama" in asked.path
    return {
        "inputTokenCount": asked.tokens.prompt if llama else _uncached(asked),
        "outputTokenCount": asked.tokens.completion,
        "invocationLatency": _LATENCY,
        "firstByteLatency": 123,
        **({} if llama else caching),
    }


def _token_headers(asked: Asked) -> tuple[tuple[str, str], ...]:
    if asked.behaviour.usage is None:
        return ()
    names = {
        "inputTokenCount": "input-token-count",
        "outputTokenCount": "output-token-count",
        "cacheReadInputTokenCount": "cache-read-input-token-count",
        "cacheWriteInputTokenCount": "cache-write-input-token-count",
        "invocationLatency": "invocation-latency",
    }
    metrics = _metrics(asked)
    return tuple((f"x-amzn-bedrock-{end}", str(metrics[key])) for key, end in names.items() if key in metrics)


def _uncached(asked: Asked) -> int:
    return asked.tokens.prompt - asked.tokens.cached - asked.tokens.cache_creation


def _headers(asked: Asked) -> tuple[tuple[str, str], ...]:
    return (("x-amzn-requestid", f"00000000-0000-4000-8000-{asked.number:012}"),)
