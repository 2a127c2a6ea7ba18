"""Kong's published examples, as configs/kong has them: each is read as it is, and limits something."""

import re
from pathlib import Path

import pytest

from limiter.config import load
from limiter.redis_settings import RedisSettings

EXAMPLES = sorted(
    path
    for path in (Path(__file__).parents[3] / "configs" / "kong").glob("*.yaml")
    if not path.stem.startswith("response-ratelimiting")
)
ENVIRONMENT = {
    "DECK_INSTANCE_ADDRESS": "cache.example.com",
    "DECK_INSTANCE_USERNAME": "app",
    "DECK_AWS_CACHE_NAME": "cache",
    "DECK_AWS_REGION": "eu-central-1",
    "DECK_AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "DECK_AWS_ACCESS_SECRET_KEY": "nothing",
    "DECK_AZURE_CLIENT_ID": "client",
    "DECK_AZURE_CLIENT_SECRET": "nothing",
    "DECK_AZURE_TENANT_ID": "tenant",
    # Substitution is textual, so the quotes of YAML belong to the value.
    "DECK_GCP_SERVICE_ACCOUNT_JSON": """'{"client_email": "a@b", "private_key": "k", "token_uri": "https://t.test"}'""",
}
WARNINGS = (
    r"is never called: no entry of llm_providers is named requestPrompt",
    r"llm_format: has no effect",
    r"policies\[\d\]: applies only to requests that no other policy of this instance matches",
    r"counts no cost: no ai-proxy",
    r"matches nothing that is declared",
    r"TLS|password|token",
    r"only its providers, models and prices are used",
)
"""What the start says of some: parts that have no effect, or names that stand elsewhere."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path) -> None:
    configuration = load(path, ENVIRONMENT)

    assert any(rule.limits for rule in configuration.policy.rules)
    assert [str(each) for each in configuration.warnings if not re.search("|".join(WARNINGS), str(each))] == []


def test_clouds_sign_in() -> None:
    """With the identity of each cloud, on a single address and on a cluster's."""
    found = {}
    for path in EXAMPLES:
        ledgers = [rule.ledger for rule in load(path, ENVIRONMENT).policy.rules if rule.ledger]
        store = ledgers[0].store
        if isinstance(store, RedisSettings) and store.identity:
            found[path.stem.removeprefix("request-prompt-count-")] = type(store.identity).__name__, bool(store.cluster)
    assert found == {
        "aws-instance": ("AwsIdentity", False),
        "aws-cluster": ("AwsIdentity", True),
        "azure-instance": ("AzureIdentity", False),
        "azure-cluster": ("AzureIdentity", True),
        "gcp-instance": ("GcpIdentity", False),
        "gcp-cluster": ("GcpIdentity", True),
    }
