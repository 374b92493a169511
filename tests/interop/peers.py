"""Real DVC beside `ob`: the same project in two copies, and everything the two leave on disk."""

import os
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from projects import Ended, TestProject, make_project
from warm import Program, run_program

PRIVATE = (".git", ".dvc/tmp", ".dvc/config.local", "RUNS")
Snapshot = dict[str, tuple[str, bytes]]


@dataclass
class PeerProject(TestProject):
    """A project in which DVC can be run as well."""

    dvc_command: str = ""

    def dvc(self, *args: str, cwd: str = "", code: int | None = 0, timeout: float = 120, **env: str) -> Ended:
        """Runs DVC; a code other than the expected one is a failure, None allows any."""
        env = {**os.environ, **self.env, **env}
        done = run_program(program_of(self.dvc_command), args, cwd=self.root / cwd, env=env, timeout=timeout)
        assert code is None or done.returncode == code, f"dvc {args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Ended(done.returncode, done.stdout, done.stderr)

    def did(self, *args: str, cwd: str = "", code: int = 0, **env: str) -> Ended:
        """Runs `ob`; a code other than the expected one is a failure."""
        done = self.ob(*args, cwd=cwd, **env)
        assert done.code == code, f"ob {args}: {done.code}\n{done.out}\n{done.err}"
        return done

    def runs(self) -> list[str]:
        """What the commands of stages wrote into the file that `$RUNS` names; it is emptied."""
        path = self.root / "RUNS"
        found = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return found

    def copy(self, to: Path) -> "PeerProject":
        shutil.copytree(self.root, to, symlinks=True)
        return peer_project(to, self.dvc_command)


class Originals:
    """Projects that several tests begin with: each is made once, and a test gets a copy.

    Args:
        directory: For the originals.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made: dict[Callable[[Path, str], PeerProject], PeerProject] = {}

    def copy(self, build: Callable[[Path, str], PeerProject], dvc_command: str, to: Path) -> PeerProject:
        """Copies what a function makes in a directory with the command of DVC."""
        if build not in self._made:
            self._made[build] = build(self._directory / str(len(self._made)), dvc_command)
        return self._made[build].copy(to)


def program_of(command: str) -> Program:
    """The interpreter that a command written in Python names in its first line, and the command itself."""
    with open(command, encoding="utf-8") as file:
        interpreter = file.readline().removeprefix("#!").strip()
    assert os.path.basename(interpreter).startswith("python"), (
        f"'{command}' does not begin with the path of its interpreter"
    )
    return interpreter, command


def peer_project(root: Path, dvc_command: str) -> PeerProject:
    return PeerProject(root, env={"RUNS": str(root / "RUNS")}, dvc_command=dvc_command)


def make_peer_project(root: Path, dvc_command: str, files: Mapping[str, str], *, config: str = "") -> PeerProject:
    made = make_project(root, files, config=config, committed=False)
    made.write(".git/info/exclude", "/RUNS\n")
    made.commit("base")
    return peer_project(made.root, dvc_command)


def twins(
    tmp_path: Path, dvc_command: str, files: Mapping[str, str], *, config: str = ""
) -> tuple[PeerProject, PeerProject]:
    """Returns the same project twice: one for `ob`, one for DVC."""
    ours = make_peer_project(tmp_path / "ob", dvc_command, files, config=config)
    return ours, ours.copy(tmp_path / "dvc")


def snapshot(project: TestProject, under: str = "") -> Snapshot:
    """Every file of a project: mode and content, a link by its target; what is private to a tool left out."""
    found: Snapshot = {}
    for directory, names, files in os.walk(project.root / under):
        relative = os.path.relpath(directory, project.root)
        inside = "" if relative == "." else f"{relative}/"
        names[:] = [name for name in names if f"{inside}{name}" not in PRIVATE]
        for name in (*files, *(n for n in names if os.path.islink(os.path.join(directory, n)))):
            path = os.path.join(directory, name)
            if f"{inside}{name}" in PRIVATE:
                continue
            if os.path.islink(path):
                target = os.readlink(path).replace(str(project.root), "<root>")
                found[inside + name] = ("link", target.encode())
            else:
                with open(path, "rb") as file:
                    found[inside + name] = (_mode(inside + name, path), file.read())
    return found


def _mode(inside: str, path: str) -> str:
    """All of the mode in the cache; in the workspace what the owner may, for DVC copies 0755 back as 0744."""
    mode = stat.S_IMODE(os.stat(path).st_mode)
    return oct(mode if inside.startswith(".dvc/cache/") else mode & stat.S_IRWXU)


def differences(a: Snapshot, b: Snapshot) -> str:
    """Says which files differ and how; the empty text when none does."""
    return "\n".join(
        f"{path}:\n  {a.get(path)}\n  {b.get(path)}" for path in sorted({*a, *b}) if a.get(path) != b.get(path)
    )


def assert_same(ours: TestProject, theirs: TestProject, *, but: str = "\0") -> None:
    """Compares everything but what begins with some path."""
    left, right = (
        {path: what for path, what in snapshot(project).items() if not path.startswith(but)}
        for project in (ours, theirs)
    )
    found = differences(left, right)
    assert not found, found
