"""Paths: normal ones, and those that services are asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.kong.paths import joined, normal

NORMAL = [
    ("/", "/"),
    ("", "/"),
    ("/a//b///c", "/a/b/c"),
    ("/a/./b/../c", "/a/c"),
    ("/../../a", "/a"),
    ("/a/..", "/"),
    ("/a/b/..", "/a/"),
    ("/a/.", "/a/"),
    ("/%61%2f%2F", "/a%2F%2F"),
    ("/%7Euser/%2e%2e/x", "/x"),
    ("/%zz", "/%zz"),
    ("/.hidden/..x", "/.hidden/..x"),
]

# Service, route, request, strip_path, path_handling:
# https://developer.konghq.com/gateway/entities/route/#path-handling-algorithms
JOINED = [
    ("/s", "/fv0", "/fv0/req", False, "v0", "/s/fv0/req"),
    ("/s", "/fv0", "/fv0", False, "v0", "/s/fv0"),
    ("/s", "/fv1", "/fv1/req", False, "v1", "/sfv1/req"),
    ("/s", "/fv1", "/fv1", False, "v1", "/sfv1"),
    ("/s", "/tv0", "/tv0/req", True, "v0", "/s/req"),
    ("/s", "/tv0", "/tv0", True, "v0", "/s"),
    ("/s", "/tv1", "/tv1/req", True, "v1", "/s/req"),
    ("/s", "/tv1", "/tv1", True, "v1", "/s"),
    ("/s", "/fv0/", "/fv0/req", False, "v0", "/s/fv0/req"),
    ("/s", "/fv0/", "/fv0/", False, "v0", "/s/fv0/"),
    ("/s", "/fv1/", "/fv1/req", False, "v1", "/sfv1/req"),
    ("/s", "/tv0/", "/tv0/req", True, "v0", "/s/req"),
    ("/s", "/tv0/", "/tv0/", True, "v0", "/s/"),
    ("/s", "/tv1/", "/tv1/req", True, "v1", "/sreq"),
    ("/s", "/tv1/", "/tv1/", True, "v1", "/s"),
    ("/s/", "/r", "/r", True, "v0", "/s"),
    ("/s/", "/r", "/r/", True, "v0", "/s/"),
    ("/s/", "/r", "/r/x", True, "v0", "/s/x"),
    ("/s/", "/r/", "/r/x", True, "v0", "/s/x"),
    ("/s/", "/r", "/r/x", False, "v0", "/s/r/x"),
    ("/s", "", "/", False, "v0", "/s"),
    ("", "/r", "/r", True, "v0", "/"),
    ("", "/r", "/r/x", True, "v0", "/x"),
    ("", "/r", "/r/x", True, "v1", "/x"),
    ("", "", "/x", True, "v0", "/x"),
    ("", "", "/x", False, "v0", "/x"),
    ("/s", "/r", "/r../x", True, "v0", "/s/x"),
    ("/s", "/r", "/r..", True, "v0", "/s"),
]


@pytest.mark.parametrize(("path", "expected"), NORMAL)
def test_normal(path: str, expected: str) -> None:
    """Slashes, dots and encoding are as RFC 3986 normalises them."""
    assert normal(path) == expected


@pytest.mark.parametrize(("base", "route", "path", "strip", "handling", "expected"), JOINED)
def test_joined(base: str, route: str, path: str, *, strip: bool, handling: str, expected: str) -> None:
    """The service is asked for what Kong's documentation says."""
    assert joined(base, path, path.removeprefix(route), strip=strip, handling=handling) == expected


@given(st.text("/.%2eEfF az", max_size=20))
def test_normal_paths_stay(path: str) -> None:
    """A normal path is its own normal form, and leads nowhere above its root."""
    once = normal(path)

    assert normal(once) == once
    assert once.startswith("/")
    assert ".." not in once.split("/")
    assert "//" not in once


@given(st.text("/.ab", max_size=8), st.text("/.ab", max_size=12))
def test_nothing_leaves_the_service(route: str, path: str) -> None:
    """No request path takes a client out of the service's own path."""
    prefix, whole = normal(route), normal(path)
    rest = whole.removeprefix(prefix)

    for strip in (True, False):
        asked = joined("/base", whole, rest, strip=strip, handling="v0")
        assert asked.startswith("/base")
        assert normal(asked).startswith("/base")
