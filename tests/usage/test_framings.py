"""Every framing under every coding, cut anywhere: the same is read, and what is forwarded is what came."""

import gzip
import zlib
from collections.abc import Callable
from itertools import pairwise

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.usage.tap import Observation, Tap
from tests.usage.exchanges import ask_for, cuts, observe
from tests.usage.test_readers import CASES, Case

FRAMINGS = {
    "JSON": "openai chat",
    "events": "anthropic messages, stream",
    "events without names": "groq, stream",
    "lines": "cohere v1, stream",
    "an array": "vertex, numbers for names",
    "binary frames": "bedrock converse-stream",
    "base64 in binary frames": "bedrock claude, stream",
}


def _bare_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def _flushed(body: bytes) -> bytes:
    """As servers compress what they stream: each piece can be read when it is there."""
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(body[at : at + 50]) + packer.flush(zlib.Z_SYNC_FLUSH) for at in range(0, len(body), 50)]
    return b"".join(parts) + packer.flush()


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "none": ("", bytes),
    "gzip": ("gzip", gzip.compress),
    "gzip, flushed": ("gzip", _flushed),
    "gzip, in two members": ("gzip", lambda body: gzip.compress(body[:99]) + gzip.compress(body[99:])),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", _bare_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress),
    "zstd in gzip": ("zstd, gzip", lambda body: gzip.compress(zstandard.ZstdCompressor().compress(body))),
}
EVERY = [(framing, coding) for framing in FRAMINGS for coding in CODINGS]


def _coded(framing: str, coding: str) -> tuple[Case, bytes, dict[str, str]]:
    case, (name, encode) = CASES[FRAMINGS[framing]], CODINGS[coding]
    return case, encode(case.body), {**case.headers, "content-encoding": name}


@pytest.mark.parametrize(("framing", "coding"), EVERY)
def test_the_same_is_read_at_any_cut(framing: str, coding: str) -> None:
    case, body, headers = _coded(framing, coding)
    ask = ask_for(case.url, case.request, case.method)
    for parts in cuts(body):
        seen = observe(ask, parts, case.content_type, **headers)
        assert (seen.usage, seen.complete, seen.truncated) == (case.usage, True, False)


@given(st.sampled_from(EVERY), st.data())
@settings(max_examples=150, deadline=None)
def test_a_body_that_ends_anywhere_is_read_as_far_as_it_goes(pair: tuple[str, str], data: st.DataObject) -> None:
    """Cut into pieces of any size, and off at any byte: no usage is made up, and no byte changes."""
    case, body, headers = _coded(*pair)
    end = data.draw(st.integers(0, len(body)))
    marks = sorted({0, end, *data.draw(st.lists(st.integers(0, end), max_size=8))})
    parts = [body[start:stop] for start, stop in pairwise(marks)]
    seen = observe(ask_for(case.url, case.request, case.method), parts, case.content_type, **headers)
    assert _is_part(seen, case)


def _is_part(seen: Observation, whole: Case) -> bool:
    if seen.usage is None or whole.usage is None:
        return True
    return seen.usage.prompt_tokens <= whole.usage.prompt_tokens and (
        seen.usage.estimated or seen.usage.completion_tokens <= whole.usage.completion_tokens
    )


@given(st.sampled_from(EVERY), st.binary(max_size=200), st.data())
@settings(max_examples=150, deadline=None)
def test_junk_in_the_middle_passes_unchanged(pair: tuple[str, str], junk: bytes, data: st.DataObject) -> None:
    case, body, headers = _coded(*pair)
    at = data.draw(st.integers(0, len(body)))
    tap = Tap(ask_for(case.url, case.request, case.method), 200, {"content-type": case.content_type, **headers})
    assert [tap.feed(part) for part in (body[:at], junk, body[at:])] == [body[:at], junk, body[at:]]
    tap.finish()
