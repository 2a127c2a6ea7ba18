"""Hosts and paths in one spelling."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.usage.addresses import MOST_PATH, canonical_host, canonical_path, is_plain, tidy

PIECES = st.sampled_from(
    ["%", "2", "5", "4", "1", "F", "f", "3", "/", "..", ".", "\\", ";", "a", "?", "#", "%2e", "%2F", "%25", "é", "%c3",
     "%a9", "%ff", " ", "%00", "%3f", "//"]
)  # fmt: skip
PATHS = st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=40)


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/v1/embeddings", "/v1/embeddings"),
        ("/v1/embeddings?a=/../b", "/v1/embeddings"),
        ("//v1//embeddings/", "/v1/embeddings"),
        ("/v1/%65mbeddings", "/v1/embeddings"),
        ("/v1/%2565mbeddings", "/v1/embeddings"),
        ("/v1%2fembeddings", "/v1/embeddings"),
        ("/v1/x/../embeddings", "/v1/embeddings"),
        ("/v1/x/%2e%2E/./embeddings", "/v1/embeddings"),
        ("/../../v1/embeddings", "/v1/embeddings"),
        ("/v1\\embeddings", "/v1/embeddings"),
        ("/v1;a=b/embeddings;c", "/v1/embeddings"),
        ("/v1/embeddings#x", "/v1/embeddings"),
        ("/model/arn%3Aaws%2Fm%3A0/converse", "/model/arn:aws/m:0/converse"),
        ("/a%3fb%23c%00", "/a%3Fb%23c%00"),
        ("/%C3%A9/%zz", "/é/%zz"),
        ("", "/"),
        ("*", "/*"),
        ("/%" + "25" * 5 + "41", "/A"),
        ("/%" + "25" * 30 + "41", "/%" + "25" * 30 + "41"),
        ("/" + "a/" * MOST_PATH, "/" + "a/" * MOST_PATH),
    ],
)
def test_paths(path: str, canonical: str) -> None:
    assert canonical_path(path) == canonical


@given(PATHS)
@settings(max_examples=500, deadline=None)
def test_what_is_canonical_stays_as_it_is(path: str) -> None:
    once = canonical_path(path)
    assert canonical_path(once) == once


@given(PATHS)
@settings(max_examples=500, deadline=None)
def test_a_plain_path_only_loses_escapes_that_are_needed(path: str) -> None:
    if is_plain(path) and "%" not in path:
        assert canonical_path(path) in (tidy(path), f"/{tidy(path)}")


@pytest.mark.parametrize(
    "path", ["/v1/files", "/v1/files/", "//v1/files?a=%2e%2e", "/model/arn%3Aa%2Fm%3A0/x", "/a%20b/%C3%A9", "/~a/%7Eb",
             "/a.b/..c"],
)  # fmt: skip
def test_plain_paths(path: str) -> None:
    assert is_plain(path)


@pytest.mark.parametrize(
    "path",
    ["/../a", "/a/..", "/a/./b", "/a%2F..%2Fb", "/%61", "/%2e", "/a%5Cb", "/a\\b", "/a;b", "/a%3Bb", "/a%3Fb", "/a#b",
     "/a%23b", "/a%2561", "/a%", "/a%00", "/a%5F", "/" + "a" * MOST_PATH],
)  # fmt: skip
def test_odd_paths(path: str) -> None:
    assert not is_plain(path)


@pytest.mark.parametrize(
    ("host", "canonical"),
    [("API.OpenAI.com.", "api.openai.com"), ("api\u3002openai\uff0ecom", "api.openai.com"),
     ("bücher.example", "xn--bcher-kva.example"),
     ("::1", "::1"), ("", ""), ("\u2024" * 300, "\u2024" * 300)],
)  # fmt: skip
def test_hosts(host: str, canonical: str) -> None:
    assert canonical_host(host) == canonical


@pytest.mark.parametrize("piece", ["%", "%25", "a/../", "%3", "/model/", "/a;", "%2e%2e%2f", "\\"])
def test_no_path_takes_long(piece: str) -> None:
    path = "/" + piece * (4000 // len(piece))
    before = time.process_time()
    canonical_path(path)
    is_plain(path)
    assert time.process_time() - before < 0.05
