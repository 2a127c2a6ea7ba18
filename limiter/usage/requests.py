"""What a request says about itself: the model, whether it streams, and how much output it allows.

Servers read bodies that this module does not, and what is not read here escapes the limits of its model. So of the
endpoints that take JSON (`Endpoint.json`) what cannot be read is a `problem`, and whoever asks is told so.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from limiter.usage.addresses import canonical_path
from limiter.usage.decoding import CannotDecodeError, decode_whole
from limiter.usage.endpoints import Endpoint
from limiter.usage.forms import fields_of_form, is_form
from limiter.usage.jsonpeek import NotJsonError, Path, Wanted, as_utf8, count, dig, text
from limiter.usage.provider_table import BY_NAME
from limiter.usage.splice import NotFoundError, ask_for_usage

MOST_BODY = 64 * 1024 * 1024
"""Bytes of a request body that are read; providers take 50 MB at most."""
MOST_DECODED = 32 * 1024 * 1024
"""The same, of one under a content-encoding: a few kB may hold any amount."""
SHORT_BODY = 256 * 1024
"""Bytes that are read in a millisecond or two, whatever they are."""
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
    reads_more: bool = False
    """A header lets some Claudes read five times as much as usual."""
    problem: str = ""
    """Why the body cannot be read, though its endpoint takes nothing but JSON, in words for whoever sent it: such a
    request must not pass. Empty: it can, or need not."""


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
    "gemini-live": _GEMINI_BOUNDS,
    "code-assist": (("request", "generationConfig", "maxOutputTokens"),),
    "gemini-interactions": (("generation_config", "max_output_tokens"),),
    "bedrock-converse": _BEDROCK_BOUNDS,
    "bedrock-invoke": _BEDROCK_BOUNDS,
    "cohere": (("max_tokens",),),
    "ollama": (("options", "num_predict"),),
    "huggingface": (("parameters", "max_new_tokens"), ("max_tokens",), ("max_new_tokens",)),
    "llama2": (("parameters", "max_new_tokens"), ("max_tokens",), ("n_predict",), ("options", "num_predict")),
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
    "code-assist": (("request", "generationConfig", "candidateCount"),),
    "cohere": (("num_generations",),),
    "bedrock-invoke": (("n",), ("num_generations",)),
    "llama2": (("parameters", "num_return_sequences"), ("n",)),
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

_INCLUDES_USAGE: Path = ("stream_options", "include_usage")


def _wanted(bounds: Iterable[Path], choices: Iterable[Path]) -> Wanted:
    return Wanted([("model",), ("stream",), _INCLUDES_USAGE, *_TIERS, *bounds, *choices])


_WANTED = {
    reader: _wanted(_BOUNDS.get(reader, _OPENAI_BOUNDS), _CHOICES.get(reader, _OPENAI_CHOICES))
    for reader in {*_BOUNDS, *_CHOICES}
}
_OPENAI_WANTED = _wanted(_OPENAI_BOUNDS, _OPENAI_CHOICES)

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s\"';,]+)", re.IGNORECASE)
_CHARSETS = ("utf", "us-ascii", "ascii", "iso-8859", "latin", "windows-125", "unicode")
"""Beginnings of names of charsets in which JSON is itself, or says what it is by its first bytes."""
_NOT_CHARSETS = ("utf-7", "utf7")


def takes_long(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether `read_request` and `with_usage_asked` may take so long that they are to be called in a thread.

    Args:
        headers: lower-case names.
        body: as sent.
    """
    return len(body) > SHORT_BODY or bool(body and _encoding(headers))


def read_request(endpoint: Endpoint, path: str, headers: Mapping[str, str], body: bytes) -> Ask:
    """Reads what it can; never raises. Takes 0.1 s at most.

    Args:
        path: with the query.
        headers: lower-case names.
        body: as sent, still under its content-encoding.
    """
    if endpoint.opaque:
        return Ask(endpoint, "", streaming=False, max_output=None)
    fields: dict[str, Any] = {}
    problem = ""
    try:
        fields = _fields(endpoint, headers, body)
    except (CannotDecodeError, NotJsonError) as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001  (whatever a client sends; how it is judged is the caller's affair)
        problem = f"{type(error).__name__}: {error}"
    return Ask(
        endpoint=endpoint,
        model=_model(endpoint, path, fields),
        streaming=_streams(endpoint, fields),
        max_output=_largest(fields, _BOUNDS.get(endpoint.reader, _OPENAI_BOUNDS)),
        choices=min(_largest(fields, _CHOICES.get(endpoint.reader, _OPENAI_CHOICES)) or 1, MOST_CHOICES),
        includes_usage=dig(fields, _INCLUDES_USAGE) is True,
        service_tier=next((tier for place in _TIERS if (tier := text(dig(fields, place)))), ""),
        reads_more="context-1m" in headers.get("anthropic-beta", ""),
        problem=f"the request body is not readable JSON: {problem}" if problem and endpoint.json else "",
    )


def _encoding(headers: Mapping[str, str]) -> str:
    names = (name.strip() for name in headers.get("content-encoding", "").split(","))
    return ", ".join(name for name in names if name.lower() not in ("", "identity"))


def _fields(endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The members of the body that matter here.

    Raises:
        CannotDecodeError, NotJsonError: it cannot be read.
    """
    kind = headers.get("content-type", "")
    plain = _plain(body, _encoding(headers))
    # What is JSON to the endpoint is JSON, whatever it claims to be.
    if not endpoint.json and is_form(kind, plain):
        return fields_of_form(kind, plain)
    if not plain:
        return {}
    if len(plain) > MOST_BODY:
        raise NotJsonError(f"it is longer than {MOST_BODY} bytes")
    charset = _CHARSET.search(kind)
    if charset and (not charset[1].lower().startswith(_CHARSETS) or charset[1].lower().startswith(_NOT_CHARSETS)):
        raise NotJsonError(f"its charset is {charset[1][:32]!r}, expected UTF-8")
    return _WANTED.get(endpoint.reader, _OPENAI_WANTED).read(as_utf8(plain).lstrip())


def _plain(body: bytes, encoding: str) -> bytes:
    """The body without its content-encoding.

    Raises:
        CannotDecodeError: it cannot be decoded, or not be told from one that needs no decoding.
    """
    if not encoding:
        return body
    plain = decode_whole(body, encoding, MOST_DECODED)
    if body and plain in (b"", body):
        raise CannotDecodeError(f"it is not in its content-encoding {encoding[:32]!r}")
    return plain


def with_usage_asked(ask: Ask, body: bytes) -> bytes | None:
    """The body with `stream_options.include_usage` set, all else byte for byte as it was.

    None where nothing is to be asked: no stream, asked already, an endpoint that may refuse it, a body under an
    encoding or one that could not be read. A client that set it to false is asked over its head, and does not see the
    answer (see `Tap`).
    """
    if not ask.endpoint.asks_usage or not ask.streaming or ask.includes_usage or ask.problem:
        return None
    try:
        encoding = json.detect_encoding(body)
        if encoding.startswith("utf-8"):
            return ask_for_usage(body)
        return ask_for_usage(as_utf8(body)).decode("utf-8", "surrogatepass").encode(encoding, "surrogatepass")
    except (NotFoundError, NotJsonError, UnicodeError):
        return None


def _largest(fields: dict[str, Any], places: tuple[Path, ...]) -> int | None:
    found = [number for place in places if (number := count(dig(fields, place)))]
    return max(found) if found else None


def _streams(endpoint: Endpoint, fields: dict[str, Any]) -> bool:
    if endpoint.name in STREAMING_NAMES:
        return True
    wanted = fields.get("stream")
    if wanted is None:
        return endpoint.name in STREAMING_BY_DEFAULT
    return wanted is True or wanted == "true"


def _model(endpoint: Endpoint, path: str, fields: dict[str, Any]) -> str:
    provider = BY_NAME.get(endpoint.provider)
    name = _named_by_path(provider.model_path if provider else "", path) or _named(endpoint, path, fields)
    return name.lower() if provider and provider.insensitive else name


def _named_by_path(pattern: str, path: str) -> str:
    found = re.search(pattern, canonical_path(path), re.IGNORECASE) if pattern else None
    return found[1][:256] if found else ""


def _named(endpoint: Endpoint, path: str, fields: dict[str, Any]) -> str:
    named = text(fields.get("model"))
    if named:
        return named.removeprefix("models/") if endpoint.api == "gemini" else named
    asked = parse_qs(path.partition("?")[2][:4096])
    # Azure's realtime sessions name their deployment.
    return (asked.get("model") or asked.get("deployment") or [""])[0][:256]
