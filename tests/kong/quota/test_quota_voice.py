"""What clients and upstreams are told of quotas; the decisions are tested by `test_behaviours`."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.counters import Charge, Reading
from limiter.decisions import Standing
from limiter.facts import Facts
from limiter.kong.quota_voice import Quota, QuotaVoice
from limiter.rules import Limit, Rule
from limiter.units import FINE, MOST
from limiter.voices import Fields, Heard, Listening, Unserved
from limiter.windows import Window


def voice(*names: str, amount: Fraction = Fraction(10), **more: bool) -> QuotaVoice:
    return QuotaVoice(
        "x-kong-limit", tuple(Quota(name, f"unit of {name}", name, "day", amount) for name in names), **more
    )


def standings(speaker: QuotaVoice, used: int = 0, *, known: bool = True) -> list[Standing]:
    found = []
    for quota in speaker.quotas:
        limit = Limit(
            quota.limit, f"unit:{quota.unit}", int(quota.amount * FINE), Window("fixed", 1, "day"), scale=FINE
        )
        reading = Reading(used, 0, used, 0, fits=True, known=known)
        rule = Rule((limit,), voice=speaker)
        found.append(Standing(limit, rule, Charge("key", limit.amount, 0, 0, 1), reading, used, 0, 0, 1, over=False))
    return found


def hear(speaker: QuotaVoice, *fields: tuple[str, str], used: int = 0) -> Heard:
    return speaker.hear(standings(speaker, used), fields, Facts(), 0)


def test_it_decides_when_the_upstream_has_answered() -> None:
    assert isinstance(voice("video"), Listening)
    assert isinstance(voice("video"), Unserved)


@pytest.mark.parametrize(
    ("name", "to_client", "to_upstream"),
    [
        ("video", "video", "video"),
        ("sms_out", "sms-out", "sms_out"),
        ("my limit", "my-limit", "my-limit"),
        ("line\r\nx-evil: 1", "line--x-evil--1", "line--x-evil--1"),
        ("größe", "gr--e", "gr--e"),
    ],
)
def test_names_of_fields_are_such_as_nginx_sends_and_http_allows(name: str, to_client: str, to_upstream: str) -> None:
    speaker = voice(name)

    assert speaker.fields(standings(speaker), 0) == (
        (f"X-RateLimit-Limit-{to_client}-day", "10"),
        (f"X-RateLimit-Remaining-{to_client}-day", "10"),
    )
    assert speaker.asks(standings(speaker), 0) == ((f"X-RateLimit-Remaining-{to_upstream}", "10"),)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(Fraction(10), "10"), (Fraction("8.5"), "8.5"), (Fraction(10**15), "1e+15"), (Fraction(10**400), "inf")],
)
def test_numbers_are_shown_as_lua_prints_them(amount: Fraction, shown: str) -> None:
    speaker = voice("video", amount=amount)

    assert dict(speaker.fields(standings(speaker), 0))["X-RateLimit-Limit-video-day"] == shown


def test_only_the_first_field_counts_whatever_its_case() -> None:
    heard = hear(voice("video"), ("x-kong-limit", "video=1"), ("x-kong-limit", "video=5"))

    assert heard.units == {"unit of video": FINE}


def test_fields_take_the_place_of_those_of_a_gateway_behind() -> None:
    assert hear(voice("video")).removed == {
        "x-kong-limit",
        "x-ratelimit-limit-video-day",
        "x-ratelimit-remaining-video-day",
    }
    assert hear(voice("video", hides=True)).removed == {"x-kong-limit"}


def test_a_store_that_did_not_answer_is_not_noticed() -> None:
    speaker = voice("video")
    heard = speaker.hear(standings(speaker, known=False), (("x-kong-limit", "video=100"),), Facts(), 0)

    assert heard == Heard()
    assert speaker.asks(standings(speaker, known=False), 0) == ()
    assert speaker.fields(standings(speaker, known=False), 0) == ()


@pytest.mark.parametrize(
    ("response", "request_type", "expected"),
    [
        ((("content-type", "application/grpc"),), "", True),
        ((), "application/grpc", True),
        ((("content-type", "text/html"),), "application/grpc", False),
        ((("content-type", "application/grpc"), ("grpc-status", "0")), "", False),
        ((), "", False),
    ],
)
def test_grpc_clients_are_told_by_its_status(response: Fields, request_type: str, *, expected: bool) -> None:
    speaker = voice("video")
    facts = Facts(headers={"content-type": request_type})
    heard = speaker.hear(standings(speaker, 10 * FINE), (*response, ("x-kong-limit", "video=1")), facts, 0)

    assert heard.answer is not None
    assert heard.answer == (429, (("grpc-status", "8"), ("grpc-message", "ResourceExhausted")) if expected else (), b"")


@given(st.binary(), st.integers(-MOST, MOST), st.booleans())
def test_no_bytes_in_the_header_raise_and_none_refuse_what_is_left(value: bytes, used: int, whole: bool) -> None:
    speaker = voice("video", "image", whole=whole)
    heard = hear(speaker, ("x-kong-limit", value.decode("utf-8", "surrogateescape")), used=used)

    if used < 10 * FINE:
        assert heard.answer is None
    assert all(abs(number) <= MOST for number in heard.units.values())
    assert all(name.isascii() and text.isascii() for name, text in heard.fields)


@given(st.floats(), st.integers(-MOST, MOST))
def test_no_number_raises(number: float, used: int) -> None:
    heard = hear(voice("video"), ("x-kong-limit", f"video={number!r}"), used=used)

    assert (heard.answer is not None) == (number > 0 and used >= 10 * FINE)
    assert not (heard.answer and heard.units)


def test_voices_of_equal_instances_are_equal() -> None:
    assert voice("video") == voice("video")
    assert hash(voice("video")) == hash(voice("video"))
    assert voice("video") != voice("image")
