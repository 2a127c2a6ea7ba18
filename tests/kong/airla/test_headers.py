"""Response headers: names, labels, what they hold and when they are sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.kong.airla.names import window_label
from tests.kong.airla.gateway import NOON, Gateway, tokens

STD = """
llm_providers:
- {name: openai, limit: [100, 1000], window_size: [60, 3600]}
"""


@pytest.mark.parametrize(
    ("seconds", "label"),
    [(1, "second"), (60, "minute"), (3600, "hour"), (86_400, "day"), (2_592_000, "month"), (31_536_000, "year"),
     (30, "30"), (40, "40"), (90, "90"), (300, "300")],
)  # fmt: skip
def test_labels_of_windows(seconds: int, label: str) -> None:
    """Words for the usual sizes, seconds for others."""
    assert window_label(seconds) == label


async def test_an_admitted_request_sees_limits_and_what_was_left_on_arrival() -> None:
    """Nothing else: no reset, no plain fields. The first answer shows the whole limit although it used some."""
    gateway = Gateway(STD)

    assert (await gateway.ask(tokens(30, 10))).fields == {
        "X-AI-RateLimit-Limit-minute-openai": "100",
        "X-AI-RateLimit-Remaining-minute-openai": "100",
        "X-AI-RateLimit-Limit-hour-openai": "1000",
        "X-AI-RateLimit-Remaining-hour-openai": "1000",
    }
    assert (await gateway.ask()).of("Remaining-minute-openai") == "60"


async def test_a_refused_request_sees_when_to_come_back() -> None:
    """The six fields of published transcripts, and those of the limit that has room."""
    gateway = Gateway(STD)
    await gateway.ask(tokens(100))
    gateway.after(10)

    assert (await gateway.ask()).fields == {
        "content-type": "application/json; charset=utf-8",
        "X-AI-RateLimit-Limit-minute-openai": "100",
        "X-AI-RateLimit-Remaining-minute-openai": "0",
        "X-AI-RateLimit-Limit-hour-openai": "1000",
        "X-AI-RateLimit-Remaining-hour-openai": "900",
        "X-AI-RateLimit-Reset-minute-openai": "51",
        "X-AI-RateLimit-Retry-After-minute-openai": "51",
        "X-AI-RateLimit-Reset": "51",
        "X-AI-RateLimit-Retry-After": "51",
    }


async def test_all_configured_providers_are_shown() -> None:
    """Not only the one that serves; each has its own counters."""
    gateway = Gateway("""
llm_providers:
- {name: azure, limit: 1000, window_size: 30}
- {name: cohere, limit: 500, window_size: 40}
""")
    await gateway.ask(tokens(50), provider="azure")
    reply = await gateway.ask(provider="cohere")

    assert reply.fields == {
        "X-AI-RateLimit-Limit-30-azure": "1000",
        "X-AI-RateLimit-Remaining-30-azure": "950",
        "X-AI-RateLimit-Limit-40-cohere": "500",
        "X-AI-RateLimit-Remaining-40-cohere": "500",
    }


async def test_the_longest_wait_has_no_suffix() -> None:
    """Of two limits that refuse, both are told."""
    gateway = Gateway(STD.replace("sliding", "fixed") + "window_type: fixed")
    await gateway.ask(tokens(1000))
    gateway.after(12)
    reply = await gateway.ask()

    assert reply.of("Reset-minute-openai") == "48"
    assert reply.of("Reset-hour-openai") == reply.of("Reset") == "3588"


async def test_policies_are_told_by_their_position() -> None:
    """Counted from 1 over all policies, whichever match."""
    gateway = Gateway("""
policies:
- match: [{type: model, values: [other]}]
  limits: [{limit: 5, window_size: 60}]
- match: [{type: provider, values: [openai]}]
  limits: [{limit: 20, window_size: 90}]
""")
    assert (await gateway.ask()).fields == {
        "X-AI-RateLimit-Limit-90-policy-2": "20",
        "X-AI-RateLimit-Remaining-90-policy-2": "20",
    }


async def test_hidden_headers_leave_the_waits() -> None:
    """`hide_client_headers` hides limits and remainders; a refusal still tells when to come back."""
    gateway = Gateway(STD + "hide_client_headers: true")
    assert (await gateway.ask(tokens(100))).fields == {}
    reply = await gateway.ask()

    assert set(reply.fields) == {
        "content-type",
        "X-AI-RateLimit-Reset-minute-openai",
        "X-AI-RateLimit-Retry-After-minute-openai",
        "X-AI-RateLimit-Reset",
        "X-AI-RateLimit-Retry-After",
    }


async def test_fractions_are_printed_as_lua_does() -> None:
    """Fourteen digits, no needless zeros."""
    gateway = Gateway("""
llm_providers:
- {name: openai, limit: [1.5, 100000000000000], window_size: [60, 3600]}
""")
    reply = await gateway.ask(tokens(1))
    assert reply.of("Limit-minute-openai") == "1.5"
    assert reply.of("Limit-hour-openai") == "1e+14"
    reply = await gateway.ask(tokens(1))
    assert (reply.status, reply.of("Remaining-minute-openai")) == (200, "0.5")
    assert (await gateway.ask()).status == 429


async def test_a_limit_of_nothing_lets_nothing_pass() -> None:
    reply = await Gateway("llm_providers: [{name: openai, limit: 0, window_size: 60}]").ask()

    assert (reply.status, reply.of("Limit-minute-openai"), reply.of("Remaining-minute-openai")) == (429, "0", "0")
    assert int(reply.of("Reset")) > 0


class TestWaits:
    """Reset, Retry-After, jitter and the plain field."""

    @pytest.mark.parametrize(
        ("offset", "used", "window", "reset"),
        [
            (0, 100, "fixed", 60),
            (59.2, 100, "fixed", 1),
            (0, 500, "fixed", 60),
            # What was used must fade in the window that follows.
            (0, 100, "sliding", 61),
            (30, 200, "sliding", 61),
            (30, 1000, "sliding", 85),
        ],
    )
    async def test_reset(self, offset: float, used: int, window: str, reset: int) -> None:
        gateway = Gateway(STD + f"window_type: {window}")
        gateway.after(offset)
        await gateway.ask(tokens(used))

        assert (await gateway.ask()).of("Reset-minute-openai") == str(reset)

    @given(st.integers(0, 119_999), st.integers(100, 100_000), st.integers(0, 119_999))
    async def test_nobody_is_told_to_come_back_too_early(self, first: int, used: int, later: int) -> None:
        """After `Reset` seconds the request passes, and two seconds earlier it would not."""
        gateway = Gateway("llm_providers: [{name: openai, limit: 100, window_size: 60}]", now=NOON + first)
        await gateway.ask(tokens(used))
        gateway.now += later
        reply = await gateway.ask()
        if reply.status == 200:
            return
        wait = int(reply.of("Reset"))
        gateway.now += wait * 1000 - 2000
        assert wait < 2 or (await gateway.ask()).status == 429
        gateway.now += 2000
        assert (await gateway.ask()).status == 200

    async def test_jitter_is_added_to_the_time_to_wait_alone(self) -> None:
        gateway = Gateway(STD + "retry_after_jitter_max: 20")
        await gateway.ask(tokens(100))
        found = set()
        for address in range(200):
            await gateway.ask(tokens(100), ip=f"192.0.2.{address}")
            reply = await gateway.ask(ip=f"192.0.2.{address}")
            reset = int(reply.of("Reset"))
            jitter = int(reply.of("Retry-After")) - reset
            assert int(reply.of("Retry-After-minute-openai")) - int(reply.of("Reset-minute-openai")) == jitter
            found.add(jitter)
        assert found <= set(range(21))
        assert len(found) > 15

    async def test_the_plain_field_is_asked_for_by_a_tag(self) -> None:
        text = """_format_version: "3.0"
plugins:
- name: ai-rate-limiting-advanced
  tags: ["ai-limit:retry-after"]
  config: {llm_providers: [{name: openai, limit: 1, window_size: 60}], window_type: fixed}
"""
        gateway = Gateway(text, whole=True)
        await gateway.ask(tokens(1))
        assert (await gateway.ask()).fields["Retry-After"] == "60"
