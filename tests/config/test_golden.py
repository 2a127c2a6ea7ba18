"""Every file in tests/golden: a configuration, a line of dashes, and what comes of it.

What comes is the native form, warnings before it as comments; or, if the configuration is wrong, all that is wrong.
`AI_LIMIT_GOLDEN=write` writes what comes into the files: read the difference before you keep it.
"""

import os
from pathlib import Path

import pytest

from limiter.config import ConfigError, dump, parse

GOLDEN = Path(__file__).parent.parent / "golden"
CASES = sorted(GOLDEN.glob("*/*.txt"))
LINE = "-" * 20 + "\n"


def outcome(text: str) -> str:
    """What comes of a configuration."""
    try:
        configuration = parse(text, "case.yaml")
    except ConfigError as error:
        return f"{error}\n"
    warnings = "".join(f"# {warning.tell('warning')}\n" for warning in configuration.warnings)
    return warnings + dump(configuration)


def is_right(path: Path) -> bool:
    """Whether a case has a native form."""
    expected = path.read_text().partition(LINE)[2]
    return bool(expected) and not expected.startswith("case.yaml")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    """The configuration comes out as its file says."""
    text, *_, expected = path.read_text().partition(LINE)
    if os.environ.get("AI_LIMIT_GOLDEN") == "write":
        expected = outcome(text)
        path.write_text(f"{text}{LINE}{expected}")

    assert outcome(text) == expected


@pytest.mark.parametrize("path", [path for path in CASES if is_right(path)], ids=lambda path: path.stem)
def test_native_form_is_stable(path: Path) -> None:
    """What `adapt` prints comes out of `adapt` as it went in."""
    _, _, expected = path.read_text().partition(LINE)
    printed = "".join(line for line in expected.splitlines(keepends=True) if not line.startswith("# "))

    assert dump(parse(printed, "printed.yaml")) == printed


def test_there_are_cases() -> None:
    """The folder was found."""
    assert len(CASES) >= 40
