"""Bedrock: one format for `converse`, and with `invoke` every model family's own."""

from limiter.usage.counts import Counts, sums
from limiter.usage.formats.anthropic import CREATION, prepared
from limiter.usage.reader import Reader, paths, tree

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
# The input excludes what the cache gave.
BEDROCK_CONVERSE = Reader(
    counts=Counts(
        prompt=sums("inputTokens + cacheReadInputTokens + cacheWriteInputTokens"),
        completion=sums("outputTokens"),
        total=sums("totalTokens"),
        cached=sums("cacheReadInputTokens"),
        cache_creation=sums("cacheWriteInputTokens"),
        apart=sums("cacheReadInputTokens + cacheWriteInputTokens"),
        cache_creation_1h=sums("cacheDetails.1h"),
        tier=paths("serviceTier"),
    ),
    usage=paths("usage"),
    model=(),
    id=(),
    text=tree(
        "delta.text", "delta.reasoningContent.text", "delta.toolUse.input", "start.toolUse.name",
        "output.message.content.text", "output.message.content.reasoningContent.reasoningText.text",
        "output.message.content.toolUse.name", "output.message.content.toolUse.input",
    ),
    stops=tree("stopReason"),
)  # fmt: skip
# Every model family answers in its own format; what Bedrock itself counted is in headers, or in a stream's last chunk.
# Where both are there the larger is right: the metrics miss output of Claude's tool calls.
BEDROCK_INVOKE = Reader(
    counts=Counts(
        prompt=sums(
            "input_tokens + cache_read_input_tokens + cache_creation_input_tokens",  # Claude
            "inputTokenCount + cacheReadInputTokenCount + cacheWriteInputTokenCount",  # metrics and headers
            "inputTokens + cacheReadInputTokenCount + cacheWriteInputTokenCount",  # Nova
            "prompt_tokens",  # Jamba, Kimi, Nemotron, imported models
            "prompt_token_count",  # Llama
            "inputTextTokenCount",  # Titan
        ),
        completion=sums(
            "output_tokens", "outputTokenCount", "outputTokens", "completion_tokens", "generation_token_count",
            "totalOutputTextTokenCount", "tokenCount",
        ),
        cached=sums("cache_read_input_tokens", "cacheReadInputTokenCount", "prompt_tokens_details.cached_tokens"),
        cache_creation=sums(*CREATION, "cacheWriteInputTokenCount"),
        apart=sums(
            "cache_read_input_tokens + cache_creation_input_tokens",
            "cacheReadInputTokenCount + cacheWriteInputTokenCount",
        ),
        cache_creation_1h=sums("cache_creation.ephemeral_1h_input_tokens"),
        reasoning=sums("output_tokens_details.thinking_tokens", "completion_tokens_details.reasoning_tokens"),
        web_searches=sums("server_tool_use.web_search_requests"),
        tier=paths("service_tier"),
        largest=True,
        prepare=prepared,
        also=("iterations", "speed"),
    ),
    usage=paths("message.usage", "usage", "metadata.usage", "results.*", "", "amazon-bedrock-invocationMetrics"),
    model=paths("message.model", "model"),
    id=paths("message.id", "id"),
    text=tree(
        "delta.text", "delta.thinking", "delta.partial_json",  # Claude, streamed
        "content.text", "content.thinking", "content.input",  # Claude
        "completion", "contentBlockDelta.delta.text", "output.message.content.text",  # Claude 2; Nova
        "generation", "outputText", "results.outputText", "outputs.text",  # Llama; Titan; Mistral
        "choices.delta.content", "choices.message.content", "text", "generations.text",  # OpenAI's format; Cohere
    ),
    stops=tree("amazon-bedrock-invocationMetrics"),
    ends=((("type",), frozenset({"message_stop"})),),
    headers={
        "x-amzn-bedrock-input-token-count": "inputTokenCount",
        "x-amzn-bedrock-output-token-count": "outputTokenCount",
        "x-amzn-bedrock-cache-read-input-token-count": "cacheReadInputTokenCount",
        "x-amzn-bedrock-cache-write-input-token-count": "cacheWriteInputTokenCount",
    },
)  # fmt: skip
