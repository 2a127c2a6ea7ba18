"""OpenAI and all that copy it: chat, completions, responses, embeddings, images, audio, assistants, realtime.

https://platform.openai.com/docs/api-reference ; names that only one server uses are marked with it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from limiter.meters import NANO
from limiter.usage.counts import Counts, sums
from limiter.usage.jsonpeek import dig
from limiter.usage.reader import Reader, paths, tree

COUNTS = Counts(
    prompt=sums("prompt_tokens", "input_tokens"),
    completion=sums("completion_tokens", "output_tokens"),
    total=sums("total_tokens"),
    cached=sums(
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "prompt_token_details.cached_tokens",  # assistants, Writer
        "input_token_details.cached_tokens",  # realtime
        "cached_tokens",  # Together, Moonshot
        "num_cached_tokens",  # Mistral, formerly
        "prompt_cache_hit_tokens",  # DeepSeek, formerly
        "cache_read_input_tokens",  # Databricks
    ),
    cache_creation=sums(
        "prompt_tokens_details.cache_write_tokens",
        "input_tokens_details.cache_write_tokens",
        "cache_creation_input_tokens",  # Databricks
    ),
    reasoning=sums(
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
        "completion_token_details.reasoning_tokens",  # Writer
        "reasoning_tokens",  # Perplexity
    ),
    prompt_audio=sums(
        "prompt_tokens_details.audio_tokens", "input_token_details.audio_tokens", "input_tokens_details.audio_tokens"
    ),
    completion_audio=sums(
        "completion_tokens_details.audio_tokens",
        "output_token_details.audio_tokens",
        "output_tokens_details.audio_tokens",
    ),
    prompt_image=sums(
        "input_tokens_details.image_tokens", "prompt_tokens_details.image_tokens", "input_token_details.image_tokens"
    ),
    completion_image=sums("output_tokens_details.image_tokens", "completion_tokens_details.image_tokens"),
    web_searches=sums("web_search.num_requests"),  # responses, in `tool_usage`
    units={
        "image_gen_input_tokens": sums("image_gen.input_tokens"),  # as above; billed beside the response's own tokens
        "image_gen_output_tokens": sums("image_gen.output_tokens"),
        "audio_seconds": sums("seconds", "prompt_audio_seconds"),  # Whisper; Mistral
        "pages": sums("pages_processed"),  # Mistral OCR
        "searches": sums("search_units", "num_search_queries"),  # OpenRouter rankings; Perplexity
    },
    tier=paths("service_tier"),
)
OPENAI = Reader(
    counts=COUNTS,
    # Groq; tools that OpenAI's servers ran; responses; Mistral OCR; all others.
    usage=paths("x_groq.usage", "response.tool_usage", "tool_usage", "response.usage", "usage_info", "usage"),
    model=paths("model", "response.model"),
    id=paths("id", "response.id"),
    tier=paths("service_tier", "response.service_tier"),
    text=tree(
        *(
            f"choices.{message}.{part}"
            for message in ("delta", "message")
            for part in (
                "content.text", "content.thinking.text", "reasoning_content", "reasoning", "refusal",
                "audio.transcript",
                "tool_calls.function.name", "tool_calls.function.arguments", "function_call.arguments",
            )
        ),
        "choices.text", "value",  # completions; Writer's
        # Responses and transcriptions stream text as the event's `delta`, assistants as an object there.
        "delta.content.text.value", "delta.step_details.tool_calls.function.arguments",
        "output.content.text", "output.content.refusal", "output.summary.text", "output.name", "output.arguments",
        "output.input",
    ),
    mute=frozenset({"response.audio.delta", "response.output_audio.delta", "speech.audio.delta"}),
    ends=(
        (("type",), frozenset({
            "conversation.response.done",  # Mistral
            "response.completed", "response.incomplete", "response.failed", "response.done", "transcript.text.done",
            "speech.audio.done", "image_generation.completed", "image_edit.completed",
        })),
    ),
    stops=tree("choices.finish_reason"),
    pending=((("status",), frozenset({"queued", "in_progress"})),),
    background=paths("background", "response.background"),
)  # fmt: skip
# Images are all that gpt-image models give when they list no details.
OPENAI_IMAGES = replace(
    OPENAI,
    counts=replace(
        COUNTS,
        completion_image=sums("output_tokens_details.image_tokens", "output_tokens"),
        dollars=(("cost_in_usd_ticks", 0.1),),
    ),
)
OPENAI_REALTIME = replace(
    OPENAI,
    usage=paths("response.usage", "usage"),
    sums=True,
    only=frozenset({"response.done", "conversation.item.input_audio_transcription.completed"}),
    text=tree("delta"),
    mute=frozenset({"response.audio.delta", "response.output_audio.delta"}),
    background=(),
)
OPENAI_BATCH_RESULTS = replace(
    OPENAI,
    usage=paths("response.body.usage"),
    model=paths("response.body.model"),
    text={},
    sums=True,
    service_tier="batch",
)
MISTRAL_BATCH = replace(
    OPENAI, usage=paths("outputs.*.response.body.usage"), text={}, sums=True, pending=(), service_tier="batch"
)
# The last chunk's choice has it when it was not asked for, the chunk itself when it was.
MOONSHOT = replace(OPENAI, usage=paths("choices.*.usage", "usage"))
# https://docs.x.ai/developers/pricing : searches of either kind cost the same.
_SEARCHES = "server_side_tool_usage_details.web_search_calls + server_side_tool_usage_details.x_search_calls"
XAI = replace(OPENAI, counts=replace(COUNTS, web_searches=sums(_SEARCHES), dollars=(("cost_in_usd_ticks", 0.1),)))
# Each chunk repeats the message so far beside its delta.
PERPLEXITY = replace(
    OPENAI,
    counts=replace(COUNTS, dollars=(("cost.total_cost", NANO),)),
    text=tree("choices.delta.content"),
)


def _own_key(native: Mapping[str, Any]) -> Mapping[str, Any]:
    """With the user's own key (`is_byok`) OpenRouter's `cost` is its fee, and the upstream's bill comes on top."""
    upstream = dig(native, ("cost_details", "upstream_inference_cost"))
    fee = dig(native, ("cost",))
    if native.get("is_byok") is not True or type(upstream) not in (int, float) or type(fee) not in (int, float):
        return native
    return {**native, "cost": fee + upstream}


# https://openrouter.ai/docs/use-cases/usage-accounting
OPENROUTER = replace(
    OPENAI,
    counts=replace(COUNTS, dollars=(("cost", NANO),), prepare=_own_key, also=("is_byok", "cost_details")),
)
