"""What the tests of cloud identities share: a real server behind a front, and surroundings without any identity."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.backends import Time
from tests.e2e.certificates import Certificates, issue
from tests.servers import shared
from tests.servers.valkey import Server


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No identity is found in the surroundings but what a test puts there."""
    for name in os.environ:
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_", "GCE_", "CLOUDSDK_", "IDENTITY_", "MSI_", "IMDS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture(autouse=True)
def _silent(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever is logged at the finest level, no test's log shows a secret."""
    caplog.set_level(logging.DEBUG)
    yield
    logged = "\n".join(record.getMessage() for when in ("setup", "call") for record in caplog.get_records(when))
    for part in ("secret", "session/token", "machine-token", "the/", "ya29.", "PRIVATE KEY", "assertion"):
        assert part not in logged


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def server() -> Server:
    server = shared.standalone()
    with server.client() as client:
        client.flushall()
    return server


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("authority"))
