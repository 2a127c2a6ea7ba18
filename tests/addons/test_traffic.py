"""What limits may look at, as mitmproxy sees it."""

import pytest
from mitmproxy.test import tflow, tutils

from addons.traffic import endpoint_of, facts_of, fields
from limiter.facts import Facts
from limiter.usage.providers import Directory
from limiter.usage.requests import read_request

BODY = b'{"model":"M"}'


def facts(host: str, port: int, path: str, asked_host: str = "", directory: Directory | None = None) -> Facts:
    """Of a POST that goes to `host` and asks for `asked_host`."""
    sent = ((b"host", (asked_host or host).encode()),)
    flow = tflow.tflow(
        req=tutils.treq(
            host=host, port=port, scheme=b"https", method=b"POST", path=path.encode(), headers=sent, content=BODY
        )
    )
    headers = fields(flow.request.headers)
    endpoint = endpoint_of(flow.request, headers, directory or Directory())
    assert endpoint is not None
    return facts_of(flow, headers, read_request(endpoint, path, headers, BODY), ())


@pytest.mark.parametrize(
    ("host", "port", "asked", "name"),
    [
        ("api.openai.com", 443, "", "api.openai.com"),
        ("API.openai.com.", 443, "", "api.openai.com"),
        ("api.openai.com", 8443, "", "api.openai.com:8443"),
        # Where the connection goes decides.
        ("api.openai.com", 443, "api.anthropic.com", "api.openai.com"),
        # Dialled by address.
        ("192.0.2.1", 443, "api.openai.com", "api.openai.com"),
        ("192.0.2.1", 443, "Api.OpenAI.com.", "api.openai.com"),
        ("192.0.2.1", 443, "api.openai.com:443", "api.openai.com"),
        ("192.0.2.1", 8443, "api.openai.com", "api.openai.com:8443"),
        ("192.0.2.1", 443, "api.openai.com:9000", "api.openai.com"),
        ("proxy.example", 8443, "api.openai.com:9000", "api.openai.com:8443"),
    ],
)
def test_hosts(host: str, port: int, asked: str, name: str) -> None:
    assert facts(host, port, "/v1/embeddings", asked).host == name


def test_a_mapped_host_keeps_its_name() -> None:
    directory = Directory({"127.0.0.1:9000": "openai"})
    assert facts("127.0.0.1", 9000, "/v1/embeddings", directory=directory).host == "127.0.0.1:9000"


@pytest.mark.parametrize(
    ("host", "path", "canonical", "model"),
    [
        ("api.openai.com", "//v1/x/../%65mbeddings/?a=b", "/v1/embeddings", "M"),
        ("api.openai.com", "/V1/embeddings", "/V1/embeddings", "M"),
        ("r.openai.azure.com", "/OpenAI/deployments/GPT-4/Embeddings", "/openai/deployments/gpt-4/embeddings", "gpt-4"),
    ],
)
def test_paths_and_models(host: str, path: str, canonical: str, model: str) -> None:
    found = facts(host, 443, path)
    assert (found.path, found.model) == (canonical, model)
