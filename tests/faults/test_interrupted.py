"""Ctrl-C, SIGTERM, orphans and a second `ob`: what is begun is recorded and put back, and the lock says who works."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_repos import opened
from killing import check_git, kept, litter
from offbranch.base.paths import AbsPath
from offbranch.experiments.attempts import list_attempts
from offbranch.experiments.experiment import AttemptState
from projects import SOURCE, TestProject, make_project

pytestmark = [pytest.mark.fault, pytest.mark.timeout(60)]

OWN = ("staged.txt", "untracked.txt", "params.yaml", "data.txt")
# Tells that it runs, and goes on when it is told to; in a temporary copy too the pipes are those of the project.
WAITING = """\
cat params.yaml > seen.txt
echo '{"acc": 1}' > metrics.json
echo started > $DVC_ROOT/started.fifo
read word < $DVC_ROOT/go.fifo
echo "model" > model.txt
"""


class Started:
    """An `ob` that runs, with its command waiting."""

    def __init__(self, project: TestProject, *words: str) -> None:
        self.project = project
        self.process = subprocess.Popen(
            [sys.executable, "-m", "offbranch", *words],
            cwd=project.root,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        (project.root / "started.fifo").read_text()

    def go_on(self) -> None:
        (self.project.root / "go.fifo").write_text("go\n")

    def end(self) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=30)
        return self.process.returncode, out


@pytest.fixture
def project(tmp_path: Path) -> Iterator[TestProject]:
    project = make_project(tmp_path / "p")
    assert project.ob("exp", "run", "-n", "first", "-S", "lr=0.3").code == 0
    project.write("train.sh", WAITING)
    project.write(".gitignore", project.read(".gitignore") + "*.fifo\nseen.txt\n")
    project.commit("waits")
    for name in ("started", "go"):
        os.mkfifo(project.root / f"{name}.fifo")
    project.write("staged.txt", "staged\n")
    project.git("add", "staged.txt")
    project.write("untracked.txt", "mine\n")
    yield project


def attempts(project: TestProject) -> list[AttemptState]:
    root = AbsPath(str(project.root))
    return [attempt.true_state for attempt in list_attempts(opened(project.root), root)]


@pytest.mark.parametrize("where", [(), ("--temp",)])
@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM"])
def test_stopped_while_the_command_runs(project: TestProject, where: tuple[str, ...], how: str) -> None:
    before = kept(project, OWN)
    started = Started(project, "exp", "run", "-n", "stopped", "-S", "lr=0.9", *where)
    if how == "Ctrl-C":
        os.killpg(started.process.pid, signal.SIGINT)
    else:
        started.process.send_signal(signal.SIGTERM)
    code, out = started.end()
    assert code == 130, out
    assert out.count("error:") == 1
    assert "Traceback" not in out
    assert attempts(project) == [AttemptState.CANCELLED]
    assert kept(project, OWN) == before
    assert "stopped" not in project.exps()
    assert project.git("status", "--porcelain").splitlines() == ["A  staged.txt", "?? untracked.txt"]
    assert (project.root / "model.txt").read_text() == "model 0.3\n"
    check_git(project)
    assert litter(project) == []


def test_the_lock_stays_with_a_command_that_outlives_its_ob(project: TestProject) -> None:
    before = kept(project, OWN)
    started = Started(project, "exp", "run", "-n", "orphan", "-S", "lr=0.9")
    started.process.kill()
    started.process.wait()
    assert attempts(project) == [AttemptState.INTERRUPTED]
    refused = project.ob("exp", "run", "-n", "next", "-S", "lr=0.4", OFFBRANCH_LOCK_WAIT="0.1")
    assert refused.code == 11
    assert f"process {started.process.pid}" in refused.err
    assert (
        refused.err.count("that process is gone, its command still runs") == 2
    )  # while it waits, and when it gives up
    assert "exp run -n orphan" in refused.err
    started.go_on()
    assert started.process.stdout is not None
    started.process.stdout.read()  # until the command has ended, too
    started.process.stdout.close()
    done = project.ob("exp", "save", "-n", "after", OFFBRANCH_LOCK_WAIT="20")
    assert done.code == 0, done.err
    assert kept(project, OWN) == before
    assert attempts(project) == [AttemptState.INTERRUPTED]
    assert set(project.exps()) == {"first", "after"}
    check_git(project)


def test_a_second_ob_is_refused_with_the_holder_or_waits(project: TestProject) -> None:
    started = Started(project, "exp", "run", "-n", "one", "-S", "lr=0.9")
    refused = project.ob("exp", "run", "-n", "two", OFFBRANCH_LOCK_WAIT="0")
    assert refused.code == 11
    assert f"locked by process {started.process.pid}" in refused.err
    assert "exp run -n one -S lr=0.9" in refused.err
    assert refused.err.count("error:") == 1
    waiting = subprocess.Popen(
        [sys.executable, "-m", "offbranch", "exp", "save", "-n", "two"],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OFFBRANCH_LOCK_WAIT": "30"},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert waiting.stderr is not None
    assert f"waiting for process {started.process.pid}" in waiting.stderr.readline()
    started.go_on()
    code, out = started.end()
    assert code == 0, out
    with waiting:
        waiting.communicate(timeout=30)
    assert waiting.returncode == 0
    assert set(project.exps()) == {"first", "one", "two"}


def test_reading_needs_no_lock(project: TestProject) -> None:
    started = Started(project, "exp", "run", "-n", "one", "-S", "lr=0.9")
    for words in (("exp", "list"), ("exp", "show"), ("status",), ("dag",)):
        assert project.ob(*words, OFFBRANCH_LOCK_WAIT="0").code == 0
    started.go_on()
    assert started.end()[0] == 0


def test_what_a_kill_leaves_for_dvc_does_not_block(project: TestProject) -> None:
    started = Started(project, "repro")
    started.process.kill()
    started.go_on()
    started.end()
    project.git("update-ref", "refs/exps/exec/EXEC_HEAD", "HEAD")
    project.write(".dvc/tmp/lock", " 99999999\n")
    project.write(".dvc/tmp/exps/run/workspace/workspace.json", '{"pid": 99999999, "returncode": null}')
    project.write(
        ".dvc/tmp/rwlock", json.dumps({"write": {f"{project.root}/model.txt": {"pid": 99999999, "cmd": "x"}}})
    )
    project.write("train.sh", 'echo "{}" > metrics.json; echo model > model.txt\n')
    done = project.ob("exp", "run", "-n", "next", OFFBRANCH_LOCK_WAIT="20")
    assert done.code == 0, done.err
    assert "next" in project.exps()


TWO_WAITING = """\
stages:
  quick:
    cmd: echo quick > quick.txt
    outs: [quick.txt]
  one:
    cmd:
    - trap 'echo one >> ended; exit 7' TERM INT; cat quick.txt; echo started > started.fifo; while :; do sleep 0.02; done
    - echo never >> ended
    deps: [quick.txt]
    outs: [one.txt]
  two:
    cmd: >-
      trap 'sleep 0.2; echo two > two.txt; echo two >> ended; exit 0' TERM INT; cat quick.txt; echo started > go.fifo;
      while :; do sleep 0.02; done
    deps: [quick.txt]
    outs: [two.txt]
  after:
    cmd: echo after >> ended; echo after > after.txt
    deps: [two.txt]
    outs: [after.txt]
"""


@pytest.mark.parametrize(
    "words", [("repro", "-j", "3", "--ignore-errors"), ("exp", "run", "-n", "stopped", "--stage-jobs", "3")]
)
@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM"])
def test_stopped_while_several_commands_run(project: TestProject, words: tuple[str, ...], how: str) -> None:
    """Every command gets the signal and is waited for; none of them counts as done, and nothing new is started."""
    project.write("dvc.yaml", TWO_WAITING)
    project.write(".gitignore", project.read(".gitignore") + "ended\n")
    started = Started(project, *words)
    (project.root / "go.fifo").read_text()
    if how == "Ctrl-C":
        os.killpg(started.process.pid, signal.SIGINT)
    else:
        started.process.send_signal(signal.SIGTERM)
    code, out = started.end()
    assert code == 130, out
    assert out.count("error:") == 1
    assert "Traceback" not in out
    assert sorted(project.read("ended").split()) == ["one", "two"]
    lock = project.read("dvc.lock")
    assert "  two:\n" not in lock
    assert "  one:\n" not in lock
    if words[0] == "repro":
        assert "  quick:\n" in lock
        assert project.read("quick.txt") == "quick\n"
    else:
        assert attempts(project) == [AttemptState.CANCELLED]
        assert not project.exists("quick.txt")
        assert "stopped" not in project.exps()
        (attempt,) = list_attempts(opened(project.root), AbsPath(str(project.root)))
        assert sorted(project.read(attempt.log).split("\n")) == ["", "one | quick", "two | quick"]
    check_git(project)
    assert project.ob("status", "--json").json["one"]
    assert project.read(".dvc/tmp/rwlock") == "{}"
