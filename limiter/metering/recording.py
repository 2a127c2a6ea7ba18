"""One exchange as it was recorded, whatever the file's format."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

_NONE: Mapping[str, str] = MappingProxyType({})


class Frame(NamedTuple):
    """A message of a WebSocket."""

    from_client: bool
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Bodies are under the `content-encoding` that their headers name; formats with plain bodies drop the header."""

    id: str
    method: str
    url: str
    request_headers: Mapping[str, str] = field(default=_NONE, repr=False)
    """Lower-case names, here and below."""
    request_body: bytes = field(default=b"", repr=False)
    status: int | None = None
    """None: no response was recorded."""
    response_headers: Mapping[str, str] = field(default=_NONE, repr=False)
    response_body: bytes = field(default=b"", repr=False)
    frames: tuple[Frame, ...] | None = field(default=None, repr=False)
    """None: no WebSocket."""
    started: datetime | None = None
    """With a zone."""
    problem: str = ""
    """What of it is missing or damaged."""


class Damaged(NamedTuple):
    """What stands where an exchange should be."""

    id: str
    problem: str


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def without_encoding(headers: Mapping[str, str]) -> dict[str, str]:
    """Of a body that is kept plain."""
    return {name: value for name, value in lowered(headers).items() if name != "content-encoding"}
