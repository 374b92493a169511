from collections.abc import Iterator
from pathlib import Path

import pytest

from servers import (
    AzureServer,
    S3Server,
    SshServer,
    WebServer,
    azure_server,
    http_server,
    s3_server,
    ssh_server,
)
from storage.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    return Bench(root)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def running_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def sshd(running_sshd: SshServer, pinned_environment: Path, monkeypatch: pytest.MonkeyPatch) -> SshServer:
    """An SSH server that the user of the test trusts."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    running_sshd.trust(pinned_environment)
    return running_sshd


@pytest.fixture
def web() -> Iterator[WebServer]:
    with http_server() as server:
        yield server


@pytest.fixture(scope="module")
def azure() -> Iterator[AzureServer]:
    with azure_server() as server:
        yield server
