"""Who a request is from, by Kong's plugins key-auth and basic-auth, and what one is answered whom they do not know.

kong/plugins/key-auth/handler.lua, kong/plugins/basic-auth/access.lua.
"""

import json
import re
from base64 import b64decode
from binascii import Error
from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest
from typing import NamedTuple
from urllib.parse import parse_qsl

from limiter.consumers import NOBODY, Who, who_is
from limiter.kong.candidates import nearest
from limiter.kong.entities import BasicAuth, Consumer, Gateway, KeyAuth
from limiter.voices import Answer

SHORT = 16
"""Digits of a digest of which the configuration knows no more."""


class Shown(NamedTuple):
    """What of a request may prove who sent it."""

    fields: tuple[tuple[str, str], ...]
    """Header fields with lower-case names."""
    query: str = ""
    """As sent, without the question mark."""
    method: str = "GET"


class Identified(NamedTuple):
    """A request may go on."""

    who: Who = NOBODY
    """Nobody where no plugin asks."""
    hide: tuple[str, ...] = ()
    """Names of header fields and query parameters that the upstream must not see."""
    fields: tuple[tuple[str, str], ...] = ()
    """Header fields that tell the upstream who asks. Others of `TOLD` are taken off the request."""


class _Problem(NamedTuple):
    message: str
    challenge: str


TOLD = (
    "X-Consumer-ID",
    "X-Consumer-Custom-ID",
    "X-Consumer-Username",
    "X-Credential-Identifier",
    "X-Anonymous-Consumer",
)


class Consumers:
    """Consumers by what proves them. Holds digests, no secrets."""

    def __init__(self, consumers: Iterable[Consumer]) -> None:
        self._by_id: dict[str, Who] = {}
        self._keys: dict[str, Who] = {}
        self._passwords: dict[str, tuple[str, Who]] = {}
        for consumer in consumers:
            self._by_id[consumer.id] = who_is(consumer)
            for key in consumer.keys:
                self._keys.setdefault(key.digest, who_is(consumer, key))
            for password in consumer.passwords:
                self._passwords.setdefault(password.username, (password.digest, who_is(consumer, password)))

    def identify(self, key: str) -> Who | None:
        """The consumer with this key."""
        digest = _digest(key)
        return self._keys.get(digest) or self._keys.get(digest[:SHORT])

    def identify_user(self, username: str, password: str) -> Who | None:
        """The consumer with this name and password."""
        digest, who = self._passwords.get(username, ("", NOBODY))
        return who if digest and compare_digest(_digest(password)[: len(digest)], digest) else None

    def known(self, identity: str) -> Who | None:
        """The consumer with this id, as nobody has proven to be it: without credential."""
        return self._by_id.get(identity)


class Authentication:
    """The authentication plugins of a gateway: for each service and route those that apply."""

    def __init__(self, gateway: Gateway) -> None:
        self.consumers = Consumers(gateway.consumers)
        self._keys = {_place(method): method for method in gateway.authentication if isinstance(method, KeyAuth)}
        self._basic = {_place(method): method for method in gateway.authentication if isinstance(method, BasicAuth)}

    def __bool__(self) -> bool:
        return bool(self._keys or self._basic)

    def ask(self, shown: Shown, service: str = "", route: str = "") -> Identified | Answer:
        """Who the request is from, or the answer to one who has not proven it.

        Both plugins have to be content where both apply; one with `anonymous` is, once somebody is known.

        Args:
            service: id of the service that the request goes to.
            route: id of the route that it takes.
        """
        found = Identified()
        for method in (nearest(self._keys, service, route), nearest(self._basic, service, route)):
            if method is None or (method.anonymous and found.who.credential_id):
                continue
            if isinstance(method, KeyAuth):
                if shown.method == "OPTIONS" and not method.on_preflight:
                    continue
                result = self._by_key(method, shown)
            else:
                result = self._by_password(method, shown)
            if isinstance(result, _Problem):
                if not method.anonymous:
                    return _refused(result)
                who = self.consumers.known(method.anonymous) or NOBODY
                found = Identified(who, found.hide, _told(who))
            else:
                found = Identified(result.who, (*found.hide, *result.hide), _told(result.who))
        return found

    def _by_key(self, method: KeyAuth, shown: Shown) -> Identified | _Problem:
        challenge = f'Key realm="{method.realm}"' if method.realm else "Key"
        parameters = parse_qsl(shown.query, keep_blank_values=True, errors="surrogateescape") if shown.query else []
        for name in method.names:
            values = _values(name, shown.fields) if method.in_header else []
            if not values and method.in_query:
                values = [value for parameter, value in parameters if parameter == name]
            if len(values) > 1:
                return _Problem("Duplicate API key found", challenge)
            if values:
                who = self.consumers.identify(values[0]) if values[0] else None
                if who:
                    return Identified(who, (name.lower(),) if method.hide else ())
                return _Problem("Unauthorized" if values[0] else "No API key found in request", challenge)
        return _Problem("No API key found in request", challenge)

    def _by_password(self, method: BasicAuth, shown: Shown) -> Identified | _Problem:
        for name in ("proxy-authorization", "authorization"):
            for value in _values(name, shown.fields)[:1]:
                pair = basic_pair(value)
                who = self.consumers.identify_user(*pair) if pair else None
                if who:
                    return Identified(who, (name,) if method.hide else ())
        return _Problem("Unauthorized", f'Basic realm="{method.realm}"')


_BASIC = re.compile(r"\s*[Bb]asic\s*(.+)", re.DOTALL)


def basic_pair(value: str) -> tuple[str, str] | None:
    """User and password of a `Basic` header; None where it holds none."""
    found = _BASIC.match(value)
    try:
        decoded = b64decode(found[1].strip()).decode("utf-8", "surrogateescape") if found else ""
    except (Error, ValueError):
        return None
    user, colon, password = decoded.partition(":")
    return (user, password) if user and colon else None


def _values(name: str, fields: tuple[tuple[str, str], ...]) -> list[str]:
    wanted = name.lower().replace("_", "-")
    return [value for field, value in fields if field.replace("_", "-") == wanted]


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _told(who: Who) -> tuple[tuple[str, str], ...]:
    # The name is the username, unless there is none: then it is the custom id.
    username = who.name if who.name != who.custom_id else ""
    anonymous = "" if who.credential_id else "true"
    values = (who.id, who.custom_id, username, who.credential_id, anonymous)
    return tuple((name, value) for name, value in zip(TOLD, values, strict=True) if value)


def _place(method: KeyAuth | BasicAuth) -> tuple[str, str]:
    return method.scope.service, method.scope.route


def _refused(problem: _Problem) -> Answer:
    headers = (("content-type", "application/json; charset=utf-8"), ("www-authenticate", problem.challenge))
    return Answer(401, headers, json.dumps({"message": problem.message}, separators=(",", ":")).encode())
