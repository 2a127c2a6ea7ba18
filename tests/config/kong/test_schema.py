"""Schemas: what they read, and that nothing in a document makes them fail."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.config.kong.airla_schema import SCHEMA as AIRLA
from limiter.config.kong.entity_schemas import BASIC, CONSUMER, GROUP, KEY, PLUGIN, ROUTE, SERVICE
from limiter.config.kong.plugin_schemas import PLUGINS, deprecations
from limiter.config.kong.rrl_schema import PERIODS
from limiter.config.kong.rrl_schema import SCHEMA as RRL
from limiter.config.kong.schema import Field, Fields, Listed, Reading, Table, Violation, told
from limiter.config.kong.vaults import Vaults

SCHEMAS = [each.schema for each in (SERVICE, ROUTE, CONSUMER, GROUP, KEY, BASIC, PLUGIN)]
SCHEMAS += [each.schema for each in PLUGINS.values()]


def reading(**environment: str) -> Reading:
    return Reading(Vaults(environment))


def read(schema: Field, value: object) -> tuple[Any, list[Violation]]:
    engine = reading()
    return engine.read(schema, value, (), "config"), engine.violations


def names(schema: Field) -> set[str]:
    """Every key that a schema has, however deep."""
    if isinstance(schema, Fields):
        return set(schema.fields) | {name for inner in schema.fields.values() for name in names(inner)}
    return names(schema.of) if isinstance(schema, Listed | Table) else set()


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.decimals(allow_nan=False, allow_infinity=False, places=2),
    st.sampled_from(("", "redis", "openai", "header", "consumer", "calendar", "month", "~/(", "{vault://env/x}", "/a")),
    st.text(max_size=5),
)
KEYS = st.sampled_from(sorted(set().union(*(names(schema) for schema in SCHEMAS))))
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@given(st.sampled_from(SCHEMAS), DOCUMENTS, st.booleans())
def test_any_document_is_read(schema: Fields, document: Any, lenient: bool) -> None:
    """Nothing raises; each violation has a place in the document or right beside it, and a text."""
    engine = Reading(Vaults({}), lenient=lenient)
    engine.read(schema, document, (), "config")

    for violation in engine.violations:
        assert violation.text
        inner = document
        for step in violation.path[:-1]:
            inner = inner[step] if isinstance(inner, list) else (inner or {}).get(step)
    if engine.violations:
        assert "schema violation" in told(engine.violations)


@given(st.sampled_from(sorted(PLUGINS)), st.dictionaries(KEYS, DOCUMENTS, max_size=4))
def test_any_configuration_is_renewed(name: str, config: dict[str, Any]) -> None:
    """Deprecated names with values of any kind raise nothing either."""
    list(deprecations(name, config))
    renewed = PLUGINS[name].renewed(config)

    read(PLUGINS[name].schema, renewed)


def _limits(amounts: Mapping[str, Decimal]) -> dict[str, Any]:
    return {"limits": {"video": dict(amounts)}}


@given(st.dictionaries(st.sampled_from(PERIODS), st.decimals("0.01", "1000", places=2), min_size=1))
def test_longer_periods_have_at_least_as_much(amounts: dict[str, Decimal]) -> None:
    """Quotas are valid just when no longer period has less than a shorter one."""
    _, violations = read(RRL, _limits(amounts))
    ordered = [amounts[period] for period in PERIODS if period in amounts]

    assert (not violations) is (ordered == sorted(ordered))


def test_defaults_are_filled_in() -> None:
    """Each field is there, and records with defaults come into being."""
    config, violations = read(AIRLA, {"llm_providers": [{"name": "openai", "limit": [1], "window_size": [60]}]})

    assert not violations
    assert set(config) == set(AIRLA.fields)
    assert config["identifier"] == "consumer"
    assert config["window_type"] == "sliding"
    assert config["error_message"] == "AI token rate limit exceeded for provider(s): "
    assert config["redis"]["host"] == "127.0.0.1"
    assert config["redis"]["keepalive_pool_size"] == 256
    assert config["redis"]["ssl_verify"] is True
    assert config["policies"] is None


def test_values_cannot_be_changed() -> None:
    """Mappings are read-only, lists are tuples."""
    config, _ = read(AIRLA, {"policies": [{"limits": [{"limit": 1, "window_size": 60}]}]})

    assert isinstance(config["policies"], tuple)
    with pytest.raises(TypeError):
        config["identifier"] = "ip"


def test_whole_fractions_are_whole_numbers() -> None:
    """`5.0` is the number 5."""
    config, _ = read(AIRLA, {"llm_providers": [{"name": "openai", "limit": [Decimal("5.0")], "window_size": [60]}]})

    assert config["llm_providers"][0]["limit"] == (5,)
    assert isinstance(config["llm_providers"][0]["limit"][0], int)


def test_several_violations_are_counted_and_sorted() -> None:
    """Those of whole entities come first, then by name."""
    found = [Violation((), "b.@entity", "x"), Violation((), "a", "y")]

    assert told(found) == "2 schema violations (b.@entity: x; a: y)"
    assert told(found[1:]) == "schema violation (a: y)"


def test_references_are_resolved_where_they_may_stand() -> None:
    """A vault's value is read like one that is written out."""
    engine = reading(REDIS_PORT="7000", BROKEN="x")
    limits = [{"name": "openai", "limit": [1], "window_size": [60]}]
    redis = {"port": "{vault://env/redis-port}", "host": "{vault://env/broken/key}", "server_name": "{vault://}"}
    config = engine.read(AIRLA, {"llm_providers": limits, "redis": redis, "namespace": "{vault://env/x}"}, (), "config")

    assert config["redis"]["port"] == 7000
    assert config["namespace"] == "{vault://env/x}"
    assert [violation.name for violation in engine.violations] == ["config.redis.host", "config.redis.server_name"]
