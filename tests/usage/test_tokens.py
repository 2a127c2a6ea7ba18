"""Token counts."""

import pytest

from limiter.usage.tokens import MODERN, OLDER, count, dense, vocabulary


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o", MODERN),
        ("gpt-4.1-mini", MODERN),
        ("gpt-4.5-preview", MODERN),
        ("gpt-5", MODERN),
        ("o3", MODERN),
        ("claude-sonnet-4-5", MODERN),
        ("", MODERN),
        ("gpt-4", OLDER),
        ("gpt-4-turbo-2024-04-09", OLDER),
        ("openai/gpt-4-0613", OLDER),
        ("gpt-3.5-turbo", OLDER),
        ("gpt-35-turbo", OLDER),
        ("text-embedding-3-large", OLDER),
    ],
)
def test_vocabularies(model: str, expected: str) -> None:
    assert vocabulary(model) == expected


def test_counts() -> None:
    """As OpenAI's own tokenizer counts."""
    assert count(["hello world"]) == 2
    assert count(["hello world", "", "how many tokens?"]) == 6
    assert count([]) == 0
    assert count(["\ud800"]) == count(["?"]) == 1


def test_models_that_take_more_tokens() -> None:
    assert dense("anthropic", "")
    assert dense("bedrock", "us.anthropic.Claude-x")
    assert dense("openrouter", "mistralai/mistral-large")
    assert not dense("openai", "gpt-4o")
