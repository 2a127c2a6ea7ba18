"""The table of readers, by the names that `routes` uses."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from limiter.usage.formats import anthropic, bedrock, google, openai, others
from limiter.usage.jsonpeek import text
from limiter.usage.reader import Reader

READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "openai": openai.OPENAI,
        "openai-images": openai.OPENAI_IMAGES,
        "openai-realtime": openai.OPENAI_REALTIME,
        "openai-batch-results": openai.OPENAI_BATCH_RESULTS,
        "mistral-batch": openai.MISTRAL_BATCH,
        "moonshot": openai.MOONSHOT,
        "openrouter": openai.OPENROUTER,
        "perplexity": openai.PERPLEXITY,
        "xai": openai.XAI,
        "anthropic": anthropic.ANTHROPIC,
        "anthropic-batch-results": anthropic.ANTHROPIC_BATCH_RESULTS,
        "gemini": google.GEMINI,
        "code-assist": google.CODE_ASSIST,
        "gemini-batch": google.GEMINI_BATCH,
        "gemini-interactions": google.GEMINI_INTERACTIONS,
        "gemini-live": google.GEMINI_LIVE,
        "vertex-predict": google.VERTEX_PREDICT,
        "bedrock-converse": bedrock.BEDROCK_CONVERSE,
        "bedrock-invoke": bedrock.BEDROCK_INVOKE,
        "cohere": others.COHERE,
        "ollama": others.OLLAMA,
        "huggingface": others.HUGGINGFACE,
        "llama2": others.LLAMA2,
        "dashscope": others.DASHSCOPE,
    }
)

SNIFF = "sniff"
"""The reader of endpoints that are not in the table: members that only one format has decide at the first event."""
_MARKS = (
    (frozenset({"usageMetadata", "candidates"}), google.GEMINI),
    (frozenset({"prompt_eval_count", "eval_count", "done"}), others.OLLAMA),
    (frozenset({"billed_units", "meta", "event_type"}), others.COHERE),
    (frozenset({"details", "generated_text", "token"}), others.HUGGINGFACE),
)


def sniffed(event: Mapping[str, Any]) -> Reader:
    """The reader for a response that begins with `event`."""
    if text(event.get("type")) in ("message", "message_start"):
        return anthropic.ANTHROPIC
    return next((reader for marks, reader in _MARKS if not marks.isdisjoint(event)), openai.OPENAI)
