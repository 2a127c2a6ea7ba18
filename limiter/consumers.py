"""Who asks: consumers of the configuration, told by a secret that they show or by a peer that is trusted.

A consumer proves itself to the proxy (`Proxy-Authorization`) or by the key that it shows to the model's provider.
Secrets are compared as digests; the configuration that is in force holds nothing else.
"""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from limiter.identity import digest
from limiter.kong.entities import Consumer, Credential

SHORT = 16
"""Hexadecimal digits of a digest that are compared (see `identity.digest`)."""


class Who(NamedTuple):
    """A consumer as limits see it. All empty: nobody is known."""

    name: str = ""
    id: str = ""
    custom_id: str = ""
    credential_id: str = ""
    groups: tuple[str, ...] = ()


NOBODY = Who()


class Password(NamedTuple):
    """User and password of a `Basic` header, the latter as digest; a `Bearer` token has no user."""

    user: str
    secret: str


class Roll:
    """The consumers of a configuration, by what proves them."""

    def __init__(self, consumers: Iterable[Consumer]) -> None:
        self._keys: dict[str, Who] = {}
        self._passwords: dict[Password, Who] = {}
        self._names: dict[str, Who] = {}
        for consumer in consumers:
            self._names.setdefault(consumer.name, who_is(consumer))
            for key in consumer.keys:
                self._keys.setdefault(key.digest[:SHORT], who_is(consumer, key))
            for password in consumer.passwords:
                named = Password(password.username, password.digest[:SHORT])
                self._passwords.setdefault(named, who_is(consumer, password))

    def __bool__(self) -> bool:
        return bool(self._keys or self._passwords)

    def by_key(self, shown: str) -> Who | None:
        """The consumer with a key of that digest."""
        return self._keys.get(shown) if shown else None

    def completed(self, who: Who) -> Who:
        """What others know of somebody, with what the configuration knows of the consumer of that name."""
        known = self._names.get(who.name)
        if known is None:
            return who
        groups = tuple(sorted({*known.groups, *who.groups}))
        return Who(known.name, known.id, known.custom_id or who.custom_id, who.credential_id, groups)

    def by_proxy_authorization(self, header: str) -> Who | None:
        """The consumer that a `Proxy-Authorization` field proves: by a password, or by one of its keys as password."""
        found = proxy_password(header)
        return (self._passwords.get(found) or self._keys.get(found.secret)) if found and found.secret else None


def proxy_password(header: str) -> Password | None:
    """What a `Proxy-Authorization` field holds; None: nothing that can be read."""
    scheme, _, value = header.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return Password("", digest(value.strip()))
        case "basic":
            try:
                user, colon, password = b64decode(value.strip(), validate=True).decode().partition(":")
            except ValueError:  # Neither base64 nor UTF-8.
                return None
            return Password(user, digest(password)) if colon else None
        case _:
            return None


TOLD = (
    "x-consumer-username",
    "x-consumer-id",
    "x-consumer-custom-id",
    "x-consumer-groups",
    "x-credential-identifier",
    "x-anonymous-consumer",
    "x-mse-consumer",
)
"""Fields in which Kong and Higress tell their upstreams who asks. A client's own word in them is worth nothing."""


def told(headers: Mapping[str, str]) -> Who:
    """Who a trusted peer says it is.

    Args:
        headers: lower-case names.
    """
    groups = headers.get("x-consumer-groups", "")
    custom_id = headers.get("x-consumer-custom-id", "")
    return Who(
        name=headers.get("x-consumer-username", "") or headers.get("x-mse-consumer", "") or custom_id,
        id=headers.get("x-consumer-id", ""),
        custom_id=custom_id,
        credential_id=headers.get("x-credential-identifier", ""),
        groups=tuple(sorted(filter(None, (group.strip() for group in groups.split(","))))),
    )


def who_is(consumer: Consumer, credential: Credential | None = None) -> Who:
    """A consumer of the configuration, proven by the credential; None: by nothing."""
    return Who(consumer.name, consumer.id, consumer.custom_id, credential.id if credential else "", consumer.groups)
