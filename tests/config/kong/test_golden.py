"""Every file in tests/golden/kong: documents, a line of dashes, and the declaration that comes of them.

Problems stand before it, warnings as comments. A first line such as `# env NAME=value` sets a variable; files in the
folder `terraform` are read as such. `AI_LIMIT_GOLDEN=write` writes what comes into the files.
"""

import os
import re
from pathlib import Path

import pytest

from limiter.config import ConfigError
from limiter.config.kong.adapter import declare
from limiter.config.loading import documents
from tests.config.kong.rendering import render

GOLDEN = Path(__file__).parents[2] / "golden" / "kong"
CASES = sorted(GOLDEN.glob("*/*.txt"))
LINE = "-" * 20 + "\n"


def outcome(text: str, file: str) -> str:
    """What comes of documents."""
    environment = dict(re.findall(r"^# env (\w+)=(.*)$", text, re.MULTILINE))
    try:
        declaration, collected = declare(documents(text, file, environment), environment)
    except ConfigError as error:
        return f"{error}\n"
    warnings = "".join(f"# {warning.tell('warning')}\n" for warning in sorted(set(collected.warnings)))
    problems = "".join(f"{problem}\n" for problem in sorted(set(collected.problems)))
    return warnings + (problems or render(declaration))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_case(path: Path) -> None:
    """The documents come out as their file says."""
    text, *_, expected = path.read_text().partition(LINE)
    file = "case.tf" if path.parent.name == "terraform" else "case.yaml"
    if os.environ.get("AI_LIMIT_GOLDEN") == "write":
        expected = outcome(text, file)
        path.write_text(f"{text}{LINE}{expected}")

    assert outcome(text, file) == expected


def test_there_are_cases() -> None:
    """The folder was found."""
    assert len(CASES) >= 60
