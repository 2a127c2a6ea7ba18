"""What a request gives its model to read, found in any provider's JSON: its text, its media, and what it leaves out.

Nobody knows every provider's every member. So two things are found at once: what is likely (`texts`, `images` …), and
whatever may make the true prompt longer than that (`hidden` and the like), where the unknown counts as the worst.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from limiter.usage.formats.anthropic import US_PREMIUM
from limiter.usage.jsonpeek import load, opened
from limiter.usage.passages import as_json, note_cache, read_passages
from limiter.usage.prompt import Prompt
from limiter.usage.tools import ASK_TWICE, SEARCHES, read_tools

MOST_WALKED = 4 * 1024 * 1024
"""Bytes of JSON that become Python objects (these may take 20 times the memory)."""

# Members of the body that reach the model.
_PROMPT = frozenset({
    "messages", "input", "instructions", "system", "prompt", "suffix", "contents", "content", "systemInstruction",
    "system_instruction", "inputs", "texts", "text", "documents", "query", "message", "chat_history", "preamble",
    "inputText", "instances", "requests", "examples", "images",
})  # fmt: skip
_SCHEMAS = frozenset({
    "tools", "functions", "toolConfig", "response_format", "responseSchema", "responseJsonSchema", "output_config",
    "format", "output_format", "outputConfig",
})  # fmt: skip
"""Members that reach the model as they are, names and all."""
_SETTINGS = frozenset({
    "model", "metadata", "user", "stream", "stream_options", "stop", "stop_sequences", "include", "reasoning",
    "thinking", "generationConfig", "generation_config", "inferenceConfig", "textGenerationConfig", "parameters",
    "options", "safetySettings", "safety_settings", "provider", "modalities", "audio", "service_tier", "serviceTier",
    "tool_choice", "labels", "logit_bias", "safety_identifier", "prompt_cache_key", "anthropic_version",
    "anthropic_beta", "reasoning_effort", "voice", "prediction", "truncation", "betas", "guardrailConfig",
    "performanceConfig", "requestMetadata", "transforms", "citation_options", "encoding_format", "size", "quality",
    "context_management", "speed", "cache_control", "session_id", "user_id", "trace_id", "request_id", "project_id",
    "organization_id",
})  # fmt: skip
"""Members that do not. What is in no list may."""
_TURNS = frozenset({"messages", "contents", "input", "chat_history"})
_REFERENCES = frozenset({
    "previous_response_id", "conversation", "conversation_id", "previous_interaction_id", "cachedContent",
    "cached_content", "container", "mcp_servers", "connectors", "promptVariables", "assistant_id", "agent_id", "thread",
    "thread_id", "preset", "plugins", "search_parameters", "web_search_options", "knowledge_bases", "data_sources",
    "retrievalConfig", "dataSources", "agent", "variables", "models",
})  # fmt: skip
"""Members of the body that add what is not in it: what was said before, files, what a search finds, what another model
is told that may answer instead."""
_SEARCHING = frozenset({"plugins", "search_parameters", "web_search_options", "connectors"})
_BASE64 = re.compile(rb'"((?:data:[\w/+.;=-]{1,128},)?[A-Za-z0-9+/=_-]{2048})[A-Za-z0-9+/=_-]{2048,}"')
_PICTURE = re.compile(rb"content-type: *image/|filename=\"?[^\r\n]*\.(?:png|jpe?g|webp|gif)\b", re.IGNORECASE)


def prompt_of(body: bytes) -> Prompt:
    """What of a JSON body reaches the model."""
    if len(body) > MOST_WALKED:
        return _shortened(body)
    prompt = Prompt()
    fields = load(body)
    if not isinstance(fields, dict):
        prompt.texts.append(body.decode("utf-8", "replace"))
        prompt.hidden = bool(body)
        return prompt
    for name in ("request", "generationConfig", "generation_config", "additionalModelRequestFields"):
        nested = opened(fields.get(name))
        if isinstance(nested, dict):
            fields = {**nested, **fields}
    for name, raw in fields.items():
        if name in _SCHEMAS:
            _read_schema(prompt, name, raw)
        elif name in _PROMPT:
            _read_prompt(prompt, name, opened(raw))
        else:
            _read_other(prompt, name, opened(raw))
    if prompt.searches or prompt.draws:
        most = opened(fields.get("max_tool_calls"))
        if type(most) is int and most >= 0:
            prompt.searches, prompt.draws = min(prompt.searches, most), min(prompt.draws, most)
    return prompt


def form_of(body: bytes) -> Prompt:
    """What of a multipart form reaches the model: recordings and pictures, by their names, and short fields."""
    prompt = Prompt()
    for part in body.split(body[: body.find(b"\r\n")] or body):
        head, _, content = part.partition(b"\r\n\r\n")
        if b"filename" not in head:
            prompt.unknown += len(content)
        elif _PICTURE.search(head):
            prompt.images += 1
        else:
            prompt.audio += len(content)
    return prompt


def _shortened(body: bytes) -> Prompt:
    """Without most of its base64."""
    short, cut = _BASE64.subn(rb'"\1"', body)
    if len(short) > MOST_WALKED:
        return Prompt(unread=len(short), hidden=True, writes="1h")
    if not cut:
        return prompt_of(short)
    prompt = prompt_of(short)
    # What was cut may have been text.
    prompt.hidden = prompt.hidden or cut > prompt.coded
    if prompt.audio:
        prompt.audio += len(body) - len(short)
    if prompt.other_media and not prompt.images:
        prompt.other_media += len(body) - len(short)
    return prompt


def _read_schema(prompt: Prompt, name: str, raw: Any) -> None:
    prompt.schemas.append(as_json(raw))
    if name in ("tools", "toolConfig"):
        read_tools(prompt, opened(raw))


def _read_prompt(prompt: Prompt, name: str, value: Any) -> None:
    if name in _TURNS and isinstance(value, list):
        prompt.turns += sum(1 for turn in value if turn)
    match name, value:
        case "prompt", dict():  # Of responses: the name of one that is stored.
            prompt.hidden = True
        case "prompt", [str() | list(), *_]:  # Of completions, which answer each.
            prompt.prompts = len(value)
        case "documents", list():
            prompt.rankings = len(value)
        case "text", dict():  # Of responses: the format of the answer.
            prompt.schemas.append(as_json(value))
            return
    read_passages(prompt, name, value)


def _read_other(prompt: Prompt, name: str, value: Any) -> None:
    """A member of the body that is no prompt by its name."""
    if value is None or value is False or (not value and not isinstance(value, int)):
        return
    if name in _READERS:
        _READERS[name](prompt, value)
    elif name in _REFERENCES:
        prompt.hidden = True
        if name in _SEARCHING:
            prompt.searches = max(prompt.searches, SEARCHES)
    elif name not in _SETTINGS and isinstance(value, str | list | dict):
        prompt.unknown += len(as_json(value))
        prompt.hidden = prompt.hidden or name.endswith(("_id", "_ids", "Id", "Ids"))


def _read_speed(prompt: Prompt, value: Any) -> None:
    prompt.fast = value == "fast"


def _read_place(prompt: Prompt, value: Any) -> None:
    prompt.premium = US_PREMIUM if value == "us" else 0


def _read_modalities(prompt: Prompt, value: Any) -> None:
    if isinstance(value, list):
        prompt.modalities = frozenset(str(opened(item)).lower() for item in value)


def _read_prediction(prompt: Prompt, value: Any) -> None:
    prompt.predicted = len(as_json(value))


def _read_edits(prompt: Prompt, value: Any) -> None:
    if ASK_TWICE.search(as_json(value)):
        prompt.repeated = prompt.hidden = True


def _read_betas(prompt: Prompt, value: Any) -> None:
    prompt.reads_more = "context-1m" in as_json(value)


_READERS: Mapping[str, Callable[[Prompt, Any], None]] = {
    "cache_control": note_cache,
    "speed": _read_speed,
    "inference_geo": _read_place,
    "modalities": _read_modalities,
    "responseModalities": _read_modalities,
    "response_modalities": _read_modalities,
    "prediction": _read_prediction,
    "context_management": _read_edits,
    "anthropic_beta": _read_betas,
    "betas": _read_betas,
}
