"""Ids of entities that were declared without one.

Kong without a database derives them: a UUID of version 5, whose namespace is one of the collection's name in a
namespace that never changes, of what names the entity: its name, username or key
(kong/db/schema/others/declarative_config.lua). So do we: the ids of routes, services, consumers and credentials in
shared keys are those of such a Kong. For what has no name Kong draws a random id at each start; ours is one of the
place in the document, and so the same at each start. Ids of plugins are made alike, but stand in no key.

decK and the Ingress Controller write to a Kong that draws its own ids: there, keys are only shared for entities that
are declared with their `id`.
"""

from uuid import UUID, uuid5

_KONG = UUID("fd02801f-0957-4a15-a55a-c8d9606f30b5")
"""Kong's namespace of namespaces."""


def is_id(text: str) -> bool:
    """Whether a text is a UUID."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def named(kind: str, key: str) -> str:
    """The id that Kong gives to the entity of a collection with this key."""
    return str(uuid5(uuid5(_KONG, kind), key))


def plugin(name: str, route: str, service: str, consumer: str, group: str) -> str:
    """The id of a plugin without instance_name. A group counts where there is one, as the open Kong has none."""
    parts = ["plugins", name, route, service, consumer, *([group] if group else [])]
    return named("plugins", ":".join(parts))


def placed(kind: str, place: str) -> str:
    """The id of an entity without any name, by where it stands."""
    return named(kind, f"ai-limit:{place}")
