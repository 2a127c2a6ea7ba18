"""Errors in the format that the client accepts."""

import json
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.facts import Facts
from limiter.kong.quota_answers import accepted, error

JSON, HTML, XML, PLAIN = "application/json", "text/html", "application/xml", "text/plain"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("text/html", HTML),
        ("application/xml", XML),
        ("text/plain", PLAIN),
        ("text/*", PLAIN),
        ("application/*", JSON),
        ("image/png", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
        ("text/html;q=0.3, application/xml;q=0.7", XML),
        ("text/plain;q=0, */*;q=0.1", JSON),
        ("text/html; charset=utf-8; q=0.5, text/plain;q=0.6", PLAIN),
        ("text/html;level=1", HTML),
        ("text/html;q=0.5, text/plain;q=0.5", HTML),
        ("TEXT/HTML", JSON),
        ("nonsense", JSON),
        (", ,text/html", HTML),
    ],
)
def test_the_highest_quality_counts_and_of_equals_the_first(accept: str, expected: str) -> None:
    assert accepted(accept) == expected


@given(st.text())
def test_any_text_leads_to_a_format(accept: str) -> None:
    assert accepted(accept) in (JSON, HTML, XML, PLAIN)


def _body(accept: str, message: str = "API rate limit exceeded for 'video'") -> str:
    answer = error(429, message, Facts(headers={"accept": accept}))
    assert answer.headers == (("content-type", f"{accept}; charset=utf-8"),)
    return answer.body.decode()


def test_json_is_laid_out_as_kongs() -> None:
    first, message, request, last = _body(JSON).split("\n")

    assert (first, message, last) == ("{", """  "message":"API rate limit exceeded for 'video'",""", "}")
    assert request.startswith('  "request_id":"')
    assert len(json.loads(_body(JSON))["request_id"]) == 32


def test_other_formats_are_laid_out_as_kongs() -> None:
    assert "    <p>API rate limit exceeded for 'video'.</p>\n    <p>request_id: " in _body(HTML)
    assert _body(PLAIN).startswith("API rate limit exceeded for 'video'\nrequest_id: ")
    assert ET.fromstring(_body(XML).encode()).findtext("message") == "API rate limit exceeded for 'video'"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"])))
def test_names_of_limits_do_not_break_the_format(name: str) -> None:
    """Kong puts them in as they are."""
    assert json.loads(_body(JSON, name))["message"] == name
    assert ET.fromstring(_body(XML, name).encode()).findtext("message") == name


def test_grpc_is_told_by_headers() -> None:
    answer = error(500, "An unexpected error occurred", Facts(headers={"content-type": "application/grpc+proto"}))

    assert answer == (
        500,
        (("content-type", "application/grpc"), ("grpc-status", "13"), ("grpc-message", "Internal")),
        b"",
    )


def test_requests_have_ids_of_their_own() -> None:
    assert error(429, "", Facts(ip="a"), 1) != error(429, "", Facts(ip="a"), 2)
    assert error(429, "", Facts(ip="a"), 1) == error(429, "", Facts(ip="a"), 1)
