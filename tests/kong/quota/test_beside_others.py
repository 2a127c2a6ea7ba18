"""response-ratelimiting beside limits of other kinds on the same request."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from limiter.app import App, Sources
from limiter.facts import Facts
from tests.kong.quota.gateway import Gateway

CONFIG = """
limits:
  - {name: calls, amount: 5 requests per year}
  - {name: renders, amount: 10 per year, meter: "header:x-kong-limit:renders"}
---
_format_version: "3.0"
plugins:
- name: ai-rate-limiting-advanced
  config:
    identifier: ip
    llm_providers: [{name: openai, limit: [1000], window_size: [86400]}]
- name: response-ratelimiting
  config:
    block_on_first_violation: true
    limits:
      video: {year: 3}
"""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    file = tmp_path / "limits.yaml"
    file.write_text(CONFIG)
    app = App(Sources(config=file, store="memory:", data=tmp_path))
    yield Gateway(app.running.engine, app.running.replies, Facts(provider="openai", model="gpt-4o", ip="127.0.0.1"))
    await app.close()


async def test_all_are_told(gateway: Gateway) -> None:
    told = await gateway.ask("video=1, renders=2.5")

    assert told.status == 200
    assert told.remaining("video", "year") == "2"
    assert told.headers["x-ai-ratelimit-remaining-day-openai"] == "1000"
    assert '"calls";r=4' in told.headers["ratelimit"]
    assert '"renders";r=7' in (await gateway.ask()).headers["ratelimit"]


async def test_a_refused_request_counts_nowhere(gateway: Gateway) -> None:
    await gateway.ask("video=3")

    told = await gateway.ask("video=1")
    assert (told.status, told.asked) == (429, {})
    assert '"calls";r=4' in told.headers["ratelimit"]
    assert told.headers["x-ai-ratelimit-remaining-day-openai"] == "1000"
    assert '"calls";r=4' in (await gateway.ask()).headers["ratelimit"]


async def test_a_refused_answer_counts_nowhere(gateway: Gateway) -> None:
    await gateway.ask("video=4")

    told = await gateway.ask("video=1, renders=5")
    assert (told.status, told.body) == (429, b"")
    assert told.asked == {"X-RateLimit-Remaining-video": "-1"}
    after = (await gateway.ask("video=-2")).headers["ratelimit"]
    assert '"calls";r=3' in after
    assert '"renders";r=10' in after


async def test_another_refusal_tells_of_the_quotas_too(gateway: Gateway) -> None:
    for _ in range(5):
        assert (await gateway.ask()).status == 200

    told = await gateway.ask("video=1")

    assert b"calls" in told.body
    assert told.remaining("video", "year") == "3"
