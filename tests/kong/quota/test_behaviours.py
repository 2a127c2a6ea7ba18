"""What Kong's own tests, and runs of its code, say of response-ratelimiting; on every store.

Numbers in names are those of the list that the tests were drawn from; of the plugin's schema and of its answers over
HTTP tell other files.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from limiter.decisions import Refusal
from limiter.kong.entities import Scope
from limiter.stores.contract import Store
from tests.contract.backends import Backend, Time
from tests.kong.quota.conftest import GatewayFactory
from tests.kong.quota.gateway import Gateway, Told, limits, measure, plugin

MINUTE = 60_000
USED_UP = [200] * 6


def remaining(told: Told, **expected: str) -> None:
    """`video_second="3"`: what the client is told is left."""
    found = {name: told.remaining(*name.split("_")) for name in expected}
    assert expected == found


class TestOneQuota:
    config: Mapping[str, Any] = limits(video={"second": 6})

    async def test_01_what_answers_counted_is_taken_off(self, gateway: GatewayFactory) -> None:
        kong = gateway(self.config)
        await kong.ask_often(3, "video=1")

        remaining(await kong.ask(), video_second="3")

    async def test_02_an_answer_shows_its_own_count_taken_off(self, gateway: GatewayFactory) -> None:
        kong = gateway(self.config)
        await kong.ask_often(3, "video=1")

        told = await kong.ask("video=1")

        assert told.status == 200
        assert told.limit("video", "second") == "6"
        remaining(told, video_second="2")

    async def test_03_what_counts_on_a_used_up_quota_is_refused(self, gateway: GatewayFactory) -> None:
        kong = gateway(self.config)
        assert await kong.ask_often(6, "video=1") == USED_UP

        told = await kong.ask("video=1")

        assert (told.status, told.body) == (429, b"")
        assert told.limit("video", "second") == "6"
        remaining(told, video_second="0")
        assert "x-kong-limit" not in told.headers

    async def test_04_what_does_not_count_passes(self, gateway: GatewayFactory) -> None:
        kong = gateway(self.config)
        await kong.ask_often(6, "video=1")

        told = await kong.ask()

        assert told.status == 200
        remaining(told, video_second="0")

    async def test_19_a_new_period_begins_with_the_whole_quota(self, gateway: GatewayFactory, clock: Time) -> None:
        kong = gateway(self.config)
        remaining(await kong.ask("video=1"), video_second="5")

        clock.advance(1000)

        remaining(await kong.ask("video=1"), video_second="5")

    async def test_19_also_when_the_old_one_was_about_to_end(self, gateway: GatewayFactory, clock: Time) -> None:
        """Counts belong to the period in which the request came."""
        kong = gateway(self.config)
        clock.advance(999)
        await kong.ask("video=4")

        clock.advance(1)

        remaining(await kong.ask(), video_second="6")


class TestScopes:
    async def test_05_06_a_service_shares_its_quota_and_unknown_names_count_for_nothing(
        self, store: Store, clock: Time, policy: Mapping[str, Any]
    ) -> None:
        instance = plugin({**policy, **limits(video={"second": 6})}, Scope(service="s"))
        kong = Gateway.over(store, clock, instance)
        for route in ("one", "two"):
            assert await kong.ask_often(3, "video=1, test=6", service="s", route=route) == [200] * 3

        told = await kong.ask("video=1, test=6", service="s", route="one")

        assert told.status == 429
        assert not any("test" in name for name in told.headers)
        assert (await kong.ask("video=1", service="other")).headers == {"x-kong-limit": "video=1"}

    async def test_11_12_the_instance_with_the_most_telling_scope_applies(
        self, store: Store, clock: Time, policy: Mapping[str, Any]
    ) -> None:
        on_route = plugin({**policy, **limits(video={"second": 3})}, Scope(route="r"))
        on_both = plugin({**policy, **limits(video={"second": 4})}, Scope(route="r", consumer="one"))
        kong = Gateway.over(store, clock, on_route, on_both)

        assert await kong.ask_often(4, "video=1", route="r", consumer_id="one") == [200] * 4
        told = await kong.ask("video=1", route="r", consumer_id="one")
        assert (told.status, told.limit("video", "second")) == (429, "4")

        assert await kong.ask_often(3, "video=1", route="r", consumer_id="two") == [200] * 3
        told = await kong.ask("video=1", route="r", consumer_id="two")
        assert (told.status, told.limit("video", "second")) == (429, "3")

    @pytest.mark.parametrize("scope", [Scope(consumer="one"), Scope()], ids=["20_a_consumer", "21_everybody"])
    async def test_an_instance_without_a_route_is_shared_by_all_routes(
        self, scope: Scope, store: Store, clock: Time, policy: Mapping[str, Any]
    ) -> None:
        kong = Gateway.over(store, clock, plugin({**policy, **limits(video={"second": 6})}, scope))
        for number in range(6):
            assert (await kong.ask("video=1", consumer_id=scope.consumer, route=str(number))).status == 200

        told = await kong.ask("video=1", consumer_id=scope.consumer, route="0")

        assert (told.status, told.limit("video", "second")) == (429, "6")
        remaining(told, video_second="0")


@pytest.mark.parametrize(
    ("limit_by", "one", "same", "other"),
    [
        ("consumer", {"consumer_id": "a", "ip": "1.1.1.1"}, {"consumer_id": "a"}, {"consumer_id": "b"}),
        ("consumer", {"credential_id": "a", "ip": "1.1.1.1"}, {"credential_id": "a"}, {"ip": "1.1.1.1"}),
        ("credential", {"consumer_id": "a", "credential_id": "k"}, {"credential_id": "k"}, {"consumer_id": "a"}),
        ("ip", {"consumer_id": "a", "ip": "1.1.1.1"}, {"ip": "1.1.1.1"}, {"consumer_id": "a", "ip": "1.1.1.2"}),
    ],
)
async def test_quotas_are_kept_by_who_asks(
    limit_by: str, one: dict[str, str], same: dict[str, str], other: dict[str, str], gateway: GatewayFactory
) -> None:
    kong = gateway({**limits(video={"day": 6}), "limit_by": limit_by})
    await kong.ask("video=1", **one)

    remaining(await kong.ask(**same), video_day="5")
    remaining(await kong.ask(**other), video_day="6")


class TestSeveralQuotas:
    config: Mapping[str, Any] = limits(video={"second": 12, "minute": 24}, image={"second": 6})

    async def _after_three(self, gateway: GatewayFactory) -> Gateway:
        kong = gateway(self.config)
        await kong.ask_often(3, "video=2, image=1")
        return kong

    async def test_07_each_name_and_period_counts_for_itself(self, gateway: GatewayFactory) -> None:
        told = await (await self._after_three(gateway)).ask()

        remaining(told, video_second="6", video_minute="18", image_second="3")
        assert [told.limit("video", "second"), told.limit("video", "minute"), told.limit("image", "second")] == [
            "12",
            "24",
            "6",
        ]

    async def _used_up(self, gateway: GatewayFactory) -> Gateway:
        kong = await self._after_three(gateway)
        assert await kong.ask_often(3, "video=1, image=1") == [200] * 3
        return kong

    async def test_08_until_one_is_used_up(self, gateway: GatewayFactory) -> None:
        remaining(await (await self._used_up(gateway)).ask(), video_second="3", video_minute="15", image_second="0")

    async def test_09_one_used_up_refuses_and_shows_the_others_counts(self, gateway: GatewayFactory) -> None:
        told = await (await self._used_up(gateway)).ask("video=1, image=1")

        assert told.status == 429
        remaining(told, video_second="2", video_minute="14", image_second="0")

    async def test_10_what_is_refused_is_counted_nowhere(self, gateway: GatewayFactory) -> None:
        kong = await self._used_up(gateway)
        await kong.ask("video=1, image=1")

        remaining(await kong.ask(), video_second="3", video_minute="15", image_second="0")

    async def test_15_until_two_are_used_up(self, gateway: GatewayFactory) -> None:
        kong = gateway(limits(video={"second": 14}, image={"second": 6}))
        await kong.ask_often(6, "video=2, image=1")
        await kong.ask("video=1")
        remaining(await kong.ask(), video_second="1", image_second="0")

        told = await kong.ask("video=2, image=1")

        assert told.status == 429
        remaining(told, video_second="0", image_second="0")


class TestUpstream:
    """What the upstream is told."""

    config: Mapping[str, Any] = limits(video={"second": 6, "minute": 12}, image={"second": 5})

    async def test_13_the_least_of_each_names_periods(self, gateway: GatewayFactory) -> None:
        told = await gateway(self.config).ask()

        assert told.asked == {"X-RateLimit-Remaining-video": "6", "X-RateLimit-Remaining-image": "5"}

    async def test_14_as_it_was_when_the_request_came(self, gateway: GatewayFactory) -> None:
        kong = gateway(self.config)

        told = await kong.ask("video=2, image=1")
        assert told.asked == {"X-RateLimit-Remaining-video": "6", "X-RateLimit-Remaining-image": "5"}

        told = await kong.ask()
        assert told.asked == {"X-RateLimit-Remaining-video": "4", "X-RateLimit-Remaining-image": "4"}


class TestBlockOnFirstViolation:
    config: Mapping[str, Any] = {
        **limits(video={"second": 6, "minute": 12}, image={"second": 4}),
        "block_on_first_violation": True,
    }

    async def test_16_nothing_passes_while_anything_is_used_up(self, gateway: GatewayFactory, clock: Time) -> None:
        kong = gateway(self.config)
        assert (await kong.ask("video=2, image=4")).status == 200
        assert (await kong.ask()).status == 429

        clock.advance(1000)

        assert (await kong.ask()).status == 200

    async def test_17_the_answer_names_what_is_used_up(self, gateway: GatewayFactory) -> None:
        kong = gateway(self.config)
        await kong.ask("video=2, image=4")

        told = await kong.ask("video=1")

        assert told.status == 429
        assert json.loads(told.body)["message"] == "API rate limit exceeded for 'image'"
        assert told.headers == {"content-type": "application/json; charset=utf-8"}
        assert told.asked == {}

    async def test_a_refusal_knows_when_the_period_ends(self, gateway: GatewayFactory, clock: Time) -> None:
        """The counter itself lives longer."""
        kong = gateway({**limits(video={"minute": 1}), "block_on_first_violation": True})
        clock.advance(45_000)
        await kong.ask("video=1")

        outcome = await kong.engine.admit(kong.facts, measure)

        assert isinstance(outcome, Refusal)
        assert outcome.retry_after == 15
        assert [standing.reset_at for standing in outcome.standings][1] == clock.now + 15_000

    async def test_39_more_than_used_up_passes(self, gateway: GatewayFactory) -> None:
        kong = gateway(self.config)
        told = await kong.ask("image=5")
        assert told.status == 200
        remaining(told, image_second="0")

        told = await kong.ask("video=2")
        assert told.status == 200
        assert told.asked["X-RateLimit-Remaining-image"] == "-1"

        assert (await kong.ask("image=1")).status == 429


class TestHideClientHeaders:
    async def test_18_clients_are_told_nothing(self, gateway: GatewayFactory) -> None:
        told = await gateway({**limits(video={"second": 6}), "hide_client_headers": True}).ask("video=1")

        assert (told.status, told.headers) == (200, {})

    async def test_40_also_when_refused_while_the_upstream_is_told(self, gateway: GatewayFactory) -> None:
        kong = gateway({**limits(image={"second": 1}), "hide_client_headers": True})
        await kong.ask("image=1")

        told = await kong.ask("image=1")

        assert (told.status, told.headers) == (429, {})
        assert told.asked == {"X-RateLimit-Remaining-image": "0"}


class TestNegativeNumbers:
    async def test_36_they_give_back_what_was_used(self, gateway: GatewayFactory) -> None:
        kong = gateway(limits(video={"minute": 10}))
        remaining(await kong.ask("video=9"), video_minute="1")

        told = await kong.ask("video=5")
        assert (told.status, told.asked) == (200, {"X-RateLimit-Remaining-video": "1"})
        remaining(told, video_minute="0")

        told = await kong.ask()
        assert (told.status, told.asked) == (200, {"X-RateLimit-Remaining-video": "-4"})
        remaining(told, video_minute="0")

        assert (await kong.ask("video=1")).status == 429
        told = await kong.ask("video=-3")
        assert told.status == 200
        remaining(told, video_minute="0")
        assert (await kong.ask()).asked == {"X-RateLimit-Remaining-video": "-1"}

    async def test_37_also_beyond_the_quota_and_in_fractions(self, gateway: GatewayFactory, backend: Backend) -> None:
        kong = gateway(limits(video={"minute": 10}))
        remaining(await kong.ask("video=-2"), video_minute="12")
        remaining(await kong.ask("video=1.5"), video_minute="10.5")

        # Redis takes no fractions, from Kong neither.
        remaining(await kong.ask(), video_minute="12" if backend.name == "redis" else "10.5")


async def test_38_periods_end_each_for_itself(gateway: GatewayFactory, clock: Time) -> None:
    kong = gateway(limits(v={"minute": 3, "hour": 5}))
    clock.advance(59_000)
    remaining(await kong.ask("v=3"), v_minute="0", v_hour="2")

    clock.advance(1000)

    remaining(await kong.ask("v=1"), v_minute="2", v_hour="1")
    remaining(await kong.ask("v=1"), v_minute="1", v_hour="0")
    told = await kong.ask("v=1")
    assert told.status == 429
    remaining(told, v_minute="0", v_hour="0")


async def test_41_fractions_add_up_to_the_quota(gateway: GatewayFactory, backend: Backend) -> None:
    kong = gateway(limits(v={"minute": 0.3}))
    told = [await kong.ask("v=0.1") for _ in range(4)]

    if backend.name == "redis":  # As in Kong, whose INCRBY refuses fractions.
        assert [(it.status, it.remaining("v", "minute")) for it in told] == [(200, "0.2")] * 4
    else:
        assert [it.remaining("v", "minute") for it in told] == ["0.2", "0.1", "0", "0"]
        assert [it.status for it in told] == [200, 200, 200, 429]
    assert told[0].limit("v", "minute") == "0.3"


async def test_42_infinity_uses_up_everything(gateway: GatewayFactory, backend: Backend) -> None:
    kong = gateway(limits(v={"minute": 10}))

    remaining(await kong.ask("v=inf"), v_minute="0")

    if backend.name != "redis":  # As in Kong, whose INCRBY takes whole numbers only.
        assert (await kong.ask()).asked == {"X-RateLimit-Remaining-v": "-inf"}
        assert (await kong.ask("v=1")).status == 429


async def test_nan_is_not_counted(gateway: GatewayFactory) -> None:
    """In Kong it opens the quota for ever."""
    kong = gateway(limits(v={"minute": 10}))
    await kong.ask("v=nan")

    remaining(await kong.ask("v=4"), v_minute="6")


@pytest.mark.parametrize("period", ["second", "minute", "hour", "day", "month", "year"])
async def test_25_26_27_all_periods_are_counted_configured_or_not(
    period: str, gateway: GatewayFactory, clock: Time
) -> None:
    """Seen by an instance that is configured otherwise later: it has the same counters."""
    seen = limits(video={period: 10})
    clock.now = 1_740_009_600_000
    remaining(await gateway(seen).ask(), **{f"video_{period}": "10"})

    kong = gateway(limits(video={"year": 100}))
    await kong.ask("video=1")
    remaining(await gateway(seen).ask(), **{f"video_{period}": "9"})
    await kong.ask("video=1")
    remaining(await gateway(seen).ask(), **{f"video_{period}": "8"})

    clock.advance(1000)
    await kong.ask("video=1")
    remaining(await gateway(seen).ask(), **{f"video_{period}": "9" if period == "second" else "7"})


async def test_months_and_years_keep_their_counts_to_the_last_day(gateway: GatewayFactory, clock: Time) -> None:
    """Kong's counter of a month dies after 30 days."""
    kong = gateway(limits(video={"month": 10, "year": 100}))
    clock.now = 1_706_745_600_000 - 31 * 86_400_000  # 2024-01-01
    await kong.ask("video=3")

    clock.advance(31 * 86_400_000 - 1)
    remaining(await kong.ask(), video_month="7", video_year="97")

    clock.advance(1)
    remaining(await kong.ask(), video_month="10", video_year="97")

    clock.now = 1_735_689_600_000 - 1  # the end of a year of 366 days
    remaining(await kong.ask(), video_month="10", video_year="97")


async def test_nothing_but_what_was_used_up_is_refused(gateway: GatewayFactory) -> None:
    """One answer may go beyond the quota."""
    kong = gateway(limits(video={"minute": 5}))
    await kong.ask("video=4")

    told = await kong.ask("video=5")
    assert told.status == 200
    remaining(told, video_minute="0")
    assert (await kong.ask()).asked == {"X-RateLimit-Remaining-video": "-4"}
    for harmless in ("video=0", "video=-1", "video=abc", "image=1", ""):
        assert (await kong.ask(harmless)).status == 200
