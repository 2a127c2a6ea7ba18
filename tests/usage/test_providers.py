"""Which endpoint of which provider a request calls."""

# ruff: noqa: E501  (a table, one request a row)

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limiter.usage.providers import PROVIDER_NAMES, PROVIDERS, Directory, Endpoint, is_known_host, recognise

APIS = {"openai", "azure", "anthropic", "gemini", "cohere", "mistral", "bedrock", "ollama", "huggingface"}


def _called(url: str, method: str = "POST", directory: Directory | None = None) -> Endpoint | None:
    authority, _, path = url.partition("/")
    host, _, port = authority.partition(":")
    return (directory or Directory()).recognise(host, int(port or 443), method, "/" + path, {})


@pytest.mark.parametrize(
    ("url", "provider", "name", "api"),
    [
        ("api.openai.com/v1/chat/completions", "openai", "chat", "openai"),
        ("eu.api.openai.com/v1/chat/completions/", "openai", "chat", "openai"),
        ("API.OPENAI.COM./v1/completions", "openai", "completions", "openai"),
        ("api.openai.com/v1/responses", "openai", "responses", "openai"),
        ("api.openai.com/v1/embeddings", "openai", "embeddings", "openai"),
        ("r.openai.azure.com/openai/deployments/d/chat/completions?api-version=1", "azure", "chat", "azure"),
        ("r.openai.azure.com//openai/deployments/d/completions", "azure", "completions", "azure"),
        ("r.cognitiveservices.azure.com/openai/responses", "azure", "responses", "azure"),
        ("r.services.ai.azure.com/models/chat/completions", "azure", "chat", "azure"),
        ("r.services.ai.azure.com/anthropic/v1/messages", "azure", "messages", "anthropic"),
        ("api.anthropic.com/v1/messages?beta=true", "anthropic", "messages", "anthropic"),
        ("generativelanguage.googleapis.com/v1beta/models/g:generateContent", "gemini", "generateContent", "gemini"),
        ("generativelanguage.googleapis.com/v1beta/openai/chat/completions", "gemini", "openai-compat-chat", "openai"),
        ("europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent",
         "vertex", "streamGenerateContent", "gemini"),
        ("bedrock-runtime.us-east-1.amazonaws.com/model/a%2Fb%3A0/converse-stream", "bedrock", "converse-stream", "bedrock"),
        ("bedrock-mantle.us-east-1.api.aws/openai/v1/responses", "bedrock-mantle", "responses", "openai"),
        ("api.cohere.com/v2/chat", "cohere", "v2-chat", "cohere"),
        ("api.cohere.ai/v1/generate", "cohere", "v1-generate", "cohere"),
        ("api.mistral.ai/v1/chat/completions", "mistral", "chat", "mistral"),
        ("ollama.com/v1/chat/completions", "ollama", "chat", "openai"),
        ("localhost:11434/api/generate", "ollama", "native-generate", "ollama"),
        ("10.0.0.5:11434/api/embed", "ollama", "native-embed", "ollama"),
        ("router.huggingface.co/novita/v3/openai/chat/completions", "huggingface", "chat", "openai"),
        ("x.endpoints.huggingface.cloud/", "huggingface", "generate", "huggingface"),
        ("openrouter.ai/api/v1/chat/completions", "openrouter", "chat", "openai"),
        ("openrouter.ai/api/v1/images", "openrouter", "images", "openai"),
        ("api.groq.com/openai/v1/chat/completions", "groq", "chat", "openai"),
        ("api.deepseek.com/chat/completions", "deepseek", "chat", "openai"),
        ("api.deepseek.com/anthropic/v1/messages", "deepseek", "messages", "anthropic"),
        ("api.x.ai/v1/responses", "xai", "responses", "openai"),
        ("api.together.xyz/v1/completions", "together", "completions", "openai"),
        ("api.z.ai/api/paas/v4/chat/completions", "zai", "chat", "openai"),
        ("o.snowflakecomputing.com/api/v2/cortex/v1/chat/completions", "snowflake", "chat", "openai"),
        ("api.cloudflare.com/client/v4/accounts/a/ai/v1/chat/completions", "cloudflare", "chat", "openai"),
        ("api.writer.com/v1/chat", "writer", "chat", "openai"),
        ("api.portkey.ai/v1/prompts/p/completions", "portkey", "completions", "openai"),
        ("localhost:8000/v1/completions", "vllm", "completions", "openai"),
        ("r.openai.azure.us/openai/deployments/d/chat/completions", "azure", "chat", "azure"),
        ("r.cognitiveservices.azure.us/openai/responses", "azure", "responses", "azure"),
        ("eastus.api.cognitive.microsoft.com/openai/deployments/d/embeddings", "azure", "embeddings", "azure"),
        ("aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/publishers/google/models/m:generateContent",
         "vertex", "generateContent", "gemini"),
        ("us-east1-aiplatform.mtls.googleapis.com/v1/projects/p/locations/l/endpoints/1:predict", "vertex", "predict", "gemini"),
        ("1.us-east1-2.prediction.vertexai.goog/v1/projects/p/locations/l/endpoints/1:predict", "vertex", "predict", "gemini"),
        ("bedrock-runtime.us-east-1.api.aws/model/m/converse", "bedrock", "converse", "bedrock"),
        ("bedrock-runtime-fips.us-east-1.api.aws/model/m/invoke", "bedrock", "invoke", "bedrock"),
        ("bedrock-runtime.cn-north-1.amazonaws.com.cn/model/m/converse", "bedrock", "converse", "bedrock"),
        ("cloudcode-pa.googleapis.com/v1internal:streamGenerateContent?alt=sse", "gemini", "streamGenerateContent", "gemini"),
        ("daily-cloudcode-pa.sandbox.googleapis.com/v1internal:generateContent", "gemini", "generateContent", "gemini"),
        ("cloudcode-pa.googleapis.com/v1internal:generateChat", "gemini", "other", "gemini"),
    ],
)  # fmt: skip
def test_metered_endpoints(url: str, provider: str, name: str, api: str) -> None:
    endpoint = _called(url)
    assert endpoint is not None
    assert (endpoint.provider, endpoint.name, endpoint.api, endpoint.metered) == (provider, name, api, True)
    assert not endpoint.repeats


@pytest.mark.parametrize(
    ("url", "method"),
    [
        ("api.openai.com/v1/models", "GET"),
        ("api.openai.com/v1/moderations", "POST"),
        ("api.openai.com/v1/responses/input_tokens", "POST"),
        ("api.openai.com/v1/chat/completions", "OPTIONS"),
        ("api.openai.com/v1/chat/completions", "HEAD"),
        ("api.openai.com/v1/files", "POST"),
        ("api.openai.com/v1/files/f", "DELETE"),
        ("api.openai.com/v1/files/", "POST"),
        ("api.openai.com//v1/files", "POST"),
        ("api.openai.com/v1/vector_stores/vs_1/search", "POST"),
        ("api.openai.com/v1/evals", "POST"),
        ("api.openai.com/v1/fine_tuning/jobs/j/cancel", "POST"),
        ("api.openai.com/v1/traces/ingest", "POST"),
        ("api.openai.com/v1/chat/completions/c", "POST"),
        ("api.anthropic.com/v1/messages/count_tokens", "POST"),
        ("api.anthropic.com/v1/messages/count_tokens?beta=true", "POST"),
        ("api.anthropic.com/api/event_logging/batch", "POST"),
        ("api.anthropic.com/api/event_logging/v2/batch", "POST"),
        ("api.anthropic.com/api/claude_code/metrics", "POST"),
        ("api.anthropic.com/api/claude_cli_feedback", "POST"),
        ("api.anthropic.com/api/oauth/claude_cli/create_api_key", "POST"),
        ("api.anthropic.com/api/eval/sdk-x", "POST"),
        ("api.anthropic.com/api/hello", "POST"),
        ("api.anthropic.com/v1/oauth/token", "POST"),
        ("openrouter.ai/api/v1/auth/keys", "POST"),
        ("bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3A%3A%3Aa%2Fm%3A0/count-tokens", "POST"),
        ("r.openai.azure.com/OpenAI/Files?api-version=1", "POST"),
        ("generativelanguage.googleapis.com/v1beta/models/g:countTokens", "POST"),
        ("bedrock-runtime.us-east-1.amazonaws.com/model/m/count-tokens", "POST"),
        ("localhost:11434/api/tags", "GET"),
        ("localhost:11434/api/pull", "POST"),
        # Hosts that serve more than models.
        ("api.cloudflare.com/client/v4/zones/z/dns_records", "POST"),
        ("o.snowflakecomputing.com/queries/v1/query-request", "POST"),
        ("r.cognitiveservices.azure.com/vision/v3.2/analyze", "POST"),
        ("cloudcode-pa.googleapis.com/v1internal:countTokens", "POST"),
        ("cloudcode-pa.googleapis.com/v1internal:loadCodeAssist", "POST"),
        ("cloudcode-pa.googleapis.com/v1internal:recordCodeAssistMetrics", "POST"),
    ],
)
def test_free_endpoints(url: str, method: str) -> None:
    endpoint = _called(url, method)
    assert endpoint is not None
    assert not endpoint.metered
    assert not endpoint.asks_usage


@pytest.mark.parametrize(
    ("url", "method", "name"),
    [
        ("api.openai.com/v1/responses/resp_1", "GET", "responses-get"),
        ("api.openai.com/v1/responses/resp_1/cancel", "POST", "responses-cancel"),
        ("api.openai.com/v1/threads/t/runs/r", "GET", "assistants-runs"),
        ("api.openai.com/v1/files/f/content", "GET", "file-content"),
        ("api.anthropic.com/v1/messages/batches/b/results", "GET", "batch-results"),
        ("generativelanguage.googleapis.com/v1beta/batches/b", "GET", "batch-status"),
        ("api.mistral.ai/v1/batch/jobs/j", "GET", "batches"),
    ],
)
def test_endpoints_that_repeat_usage(url: str, method: str, name: str) -> None:
    endpoint = _called(url, method)
    assert endpoint is not None
    assert (endpoint.name, endpoint.metered, endpoint.repeats) == (name, True, True)


def test_unknown_paths_of_known_hosts_are_metered() -> None:
    """A new endpoint must not be a hole in the budget; but it is charged only what it reports."""
    assert recognise("api.openai.com", 443, "POST", "/v9/new", {}) == Endpoint(
        "openai", "other", "openai", True, "sniff", False, estimated=False, host="api.openai.com"
    )
    assert recognise("r.openai.azure.com", 443, "POST", "/openai/v9/new", {}) == Endpoint(
        "azure", "other", "azure", True, "sniff", False, estimated=False, host="r.openai.azure.com"
    )


@pytest.mark.parametrize(
    "url",
    [
        "api.openai.com/v1/batches",
        "r.openai.azure.com/openai/batches?api-version=1",
        "api.openai.com/v1/fine_tuning/jobs",
        "api.openai.com/v1/evals/e/runs",
        "api.anthropic.com/v1/messages/batches",
        "generativelanguage.googleapis.com/v1beta/models/g:batchGenerateContent",
        "generativelanguage.googleapis.com/v1beta/openai/batches",
        "us-east1-aiplatform.googleapis.com/v1/projects/p/locations/l/batchPredictionJobs",
        "api.mistral.ai/v1/batch/jobs",
        "api.cohere.com/v1/embed-jobs",
        "bedrock-runtime.us-east-1.amazonaws.com/async-invoke",
    ],
)
def test_what_starts_work_for_later_is_admitted(url: str) -> None:
    """A spent budget refuses it, and no tokens are expected of it."""
    endpoint = _called(url)
    assert endpoint is not None
    assert (endpoint.metered, endpoint.defers, endpoint.estimated, endpoint.json) == (True, True, False, False)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("r.openai.azure.com/OpenAI/deployments/gpt-4o/Chat/Completions", "chat"),
        ("r.openai.azure.com/openai/deployments/d/ch%61t/completions", "chat"),
        ("r.openai.azure.com/openai\\deployments\\d\\chat\\completions", "chat"),
        ("aiplatform.googleapis.com/v1/publishers/google/%6dodels/g:generateContent", "generateContent"),
        ("aiplatform.googleapis.com/v1/publishers/google/models/g%3AgenerateContent", "generateContent"),
        ("api.openai.com/v1/vector_stores/../chat/complet%69ons", "chat"),
        ("api.openai.com/v1/vector_stores/%2e%2e/chat/completions", "chat"),
        ("api.openai.com/v1/vector_stores/..%2Fchat%2Fcompletions", "chat"),
        ("api.openai.com/v1/vector_stores/..;/chat/completions", "chat"),
        ("api.openai.com/v1/%2563hat/completions", "chat"),
        ("api.openai.com/v1/chat/completions;v=1", "chat"),
        ("api.openai.com/v1/chat/completions#/files", "chat"),
        ("api.openai.com/Chat/Completions", "chat"),
        ("api.openai.com/v1/./embeddings/", "embeddings"),
        ("api.openai.com/v1//embeddings", "embeddings"),
        ("api.cloudflare.com/client/v4/accounts/a/%61i/run/@cf/m", "run"),
        # These are not what they end in to every server.
        ("api.openai.com/v1/chat/completions%3F/files", "other"),
        ("api.openai.com/v1/chat/completions%2Ffiles", "other"),
        ("api.openai.com/v1/chat/completions%00/files", "other"),
        ("api.openai.com/v1/x/%2e%2e/files", "other"),
        ("api.openai.com/v1/responses/r%65sp/cancel", "other"),
        ("api.cloudflare.com/client/v4/accounts/a/x/%2e%2e/new", "other"),
        ("api.cloudflare.com/client/v4/accounts/a/AI/new", "other"),
    ],
)
def test_paths_in_disguise_are_metered(url: str, name: str) -> None:
    endpoint = _called(url)
    assert endpoint is not None
    assert (endpoint.name, endpoint.metered, endpoint.repeats) == (name, True, False)


def test_odd_paths_are_estimated() -> None:
    """Whoever disguises a model call must not save by it."""
    odd, plain = _called("api.openai.com/v1/ch%61t/new"), _called("api.openai.com/v1/chat/new")
    assert odd is not None
    assert plain is not None
    assert (odd.estimated, plain.estimated) == (True, False)


def test_results_are_read_under_any_spelling() -> None:
    """Or the tokens of a batch would be counted nowhere."""
    endpoint = _called("api.openai.com/v1/files/f/cont%65nt", "GET")
    assert endpoint is not None
    assert endpoint.repeats


@pytest.mark.parametrize("header", ["x-http-method-override", "x-http-method"])
def test_an_overridden_method_is_not_free(header: str) -> None:
    called = recognise("api.openai.com", 443, "GET", "/v1/chat/completions", {header: "post"})
    assert called is not None
    assert (called.name, called.metered) == ("chat", True)
    called = recognise("api.openai.com", 443, "POST", "/v1/chat/completions", {header: "GET"})
    assert called is not None
    assert called.metered


SOME_PATHS = st.sampled_from([
    "/v1/chat/completions", "/v1/files", "/v1/vector_stores/x", "/openai/deployments/d/embeddings", "/vision/analyze",
    "/v1/responses/r/cancel", "/v1/moderations", "/v1/batches", "/client/v4/ai/run/m",
])  # fmt: skip


@st.composite
def disguises(draw: st.DrawFn) -> tuple[str, str]:
    """A path, and one that some server may take for it."""
    path = draw(SOME_PATHS)
    respelt = "".join(f"%{ord(letter):02x}" if draw(st.integers(0, 4)) == 0 else letter for letter in path[1:])
    padding = draw(st.sampled_from(["", "/", "//", "/./", "/x/../", "/x%2f..%2F"]))
    return path, f"{padding or '/'}{respelt}{draw(st.sampled_from(['', '/', '?a=b', ';a']))}"


@given(
    st.sampled_from(["api.openai.com", "r.openai.azure.com", "api.cloudflare.com", "api.anthropic.com"]), disguises()
)
@settings(max_examples=300, deadline=None)
def test_a_disguised_path_is_never_cheaper(host: str, paths: tuple[str, str]) -> None:
    plain, odd = (recognise(host, 443, "POST", path, {}) for path in paths)
    assert plain is not None
    assert odd is not None
    if plain.metered and not plain.repeats:
        assert (odd.metered, odd.repeats) == (True, False)
        assert plain.name in (odd.name, "other")


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "api.openai.com.evil.org",
        "evil-api.openai.com",
        "xapi.openai.com",
        "openai.com",
        "",
        "googleapis.com",
    ],
)
def test_other_hosts_are_nobodys(host: str) -> None:
    assert not is_known_host(host, 443)
    assert recognise(host, 443, "POST", "/v1/chat/completions", {}) is None


def test_guessed_ports_are_recognised_by_their_paths_only() -> None:
    """Something else may listen on port 8000 of this machine."""
    assert _called("localhost:8000/v1/chat/completions") is not None
    assert _called("localhost:8000/login") is None
    assert _called("other.example:8000/v1/chat/completions") is None
    assert not is_known_host("localhost", 8000)
    assert is_known_host("localhost", 11434)


@pytest.mark.parametrize(
    ("url", "local"),
    [("localhost:11434/api/chat", True), ("ollama.com/api/chat", False), ("localhost:8000/v1/chat/completions", True),
     ("localhost:8080/generate", True), ("api.openai.com/v1/embeddings", False)],
)  # fmt: skip
def test_local_servers(url: str, local: bool) -> None:
    endpoint = _called(url)
    assert endpoint is not None
    assert endpoint.local is local


MAPPED = Directory(
    {
        "127.0.0.1:9000": "groq",
        "LLM.example": "azure",
        "127.0.0.1:8000": "openai",
        "gpu.example": "vllm",
        "h:1": "cohere",
    }
)


@pytest.mark.parametrize(
    ("url", "provider", "name"),
    [
        ("127.0.0.1:9000/openai/v1/chat/completions", "groq", "chat"),
        ("127.0.0.1:9000/v1/chat/completions", "groq", "chat"),
        ("127.0.0.1:9000/chat/completions", "groq", "chat"),
        ("127.0.0.1:9000/some/base/v1/chat/completions", "groq", "chat"),
        ("127.0.0.1:8000/v1/responses", "openai", "responses"),
        ("llm.example/openai/deployments/d/chat/completions", "azure", "chat"),
        ("llm.example:8443/deployments/d/chat/completions", "azure", "chat"),
        ("h:1/v2/chat", "cohere", "v2-chat"),
        ("h:1/base/chat", "cohere", "v2-chat"),
        ("gpu.example/v1/messages", "vllm", "messages"),
    ],
)
def test_mapped_hosts(url: str, provider: str, name: str) -> None:
    """By host or by host and port, under any base path."""
    endpoint = _called(url, directory=MAPPED)
    assert endpoint is not None
    assert (endpoint.provider, endpoint.name, endpoint.metered) == (provider, name, True)
    assert endpoint.local is (provider == "vllm")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/v1/models", "/a/../b?c=d", "/%00", "/v1/chat/completions"])
def test_every_request_to_what_is_no_model_counts(method: str, path: str) -> None:
    """Whatever its method and path; and no tokens are expected of it."""
    endpoint = Directory({"files.example": "other"}).recognise("Files.example", 8443, method, path, {})
    assert endpoint == Endpoint(
        "other", "other", "openai", True, "sniff", False,
        local=True, defers=True, estimated=False, opaque=True, host="files.example",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "name", "reader"),
    [
        ("/", "generate", "llama2"),
        ("/raw/llama2/chat", "generate", "llama2"),
        ("/generate", "generate", "huggingface"),
        ("/generate_stream", "generate_stream", "huggingface"),
        ("/v1/chat/completions", "chat", "openai"),
        ("/v1/completions", "completions", "openai"),
        ("/api/chat", "native-chat", "ollama"),
        ("/api/generate", "native-generate", "ollama"),
    ],
)
def test_llama_2_is_any_path_of_its_host(path: str, name: str, reader: str) -> None:
    """In three formats; those that are known by their paths are read as such."""
    endpoint = Directory({"llama.example": "llama2"}).recognise("llama.example", 80, "POST", path, {})
    assert endpoint is not None
    assert (endpoint.provider, endpoint.name, endpoint.reader, endpoint.metered) == ("llama2", name, reader, True)
    assert endpoint.local


def test_mapped_hosts_are_known() -> None:
    assert MAPPED.is_known_host("127.0.0.1", 9000)
    assert MAPPED.is_known_host("llm.EXAMPLE", 1)
    assert not MAPPED.is_known_host("h", 2)
    assert MAPPED.is_known_host("api.openai.com", 443)


def test_hosts_have_one_name() -> None:
    """The one that limits see."""
    for host in (
        "api.openai.com",
        "API.OpenAI.com",
        "api.openai.com.",
        "api\u3002openai\uff0ecom",
        "\uff41pi.openai.com",
    ):
        assert is_known_host(host, 443)
        endpoint = recognise(host, 443, "POST", "/v1/embeddings", {})
        assert endpoint is not None
        assert endpoint.host == "api.openai.com"


def test_mapped_ipv6_hosts() -> None:
    directory = Directory({"[::1]:9000": "openai"})
    assert directory.is_known_host("::1", 9000)
    assert not directory.is_known_host("::1", 9001)


def test_unknown_providers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown provider 'opnai', expected one of openai, azure, "):
        Directory({"a": "opnai"})


def test_the_table_is_sound() -> None:
    assert len({provider.name for provider in PROVIDERS}) == len(PROVIDERS)
    assert {provider.bills_as for provider in PROVIDERS} - {""} <= set(PROVIDER_NAMES)
    for provider in PROVIDERS:
        assert provider.api in APIS
        assert {route.api or provider.api for route in provider.routes} <= APIS


@given(
    st.sampled_from(["api.openai.com", "r.openai.azure.com", "api.cohere.com", "localhost"]),
    st.text(max_size=60),
    st.text(max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_any_path_is_answered(host: str, path: str, method: str) -> None:
    assert host == "localhost" or recognise(host, 443, method, path, {}) is not None


@pytest.mark.parametrize(
    ("path", "name", "metered"),
    [
        ("codex/responses", "responses", True),
        ("codex/responses/compact", "responses-compact", True),
        ("codex/responses/new", "other", True),
        ("conversation", "", False),
        ("codex/analytics-events/events", "", False),
    ],
)
def test_codex_accounts_are_metered_where_the_settings_say_so(path: str, name: str, metered: bool) -> None:
    url = f"chatgpt.com/backend-api/{path}"
    assert _called(url) is None

    endpoint = _called(url, directory=Directory({"chatgpt.com": "codex"}))
    assert endpoint is not None
    assert (endpoint.provider, endpoint.metered) == ("openai", metered)
    assert endpoint.name == (name or endpoint.name)


SERVICES = Directory(
    {"mapped.example:80": "cohere"},
    {
        **dict.fromkeys(["media.example:80", "localhost:8000", "llm.internal:4000", "mapped.example:80"], "service"),
        "m.internal:80": "mistral",
    },
)


@pytest.mark.parametrize(
    ("host", "port", "method", "path", "found"),
    [
        ("media.example", 80, "POST", "/render", ("other", "other", True, False)),
        ("media.example", 80, "GET", "/v1/models", ("other", "other", True, True)),
        ("MEDIA.example.", 80, "GET", "/", ("other", "other", True, True)),
        ("media.example", 81, "POST", "/render", None),
        # Calls of models are known by their paths.
        ("llm.internal", 4000, "POST", "/v1/chat/completions", ("openai", "chat", True, False)),
        ("llm.internal", 4000, "POST", "/v1/messages", ("openai", "messages", True, False)),
        ("m.internal", 80, "POST", "/v1/fim/completions", ("mistral", "fim", True, False)),
        ("m.internal", 80, "POST", "/v1/responses", ("mistral", "responses", True, False)),
        ("m.internal", 80, "POST", "/render", ("other", "other", True, False)),
        # What was known before stays as it was.
        ("localhost", 8000, "POST", "/v1/chat/completions", ("vllm", "chat", True, False)),
        ("localhost", 8000, "POST", "/render", ("other", "other", True, False)),
        ("localhost", 8000, "GET", "/v1/models", ("other", "other", True, True)),
        ("mapped.example", 80, "POST", "/v2/chat", ("cohere", "v2-chat", True, False)),
        ("api.openai.com", 443, "GET", "/v1/models", ("openai", "other", False, False)),
    ],
)
def test_every_request_to_a_service_counts(
    host: str, port: int, method: str, path: str, found: tuple[str, str, bool, bool] | None
) -> None:
    endpoint = SERVICES.recognise(host, port, method, path, {})
    assert (endpoint and (endpoint.provider, endpoint.name, endpoint.metered, endpoint.opaque)) == found


def test_what_is_no_call_of_a_model_costs_nothing() -> None:
    for method in ("GET", "POST"):
        endpoint = SERVICES.recognise("media.example", 80, method, "/render", {})
        assert endpoint is not None
        assert endpoint.local


def test_services_are_opened() -> None:
    assert SERVICES.is_known_host("Media.example", 80)
    assert not SERVICES.is_known_host("media.example", 443)
