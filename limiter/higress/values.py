"""Values that Higress's rules match and count by, read off a request as the gateway reads them.

Headers, parameters and cookies are taken from what was sent, not from what it is usually read as: the first of repeated
ones counts, and a parameter that is there and empty is another thing than none.
"""

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_address
from operator import attrgetter
from types import MappingProxyType

from limiter.facts import Facts
from limiter.higress.query import parameters

Read = Callable[[Facts], str]

PRESENT = "yes"
"""What `higress-has` reads where there is something, however empty."""
FORWARDED = "from-header-"
REMOTE = "from-remote-addr"
MODEL = "x-higress-llm-model"
"""In which the gateway tells the model that the body names."""
PSEUDO: Mapping[str, Read] = MappingProxyType(
    {
        ":authority": lambda facts: _first(facts, "host") or facts.host,
        ":path": attrgetter("target"),
        ":method": attrgetter("method"),
    }
)
"""Parts of a request that a gateway reads like headers, over HTTP/1 as well."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def written(name: str) -> str:
    """A name as dimensions are written, where a bar stands between alternatives."""
    return name.replace("%", "%25").replace("|", "%7C")


def header(name: str) -> Read:
    """The first field of that name, or what a gateway has under it."""
    read = _field(name)
    return lambda facts: read(facts) or ""


def parameter(name: str) -> Read:
    return lambda facts: parameters(facts.target).get(name, "")


def cookie(name: str) -> Read:
    """The first cookie of that name, whole: what generation C reads."""
    return lambda facts: _cookie(facts, name)


def cookie_part(name: str) -> Read:
    """As `cookie`, up to the first equals sign in its value: what generation B reads."""
    return lambda facts: _cookie(facts, name).partition("=")[0]


def address(source: str) -> Read:
    """A client's address in its canonical form; empty where there is none.

    Args:
        source: `from-remote-addr`, or `from-header-NAME`. Headers of a peer that is not trusted are not read: such a
            peer has the address that it connects from.
    """
    if source == REMOTE:
        return lambda facts: facts.peer or facts.ip
    lowered = source.removeprefix(FORWARDED).lower()

    def forwarded(facts: Facts) -> str:
        if not facts.trusted:
            return facts.peer or facts.ip
        # The gateway leaves a blank before the comma in place, and then knows no address: trimmed here.
        return canonical((_first(facts, lowered) or "").partition(",")[0].strip(" "))

    return forwarded


def canonical(text: str) -> str:
    """The address in a text, with or without port and brackets, as Go writes it; empty where Go reads none."""
    if "." in text:
        text = text.partition(":")[0]
    elif "]" in text:
        text = text[1 : text.index("]")] if text.index("]") else ""
    if "%" in text:
        return ""
    try:
        found = ip_address(text)
    except ValueError:
        return ""
    return str(found.ipv4_mapped or found) if isinstance(found, IPv6Address) else str(found)


def has(what: str) -> Read:
    """Whether a header or parameter is there at all.

    Args:
        what: `header:NAME` or `param:NAME`.
    """
    kind, _, name = what.partition(":")
    if kind == "header":
        read = _field(name)
        return lambda facts: "" if read(facts) is None else PRESENT
    return lambda facts: PRESENT if name in parameters(facts.target) else ""


def request(part: str) -> Read:
    """`host`: the request's host without its port."""
    if part != "host":
        raise ValueError(f"unknown part {part!r} of a request, expected host")
    return lambda facts: _without_port(facts.host)


def _named(make: Callable[[str], Read]) -> Callable[[str], Read]:
    return lambda name: make(name.replace("%7C", "|").replace("%25", "%"))


KINDS: Mapping[str, Callable[[str], Read]] = MappingProxyType(
    {
        "higress-header": _named(header),
        "higress-param": _named(parameter),
        "higress-cookie": _named(cookie),
        "higress-cookie-part": _named(cookie_part),
        "higress-ip": _named(address),
        "higress-has": _named(has),
        "higress": request,
    }
)
"""For `dimensions.KINDS`; see `written`."""


def _field(name: str) -> Callable[[Facts], str | None]:
    lowered = name.lower()
    if lowered == MODEL:
        return _model
    return PSEUDO.get(lowered) or (lambda facts: _first(facts, lowered))


def _model(facts: Facts) -> str | None:
    """What a trusted peer says, else the model that is asked for: the gateway overwrites what clients say of it."""
    told = _first(facts, MODEL)
    if facts.model and (told is None or not facts.trusted):
        return _SURROGATE.sub("\ufffd", facts.model)
    return told


def _first(facts: Facts, lowered: str) -> str | None:
    return next((value for name, value in facts.fields if name == lowered), None)


def _cookie(facts: Facts, name: str) -> str:
    """An empty cookie ends the search. A part without an equals sign is no cookie.

    HTTP/2 may send each cookie in a field of its own, which the gateway joins.
    """
    for part in ";".join(value for name, value in facts.fields if name == "cookie").split(";"):
        key, equals, value = part.strip().partition("=")
        if equals and key == name:
            return value
    return ""


def _without_port(host: str) -> str:
    bare, colon, port = host.rpartition(":")
    return bare if colon and port.isdecimal() else host
