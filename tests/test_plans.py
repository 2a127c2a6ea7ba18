"""From limits to charges: keys that never meet, windows that follow each other, amounts that fit the meter."""

from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from limiter.facts import Facts
from limiter.meters import Usage
from limiter.plans import NOTHING_HELD, PREFIX, Held, Plan, reserves
from limiter.rules import Condition, KeyLayout, Limit, Mode, Policy, Rule
from limiter.selection import Selector
from limiter.windows import Kind, Window

NOW = 1_795_639_680_123
FACTS = Facts(provider="openai", model="gpt-4o", ip="192.0.2.7", headers={"x-team": "a:b"})
WINDOWS = [
    Window("fixed", 1, "minute"),
    Window("fixed", 3, "hour"),
    Window("sliding", 90, "second"),
    Window("sliding", 1, "week"),
    Window("anchored", 1, "day"),
    Window("calendar", 1, "day", "Europe/Berlin"),
    Window("calendar", 2, "week"),
    Window("calendar", 1, "month", "America/New_York"),
]
HELD = Held(
    Usage(prompt_tokens=300, total_tokens=300, cost=30),
    Usage(prompt_tokens=300, completion_tokens=100, total_tokens=400, cost=60),
    Usage(prompt_tokens=300, completion_tokens=700, total_tokens=1000, cost=200),
)


def select(*limits: Limit, facts: Facts = FACTS) -> list[Plan]:
    return list(Selector(Policy((Rule(limits),))).select(facts))


def limit(window: Window = WINDOWS[0], **values: object) -> Limit:
    return replace(Limit("a", "total_tokens", 1000, window), **values)  # type: ignore[arg-type]


def charge_of(one: Limit, held: Held = NOTHING_HELD, facts: Facts = FACTS, now: int = NOW):  # type: ignore[no-untyped-def]
    (plan,) = select(one)
    assert plan.limit is one
    return plan.charge(facts, held, now)


class TestKey:
    def test_holds_name_window_start_and_values(self) -> None:
        found = charge_of(limit(per=("model", "header:x-team")))
        assert found.key == f"{PREFIX}:a:1m:1795639680:gpt-4o:a%3Ab"

    def test_an_anchored_window_has_no_start_in_its_key(self) -> None:
        one = limit(Window("anchored", 1, "day"), per=("ip",))
        assert charge_of(one).key == charge_of(one, now=NOW + 50_000_000).key
        assert charge_of(one).expires_at == 0

    @given(
        st.lists(
            st.tuples(st.sampled_from(["a", "b", "a:1m", "a%", "ä"]), st.text(max_size=4), st.text(max_size=4)),
            max_size=9,
        ),
        st.sampled_from(WINDOWS),
    )
    def test_different_limits_and_values_never_share_a_counter(
        self, cases: list[tuple[str, str, str]], window: Window
    ) -> None:
        keys = {
            (name, model, ip): charge_of(
                limit(window, name=name, per=("model", "ip")), facts=Facts(model=model, ip=ip)
            ).key
            for name, model, ip in cases
        }
        assert len(set(keys.values())) == len(keys)

    @given(st.sampled_from(["1m", "1795639680", ":", "1m:1795639680"]), st.sampled_from(["1m", "1795639680", "x"]))
    def test_names_that_look_like_keys_do_not_meet_others(self, first: str, second: str) -> None:
        plain = charge_of(limit(per=("model", "ip")), facts=Facts(model=first, ip=second))
        odd = charge_of(limit(name=f"a:1m:1795639680:{first}", per=("model",)), facts=Facts(model=second))
        other = charge_of(limit(name="a:1m:1795639680"), facts=Facts())
        assert len({plain.key, odd.key, other.key}) == 3

    def test_other_kinds_of_window_have_other_keys(self) -> None:
        kinds: tuple[Kind, ...] = ("fixed", "sliding", "anchored", "calendar")
        keys = {charge_of(limit(Window(kind, 1, "day"))).key for kind in kinds}
        assert len(keys) == 4

    @given(st.text(st.characters(exclude_categories=())))
    @example("\udce9")  # a byte of a header that is no UTF-8
    def test_values_are_quoted(self, value: str) -> None:
        found = charge_of(limit(per=("model", "ip")), facts=Facts(model=value, ip="::1"))
        assert found.key == f"{PREFIX}:a:1m:1795639680:{quote(value, safe='', errors='surrogatepass')}:%3A%3A1"
        assert found.key.isascii()

    def test_an_absent_value_is_a_value(self) -> None:
        assert charge_of(limit(per=("credential",)), facts=Facts()).key.endswith(":")


@given(st.sampled_from(WINDOWS), st.integers(1_700_000_000_000, 1_900_000_000_000))
def test_windows_follow_each_other_without_gaps(window: Window, now: int) -> None:
    found = charge_of(limit(window), now=now)
    assert found.start <= now < found.start + found.size
    if window.kind != "anchored":
        after = charge_of(limit(window), now=found.start + found.size)
        assert after.start == found.start + found.size
        assert after.key != found.key
        assert charge_of(limit(window), now=found.start).key == found.key
        assert charge_of(limit(window), now=found.start + found.size - 1).key == found.key


@given(
    st.sampled_from(WINDOWS),
    st.lists(st.one_of(st.integers(NOW - 200_000, NOW + 200_000), st.integers(1_700_000_000_000, 1_900_000_000_000))),
)
def test_a_plan_knows_no_past(window: Window, times: list[int]) -> None:
    """What it charges follows from the time alone, whether the clock goes on, jumps or steps back."""
    (plan,) = select(limit(window))
    for now in times:
        assert plan.charge(FACTS, NOTHING_HELD, now) == charge_of(limit(window), now=now)


@given(st.integers(1_700_000_000_000, 1_900_000_000_000))
def test_a_sliding_window_reads_the_one_before(now: int) -> None:
    one = limit(Window("sliding", 90, "second"))
    found, before = charge_of(one, now=now), charge_of(one, now=now - 90_000)
    assert found.previous == before.key
    # It must live as long as it is read.
    assert before.expires_at == found.start + found.size


@pytest.mark.parametrize("window", [window for window in WINDOWS if window.kind != "sliding"])
def test_only_sliding_windows_read_two_counters(window: Window) -> None:
    assert charge_of(limit(window)).previous == ""


class TestAmounts:
    def test_requests_are_counted_at_once_and_never_held(self) -> None:
        for reserve in ("none", "estimate", "maximum"):
            found = charge_of(limit(meter="requests", reserve=reserve), HELD)
            assert (found.need, found.take, found.hold) == (1, 1, False)

    def test_without_a_reservation_one_unit_must_be_free(self) -> None:
        found = charge_of(limit(), HELD)
        assert (found.need, found.take, found.hold) == (1, 0, False)

    @pytest.mark.parametrize(
        ("meter", "take", "keep"), [("total_tokens", 1000, 300), ("cost", 200, 30), ("completion_tokens", 700, 0)]
    )
    def test_a_maximum_is_held_and_must_fit(self, meter: str, take: int, keep: int) -> None:
        found = charge_of(limit(meter=meter, reserve="maximum", amount=500), HELD)
        assert (found.need, found.take, found.keep, found.hold) == (take, take, keep, True)

    def test_an_estimate_is_held_and_never_needs_more_than_there_is(self) -> None:
        found = charge_of(limit(reserve="estimate", amount=350), HELD)
        assert (found.need, found.take, found.keep) == (350, 400, 300)
        assert charge_of(limit(reserve="estimate", amount=500), HELD).need == 400

    @pytest.mark.parametrize("reserve", ["none", "estimate", "maximum"])
    @pytest.mark.parametrize("meter", ["requests", "total_tokens", "cost"])
    @pytest.mark.parametrize("held", [HELD, NOTHING_HELD])
    def test_an_amount_of_nothing_lets_nothing_pass(self, reserve: str, meter: str, held: Held) -> None:
        found = charge_of(limit(meter=meter, reserve=reserve, amount=0), held)
        assert found.need > found.limit

    @given(
        st.sampled_from(["none", "estimate", "maximum"]),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.integers(1, 10**6),
    )
    def test_what_is_kept_is_part_of_what_is_taken(
        self, reserve: str, prompt: int, completion: int, amount: int
    ) -> None:
        held = Held(
            Usage(total_tokens=prompt),
            Usage(total_tokens=prompt + completion // 2),
            Usage(total_tokens=prompt + completion),
        )
        found = charge_of(limit(reserve=reserve, amount=amount), held)
        assert 0 <= found.keep <= found.take
        assert found.need >= 1
        assert found.hold == (found.take > 0)


@pytest.mark.parametrize(("mode", "blocks"), [("enforce", True), ("warn", False), ("shadow", False)])
def test_only_enforced_limits_refuse(mode: Mode, blocks: bool) -> None:
    assert charge_of(limit(mode=mode)).blocks is blocks


def test_the_order_of_the_limits_is_kept() -> None:
    limits = [limit(name=name) for name in "cab"]
    assert [plan.limit.name for plan in select(*limits)] == list("cab")


def test_only_limits_that_reserve_ask_for_the_size_of_a_request() -> None:
    assert not reserves(select(limit(), limit(name="b")))
    assert reserves(select(limit(), limit(name="b", reserve="estimate")))


@pytest.mark.parametrize("dimension", ["header:authorization", "header:X-Api-Key", "query:key", "cookie:sid"])
def test_no_secret_stands_in_a_key(dimension: str) -> None:
    """Values that may let somebody in are kept as digests, and told apart all the same."""
    plan = Plan(Rule(()), Limit("a", "requests", 1, Window("fixed", 1, "minute"), per=(dimension,)))
    keys = set()
    for secret in ("Bearer sk-SECRET1", "Bearer sk-SECRET2"):
        given = dict.fromkeys(("authorization", "x-api-key", "key", "sid"), secret)
        facts = Facts(headers=given, query=given, cookies=given)
        keys.add(plan.charge(facts, NOTHING_HELD, 0).key)

    assert len(keys) == 2
    assert not any("SECRET" in key for key in keys)


class TestForeignLimits:
    def test_keys_are_laid_out_as_the_gateway_does(self) -> None:
        layout = KeyLayout("response-ratelimit:r:s:", (":", ":videos:minute"))
        one = limit(per=("consumer_id|ip",), key=layout)
        assert charge_of(one).key == "response-ratelimit:r:s:192.0.2.7:1795639680000:videos:minute"
        known = charge_of(one, facts=replace(FACTS, consumer_id="a:b"))
        assert known.key == "response-ratelimit:r:s:a:b:1795639680000:videos:minute"

    def test_keys_without_a_date_are_for_windows_that_begin_with_a_booking(self) -> None:
        one = limit(Window("anchored", 1, "minute"), per=("header:x-team",), key=KeyLayout("higress:team:"))
        assert charge_of(one).key == "higress:team:a:b"

    def test_a_full_amount_may_still_admit(self) -> None:
        assert charge_of(limit(admits_full=True)).need == 0

    def test_numbers_that_the_request_brings_are_booked_at_once(self) -> None:
        one = limit(meter="asked:prompt", penalty=True)
        (plan,) = select(one)
        charge = plan.charge(FACTS, NOTHING_HELD._replace(asked={"prompt": 42}), NOW)
        assert (charge.need, charge.take, charge.penalty, charge.hold) == (42, 42, 42, False)
        assert not plan.settles

    @pytest.mark.parametrize(("provider", "counted"), [("openai", 700), ("azure", 0)])
    def test_a_limit_may_count_only_some_of_what_it_is_checked_for(self, provider: str, counted: int) -> None:
        one = limit(only=Condition.parse("provider", ["openai"]))
        (plan,) = select(one)
        facts = replace(FACTS, provider=provider)
        assert plan.charge(facts, NOTHING_HELD, NOW).need == 1
        assert plan.consumed(facts, Usage(total_tokens=700)) == counted

    def test_custom_units_may_be_given_back(self) -> None:
        (plan,) = select(limit(meter="unit:videos"))
        assert plan.consumed(FACTS, Usage(units={"videos": -2})) == -2

    def test_a_counter_may_outlive_its_window(self) -> None:
        """It lives from its first booking on, and at least to the window's end if another program has made it."""
        layout = KeyLayout("kong:", (":", ""), lives=90_000)
        charge = charge_of(limit(key=layout))
        assert (charge.key, charge.ttl, charge.expires_at) == ("kong::1795639680000", 90_000, 0)
        assert (charge.start, charge.size, charge.until) == (1_795_639_680_000, 60_000, 1_795_639_740_000)
        assert charge_of(limit()).until == 0
