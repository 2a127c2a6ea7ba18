"""Tokens of an exchange before it is sent: what a hold books, and what a lost response is charged."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from types import MappingProxyType

from limiter.meters import NOTHING_ELSE, Scope
from limiter.usage import tokens
from limiter.usage.bounds import most
from limiter.usage.decoding import CannotDecodeError, Gzip, Zstandard, decode_whole
from limiter.usage.outputs import output_limit
from limiter.usage.prompt import Prompt
from limiter.usage.prompts import form_of, prompt_of
from limiter.usage.requests import Ask

__all__ = ["Forecast", "forecast", "output_limit", "prepare", "text_tokens"]

MOST_TOKENISED = 2 * 1024 * 1024
"""Characters of a request that are counted exactly."""
BYTES_PER_TOKEN = 3
"""Of what is beyond; English has more, so this rather overrates."""
MOST_BODY = 64 * 1024 * 1024
LIKELY_COMPLETION = 1000
"""Tokens of an answer, where a likely length is asked for and not the greatest: few answers are longer."""
IMAGE = 1600
"""Tokens of an image, about: the most that Claude, and GPT at high detail, take for one of usual size."""
MEDIA_BYTES_PER_TOKEN = 50
"""Of documents, sound and film in base64: a page of a PDF has some 100 kB and makes some 2,000 tokens."""
AUDIO_UPLOAD_BYTES_PER_TOKEN = 1600
"""Of an uploaded recording: compressed speech has 16 kB a second, and a second makes ten tokens."""
RECORDED_BYTES_PER_SECOND = 16_000
"""Of compressed speech."""
SPOKEN_TOKENS_PER_CHARACTER = 1.5
"""No provider states it. Derived from one bill for gpt-4o-mini-tts: 4,096 characters of English became 268 s of speech
for $0.06471 (https://github.com/sanand0/blog/blob/main/posts/2025/openai-tts-cost.md), at $12 a million tokens
(https://developers.openai.com/api/docs/models/gpt-4o-mini-tts) 5,392 of them. That is 1.32 a character and 20 a second;
the rest is a margin for slower speech."""
PER_TURN = 4
PER_PROMPT = 3
"""What chat templates add: measured for OpenAI, near enough for others."""

SPEAKS = re.compile(r"speech")
"""Endpoints whose answer is sound and nothing else."""
_NO_COMPLETION = re.compile(r"embed|rerank|moderation|count|predict|tokenize|ocr|input_tokens", re.IGNORECASE)
"""Endpoints that read and do not write."""

# What `provider/model` matches, factor on our count, tokens added, tokens added when there are tools: from medians and
# 90th percentiles of billed prompt tokens against our count, over recorded exchanges. The first match counts.
_CORRECTIONS: tuple[tuple[re.Pattern[str], float, int, int], ...] = tuple(
    (re.compile(pattern), factor, added, added_with_tools)
    for pattern, factor, added, added_with_tools in (
        (r"claude-(?:instant|v?2|3|4-|(?:opus|sonnet|haiku)-(?:3|4(?![-.]?[7-9])))", 1.2, 16, 600),
        (r"claude|^anthropic/", 1.5, 16, 600),
        (r"nova", 1.05, 16, 800),
        (r"gpt-oss", 1.0, 64, 64),
        (r"llama", 1.05, 64, 64),
        (r"deepseek", 1.05, 16, 250),
        (r"^xai/|grok", 1.05, 16, 250),
        (r"^cohere/|command", 1.05, 128, 1400),
        (r"^(?:openai|azure|gemini|vertex)/|gpt-|gemini", 1.0, 16, 16),
        (r"", 1.05, 16, 64),
    )
)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Tokens. What is likely, and what is the most that there can be: see `bounds` for how certain that is."""

    prompt_tokens: int
    likely_completion: int
    max_completion: int
    most_prompt: int = 0
    """Less than `prompt_tokens`: as that."""
    scope: Scope = NOTHING_ELSE
    """Of what kinds the most may be, and what it may cost beside."""
    units: Mapping[str, int] = MappingProxyType({})
    """What is likely to be billed beside tokens, or in their place: seconds of a recording, characters to be spoken."""

    def told(self, context: int) -> "Forecast":
        """With what the model is told beside the body: roughly so many tokens of a conversation, spoken perhaps.

        The rough figure may be half of the truth at worst: it is what the last answer reported, and a token for every
        four bytes of what was said since.
        """
        if not context:
            return self
        scope = self.scope._replace(audio=self.scope.audio + 2 * context, images=self.scope.images + 2 * context)
        return replace(
            self,
            prompt_tokens=self.prompt_tokens + context,
            most_prompt=max(self.most_prompt, self.prompt_tokens) + 2 * context,
            scope=scope,
        )


def forecast(ask: Ask, body: bytes) -> Forecast:
    """Counts the prompt and bounds the answer; never raises. CPU only: up to 0.1 s a MB, the interpreter's lock
    released.

    Args:
        ask: with the name of the model that its own stands for.
        body: as sent, under any content-encoding.
    """
    if ask.endpoint.defers:
        return Forecast(0, 0, 0)  # What a batch uses is counted where its results are read.
    try:
        prompt, counted, likely = _look(ask, body)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001  (extensions may panic with what is no Exception; the length is an estimate too)
        likely = counted = len(body) // BYTES_PER_TOKEN + PER_PROMPT
        prompt = Prompt(hidden=True, writes="1h")
    bounds = most(ask, prompt, counted, likely)
    if _NO_COMPLETION.search(ask.endpoint.name):
        return Forecast(likely, 0, 0, bounds.prompt, bounds.scope)
    completion = bounds.completion
    units: dict[str, int] = {}
    if prompt.audio:
        units["audio_seconds"] = prompt.audio // RECORDED_BYTES_PER_SECOND + 1
    if SPEAKS.search(ask.endpoint.name):
        units["input_characters"] = characters = sum(map(len, prompt.texts))
        expected = math.ceil(characters * SPOKEN_TOKENS_PER_CHARACTER)
    else:
        expected = min(ask.max_output or LIKELY_COMPLETION, LIKELY_COMPLETION) * ask.choices * prompt.prompts
    return Forecast(likely, min(completion, expected), completion, bounds.prompt, bounds.scope, units)


def text_tokens(ask: Ask, text: str) -> int:
    """What the provider would bill for this much output text."""
    return tokens.of_output(ask.endpoint.provider, ask.model, text)


def prepare() -> None:
    """Loads vocabularies and model data, half a second, so that the first request need not."""
    for model in ("gpt-4o", "gpt-4"):  # One of each vocabulary.
        tokens.count(["a"], model)
    output_limit("openai", "gpt-4o")


def _look(ask: Ask, body: bytes) -> tuple[Prompt, int, int]:
    """What the body holds, the tokens of its text in OpenAI's vocabulary, and those of the whole prompt, likely."""
    body = _plain(body)
    if body[:2] == b"--":
        return form_of(body), 0, len(body) // AUDIO_UPLOAD_BYTES_PER_TOKEN + PER_PROMPT
    if len(body) > MOST_BODY:
        tokens_of_it = len(body) // BYTES_PER_TOKEN
        return Prompt(hidden=True, writes="1h"), tokens_of_it, tokens_of_it
    prompt = prompt_of(body)
    _, factor, added, added_with_tools = next(
        row for row in _CORRECTIONS if row[0].search(f"{ask.endpoint.provider}/{ask.model}".lower())
    )
    text = _count(prompt, ask.model)
    media = prompt.images * IMAGE + prompt.other_media // MEDIA_BYTES_PER_TOKEN
    template = PER_TURN * max(prompt.turns, 1) + PER_PROMPT + (added_with_tools if prompt.schemas else added)
    return prompt, text, math.ceil(text * factor) + media + template


def _plain(body: bytes) -> bytes:
    for magic, encoding in ((Gzip.MAGIC, "gzip"), (Zstandard.MAGIC, "zstd")):
        if body.startswith(magic):
            try:
                return decode_whole(body, encoding, MOST_BODY)
            except CannotDecodeError:
                return body
    return body


def _count(prompt: Prompt, model: str) -> int:
    every = [*prompt.texts, *prompt.schemas]
    sizes = list(accumulate(map(len, every)))
    fitting = [text for text, size in zip(every, sizes, strict=True) if size <= MOST_TOKENISED]
    beyond = every[len(fitting) :]
    if beyond:
        room = MOST_TOKENISED - (sizes[len(fitting) - 1] if fitting else 0)
        fitting.append(beyond[0][:room])
    unread = prompt.unread + sum(len(text) for text in beyond) - (len(fitting[-1]) if beyond else 0)
    return tokens.count(fitting, model) + -(-unread // BYTES_PER_TOKEN)
