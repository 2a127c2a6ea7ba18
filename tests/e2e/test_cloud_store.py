"""A proxy whose counters lie in a cache that takes signed tokens only, of a role that STS grants."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx2

from limiter.stores.contract import wall_clock
from tests.e2e.clients import Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.proxy import Proxy
from tests.servers import shared
from tests.servers.elasticache import ElastiCache
from tests.servers.guarded import Guarded
from tests.servers.provider import Answer, Question, assumed_role, provider

ROLE = "arn:aws:iam::1:role/limiter"
BODY = {"model": "text-embedding-3-small", "input": "a"}
URL = "https://api.openai.com/v1/embeddings"
SECRETS = {("ASIAROLE", "role-session"): "role-secret"}


def grant(question: Question) -> Answer:
    assert (question.fields["Action"], question.fields["RoleArn"]) == ("AssumeRole", ROLE)
    return assumed_role("ASIAROLE", "role-secret", "role-session", datetime.now(UTC) + timedelta(hours=1))


def statuses(proxy: Proxy, count: int) -> list[int]:
    with Route(proxy=proxy.url, ca_file=proxy.ca_file).http() as client:
        return [client.post(URL, json=BODY, headers={"authorization": "Bearer sk-1"}).status_code for _ in range(count)]


async def test_a_limit_is_kept_with_a_role_of_the_cloud(proxy_factory: ProxyFactory) -> None:
    """And nothing secret is logged, at the finest level."""
    server = shared.standalone()
    with server.client() as client:
        client.flushall()
    cache = ElastiCache("limits", "eu-central-1", True, frozenset({"me"}), SECRETS, wall_clock)
    with provider(grant) as sts:
        async with Guarded(server.address, cache.admit, wall_clock) as guard:
            query = f"auth_provider=aws&aws_cache_name=limits&aws_region=eu-central-1&aws_assume_role_arn={ROLE}"
            settings = {"store": f"redis://me@{guard.address}?{query}&connect_timeout=10000", "store_timeout": 20}
            limits = [{"name": "few", "amount": "2 requests per day"}]
            environment = {
                "AWS_ENDPOINT_URL_STS": sts.url,
                "AWS_ACCESS_KEY_ID": "AKIDOWNER",
                "AWS_SECRET_ACCESS_KEY": "owner-secret",
            }
            proxy = await asyncio.to_thread(
                proxy_factory,
                config=json.dumps({"settings": settings, "limits": limits}),
                env=environment,
                args=("--set", "termlog_verbosity=debug"),
            )
            found = await asyncio.to_thread(statuses, proxy, 3)
            assert found == [httpx2.codes.OK, httpx2.codes.OK, httpx2.codes.BAD_REQUEST]
            assert (guard.refused, guard.dropped) == (0, 0)
            assert guard.shown
        assert len(sts.questions) == 1
    for secret in ("owner-secret", "role-secret", "role-session", "X-Amz-Signature"):
        assert secret not in proxy.log
    with server.client() as client:
        assert any(b"few" in key for key in client.keys("*"))
