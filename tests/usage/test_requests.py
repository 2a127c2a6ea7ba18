"""What requests say about themselves, in every format."""

# ruff: noqa: E501  (bodies, one a line)

import gzip
import json
import re
import time
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.usage import requests
from limiter.usage.requests import read_request, takes_long, with_usage_asked
from tests.usage.exchanges import ask_for
from tests.usage.test_readers import CASES

CHAT = "api.openai.com/v1/chat/completions"
GEMINI = "generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:"
BEDROCK = "bedrock-runtime.us-east-1.amazonaws.com/model/"


@pytest.mark.parametrize(
    ("url", "body", "model"),
    [
        (CHAT, {"model": "gpt-4o"}, "gpt-4o"),
        (CHAT, {}, ""),
        (CHAT, {"model": 5}, ""),
        ("api.openai.com/v1/realtime?model=gpt-realtime", None, "gpt-realtime"),
        ("r.openai.azure.com/openai/deployments/my-gpt/chat/completions?api-version=1", {"model": "x"}, "my-gpt"),
        ("r.openai.azure.com//openai/deployments/my-gpt/embeddings", {}, "my-gpt"),
        ("r.openai.azure.com/OpenAI/Deployments/My-GPT/embeddings", {}, "my-gpt"),
        ("r.openai.azure.com/openai/v1/responses", {"model": "GPT-5"}, "gpt-5"),
        (GEMINI.rstrip(":") + "%3AgenerateContent", {}, "gemini-2.5-flash"),
        ("cloudcode-pa.googleapis.com/v1internal:generateContent", {"model": "gemini-2.5-pro", "request": {}}, "gemini-2.5-pro"),
        ("r.openai.azure.com/openai/v1/responses", {"model": "gpt-5"}, "gpt-5"),
        ("r.services.ai.azure.com/models/chat/completions", {"model": "grok-3"}, "grok-3"),
        (GEMINI + "generateContent", {}, "gemini-2.5-flash"),
        ("generativelanguage.googleapis.com/v1beta/tunedModels/mine:generateContent", {}, "mine"),
        ("generativelanguage.googleapis.com/v1beta/interactions", {"model": "models/gemini-3"}, "gemini-3"),
        ("aiplatform.googleapis.com/v1/publishers/google/models/g:predict", {}, "g"),
        (BEDROCK + "us.anthropic.claude-v2%3A1/converse", {}, "us.anthropic.claude-v2:1"),
        (BEDROCK + "amazon.nova-lite-v1:0/invoke-with-response-stream", {}, "amazon.nova-lite-v1:0"),
        (BEDROCK + "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.m%3A0/converse", {},
         "arn:aws:bedrock:us-east-1:1:inference-profile/us.m:0"),
        ("openrouter.ai/api/v1/chat/completions", {"model": "openai/gpt-4o:free"}, "openai/gpt-4o:free"),
    ],
)  # fmt: skip
def test_models(url: str, body: Any, model: str) -> None:
    assert ask_for(url, body, "GET" if "realtime" in url else "POST").model == model


@pytest.mark.parametrize(
    ("url", "body", "streaming"),
    [
        (CHAT, {"stream": True}, True),
        (CHAT, {"stream": False}, False),
        (CHAT, {"stream": "yes"}, False),
        (CHAT, {}, False),
        (GEMINI + "streamGenerateContent?alt=sse", {}, True),
        (GEMINI + "generateContent", {"stream": True}, True),
        (BEDROCK + "m/converse-stream", {}, True),
        (BEDROCK + "m/converse", {}, False),
        ("localhost:11434/api/chat", {"model": "m"}, True),
        ("localhost:11434/api/chat", {"model": "m", "stream": False}, False),
        ("localhost:11434/v1/chat/completions", {"model": "m"}, False),
        ("localhost:8080/generate_stream", {}, True),
    ],
)
def test_streaming(url: str, body: Any, streaming: bool) -> None:
    assert ask_for(url, body).streaming is streaming


@pytest.mark.parametrize(
    ("url", "body", "bound"),
    [
        (CHAT, {"max_tokens": 10}, 10),
        (CHAT, {"max_tokens": 10, "max_completion_tokens": 99}, 99),
        (CHAT, {"max_tokens": 0}, None),
        (CHAT, {"max_tokens": -5}, None),
        (CHAT, {"max_tokens": "10"}, None),
        (CHAT, {"max_tokens": True}, None),
        (CHAT, {"max_tokens": 1e9}, None),
        (CHAT, {}, None),
        ("api.openai.com/v1/responses", {"max_output_tokens": 7}, 7),
        ("api.anthropic.com/v1/messages", {"max_tokens": 1024}, 1024),
        ("api.anthropic.com/v1/messages", {"max_tokens": 1024, "max_output_tokens": 99999}, 1024),
        ("api.anthropic.com/v1/complete", {"max_tokens_to_sample": 3}, 3),
        (GEMINI + "generateContent", {"generationConfig": {"maxOutputTokens": 8}}, 8),
        (GEMINI + "generateContent", {"generationConfig": []}, None),
        (
            "cloudcode-pa.googleapis.com/v1internal:generateContent",
            {"request": {"generationConfig": {"maxOutputTokens": 8}}},
            8,
        ),
        (BEDROCK + "m/converse", {"inferenceConfig": {"maxTokens": 9}}, 9),
        (BEDROCK + "m/invoke", {"textGenerationConfig": {"maxTokenCount": 11}}, 11),
        (BEDROCK + "m/invoke", {"max_gen_len": 12}, 12),
        ("localhost:11434/api/chat", {"options": {"num_predict": 13}}, 13),
        ("localhost:11434/api/chat", {"options": {"num_predict": -1}}, None),
        ("localhost:8080/generate", {"parameters": {"max_new_tokens": 14}}, 14),
        ("api.cohere.com/v2/chat", {"max_tokens": 15}, 15),
    ],
)
def test_bounds_of_the_output(url: str, body: Any, bound: int | None) -> None:
    assert ask_for(url, body).max_output == bound


@pytest.mark.parametrize(
    ("url", "body", "choices"),
    [
        (CHAT, {}, 1),
        (CHAT, {"n": 3}, 3),
        (CHAT, {"n": 0}, 1),
        (CHAT, {"n": 10**9}, 1024),
        ("api.openai.com/v1/completions", {"n": 2, "best_of": 5}, 5),
        (GEMINI + "generateContent", {"generationConfig": {"candidateCount": 4}}, 4),
    ],
)
def test_choices(url: str, body: Any, choices: int) -> None:
    assert ask_for(url, body).choices == choices


def test_service_tiers() -> None:
    assert ask_for(CHAT, {"service_tier": "flex"}).service_tier == "flex"
    assert ask_for(BEDROCK + "m/converse", {"serviceTier": {"type": "priority"}}).service_tier == "priority"


BODY = json.dumps({"model": "gpt-4o", "stream": True}).encode()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", gzip.compress(BODY)), ("zstd", zstandard.ZstdCompressor().compress(BODY)), ("", b"\xef\xbb\xbf " + BODY)],
    ids=["gzip", "zstd", "plain"],
)
def test_encoded_bodies_are_read(encoding: str, body: bytes) -> None:
    ask = ask_for(CHAT, body, headers={"content-encoding": encoding})
    assert (ask.model, ask.streaming, ask.problem) == ("gpt-4o", True, "")


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_bodies_in_unicodes_other_encodings_are_read(encoding: str) -> None:
    """Servers read them too, and usage is asked for as they are."""
    body = BODY.decode().encode(encoding)
    ask = ask_for(CHAT, body)
    assert (ask.model, ask.streaming, ask.problem) == ("gpt-4o", True, "")
    asked = with_usage_asked(ask, body)
    assert asked is not None
    assert json.loads(asked) == {"model": "gpt-4o", "stream": True, "stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    ("encoding", "body", "why"),
    [
        ("gzip", gzip.compress(BODY)[:-10] + b"\0" * 10, "."),
        ("rot13", BODY, "unknown content-encoding 'rot13'"),
        ("gzip", BODY, "not in its content-encoding 'gzip'"),
        ("br", BODY, "brotli"),
        ("br, identity", BODY, "brotli"),
        ("", b"[1]", "it is no object"),
        ("", b"{", "truncated"),
        ("", b"\xff", "invalid character"),
        ("", BODY + b"{}", "trailing characters"),
        ("", BODY.decode().encode("utf-16")[:-1], "begins in UTF-16"),
        ("", b"--b\r\n", "."),
        ("", b"model=gpt-4o", "."),
        ("", b'{"a":' * 100_000, "nested too deeply"),
        ("zstd", zstandard.ZstdCompressor().compress(bytes(100 * 1024 * 1024)), "."),
    ],
    ids=["damaged", "unknown encoding", "no gzip", "no brotli", "no brotli either", "array", "cut", "no text", "two",
         "half a letter", "form", "another form", "deep", "bomb"],
)  # fmt: skip
def test_what_cannot_be_read_is_a_problem(encoding: str, body: bytes, why: str) -> None:
    """Not an exception; the path still tells what it can."""
    ask = ask_for(
        "r.openai.azure.com/openai/deployments/d/chat/completions", body, headers={"content-encoding": encoding}
    )
    assert re.match(f"the request body is not readable JSON: .*{why}", ask.problem)
    assert (ask.model, ask.streaming, ask.choices) == ("d", False, 1)
    assert with_usage_asked(ask, body) is None


@pytest.mark.parametrize("kind", ["application/json; charset=utf-7", "application/json; charset=IBM037"])
def test_a_charset_that_hides_letters_is_a_problem(kind: str) -> None:
    assert "its charset is" in ask_for(CHAT, BODY, headers={"content-type": kind}).problem


@pytest.mark.parametrize(
    "kind",
    ["multipart/form-data; boundary=b", "text/plain", "", "application/json; charset=UTF-8", 'a/b; charset="utf8"'],
)
def test_json_is_json_whatever_it_is_called(kind: str) -> None:
    ask = ask_for(CHAT, BODY, headers={"content-type": kind})
    assert (ask.model, ask.problem) == ("gpt-4o", "")


@pytest.mark.parametrize(
    "url",
    [
        "api.openai.com/v1/audio/transcriptions",
        "api.openai.com/v1/images/edits",
        "api.openai.com/v1/files",
        "api.openai.com/v1/batches",
        "api.openai.com/v9/new",
        "router.huggingface.co/hf-inference/models/m",
        "runtime.sagemaker.us-east-1.amazonaws.com/endpoints/e/invocations",
    ],
)
def test_elsewhere_any_body_may_pass(url: str) -> None:
    assert ask_for(url, b"\x00\xff{").problem == ""


def test_too_long_a_body_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MOST_BODY", 30)
    assert "longer" in ask_for(CHAT, BODY).problem


def test_a_repeated_member_counts_as_servers_take_it() -> None:
    assert ask_for(CHAT, b'{"model":"a","mod\\u0065l":"b","stream":true,"stream":false}').model == "b"


def test_absurd_values_are_none() -> None:
    ask = ask_for(CHAT, {"model": "m" * 5000, "n": list(range(5000)), "stream": {"a": "b" * 5000}})
    assert (ask.model, ask.choices, ask.streaming) == ("", 1, False)


MANY = b",".join(b'"k%d":1' % number for number in range(400_000))
"""5 MB of members."""


@pytest.mark.parametrize(
    "body",
    [
        b"{" + MANY + b',"model":"m"}',
        b'{"model":"m","a":{' + MANY + b"}}",
        b'{"model":"m","stream_options":{' + MANY + b"}}",
        b'{"model":"m","max_tokens":{' + MANY + b"}}",
        b'{"model":"m","messages":[' + b'{"a":"\\ud800"},' * 300_000 + b"0]}",
        b'{"model":"m","a":"' + b"\\ud83d" * 800_000 + b'"}',
    ],
    ids=["members", "nested", "options", "number", "surrogates", "a long text of surrogates"],
)
def test_long_bodies_take_no_longer_than_copying_them_some_times(body: bytes) -> None:
    """Making objects of any of these takes a second and more."""
    times = []
    for _ in range(3):
        before = time.process_time()
        assert ask_for(CHAT, body).model == "m"
        times.append(time.process_time() - before)
    assert min(times) < 0.15


def test_what_takes_long() -> None:
    assert not takes_long({}, BODY)
    assert not takes_long({"content-encoding": "identity"}, BODY)
    assert not takes_long({"content-encoding": "gzip"}, b"")
    assert takes_long({"content-encoding": "gzip"}, b"x")
    assert takes_long({}, bytes(1024 * 1024))


def test_no_body_is_no_problem() -> None:
    assert ask_for("api.openai.com/v1/responses/resp_1", None, "GET").problem == ""


@pytest.mark.parametrize(
    "body", [b'{"model":"gpt-4o","x":"\\ud800"}', b'{"model":"gpt-4o","x":NaN}', b'{"model":"gpt-4o","x":"\xff"}']
)
def test_what_strict_parsers_refuse_is_read(body: bytes) -> None:
    """Upstreams accept it, so it must not hide the model."""
    assert ask_for(CHAT, body).model == "gpt-4o"


def test_a_model_with_a_lone_surrogate_can_be_written() -> None:
    assert ask_for(CHAT, b'{"model":"a\\ud800"}').model.encode().startswith(b"a")


def test_forms() -> None:
    """Recordings and images are uploaded as multipart forms."""
    lines = [b"--b", b'Content-Disposition: form-data; name="model"', b"", b"whisper-1", b"--b", b'Content-Disposition: form-data; name="stream"', b"Content-Type: text/plain", b"", b"true", b"--b", b'Content-Disposition: form-data; name="file"; filename="a.mp3"', b"", b"\x00\xff" * 50, b"--b--", b""]  # fmt: skip
    ask = ask_for(
        "api.openai.com/v1/audio/transcriptions",
        b"\r\n".join(lines),
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert (ask.model, ask.streaming, ask.choices, ask.problem) == ("whisper-1", True, 1, "")


@given(
    st.sampled_from(sorted({case.url for case in CASES.values()})),
    st.binary(max_size=300),
    st.sampled_from(["", "gzip", "br", "zstd"]),
)
@settings(max_examples=200, deadline=None)
def test_any_body_can_be_read(url: str, body: bytes, encoding: str) -> None:
    ask = ask_for(url, body, headers={"content-encoding": encoding})
    assert ask.choices >= 1
    assert ask.max_output is None or ask.max_output > 0


@pytest.mark.parametrize("endpoint", ["chat/completions", "completions"])
def test_usage_is_asked_of_streams(endpoint: str) -> None:
    body = b'{"model": "m", "stream": true}'
    asked = with_usage_asked(ask_for(f"api.openai.com/v1/{endpoint}", body), body)
    assert asked == b'{"stream_options":{"include_usage":true},"model": "m", "stream": true}'


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (CHAT, {"stream": False}),
        (CHAT, {}),
        (CHAT, {"stream": True, "stream_options": {"include_usage": True}}),
        (CHAT, {"stream": True, "stream_options": "odd"}),
        ("api.openai.com/v1/responses", {"stream": True}),
        ("api.openai.com/v1/embeddings", {"stream": True}),
        ("api.mistral.ai/v1/chat/completions", {"stream": True}),
        ("api.cohere.com/v2/chat", {"stream": True}),
        ("api.anthropic.com/v1/messages", {"stream": True}),
        ("localhost:11434/api/chat", {"stream": True}),
        ("r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-06-01", {"stream": True}),
    ],
)
def test_usage_is_not_asked(url: str, body: dict[str, Any]) -> None:
    """Where it is there anyway, or the server would refuse the question."""
    assert with_usage_asked(ask_for(url, body), json.dumps(body).encode()) is None


@pytest.mark.parametrize("version", ["?api-version=2024-09-01-preview", "?api-version=2025-01-01", ""])
def test_usage_is_asked_of_newer_azure_versions(version: str) -> None:
    body = {"stream": True}
    ask = ask_for(f"r.openai.azure.com/openai/deployments/d/chat/completions{version}", body)
    assert with_usage_asked(ask, json.dumps(body).encode()) is not None


def test_usage_is_not_asked_in_encoded_bodies() -> None:
    body = gzip.compress(b'{"model": "m", "stream": true}')
    ask = ask_for(CHAT, body, headers={"content-encoding": "gzip"})
    assert ask.streaming
    assert with_usage_asked(ask, body) is None


def test_a_client_that_declined_is_asked_over_its_head() -> None:
    body = b'{"stream": true, "stream_options": {"include_usage": false, "x": 1.50}}'
    ask = ask_for(CHAT, body)
    assert not ask.includes_usage
    assert with_usage_asked(ask, body) == body.replace(b"false", b"true")


def test_reading_needs_no_known_provider() -> None:
    endpoint = ask_for(CHAT, {}).endpoint
    assert read_request(endpoint, "/v1/chat/completions", {}, BODY).model == "gpt-4o"
