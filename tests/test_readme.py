"""What the README shows is true."""

import re
from pathlib import Path

import pytest

from limiter.cli import main
from limiter.config import parse
from limiter.decisions import Refusal
from limiter.dimensions import GROUP, NAMED, PLAIN
from limiter.facts import Facts
from limiter.meters import NANO
from limiter.ratelimit_headers import fields
from limiter.refusals import answer
from limiter.rules import Limit, Rule
from limiter.windows import Window
from tests.standings import standing

README = (Path(__file__).parents[1] / "README.md").read_text()
DAY = 86_400_000
MIDNIGHT = 1_795_651_200_000
"""2026-11-26."""
NOW = MIDNIGHT - 19_014_000
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("text", [text for kind, text in BLOCKS if kind == "yaml"])
def test_every_configuration_is_valid(text: str) -> None:
    assert parse(text, "README.md").policy.rules


def test_the_refusal_is_what_comes_over_the_wire() -> None:
    (shown,) = [text for kind, text in BLOCKS if kind == "http"]
    head, _, body = shown.strip().partition("\n\n")
    status, *lines = head.splitlines()
    found = dict(line.split(": ", 1) for line in lines)

    day, month = (
        Limit(name, "cost", amount * NANO, Window("calendar", 1, unit), reserve="estimate")
        for name, amount, unit in (("daily", 10, "day"), ("monthly", 100, "month"))
    )
    used, need = 10_020_000_000, 10_000_000
    refusal = Refusal(
        facts=Facts(provider="openai", api="openai", model="gpt-4o", client="openai-python"),
        limit=day,
        rule=Rule((day, month)),
        used=used,
        need=need,
        now=NOW,
        retry_after=19_014,
        impossible=False,
        standings=(
            standing(day, used, 0, MIDNIGHT, DAY, over=True),
            standing(month, used, 100 * NANO - used, MIDNIGHT + 5 * DAY, 30 * DAY, over=False),
        ),
    )
    given = answer(refusal, streaming=False)
    expected = {name.lower(): value for name, value in (*given.headers, *fields(refusal.standings, NOW))}

    assert status == f"HTTP/1.1 {given.status} Too Many Requests"
    assert {**found, "x-request-id": ""} == {**expected, "x-request-id": ""}
    assert body == given.body.decode()


def test_every_dimension_is_named() -> None:
    (listed,) = re.findall(r"\*\*`match`\*\* takes (.*?);", README, re.DOTALL)

    listed = listed.replace(" (networks too)", "").replace("`", "")
    assert set(re.split(r",\s+", listed)) == {*PLAIN, GROUP, *(f"{kind}:NAME" for kind in NAMED)}


def test_every_command_is_named() -> None:
    for command in main.commands:
        assert f"ai-limit {command}" in README
