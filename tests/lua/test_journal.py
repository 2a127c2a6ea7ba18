"""What is logged of functions: once a minute, bounded, and without secrets."""

import logging

import pytest

from limiter.lua.function import LuaFunction
from limiter.lua.journal import MINUTE, MOST_LINES, Journal, redacted
from limiter.lua.outcomes import Count
from limiter.lua.request import LuaRequest

FUNCTION = LuaFunction("return 1", "kong.yaml:7")
REQUEST = LuaRequest(
    target="/v1?key=q-secret&model=gpt-4o",
    headers=(
        ("authorization", "Bearer sk-hush"),
        ("x-api-key", "k-hush"),
        ("cookie", "sid=c-hush"),
        ("x-plain", "shown"),
    ),
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(clock: Clock) -> Journal:
    return Journal(clock)


def test_mistakes_are_told_once_per_function_and_minute(
    journal: Journal, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    mistake = Count(mistake="raised", detail="no such field")
    for _ in range(5):
        journal.mistake(FUNCTION, mistake, REQUEST)
    journal.mistake(LuaFunction("return 2", "other.yaml:1"), mistake, REQUEST)
    clock.now = MINUTE
    journal.mistake(FUNCTION, mistake, REQUEST)
    assert [record.getMessage() for record in caplog.records] == [
        "Lua function kong.yaml:7: raised: no such field; it counts as 0",
        "Lua function other.yaml:1: raised: no such field; it counts as 0",
        "Lua function kong.yaml:7: raised: no such field; it counts as 0 (4 times more before)",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_lines_of_functions_have_kongs_levels_and_a_bound(
    journal: Journal, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    journal.lines(FUNCTION, [("err", b"bad"), ("notice", b"two\nlines"), ("debug", b"\xff")], REQUEST)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "Lua function kong.yaml:7: bad"),
        (logging.INFO, "Lua function kong.yaml:7: two\\nlines"),
        (logging.DEBUG, "Lua function kong.yaml:7: \ufffd"),
    ]
    caplog.clear()
    journal.lines(FUNCTION, [("notice", b"again")] * 1000, REQUEST)
    assert len(caplog.records) == MOST_LINES - 3
    assert "logs too much" in caplog.records[-1].getMessage()
    clock.now = MINUTE
    journal.lines(FUNCTION, [("notice", b"again")], REQUEST)
    assert caplog.records[-1].getMessage() == "Lua function kong.yaml:7: again"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bearer sk-hush", "[redacted]"),
        ("key is sk-hush!", "key is [redacted]!"),
        ("k-hush sid=c-hush q-secret", "[redacted] [redacted] [redacted]"),
        ("shown gpt-4o", "shown gpt-4o"),
    ],
)
def test_secrets_of_the_request_are_left_out(text: str, shown: str) -> None:
    assert redacted(text, REQUEST) == shown
