"""Several dialects on one request: all are heard, and one answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from limiter.counters import Charge, Reading
from limiter.decisions import Refusal, Standing
from limiter.facts import Facts
from limiter.replies import NativeVoice, Replies
from limiter.rules import Limit, Rule
from limiter.units import FINE
from limiter.voices import Answer, Fields, Heard, Voice
from limiter.windows import Window


@dataclass(frozen=True, slots=True)
class Plain:
    """Says its name, and does not listen."""

    name: str

    def refuse(self, refusal: Refusal, *, streaming: bool) -> Answer:
        return Answer(429, (("x-refused-by", self.name),), b"")

    def fields(self, standings: Sequence[Standing], now: int) -> Fields:
        return ((f"x-{self.name}", str(len(standings))),)

    def asks(self, standings: Sequence[Standing], now: int) -> Fields:
        return ()


@dataclass(frozen=True, slots=True)
class Listener(Plain):
    """Counts, or answers."""

    answers: bool = False

    def hear(self, standings: Sequence[Standing], response: Fields, facts: Facts, now: int) -> Heard:
        removed = frozenset({f"x-{self.name}-count"})
        fields = self.fields(standings, now)
        if self.answers:
            return Heard(fields, {}, removed, Answer(429, (), self.name.encode()))
        return Heard(fields, {self.name: len(response)}, removed)

    def unserved(self, facts: Facts) -> Answer:
        return Answer(500, (), facts.ip.encode())


def standing(voice: Voice | None, meter: str = "requests") -> Standing:
    limit = Limit("limit", meter, 10 * FINE, Window("fixed", 1, "day"), scale=FINE)
    reading = Reading(0, 0, 0, 86_400_000, fits=True)
    charge = Charge("key", limit.amount, 1, 1, 1)
    return Standing(limit, Rule((limit,), voice=voice), charge, reading, 0, 9, 86_400_000, 86_400_000, over=False)


REPLIES = Replies(NativeVoice())
RESPONSE = (("x-used", "3"),)


def hear(*voices: Voice | None, meter: str = "requests") -> Heard:
    return REPLIES.hear([standing(voice, meter) for voice in voices], RESPONSE, Facts(), 0)


def test_all_voices_are_heard_in_their_order() -> None:
    heard = hear(Plain("one"), Listener("two"), Plain("one"), Listener("three"))

    assert heard.fields == (("x-one", "2"), ("x-two", "1"), ("x-three", "1"))
    assert heard.units == {"two": 1, "three": 1}
    assert heard.removed == {"x-two-count", "x-three-count"}
    assert heard.answer is None


def test_one_answers_and_no_unit_counts() -> None:
    heard = hear(Listener("one"), Listener("two", answers=True), Listener("three", answers=True))

    assert heard.answer == Answer(429, (), b"two")
    assert heard.units == {}
    assert [name for name, _ in heard.fields] == ["x-one", "x-two", "x-three"]
    assert heard.removed == {"x-one-count", "x-two-count", "x-three-count"}


def test_native_limits_count_what_headers_say() -> None:
    heard = hear(None, meter="unit:header:x-used")

    assert heard.units == {"header:x-used": 3 * FINE}
    assert dict(heard.fields)["RateLimit-Policy"] == '"limit";q=10;qu="x-used";w=86400'
    assert heard.removed == frozenset()


def test_a_store_that_does_not_answer_is_told_by_whose_it_is() -> None:
    listening = standing(Listener("one")).rule
    deaf = standing(Plain("two")).rule

    assert REPLIES.unserved(listening, Facts(ip="192.0.2.7")) == Answer(500, (), b"192.0.2.7")
    for rule in (deaf, standing(None).rule, None):
        assert REPLIES.unserved(rule, Facts()).status == 503
