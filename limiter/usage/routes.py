"""The endpoints of each API family: which path and method is which endpoint, and whether it costs anything.

Patterns are searched at the end of the canonical path, whatever its case, so a base path in front of it, or a missing
`/v1`, changes nothing. The first matching row wins: rows that match much and cost nothing come last. What no row names
is decided by its method: see `providers.Directory.recognise`.
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
    protocol: str = ""
    """A key of `sessions.PROTOCOLS`: how the messages of this WebSocket are read. Empty: no WebSocket that is known."""
    defers: bool = False
    """Starts work that reports its usage elsewhere, if at all: a batch, a training. It is admitted and counted as one
    request, and no tokens are expected of it, held or charged."""
    estimated: bool = True
    """A successful answer without usage is an alarm, and its tokens are estimated. Not so for paths that nobody knows:
    they are charged what they report."""
    json: bool = False
    """The body must be JSON, and says which model is to do what: what cannot be read must not pass (`Ask.problem`)."""
    opaque: bool = False
    """No call of a model: it counts as a request, and its bodies are not looked into."""
    host: str = ""
    """The canonical name by which the provider was recognised."""


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
    protocol: str = ""
    """Of a WebSocket's messages: see `Endpoint.protocol`."""
    defers: bool = False
    json: bool = True
    """See `Endpoint`; counts for metered `POST`s only."""


UPGRADE = "WEBSOCKET"
"""Stands for the method of a request that asks for a WebSocket. No plain request has it, so the two never mix."""


def _route(path: str, name: str, reader: str = "", **more: str | bool) -> Route:
    return Route(re.compile(rf"(?:^|/){path}$", re.IGNORECASE), name, reader, **more)  # type: ignore[arg-type]


def _free(path: str, name: str, method: str = "POST") -> Route:
    return _route(path, name, method=method, metered=False)


def _free_below(names: str, name: str) -> Route:
    """All that is below a folder. Only at the root: elsewhere it may be the base path of anything."""
    return Route(re.compile(rf"^/(?:v\d\w*/)?(?:{names})(?:/.*)?$", re.IGNORECASE), name, metered=False)


def _upload(path: str, name: str, reader: str = "", **more: str | bool) -> Route:
    """Takes a form, or any bytes, rather than JSON."""
    return _route(path, name, reader, json=False, **more)


def _defers(path: str, name: str) -> Route:
    return _route(path, name, defers=True)


def _socket(path: str, name: str, reader: str, protocol: str) -> Route:
    return _route(path, name, reader, method=UPGRADE, protocol=protocol)


_REALTIME = (
    # The usage of a session arrives in its WebSocket messages; the handshake itself reports nothing.
    _socket("realtime", "realtime", "openai-realtime", "openai-realtime"),
    _free("realtime/(?:sessions|client_secrets|transcription_sessions)", "realtime-session"),
)

# https://platform.openai.com/docs/api-reference
OPENAI = (
    _route("chat/completions", "chat", streams_usage_on_request=True),
    _route("completions", "completions", streams_usage_on_request=True),
    _route("responses", "responses"),
    # https://developers.openai.com/api/docs/guides/websocket-mode ; https://docs.x.ai/developers/advanced-api-usage
    _socket("responses", "responses", "", "openai-responses"),
    _route("responses/compact", "responses-compact"),
    _free("responses/input_tokens", "responses-input_tokens"),
    _free("responses/[^/]+/input_items", "responses-input_items", "GET"),
    _route("responses/[^/]+", "responses-get", method="GET", repeats=True),
    _route("responses/[^/]+/cancel", "responses-cancel", repeats=True),
    _route("embeddings", "embeddings"),
    _free("moderations", "moderations"),
    _route("images/generations", "images-generations", "openai-images"),
    _upload("images/edits", "images-edits", "openai-images"),
    _upload("images/variations", "images-variations", "openai-images"),
    _upload("audio/transcriptions", "audio-transcriptions"),
    _upload("audio/translations", "audio-translations"),
    _route("audio/speech", "audio-speech"),
    # A batch is counted once, where its results are read: the batch object repeats a running total at every poll.
    _defers("batches", "batches"),
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
    _route("rerank", "rerank"),
    *_REALTIME,
    # Trainings and evaluations run models, and say nothing of their tokens here.
    _defers("(?:fine_tuning/jobs|fine-tunes|fine_tuning/alpha/graders/run)", "fine_tuning"),
    _defers("evals/[^/]+/runs", "evals"),
    _free("(?:evals|evals/[^/]+|evals/[^/]+/runs/[^/]+)", "evals"),
    _free("fine_tuning/(?:jobs/[^/]+/(?:cancel|pause|resume)|checkpoints/.*|alpha/graders/validate)", "fine_tuning"),
    _free("chat/completions/[^/]+", "chat-stored"),
    # https://openai.github.io/openai-agents-python/tracing/
    _free("traces/ingest", "telemetry"),
    _free("vector_stores(?:/.*)?", "vector_stores"),
    _free_below("containers|skills|organization|projects|chatkit", "management"),
)

# https://docs.anthropic.com/en/api/messages ; /v1/complete is the legacy API without any usage.
ANTHROPIC = (
    _route("messages", "messages", "anthropic", api="anthropic"),
    _free("messages/count_tokens", "count_tokens"),
    _defers("messages/batches", "batches"),
    _free("messages/batches/[^/]+", "batches", "GET"),
    _free("messages/batches/[^/]+/cancel", "batches"),
    _route("messages/batches/[^/]+/results", "batch-results", "anthropic-batch-results", method="GET", repeats=True),
    _route("complete", "complete", "anthropic", api="anthropic"),
    _free("files", "files"),
)
# What Claude Code and other clients send beside model calls: https://code.claude.com/docs/en/data-usage
ANTHROPIC_HOSTED = (
    *ANTHROPIC,
    Route(
        re.compile(
            r"^/api/(?:event_logging|claude_code|claude_cli|oauth|auth|hello|eval|web|organizations)(?:[/_].*)?$"
        ),
        "telemetry",
        metered=False,
    ),
    _free_below("oauth|organizations|skills|mcp_servers|toolbox", "management"),
)
_ANTHROPIC_SIDE = (_route("anthropic/v1/messages", "messages", "anthropic", api="anthropic"),)

# https://learn.microsoft.com/azure/ai-foundry/openai/reference ; Claude on Foundry: /anthropic/v1/messages.
AZURE = (
    *_ANTHROPIC_SIDE,
    _free("anthropic/v1/messages/count_tokens", "count_tokens"),
    *OPENAI,
    _route("images/generations:submit", "images-generations", "openai-images"),
)
# Codex, signed in with an account: https://github.com/openai/codex
CODEX = (
    _route("backend-api/codex/responses", "responses"),
    _socket("backend-api/codex/responses", "responses", "", "openai-responses"),
    _route("backend-api/codex/responses/compact", "responses-compact"),
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
    _defers(f"{_MODEL}:(?:asyncBatchEmbedContent|batchGenerateContent)", "batchGenerateContent"),
    _free("batches/[^/]+:cancel", "batches"),
    _route("batches/[^/]+", "batch-status", "gemini-batch", method="GET", repeats=True),
    _route("interactions", "interactions", "gemini-interactions"),
    _route("interactions/[^/]+", "interactions-get", "gemini-interactions", method="GET", repeats=True),
    _route("openai/chat/completions", "openai-compat-chat", "openai", api="openai"),
    _route("openai/embeddings", "openai-compat-embeddings", "openai", api="openai"),
    _defers("openai/batches", "batches"),
    _defers("tunedModels", "tuning"),
    # https://ai.google.dev/api/live
    _socket(r"ws/[\w.]*BidiGenerateContent(?:Constrained)?", "realtime", "gemini-live", "gemini-live"),
    _free("auth_tokens", "realtime-session"),
    _free("(?:cachedContents|files|upload/.*)", "files"),
    _free_below("corpora|fileSearchStores", "files"),
)
# Gemini CLI, signed in with an account: https://github.com/google-gemini/gemini-cli , packages/core/src/code_assist
CODE_ASSIST = (
    _route("v1internal:generateContent", "generateContent"),
    _route("v1internal:streamGenerateContent", "streamGenerateContent"),
    _free("v1internal:countTokens", "countTokens"),
)
# https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest
VERTEX = (
    *_GENERATE,
    _route("models/[^/]+:rawPredict", "rawPredict", "anthropic", api="anthropic"),
    _route("models/[^/]+:streamRawPredict", "streamRawPredict", "anthropic", api="anthropic"),
    # The user's own containers take whatever they like.
    _upload("endpoints/[^/]+:rawPredict", "rawPredict", "anthropic", api="anthropic"),
    _upload("endpoints/[^/]+:streamRawPredict", "streamRawPredict", "anthropic", api="anthropic"),
    _defers("(?:batchPredictionJobs|tuningJobs)", "batches"),
    _route("endpoints/openapi/chat/completions", "openai-compat-chat", "openai", api="openai"),
    _socket(r"ws/[\w.]*LlmBidiService/BidiGenerateContent", "realtime", "gemini-live", "gemini-live"),
)

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html
BEDROCK = (
    _route("model/.+/converse", "converse"),
    _route("model/.+/converse-stream", "converse-stream"),
    _route("model/.+/invoke", "invoke", "bedrock-invoke"),
    _route("model/.+/invoke-with-response-stream", "invoke-with-response-stream", "bedrock-invoke"),
    _free("model/.+/count-tokens", "count-tokens"),
    _defers("async-invoke", "async-invoke"),
    _free("guardrail/.+/apply", "apply-guardrail"),
)

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Operations_Amazon_SageMaker_Runtime.html : containers
# are TGI or vLLM.
SAGEMAKER = (
    _upload("endpoints/[^/]+/invocations", "invocations", "sniff"),
    _upload("endpoints/[^/]+/invocations-response-stream", "invocations", "sniff"),
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
    _upload("audio/transcriptions", "audio-transcriptions"),
    _free("(?:tokenize|detokenize|check-api-key)", "tokenize"),
    _route("chat", "v2-chat"),
    _route("embed", "v2-embed"),
    _route("rerank", "v2-rerank"),
    _defers("(?:embed-jobs|batches|finetuning/finetuned-models)", "batches"),
    _free("(?:datasets|connectors|embed-jobs/[^/]+/cancel|batches/[^/]+:cancel)", "management"),
)

# https://docs.mistral.ai/api
MISTRAL = (
    _route("chat/completions", "chat"),
    _route("fim/completions", "fim"),
    _route("agents/completions", "agents"),
    _route("conversations(?:/.*)?", "conversations"),
    _route("embeddings", "embeddings"),
    _route("ocr", "ocr"),
    _upload("audio/transcriptions", "audio-transcriptions"),
    _route("audio/speech", "audio-speech"),
    _free("(?:chat/)?(?:moderations|classifications)", "moderations"),
    _defers("batch/jobs", "batches"),
    _route("batch/jobs/[^/]+", "batches", "mistral-batch", method="GET", repeats=True),
    _free("batch/jobs/[^/]+/cancel", "batches"),
    _route("files/[^/]+/content", "file-content", "openai-batch-results", method="GET", repeats=True),
    _defers("fine_tuning/jobs", "fine_tuning"),
    _free("(?:files|agents|agents/[^/]+)", "management"),
    _free_below("libraries", "management"),
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
    # Tasks other than text take sound and images as they are.
    Route(re.compile(r"^/?$"), "generate", "huggingface", api="huggingface", json=False),
    _upload("models/.+", "generate", "huggingface", api="huggingface"),
)

# `llama2_format` of Kong: `ollama` and `openai` are told by their paths. Raw is any other path: what transformers and
# llama.cpp answer there. https://developer.konghq.com/ai-gateway/ai-providers/llama/
LLAMA2 = (*OLLAMA, *HUGGINGFACE, Route(re.compile(""), "generate", "llama2", api="huggingface"))

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
CLOUDFLARE = (*OPENAI, _upload("ai/run/.+", "run", "sniff"))
DATABRICKS = (*OPENAI, _upload("serving-endpoints/[^/]+/invocations", "invocations", "sniff"))
OPENROUTER = (
    *OPENAI_AND_ANTHROPIC,
    _route("images", "images"),
    _free("(?:keys|keys/[^/]+|auth/.+|credits/.+)", "management"),
)
