"""Every example of response-ratelimiting is a right configuration."""

from pathlib import Path

import pytest

from limiter.config import dump, load, parse
from limiter.kong.quota_voice import QuotaVoice

CONFIGS = Path(__file__).parents[3] / "configs"
EXAMPLES = sorted((CONFIGS / "kong").glob("response-ratelimiting*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_right(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", "pass")
    configuration = load(path)

    assert configuration.warnings == ()
    assert any(isinstance(rule.voice, QuotaVoice) for rule in configuration.policy.rules)
    assert parse(dump(configuration), "printed.yaml").policy.rules
    assert "pass" not in dump(configuration)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2
