"""Single values of the native dialect: from what a document holds to what the limiter uses.

Each function takes any value, and raises `MisfitError` with a description of the right one.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from ipaddress import ip_address, ip_network

from limiter.config.explain import one_of, quoting
from limiter.config.notices import MisfitError
from limiter.dimensions import GROUP, NAMED, PLAIN, reader
from limiter.identity import digest
from limiter.settings import Network
from limiter.windows import LOCAL, zone_of

STATUSES = (400, 402, 403, 429, 503)
"""What a refusal may answer."""
DEAREST = 1_000_000
"""Dollars; a price above is a slip."""
PATIENCE = 300
"""Seconds; no client waits longer for a store."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_HOST = re.compile(r"(?:\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{16}", re.ASCII)
_DIGESTS = re.compile(r"[][0-9a-f*?!-]+", re.ASCII)
_HEADER_METER = re.compile(
    r"(?P<kind>header:)(?P<header>[!#$%&'*+.^_`|~0-9A-Za-z-]+)(?::(?P<item>[^\s,=](?:[^,=\r\n]*[^\s,=])?))?", re.ASCII
)
_PRICE = re.compile(r"\$?\s?(?P<number>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)", re.ASCII)


def name(value: object) -> str:
    """A limit's name: safe in keys, headers and logs."""
    if not isinstance(value, str):
        raise MisfitError("a text" + quoting(value))
    if not _NAME.fullmatch(value):
        raise MisfitError("1 to 64 letters, digits, dots, dashes or underscores")
    return value


def text(value: object) -> str:
    """A text to compare with. Numbers and booleans are no texts: `1.10` would be another one than was written."""
    if isinstance(value, str):
        return value
    raise MisfitError("a text" + quoting(value))


def time_zone(value: object) -> str:
    """An IANA name, or `local`."""
    if not isinstance(value, str) or not value:
        raise MisfitError(f"an IANA time zone such as Europe/Berlin, or {LOCAL}")
    try:
        zone_of(value)
    except ValueError as error:
        raise MisfitError(f"an IANA time zone such as Europe/Berlin, or {LOCAL}") from error
    return value


def dimension(value: object) -> str:
    """A dimension, with a header's name in lower case, as headers are the same in any case."""
    if not isinstance(value, str):
        raise MisfitError("the name of a dimension")
    kind, colon, inner = value.partition(":")
    lowered = f"{kind}:{inner.lower()}" if kind == "header" and colon else value
    try:
        reader(lowered)
    except ValueError as error:
        raise MisfitError(one_of((*PLAIN, GROUP, *(f"{kind}:NAME" for kind in NAMED)), value)) from error
    return lowered


def dimensions(value: object) -> tuple[str, ...]:
    """One dimension or a list of several, each named once."""
    if isinstance(value, dict) or value is None:
        raise MisfitError("a dimension or a list of dimensions")
    listed = isinstance(value, list)
    found: list[str] = []
    for index, item in enumerate(texts(value)):
        at = (index,) if listed else ()
        try:
            parsed = dimension(item)
        except MisfitError as error:
            raise MisfitError(str(error), item, at) from error
        if parsed in found:
            raise MisfitError("each dimension once", item, at)
        found.append(parsed)
    return tuple(found)


def header_meter(value: object) -> str:
    """A meter that reads a response header, with the header's name in lower case."""
    if isinstance(value, str) and (found := _HEADER_METER.fullmatch(value)) and found["item"] != "":
        return f"{found['kind']}{found['header'].lower()}" + (f":{found['item']}" if found["item"] else "")
    raise MisfitError("header:NAME, or header:NAME:ITEM for a header such as NAME: ITEM=2, OTHER=1")


def status(value: object) -> int | None:
    """A refusal's status; None leaves it to the client's needs."""
    if value is None:
        return None
    if isinstance(value, int) and value in STATUSES:
        return value
    raise MisfitError(one_of(map(str, STATUSES)))


def seconds(value: object) -> float:
    """A time to wait."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 < value <= PATIENCE:
        raise MisfitError(f"a number of seconds above 0 and at most {PATIENCE}")
    return float(value)


def price(value: object) -> Decimal:
    """Dollars, exact."""
    number = value
    if isinstance(value, str) and (found := _PRICE.fullmatch(value)):
        number = Decimal(found["number"])
    if isinstance(number, bool) or not isinstance(number, int | Decimal) or not 0 <= number <= DEAREST:
        raise MisfitError(f"dollars as a number or a text such as $3, from 0 to {DEAREST:,}")
    exact = Decimal(number)
    if exact != round(exact, 12):
        raise MisfitError("at most twelve decimals of a dollar")
    return exact


def host(value: object) -> str:
    """`host` or `host:port`, in lower case."""
    lowered = value.lower() if isinstance(value, str) else ""
    if not (found := _HOST.fullmatch(lowered)) or int(found["port"] or 1) not in range(1, 65536):
        raise MisfitError("a host or host:port without scheme, path or pattern, such as 127.0.0.1:9000")
    return lowered


def address(value: object) -> str:
    """`host:port`, in lower case."""
    try:
        parsed = host(value)
    except MisfitError:
        parsed = ""
    if (found := _HOST.fullmatch(parsed)) and found["port"]:
        return parsed
    raise MisfitError("host:port, such as 127.0.0.1:6379")


def consumer(value: object) -> str:
    """A consumer's name: safe in keys, headers and logs, as in an `Authorization` field, where a colon ends it."""
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 128 or ":" in value:
        raise MisfitError("1 to 128 printable characters without a colon")
    return value


def secret(value: object) -> str:
    """The digest of a secret that is written out, or the digest itself."""
    if not isinstance(value, str) or not value:
        raise MisfitError("a text that is not empty" + quoting(value))
    return value if _DIGEST.fullmatch(value) else digest(value)


def keys(value: object) -> tuple[str, ...]:
    """API keys or their digests, as digests."""
    return tuple(secret(item) for item in texts(value))


def groups(value: object) -> tuple[str, ...]:
    """Names of groups, sorted."""
    found = {text(item) for item in texts(value)}
    if not all(found) or any("," in name for name in found):
        raise MisfitError("names that are not empty and have no comma")
    return tuple(sorted(found))


def network(value: object) -> Network:
    """An address or a network of addresses."""
    wanted = "an IP address or a network such as 10.0.0.0/8"
    if not isinstance(value, str):
        raise MisfitError(wanted)
    try:
        return ip_network(value)
    except ValueError as error:
        raise MisfitError(wanted + _without_host_bits(value)) from error


def host_text(value: str) -> str:
    """What a request's host is compared with: a host, host:port or pattern, in lower case."""
    lowered = value.lower()
    if "/" in lowered:
        raise MisfitError("a host, host:port or pattern without scheme and path")
    # The brackets of an IPv6 address are no pattern.
    return f"[[]{lowered[1:]}" if lowered.startswith("[") and _HOST.fullmatch(lowered) else lowered


def ip_text(value: str) -> str:
    """What a client's address is compared with: an address, a network or a pattern."""
    if any(mark in value for mark in "*?["):
        return value
    if "/" in value:
        network(value)
        return value
    try:
        ip_address(value)
    except ValueError as error:
        raise MisfitError("an IP address, a network such as 10.0.0.0/8, or a pattern such as 10.1.*") from error
    return value


def credential(value: str) -> str:
    """What a client's API key is compared with: the digest of a key that is written out, a digest, or a pattern of one.

    Keys stay in the file that holds them: no key of a counter, log or printed configuration repeats them.
    """
    if any(mark in value for mark in "*?["):
        if _DIGESTS.fullmatch(value):
            return value
        raise MisfitError("a whole API key, or a pattern of its digest, as keys are only known as digests")
    return value if _DIGEST.fullmatch(value) or not value else digest(value)


def _without_host_bits(value: str) -> str:
    try:
        return f"; did you mean {str(ip_network(value, strict=False))!r}?"
    except ValueError:
        return ""


def texts(value: object) -> Iterable[object]:
    """The items of a list, or the one value that stands in a list's place."""
    return value if isinstance(value, list) else [value]
