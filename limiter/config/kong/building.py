"""From the entities of all documents to the declaration: read by their schemas, given ids, tied to one another."""

from collections.abc import Iterable, Iterator, Mapping

from limiter.config.kong.declaration import Declaration, Plugin
from limiter.config.kong.entries import Collected
from limiter.config.kong.people import build_consumers, build_groups
from limiter.config.kong.places import build_routes, build_services
from limiter.config.kong.plugin_schemas import AI_PROXIES, BASIC_AUTH, KEY_AUTH
from limiter.config.kong.plugins import build_plugins
from limiter.config.kong.reading import Reader
from limiter.config.kong.references import References
from limiter.config.kong.shapes import mapping
from limiter.config.kong.vaults import Vaults
from limiter.kong.airla.names import ours
from limiter.kong.entities import BasicAuth, Gateway, Group, KeyAuth, Proxied


def build(collected: Collected, environment: Mapping[str, str]) -> Declaration:
    """The declaration of all entities. What is wrong is added to the problems; the rest is built all the same.

    Args:
        environment: variables, for references to vaults.
    """
    reader = Reader(collected, Vaults(environment, _vaults(collected)))
    references = References(collected)
    services = build_services(reader, references)
    routes = build_routes(reader, references)
    groups = build_groups(reader, references)
    consumers = build_consumers(reader, references, groups)
    plugins = build_plugins(reader, references)
    groups = (*groups, *_elsewhere(plugins, groups))
    methods = tuple(_authentication(plugins, references, collected))
    if not methods and any(consumer.keys or consumer.passwords for consumer in consumers):
        first = next(entry for entry in collected.entries if entry.kind.endswith("_credentials"))
        message = f"no plugin {KEY_AUTH} or {BASIC_AUTH} asks for credentials, so that they identify nobody"
        collected.warnings.append(first.source.notice(message))
    return Declaration(
        services=services,
        routes=routes,
        consumers=consumers,
        groups=groups,
        plugins=plugins,
        gateway=Gateway(
            proxied=tuple(_proxied(plugins)),
            services=services,
            routes=routes,
            consumers=consumers,
            groups=groups,
            authentication=methods,
        ),
    )


def _elsewhere(plugins: Iterable[Plugin], groups: tuple[Group, ...]) -> Iterator[Group]:
    """Groups that plugins name by an id and that nobody declares: for want of a name they are called by the id."""
    declared = {"", *(group.id for group in groups)}
    return (Group(id=name, name=name) for name in sorted({plugin.scope.group for plugin in plugins} - declared))


def _proxied(plugins: tuple[Plugin, ...]) -> Iterator[Proxied]:
    for plugin in plugins:
        if plugin.name in AI_PROXIES and not (plugin.scope.consumer or plugin.scope.group):
            named = {name for target in plugin.config["targets"] for name in ours(target["provider"])}
            yield Proxied(scope=plugin.scope, providers=frozenset(named))


def _vaults(collected: Collected) -> Mapping[str, str]:
    """Vaults of environment variables by their prefix in references, and what is put before variables' names."""
    found = {"env": ""}
    for entry in collected.of("vaults"):
        before = mapping(entry.data.get("config")).get("prefix")
        if entry.data.get("name") == "env" and isinstance(entry.data.get("prefix"), str):
            found[entry.data["prefix"]] = before if isinstance(before, str) else ""
        else:
            collected.warnings.append(entry.source.notice("has no effect here: only vaults of the kind env are read"))
    return found


def _authentication(
    plugins: tuple[Plugin, ...], references: References, collected: Collected
) -> Iterator[KeyAuth | BasicAuth]:
    for plugin in plugins:
        config = plugin.config
        if plugin.name not in (KEY_AUTH, BASIC_AUTH):
            continue
        anonymous = config["anonymous"] and references.find("consumers", config["anonymous"])
        if config["anonymous"] and not anonymous:
            message = f"invalid reference 'consumers: {config['anonymous']}' (no such entity)"
            collected.problems.append(plugin.source.notice(message, "config", "anonymous"))
        if plugin.name == BASIC_AUTH:
            yield BasicAuth(
                scope=plugin.scope,
                hide=config["hide_credentials"],
                anonymous=anonymous or "",
                realm=config["realm"],
            )
            continue
        if config["key_in_body"]:
            message = "keys in bodies are not looked for, only those in headers and queries"
            collected.warnings.append(plugin.source.notice(message, "config", "key_in_body"))
        yield KeyAuth(
            scope=plugin.scope,
            names=config["key_names"],
            in_header=config["key_in_header"],
            in_query=config["key_in_query"],
            hide=config["hide_credentials"],
            anonymous=anonymous or "",
            realm=config["realm"] or "",
            on_preflight=config["run_on_preflight"],
        )
