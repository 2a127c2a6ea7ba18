"""Identities as values: what is missing is named, and nothing secret is shown."""

import json

import pytest

from limiter.cloud_identity import FIELDS, AwsIdentity, AzureIdentity, CloudIdentity, GcpIdentity, cloud_identity

KEY = json.dumps({"client_email": "a@b", "private_key": "hunter2", "token_uri": "https://oauth2.googleapis.com/token"})


@pytest.mark.parametrize(
    ("record", "identity"),
    [
        ({}, None),
        ({"auth_provider": None, "aws_is_serverless": True}, None),
        ({"auth_provider": "aws", "aws_cache_name": "limits"}, AwsIdentity("limits")),
        (
            {
                "auth_provider": "aws",
                "aws_cache_name": "limits",
                "aws_region": "eu-central-1",
                "aws_is_serverless": False,
                "aws_access_key_id": "A",
                "aws_secret_access_key": "B",
                "aws_assume_role_arn": "C",
                "aws_role_session_name": "D",
                "azure_client_id": None,
            },
            AwsIdentity("limits", "eu-central-1", False, "A", "B", "C", "D"),
        ),
        ({"auth_provider": "azure", "aws_is_serverless": True}, AzureIdentity()),
        (
            {"auth_provider": "azure", "azure_client_id": "A", "azure_client_secret": "B", "azure_tenant_id": "C"},
            AzureIdentity("A", "B", "C"),
        ),
        ({"auth_provider": "gcp"}, GcpIdentity()),
        ({"auth_provider": "gcp", "gcp_service_account_json": KEY}, GcpIdentity(KEY)),
    ],
)
def test_a_record_stands_for_an_identity(record: dict[str, object], identity: CloudIdentity | None) -> None:
    assert cloud_identity(record) == identity


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"auth_provider": "oracle"}, "auth_provider: expected aws, azure, gcp"),
        ({"auth_provider": "aws"}, "found no aws_cache_name$"),
        ({"auth_provider": "aws", "aws_cache_name": "a.b.cache.amazonaws.com"}, "not its address"),
        (
            {"auth_provider": "aws", "aws_cache_name": "a", "aws_access_key_id": "hunter2"},
            "found no aws_secret_access_key beside aws_access_key_id$",
        ),
        (
            {"auth_provider": "aws", "aws_cache_name": "a", "aws_secret_access_key": "hunter2"},
            "found no aws_access_key_id beside aws_secret_access_key$",
        ),
        ({"auth_provider": "azure", "azure_client_secret": "hunter2"}, "no azure_client_id and no azure_tenant_id$"),
        ({"auth_provider": "gcp", "gcp_service_account_json": "hunter2"}, "expected a JSON object with client_email"),
        ({"auth_provider": "gcp", "gcp_service_account_json": '{"private_key": "hunter2"}'}, "expected a JSON object"),
    ],
)
def test_what_is_missing_is_named_and_nothing_secret(record: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        cloud_identity(record)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None


def test_representations_show_no_secret_and_no_id() -> None:
    found = [
        AwsIdentity("limits", "r", True, "hunter2", "hunter2", "hunter2", "hunter2"),
        AzureIdentity("hunter2", "hunter2", "hunter2"),
        GcpIdentity(KEY),
    ]
    assert "hunter2" not in repr(found)
    assert "limits" in repr(found)


def test_every_field_of_the_gateway_is_taken() -> None:
    """https://developer.konghq.com/plugins/ai-rate-limiting-advanced/reference/, `cloud_authentication`."""
    assert {name for names in FIELDS.values() for name in names} == {
        "aws_cache_name", "aws_region", "aws_is_serverless", "aws_access_key_id", "aws_secret_access_key",
        "aws_assume_role_arn", "aws_role_session_name", "azure_client_id", "azure_client_secret", "azure_tenant_id",
        "gcp_service_account_json",
    }  # fmt: skip
