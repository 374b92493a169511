"""Fixtures: real Git repositories to work on."""

from pathlib import Path

import pytest

from git_repos import make_repo, opened
from offbranch.git.repository import GitRepo


@pytest.fixture
def git_repo(tmp_path: Path) -> Path:
    """A fresh repository with one commit of `README`, on branch main."""
    return make_repo(tmp_path / "repo")


@pytest.fixture
def repo(git_repo: Path) -> GitRepo:
    return opened(git_repo)


@pytest.fixture(params=["sha1", "sha256"])
def any_hash_repo(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A fresh repository of each hash that Git knows."""
    return make_repo(tmp_path / request.param, f"--object-format={request.param}")
