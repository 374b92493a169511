from collections.abc import Iterator
from pathlib import Path

import pytest

from servers import S3Server, s3_server
from storage.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    return Bench(root)


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server
