"""The text of a request that a model is given, found in any provider's JSON, with its media counted apart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from limiter.usage.jsonpeek import load, opened

MOST_WALKED = 4 * 1024 * 1024
"""Bytes of JSON that become Python objects (these may take 20 times the memory)."""
MOST_NODES = 100_000
"""Members and items that are looked at; a long conversation has a tenth."""

# Members of the body that reach the model. Everything else is settings.
_PROMPT = frozenset({
    "messages", "input", "instructions", "system", "prompt", "suffix", "contents", "content", "systemInstruction",
    "system_instruction", "inputs", "texts", "text", "documents", "query", "message", "chat_history", "preamble",
    "inputText", "instances", "requests", "examples", "images",
})  # fmt: skip
_SCHEMAS = frozenset({
    "tools", "functions", "toolConfig", "response_format", "responseSchema", "responseJsonSchema", "output_config",
    "format",
})  # fmt: skip
"""Members that reach the model as they are, names and all."""
_NOT_TEXT = frozenset({
    "type", "id", "call_id", "tool_call_id", "tool_use_id", "toolUseId", "cache_control", "media_type", "mimeType",
    "mime_type", "detail", "status", "signature", "encrypted_content", "thoughtSignature", "thought_signature",
    "file_id", "fileUri", "format", "annotations", "citations",
})  # fmt: skip
_MEDIA = frozenset({"data", "bytes", "file_data", "image_url", "url", "b64_json", "image", "images", "input_audio"})
"""Members whose long strings are media in base64 or addresses of media."""
_TURNS = frozenset({"messages", "contents", "input", "chat_history"})

_SHORT = 2048
"""A string in a media member that is shorter is an address or a name."""
_BASE64 = re.compile(rb'"(?:data:[\w/+.;=-]{1,128},)?[A-Za-z0-9+/=_-]{4096,}"')
_DOCUMENT = re.compile("pdf|document|file|msword|officedocument")


@dataclass(slots=True)
class Prompt:
    texts: list[str] = field(default_factory=list)
    schemas: list[str] = field(default_factory=list)
    """Tools and the like, as JSON."""
    turns: int = 0
    images: int = 0
    other_media: int = 0
    """Bytes of documents, sound and film, in base64."""
    unread: int = 0
    """Bytes of text that was too much to be looked at."""


def prompt_of(body: bytes) -> Prompt:
    """What of a JSON body reaches the model."""
    prompt = Prompt()
    if len(body) > MOST_WALKED:
        body, found = _BASE64.subn(b'""', body)
        prompt.images += found
        if len(body) > MOST_WALKED:
            prompt.unread = len(body)
            return prompt
    fields = load(body)
    if not isinstance(fields, dict):
        prompt.texts.append(body.decode("utf-8", "replace"))
        return prompt
    nested = opened(fields.get("generationConfig"))
    if isinstance(nested, dict):
        fields = {**nested, **fields}
    for name, raw in fields.items():
        if name in _SCHEMAS:
            prompt.schemas.append(_as_json(raw))
        elif name in _PROMPT:
            value = load(bytes(raw)) if isinstance(raw, msgspec.Raw) else raw
            if name in _TURNS and isinstance(value, list):
                prompt.turns += sum(1 for turn in value if turn)
            _walk(prompt, name, value)
    return prompt


def _as_json(value: Any) -> str:
    encoded = bytes(value) if isinstance(value, msgspec.Raw) else msgspec.json.encode(value)
    return encoded.decode("utf-8", "replace")


def _walk(prompt: Prompt, name: str, value: Any) -> None:
    waiting: list[tuple[str, Any, Mapping[str, Any]]] = [(name, value, {})]
    for _ in range(MOST_NODES):
        if not waiting:
            return
        name, value, around = waiting.pop()
        value = _deep(value)
        if isinstance(value, str):
            _take(prompt, name, value, around)
        elif isinstance(value, list):
            waiting.extend((name, item, around) for item in value)
        elif isinstance(value, dict):
            waiting.extend((key, item, value) for key, item in value.items() if key not in _NOT_TEXT)
    prompt.unread += sum(len(value) if isinstance(value, str) else 4 for _, value, _ in waiting)


def _deep(value: Any) -> Any:
    return load(bytes(value)) if isinstance(value, msgspec.Raw) else value


def _take(prompt: Prompt, name: str, value: str, around: Mapping[str, Any]) -> None:
    if name in _MEDIA and (len(value) >= _SHORT or value.startswith(("data:", "http:", "https:"))):
        kind = next(
            (
                str(opened(around[key]))
                for key in ("media_type", "mimeType", "mime_type", "filename", "format")
                if key in around
            ),
            value[:64],
        )
        if (
            name == "file_data"
            or _DOCUMENT.search(kind)
            or kind.startswith(("audio", "video", "data:audio", "data:video"))
        ):
            prompt.other_media += max(len(value), _SHORT)
        else:
            prompt.images += 1
        return
    prompt.texts.append(value)
