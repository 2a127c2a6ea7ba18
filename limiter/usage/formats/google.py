"""Gemini and Vertex: thinking and tool prompts are counted apart; every chunk repeats the counts so far.

https://ai.google.dev/api/generate-content#UsageMetadata
"""

from dataclasses import replace

from limiter.usage.counts import Counts, sums
from limiter.usage.reader import Reader, paths, tree

_COUNTS = Counts(
    prompt=sums("promptTokenCount + toolUsePromptTokenCount"),
    completion=sums("candidatesTokenCount + responseTokenCount + thoughtsTokenCount"),
    total=sums("totalTokenCount"),
    cached=sums("cachedContentTokenCount"),
    reasoning=sums("thoughtsTokenCount"),
    apart=sums("thoughtsTokenCount + toolUsePromptTokenCount"),
    prompt_audio=sums("promptTokensDetails.AUDIO"),
    completion_audio=sums("candidatesTokensDetails.AUDIO", "responseTokensDetails.AUDIO"),
    prompt_image=sums("promptTokensDetails.IMAGE"),
    completion_image=sums("candidatesTokensDetails.IMAGE", "responseTokensDetails.IMAGE"),
    tier=paths("serviceTier", "trafficType"),  # Gemini; Vertex
)
GEMINI = Reader(
    counts=_COUNTS,
    usage=paths("usageMetadata"),
    model=paths("modelVersion"),
    id=paths("responseId"),
    text=tree(
        *(
            f"candidates.content.parts.{part}"
            for part in ("text", "functionCall.name", "functionCall.args", "executableCode.code")
        )
    ),
    stops=tree("candidates.finishReason", "promptFeedback.blockReason"),
)
# Gemini CLI after signing in wraps requests in `request` and responses in `response`.
CODE_ASSIST = replace(
    GEMINI,
    usage=paths("response.usageMetadata"),
    model=paths("response.modelVersion"),
    id=paths("response.responseId", "traceId"),
    text={"response": GEMINI.text},
    stops={"response": GEMINI.stops},
)
GEMINI_BATCH = replace(
    GEMINI,
    usage=paths("response.inlinedResponses.inlinedResponses.*.response.usageMetadata"),
    id=paths("name"), text={}, stops={}, sums=True, service_tier="batch",
)  # fmt: skip
# https://ai.google.dev/api/live
GEMINI_LIVE = replace(
    GEMINI,
    text=tree(
        "serverContent.modelTurn.parts.text", "serverContent.outputTranscription.text",
        "toolCall.functionCalls.name", "toolCall.functionCalls.args",
    ),
    stops={},
    sums=True,
)  # fmt: skip
# https://ai.google.dev/api/interactions-api
GEMINI_INTERACTIONS = Reader(
    counts=Counts(
        prompt=sums("total_input_tokens + total_tool_use_tokens"),
        completion=sums("total_output_tokens + total_thought_tokens"),
        total=sums("total_tokens"),
        cached=sums("total_cached_tokens"),
        reasoning=sums("total_thought_tokens"),
        apart=sums("total_thought_tokens + total_tool_use_tokens"),
        prompt_audio=sums("input_tokens_by_modality.audio"),
        prompt_image=sums("input_tokens_by_modality.image"),
        completion_audio=sums("output_tokens_by_modality.audio"),
        completion_image=sums("output_tokens_by_modality.image"),
    ),
    usage=paths("interaction.usage", "usage"),
    model=paths("model", "interaction.model"),
    id=paths("id", "interaction.id"),
    text=tree("delta.text", "delta.thought", "delta.arguments", "outputs.text", "outputs.arguments"),
    ends=((("event_type",), frozenset({"interaction.complete", "interaction.completed"})),),
    pending=((("status",), frozenset({"in_progress", "queued"})),),
)
# https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
VERTEX_PREDICT = Reader(
    counts=Counts(prompt=sums("token_count")),
    usage=paths("predictions.*.embeddings.statistics"),
    model=paths("model", "deployedModelId"),
    sums=True,
)
