"""Where the credentials of AWS come from: settings, environment, the machine, and a role that STS grants."""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from limiter.cloud_identity import AwsIdentity
from limiter.redis_settings import RedisSettings, Timeouts
from limiter.stores.cloud.aws import AwsIssuer
from limiter.stores.cloud.logins import CloudLogins
from limiter.stores.contract import StoreError
from tests.contract.backends import Time
from tests.servers.elasticache import ElastiCache
from tests.servers.guarded import Guarded
from tests.servers.provider import Answer, Provider, Question, assumed_role, provider
from tests.servers.valkey import Server
from tests.stores.cloud.surroundings import HOUR, PATIENT, acquire_once

ROLE = AwsIdentity("limits", "eu-central-1", True, "AKIDOWNER", "owner-secret", "arn:aws:iam::1:role/limiter", "team-a")
SECRETS = {
    ("AKIDOWNER", ""): "owner-secret",
    ("ASIAROLE", "role+session/token=="): "role-secret",
    ("ASIAMACHINE", "machine-token"): "machine-secret",
}
MINUTE = 60_000
DENIAL = (403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>secret</Message></Error></ErrorResponse>")


@pytest.fixture
def sts(clock: Time, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """Grants a role for an hour."""

    def grant(question: Question) -> Answer:
        assert question.fields["Action"] == "AssumeRole"
        until = datetime.fromtimestamp((clock() + HOUR) / 1000, UTC)
        return assumed_role("ASIAROLE", "role-secret", "role+session/token==", until)

    with provider(grant) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        yield sts


@asynccontextmanager
async def guarded(server: Server, clock: Time) -> AsyncIterator[Guarded]:
    cache = ElastiCache("limits", "eu-central-1", True, frozenset({"me"}), SECRETS, clock)
    async with Guarded(server.address, cache.admit, clock) as guard:
        yield guard


async def acquire(guard: Guarded, logins: CloudLogins, timeouts: Timeouts = PATIENT) -> None:
    await acquire_once(RedisSettings(guard.address, timeouts=timeouts), logins)


async def test_a_role_is_taken_on_and_kept(server: Server, clock: Time, sts: Provider) -> None:
    async with guarded(server, clock) as guard:
        logins = CloudLogins(ROLE, "me", clock)
        for _ in range(4):
            await acquire(guard, logins)
            clock.advance(8 * MINUTE)
        assert guard.refused == 0
    (question,) = sts.questions
    assert question.fields["RoleArn"] == ROLE.assume_role_arn
    assert question.fields["RoleSessionName"] == "team-a"
    assert "Credential=AKIDOWNER/" in question.headers["authorization"]
    assert "/eu-central-1/sts/" in question.headers["authorization"]


async def test_a_role_serves_while_sts_is_down_and_until_it_ends(server: Server, clock: Time, sts: Provider) -> None:
    """Signing goes on with what was granted. Without it there is an error, at once, and then a new role."""
    async with guarded(server, clock) as guard:
        logins = CloudLogins(ROLE, "me", clock)
        await acquire(guard, logins)
        sts.failure = DENIAL
        for _ in range(6):
            clock.advance(9 * MINUTE)
            await acquire(guard, logins)
        assert len(sts.questions) > 1
        clock.advance(6 * MINUTE)
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(
                StoreError, match="AWS: no token from the identity provider: ClientError AccessDenied"
            ) as caught:
                await acquire(guard, logins)
            assert time.monotonic() - began < 10
            assert "secret" not in repr(caught.value)
        sts.failure = None
        clock.advance(2000)
        await acquire(guard, logins)
        assert guard.refused == 0


async def test_a_slow_sts_blocks_nobody_else(server: Server, clock: Time, sts: Provider) -> None:
    """The loop goes on, a call waits as long as for any connection, and all wait for one answer."""
    async with guarded(server, clock) as guard:
        sts.ready.clear()
        logins = CloudLogins(ROLE, "me", clock)
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0.01)
                beats += 1

        beating = asyncio.create_task(beat())
        calls = [acquire(guard, logins, Timeouts(0.3, 5, 5)) for _ in range(10)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        beating.cancel()
        assert {str(outcome).partition(": ")[2] for outcome in outcomes} == {
            "no token from the identity provider in time"
        }
        assert beats > 2
        sts.ready.set()
        await acquire(guard, logins)
        assert len(sts.questions) == 1


async def test_credentials_of_the_environment(server: Server, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAROLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "role-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "role+session/token==")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    async with guarded(server, clock) as guard:
        await acquire(guard, CloudLogins(AwsIdentity("limits"), "me", clock))
        assert len(guard.shown) == 1


async def test_credentials_of_the_machine(server: Server, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of a container."""

    def grant(question: Question) -> Answer:
        until = datetime.fromtimestamp(time.time() + 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 200, {
            "AccessKeyId": "ASIAMACHINE",
            "SecretAccessKey": "machine-secret",
            "Token": "machine-token",
            "Expiration": until,
        }

    with provider(grant) as machine:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{machine.url}/credentials")
        async with guarded(server, clock) as guard:
            await acquire(guard, CloudLogins(AwsIdentity("limits", "eu-central-1"), "me", clock))
            assert len(guard.shown) == 1
        assert [question.path for question in machine.questions] == ["/credentials"]


@pytest.mark.parametrize(
    ("identity", "problem"),
    [
        (AwsIdentity("limits", "eu-central-1"), "found no credentials"),
        (AwsIdentity("limits", "", True, "AKIDOWNER", "owner-secret"), "found no region, expected aws_region"),
    ],
)
def test_what_the_surroundings_lack_is_named(identity: AwsIdentity, problem: str) -> None:
    issuer = AwsIssuer(identity, "me")
    with pytest.raises(Exception, match=problem) as caught:
        issuer.issue(0)
    assert problem in issuer.explain(caught.value)


async def test_static_keys_need_no_library(server: Server, clock: Time) -> None:
    """Loading it would take a second. In a process that has not loaded it yet."""
    script = (
        "import sys\nfrom limiter.cloud_identity import AwsIdentity\nfrom limiter.stores.cloud.aws import AwsIssuer\n"
        "AwsIssuer(AwsIdentity('limits', 'eu-central-1', True, 'A', 'B'), 'me').issue(0)\n"
        "assert not {'boto3', 'botocore', 'azure', 'google.auth'} & sys.modules.keys()"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
    assert await process.wait() == 0


def test_no_thread_keeps_the_process(clock: Time, sts: Provider) -> None:
    sts.ready.clear()
    CloudLogins(ROLE, "me", clock)
    found = [thread for thread in threading.enumerate() if thread.name == "ai-limit identity"]
    assert found
    assert all(thread.daemon for thread in found)
    sts.ready.set()
    for thread in found:
        thread.join()
