"""The most that a request can consume: what a hold of `reserve: maximum` sets aside.

What is certain, if the provider keeps to what the request and its own documentation say:

- Text for OpenAI's models is counted in their own vocabulary, and their templates add a known little.
- The output ends where the request says, else at the model's longest, for each of the answers asked for.
- What the body does not hold (what was said before, files, addresses, what the provider's own tools find) is taken to
  fill the model's context window. So are documents and film, whose length their size does not tell.
- No prompt is longer than that window.

What is measured and not certain: other vendors' vocabularies, most of which are not public. The margins below cover
thirty languages, code, tables, numbers, identifiers and random text in the vocabularies of Gemma (Gemini's), Llama,
Mistral, Qwen, DeepSeek, Kimi, GLM, Phi and a reconstruction of Claude's; of the recorded exchanges whose request is
complete none has a longer prompt. Text that is made for it may: a run of one letter takes newer Claudes eight times
what it takes GPT, a run of line feeds old Llamas. Only a token for each byte would be certain: four times the truth.

What is not bounded: tools of the provider that take several rounds, each of which is billed with the whole context, or
more than `tools.SEARCHES` searches where the request sets no number; a provider that ignores the request's limit on
its output; a model that the provider or a gateway answers with in place of the one asked for, or asks beside it
(Anthropic's advisors); a dearer service tier, or a dearer place, that an account has by default.
"""

import math
import re
from collections.abc import Iterable
from typing import NamedTuple

from limiter.meters import Scope
from limiter.usage.outputs import bare, context_limit, output_limit
from limiter.usage.prompt import Prompt
from limiter.usage.requests import Ask
from limiter.usage.tools import SEARCHES

IMAGE_TOOL_INPUT = 20_000
"""Tokens that a tool which draws is given for each picture: some pictures and a prompt."""
PAGES = 1_000
"""Of a document to be read by OCR: providers take no more."""
DOCUMENT_CHUNK = 250
"""Tokens of a document from which on rankings count it as several."""
AUDIO_BYTES_PER_TOKEN = 64
"""Of a recording: the lowest rates that codecs for speech have, and ten tokens a second."""
AUDIO_BYTES_PER_SECOND = 640
PER_TURN = 12
PER_TEXT = 4
"""What templates add, at most: to each message, and to each part of one."""
PER_BUILT_IN_TOOL = 1_000
"""The descriptions that a provider adds for tools of its own design which the client runs (a computer, a shell)."""
PER_CITING = 1_000
"""How to cite from documents; measured: 580."""
BYTES_PER_UNKNOWN_TOKEN = 2
"""Of what is JSON, or sealed in base64."""

READS_MANY = re.compile(r"embed|rerank|ocr|predict|classify", re.IGNORECASE)
"""Endpoints that read several texts in one request, each of them within the model's window."""
_KEEPS_STATE = re.compile(r"^(?:assistants|conversations|agents)")
"""Endpoints whose conversation the provider keeps."""
_FINDS_MORE = re.compile(r"compound|sonar|[-_]search|deep[-_]research|:online$")
"""Models that search by themselves."""
_ONLY_TEXT = frozenset({"chat", "completions", "responses", "openai-compat-chat"})
"""OpenAI's endpoints, which answer with text unless asked for something else."""
_ASKS_TO_CACHE = re.compile(r"claude|nova")
"""Models whose prompt is written to a cache only where the request says so. Others' providers may do it unasked."""


class _Margin(NamedTuple):
    """By how much a vocabulary may exceed o200k."""

    factor: float
    digit: float = 0.0
    """Tokens more for each digit: o200k joins three."""
    near: float = 0.0
    """Tokens more for each byte of Latin with accents, Cyrillic, Chinese, Japanese, Korean, symbols."""
    far: float = 0.0
    """Tokens more for each byte of emoji and any other script, of which many vocabularies have little but bytes."""
    added: int = 400
    """Tokens of templates, and of instructions that the provider adds."""
    added_with_tools: int = 1_200


_EXACT = _Margin(1.05, added=200, added_with_tools=600)
# What `provider/model` matches, in lower case and without versions; the first counts.
_MARGINS: tuple[tuple[re.Pattern[str], _Margin], ...] = tuple(
    (re.compile(pattern), margin)
    for pattern, margin in (
        (r"claude-(?:instant|v?2|3|4-|(?:opus|sonnet|haiku)-(?:3|4(?![-.]?[7-9])))", _Margin(1.6, near=0.15, far=0.15)),
        (r"claude|^anthropic/", _Margin(2.3, near=0.1, far=0.1)),
        (r"gemini|^gemini/", _Margin(1.3, digit=0.67, near=0.08, far=0.11)),
        (r"^cohere/|command", _Margin(1.5, digit=0.67, near=0.1, far=0.7, added=2_000, added_with_tools=3_000)),
        (r"^openai/|/(?:gpt-|chatgpt|o\d|text-embedding|codex)", _EXACT),
        (r"", _Margin(1.5, digit=0.67, near=0.1, far=0.7)),
    )
)
# Tokens of a picture, at most. https://platform.openai.com/docs/guides/images-vision#calculating-costs
# · https://docs.anthropic.com/en/docs/build-with-claude/vision · https://ai.google.dev/gemini-api/docs/tokens
_IMAGES: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(pattern), most)
    for pattern, most in (
        (r"gpt-4o-mini", 48_200),  # Eight tiles of 5,667.
        (r"gpt-5[-.][4-9]|gpt-[6-9]", 12_000),  # `detail: original`
        (r"^openai/|/(?:gpt-|chatgpt|o\d|codex)", 6_300),
        (r"claude-(?:instant|v?2|3|4-|(?:opus|sonnet|haiku)-(?:3|4(?![-.]?[7-9])))", 1_700),
        (r"claude|^anthropic/", 5_000),
        (r"gemini", 8_000),  # Thirty tiles of 258.
        (r"", 16_400),  # Qwen's largest.
    )
)
# Tokens of a generated picture, at most, previews included.
_DRAWN: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"gpt-image-1"), 6_540),
    (re.compile(""), 16_400),
)

_DIGITS = b"0123456789"
_NEAR = bytes(range(0xC2, 0xCA)) + bytes((0xD0, 0xD1)) + bytes(range(0xE2, 0xF0))
"""First bytes of characters, by UTF-8."""
_FAR = bytes(range(0xCA, 0xD0)) + bytes(range(0xD2, 0xE2)) + bytes(range(0xF0, 0xF8))
_BYTES_OF_NEAR = 3
_BYTES_OF_FAR = 3


class Most(NamedTuple):
    prompt: int
    """Tokens."""
    completion: int
    scope: Scope


def most(ask: Ask, prompt: Prompt, counted: int, likely: int) -> Most:
    """Bounds of what the request can consume.

    Args:
        prompt: what the body holds.
        counted: tokens of its texts and schemas, in OpenAI's vocabulary.
        likely: tokens of the prompt, as is likely. The bound is no smaller.
    """
    provider, model = ask.endpoint.provider, ask.model
    window = context_limit(provider, model, longer=ask.reads_more or prompt.reads_more)
    name = f"{provider}/{bare(model)}"
    margin = _of(_MARGINS, name)
    image = _of(_IMAGES, name)
    text = _text(prompt, counted, margin)
    images = prompt.images * image
    audio = prompt.audio // AUDIO_BYTES_PER_TOKEN + (1 if prompt.audio else 0)
    # Where each message says something, there are no more of them than texts.
    template = PER_TURN * prompt.turns + PER_TEXT * len(prompt.texts) + PER_BUILT_IN_TOOL * prompt.built_in
    added = (margin.added_with_tools if prompt.schemas else margin.added) + (PER_CITING if prompt.cites else 0)
    rest = (prompt.sealed + prompt.unknown) // BYTES_PER_UNKNOWN_TOKEN + prompt.numbers
    bound = text + images + audio + template + added + rest
    hidden = is_hidden(ask, prompt)
    if hidden:
        bound = max(bound, window) if READS_MANY.search(ask.endpoint.name) else window
        images = audio = bound
        if prompt.repeated:
            bound *= 2
    elif not READS_MANY.search(ask.endpoint.name):
        bound = min(bound, window)
    bound = max(bound, likely)
    if ask.endpoint.name.startswith("images"):
        bound *= ask.choices  # Each picture reads it anew.
        images = audio = bound
    return Most(bound, _completion(ask, prompt, window), _scope(ask, prompt, bound, audio, images))


def is_hidden(ask: Ask, prompt: Prompt) -> bool:
    """Whether the model is given more than the body holds."""
    return (
        prompt.hidden
        or bool(ask.problem)
        or _KEEPS_STATE.search(ask.endpoint.name) is not None
        or ask.endpoint.provider == "perplexity"
        or _FINDS_MORE.search(ask.model.lower()) is not None
    )


def _of[Row](table: Iterable[tuple[re.Pattern[str], Row]], name: str) -> Row:
    return next(row for pattern, row in table if pattern.search(name))


def _text(prompt: Prompt, counted: int, margin: _Margin) -> int:
    """Tokens of all text, at most."""
    every = [*prompt.texts, *prompt.schemas]
    data = "".join(every).encode("utf-8", "replace")
    size = len(data)
    # No vocabulary has shorter tokens than bytes; some begin each text with one of their own.
    ceiling = size + len(every) + prompt.unread
    if ceiling <= counted:
        return counted
    estimate = counted * margin.factor + prompt.unread
    if margin.digit:
        # The same ones part carriage returns from what follows.
        estimate += margin.digit * (size - len(data.translate(None, _DIGITS))) + 2 * data.count(b"\r")
    if margin.far and not data.isascii():
        estimate += margin.near * _BYTES_OF_NEAR * (size - len(data.translate(None, _NEAR)))
        estimate += margin.far * _BYTES_OF_FAR * (size - len(data.translate(None, _FAR)))
    if margin.factor > _EXACT.factor:
        # Runs of blanks and rules are a token to o200k, and several to others.
        estimate = max(estimate, size * margin.factor / 4)
    return min(math.ceil(estimate), ceiling)


def _completion(ask: Ask, prompt: Prompt, window: int) -> int:
    """Tokens of all answers, at most; what says that it writes nothing is the caller's affair."""
    if ask.endpoint.name.startswith("images"):
        return _of(_DRAWN, ask.model) * ask.choices
    longest = output_limit(ask.endpoint.provider, ask.model)
    # The client may know better than the data how long the model's answers may be, but for what no model can do.
    each = longest if ask.max_output is None else min(ask.max_output, max(longest, window))
    # Some count the mark at the end and do not count it against the limit.
    total = (each + 1) * ask.choices * prompt.prompts + prompt.predicted
    return total + longest if prompt.repeated else total


def _scope(ask: Ask, prompt: Prompt, bound: int, audio: int, images: int) -> Scope:
    named = prompt.modalities
    plain = ask.endpoint.name in _ONLY_TEXT and named is None
    writes = prompt.writes or (
        "" if _ASKS_TO_CACHE.search(ask.model.lower()) or ask.endpoint.api == "anthropic" else "5m"
    )
    searches = prompt.searches or (SEARCHES if _FINDS_MORE.search(ask.model.lower()) else 0)
    units: dict[str, int] = {}
    if prompt.draws:
        units["image_gen_input_tokens"] = prompt.draws * IMAGE_TOOL_INPUT
        units["image_gen_output_tokens"] = prompt.draws * _of(_DRAWN, "")
    if ask.endpoint.name.startswith("ocr"):
        units["pages"] = PAGES
    if "rerank" in ask.endpoint.name:
        units["searches"] = 1 + (prompt.rankings + bound // DOCUMENT_CHUNK) // 100
    elif ask.endpoint.provider in ("perplexity", "openrouter") and searches:
        units["searches"] = searches
    if prompt.audio:
        units["audio_seconds"] = prompt.audio // AUDIO_BYTES_PER_SECOND + 1
    if "speech" in ask.endpoint.name:
        units["input_characters"] = sum(map(len, prompt.texts))
    return Scope(
        audio=audio,
        images=images,
        writes=writes,
        speaks=not plain and (named is None or "audio" in named),
        draws=not plain and (named is None or "image" in named),
        searches=searches,
        units=units,
        tier="fast" if prompt.fast else ask.service_tier,
        premium=prompt.premium,
    )
