"""Real projects for tests: a directory with files under Git and `.dvc`, and `ob` run in it in a process of its own."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from git_repos import run as git
from offbranch.api.project import init
from offbranch.api.session import Session, make_session
from offbranch.base.events import Event
from warm import run_program

T = TypeVar("T")
SOURCE = Path(__file__).parent.parent / "src"
TRAIN = """\
while IFS=': ' read -r k v; do case $k in lr) lr=$v;; fail) fail=$v;; esac; done < params.yaml
echo "{\\"acc\\": $lr}" > metrics.json
[ -n "$fail" ] && [ "$fail" != 0 ] && exit $fail
echo "model $lr" > model.txt
"""
DVC_YAML = """\
stages:
  train:
    cmd: sh train.sh
    deps:
    - data.txt
    - train.sh
    params:
    - lr
    - fail
    outs:
    - model.txt
    metrics:
    - metrics.json:
        cache: false
"""
SIMPLE: Mapping[str, str] = {
    "data.txt": "hello\n",
    "train.sh": TRAIN,
    "params.yaml": "# learning rate\nlr: 0.1\nfail: 0\n",
    "dvc.yaml": DVC_YAML,
}


class Recorder:
    """A reporter that keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]


@dataclass
class Ended:
    """A finished `ob`."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class TestProject:
    """A project on disk."""

    __test__ = False

    root: Path
    env: dict[str, str] = field(default_factory=dict)

    def session(self, recorder: Recorder | None = None, cwd: str = "") -> Session:
        return make_session(str(self.root / cwd), reporter=recorder)

    def write(self, path: str, text: str | bytes) -> Path:
        where = self.root / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(text.encode() if isinstance(text, str) else text)
        return where

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def exists(self, path: str) -> bool:
        return os.path.lexists(self.root / path)

    def git(self, *args: str) -> str:
        return git(self.root, *args)

    def commit(self, message: str = "change") -> str:
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        return self.git("rev-parse", "HEAD")

    def exps(self) -> dict[str, str]:
        """Name -> commit of every experiment."""
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/exps").splitlines()
        pairs = (line.split() for line in lines)
        return {ref.split("/")[-1]: commit for ref, commit in pairs if len(ref.split("/")) == 5}

    def file_at(self, rev: str, path: str) -> str:
        return self.git("show", f"{rev}:{path}")

    def ob(self, *args: str, cwd: str = "", timeout: float = 60, **env: str) -> Ended:
        """Runs `ob` in a process of its own."""
        env = {**os.environ, "PYTHONPATH": str(SOURCE), **self.env, **env}
        done = run_program((sys.executable, "offbranch"), args, cwd=self.root / cwd, env=env, timeout=timeout)
        return Ended(done.returncode, done.stdout, done.stderr)


def make_project(
    root: Path, files: Mapping[str, str] = SIMPLE, *, config: str = "", committed: bool = True
) -> TestProject:
    """Makes a Git repository with a project of some files, committed."""
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "-q", "-b", "main")
    init(make_session(str(root)))
    project = TestProject(root)
    if config:
        project.write(".dvc/config", config)
    for path, text in files.items():
        project.write(path, text)
    if committed:
        project.commit("base")
    return project
