"""The plugins that this program knows, by name."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from limiter.config.kong import airla_schema, rrl_schema
from limiter.config.kong.airla_schema import header_name
from limiter.config.kong.declaration import Record
from limiter.config.kong.schema import Fields, Flag, Listed, Number, Text, frozen
from limiter.config.kong.shapes import mapping
from limiter.config.notices import Steps
from limiter.kong.entities import HTTP

AIRLA = "ai-rate-limiting-advanced"
RRL = "response-ratelimiting"
KEY_AUTH = "key-auth"
BASIC_AUTH = "basic-auth"
AI_PROXIES = ("ai-proxy", "ai-proxy-advanced")

EVERYWHERE = frozenset({"service", "route", "consumer", "consumer_group"})
PROTOCOLS = ("grpc", "grpcs", *HTTP)


def _as_it_is(config: Any) -> Any:
    return config


class PluginSchema(NamedTuple):
    """How a plugin's configuration is read."""

    schema: Fields
    scopes: frozenset[str] = EVERYWHERE
    renewed: Callable[[Mapping[str, Any]], Mapping[str, Any]] = _as_it_is
    """From deprecated names to today's, before the reading."""
    condensed: Callable[[Record], Record] = _as_it_is
    """What is kept of a valid configuration."""


KEY_NAMES = Listed(default=["apikey"], of=Text(check=header_name))

# `hide_credentials` is off unless it is turned on, as Kong has it but for the enterprise edition since 3.14: the key
# may be the one that the upstream asks for.
_KEY_AUTH = Fields(
    filled=True,
    fields={
        "key_names": KEY_NAMES,
        "hide_credentials": Flag(default=False),
        "anonymous": Text(),
        "key_in_header": Flag(default=True),
        "key_in_query": Flag(default=True),
        "key_in_body": Flag(default=False),
        "run_on_preflight": Flag(default=True),
        "realm": Text(),
        "identity_realms": Listed(of=Fields(fields={}, open=True)),
    },
)
_BASIC_AUTH = Fields(
    filled=True,
    fields={
        "anonymous": Text(),
        "hide_credentials": Flag(default=False),
        "realm": Text(default="service"),
        "brute_force_protection": Fields(fields={}, open=True),
    },
)

_cost = Number(above=0)
UNUSED_COSTS = (
    "cache_read_cost",
    "cache_write_cost",
    "cache_write_cost_list",
    "context_window_factor",
    "service_tier_factor",
)
"""Of a model's options: prices and factors that are not counted here."""
_target = Fields(
    open=True,
    fields={
        "model": Fields(
            open=True,
            required=True,
            fields={
                "provider": Text(required=True),
                "name": Text(),
                "options": Fields(
                    filled=True,
                    open=True,
                    fields={"input_cost": _cost, "output_cost": _cost, "upstream_url": Text(referenceable=True)},
                ),
            },
        )
    },
)


def _one_target(config: Record) -> Record:
    return _targets({"targets": (config,)})


def _targets(config: Record) -> Record:
    targets: Record = frozen({"targets": list(map(_condensed, config["targets"] or ()))})
    return targets


def _condensed(target: Record) -> dict[str, Any]:
    model = target["model"]
    return {
        "provider": model["provider"],
        "model": model["name"],
        "input_cost": model["options"]["input_cost"],
        "output_cost": model["options"]["output_cost"],
        "upstream_url": model["options"]["upstream_url"],
    }


PLUGINS: Mapping[str, PluginSchema] = {
    AIRLA: PluginSchema(airla_schema.SCHEMA, renewed=airla_schema.renewed),
    RRL: PluginSchema(rrl_schema.SCHEMA, scopes=EVERYWHERE - {"consumer_group"}, renewed=rrl_schema.renewed),
    KEY_AUTH: PluginSchema(_KEY_AUTH, scopes=frozenset({"service", "route"})),
    BASIC_AUTH: PluginSchema(_BASIC_AUTH, scopes=frozenset({"service", "route"})),
    AI_PROXIES[0]: PluginSchema(_target, condensed=_one_target),
    AI_PROXIES[1]: PluginSchema(
        Fields(open=True, fields={"targets": Listed(required=True, of=_target)}), condensed=_targets
    ),
}


def deprecations(name: str, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Deprecated fields in use, each with what contradicts it."""
    return rrl_schema.shorthands(config) if name == RRL else iter(())


def unused(name: str, config: Mapping[str, Any]) -> Iterator[Steps]:
    """The fields of a valid configuration that would change costs in Kong, and do not here."""
    if name not in AI_PROXIES:
        return
    targets = [((), config)] if name == AI_PROXIES[0] else _numbered(config["targets"])
    for path, target in targets:
        options = mapping(mapping(target.get("model")).get("options"))
        yield from ((*path, "model", "options", field) for field in UNUSED_COSTS if options.get(field) is not None)


def _numbered(targets: list[Mapping[str, Any]]) -> list[tuple[Steps, Mapping[str, Any]]]:
    return [(("targets", index), target) for index, target in enumerate(targets)]
