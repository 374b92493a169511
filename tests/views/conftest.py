"""The sample project of `sample_project.py`: built once, copied for each test that asks for it."""

import shutil
from pathlib import Path

import pytest

from sample_project import build


@pytest.fixture(scope="session")
def built_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sample") / "p"
    build(root)
    return root


@pytest.fixture
def sample(built_sample: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built_sample, tmp_path / "sample"))
