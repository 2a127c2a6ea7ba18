"""Who is asking."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.identity import CLIENTS, client, client_address, credential, digest, session

LOCAL = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


class TestDigest:
    def test_is_stable_and_short(self) -> None:
        assert digest("sk-test") == "f3abf2a6cc4f0098"
        assert digest("") == ""

    @given(st.text(min_size=1))
    def test_gives_nothing_away(self, secret: str) -> None:
        assert len(digest(secret)) == 16
        assert set(digest(secret)) <= set("0123456789abcdef")

    def test_takes_any_bytes(self) -> None:
        assert len(digest("\udcff")) == 16


SECRET = digest("sk-secret")
SIGV4 = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261125/us-east-1/bedrock/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature={}"
)


class TestCredential:
    @pytest.mark.parametrize(
        ("headers", "query", "api"),
        [
            ({"authorization": "Bearer sk-secret"}, {}, "openai"),
            ({"authorization": "bearer  sk-secret "}, {}, ""),
            ({"authorization": "sk-secret"}, {}, ""),
            ({"authorization": "Basic sk-secret"}, {}, ""),
            ({"x-api-key": "sk-secret"}, {}, "anthropic"),
            ({"authorization": "Bearer sk-secret"}, {}, "anthropic"),
            ({"api-key": "sk-secret"}, {}, "azure"),
            ({"x-goog-api-key": "sk-secret"}, {}, "gemini"),
            ({}, {"key": "sk-secret"}, "gemini"),
            ({}, {"api-key": "sk-secret"}, "azure"),
            (
                {"sec-websocket-protocol": "realtime, openai-insecure-api-key.sk-secret, openai-beta.realtime-v1"},
                {},
                "",
            ),
        ],
    )
    def test_one_key_has_one_digest_wherever_it_stands(
        self, headers: dict[str, str], query: dict[str, str], api: str
    ) -> None:
        assert credential(headers, query, api) == SECRET

    def test_a_signature_is_known_by_its_key_id(self) -> None:
        expected = digest("AKIDEXAMPLE")
        assert credential({"authorization": SIGV4.format("aa")}, {}) == expected
        assert credential({"authorization": SIGV4.format("bb")}, {}, "bedrock") == expected
        presigned = {"X-Amz-Credential": "AKIDEXAMPLE/20261125/us-east-1/bedrock/aws4_request"}
        assert credential({}, presigned) == expected

    def test_the_key_of_the_proxy_is_never_read(self) -> None:
        assert credential({"proxy-authorization": "Basic dXNlcjpwdw=="}, {}) == ""

    def test_nothing_shown_is_nothing(self) -> None:
        assert credential({}, {}) == ""
        assert credential({"authorization": "Bearer "}, {}) == ""

    def test_a_header_that_the_api_ignores_does_not_make_a_new_identity(self) -> None:
        headers = {"authorization": "Bearer sk-secret", "x-api-key": "random", "api-key": "random"}
        assert credential(headers, {}, "openai") == SECRET
        assert credential(headers, {}) == SECRET


class TestClientAddress:
    @pytest.mark.parametrize(
        ("peer", "headers", "expected"),
        [
            # not trusted: its word does not count
            ("203.0.113.9", {"x-forwarded-for": "1.2.3.4"}, "203.0.113.9"),
            ("127.0.0.1", {}, "127.0.0.1"),
            ("127.0.0.1", {"x-forwarded-for": "1.2.3.4"}, "1.2.3.4"),
            # what stands before the first stranger is the stranger's own word
            ("127.0.0.1", {"x-forwarded-for": "6.6.6.6, 1.2.3.4, 10.0.0.7"}, "1.2.3.4"),
            ("127.0.0.1", {"x-forwarded-for": "10.0.0.9, 10.0.0.7"}, "10.0.0.9"),
            # ports, brackets, zones, mapped addresses, spaces
            ("127.0.0.1", {"x-forwarded-for": "1.2.3.4:5678"}, "1.2.3.4"),
            ("127.0.0.1", {"x-forwarded-for": "[2001:DB8::1]:443"}, "2001:db8::1"),
            ("127.0.0.1", {"x-forwarded-for": "2001:0db8:0:0::1"}, "2001:db8::1"),
            ("127.0.0.1", {"x-forwarded-for": "fe80::1%eth0"}, "fe80::1"),
            ("127.0.0.1", {"x-forwarded-for": " ::ffff:1.2.3.4 "}, "1.2.3.4"),
            ("::ffff:127.0.0.1", {"x-forwarded-for": "1.2.3.4"}, "1.2.3.4"),
            ("fd00::5", {"x-forwarded-for": "1.2.3.4"}, "1.2.3.4"),
            # a hop that is no address ends the walk
            ("127.0.0.1", {"x-forwarded-for": "unknown"}, "127.0.0.1"),
            ("127.0.0.1", {"x-forwarded-for": "1.2.3.4, unknown"}, "127.0.0.1"),
            ("127.0.0.1", {"x-forwarded-for": "6.6.6.6, ; drop table, 10.0.0.7"}, "10.0.0.7"),
            ("127.0.0.1", {"x-forwarded-for": ",,"}, "127.0.0.1"),
            ("127.0.0.1", {"forwarded": "for=6.6.6.6, for=1.2.3.4;proto=https;by=10.0.0.1"}, "1.2.3.4"),
            ("127.0.0.1", {"forwarded": 'proto=http;For="[2001:db8::17]:4711"'}, "2001:db8::17"),
            ("127.0.0.1", {"forwarded": "for=_hidden"}, "127.0.0.1"),
            ("127.0.0.1", {"forwarded": "proto=https"}, "127.0.0.1"),
            ("127.0.0.1", {"x-real-ip": "1.2.3.4"}, "1.2.3.4"),
            # one header decides
            (
                "127.0.0.1",
                {"x-forwarded-for": "1.2.3.4", "forwarded": "for=6.6.6.6", "x-real-ip": "6.6.6.6"},
                "1.2.3.4",
            ),
            ("", {"x-forwarded-for": "1.2.3.4"}, ""),
        ],
    )
    def test_forwarded_addresses(self, peer: str, headers: dict[str, str], expected: str) -> None:
        assert client_address(peer, headers, LOCAL) == expected

    def test_nobody_is_trusted_by_default(self) -> None:
        assert client_address("127.0.0.1", {"x-forwarded-for": "1.2.3.4"}, ()) == "127.0.0.1"

    @given(st.text(), st.text(), st.text())
    @settings(max_examples=50)
    def test_the_answer_is_an_address_whatever_is_sent(self, listed: str, forwarded: str, single: str) -> None:
        headers = {"x-forwarded-for": listed, "forwarded": forwarded, "x-real-ip": single}
        ip_address(client_address("127.0.0.1", headers, LOCAL))
        assert client_address("192.0.2.1", headers, LOCAL) == "192.0.2.1"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"user-agent": "claude-cli/2.1.330 (external, cli)"}, "claude-code"),
        ({"user-agent": "Anthropic/JS 1.12.0", "x-claude-code-session-id": "s"}, "claude-code"),
        ({"user-agent": "codex_cli_rs/0.169.0 (Ubuntu 24.4.0; x86_64) xterm"}, "codex"),
        ({"user-agent": "Mozilla/5.0 (X11) AppleWebKit/537", "originator": "codex_vscode"}, "codex"),
        ({"user-agent": "GeminiCLI/0.61.0/gemini-2.5-pro (linux; x64)"}, "gemini-cli"),
        ({"user-agent": "opencode/1.18.33 ai-sdk/provider-utils/4.0 runtime/bun"}, "opencode"),
        ({"user-agent": "OpenAI/Python 3.54.0", "x-title": "Aider", "http-referer": "https://aider.chat"}, "aider"),
        ({"user-agent": "Cline/3.1.0"}, "cline"),
        ({"user-agent": "RooCode/3.2"}, "roo-code"),
        ({"user-agent": "litellm/1.109.1"}, "litellm"),
        ({"user-agent": "ai/6.0.1 ai-sdk/openai/3.0.1 runtime/node.js/24"}, "vercel-ai-sdk"),
        ({"user-agent": "Anthropic/Python 2.12.0"}, "anthropic-python"),
        ({"user-agent": "AsyncAnthropicBedrock/Python 2.12.0"}, "anthropic-python"),
        ({"user-agent": "Anthropic/JS 1.12.0"}, "anthropic-ts"),
        ({"user-agent": "OpenAI/Python 3.54.0"}, "openai-python"),
        ({"user-agent": "AsyncAzureOpenAI/Python 3.54.0"}, "openai-python"),
        ({"user-agent": "OpenAI/JS 6.49.0"}, "openai-node"),
        ({"user-agent": "google-genai-sdk/3.4.0 gl-python/3.13.1"}, "google-genai"),
        ({"x-goog-api-client": "google-genai-sdk/3.4.0 gl-node/24"}, "google-genai"),
        ({"user-agent": "cohere/7.3.1"}, "cohere"),
        ({"user-agent": "speakeasy-sdk/python 3.7.0 2.8 1.0 mistralai"}, "mistral"),
        ({"user-agent": "Boto3/1.44.5 md/Botocore#1.44.5"}, "boto3"),
        ({"user-agent": "aws-sdk-js/3.9 ua/2.1"}, "aws-sdk"),
        ({"user-agent": "curl/8.5.0"}, "curl"),
        ({"user-agent": "python-httpx/0.28.1"}, "httpx"),
        ({"user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140"}, "browser"),
        ({"user-agent": "Cursor/2.0 Mozilla/5.0 AppleWebKit"}, "cursor"),
        ({"user-agent": "my-own-tool/1.0"}, ""),
        ({}, ""),
    ],
)
def test_applications_are_recognised(headers: dict[str, str], expected: str) -> None:
    assert client(headers) == expected


def test_names_are_unique() -> None:
    assert len({each.name for each in CLIENTS}) == len(CLIENTS)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-claude-code-session-id": "a", "x-claude-code-agent-id": "b"}, "a"),
        ({"session-id": "c", "thread-id": "t"}, "c"),
        ({"x-session-id": "o", "x-session-affinity": "p"}, "o"),
        ({"x-session-affinity": "p"}, "p"),
        ({"x-session-id": " "}, ""),
        ({}, ""),
    ],
)
def test_sessions_are_those_of_the_agents(headers: dict[str, str], expected: str) -> None:
    assert session(headers) == expected


def test_a_session_id_is_not_longer_than_a_key_may_be() -> None:
    assert len(session({"session-id": "x" * 10_000})) == 200
