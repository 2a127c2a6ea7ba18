"""Every example is a right configuration, and the default is what it says."""

from pathlib import Path

import pytest

from limiter.config import dump, load, parse
from limiter.meters import NANO
from limiter.windows import Window

CONFIGS = Path(__file__).parent.parent.parent / "configs"
EXAMPLES = sorted(path for path in CONFIGS.iterdir() if path.is_file())
"""Those of other dialects lie in folders of their own."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_right(path: Path) -> None:
    """Without a warning, limiting something, and the same in native form."""
    configuration = load(path)

    assert configuration.warnings == ()
    assert configuration.policy.rules
    assert parse(dump(configuration), "printed.yaml") == configuration


def test_the_default_caps_a_day_and_a_month() -> None:
    """Ten dollars a day, a hundred a month, whatever the provider."""
    configuration = load(CONFIGS / "default.yaml")
    limits = [limit for rule in configuration.policy.rules for limit in rule.limits]

    assert [(limit.name, limit.meter, limit.amount, limit.window, limit.reserve) for limit in limits] == [
        ("daily", "cost", 10 * NANO, Window("calendar", 1, "day", "local"), "estimate"),
        ("monthly", "cost", 100 * NANO, Window("calendar", 1, "month", "local"), "estimate"),
    ]
    assert not any(rule.conditions for rule in configuration.policy.rules)
    assert configuration.settings.store == ""
