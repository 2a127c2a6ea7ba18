"""A sandbox of each runtime that is installed."""

import pytest

from limiter.lua.runtime import available
from tests.lua.running import Bench


@pytest.fixture(scope="session", params=available())
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(request.param)
