"""The most that a request can consume: what is in its body, what is not, and what other vocabularies make of it."""

import gzip
import json
from typing import Any

import pytest

from limiter.meters import Scope
from limiter.usage.forecast import Forecast, forecast
from limiter.usage.outputs import context_limit
from tests.usage import test_corpus as corpus
from tests.usage.exchanges import ask_for

CHAT = "api.openai.com/v1/chat/completions"
RESPONSES = "api.openai.com/v1/responses"
CLAUDE = "api.anthropic.com/v1/messages"
GEMINI = "generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent"
CONVERSE = "bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-sonnet-4-6/converse"


def _forecast(url: str, body: Any) -> Forecast:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return forecast(ask_for(url, raw), raw)


def _claude(*content: Any, **more: Any) -> Forecast:
    messages = [{"role": "user", "content": list(content)}]
    return _forecast(CLAUDE, {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": messages, **more})


def _response(**more: Any) -> Forecast:
    return _forecast(RESPONSES, {"model": "gpt-4o", "input": "Hi", **more})


def _gemini(*parts: Any, **more: Any) -> Forecast:
    return _forecast(GEMINI, {"contents": [{"parts": [{"text": "Hi"}, *parts]}], **more})


TEXT = {"type": "text", "text": "Hi"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR" * 1000}}
HIDDEN: dict[str, tuple[Forecast, int]] = {
    "what was said before": (_response(previous_response_id="resp_1"), 128_000),
    "a conversation": (_response(conversation="conv_1"), 128_000),
    "a stored prompt": (_response(prompt={"id": "pmpt_1"}), 128_000),
    "an item by its id": (_response(input=[{"type": "item_reference", "id": "msg_1"}]), 128_000),
    "a file by its id": (_response(input=[{"content": [{"type": "input_file", "file_id": "file-1"}]}]), 128_000),
    "a file elsewhere": (_response(input=[{"content": [{"type": "input_file", "file_url": "https://x"}]}]), 128_000),
    "a file in the body": (
        _response(input=[{"content": [{"type": "input_file", "filename": "a.pdf", "file_data": "data:x;base64,A"}]}]),
        128_000,
    ),
    "a search": (_response(tools=[{"type": "web_search"}]), 128_000),
    "files to be searched": (_response(tools=[{"type": "file_search", "vector_store_ids": ["vs_1"]}]), 128_000),
    "a server of tools": (_response(tools=[{"type": "mcp", "server_url": "https://x"}]), 128_000),
    "a tool that nobody knows": (_response(tools=[{"type": "clairvoyance"}]), 128_000),
    "a member that nobody knows and that names something": (_response(seance_id="x"), 128_000),
    "a body that is no JSON": (_forecast(CHAT, b"\x00\x01\x02" * 100), 1_050_000),
    "Claude's documents": (
        _claude({"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}}),
        200_000,
    ),
    "Claude's files": (_claude({"type": "container_upload", "file_id": "file_1"}), 200_000),
    "Claude's servers": (_claude(TEXT, mcp_servers=[{"type": "url", "url": "https://x"}]), 200_000),
    "Claude's code": (_claude(TEXT, tools=[{"type": "code_execution_20260521", "name": "code_execution"}]), 200_000),
    "Claude's container": (_claude(TEXT, container="container_1"), 200_000),
    "Claude is asked twice": (_claude(TEXT, tools=[{"type": "advisor_20260301", "name": "advisor"}]), 400_000),
    "Claude sums up": (_claude(TEXT, context_management={"edits": [{"type": "compact_20260112"}]}), 400_000),
    "Gemini's films": (_gemini({"fileData": {"fileUri": "https://youtu.be/x"}}), 1_048_576),
    "Gemini's cache": (_gemini(cachedContent="cachedContents/1"), 1_048_576),
    "Gemini's search": (_gemini(tools=[{"google_search": {}}]), 1_048_576),
    "Gemini's search beside functions": (_gemini(tools=[{"functionDeclarations": [], "googleSearch": {}}]), 1_048_576),
    "Gemini's film in the body": (_gemini({"inlineData": {"mimeType": "video/mp4", "data": "AAAA" * 100}}), 1_048_576),
    "Bedrock's files": (
        _forecast(CONVERSE, {"messages": [{"content": [{"video": {"source": {"s3Location": {"uri": "s3://x"}}}}]}]}),
        1_000_000,
    ),
    "Bedrock's documents": (
        _forecast(CONVERSE, {"messages": [{"content": [{"document": {"format": "pdf", "source": {"bytes": "AA"}}}]}]}),
        1_000_000,
    ),
    "an assistant": (_forecast("api.openai.com/v1/threads/t/runs", {"assistant_id": "a", "model": "gpt-4o"}), 128_000),
    "a model that searches": (
        _forecast("api.groq.com/openai/v1/chat/completions", {"model": "groq/compound", "messages": []}),
        131_072,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_not_in_the_body_fills_the_window(name: str) -> None:
    seen, window = HIDDEN[name]
    assert seen.most_prompt >= window
    assert seen.prompt_tokens < 4_000


VISIBLE: dict[str, tuple[Forecast, int]] = {
    "text": (_response(), 400),
    "functions": (_response(tools=[{"type": "function", "name": "f", "parameters": {}}]), 900),
    "no reference": (_response(previous_response_id=None, conversation=None), 400),
    "settings": (_response(metadata={"a": "b" * 999}, user="b" * 999, prompt_cache_key="c" * 999), 400),
    "the format of the answer": (_response(text={"format": {"type": "json_schema", "schema": {}}}), 900),
    "Claude's functions": (_claude(TEXT, tools=[{"name": "f", "input_schema": {}}]), 1_400),
    "what a search found before": (
        _claude({"type": "web_search_result", "url": "https://x/y", "encrypted_content": "E" * 1000}),
        1_200,
    ),
    "an image": (_claude(IMAGE), 2_300),
    "an image by its address": (
        _claude({"type": "image", "source": {"type": "url", "url": "https://x/picture?size=9"}}),
        2_300,
    ),
    "an image for GPT": (_forecast(CHAT, {"model": "gpt-4o", "messages": [
        {"content": [{"type": "image_url", "image_url": {"url": "https://x/picture"}}]}]}), 7_000),
    "an image by its id": (
        _response(input=[{"content": [{"type": "input_image", "file_id": "file-1"}]}]),
        7_000,
    ),
    "a text file": (
        _claude({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Word. " * 999}}),
        6_000,
    ),
    "Gemini's functions": (_gemini(tools=[{"functionDeclarations": [{"name": "f"}]}]), 1_400),
    "Bedrock's tools": (
        _forecast(CONVERSE, {"messages": [{"content": [{"text": "Hi"}]}],
                             "toolConfig": {"tools": [{"toolSpec": {"name": "f"}}, {"cachePoint": {"type": "x"}}]}}),
        1_400,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VISIBLE)
def test_what_is_in_the_body_is_counted(name: str) -> None:
    seen, most = VISIBLE[name]
    assert seen.prompt_tokens <= seen.most_prompt <= most


def test_no_prompt_is_longer_than_the_window() -> None:
    """Nor shorter than is likely; and what reads many texts at once is no prompt."""
    text = "word " * 300_000
    assert _response(input=text).most_prompt == _response(input=text).prompt_tokens > 128_000
    dense = "0123456789" * 60_000
    gemini = _forecast(GEMINI.replace("2.5-flash", "1.5-flash"), {"contents": [{"parts": [{"text": dense}]}]})
    assert 600_000 < gemini.most_prompt < 800_000
    assert _claude({"type": "text", "text": "word " * 150_000}).most_prompt == 200_000
    many = {"model": "text-embedding-3-small", "input": ["word " * 8_000] * 30}
    assert _forecast("api.openai.com/v1/embeddings", many).most_prompt > 240_000


def test_marks_of_caching_are_found_wherever_they_are() -> None:
    mark = {"type": "ephemeral"}
    hour = {"type": "ephemeral", "ttl": "1h"}
    assert _claude(TEXT).scope.writes == ""
    assert _claude({**TEXT, "cache_control": mark}).scope.writes == "5m"
    assert _claude({**TEXT, "cache_control": hour}).scope.writes == "1h"
    assert _claude({**TEXT, "cache_control": hour}, system=[{**TEXT, "cache_control": mark}]).scope.writes == "1h"
    assert _claude(TEXT, cache_control=hour).scope.writes == "1h"
    assert _claude(TEXT, tools=[{"name": "f", "cache_control": hour}]).scope.writes == "1h"
    assert _claude({**TEXT, "cache_control": None}).scope.writes == ""
    point = {"messages": [{"content": [{"text": "Hi"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]}]}
    assert _forecast(CONVERSE, point).scope.writes == "1h"
    escaped = b'{"model":"claude-x","messages":[{"content":[{"text":"a","cache_c\\u006fntrol":{"ttl":"1\\u0068"}}]}]}'
    assert _forecast(CLAUDE, escaped).scope.writes == "1h"
    long = {"model": "claude-x", "messages": [{"content": [{**TEXT, "cache_control": hour, "x": "y" * 99_999}]}]}
    assert _forecast(CLAUDE, long).scope.writes == "1h"
    assert _response().scope.writes == "5m", "unasked"


def test_modalities_of_the_answer() -> None:
    def kinds(seen: Forecast) -> tuple[bool, bool]:
        return seen.scope.speaks, seen.scope.draws

    assert kinds(_response()) == (False, False)
    assert kinds(_response(modalities=["text", "audio"])) == (True, False)
    assert kinds(_gemini()) == (True, True)
    assert kinds(_gemini(generationConfig={"responseModalities": ["TEXT"]})) == (False, False)
    assert kinds(_gemini(generationConfig={"responseModalities": ["TEXT", "IMAGE"]})) == (False, True)


def test_tools_are_used_as_often_as_the_request_lets_them() -> None:
    search = {"type": "web_search"}
    assert _response(tools=[search]).scope.searches == 10
    assert _response(tools=[search], max_tool_calls=2).scope.searches == 2
    assert _claude(TEXT, tools=[{"type": "web_search_20250305", "name": "w", "max_uses": 3}]).scope.searches == 3
    assert _response(tools=[{"type": "file_search"}]).scope.searches == 10
    drawn = _response(tools=[{"type": "image_generation"}], max_tool_calls=1).scope.units
    assert drawn["image_gen_output_tokens"] >= 6_208


def test_the_tier_is_told() -> None:
    assert _response(service_tier="priority").scope.tier == "priority"
    assert _claude(TEXT, speed="fast").scope.tier == "fast"
    assert _response().scope.tier == ""


def test_every_prompt_of_a_completion_is_answered() -> None:
    url = "api.openai.com/v1/completions"
    body = {"model": "gpt-3.5-turbo-instruct", "max_tokens": 10}
    assert _forecast(url, {**body, "prompt": "a"}).max_completion == 11
    assert _forecast(url, {**body, "prompt": ["a", "b"], "n": 2}).max_completion == 44
    assert _forecast(url, {**body, "prompt": [[1, 2, 3], [4]]}).max_completion == 22
    assert _forecast(url, {**body, "prompt": [1] * 5_000}).most_prompt >= 4_096


def test_what_is_predicted_may_be_billed() -> None:
    predicted = {"type": "content", "content": "x " * 500}
    assert _response(prediction=predicted, max_output_tokens=10).max_completion > 500


def test_uploads() -> None:
    """Pictures have a size at most, and sound a length."""
    head = b'--b\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\ncontent-type: image/png\r\n\r\n'
    body = (
        head + b"\x89" * 90_000 + b'\r\n--b\r\ncontent-disposition: form-data; name="prompt"\r\n\r\nA cat\r\n--b--\r\n'
    )
    form = {"content-type": "multipart/form-data; boundary=b"}
    url = "api.openai.com/v1/images/edits"
    seen = forecast(ask_for(url, body, headers=form), body)
    assert 6_000 < seen.most_prompt < 20_000
    sound = head.replace(b"a.png", b"a.mp3").replace(b"image/png", b"audio/mpeg") + b"\xff" * 64_000 + b"\r\n--b--\r\n"
    heard = forecast(ask_for("api.openai.com/v1/audio/transcriptions", sound, headers=form), sound)
    assert heard.most_prompt >= 1_000
    assert heard.scope.units["audio_seconds"] >= 100


def test_long_bodies_keep_what_media_they_are() -> None:
    """What of them is cut away is base64, and only what was in place of media."""
    pictures = [{**IMAGE, "source": {**IMAGE["source"], "data": "A" * 1_000_000}}] * 5  # type: ignore[dict-item]
    seen = _claude(*pictures)
    assert seen.prompt_tokens < seen.most_prompt < 10_000
    assert _claude(*pictures, {"type": "text", "text": "A" * 100_000}).most_prompt == 200_000
    document = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "A" * 5_000_000},
    }
    assert _claude(document).most_prompt == 200_000
    assert _forecast(CLAUDE, {"model": "claude-haiku-4-5", "messages": ["word " * 1_000_000]}).scope.writes == "1h"


def test_a_window_may_be_made_longer() -> None:
    body = {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "Hi"}], "container": "c"}
    raw = json.dumps(body).encode()
    beta = {"anthropic-beta": "files-api-2025-04-14,context-1m-2025-08-07"}
    assert forecast(ask_for(CLAUDE, raw), raw).most_prompt == 200_000
    assert forecast(ask_for(CLAUDE, raw, headers=beta), raw).most_prompt == 1_000_000
    assert _forecast(CLAUDE, {**body, "anthropic_beta": ["context-1m-2025-08-07"]}).most_prompt == 1_000_000
    more = {"messages": [{"content": [{"text": "Hi"}]}], "promptVariables": {"a": {"text": "b"}}}
    converse = CONVERSE.replace("sonnet-4-6", "sonnet-4-5")
    assert _forecast(converse, more).most_prompt == 200_000
    asked = {"additionalModelRequestFields": {"anthropic_beta": ["context-1m-2025-08-07"]}}
    assert _forecast(converse, {**more, **asked}).most_prompt == 1_000_000


def test_encodings_hide_nothing() -> None:
    body = json.dumps({"model": "claude-haiku-4-5", "messages": [{"content": [TEXT]}], "container": "x"}).encode()
    packed = gzip.compress(body)
    ask = ask_for(CLAUDE, packed, headers={"content-encoding": "gzip"})
    assert forecast(ask, packed).most_prompt == 200_000


def test_a_body_that_cannot_be_read_may_hold_anything() -> None:
    body = b'{"model": "claude-haiku-4-5"}'
    ask = ask_for(CLAUDE, body, headers={"content-encoding": "gzip"})
    assert ask.problem
    assert forecast(ask, body).most_prompt >= 200_000


# Tokens that vocabularies make of texts, measured offline: (our name of a model, text, tokens).
FOX = "The quick brown fox jumps over the lazy dog. "
RU = "Все люди рождаются свободными и равными в своем достоинстве и правах.\n"
HI = "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।\n"
VOCABULARIES = [
    ("vllm/qwen3", "0123456789" * 500, 5_000),
    ("gemini/gemini-2.5-flash", "0123456789" * 500, 5_000),
    ("anthropic/claude-opus-4-8", FOX.upper() * 50, 1_556),
    ("anthropic/claude-sonnet-4-5", FOX.upper() * 50, 913),
    ("gemini/gemini-2.5-flash", "\r\n" * 2_000, 4_000),
    ("gemini/gemini-2.5-flash", "=" * 3_000, 188),
    ("anthropic/claude-opus-4-8", "-" * 3_000, 506),
    ("anthropic/claude-opus-4-8", " " * 3_000, 194),
]


@pytest.mark.parametrize(("name", "text", "tokens"), VOCABULARIES)
def test_other_vocabularies_need_no_more(name: str, text: str, tokens: int) -> None:
    provider, _, model = name.partition("/")
    url = {"vllm": "localhost:8000/v1/chat/completions", "anthropic": CLAUDE}.get(
        provider, GEMINI.replace("gemini-2.5-flash", model)
    )
    body = {"model": model, "messages": [{"content": text}], "contents": [{"parts": [{"text": text}]}]}
    if provider == "gemini":
        del body["messages"]
    assert _forecast(url, body).most_prompt >= tokens


def test_scripts_that_few_vocabularies_have_count_more() -> None:
    def most(text: str) -> int:
        return _forecast(
            "localhost:8000/v1/chat/completions", {"model": "m", "messages": [{"content": text}]}
        ).most_prompt

    assert most(HI * 50) > 3.4 * most(FOX * 27) - 1_000, "o200k takes about as many for both"
    assert most(RU * 50) < len((RU * 50).encode())


INCOMPLETE = (b"(not recorded)", b"very very long system prompt")
PROMPTS = {
    "messages",
    "input",
    "prompt",
    "contents",
    "message",
    "inputs",
    "inputText",
    "query",
    "texts",
    "assistant_id",
}


def _is_complete(case: dict[str, Any]) -> bool:
    """Some recordings lack their prompt, or tell of it."""
    body = corpus._sent(case["request"])
    decoded = json.loads(body) if body.startswith(b"{") else None
    marked = any(mark in body for mark in INCOMPLETE)
    return isinstance(decoded, dict) and bool(decoded.keys() & PROMPTS) and not marked


@corpus.pytestmark
@pytest.mark.parametrize("name", ["labelled", "unlabelled"])
def test_no_recorded_exchange_used_more(name: str) -> None:
    misses, counted = [], 0
    for case in corpus._cases(name):
        ask = corpus._ask(case)
        if ask is None or ask.endpoint.repeats or not _is_complete(case):
            continue
        usage = corpus._observed(case, ask, 1_000_000).usage
        if usage is None or usage.requests > 1:
            continue
        counted += 1
        seen = forecast(ask, corpus._sent(case["request"]))
        if usage.prompt_tokens > seen.most_prompt or usage.completion_tokens > seen.max_completion:
            misses.append(f"{case['id']}: {usage.prompt_tokens} + {usage.completion_tokens}, held {seen}")
    assert not misses, f"{len(misses)} of {counted}\n" + "\n".join(misses)
    assert counted > 300


def test_nothing_else_is_nothing() -> None:
    assert Scope() == Scope(0, 0, "", False, False, 0, {}, "")
    assert context_limit("openai", "gpt-4o") == 128_000
