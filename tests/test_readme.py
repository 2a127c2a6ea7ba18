"""What the README shows is true."""

import json
import re
from pathlib import Path

import pytest

from limiter.cli import main
from limiter.config import parse
from limiter.facts import NAMED, PLAIN

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("text", [text for kind, text in BLOCKS if kind == "yaml"])
def test_every_configuration_is_valid(text: str) -> None:
    assert parse(text, "README.md").policy.rules


def test_the_refusal_is_complete() -> None:
    (shown,) = [text for kind, text in BLOCKS if kind == "http"]
    head, _, body = shown.partition("\n\n")

    assert head.startswith("HTTP/1.1 429 ")
    assert json.loads(body)["error"]["code"] == "insufficient_quota"


def test_every_dimension_is_named() -> None:
    for dimension in (*PLAIN, *(f"`{kind}:NAME`" for kind in NAMED)):
        assert dimension in README


def test_every_command_is_named() -> None:
    for command in main.commands:
        assert f"ai-limit {command}" in README
