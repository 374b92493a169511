"""Runs `ob` inside the test's process, and a console that writes into memory."""

import io
from pathlib import Path

import pytest

from cli_runs import Ob, Ran
from offbranch.base.environ import read_environment
from offbranch.cli.console import Console
from offbranch.cli.main import main


@pytest.fixture
def ob(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ob:
    """Calls `main` in a directory, by default the test's own, and returns what came of it."""

    def call(*words: str, cwd: Path | None = None) -> Ran:
        monkeypatch.chdir(cwd or tmp_path)
        capfd.readouterr()
        code = main(words)
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return call


@pytest.fixture
def console() -> Console:
    """A console whose `out` and `err` are in memory."""
    return Console(environment=read_environment(), out=io.StringIO(), err=io.StringIO())
