"""What is logged of functions: once a minute, bounded, and without secrets."""

import logging

import pytest

from limiter.lua.function import LuaFunction
from limiter.lua.journal import MINUTE, MOST_LINES, Journal
from limiter.lua.messages import LONGEST_DETAIL, LONGEST_LINE
from limiter.lua.outcomes import Count
from limiter.lua.request import LuaRequest

FUNCTION = LuaFunction("return 1", "kong.yaml:7")
OTHER = LuaFunction("return 2", "kong.yaml:7")
"""What stood there before."""
LABEL = f"kong.yaml:7 ({FUNCTION.digest.hex()[:8]})"
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
    journal.mistake(OTHER, mistake, REQUEST)
    clock.now = MINUTE
    journal.mistake(FUNCTION, mistake, REQUEST)
    assert [record.getMessage() for record in caplog.records] == [
        f"Lua function {LABEL}: raised: no such field; it counts as 0",
        f"Lua function kong.yaml:7 ({OTHER.digest.hex()[:8]}): raised: no such field; it counts as 0",
        f"Lua function {LABEL}: raised: no such field; it counts as 0 (4 times more before)",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_lines_of_functions_have_kongs_levels_and_a_bound(
    journal: Journal, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    journal.lines(FUNCTION, [("err", b"bad"), ("notice", b"two\nlines"), ("debug", b"\xff")], REQUEST)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, f"Lua function {LABEL}: bad"),
        (logging.INFO, f"Lua function {LABEL}: two\\nlines"),
        (logging.DEBUG, f"Lua function {LABEL}: \ufffd"),
    ]
    caplog.clear()
    journal.lines(FUNCTION, [("notice", b"again")] * 1000, REQUEST)
    assert len(caplog.records) == MOST_LINES - 3
    assert "logs too much" in caplog.records[-1].getMessage()
    clock.now = MINUTE
    journal.lines(FUNCTION, [("notice", b"again")], REQUEST)
    assert caplog.records[-1].getMessage() == f"Lua function {LABEL}: again"


def test_two_functions_of_one_field_are_told_apart(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    for function in (FUNCTION, LuaFunction("return 1", "kong.yaml:9"), OTHER):
        journal.mistake(function, Count(mistake="nil"), REQUEST)
    assert len({record.getMessage() for record in caplog.records}) == 3


def test_what_is_logged_is_redacted(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    journal.lines(FUNCTION, [("err", b"Bearer sk-hush")], REQUEST)
    journal.mistake(FUNCTION, Count(mistake="raised", detail="bad sk-hush"), REQUEST)
    assert [record.getMessage() for record in caplog.records] == [
        f"Lua function {LABEL}: [redacted]",
        f"Lua function {LABEL}: raised: bad [redacted]; it counts as 0",
    ]


@pytest.mark.parametrize(("short", "shown"), [(1, True), (0, False)])
def test_a_secret_that_the_end_of_a_text_cuts(
    journal: Journal, caplog: pytest.LogCaptureFixture, short: int, shown: bool
) -> None:
    journal.mistake(FUNCTION, Count(mistake="raised", detail=" sk-hus".rjust(LONGEST_DETAIL - short, "x")), REQUEST)
    journal.lines(FUNCTION, [("err", b" sk-hus".rjust(LONGEST_LINE - short, b"x"))], REQUEST)
    assert ["sk-hus" in record.getMessage() for record in caplog.records] == [shown, shown]
