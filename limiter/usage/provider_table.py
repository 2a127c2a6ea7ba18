"""The table of providers: where they are, what they offer, how they report usage.

A new provider is a new entry. Hosts are regular expressions over the whole lower-case host name; every entry names the
page (or the recorded traffic) that it was read from. How an entry is found is in `providers`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from limiter.usage import routes
from limiter.usage.endpoints import Route


class Provider(NamedTuple):
    name: str
    hosts: tuple[str, ...] = ()
    """Public hosts."""
    routes: tuple[Route, ...] = routes.OPENAI
    api: str = "openai"
    reader: str = "openai"
    """Of routes that name none."""
    asks_usage: bool = False
    """Accepts `stream_options.include_usage`; only where recorded traffic or its documentation says so."""
    model_path: str = ""
    """Where the path names the model: a pattern with one group. The body's `model` otherwise."""
    local_ports: tuple[int, ...] = ()
    """Usual ports on this machine, recognised by exact paths only: other software may listen there."""
    ports: tuple[int, ...] = ()
    """Ports that are known on any host."""
    local: bool = False
    """Runs on the user's own machines, where not on a public host."""
    paths: str = ""
    """Where a host serves more than models: what paths of models contain. Unknown ones without it are not metered."""
    insensitive: bool = False
    """Takes paths and names of models in any case."""
    opaque: bool = False
    """No model behind it: every request counts, whatever its method and path, and nothing is read of its bodies."""
    bills_as: str = ""
    """The provider whose prices and name count, where this is another door to it. Such an entry has no name of its own
    in a configuration."""


_AZURE_MODEL = r"/deployments/([^/]+)/"
_GOOGLE_MODEL = r"/(?:models|tunedModels)/([^/:]+)"

PROVIDERS: tuple[Provider, ...] = (
    # https://platform.openai.com/docs/guides/your-data : eu. and us. are regional hosts.
    Provider("openai", (r"(?:[a-z]{2}\.)?api\.openai\.com",), asks_usage=True),
    # https://learn.microsoft.com/azure/ai-foundry/openai/reference
    # https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure : azure.us.
    # azure-api.net is API Management, which fronts anything.
    Provider(
        "azure",
        (
            r".+\.(?:openai|cognitiveservices|services\.ai)\.azure\.(?:com|us)",
            r"[a-z0-9]+\.api\.cognitive\.microsoft\.(?:com|us)",
            r".+\.models\.ai\.azure\.com",
            r"models\.inference\.ai\.azure\.com",
            r".+\.azure-api\.(?:net|us)",
        ),
        routes.AZURE,
        api="azure",
        asks_usage=True,
        model_path=_AZURE_MODEL,
        paths="/openai/|/models/|/anthropic/",
        insensitive=True,
    ),
    # https://docs.anthropic.com/en/api/overview
    Provider("anthropic", (r"api\.anthropic\.com",), routes.ANTHROPIC_HOSTED, api="anthropic", reader="anthropic"),
    # https://ai.google.dev/api
    Provider(
        "gemini",
        (r"generativelanguage\.googleapis\.com",),
        routes.GEMINI,
        api="gemini",
        reader="gemini",
        model_path=_GOOGLE_MODEL,
    ),
    # https://cloud.google.com/vertex-ai/docs/reference/rest#rest_endpoints ; the global host has no region.
    # https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations : `rep` hosts stay in one jurisdiction.
    # https://cloud.google.com/vertex-ai/docs/predictions/choose-endpoint-type : endpoints with hosts of their own.
    Provider(
        "vertex",
        (
            r"(?:[a-z0-9-]+-)?aiplatform(?:\.mtls)?\.googleapis\.com",
            r"aiplatform\.[a-z0-9-]+\.rep\.googleapis\.com",
            r".+\.prediction\.vertexai\.goog",
        ),
        routes.VERTEX,
        api="gemini",
        reader="gemini",
        model_path=_GOOGLE_MODEL,
        paths="/models/|/endpoints/",
    ),
    # https://docs.aws.amazon.com/general/latest/gr/bedrock.html
    Provider(
        "bedrock",
        (
            r"bedrock-runtime(?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn)",
            r"vpce-[a-z0-9-]+\.bedrock-runtime\..+\.amazonaws\.com(?:\.cn)?",
        ),
        routes.BEDROCK,
        api="bedrock",
        reader="bedrock-converse",
        model_path=r"/model/(.+)/[a-z-]+$",
    ),
    # https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html : OpenAI's format.
    Provider("bedrock-mantle", (r"bedrock-mantle\.[a-z0-9-]+\.api\.aws",), routes.OPENAI_AND_ANTHROPIC),
    # https://docs.aws.amazon.com/sagemaker/latest/dg/realtime-endpoints-test-endpoints.html
    Provider(
        "sagemaker",
        (r"runtime(?:-fips)?\.sagemaker\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|api\.aws)",),
        routes.SAGEMAKER,
        api="bedrock",
        reader="sniff",
        model_path=r"/endpoints/([^/]+)/",
        paths="/invocations",
    ),
    # https://docs.cohere.com/reference/about
    Provider("cohere", (r"api\.cohere\.(?:com|ai)",), routes.COHERE, api="cohere", reader="cohere"),
    # https://docs.mistral.ai/api : usage is in every stream's last chunk, and unknown stream_options are refused (422).
    Provider("mistral", (r"(?:api|codestral)\.mistral\.ai",), routes.MISTRAL, api="mistral", reader="openai"),
    # https://github.com/ollama/ollama/blob/main/docs/api.md
    Provider("ollama", (r"ollama\.com",), routes.OLLAMA, asks_usage=True, ports=(11434,), local=True),
    # https://huggingface.co/docs/inference-providers ; https://huggingface.co/docs/inference-endpoints
    Provider(
        "huggingface",
        (r"router\.huggingface\.co", r"api-inference\.huggingface\.co", r".+\.endpoints\.huggingface\.cloud"),
        routes.HUGGINGFACE_HOSTED,
        asks_usage=True,
        local_ports=(8080,),
    ),
    # https://openrouter.ai/docs/api-reference/overview
    Provider(
        "openrouter",
        (r"openrouter\.ai",),
        routes.OPENROUTER,
        reader="openrouter",
        asks_usage=True,
    ),
    # https://console.groq.com/docs/api-reference
    Provider("groq", (r"api\.groq\.com",), asks_usage=True),
    # https://api-docs.deepseek.com
    Provider("deepseek", (r"api\.deepseek\.com",), routes.OPENAI_AND_ANTHROPIC, asks_usage=True),
    # https://docs.x.ai/docs/api-reference
    Provider("xai", (r"(?:[a-z0-9-]+\.)?api\.x\.ai",), routes.OPENAI_AND_ANTHROPIC, reader="xai", asks_usage=True),
    # https://docs.together.ai/reference
    Provider("together", (r"api\.together\.(?:xyz|ai)",), asks_usage=True),
    # https://docs.fireworks.ai/api-reference
    Provider("fireworks", (r"api\.fireworks\.ai",), routes.OPENAI_AND_ANTHROPIC, asks_usage=True),
    # https://docs.perplexity.ai/api-reference
    Provider("perplexity", (r"api\.perplexity\.ai",), reader="perplexity", asks_usage=True),
    # https://help.aliyun.com/zh/model-studio/
    Provider("dashscope", (r"dashscope(?:-intl|-us|-finance)?\.aliyuncs\.com",), routes.DASHSCOPE, asks_usage=True),
    # https://platform.moonshot.ai/docs/api/chat
    Provider(
        "moonshot", (r"api\.moonshot\.(?:ai|cn)",), routes.OPENAI_AND_ANTHROPIC, reader="moonshot", asks_usage=True
    ),
    # https://inference-docs.cerebras.ai/api-reference
    Provider("cerebras", (r"api\.cerebras\.ai",), asks_usage=True),
    # https://docs.z.ai/api-reference
    Provider("zai", (r"api\.z\.ai", r"open\.bigmodel\.cn"), routes.OPENAI_AND_ANTHROPIC, asks_usage=True),
    # https://docs.voyageai.com/reference
    Provider("voyageai", (r"api\.voyageai\.com",), routes.VOYAGE),
    # https://dev.writer.com/api-reference
    Provider("writer", (r"api\.writer\.com",), routes.WRITER, asks_usage=True),
    # https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api ; the host is that of all Snowflake
    # traffic.
    Provider(
        "snowflake",
        (r".+\.snowflakecomputing\.(?:com|cn)",),
        routes.OPENAI_AND_ANTHROPIC,
        asks_usage=True,
        paths="/cortex/",
    ),
    # https://docs.databricks.com/api/workspace/servingendpoints/query : usage is in every chunk, unasked.
    Provider(
        "databricks",
        (r".+\.azuredatabricks\.net", r".+\.cloud\.databricks\.com", r".+\.gcp\.databricks\.com"),
        routes.DATABRICKS,
        model_path=r"/serving-endpoints/([^/]+)/invocations",
        paths="/serving-endpoints/",
    ),
    # https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/ ; the host is that of the whole
    # API.
    Provider("cloudflare", (r"api\.cloudflare\.com",), routes.CLOUDFLARE, asks_usage=True, paths="/ai/"),
    # https://portkey.ai/docs/api-reference/inference-api
    Provider("portkey", (r"api\.portkey\.ai",), routes.PORTKEY),
    # https://devcenter.heroku.com/articles/heroku-inference-api-v1-chat-completions
    Provider("heroku", (r"(?:us|eu)\.inference\.heroku\.com",), routes.OPENAI_AND_ANTHROPIC),
    # https://docs.crusoecloud.com/managed-inference/overview
    Provider("crusoe", (r"api\.inference\.crusoecloud\.com",), asks_usage=True),
    # Coding agents signed in with an account. Their subscriptions have no price by the token; they are counted as if
    # they had the one of the API. Hosts that serve much else, all of which passes.
    # https://github.com/openai/codex . No host of its own: on chatgpt.com people chat, too, and whose connections are
    # opened for the sake of a subscription must be said in the settings.
    Provider(
        "codex",
        (),
        routes.CODEX,
        paths="/codex/responses",
        bills_as="openai",
    ),
    # https://github.com/google-gemini/gemini-cli , packages/core/src/code_assist/server.ts
    Provider(
        "code-assist",
        (r"(?:[a-z]+-)?cloudcode-pa(?:\.sandbox)?\.googleapis\.com",),
        routes.CODE_ASSIST,
        api="gemini",
        reader="code-assist",
        paths=":(?:stream)?generate",
        bills_as="gemini",
    ),
    # https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
    Provider("vllm", (), routes.OPENAI_AND_ANTHROPIC, asks_usage=True, local_ports=(8000,), local=True),
    # https://lmstudio.ai/docs/developer/openai-compat
    Provider("lmstudio", (), routes.OPENAI_AND_ANTHROPIC, local_ports=(1234,), local=True),
    # https://docs.gpustack.ai/latest/integrations/openai-compatible-apis/
    Provider("gpustack", (), asks_usage=True, local_ports=(9000,), local=True),
    # https://developer.konghq.com/plugins/ai-proxy/reference/ : `llama2_format` is raw, openai or ollama, and the
    # path is the user's. Where it is has to be said in the settings.
    Provider("llama2", (), routes.LLAMA2, asks_usage=True, local=True),
    # A gateway's service whose host tells nothing. Calls of models are known by their paths.
    Provider("service", (), routes.OPENAI_AND_ANTHROPIC, asks_usage=True, bills_as="openai"),
    # Whatever else the settings map, so that its requests and what its answers report in headers can be limited.
    Provider("other", (), (), local=True, opaque=True),
)

BY_NAME: Mapping[str, Provider] = MappingProxyType({provider.name: provider for provider in PROVIDERS})
PROVIDER_NAMES = tuple(provider.name for provider in PROVIDERS if not provider.bills_as)
"""Those that a request may be told to call: what `match: provider` compares with."""
MAPPABLE = tuple(BY_NAME)
"""Those that a configuration may map hosts to."""
