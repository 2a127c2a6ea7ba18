"""The endpoints of each API family: which path and method is which endpoint, and whether it costs anything.

Patterns are searched at the end of the path, so a base path in front of it, or a missing `/v1`, changes nothing.
The first matching row wins. What no row names is decided by its method: see `providers.Directory.recognise`.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a request calls."""

    provider: str
    """`openai`, `azure`, `anthropic` …: a key of `providers.PROVIDERS`."""
    name: str
    """`chat`, `responses`, `messages` …; `other` for a path that is not in the table."""
    api: str
    """Wire format of errors: `openai`, `azure`, `anthropic`, `gemini`, `cohere`, `mistral`, `bedrock` …"""
    metered: bool
    """False: costs nothing (`count_tokens`, lists, `HEAD` …), is forwarded and not counted."""
    reader: str
    """A key of `readers.READERS`."""
    asks_usage: bool
    """`stream_options.include_usage` may be set in the request on our own account."""
    local: bool = False
    """The user's own server (Ollama, vLLM …): costs nothing unless priced."""
    repeats: bool = False
    """Reports the usage of work that an earlier request started, each time it is asked: a poll of a background
    response, the results of a batch. Count it once per `Observation.response_id`, and as no request. It may be absent.
    """


class Route(NamedTuple):
    pattern: re.Pattern[str]
    name: str
    reader: str = ""
    """Empty: the provider's own reader."""
    method: str = "POST"
    metered: bool = True
    streams_usage_on_request: bool = False
    repeats: bool = False
    api: str = ""
    """Empty: the provider's."""


def _route(path: str, name: str, reader: str = "", **more: str | bool) -> Route:
    return Route(re.compile(rf"(?:^|/){path}$"), name, reader, **more)  # type: ignore[arg-type]


def _free(path: str, name: str, method: str = "POST") -> Route:
    return _route(path, name, method=method, metered=False)


_REALTIME = (
    # The usage of a session arrives in its WebSocket messages; the handshake itself reports nothing.
    _route("realtime", "realtime", "openai-realtime", method="GET"),
    _free("realtime/(?:sessions|client_secrets|transcription_sessions)", "realtime-session"),
)

# https://platform.openai.com/docs/api-reference
OPENAI = (
    _route("chat/completions", "chat", streams_usage_on_request=True),
    _route("completions", "completions", streams_usage_on_request=True),
    _route("responses", "responses"),
    _route("responses/compact", "responses-compact"),
    _free("responses/input_tokens", "responses-input_tokens"),
    _free("responses/[^/]+/input_items", "responses-input_items", "GET"),
    _route("responses/[^/]+", "responses-get", method="GET", repeats=True),
    _route("responses/[^/]+/cancel", "responses-cancel", repeats=True),
    _route("embeddings", "embeddings"),
    _free("moderations", "moderations"),
    _route("images/generations", "images-generations", "openai-images"),
    _route("images/edits", "images-edits", "openai-images"),
    _route("images/variations", "images-variations", "openai-images"),
    _route("audio/transcriptions", "audio-transcriptions"),
    _route("audio/translations", "audio-translations"),
    _route("audio/speech", "audio-speech"),
    # A batch is counted once, where its results are read: the batch object repeats a running total at every poll.
    _free("batches", "batches"),
    _free("batches/[^/]+", "batches", "GET"),
    _free("batches/[^/]+/cancel", "batches"),
    _route("files/[^/]+/content", "file-content", "openai-batch-results", method="GET", repeats=True),
    _free("(?:files|uploads|uploads/[^/]+/(?:parts|complete|cancel))", "files"),
    _route("threads/(?:[^/]+/)?runs", "assistants-runs"),
    _route("threads/[^/]+/runs/[^/]+/submit_tool_outputs", "assistants-runs"),
    _route("threads/[^/]+/runs/[^/]+", "assistants-runs", method="GET", repeats=True),
    _free("threads/[^/]+/runs/[^/]+(?:/cancel)?", "assistants-runs"),
    _route("threads/[^/]+/runs", "assistants-runs", method="GET", repeats=True),
    _free(
        "(?:threads|threads/[^/]+|threads/[^/]+/messages|assistants|assistants/[^/]+|conversations(?:/.*)?)",
        "assistants",
    ),
    _free("vector_stores(?:/.*)?", "vector_stores"),
    _route("rerank", "rerank"),
    *_REALTIME,
)

# https://docs.anthropic.com/en/api/messages ; /v1/complete is the legacy API without any usage.
ANTHROPIC = (
    _route("messages", "messages", "anthropic", api="anthropic"),
    _free("messages/count_tokens", "count_tokens"),
    _free("messages/batches", "batches"),
    _free("messages/batches/[^/]+", "batches", "GET"),
    _free("messages/batches/[^/]+/cancel", "batches"),
    _route("messages/batches/[^/]+/results", "batch-results", "anthropic-batch-results", method="GET", repeats=True),
    _route("complete", "complete", "anthropic", api="anthropic"),
    _free("files", "files"),
)
_ANTHROPIC_SIDE = (_route("anthropic/v1/messages", "messages", "anthropic", api="anthropic"),)

# https://learn.microsoft.com/azure/ai-foundry/openai/reference ; Claude on Foundry: /anthropic/v1/messages.
AZURE = (
    *_ANTHROPIC_SIDE,
    _free("anthropic/v1/messages/count_tokens", "count_tokens"),
    *OPENAI,
    _route("images/generations:submit", "images-generations", "openai-images"),
)

_MODEL = "(?:models|tunedModels|endpoints)/[^/]+"
_GENERATE = (
    _route(f"{_MODEL}:generateContent", "generateContent"),
    _route(f"{_MODEL}:streamGenerateContent", "streamGenerateContent"),
    _free(f"{_MODEL}:countTokens", "countTokens"),
    _free(f"{_MODEL}:computeTokens", "computeTokens"),
    _route(f"{_MODEL}:embedContent", "embedContent"),
    _route(f"{_MODEL}:batchEmbedContents", "batchEmbedContents"),
    _route(f"{_MODEL}:predict", "predict", "vertex-predict"),
    _route(f"{_MODEL}:predictLongRunning", "predictLongRunning"),
)
# https://ai.google.dev/api
GEMINI = (
    *_GENERATE,
    _free(f"{_MODEL}:(?:asyncBatchEmbedContent|batchGenerateContent)", "batchGenerateContent"),
    _route("batches/[^/]+", "batch-status", "gemini-batch", method="GET", repeats=True),
    _route("interactions", "interactions", "gemini-interactions"),
    _route("interactions/[^/]+", "interactions-get", "gemini-interactions", method="GET", repeats=True),
    _route("openai/chat/completions", "openai-compat-chat", "openai", api="openai"),
    _route("openai/embeddings", "openai-compat-embeddings", "openai", api="openai"),
    _free("(?:cachedContents|files|upload/.*)", "files"),
    _route(r"ws/[\w.]*BidiGenerateContent\w*", "realtime", "gemini-live", method="GET"),
)
# https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest
VERTEX = (
    *_GENERATE,
    _route(f"{_MODEL}:rawPredict", "rawPredict", "anthropic", api="anthropic"),
    _route(f"{_MODEL}:streamRawPredict", "streamRawPredict", "anthropic", api="anthropic"),
    _route("endpoints/openapi/chat/completions", "openai-compat-chat", "openai", api="openai"),
)

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html
BEDROCK = (
    _route("model/.+/converse", "converse"),
    _route("model/.+/converse-stream", "converse-stream"),
    _route("model/.+/invoke", "invoke", "bedrock-invoke"),
    _route("model/.+/invoke-with-response-stream", "invoke-with-response-stream", "bedrock-invoke"),
    _free("model/.+/count-tokens", "count-tokens"),
)

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Operations_Amazon_SageMaker_Runtime.html : containers
# are TGI or vLLM.
SAGEMAKER = (
    _route("endpoints/[^/]+/invocations", "invocations", "sniff"),
    _route("endpoints/[^/]+/invocations-response-stream", "invocations", "sniff"),
)

# https://docs.cohere.com/reference/about
COHERE = (
    _route("compatibility/v1/chat/completions", "openai-compat-chat", "openai", api="openai"),
    _route("compatibility/v1/embeddings", "openai-compat-embeddings", "openai", api="openai"),
    *(
        _route(f"{version}/{noun}", f"{version}-{noun}")
        for version in ("v1", "v2")
        for noun in ("chat", "embed", "rerank", "generate", "classify", "summarize")
    ),
    _route("audio/transcriptions", "audio-transcriptions"),
    _free("(?:tokenize|detokenize|check-api-key)", "tokenize"),
    _route("chat", "v2-chat"),
    _route("embed", "v2-embed"),
    _route("rerank", "v2-rerank"),
)

# https://docs.mistral.ai/api
MISTRAL = (
    _route("chat/completions", "chat"),
    _route("fim/completions", "fim"),
    _route("agents/completions", "agents"),
    _route("conversations(?:/.*)?", "conversations"),
    _route("embeddings", "embeddings"),
    _route("ocr", "ocr"),
    _route("audio/transcriptions", "audio-transcriptions"),
    _route("audio/speech", "audio-speech"),
    _free("(?:chat/)?(?:moderations|classifications)", "moderations"),
    _free("batch/jobs", "batches"),
    _route("batch/jobs/[^/]+", "batches", "mistral-batch", method="GET", repeats=True),
    _free("batch/jobs/[^/]+/cancel", "batches"),
    _route("files/[^/]+/content", "file-content", "openai-batch-results", method="GET", repeats=True),
    _free("files", "files"),
)

# https://github.com/ollama/ollama/blob/main/docs/api.md ; under /v1 it speaks OpenAI's format.
OLLAMA = (
    _route("api/chat", "native-chat", "ollama", api="ollama"),
    _route("api/generate", "native-generate", "ollama", api="ollama"),
    _route("api/embed", "native-embed", "ollama", api="ollama"),
    _route("api/embeddings", "native-embeddings", "ollama", api="ollama"),
    _free("api/(?:show|pull|push|create|copy|delete|blobs/.*)", "native-manage"),
    *OPENAI,
    *ANTHROPIC,
)

# https://huggingface.co/docs/text-generation-inference/messages_api ; the router speaks OpenAI's format.
HUGGINGFACE = (
    *OPENAI,
    _route("generate", "generate", "huggingface", api="huggingface"),
    _route("generate_stream", "generate_stream", "huggingface", api="huggingface"),
    _free("tokenize", "tokenize"),
)
HUGGINGFACE_HOSTED = (
    *HUGGINGFACE,
    Route(re.compile(r"^/?$"), "generate", "huggingface", api="huggingface"),
    _route("models/.+", "generate", "huggingface", api="huggingface"),
)

# https://dev.writer.com/api-reference
WRITER = (_route("chat", "chat", streams_usage_on_request=True), *OPENAI)

# https://help.aliyun.com/zh/model-studio/developer-reference/ : native paths beside the compatible ones.
DASHSCOPE = (
    _route("services/aigc/(?:text|multimodal)-generation/generation", "native-generation", "dashscope"),
    _route("services/embeddings/.+", "native-embeddings", "dashscope"),
    *_ANTHROPIC_SIDE,
    *OPENAI,
)

OPENAI_AND_ANTHROPIC = (*_ANTHROPIC_SIDE, *OPENAI, *ANTHROPIC)
"""Hosts that offer both formats: DeepSeek, Moonshot, Z.ai, OpenRouter, vLLM …"""

VOYAGE = (_route("multimodalembeddings", "embeddings"), _route("contextualizedembeddings", "embeddings"), *OPENAI)
PORTKEY = (_route("prompts/[^/]+/completions", "completions"), *OPENAI)
CLOUDFLARE = (*OPENAI, _route("ai/run/.+", "run", "sniff"))
DATABRICKS = (*OPENAI, _route("serving-endpoints/[^/]+/invocations", "invocations", "sniff"))
