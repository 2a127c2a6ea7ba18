"""Costs by list price against those that providers reported, over recordings: set AI_LIMIT_CORPUS to run these."""

import os
from pathlib import Path

import pytest

from tests.usage.costs import DIFFERENT, pairs
from tests.usage.table import differences, labels, metered

FOLDER = os.environ.get("AI_LIMIT_CORPUS", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="AI_LIMIT_CORPUS is not set")


def test_costs_are_those_that_providers_report() -> None:
    """But for the differences that are listed with their reasons; no reason is left over."""
    found = list(pairs(Path(FOLDER)))
    different = {pair.id for pair in found if pair.differs}

    assert len(found) > 70
    assert different == set(DIFFERENT)


def test_every_exchange_is_measured_as_labelled() -> None:
    """By the path that `ai-limit meter` takes."""
    expected = labels(Path(FOLDER))
    wrong = [
        found.id
        for found in metered(Path(FOLDER), "labelled")
        if expected[found.id]["exactness"] != "ambiguous" and any(differences(expected[found.id], found).values())
    ]

    # The labels take xAI's realtime sessions to report nothing; their `response.done` has a `usage` beside `response`.
    assert wrong == ["xai/realtime-xai-01", "xai/realtime-xai-03"]
