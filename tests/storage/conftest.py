from pathlib import Path

import pytest

from storage.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    return Bench(root)
