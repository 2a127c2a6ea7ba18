"""Tables of counts: which fields add up, and what is no number."""

# ruff: noqa: E501  (objects, one a line)

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.meters import Usage
from limiter.usage.counts import Counts, add, read, sums
from limiter.usage.formats import anthropic, google, openai
from limiter.usage.formats.openai import COUNTS
from limiter.usage.reader import paths
from limiter.usage.readers import READERS

TABLE = Counts(
    prompt=sums("in + cache.read", "old_in"),
    completion=sums("out"),
    total=sums("all"),
    cached=sums("cache.read"),
    cache_creation=sums("cache.write"),
    reasoning=sums("thought"),
    units={"pages": sums("pages")},
    dollars=(("price", 1e9), ("ticks", 0.1)),
    tier=paths("tier"),
)


def test_terms_add_up_and_the_first_alternative_counts() -> None:
    assert read(TABLE, {"in": 3, "cache": {"read": 4}, "old_in": 100, "out": 5}) == Usage(
        prompt_tokens=7, completion_tokens=5, total_tokens=12, cached_tokens=4
    )
    assert read(TABLE, {"old_in": 9}) == Usage(prompt_tokens=9, total_tokens=9)


def test_parts_stay_within_their_whole() -> None:
    usage = read(TABLE, {"old_in": 10, "out": 2, "cache": {"write": 161}, "thought": 9})
    assert usage is not None
    assert (usage.cache_creation_tokens, usage.reasoning_tokens) == (10, 2)


@pytest.mark.parametrize("bad", [-1, 1.0, 5.5, "7", True, None, [], {}, 10**13, 10**40])
def test_what_is_no_count_is_as_good_as_absent(bad: object) -> None:
    assert read(TABLE, {"in": bad, "out": 2}) == Usage(completion_tokens=2, total_tokens=2)
    assert read(TABLE, {"in": bad}) is None


def test_nothing_reported_is_no_usage() -> None:
    assert read(TABLE, {}) is None
    assert read(TABLE, {"tier": "flex", "thought": 5}) is None
    assert read(TABLE, {"in": 0}) == Usage()


@pytest.mark.parametrize(
    ("native", "expected"),
    [
        ({"price": 0.000427}, 427_000),
        ({"price": 1.4e-07}, 140),
        ({"price": 0}, 0),
        ({"price": 1e-10}, 1),
        ({"ticks": 1466250}, 146_625),
        ({"ticks": 11}, 2),
        ({"price": -1}, None),
        ({"price": "1"}, None),
        ({"price": True}, None),
        ({"price": 1e300}, None),
    ],
)
def test_money_is_rounded_up_to_billionths(native: dict[str, Any], expected: int | None) -> None:
    usage = read(TABLE, {"in": 1, **native})
    assert usage is not None
    assert usage.cost == expected


@pytest.mark.parametrize(
    ("native", "prompt", "completion", "total"),
    [
        ({"total_tokens": 12}, 12, 0, 12),  # Voyage
        ({"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 303}, 12, 291, 303),  # xAI, hidden thinking
        ({"prompt_tokens": 11, "total_tokens": 11}, 11, 0, 11),
        ({"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 0}, 5, 6, 11),
        ({"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 9}, 5, 6, 9),
        (
            {"prompt_tokens": 9, "completion_tokens": 248, "total_tokens": 632, "prompt_tokens_details": {"audio_tokens": 375}},
            384, 248, 632,
        ),  # Mistral
    ],
)  # fmt: skip
def test_the_total_shows_what_the_parts_leave_out(
    native: dict[str, Any], prompt: int, completion: int, total: int
) -> None:
    usage = read(COUNTS, native)
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (prompt, completion, total)


def test_anthropic_passes_that_the_top_level_leaves_out() -> None:
    """Compaction ran before the message: the sum of both is billed."""
    native = {
        "input_tokens": 682, "output_tokens": 1320, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0,
        "iterations": [
            {"type": "compaction", "input_tokens": 60385, "output_tokens": 592, "cache_read_input_tokens": 10},
            {"type": "message", "input_tokens": 682, "output_tokens": 1320, "cache_creation": {"ephemeral_1h_input_tokens": 7},
             "cache_creation_input_tokens": 7},
        ],
    }  # fmt: skip
    usage = read(anthropic.ANTHROPIC.counts, native)
    assert usage == Usage(
        prompt_tokens=61084, completion_tokens=1912, total_tokens=62996, cached_tokens=10,
        cache_creation_tokens=7, cache_creation_1h_tokens=7, apart_tokens=17,
    )  # fmt: skip


def test_anthropic_passes_of_messages_only_repeat_the_top_level() -> None:
    native = {
        "input_tokens": 3,
        "output_tokens": 4,
        "iterations": [{"type": "message", "input_tokens": 3, "output_tokens": 4}],
    }
    assert read(anthropic.ANTHROPIC.counts, native) == Usage(prompt_tokens=3, completion_tokens=4, total_tokens=7)


def test_openrouter_with_the_users_own_key() -> None:
    """The fee and the upstream's bill."""
    native = {
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "cost": 0.05,
        "cost_details": {"upstream_inference_cost": 0.95},
    }
    table = openai.OPENROUTER.counts
    for byok, cost in ((True, 1_000_000_000), (False, 50_000_000)):
        usage = read(table, {**native, "is_byok": byok})
        assert usage is not None
        assert usage.cost == cost


@pytest.mark.parametrize("audio", ["AUDIO", 4, "audio"])
def test_modalities_by_name_and_by_number(audio: str | int) -> None:
    native = {
        "promptTokenCount": 9,
        "promptTokensDetails": [{"modality": 1, "tokenCount": 2}, {"modality": audio, "tokenCount": 7}],
    }
    usage = read(google.GEMINI.counts, native)
    assert usage is not None
    assert (usage.prompt_audio_tokens, usage.prompt_image_tokens) == (7, 0)


def test_sums_of_two() -> None:
    one = Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3, cost=5, units={"a": 1})
    two = Usage(prompt_tokens=10, completion_tokens=20, total_tokens=30, service_tier="batch", units={"a": 2, "b": 3})
    assert add(one, two) == Usage(
        prompt_tokens=11,
        completion_tokens=22,
        total_tokens=33,
        cost=5,
        service_tier="batch",
        requests=2,
        units={"a": 3, "b": 3},
    )


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(READERS)), st.data())
@settings(max_examples=200, deadline=None)
def test_any_json_gives_sound_counts(name: str, data: st.DataObject) -> None:
    """Never negative, never more than their whole, whatever the members hold."""
    table = READERS[name].counts
    native = data.draw(st.dictionaries(st.sampled_from(sorted(table.members)), json))
    usage = read(table, native)
    if usage is not None:
        assert 0 <= usage.cached_tokens <= usage.prompt_tokens
        assert 0 <= usage.reasoning_tokens <= usage.completion_tokens
        assert usage.total_tokens >= 0
        assert usage.cost is None or usage.cost >= 0
