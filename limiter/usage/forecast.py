"""Tokens of an exchange before it is sent: what a hold books, and what a lost response is charged."""

import math
import re
from dataclasses import dataclass
from itertools import accumulate

from limiter.usage import tokens
from limiter.usage.decoding import CannotDecodeError, Gzip, Zstandard, decode_whole
from limiter.usage.outputs import output_limit
from limiter.usage.prompts import Prompt, prompt_of
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
IMAGE_OUTPUT = 6240
"""Tokens of a generated image, at most (gpt-image-1, high quality, 1536 × 1024)."""
PER_TURN = 4
PER_PROMPT = 3
"""What chat templates add: measured for OpenAI, near enough for others."""

_NO_COMPLETION = re.compile(r"embed|rerank|moderation|count|predict|tokenize|ocr|input_tokens", re.IGNORECASE)
"""Endpoints that read and do not write."""

# What `provider/model` matches, factor on our count, tokens added, tokens added when there are tools: from medians and
# 90th percentiles of billed prompt tokens against our count, over recorded exchanges. The first match counts.
_CORRECTIONS: tuple[tuple[re.Pattern[str], float, int, int], ...] = tuple(
    (re.compile(pattern), factor, added, added_with_tools)
    for pattern, factor, added, added_with_tools in (
        (r"claude|^anthropic/", 1.2, 16, 600),
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
    """Tokens."""

    prompt_tokens: int
    likely_completion: int
    max_completion: int


def forecast(ask: Ask, body: bytes) -> Forecast:
    """Counts the prompt and bounds the answer; never raises. CPU only: up to 0.1 s a MB, the interpreter's lock
    released.

    Args:
        body: as sent, under any content-encoding.
    """
    try:
        prompt = _prompt_tokens(ask, body)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001  (extensions may panic with what is no Exception; the length is an estimate too)
        prompt = len(body) // BYTES_PER_TOKEN + PER_PROMPT
    if _NO_COMPLETION.search(ask.endpoint.name):
        return Forecast(prompt, 0, 0)
    longest = IMAGE_OUTPUT if ask.endpoint.name.startswith("images") else output_limit(ask.endpoint.provider, ask.model)
    # What the request allows may be more than the model can give; that is no reason to book it.
    most = longest if ask.max_output is None else min(ask.max_output, longest)
    return Forecast(prompt, min(most, LIKELY_COMPLETION) * ask.choices, most * ask.choices)


def text_tokens(ask: Ask, text: str) -> int:
    """What the provider would bill for this much output text."""
    return tokens.of_output(ask.endpoint.provider, ask.model, text)


def prepare() -> None:
    """Loads vocabularies and model data, half a second, so that the first request need not."""
    for model in ("gpt-4o", "gpt-4"):  # One of each vocabulary.
        tokens.count(["a"], model)
    output_limit("openai", "gpt-4o")


def _prompt_tokens(ask: Ask, body: bytes) -> int:
    body = _plain(body)
    if body[:2] == b"--":
        return len(body) // AUDIO_UPLOAD_BYTES_PER_TOKEN + PER_PROMPT
    if len(body) > MOST_BODY:
        return len(body) // BYTES_PER_TOKEN
    prompt = prompt_of(body)
    _, factor, added, added_with_tools = next(
        row for row in _CORRECTIONS if row[0].search(f"{ask.endpoint.provider}/{ask.model}".lower())
    )
    text = _count(prompt, ask.model)
    media = prompt.images * IMAGE + prompt.other_media // MEDIA_BYTES_PER_TOKEN
    template = PER_TURN * max(prompt.turns, 1) + PER_PROMPT + (added_with_tools if prompt.schemas else added)
    return math.ceil(text * factor) + media + template


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
