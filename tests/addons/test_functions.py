"""Users' functions at work: what they are told of a request and of an exchange, and what is booked of their answers."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from mitmproxy.test import tflow

from addons.functions import ENOUGH, Calls, Functions
from limiter.decisions import Admission
from limiter.facts import Facts
from limiter.kong.functions import Function
from limiter.meters import ASKED, NANO, UNIT, Usage
from limiter.plans import NOTHING_HELD, Plan, Planned
from limiter.rules import Limit, Rule
from limiter.windows import Window

FACTS = Facts(
    provider="vertex",
    model="gemini-pro",
    method="POST",
    host="api.example.com",
    target="/v1/chat?x=1",
    path="/v1/chat",
    ip="192.0.2.1",
    consumer="ann",
    consumer_id="id-a",
    groups=("gold",),
    fields=(("x-prompt-count", "1500.5"), ("content-type", "application/json")),
)
PUBLISHED = 'local n = tonumber(kong.request.get_header("x-prompt-count"))\nif n == nil then\n  return 0\nend\nreturn n'


@pytest.fixture(name="functions")
async def _functions() -> AsyncIterator[Functions]:
    functions = Functions()
    yield functions
    await functions.close()


def asking(source: str, amount: int = 100_000) -> tuple[Function, Sequence[Plan]]:
    """A function, and two limits of what it counts."""
    function = Function(source, 1000)
    limits = [Limit(name, f"{ASKED}{function.name}", amount, Window("fixed", 1, "day")) for name in ("a", "b")]
    return function, [Plan(Rule((limit,)), limit) for limit in limits]


def calls_of(functions: Functions, function: Function, body: bytes = b"") -> Calls:
    calls = functions.calls({function.name: function}, body, None)
    assert calls is not None
    return calls


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        (PUBLISHED, 1_500_500),
        ("return #kong.request.get_raw_body()", 12_000),
        ("return kong.request.get_body().n", 7_000),
        ('return kong.client.get_consumer().username == "ann" and #kong.client.get_ip() or 0', 9_000),
        ('return kong.request.get_query_arg("x")', 1000),
        ("return nil", 0),
        ("return -1", 0),
        ("error('x')", 0),
        ("return 1e300", ENOUGH),
    ],
)  # fmt: skip
async def test_requests_are_counted(functions: Functions, source: str, parts: int) -> None:
    """In parts of a unit; whatever is no such number counts nothing, and too much no more than it takes to refuse."""
    function, plans = asking(source)

    counted = await calls_of(functions, function, b'{"n":7}     ').before(FACTS)(plans)

    assert counted == {function.name: parts}


async def test_a_large_limit_can_be_exceeded(functions: Functions) -> None:
    function, plans = asking("return 1e300", ENOUGH)

    assert await calls_of(functions, function).before(FACTS)(plans) == {function.name: 2 * ENOUGH}


async def test_limits_of_other_meters_are_left_alone(functions: Functions) -> None:
    function, _ = asking("return 1")
    _, plans = asking("return 2")

    assert await calls_of(functions, function).before(FACTS)(plans) == {}


def test_without_functions_there_is_nothing_to_call() -> None:
    assert Functions().calls({}, b"", None) is None


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("return kong.log.serialize().ai.proxy.usage.total_tokens", 30 * NANO),
        ("return kong.log.serialize().ai.proxy.usage.cost", NANO // 4),
        ('return kong.log.serialize().ai.proxy.meta.provider_name == "gemini" and 1 or 0', NANO),
        ("return kong.response.get_status()", 200 * NANO),
        ("return 'x'", 0),
    ],
)
async def test_exchanges_are_counted(functions: Functions, source: str, parts: int) -> None:
    """With their usage, priced, and the response."""
    function = Function(source, NANO)
    limit = Limit("a", f"{UNIT}{function.name}", NANO, Window("fixed", 1, "day"))
    rule = Rule((limit,))
    planned = Planned(Plan(rule, limit), Plan(rule, limit).charge(FACTS, NOTHING_HELD, 0))
    admission = Admission(id="", facts=FACTS, planned=(planned,), readings=(), standings=(), now=0, held=False)
    usage = Usage(prompt_tokens=20, completion_tokens=10, total_tokens=30, cost=NANO // 4)
    flow = tflow.tflow(resp=True)
    calls = functions.calls({function.name: function}, b"", flow)
    assert calls

    assert await calls.after(admission, usage, "gemini-pro-002") == {function.name: parts}
    own = replace(function, costs=lambda facts, usage: usage.total_tokens * NANO)
    if "usage.cost" in source:
        calls = functions.calls({function.name: own}, b"", flow)
        assert calls
        assert await calls.after(admission, usage, "") == {function.name: 30 * NANO}
