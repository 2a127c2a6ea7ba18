"""Outcomes, and above all that `retry_after` is true: the request passes then, and not a second earlier."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from limiter.counters import Acquired, Book, Correction, Counter, acquire, settle
from limiter.decisions import Admission, Refusal, decide
from limiter.facts import Facts
from limiter.meters import METERS, Usage
from limiter.plans import NOTHING_HELD, Held, Planned
from limiter.rules import Limit, Policy, Rule
from limiter.selection import Selector
from limiter.windows import Window

NOW = 1_795_639_680_123
FACTS = Facts()


class Budget:
    """Limits over a book in memory, with a clock that is set by hand."""

    def __init__(self, *limits: Limit, now: int = NOW) -> None:
        self.now = now
        self.book: dict[str, Counter] = {}
        self._selected = list(Selector(Policy((Rule(limits),))).select(FACTS))

    def ask(self, held: Held = NOTHING_HELD, at: int | None = None) -> Admission | Refusal:
        """Decides, and books where it admits. At another time than now: only looks."""
        now = self.now if at is None else at
        planned = tuple(Planned(plan, plan.charge(FACTS, held, now)) for plan in self._selected)
        acquired, changes = acquire(self.book, [item.charge for item in planned], now)
        if at is None:
            self.book.update(changes)
        return decide("id", FACTS, planned, acquired)

    def spend(self, admission: Admission, usage: Usage) -> None:
        corrections = [
            Correction(item.charge, METERS[item.limit.meter](usage), reading.expires_at)
            for item, reading in zip(admission.planned, admission.readings, strict=True)
        ]
        self.book.update(settle(self.book, corrections, self.now, held=True))


def tokens(count: int) -> Usage:
    return Usage(total_tokens=count, cost=count * 1_234_567)


WINDOWS = st.sampled_from(
    [
        Window("fixed", 1, "second"),
        Window("fixed", 1, "minute"),
        Window("fixed", 7, "hour"),
        Window("sliding", 1, "second"),
        Window("sliding", 1, "minute"),
        Window("sliding", 7, "minute"),
        Window("sliding", 1, "day"),
        Window("anchored", 30, "second"),
        Window("anchored", 1, "hour"),
        Window("calendar", 1, "day"),
        Window("calendar", 1, "day", "Africa/Cairo"),
        Window("calendar", 1, "week", "America/New_York"),
        Window("calendar", 1, "month", "Europe/Berlin"),
        Window("calendar", 1, "year"),
    ]
)
AMOUNTS = {"requests": st.integers(1, 5), "total_tokens": st.integers(1, 10_000), "cost": st.integers(1, 10**10)}
LIMITS = st.sampled_from(sorted(AMOUNTS)).flatmap(
    lambda meter: st.builds(
        Limit,
        name=st.just("a"),
        meter=st.just(meter),
        amount=AMOUNTS[meter],
        window=WINDOWS,
        reserve=st.sampled_from(["none", "estimate", "maximum"]),
    )
)


def named(limits: list[Limit]) -> list[Limit]:
    return [
        Limit(f"limit-{index}", each.meter, each.amount, each.window, each.per, each.mode, each.reserve)
        for index, each in enumerate(limits)
    ]


STEPS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 3_000), st.integers(0, 100_000), st.integers(0, 90_000_000)),
        st.integers(0, 9_000),
    ),
    min_size=1,
    max_size=12,
)


def opens_exactly_then(budget: Budget, refusal: Refusal, held: Held) -> None:
    assert refusal.retry_after >= 1
    at = budget.now + refusal.retry_after * 1000
    if refusal.impossible:
        assert isinstance(budget.ask(held, at), Refusal)
        return
    assert isinstance(budget.ask(held, at), Admission)
    assert isinstance(budget.ask(held, at - 1000), Refusal)


@given(LIMITS, STEPS, st.integers(0, 86_400_000))
@settings(max_examples=400)
def test_retry_after_is_true_for_every_window(limit: Limit, steps: list[tuple[int, int]], start: int) -> None:
    check([limit], steps, start)


@given(st.lists(LIMITS, min_size=2, max_size=4), STEPS)
@settings(max_examples=200)
def test_retry_after_is_true_for_several_limits_at_once(limits: list[Limit], steps: list[tuple[int, int]]) -> None:
    check(named(limits), steps, 0)


def check(limits: list[Limit], steps: list[tuple[int, int]], start: int) -> None:
    budget = Budget(*limits, now=NOW + start)
    for wait, used in steps:
        budget.now += wait
        held = Held(tokens(used // 3), tokens(used // 2), tokens(used))
        outcome = budget.ask(held)
        if isinstance(outcome, Refusal):
            opens_exactly_then(budget, outcome, held)
        else:
            budget.spend(outcome, tokens(used))


@given(
    st.one_of(st.integers(1, 300), st.integers(1, 10**11)),
    st.integers(1, 300),
    st.integers(0, 200_000),
    st.sampled_from([10, 60, 90, 100, 3600, 86_400]),
)
@settings(max_examples=300)
@example(spent=100, amount=8, after=10, size=100)  # as floats, 100 * 0.07 is 7.000000000000001
def test_a_sliding_window_opens_as_its_past_fades(spent: int, amount: int, after: int, size: int) -> None:
    """To the second, also where what is left of the past is a whole number at a whole second."""
    limit = Limit("a", "cost", amount, Window("sliding", size, "second"))
    budget = Budget(limit, now=NOW // 1000 // size * size * 1000)
    first = budget.ask()
    assert isinstance(first, Admission)
    budget.spend(first, Usage(cost=spent))
    budget.now += after % (2 * size) * 1000
    outcome = budget.ask()
    if isinstance(outcome, Refusal):
        opens_exactly_then(budget, outcome, NOTHING_HELD)


def test_of_several_refusals_the_one_that_lasts_longest_is_named() -> None:
    day, minute = (Limit(name, "requests", 1, Window("fixed", 1, name)) for name in ("day", "minute"))  # type: ignore[arg-type]
    budget = Budget(minute, day)
    assert isinstance(budget.ask(), Admission)
    outcome = budget.ask()
    assert isinstance(outcome, Refusal)
    assert outcome.limit is day
    assert not outcome.short


def test_what_can_never_pass_is_named_before_what_passes_tomorrow() -> None:
    """Else the client would wait for a day in vain."""
    day = Limit("day", "requests", 1, Window("fixed", 1, "day"))
    small = Limit("small", "total_tokens", 10, Window("fixed", 1, "minute"), reserve="maximum")
    budget = Budget(small, day)
    assert isinstance(budget.ask(Held(tokens(1), tokens(1), tokens(1))), Admission)
    outcome = budget.ask(Held(tokens(11), tokens(11), tokens(11)))
    assert isinstance(outcome, Refusal)
    assert outcome.limit is small
    assert outcome.impossible


def test_a_short_refusal_is_worth_waiting_for() -> None:
    minute = Limit("minute", "requests", 1, Window("fixed", 1, "minute"))
    budget = Budget(minute)
    budget.ask()
    outcome = budget.ask()
    assert isinstance(outcome, Refusal)
    assert outcome.short
    assert outcome.used == 1
    assert outcome.need == 1


class TestStandings:
    def test_show_what_is_left_after_this_request(self) -> None:
        calls = Limit("calls", "requests", 3, Window("fixed", 1, "minute"))
        budget = Budget(calls)
        for left in (2, 1, 0):
            outcome = budget.ask()
            assert [(each.used, each.remaining, each.over) for each in outcome.standings] == [(2 - left, left, False)]
        (refused,) = budget.ask().standings
        assert (refused.used, refused.remaining, refused.over) == (3, 0, True)

    def test_end_when_the_window_ends(self) -> None:
        hour = Limit("hour", "requests", 3, Window("anchored", 1, "hour"))
        budget = Budget(hour)
        assert budget.ask().standings[0].reset_at == NOW + 3_600_000
        budget.now += 1_000_000
        assert budget.ask().standings[0].reset_at == NOW + 3_600_000

    def test_say_that_a_limit_which_only_warns_is_over(self) -> None:
        warn = Limit("warn", "requests", 1, Window("fixed", 1, "minute"), mode="warn")
        budget = Budget(warn)
        budget.ask()
        outcome = budget.ask()
        assert isinstance(outcome, Admission)
        assert outcome.standings[0].over

    @given(st.lists(LIMITS, min_size=1, max_size=4), STEPS)
    @settings(max_examples=100)
    def test_are_in_order_and_never_negative(self, limits: list[Limit], steps: list[tuple[int, int]]) -> None:
        budget = Budget(*named(limits))
        for wait, used in steps:
            budget.now += wait
            outcome = budget.ask(Held(tokens(used // 3), tokens(used // 2), tokens(used)))
            assert [each.limit for each in outcome.standings] == named(limits)
            assert all(
                each.remaining >= 0 and each.reset_at > budget.now and each.size > 0 for each in outcome.standings
            )
            if isinstance(outcome, Admission):
                budget.spend(outcome, tokens(used))


def test_an_admission_is_held_only_where_something_was_reserved() -> None:
    minute = Window("fixed", 1, "minute")
    held = Held(tokens(1), tokens(1), tokens(1))
    for reserve, expected in (("none", False), ("estimate", True), ("maximum", True)):
        outcome = Budget(Limit("a", "total_tokens", 9, minute, reserve=reserve)).ask(held)  # type: ignore[arg-type]
        assert isinstance(outcome, Admission)
        assert outcome.held is expected


def test_no_limits_admit() -> None:
    nothing: tuple[Planned, ...] = ()
    empty: Book = {}
    acquired, _ = acquire(empty, [], NOW)
    outcome = decide("id", FACTS, nothing, acquired)
    assert acquired == Acquired(admitted=True, now=NOW, readings=())
    assert isinstance(outcome, Admission)
    assert outcome.standings == ()
