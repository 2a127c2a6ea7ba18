"""The endpoints of each API family: which path and method is which endpoint, and whether it costs anything.

Patterns are searched at the end of the canonical path, whatever its case, so a base path in front of it, or a missing
`/v1`, changes nothing. The first matching row wins: rows that match much and cost nothing come last. What no row names
is decided by its method: see `providers.Directory.recognise`.
"""

import re

from limiter.usage.endpoints import Route, defers, free, free_below, route, socket, upload

_REALTIME = (
    # The usage of a session arrives in its WebSocket messages; the handshake itself reports nothing.
    socket("realtime", "realtime", "openai-realtime", "openai-realtime"),
    free("realtime/(?:sessions|client_secrets|transcription_sessions)", "realtime-session"),
)

# https://platform.openai.com/docs/api-reference
OPENAI = (
    route("chat/completions", "chat", streams_usage_on_request=True),
    route("completions", "completions", streams_usage_on_request=True),
    route("responses", "responses"),
    # https://developers.openai.com/api/docs/guides/websocket-mode ; https://docs.x.ai/developers/advanced-api-usage
    socket("responses", "responses", "", "openai-responses"),
    route("responses/compact", "responses-compact"),
    free("responses/input_tokens", "responses-input_tokens"),
    free("responses/[^/]+/input_items", "responses-input_items", "GET"),
    route("responses/[^/]+", "responses-get", method="GET", repeats=True),
    route("responses/[^/]+/cancel", "responses-cancel", repeats=True),
    route("embeddings", "embeddings"),
    free("moderations", "moderations"),
    route("images/generations", "images-generations", "openai-images"),
    upload("images/edits", "images-edits", "openai-images"),
    upload("images/variations", "images-variations", "openai-images"),
    upload("audio/transcriptions", "audio-transcriptions"),
    upload("audio/translations", "audio-translations"),
    route("audio/speech", "audio-speech"),
    # A batch is counted once, where its results are read: the batch object repeats a running total at every poll.
    defers("batches", "batches"),
    free("batches/[^/]+", "batches", "GET"),
    free("batches/[^/]+/cancel", "batches"),
    route("files/[^/]+/content", "file-content", "openai-batch-results", method="GET", repeats=True),
    free("(?:files|uploads|uploads/[^/]+/(?:parts|complete|cancel))", "files"),
    route("threads/(?:[^/]+/)?runs", "assistants-runs"),
    route("threads/[^/]+/runs/[^/]+/submit_tool_outputs", "assistants-runs"),
    route("threads/[^/]+/runs/[^/]+", "assistants-runs", method="GET", repeats=True),
    free("threads/[^/]+/runs/[^/]+(?:/cancel)?", "assistants-runs"),
    route("threads/[^/]+/runs", "assistants-runs", method="GET", repeats=True),
    free(
        "(?:threads|threads/[^/]+|threads/[^/]+/messages|assistants|assistants/[^/]+|conversations(?:/.*)?)",
        "assistants",
    ),
    route("rerank", "rerank"),
    *_REALTIME,
    # Trainings and evaluations run models, and say nothing of their tokens here.
    defers("(?:fine_tuning/jobs|fine-tunes|fine_tuning/alpha/graders/run)", "fine_tuning"),
    defers("evals/[^/]+/runs", "evals"),
    free("(?:evals|evals/[^/]+|evals/[^/]+/runs/[^/]+)", "evals"),
    free("fine_tuning/(?:jobs/[^/]+/(?:cancel|pause|resume)|checkpoints/.*|alpha/graders/validate)", "fine_tuning"),
    free("chat/completions/[^/]+", "chat-stored"),
    # https://openai.github.io/openai-agents-python/tracing/
    free("traces/ingest", "telemetry"),
    free("vector_stores(?:/.*)?", "vector_stores"),
    free_below("containers|skills|organization|projects|chatkit", "management"),
)

# https://docs.anthropic.com/en/api/messages ; /v1/complete is the legacy API without any usage.
ANTHROPIC = (
    route("messages", "messages", "anthropic", api="anthropic"),
    free("messages/count_tokens", "count_tokens"),
    defers("messages/batches", "batches"),
    free("messages/batches/[^/]+", "batches", "GET"),
    free("messages/batches/[^/]+/cancel", "batches"),
    route("messages/batches/[^/]+/results", "batch-results", "anthropic-batch-results", method="GET", repeats=True),
    route("complete", "complete", "anthropic", api="anthropic"),
    free("files", "files"),
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
    free_below("oauth|organizations|skills|mcp_servers|toolbox", "management"),
)
_ANTHROPIC_SIDE = (route("anthropic/v1/messages", "messages", "anthropic", api="anthropic"),)

# https://learn.microsoft.com/azure/ai-foundry/openai/reference ; Claude on Foundry: /anthropic/v1/messages.
AZURE = (
    *_ANTHROPIC_SIDE,
    free("anthropic/v1/messages/count_tokens", "count_tokens"),
    *OPENAI,
    route("images/generations:submit", "images-generations", "openai-images"),
)
# Codex, signed in with an account: https://github.com/openai/codex
CODEX = (
    route("backend-api/codex/responses", "responses"),
    socket("backend-api/codex/responses", "responses", "", "openai-responses"),
    route("backend-api/codex/responses/compact", "responses-compact"),
)

_MODEL = "(?:models|tunedModels|endpoints)/[^/]+"
_GENERATE = (
    route(f"{_MODEL}:generateContent", "generateContent"),
    route(f"{_MODEL}:streamGenerateContent", "streamGenerateContent"),
    free(f"{_MODEL}:countTokens", "countTokens"),
    free(f"{_MODEL}:computeTokens", "computeTokens"),
    route(f"{_MODEL}:embedContent", "embedContent"),
    route(f"{_MODEL}:batchEmbedContents", "batchEmbedContents"),
    route(f"{_MODEL}:predict", "predict", "vertex-predict"),
    route(f"{_MODEL}:predictLongRunning", "predictLongRunning"),
)
# https://ai.google.dev/api
GEMINI = (
    *_GENERATE,
    defers(f"{_MODEL}:(?:asyncBatchEmbedContent|batchGenerateContent)", "batchGenerateContent"),
    free("batches/[^/]+:cancel", "batches"),
    route("batches/[^/]+", "batch-status", "gemini-batch", method="GET", repeats=True),
    route("interactions", "interactions", "gemini-interactions"),
    route("interactions/[^/]+", "interactions-get", "gemini-interactions", method="GET", repeats=True),
    route("openai/chat/completions", "openai-compat-chat", "openai", api="openai"),
    route("openai/embeddings", "openai-compat-embeddings", "openai", api="openai"),
    defers("openai/batches", "batches"),
    defers("tunedModels", "tuning"),
    # https://ai.google.dev/api/live
    socket(r"ws/[\w.]*BidiGenerateContent(?:Constrained)?", "realtime", "gemini-live", "gemini-live"),
    free("auth_tokens", "realtime-session"),
    free("(?:cachedContents|files|upload/.*)", "files"),
    free_below("corpora|fileSearchStores", "files"),
)
# Gemini CLI, signed in with an account: https://github.com/google-gemini/gemini-cli , packages/core/src/code_assist
CODE_ASSIST = (
    route("v1internal:generateContent", "generateContent"),
    route("v1internal:streamGenerateContent", "streamGenerateContent"),
    free("v1internal:countTokens", "countTokens"),
)
# https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest
VERTEX = (
    *_GENERATE,
    route("models/[^/]+:rawPredict", "rawPredict", "anthropic", api="anthropic"),
    route("models/[^/]+:streamRawPredict", "streamRawPredict", "anthropic", api="anthropic"),
    # The user's own containers take whatever they like.
    upload("endpoints/[^/]+:rawPredict", "rawPredict", "anthropic", api="anthropic"),
    upload("endpoints/[^/]+:streamRawPredict", "streamRawPredict", "anthropic", api="anthropic"),
    defers("(?:batchPredictionJobs|tuningJobs)", "batches"),
    route("endpoints/openapi/chat/completions", "openai-compat-chat", "openai", api="openai"),
    socket(r"ws/[\w.]*LlmBidiService/BidiGenerateContent", "realtime", "gemini-live", "gemini-live"),
)

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html
BEDROCK = (
    route("model/.+/converse", "converse"),
    route("model/.+/converse-stream", "converse-stream"),
    route("model/.+/invoke", "invoke", "bedrock-invoke"),
    route("model/.+/invoke-with-response-stream", "invoke-with-response-stream", "bedrock-invoke"),
    free("model/.+/count-tokens", "count-tokens"),
    defers("async-invoke", "async-invoke"),
    free("guardrail/.+/apply", "apply-guardrail"),
)

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Operations_Amazon_SageMaker_Runtime.html : containers
# are TGI or vLLM.
SAGEMAKER = (
    upload("endpoints/[^/]+/invocations", "invocations", "sniff"),
    upload("endpoints/[^/]+/invocations-response-stream", "invocations", "sniff"),
)

# https://docs.cohere.com/reference/about
COHERE = (
    route("compatibility/v1/chat/completions", "openai-compat-chat", "openai", api="openai"),
    route("compatibility/v1/embeddings", "openai-compat-embeddings", "openai", api="openai"),
    *(
        route(f"{version}/{noun}", f"{version}-{noun}")
        for version in ("v1", "v2")
        for noun in ("chat", "embed", "rerank", "generate", "classify", "summarize")
    ),
    upload("audio/transcriptions", "audio-transcriptions"),
    free("(?:tokenize|detokenize|check-api-key)", "tokenize"),
    route("chat", "v2-chat"),
    route("embed", "v2-embed"),
    route("rerank", "v2-rerank"),
    defers("(?:embed-jobs|batches|finetuning/finetuned-models)", "batches"),
    free("(?:datasets|connectors|embed-jobs/[^/]+/cancel|batches/[^/]+:cancel)", "management"),
)

# https://docs.mistral.ai/api
MISTRAL = (
    route("chat/completions", "chat"),
    route("fim/completions", "fim"),
    route("agents/completions", "agents"),
    route("conversations(?:/.*)?", "conversations"),
    route("embeddings", "embeddings"),
    route("ocr", "ocr"),
    upload("audio/transcriptions", "audio-transcriptions"),
    route("audio/speech", "audio-speech"),
    free("(?:chat/)?(?:moderations|classifications)", "moderations"),
    defers("batch/jobs", "batches"),
    route("batch/jobs/[^/]+", "batches", "mistral-batch", method="GET", repeats=True),
    free("batch/jobs/[^/]+/cancel", "batches"),
    route("files/[^/]+/content", "file-content", "openai-batch-results", method="GET", repeats=True),
    defers("fine_tuning/jobs", "fine_tuning"),
    free("(?:files|agents|agents/[^/]+)", "management"),
    free_below("libraries", "management"),
)

# https://github.com/ollama/ollama/blob/main/docs/api.md ; under /v1 it speaks OpenAI's format.
OLLAMA = (
    route("api/chat", "native-chat", "ollama", api="ollama"),
    route("api/generate", "native-generate", "ollama", api="ollama"),
    route("api/embed", "native-embed", "ollama", api="ollama"),
    route("api/embeddings", "native-embeddings", "ollama", api="ollama"),
    free("api/(?:show|pull|push|create|copy|delete|blobs/.*)", "native-manage"),
    *OPENAI,
    *ANTHROPIC,
)

# https://huggingface.co/docs/text-generation-inference/messages_api ; the router speaks OpenAI's format.
HUGGINGFACE = (
    *OPENAI,
    route("generate", "generate", "huggingface", api="huggingface"),
    route("generate_stream", "generate_stream", "huggingface", api="huggingface"),
    free("tokenize", "tokenize"),
)
HUGGINGFACE_HOSTED = (
    *HUGGINGFACE,
    # Tasks other than text take sound and images as they are.
    Route(re.compile(r"^/?$"), "generate", "huggingface", api="huggingface", json=False),
    upload("models/.+", "generate", "huggingface", api="huggingface"),
)

# `llama2_format` of Kong: `ollama` and `openai` are told by their paths. Raw is any other path: what transformers and
# llama.cpp answer there. https://developer.konghq.com/ai-gateway/ai-providers/llama/
LLAMA2 = (*OLLAMA, *HUGGINGFACE, Route(re.compile(""), "generate", "llama2", api="huggingface"))

# https://dev.writer.com/api-reference
WRITER = (route("chat", "chat", streams_usage_on_request=True), *OPENAI)

# https://help.aliyun.com/zh/model-studio/developer-reference/ : native paths beside the compatible ones.
DASHSCOPE = (
    route("services/aigc/(?:text|multimodal)-generation/generation", "native-generation", "dashscope"),
    route("services/embeddings/.+", "native-embeddings", "dashscope"),
    *_ANTHROPIC_SIDE,
    *OPENAI,
)

OPENAI_AND_ANTHROPIC = (*_ANTHROPIC_SIDE, *OPENAI, *ANTHROPIC)
"""Hosts that offer both formats: DeepSeek, Moonshot, Z.ai, OpenRouter, vLLM …"""

VOYAGE = (route("multimodalembeddings", "embeddings"), route("contextualizedembeddings", "embeddings"), *OPENAI)
PORTKEY = (route("prompts/[^/]+/completions", "completions"), *OPENAI)
CLOUDFLARE = (*OPENAI, upload("ai/run/.+", "run", "sniff"))
DATABRICKS = (*OPENAI, upload("serving-endpoints/[^/]+/invocations", "invocations", "sniff"))
OPENROUTER = (
    *OPENAI_AND_ANTHROPIC,
    route("images", "images"),
    free("(?:keys|keys/[^/]+|auth/.+|credits/.+)", "management"),
)
