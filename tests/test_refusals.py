"""Refusals: exact bytes, and that no client retries in vain or hangs.

`golden/refusals.http` holds the answers to each client and API for a spent budget (long), a wait of seconds (short) and
a request that is too large for its limit (never). After a wanted change: `python -m tests.test_refusals`.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.decisions import Refusal
from limiter.error_bodies import BODIES
from limiter.facts import Facts
from limiter.identity import CLIENTS
from limiter.refusals import MANNERS, answer, failure
from limiter.rules import Limit
from limiter.voices import Answer
from limiter.windows import Window
from tests.standings import standing

GOLDEN = Path(__file__).parent / "golden" / "refusals.http"
NOW = 1_795_639_680_000
"""2026-11-25T20:48:00Z."""
DAILY = Limit("daily", "cost", 5_000_000_000, Window("calendar", 1, "day"))
NOBODY = Facts()
BURST = Limit("burst", "total_tokens", 100_000, Window("sliding", 1, "minute"), reserve="maximum")


def refusal(
    limit: Limit = DAILY,
    facts: Facts = NOBODY,
    *,
    used: int = 5_020_000_000,
    need: int = 1,
    retry_after: int = 11_520,
    impossible: bool = False,
) -> Refusal:
    found = standing(limit, used, 0, NOW + retry_after * 1000, limit.window.size, over=True)
    return Refusal(
        facts=facts,
        limit=limit,
        rule=found.rule,
        used=used,
        need=need,
        now=NOW,
        retry_after=retry_after,
        impossible=impossible,
        standings=(found,),
    )


def long(facts: Facts) -> Refusal:
    return refusal(DAILY, facts)


def short(facts: Facts) -> Refusal:
    return refusal(BURST, facts, used=99_000, need=4_000, retry_after=4)


def never(facts: Facts) -> Refusal:
    return refusal(BURST, facts, used=0, need=131_072, retry_after=60, impossible=True)


CASES = {"long": long, "short": short, "never": never}
ASKERS = [
    ("claude-code", "anthropic"),
    ("anthropic-python", "anthropic"),
    ("anthropic-ts", "anthropic"),
    ("openai-python", "openai"),
    ("openai-node", "openai"),
    ("openai-python", "azure"),
    ("codex", "openai"),
    ("gemini-cli", "gemini"),
    ("google-genai", "gemini"),
    ("opencode", "anthropic"),
    ("opencode", "openai"),
    ("vercel-ai-sdk", "openai"),
    ("aider", "openai"),
    ("litellm", "anthropic"),
    ("cohere", "cohere"),
    ("mistral", "mistral"),
    ("boto3", "bedrock"),
    ("curl", "openai"),
    ("curl", "anthropic"),
    ("", "gemini"),
    ("", "ollama"),
    ("", "huggingface"),
    ("", "no such api"),
]


def rendered() -> str:
    text = []
    for client, api in ASKERS:
        for name, case in CASES.items():
            shown = answer(case(Facts(client=client, api=api)), streaming=False)
            fields = "".join(f"{field}: {value}\n" for field, value in shown.headers)
            text.append(
                f"### {client or 'unknown'} · {api} · {name}\n{shown.status}\n{fields}\n{shown.body.decode()}\n"
            )
    return "\n".join(text)


def test_answers_are_golden() -> None:
    assert rendered() == GOLDEN.read_text("utf-8")


def body_of(shown: Answer) -> object:
    return json.loads(shown.body)


def header(shown: Answer, name: str) -> str:
    return dict(shown.headers).get(name, "")


class TestMessage:
    @pytest.mark.parametrize(
        ("case", "expected"),
        [
            (
                refusal(),
                (
                    'ai-limit: limit "daily" reached: $5.02 of $5.00 per day used; '
                    "resets at 2026-11-26T00:00:00Z (in 3 h 12 min)"
                ),
            ),
            (
                short(Facts()),
                (
                    'ai-limit: limit "burst" reached: 99,000 of 100,000 tokens per minute used or reserved, and this '
                    "request may need up to 4,000 tokens; has room again at 2026-11-25T20:48:04Z (in 4 s)"
                ),
            ),
            (
                never(Facts()),
                (
                    'ai-limit: limit "burst": this request may need up to 131,072 tokens, more than the whole limit of '
                    "100,000 per minute; lower max_tokens or raise the limit"
                ),
            ),
            (
                refusal(Limit("calls", "requests", 60, Window("fixed", 1, "minute")), used=60, retry_after=30),
                (
                    'ai-limit: limit "calls" reached: 60 of 60 requests per minute used; '
                    "resets at 2026-11-25T20:48:30Z (in 30 s)"
                ),
            ),
            (
                refusal(
                    Limit("cheap", "cost", 5_000_000, Window("fixed", 12, "hour"), reserve="estimate"),
                    used=4_567_890,
                    need=1_234_567,
                ),
                (
                    'ai-limit: limit "cheap" reached: $0.0046 of $0.005 per 12 hours used or reserved, and this '
                    "request may need about $0.0012; resets at 2026-11-26T00:00:00Z (in 3 h 12 min)"
                ),
            ),
            (
                refusal(Limit("off", "prompt_tokens", 0, Window("fixed", 1, "day")), used=0, impossible=True),
                'ai-limit: limit "off" lets nothing pass: 0 prompt tokens per day',
            ),
        ],
    )
    def test_names_the_limit_the_amounts_and_the_time(self, case: Refusal, expected: str) -> None:
        assert body_of(answer(case, streaming=False)) == {
            "error": {
                "message": expected,
                "type": "tokens" if case.limit is BURST and not case.impossible else body_type(case),
                "param": None,
                "code": "rate_limit_exceeded" if case.short else "insufficient_quota",
            }
        }


def body_type(case: Refusal) -> str:
    return case.limit.meter if case.short else "insufficient_quota"


class TestStatus:
    def test_of_the_limit_comes_before_what_suits_the_client(self) -> None:
        own = Limit("own", "cost", 1, Window("fixed", 1, "day"), status=418)
        for facts in (Facts(), Facts(client="claude-code", api="anthropic"), Facts(client="codex", api="openai")):
            assert answer(refusal(own, facts), streaming=False).status == 418
            assert answer(refusal(own, facts, retry_after=1), streaming=False).status == 418

    def test_stands_in_the_body_where_the_format_repeats_it(self) -> None:
        own = Limit("own", "cost", 1, Window("fixed", 1, "day"), status=503)
        gemini = body_of(answer(refusal(own, Facts(api="gemini")), streaming=False))
        assert gemini["error"]["code"] == 503  # type: ignore[index, call-overload]


class TestGemini:
    STREAM = Facts(api="gemini", client="google-genai", path="/v1beta/models/gemini-2.5-pro:streamGenerateContent")

    def test_a_stream_without_sse_is_a_json_array(self) -> None:
        listed = body_of(answer(long(self.STREAM), streaming=True))
        assert isinstance(listed, list)
        assert listed[0]["error"]["code"] == 429

    def test_sse_and_whole_answers_are_an_object(self) -> None:
        sse = Facts(api="gemini", path=self.STREAM.path, query={"alt": "sse"})
        assert isinstance(body_of(answer(long(sse), streaming=True)), dict)
        whole = Facts(api="gemini", path="/v1beta/models/gemini-2.5-pro:generateContent")
        assert isinstance(body_of(answer(long(whole), streaming=False)), dict)

    def test_a_failure_is_framed_alike(self) -> None:
        assert isinstance(body_of(failure(self.STREAM, 503, "x")), list)


TEXT = st.text(max_size=30)
LIMITS = st.builds(
    Limit,
    name=TEXT,
    meter=st.sampled_from(["requests", "prompt_tokens", "completion_tokens", "total_tokens", "cost", "custom"]),
    amount=st.integers(0, 10**15),
    window=st.sampled_from(
        [
            Window("fixed", 1, "minute"),
            Window("sliding", 7, "hour"),
            Window("anchored", 1, "day"),
            Window("calendar", 1, "week"),
            Window("calendar", 1, "month", "Europe/Berlin"),
            Window("calendar", 2, "year"),
        ]
    ),
    reserve=st.sampled_from(["none", "estimate", "maximum"]),
    status=st.sampled_from([None, 400, 402, 429, 503]),
)
WHO = st.builds(
    Facts,
    api=st.sampled_from([*BODIES, "", "unheard-of"]),
    client=st.sampled_from([*(each.name for each in CLIENTS), ""]),
    model=TEXT,
    path=TEXT,
    session=TEXT,
    query=st.dictionaries(TEXT, TEXT, max_size=2),
)
REFUSALS = st.builds(
    refusal,
    LIMITS,
    WHO,
    used=st.integers(0, 10**15),
    need=st.integers(0, 10**15),
    retry_after=st.integers(1, 40_000_000),
    impossible=st.booleans(),
)


@given(REFUSALS, st.booleans())
@settings(max_examples=300)
def test_every_refusal_is_a_valid_answer(case: Refusal, streaming: bool) -> None:
    shown = answer(case, streaming=streaming)
    assert case.limit.name in json.dumps(body_of(shown), ensure_ascii=False) or not case.limit.name.isalnum()
    assert 400 <= shown.status < 600
    assert shown.headers[0] == ("content-type", "application/json")
    names = [name for name, _ in shown.headers]
    assert len(names) == len(set(names))
    for name, value in shown.headers:
        assert name == name.lower()
        assert all(" " <= char <= "~" for char in name + value)
    for name in ("retry-after", "retry-after-ms"):
        if value := header(shown, name):
            assert int(value) >= 1
            assert int(value) == case.retry_after * (1000 if name.endswith("ms") else 1)


STAINLESS = {"claude-code", *(name for name in MANNERS if name.startswith(("anthropic-", "openai-")))}
SLEEPERS = {"cohere", "mistral", "opencode", "vercel-ai-sdk", "aider", "litellm", ""}
"""Sleep for whatever `retry-after` says, and know no `x-should-retry`."""


@given(REFUSALS)
@settings(max_examples=300)
def test_no_client_is_made_to_sleep_for_longer_than_a_minute(case: Refusal) -> None:
    shown = answer(case, streaming=False)
    client = case.facts.client
    wait = int(header(shown, "retry-after") or 0)
    if client in STAINLESS:
        assert wait <= 60 or header(shown, "x-should-retry") == "false"
    elif client == "codex":
        assert wait <= 5 or body_of(shown)["error"]["type"] == "usage_limit_reached"  # type: ignore[index, call-overload]
    elif client in SLEEPERS:
        assert wait <= 60


@given(WHO)
def test_a_request_that_never_fits_is_not_told_to_wait(facts: Facts) -> None:
    shown = answer(never(facts), streaming=False)
    assert not any("retry-after" in name or "reset" in name for name, _ in shown.headers)
    assert header(shown, "x-should-retry") == "false"
    assert b"retryDelay" not in shown.body
    assert b"resets_at" not in shown.body


def test_ids_tell_refusals_apart() -> None:
    one, other = (answer(long(Facts(api="openai", session=name)), streaming=False) for name in ("a", "b"))
    assert header(one, "x-request-id") != header(other, "x-request-id")
    assert header(one, "x-request-id") == header(
        answer(long(Facts(api="openai", session="a")), streaming=False), "x-request-id"
    )


def test_secrets_of_the_request_stay_out_of_the_answer() -> None:
    facts = Facts(api="openai", headers={"authorization": "Bearer sk-secret"}, query={"key": "sk-secret"})
    for shown in (answer(long(facts), streaming=False), failure(facts, 500, "x")):
        assert "sk-secret" not in repr(shown)


def test_the_shown_manner_is_that_of_a_known_client() -> None:
    assert set(MANNERS) <= {each.name for each in CLIENTS}


class TestFailure:
    @pytest.mark.parametrize(
        ("status", "api", "expected"),
        [
            (500, "", b'{"error":{"message":"no","type":"server_error","param":null,"code":"internal_error"}}'),
            (
                503,
                "openai",
                b'{"error":{"message":"no","type":"server_error","param":null,"code":"service_unavailable"}}',
            ),
            (503, "anthropic", b'{"type":"error","error":{"type":"api_error","message":"no"}}'),
            (403, "anthropic", b'{"type":"error","error":{"type":"permission_error","message":"no"}}'),
            (403, "gemini", b'{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}'),
            (501, "gemini", b'{"error":{"code":501,"message":"no","status":"UNIMPLEMENTED"}}'),
            (500, "azure", b'{"error":{"code":"500","message":"no","type":"server_error"}}'),
            (403, "cohere", b'{"message":"no"}'),
            (500, "ollama", b'{"error":"no"}'),
            (500, "bedrock", b'{"message":"no"}'),
        ],
    )
    def test_bodies_are_golden(self, status: int, api: str, expected: bytes) -> None:
        shown = failure(Facts(api=api), status, "no")
        assert (shown.status, shown.body) == (status, expected)

    def test_only_a_store_that_is_away_is_worth_a_retry(self) -> None:
        assert header(failure(Facts(), 503, "x"), "retry-after") == "5"
        assert not header(failure(Facts(), 503, "x"), "x-should-retry")
        for status in (400, 403, 413, 426, 500, 501, 502, 418):
            shown = failure(Facts(), status, "x")
            assert (header(shown, "x-should-retry"), header(shown, "retry-after")) == ("false", "")

    def test_bedrock_reads_the_kind_off_a_header(self) -> None:
        assert header(failure(Facts(api="bedrock"), 503, "x"), "x-amzn-errortype") == "ServiceUnavailableException"

    @pytest.mark.parametrize(("client", "status"), [("claude-code", 402), ("codex", 400), ("aider", 400), ("", 403)])
    def test_what_is_forbidden_stops_every_client(self, client: str, status: int) -> None:
        assert failure(Facts(client=client), 403, "x").status == status

    @given(WHO, st.sampled_from([400, 403, 426, 500, 501, 503]), TEXT)
    def test_any_message_makes_valid_json(self, facts: Facts, status: int, message: str) -> None:
        shown = failure(facts, status, message)
        assert json.dumps(message)[1:-1] in shown.body.decode("ascii")
        body_of(shown)
        assert all(" " <= char <= "~" for field in shown.headers for char in "".join(field))


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(rendered(), "utf-8")
