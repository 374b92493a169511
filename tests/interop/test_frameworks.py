"""The same training with the callbacks of DVCLive and with ours: the same files."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from framework_programs import OPTUNA_TWO, PROGRAMS, filled
from frameworks import PYTHON, SETTINGS, need_library, train
from interop.peers import PeerProject, peer_project
from projects import make_project

pytestmark = pytest.mark.interop

# Durations, which differ each time.
_TIMED = re.compile(r"^.*(runtime|per_second).*$", re.MULTILINE)
# DVCLive takes step 0 of Lightning for no step, and writes 1.
_FIRST = re.compile(r"^0\t", re.MULTILINE)
# DVCLive has keras by way of TensorFlow only, which is too large to be installed for a test.
NAMES = [name for name in PROGRAMS if name != "keras"]


@pytest.fixture
def theirs(tmp_path: Path, dvc: str) -> Path:
    """Returns a program that runs another one with the libraries of our Python, and DVCLive from where DVC is."""
    packages = next(Path(dvc).parent.parent.glob("lib/python*/site-packages"))
    if not (packages / "dvclive").is_dir():
        pytest.skip("needs DVCLive 3.49.1, beside the DVC that OFFBRANCH_TEST_DVC names")
    runner = tmp_path / "theirs.py"
    # At the end of the path: what both have is that of the libraries.
    runner.write_text(
        f"import sys\nsys.path.append({str(packages)!r})\nexec(open(sys.argv[1]).read(), {{'__name__': '__main__'}})\n"
    )
    return runner


def left(project: PeerProject, name: str) -> dict[str, str]:
    """Returns what a program has left, as far as it can be the same."""
    found = {}
    for path in sorted(project.root.rglob("*")):
        shown = path.relative_to(project.root).as_posix()
        if path.is_file() and not shown.startswith((".git/", ".dvc/", "lightning_logs")) and shown != ".dvcignore":
            text = path.read_text("utf-8", "replace")
            if "runtime" in shown or "per_second" in shown:
                text = ""
            found[shown] = _FIRST.sub("1\t", text) if name == "lightning" else _TIMED.sub("", text)
    return found


@pytest.mark.parametrize("name", [*NAMES, "optuna two"])
def test_the_same_files(tmp_path: Path, dvc: str, theirs: Path, name: str) -> None:
    library, code = PROGRAMS.get(name, ("optuna", OPTUNA_TWO))
    need_library(library)
    ours = peer_project(make_project(tmp_path / "ours", {"a.txt": "a"}).root, dvc)
    other = ours.copy(tmp_path / "other")
    train(filled(code, "offbranch.live.frameworks"), ours.root)
    program = tmp_path / "train.py"
    program.write_text(filled(code, "dvclive"))
    env = {**os.environ, **SETTINGS}
    words = [PYTHON, str(theirs), str(program)]
    done = subprocess.run(words, cwd=other.root, env=env, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert left(ours, name) == left(other, name)
