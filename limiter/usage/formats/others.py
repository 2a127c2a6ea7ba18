"""Formats of one provider each: Cohere, Ollama, Hugging Face's text-generation-inference, raw Llama 2, DashScope."""

from dataclasses import replace

from limiter.usage.counts import Counts, sums
from limiter.usage.formats.openai import COUNTS
from limiter.usage.reader import Reader, paths, tree

# Cohere: `tokens` is what the model saw, `billed_units` what is charged.
# https://docs.cohere.com/reference/chat

_BILLED_INPUT = "billed_units.input_tokens + billed_units.image_tokens"
COHERE = Reader(
    counts=Counts(
        prompt=sums("tokens.input_tokens + tokens.image_tokens", _BILLED_INPUT),
        completion=sums("tokens.output_tokens", "billed_units.output_tokens"),
        cached=sums("cached_tokens"),
        reasoning=sums("tokens.reasoning_tokens"),
        prompt_image=sums("tokens.image_tokens", "billed_units.image_tokens"),
        units={
            "billed_input_tokens": sums(_BILLED_INPUT),
            "billed_output_tokens": sums("billed_units.output_tokens"),
            "searches": sums("billed_units.search_units"),
        },
    ),
    usage=paths("response.meta", "meta", "delta.usage", "usage"),
    model=(),
    id=paths("id", "generation_id", "response.generation_id"),
    text=tree(
        "delta.message.content.text", "delta.message.content.thinking", "delta.message.tool_plan",
        "delta.message.tool_calls.function.arguments", "message.content.text", "message.content.thinking",
        "text", "generations.text", "tool_call_delta.parameters",
    ),
    ends=((("type",), frozenset({"message-end"})), (("event_type",), frozenset({"stream-end"}))),
    mute=frozenset({"tool-plan-end"}),
)  # fmt: skip

# https://github.com/ollama/ollama/blob/main/docs/api.md ; old versions leave out what a cache gave.

OLLAMA = Reader(
    counts=Counts(prompt=sums("prompt_eval_count"), completion=sums("eval_count")),
    usage=paths(""),
    id=(),
    text=tree("message.content", "message.thinking", "message.tool_calls.function.arguments", "response", "thinking"),
    stops=tree("done_reason"),
)

# https://github.com/huggingface/text-generation-inference/blob/main/docs/openapi.json

HUGGINGFACE = Reader(
    counts=Counts(
        prompt=sums("input_length", "prompt_tokens"),
        completion=sums("generated_tokens", "completion_tokens"),
        total=sums("total_tokens"),
    ),
    usage=paths("details", "usage"),
    id=(),
    text=tree("token.text", "generated_text", "choices.delta.content", "choices.message.content"),
    part="token",
    stops=tree("details.finish_reason", "choices.finish_reason"),
    headers={"x-prompt-tokens": "input_length", "x-generated-tokens": "generated_tokens"},
)
# transformers, with `data` around it or not, counts nothing; llama.cpp does. Other forms come on unknown paths, too.
# https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
LLAMA2 = replace(
    HUGGINGFACE,
    counts=Counts(
        prompt=sums("input_length", "prompt_tokens", "prompt_eval_count", "tokens_evaluated"),
        completion=sums("generated_tokens", "completion_tokens", "eval_count", "tokens_predicted"),
        total=sums("total_tokens"),
    ),
    usage=paths("details", "usage", ""),
    text=tree(
        "token.text", "generated_text", "data.generated_text", "content", "response", "message.content",
        "choices.delta.content", "choices.message.content", "choices.text",
    ),
    stops=tree("details.finish_reason", "choices.finish_reason", "done_reason", "stop"),
)  # fmt: skip

# https://help.aliyun.com/zh/model-studio/qwen-api-reference ; every event of a stream repeats the counts so far.

DASHSCOPE = Reader(
    counts=COUNTS,
    usage=paths("usage"),
    model=(),
    id=paths("request_id"),
    # No text: events may repeat all that came before, and their counts are up to date.
    stops=tree("output.finish_reason", "output.choices.finish_reason"),
)
