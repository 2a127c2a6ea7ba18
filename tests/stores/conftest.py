"""Clocks and files for the tests of single stores."""

from pathlib import Path

import pytest

from tests.contract.backends import Time


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an SQLite store may put its file."""
    return tmp_path / "counters.db"
