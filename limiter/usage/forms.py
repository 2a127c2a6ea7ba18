"""The short fields of multipart forms, by which recordings and images are uploaded (RFC 7578)."""

import re

_DISPOSITION = re.compile(rb"^content-disposition:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_PARAMETER = re.compile(rb';\s*([\w*-]+)\s*=\s*("(?:[^"\\]|\\.)*+"|[^;]*+)')
_BLANK = re.compile(rb"\r?\n\r?\n")
_BOUNDARY = re.compile(r'boundary="?([^";,\s]{1,200})', re.IGNORECASE)

MOST_PARTS = 1000
LONGEST_HEAD = 2048
LONGEST_FIELD = 1024
"""Bytes of a field that is looked at; models, flags and numbers are shorter."""


def is_form(content_type: str, body: bytes) -> bool:
    return content_type.lower().startswith("multipart/form-data") or body.startswith(b"--")


def fields_of_form(content_type: str, body: bytes) -> dict[str, str | int]:
    """What of a form is short: numbers where they are whole, else text. Of a repeated name the last one."""
    fields: dict[str, str | int] = {}
    mark = _mark(content_type, body)
    at = body.find(mark) if mark else -1
    for _ in range(MOST_PARTS):
        if at < 0:
            break
        start = at + len(mark)
        at = body.find(mark, start)
        part = body[start : min(start + LONGEST_HEAD + LONGEST_FIELD, at if at >= 0 else len(body))]
        head, value = _split(part)
        name = _name(head)
        if name and len(value) <= LONGEST_FIELD:
            fields[name] = _read(value.decode("utf-8", "replace").strip())
    return fields


def _mark(content_type: str, body: bytes) -> bytes:
    """What separates the parts."""
    named = _BOUNDARY.search(content_type)
    if named is not None:
        return b"--" + named[1].encode("utf-8", "replace")
    return body[:256].split(b"\n", 1)[0].rstrip(b"\r") if body.startswith(b"--") else b""


def _split(part: bytes) -> tuple[bytes, bytes]:
    blank = _BLANK.search(part)
    return (part[: blank.start()], part[blank.end() :]) if blank else (b"", b"")


def _name(head: bytes) -> str:
    line = _DISPOSITION.search(head)
    parameters = _PARAMETER.findall(line[1]) if line else []
    named = next((value for key, value in parameters if key.lower() == b"name"), b"")
    return named.strip(b'" \t').decode("utf-8", "replace")


def _read(value: str) -> str | int:
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 13 else value
