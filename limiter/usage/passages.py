"""Passages of a prompt: what of a member of a request is text, what is media, and what is kept somewhere else."""

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from limiter.usage.jsonpeek import opened
from limiter.usage.prompt import Prompt

MOST_NODES = 100_000
"""Members and items that are looked at; a long conversation has a tenth."""

_NOT_TEXT = frozenset({
    "type", "id", "call_id", "tool_call_id", "tool_use_id", "toolUseId", "cache_control", "cachePoint", "media_type",
    "mimeType", "mime_type", "detail", "status", "signature", "encrypted_content", "thoughtSignature",
    "thought_signature", "file_id", "fileId", "fileUri", "file_uri", "file_url", "s3Location", "video_url", "audio_url",
    "format", "annotations", "citations", "container", "uri",
})  # fmt: skip
_MEDIA = frozenset({"data", "bytes", "file_data", "image_url", "url", "b64_json", "image", "images", "input_audio"})
"""Members whose long strings are media in base64 or addresses of media."""
_VERBATIM = frozenset({"args", "arguments", "response", "json", "input", "tools"})
"""Members below the outermost whose objects a model reads as JSON, names and all: calls of tools, and their answers."""
_SEALED = frozenset({"signature", "encrypted_content", "thoughtSignature", "thought_signature"})
"""Thoughts and search results that only the provider can read. Those that it still uses are billed."""
_ELSEWHERE = frozenset({
    "file_id", "fileId", "fileUri", "file_uri", "file_url", "s3Location", "video_url", "audio_url", "container", "uri",
})  # fmt: skip
"""Members of a prompt that name what is stored somewhere else."""
_SHORT = 2048
"""A string in a media member that is shorter is an address or a name."""
_IS_BASE64 = re.compile(r"[A-Za-z0-9+/=_\s-]*")
_DOCUMENT = re.compile(
    "pdf|document|file|msword|officedocument|csv|xls|docx?$|html|video|mp4|mov|mkv|flv|mpe?g|wmv|three_gp"
)
_AUDIO = re.compile("^(?:data:)?audio|^(?:wav|mp3|flac|opus|pcm16|m4a|ogg|aac|mpga|webm)$")
_PLAIN_AUDIO = re.compile("wav|mp3|mpeg|mpga|pcm")
"""Formats with so many bytes a second at least that their length bounds their tokens."""
_IMAGES = frozenset({"image", "input_image", "image_url"})
_DOCUMENTS = frozenset({"document", "file", "input_file", "video", "input_video", "video_url"})
_PLAIN = frozenset({"txt", "md", "text"})
_TELLING = ("media_type", "mimeType", "mime_type", "filename", "format")
"""Members beside media that tell what they are."""
_ALWAYS_MEDIA = frozenset({"bytes", "b64_json", "file_data"})
_ADDRESSES = ("http:", "https:", "gs:", "s3:")


def as_json(value: Any) -> str:
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode("utf-8", "replace")
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # Lone surrogates
        return json.dumps(value, ensure_ascii=False, default=str)


def note_cache(prompt: Prompt, value: Any) -> None:
    """A mark that what is before it be written to a cache."""
    value = opened(value)
    ttl = opened(value.get("ttl")) if isinstance(value, dict) else None
    if value is not None:
        prompt.writes = "1h" if prompt.writes == "1h" or ttl not in (None, "5m") else "5m"


def read_passages(prompt: Prompt, name: str, value: Any) -> None:
    """Adds all that is in a member of the request to what is known of its prompt."""
    waiting: list[tuple[str, Any, Mapping[str, Any]]] = [(name, value, {})]
    for _ in range(MOST_NODES):
        if not waiting:
            return
        name, value, around = waiting.pop()
        value = opened(value)
        if isinstance(value, str):
            _take(prompt, name, value, around)
        elif isinstance(value, list):
            waiting.extend([(name, item, around) for item in value])
        elif isinstance(value, dict):
            if name in _VERBATIM and around:
                prompt.texts.append(as_json(value))
            else:
                _open(prompt, waiting, _told(name, value, around))
        elif type(value) is int:
            prompt.numbers += 1
    prompt.unread += sum(len(value) if isinstance(value, str) else 4 for _, value, _ in waiting)
    prompt.hidden = prompt.hidden or bool(waiting)


def _open(prompt: Prompt, waiting: list[tuple[str, Any, Mapping[str, Any]]], value: Mapping[str, Any]) -> None:
    for key, item in value.items():
        if key not in _NOT_TEXT:
            waiting.append((key, item, value))
        elif key in _NOTED:
            _note(prompt, key, opened(item), value)


def _told(name: str, value: Mapping[str, Any], around: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object, and what is said around it of what it is."""
    if name == "source":
        told = {**{key: around[key] for key in ("type", "format") if key in around}, **value}
        if "type" in around and opened(value.get("type")) in ("base64", "url"):
            told["type"] = around["type"]
        return told
    if name in ("image_url", "image") and "type" not in value:
        return {"type": name, **value}
    return value


_NOTED = frozenset({*_SEALED, *_ELSEWHERE, "cache_control", "cachePoint", "type", "citations"})


def _note(prompt: Prompt, key: str, value: Any, around: Mapping[str, Any]) -> None:
    """A member that is no text, but matters."""
    if value is None:
        return
    if key == "type":
        if value == "item_reference":
            prompt.hidden = True
    elif key == "citations":
        prompt.cites = prompt.cites or (isinstance(value, dict) and opened(value.get("enabled")) is True)
    elif key in _SEALED:
        prompt.sealed += len(value) if isinstance(value, str) else 0
    elif key in _ELSEWHERE:
        if opened(around.get("type")) in _IMAGES:
            prompt.images += 1
        else:
            prompt.hidden = True
    else:
        note_cache(prompt, value)


def _take(prompt: Prompt, name: str, value: str, around: Mapping[str, Any]) -> None:
    """A string: text, or media in base64 or by its address."""
    if not value:
        return
    if opened(around.get("type")) == "redacted_thinking":
        prompt.sealed += len(value)
        return
    kind = _kind(name, value, around) if name in _MEDIA else ""
    if not kind:
        prompt.texts.append(value)
        return
    prompt.coded += len(value) >= _SHORT
    if _AUDIO.search(kind):
        prompt.other_media += max(len(value), _SHORT)
        prompt.audio += len(value)
        if value.startswith(_ADDRESSES) or not _PLAIN_AUDIO.search(kind):
            prompt.hidden = True
    elif name == "file_data" or _DOCUMENT.search(kind) or opened(around.get("type")) in _DOCUMENTS:
        prompt.other_media += max(len(value), _SHORT)
        prompt.hidden = True
    else:
        prompt.images += 1


def _kind(name: str, value: str, around: Mapping[str, Any]) -> str:
    """What kind of media it is; empty: it is text."""
    told = next((str(opened(around[key])) for key in _TELLING if key in around), "").lower()
    if name == "url" and value.startswith(_ADDRESSES) and opened(around.get("type")) not in _IMAGES | _DOCUMENTS:
        return ""  # Of a page that is told of, and not shown.
    is_long = len(value) >= _SHORT
    is_address = value.startswith((*_ADDRESSES, "data:"))
    if not (is_long or is_address or told or name in _ALWAYS_MEDIA):
        return ""
    if told in _PLAIN or told.startswith("text/plain") or (is_long and not is_address and not _looks_coded(value)):
        return ""
    return told or value[:64].lower()


def _looks_coded(value: str) -> bool:
    return _IS_BASE64.fullmatch(value[:512]) is not None
