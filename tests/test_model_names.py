"""Spellings of one model."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.model_names import spellings, vendor


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "GPT-4o-2024-08-06", ["gpt-4o-2024-08-06", "gpt-4o"]),
        ("gemini", "models/gemini-2.5-pro", ["models/gemini-2.5-pro", "gemini-2.5-pro"]),
        ("gemini", "gemini-2.0-flash-001", ["gemini-2.0-flash-001", "gemini-2.0-flash"]),
        ("vertex", "claude-x@20270101", ["claude-x@20270101", "claude-x"]),
        ("fireworks", "accounts/fireworks/models/kimi", ["accounts/fireworks/models/kimi", "kimi"]),
        ("openrouter", "a/b:thinking", ["a/b:thinking", "a/b"]),
        ("openrouter", "a/b:free", ["a/b:free"]),
        ("anthropic", "claude-3-5-haiku-latest", ["claude-3-5-haiku-latest", "claude-3-5-haiku"]),
        ("bedrock", "eu.amazon.nova-x-v1%3A0", ["eu.amazon.nova-x-v1:0", "amazon.nova-x-v1:0"]),
        ("openai", "my-gpt-4o", ["my-gpt-4o"]),
    ],
)
def test_spellings_start_with_the_name_itself(provider: str, model: str, expected: list[str]) -> None:
    assert list(dict.fromkeys(spellings(provider, model))) == expected


def test_azure_deployments_are_searched_for_the_model_they_are_called_after() -> None:
    found = list(spellings("azure", "Team_gpt4o mini"))
    assert found.index("gpt-4o-mini") < found.index("gpt-4o")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("openai/gpt-4o", ("openai", "gpt-4o")),
        ("openai/gpt-4o:online", ("openai", "gpt-4o")),
        ("us.anthropic.claude-x-v1:0", ("anthropic", "claude-x")),
        ("gpt-4.1", ("", "")),
        ("claude", ("", "")),
    ],
)
def test_the_maker_is_read_off_the_name(model: str, expected: tuple[str, str]) -> None:
    assert vendor(model) == expected


@given(st.text(max_size=300))
@settings(max_examples=50)
def test_any_text_has_few_spellings(text: str) -> None:
    for provider in ("openai", "azure"):
        assert len(list(spellings(provider, text))) < 50
    vendor(text)
