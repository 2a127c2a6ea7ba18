"""The command `ai-limit`: that of `limiter`, with what needs mitmproxy added. mitmproxy itself is imported on use."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from limiter import cli
from limiter.metering.formats import Format
from limiter.metering.recording import Damaged, Recording

_TNETSTRING = re.compile(rb"\d{1,10}:")


def _looks_like_flows(head: bytes) -> bool:
    return _TNETSTRING.match(head) is not None


def _read_flows(file: BinaryIO, name: str) -> Iterator[Recording | Damaged]:
    from addons.flow_files import read_flows  # noqa: PLC0415 slow to import

    return read_flows(file, name)


FORMATS = (Format("mitmproxy flows", _looks_like_flows, _read_flows),)
"""What `ai-limit meter` can read beside the formats of `limiter`."""


def main() -> None:
    """The entry point of the distribution."""
    cli.main(obj=FORMATS)
