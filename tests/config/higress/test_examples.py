"""The published examples are right, and say what they are for."""

from pathlib import Path

import pytest

from limiter.config import dump, load, parse
from limiter.redis_settings import Address, RedisSettings

CONFIGS = Path(__file__).parents[3] / "configs"
EXAMPLES = sorted((CONFIGS / "higress").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_right(path: Path) -> None:
    """Of what the gateway shares only secrets in keys are warned of, and the native form is a right one."""
    configuration = load(path)

    assert all("may be secret" in warning.message for warning in configuration.warnings)
    limits = [limit for rule in configuration.policy.rules for limit in rule.limits]
    assert limits
    assert all(limit.key and limit.admits_full and limit.capped for limit in limits)
    stores = {rule.ledger.store for rule in configuration.policy.rules if rule.ledger}
    (store,) = stores
    assert isinstance(store, RedisSettings)
    assert store.address == Address("127.0.0.1", 6379)
    native = dump(configuration)
    assert dump(parse(native, "native.yaml")) == "".join(
        line for line in native.splitlines(keepends=True) if not line.startswith("# ")
    )


def test_each_purpose_has_an_example() -> None:
    assert {path.stem for path in EXAMPLES} == {
        "consumer",
        "cookie",
        "forwarded-address",
        "global",
        "header",
        "overlay",
        "parameter",
        "wasmplugin",
    }
