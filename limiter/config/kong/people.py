"""Consumers, their groups and their credentials, from how they are written.

Keys and passwords go no further than this module: digests of them are kept.
"""

from collections import defaultdict
from collections.abc import Mapping
from hashlib import sha256

from limiter.config.kong import ids
from limiter.config.kong.entity_schemas import BASIC, CONSUMER, GROUP, KEY, EntitySchema
from limiter.config.kong.entries import Entry
from limiter.config.kong.reading import Reader, texts
from limiter.config.kong.references import References
from limiter.kong.entities import Consumer, Credential, Group


def build_groups(reader: Reader, references: References) -> tuple[Group, ...]:
    found: list[Group] = []
    for entry in reader.collected.of("consumer_groups"):
        record = reader.read(entry, GROUP)
        if record is None:
            references.fail(entry)
        else:
            name = record["name"]
            group = Group(id=record["id"] or ids.named(entry.kind, name), name=name, tags=texts(record["tags"]))
            references.add(entry, group.id, name)
            found.append(group)
    return tuple(found)


def build_consumers(reader: Reader, references: References, groups: tuple[Group, ...]) -> tuple[Consumer, ...]:
    consumers = []
    for entry in reader.collected.of("consumers"):
        record = reader.read(entry, CONSUMER)
        if record is None:
            references.fail(entry)
        else:
            identity = references.identify(entry, record["id"], record["username"])
            references.add(entry, identity, record["username"] or "", record["custom_id"] or "")
            consumers.append((identity, record))
    members = _members(reader, references, {group.id: group.name for group in groups})
    keys = _credentials(reader, references, "keyauth_credentials", KEY)
    passwords = _credentials(reader, references, "basicauth_credentials", BASIC)
    return tuple(
        Consumer(
            id=identity,
            username=record["username"] or "",
            custom_id=record["custom_id"] or "",
            groups=tuple(sorted(members[identity])),
            keys=tuple(keys[identity]),
            passwords=tuple(passwords[identity]),
            tags=texts(record["tags"]),
        )
        for identity, record in consumers
    )


def _members(reader: Reader, references: References, names: Mapping[str, str]) -> dict[str, set[str]]:
    """The names of the groups of each consumer, by its id."""
    found: dict[str, set[str]] = defaultdict(set)
    for entry in reader.collected.of("memberships"):
        named = references.resolve(entry)
        if named and named.get("consumer") and named.get("consumer_group"):
            found[named["consumer"]].add(names[named["consumer_group"]])
    return found


def _credentials(
    reader: Reader, references: References, kind: str, schema: EntitySchema
) -> dict[str, list[Credential]]:
    """The credentials of each consumer, by its id. No two may open with the same key or name."""
    found: dict[str, list[Credential]] = defaultdict(list)
    taken: dict[str, Entry] = {}
    for entry in reader.collected.of(kind):
        record = reader.read(entry, schema)
        named = references.resolve(entry)
        if record is None or not named:
            continue
        secret = record["key"] if kind == "keyauth_credentials" else record["password"]
        if secret is None:
            reader.collected.problems.append(
                entry.source.notice("found no key, expected one, as a drawn one would be known to nobody", "key")
            )
            continue
        username = record.get("username") or ""
        unique = username or secret
        if unique in taken:
            what = "username" if username else "key"
            at = taken[unique].source.place(what)
            entry_name = f"UNIQUE violation detected on '{what}': also declared at {at}"
            reader.collected.problems.append(entry.source.notice(f"unique constraint violation: {entry_name}", what))
            continue
        taken[unique] = entry
        found[named["consumer"]].append(
            Credential(id=record["id"] or ids.named(kind, unique), digest=digest(secret), username=username)
        )
    return found


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return sha256(secret.encode()).hexdigest()
