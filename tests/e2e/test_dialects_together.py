"""Limits of every dialect on one request: each is checked, all headers are sent, one refusal is answered.

Counters lie in three stores: the native ones in SQLite, Kong's in memory, Higress's in a Redis.
"""

from typing import Any

import httpx2
import pytest

from tests.e2e.clients import Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.counters import Counters
from tests.e2e.proxy import Proxy
from tests.e2e.upstream import Upstream
from tests.servers import shared

CONFIG = """
settings: {{trusted_peers: [127.0.0.0/8]}}
limits:
  - {{name: calls, amount: 50 requests per year}}
  - {{name: each, amount: 4 requests per year, per: ip}}
  - {{name: all, amount: 1M tokens per year}}
---
rule_name: together
rule_items:
  - limit_by_per_header: x-case
    limit_keys: [{{key: "*", token_per_day: 40}}]
redis: {{service_name: redis.static}}
show_limit_quota_header: true
---
settings: {{service_addresses: {{redis.static: "{redis}"}}}}
---
_format_version: "3.0"
plugins:
  - name: ai-rate-limiting-advanced
    config:
      identifier: ip
      window_type: fixed
      llm_providers: [{{name: openai, limit: [60], window_size: [31536000]}}]
  - name: response-ratelimiting
    config: {{limit_by: ip, block_on_first_violation: true, limits: {{videos: {{year: 3}}}}}}
"""
URL = "https://api.openai.com/v1/chat/completions"
ASK: list[Any] = [{"role": "user", "content": "hi"}]


@pytest.fixture(name="proxy", scope="module")
def _proxy(module_proxy_factory: ProxyFactory) -> Proxy:
    shared.standalone_url()
    return module_proxy_factory(config=CONFIG.format(redis=shared.standalone().address))


def ask(proxy: Proxy, case: str, ip: str, tokens: int = 15, used: str = "") -> httpx2.Response:
    headers = {
        "x-case": case,
        "x-forwarded-for": ip,
        "user-agent": "OpenAI/Python 2.0",
        "x-test-usage": f"prompt={tokens - 5},completion=5",
        **({"x-test-used": used} if used else {}),
    }
    with Route(proxy=proxy.url, ca_file=proxy.ca_file).http() as http:
        return http.post(URL, json={"model": "gpt-4o", "messages": ASK}, headers=headers)


def test_an_answer_has_the_headers_of_all(proxy: Proxy, upstream: Upstream) -> None:
    counters = Counters(proxy)
    found = ask(proxy, "a", "192.0.2.1", used="videos=1")
    assert found.status_code == 200
    assert '"each";r=3' in found.headers["ratelimit"]
    assert (found.headers["x-ratelimit-limit"], found.headers["x-ratelimit-remaining"]) == ("40", "40")
    assert found.headers["x-ai-ratelimit-remaining-year-openai"] == "60"
    assert found.headers["x-ratelimit-remaining-videos-year"] == "2"
    assert "x-kong-limit" not in found.headers
    assert upstream.only.headers["x-ratelimit-remaining-videos"] == "3"
    counters.expect(calls=1, each=1, all=15)


@pytest.mark.parametrize(
    ("case", "ip", "spend", "said"),
    [
        ("higress", "192.0.2.2", {"tokens": 41}, "Too many requests"),
        ("airla", "192.0.2.3", {"tokens": 60}, "AI token rate limit exceeded for provider(s): openai"),
        ("quota", "192.0.2.4", {"used": "videos=3"}, "API rate limit exceeded for 'videos'"),
    ],
)
def test_whoever_refuses_the_others_take_nothing(
    proxy: Proxy, upstream: Upstream, case: str, ip: str, spend: dict[str, Any], said: str
) -> None:
    # What one dialect is to refuse must leave room in the others.
    before = Counters(proxy)
    first = ask(proxy, f"{case} first" if case == "airla" else case, ip, **spend)
    assert first.status_code == 200
    before.expect(calls=1, each=1, all=spend.get("tokens", 15))
    counters = Counters(proxy)
    refused = ask(proxy, case, ip)
    assert refused.status_code == 429
    assert said in refused.text
    assert '"each";r=3' in refused.headers["ratelimit"]
    assert refused.headers["x-ai-ratelimit-limit-year-openai"] == "60"
    # As in Kong, a request that its quota stops before the upstream is told nothing more of quotas.
    assert ("x-ratelimit-limit-videos-year" in refused.headers) == (case != "quota")
    assert len(upstream.exchanges) == 1
    counters.expect(calls=0, each=0, all=0)


def test_calls_that_are_free_cost_what_their_answers_say(proxy: Proxy, upstream: Upstream) -> None:
    def look(used: str = "", method: str = "GET") -> httpx2.Response:
        headers = {"x-forwarded-for": "192.0.2.6", **({"x-test-used": used} if used else {})}
        return http.request(method, "https://api.openai.com/v1/models", headers=headers)

    with Route(proxy=proxy.url, ca_file=proxy.ca_file).http() as http:
        first = look("videos=3")
        assert (first.status_code, first.headers["x-ratelimit-remaining-videos-year"]) == (200, "0")
        assert not {"x-kong-limit", "ratelimit", "x-ai-ratelimit-limit-year-openai"} & set(first.headers)
        Counters(proxy)  # Waits until nothing moves any more.
        refused = look(method="HEAD")
        assert (refused.status_code, refused.content) == (429, b"")
        # The connection serves further.
        assert look().status_code == 429
        assert http.get(URL).status_code in (200, 404, 405, 429)
    assert len(upstream.exchanges) <= 2


def test_when_the_native_limit_refuses_the_answer_is_its_own(proxy: Proxy, upstream: Upstream) -> None:
    ip = "192.0.2.5"
    assert [ask(proxy, f"native {number}", ip, 8).status_code for number in range(4)] == [200] * 4
    refused = ask(proxy, "native last", ip)
    assert refused.status_code == 429
    assert 'limit \\"each\\" reached' in refused.text
    # Found on arrival: three answers of eight tokens, or four, as the last is booked when it is read.
    assert refused.headers["x-ai-ratelimit-remaining-year-openai"] in ("28", "36")
    assert refused.headers["x-ratelimit-remaining"] == "40"
