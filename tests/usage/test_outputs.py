"""The longest outputs of models, whatever name they go by."""

import pytest

from limiter.usage.outputs import UNKNOWN, UNKNOWN_CONTEXT, bare, context_limit, output_limit


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-3-5-haiku@20241022", "claude-3-5-haiku"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("anthropic.claude-sonnet-4-6", "claude-sonnet-4-6"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("openai/gpt-4o:free", "gpt-4o"),
        ("accounts/fireworks/models/deepseek-v3", "deepseek-v3"),
        ("ft:gpt-4o-mini-2024-07-18:org::abc", "gpt-4o-mini"),
        ("gpt-35-turbo", "gpt-3.5-turbo"),
        ("gemini-2.5-flash-preview-05-20", "gemini-2.5-flash"),
        ("Mistral-Large-Latest", "mistral-large"),
        ("", ""),
    ],
)
def test_bare_names(model: str, name: str) -> None:
    assert bare(model) == name


@pytest.mark.parametrize(
    ("provider", "model", "limit"),
    [
        ("openai", "gpt-4o", 16_384),
        ("openai", "gpt-4o-2024-11-20", 16_384),
        ("openai", "ft:gpt-4o-2024-08-06:org::abc", 16_384),
        ("openrouter", "openai/gpt-4o", 16_384),
        ("anthropic", "claude-sonnet-4-5-20250929", 64_000),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", 64_000),
        ("vertex", "claude-sonnet-4-5@20250929", 64_000),
        ("azure", "gpt-4o", 16_384),
        ("azure", "gpt-4o-my-deployment", 16_384),
        ("gemini", "gemini-2.5-flash", 65_536),
        ("portkey", "gpt-4o", 16_384),
        ("azure", "prod-gpt-4o-eu", 16_384),
        ("azure", "team_gpt4o", 16_384),
        ("openai", "gpt-realtime", 4_096),
    ],
)
def test_known_models(provider: str, model: str, limit: int) -> None:
    assert output_limit(provider, model) == limit


def test_unknown_models_have_the_largest_of_their_provider() -> None:
    assert output_limit("anthropic", "no-such-model") == output_limit("anthropic", "") >= 64_000
    assert output_limit("azure", "prod") >= 100_000
    assert output_limit("vllm", "no-such-model") == UNKNOWN


@pytest.mark.parametrize(
    ("provider", "model", "limit"),
    [
        ("openai", "gpt-4o-2024-11-20", 128_000),
        ("anthropic", "claude-3-7-sonnet-20250219", 200_000),
        ("anthropic", "claude-sonnet-4-5-20250929", 200_000),
        ("bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0", 200_000),
        ("anthropic", "claude-haiku-4-5", 200_000),
        ("gemini", "gemini-2.5-flash", 1_048_576),
        ("azure", "prod-gpt-4o-eu", 128_000),
        ("vllm", "no-such-model", UNKNOWN_CONTEXT),
    ],
)
def test_contexts(provider: str, model: str, limit: int) -> None:
    """A header makes the window of some Claudes five times as long."""
    assert context_limit(provider, model) == limit
    assert context_limit(provider, model, longer=True) == max(limit, 1_000_000)


@pytest.mark.parametrize("model", ["-" * 1000, "/", ":", "@", "ft:", "a-" * 200, "\ud800", "𝒢"])
def test_odd_names_are_unknown(model: str) -> None:
    assert output_limit("vllm", model) == UNKNOWN
