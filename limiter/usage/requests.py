"""What a request says about itself: the model, whether it streams, and how much output it allows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from limiter.usage.decoding import CannotDecodeError, decode_whole
from limiter.usage.jsonpeek import Path, count, dig, load, opened, text
from limiter.usage.providers import BY_NAME
from limiter.usage.routes import Endpoint
from limiter.usage.splice import NotFoundError, ask_for_usage

MOST_BODY = 64 * 1024 * 1024
"""Bytes of a request body, decoded, that are read."""
MOST_CHOICES = 1024


@dataclass(frozen=True, slots=True)
class Ask:
    """What the request says about its own size."""

    endpoint: Endpoint
    model: str
    """Empty: not named."""
    streaming: bool
    max_output: int | None
    """Tokens of one choice, as the request bounds them; None: not bounded."""
    choices: int = 1
    includes_usage: bool = False
    """The client itself set `stream_options.include_usage`."""
    service_tier: str = ""
    problem: str = ""
    """Why the body could not be read; empty: it could."""


# Where requests bound their output, in any of the formats. When several are there the largest counts: what one server
# ignores must not make a request look small.
_OPENAI_BOUNDS: tuple[Path, ...] = (("max_completion_tokens",), ("max_tokens",), ("max_output_tokens",))
_GEMINI_BOUNDS: tuple[Path, ...] = (
    ("generationConfig", "maxOutputTokens"),
    ("generation_config", "max_output_tokens"),
    ("generationConfig", "max_output_tokens"),
)
_BEDROCK_BOUNDS: tuple[Path, ...] = (
    ("inferenceConfig", "maxTokens"), ("inferenceConfig", "max_new_tokens"),  # converse; Nova
    ("max_tokens",), ("max_tokens_to_sample",), ("max_completion_tokens",),  # Claude, Mistral; Claude 2; OpenAI's
    ("textGenerationConfig", "maxTokenCount"), ("max_gen_len",), ("maxTokens",),  # Titan; Llama; Jurassic
)  # fmt: skip
_BOUNDS: Mapping[str, tuple[Path, ...]] = {
    "anthropic": (("max_tokens",), ("max_tokens_to_sample",)),
    "gemini": _GEMINI_BOUNDS,
    "gemini-interactions": (("generation_config", "max_output_tokens"),),
    "bedrock-converse": _BEDROCK_BOUNDS,
    "bedrock-invoke": _BEDROCK_BOUNDS,
    "cohere": (("max_tokens",),),
    "ollama": (("options", "num_predict"),),
    "huggingface": (("parameters", "max_new_tokens"), ("max_tokens",), ("max_new_tokens",)),
    "dashscope": (("parameters", "max_tokens"),),
    "sniff": (
        *_OPENAI_BOUNDS,
        *_GEMINI_BOUNDS,
        ("max_tokens_to_sample",),
        ("options", "num_predict"),
        ("parameters", "max_new_tokens"),
    ),
}

_CHOICES: Mapping[str, tuple[Path, ...]] = {
    "gemini": (("generationConfig", "candidateCount"), ("generation_config", "candidate_count")),
    "cohere": (("num_generations",),),
    "huggingface": (("parameters", "best_of"), ("parameters", "num_return_sequences"), ("n",)),
}
_OPENAI_CHOICES: tuple[Path, ...] = (("n",), ("best_of",))

_TIERS: tuple[Path, ...] = (("service_tier",), ("serviceTier",), ("serviceTier", "type"))

STREAMING_NAMES = frozenset(
    {
        "streamGenerateContent",
        "streamRawPredict",
        "converse-stream",
        "invoke-with-response-stream",
        "generate_stream",
        "realtime",
    }
)
"""Endpoints that always stream."""
STREAMING_BY_DEFAULT = frozenset({"native-chat", "native-generate"})
"""Ollama: `stream` is true unless set."""


def read_request(endpoint: Endpoint, path: str, headers: Mapping[str, str], body: bytes) -> Ask:
    """Reads what it can; never raises.

    Args:
        path: with the query.
        headers: lower-case names.
        body: as sent, still under its content-encoding.
    """
    problem = ""
    fields: dict[str, Any] = {}
    try:
        plain = decode_whole(body, headers.get("content-encoding", ""), MOST_BODY)
        content_type = headers.get("content-type", "")
        if content_type.startswith("multipart/form-data"):
            fields = _form(plain)
        elif plain and len(plain) <= MOST_BODY:
            found = load(plain.lstrip(b"\xef\xbb\xbf \t\r\n"))
            if isinstance(found, dict):
                fields = found
            else:
                problem = "the body is not a JSON object"
        elif plain:
            problem = f"the body is longer than {MOST_BODY} bytes"
    except CannotDecodeError as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001  (whatever a client sends; how it is judged is the caller's affair)
        problem = f"{type(error).__name__}: {error}"
    return Ask(
        endpoint=endpoint,
        model=_model(endpoint, path, fields),
        streaming=_streams(endpoint, fields),
        max_output=_largest(fields, _BOUNDS.get(endpoint.reader, _OPENAI_BOUNDS)),
        choices=min(_largest(fields, _CHOICES.get(endpoint.reader, _OPENAI_CHOICES)) or 1, MOST_CHOICES),
        includes_usage=dig(fields, ("stream_options", "include_usage")) is True,
        service_tier=next((tier for place in _TIERS if (tier := text(dig(fields, place)))), ""),
        problem=problem,
    )


def with_usage_asked(ask: Ask, body: bytes) -> bytes | None:
    """The body with `stream_options.include_usage` set, all else byte for byte as it was.

    None where nothing is to be asked: no stream, asked already, an endpoint that may refuse it, a body under an
    encoding or one that could not be read. A client that set it to false is asked over its head, and does not see the
    answer (see `Tap`).
    """
    if not ask.endpoint.asks_usage or not ask.streaming or ask.includes_usage or ask.problem:
        return None
    if len(body) > MOST_BODY:
        return None
    try:
        return ask_for_usage(body)
    except (NotFoundError, RecursionError):
        return None


def _largest(fields: dict[str, Any], places: tuple[Path, ...]) -> int | None:
    found = [number for place in places if (number := count(dig(fields, place)))]
    return max(found) if found else None


def _streams(endpoint: Endpoint, fields: dict[str, Any]) -> bool:
    if endpoint.name in STREAMING_NAMES:
        return True
    wanted = opened(fields.get("stream"))
    if wanted is None:
        return endpoint.name in STREAMING_BY_DEFAULT
    return wanted is True or wanted == "true"


def _model(endpoint: Endpoint, path: str, fields: dict[str, Any]) -> str:
    bare, _, query = path.partition("?")
    pattern = BY_NAME[endpoint.provider].model_path if endpoint.provider in BY_NAME else ""
    if pattern and (found := re.search(pattern, bare)) is not None:
        return unquote(found[1], errors="replace")[:256]
    named = text(fields.get("model"))
    if named:
        return named.removeprefix("models/") if endpoint.api == "gemini" else named
    asked = parse_qs(query[:4096]).get("model", [""])
    return asked[0][:256]


_FORM_FIELD = re.compile(rb'name="(model|stream|n)"\r?\n(?:[^\r\n]+\r?\n)*\r?\n([^\r\n]{1,256})\r?\n')


def _form(body: bytes) -> dict[str, Any]:
    """The short fields of a multipart form that matter here (audio, image edits)."""
    form = {name.decode(): value.decode("utf-8", "replace") for name, value in _FORM_FIELD.findall(body)}
    number = form.get("n", "")
    return {**form, "n": int(number) if number.isascii() and number.isdecimal() and len(number) < 6 else 1}
