"""Training libraries for tests: those of the Python that OFFBRANCH_TEST_FRAMEWORKS names, or of this one.

A test of a library that is not there is skipped; in CI, which installs most of them (`.ci/run`), it fails. Libraries of `BULKY`
are tested where they happen to be installed.
"""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from programs import IS_CI
from projects import SOURCE, Ended

VARIABLE = "OFFBRANCH_TEST_FRAMEWORKS"
PYTHON = os.environ.get(VARIABLE) or sys.executable
LIBRARIES = (
    "PIL",
    "accelerate",
    "catboost",
    "fastai",
    "keras",
    "lightgbm",
    "lightning",
    "optuna",
    "sklearn",
    "torch",
    "transformers",
    "xgboost",
)
BULKY = frozenset({"catboost", "fastai"})
# One thread, no network, no terminal.
SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "KERAS_BACKEND": "torch",
    "OMP_NUM_THREADS": "1",
    "PYTHONWARNINGS": "ignore",
    "TOKENIZERS_PARALLELISM": "false",
}


@cache
def installed() -> frozenset[str]:
    """Returns the libraries that are there."""
    code = f"import importlib.util as u; print(*(n for n in {LIBRARIES!r} if u.find_spec(n)))"
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True)
    return frozenset(done.stdout.split())


def need_library(*names: str, is_ci: bool = IS_CI) -> None:
    """Skips a test of libraries that are not there; in CI it fails, but for bulky ones."""
    for name in names:
        if name in installed():
            continue
        if name in BULKY:
            pytest.skip(f"{name} is not installed")
        refuse = pytest.fail if is_ci else pytest.skip
        refuse(f"needs {name}, in the Python that {VARIABLE} names")


def train(code: str, directory: Path, *, paths: tuple[Path, ...] = (), **env: str) -> Ended:
    """Runs a training program; one that fails is a failure.

    Args:
        code: The program.
        directory: Where it runs.
        paths: Directories of modules, beside ours.
        env: Variables.
    """
    where = os.pathsep.join(str(path) for path in (*paths, SOURCE))
    variables = {**os.environ, **SETTINGS, "PYTHONPATH": where, **env}
    done = subprocess.run(
        [PYTHON, "-c", code], cwd=directory, env=variables, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return Ended(done.returncode, done.stdout, done.stderr)


def summary(directory: Path, name: str = "dvclive") -> dict[str, object]:
    """Returns the metrics that a program has left."""
    found: dict[str, object] = json.loads((directory / name / "metrics.json").read_text())
    return found


def tables(directory: Path, name: str = "dvclive") -> dict[str, list[int]]:
    """Returns the steps that each metric was logged at."""
    root = directory / name / "plots" / "metrics"
    return {
        path.relative_to(root).with_suffix("").as_posix(): [
            int(line.split("\t")[0]) for line in path.read_text().splitlines()[1:]
        ]
        for path in sorted(root.rglob("*.tsv"))
    }
