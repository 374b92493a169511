"""The tests' side of `killer.py`: a warm process to run `ob` in, and what must hold after a kill."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from git_repos import run as git
from offbranch.base.environ import SOAK
from projects import SOURCE, TestProject

TESTS = Path(__file__).parent
KILLED = -9
# Runs that take a second are killed at each so-many-th of their writes; 1 for all of them.
EVERY = 1 if SOAK in os.environ else 17


class Killer:
    """A running `killer.py`."""

    def __init__(self, process: "subprocess.Popen[str]", scratch: Path) -> None:
        self.process, self.scratch = process, scratch

    def run(
        self, root: Path, words: Sequence[str], *, n: int = 0, mode: str = "before", leave: bool = False
    ) -> tuple[int, str]:
        """Runs one `ob`; returns its exit code (-9: killed) and all it printed.

        Args:
            n: Which write is its last; 0 lets it end by itself.
            leave: Do not wait for what it has started.
        """
        self._ask(root, words, n, mode, "", leave=leave)
        return self.code, self.output()

    def output(self) -> str:
        """Returns all that the last `ob` printed."""
        return (self.scratch / "output").read_text(errors="replace")

    def writes(self, root: Path, words: Sequence[str]) -> list[str]:
        """Runs one `ob` to its end and returns what it did to the outside world, in order."""
        labels = self.scratch / "labels"
        self._ask(root, words, 0, "before", str(labels))
        return list(json.loads(labels.read_text()))

    def _ask(self, root: Path, words: Sequence[str], n: int, mode: str, labels: str, *, leave: bool = False) -> None:
        job = {
            "cwd": str(root),
            "words": list(words),
            "env": {**os.environ, "OFFBRANCH_LOCK_WAIT": "0"},
            "n": n,
            "mode": mode,
            "labels": labels,
            "output": str(self.scratch / "output"),
            "leave": leave,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        self.code = int(self.process.stdout.readline())


@contextmanager
def open_killer(scratch: Path) -> Iterator[Killer]:
    env = {**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{TESTS}"}
    command = [sys.executable, str(TESTS / "faults/killer.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=scratch
    ) as process:
        yield Killer(process, scratch)


@dataclass(frozen=True)
class Kept:
    """What no command may change: HEAD, the index, what is staged, and the user's own files."""

    head: str
    index: str
    staged: str
    files: tuple[tuple[str, bytes | None], ...]


def kept(project: TestProject, own: Sequence[str]) -> Kept:
    git_dir = project.root / ".git"
    index = hashlib.sha256((git_dir / "index").read_bytes()).hexdigest()
    files = tuple((path, content_of(project.root / path)) for path in own)
    return Kept((git_dir / "HEAD").read_text(), index, project.git("ls-files", "--stage"), files)


def content_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def copy_of(project: TestProject, to: Path) -> TestProject:
    """Copies a prepared project, links, modes and time stamps included."""
    shutil.copytree(project.root, to, symlinks=True)
    return TestProject(to)


def workspace(project: TestProject) -> dict[str, bytes]:
    """Every file of the workspace but those of Git, the cache and `.dvc/tmp`."""
    found = {}
    for directory, names, files in os.walk(project.root):
        inside = Path(directory).relative_to(project.root).as_posix()
        names[:] = [name for name in names if f"{inside}/{name}" not in ("./.git", ".dvc/tmp", ".dvc/cache")]
        found.update({f"{inside}/{name}": (Path(directory) / name).read_bytes() for name in files})
    return found


def litter(project: TestProject) -> list[str]:
    """Temporary files outside of `.dvc/tmp`."""
    return [
        path
        for path in (str(p.relative_to(project.root)) for p in project.root.rglob(".ob-tmp-*"))
        if not path.startswith((".dvc/tmp/", ".git/", ".dvc/cache/"))
    ]


def wrong_objects(project: TestProject) -> list[str]:
    """Objects of the cache whose content is not what their name says, or that are not read-only."""
    wrong = []
    for path in (project.root / ".dvc/cache/files/md5").glob("??/*"):
        if path.name.startswith(".ob-tmp-"):
            continue
        name = path.parent.name + path.name.removesuffix(".dir")
        if hashlib.md5(path.read_bytes()).hexdigest() != name or path.stat().st_mode & 0o777 != 0o444:
            wrong.append(name)
    return wrong


def experiments(project: TestProject) -> dict[str, tuple[str, str]]:
    """Name -> (commit, tree) of every experiment."""
    lines = project.git("for-each-ref", "--format=%(refname) %(objectname) %(tree)", "refs/exps").splitlines()
    found = (line.split() for line in lines)
    return {words[0].split("/")[-1]: (words[1], words[2]) for words in found if words[0].count("/") == 4}


def tasks(project: TestProject) -> dict[str, tuple[str, str]]:
    """Name -> (commit, tree) of every queued task."""
    form = "--format=%(objectname) %(tree) %(contents:subject)"
    found = (line.split(" ", 2) for line in project.git("for-each-ref", form, "refs/ob/tasks").splitlines())
    return {subject.removeprefix("ob: task "): (commit, tree) for commit, tree, subject in found}


def incomplete_experiments(project: TestProject, known: dict[str, list[str]]) -> list[str]:
    """Experiments and tasks whose lock or data files name content the cache lacks; `known` saves asking Git again."""
    bad = []
    for name, (commit, _) in (*experiments(project).items(), *tasks(project).items()):
        if commit not in known:
            known[commit] = _md5s_of(project, commit)
        bad += [name for md5 in known[commit] if not _is_cached(project, md5)]
    return bad


def _md5s_of(project: TestProject, commit: str) -> list[str]:
    """What the lock file and the data files of a commit name as outputs; in these tests all are in the cache."""
    paths = project.git("ls-tree", "-r", "--name-only", commit).splitlines()
    md5s = []
    for path in paths:
        if path.endswith((".dvc", "dvc.lock")):
            is_output = False
            for line in project.file_at(commit, path).splitlines():
                text = line.strip().removeprefix("- ")
                if text in ("outs:", "deps:", "params:"):
                    is_output = text == "outs:"
                if is_output and text.startswith("md5:"):
                    md5s.append(text.rpartition(" ")[2])
    return md5s


def _is_cached(project: TestProject, md5: str) -> bool:
    return (project.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).exists()


def check_git(project: TestProject) -> None:
    """`git fsck` finds nothing but dangling objects."""
    git(project.root, "fsck", "--strict", "--no-dangling", "--no-progress")
