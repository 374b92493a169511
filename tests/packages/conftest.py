"""The drop-in distribution as tests use it: its wheel, and a directory that it is installed in."""

import subprocess
import sys
from pathlib import Path

import pytest

from dropin import build


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def modules(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a directory for PYTHONPATH."""
    target = tmp_path_factory.mktemp("modules")
    words = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
    ]
    subprocess.run([*words, "--target", str(target), str(wheel)], check=True, capture_output=True)
    return target
