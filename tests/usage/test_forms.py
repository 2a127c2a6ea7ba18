"""Fields of forms."""

import time

import pytest

from limiter.usage.forms import fields_of_form, is_form

KIND = "multipart/form-data; boundary=b"


def part(disposition: str, value: bytes, line_end: bytes = b"\r\n") -> bytes:
    return b"--b" + line_end + disposition.encode() + line_end * 2 + value + line_end


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


@pytest.mark.parametrize(
    "disposition",
    [
        'Content-Disposition: form-data; name="model"',
        "content-disposition: form-data; name=model",
        "Content-Disposition:form-data;NAME=model",
        'Content-Disposition: form-data; filename="a; name=x"; name="model"',
        'Content-Disposition: form-data; filename="a\\"; name=x"; name="model"',
        'Content-Type: text/plain\r\nContent-Disposition: form-data; name="model"',
        'Content-Disposition: form-data; name="model"\r\nContent-Type: text/plain',
    ],
)
@pytest.mark.parametrize("kind", [KIND, 'Multipart/Form-Data; charset=x; boundary="b"', "application/json"])
def test_a_field(disposition: str, kind: str) -> None:
    body = form(part(disposition, b"whisper-1"))
    assert is_form(kind, body)
    assert fields_of_form(kind, body) == {"model": "whisper-1"}


def test_fields_between_files() -> None:
    name = 'Content-Disposition: form-data; name="{}"'
    file = 'Content-Disposition: form-data; name="file"; filename="name=model"'
    body = form(
        part(name.format("n"), b"3"),
        part(file, b"\x00\xff\r\n\r\n" * 5000),
        part(name.format("model"), b"first"),
        part(name.format("model"), b"last"),
        part(name.format("stream"), b"true", b"\n"),
    )
    assert fields_of_form(KIND, body) == {"n": 3, "model": "last", "stream": "true"}


@pytest.mark.parametrize("body", [b"", b"--", b"--b", b"--b\r\n\r\n", b"x", b"--b\r\nname=model\r\n\r\nx"])
@pytest.mark.parametrize("kind", [KIND, "multipart/form-data", ""])
def test_no_fields(kind: str, body: bytes) -> None:
    assert fields_of_form(kind, body) == {}


def test_repeated_names_without_values_are_no_trap() -> None:
    """This was quadratic."""
    body = b"--b\r\n" + b'name="n"\r\n' * 12_000
    before = time.process_time()
    assert fields_of_form(KIND, body) == {}
    assert time.process_time() - before < 0.05
