"""A task of a shared queue that goes on on another machine, from the newest checkpoint that is at the Git remote."""

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest

from asking import ASK, PIPELINE, output_at
from git_repos import run as git
from offbranch.queue.remote import keeper as remote_keeper
from offbranch.queue.remote import progress as remote_progress
from offbranch.queue.remote.bench import Verdict
from projects import TestProject
from queue_processes import await_that
from remote_queue import Farm, Hand, make_farm

SCRIPT = (
    ASK
    + """
lines = open("model.bin").read().splitlines() if os.environ.get("DVCLIVE_RESUME") else []
print(f"from {len(lines)}", file=open(os.environ["RUNS"], "a"), flush=True)
for step in range(len(lines), 4):
    lines.append(f"step {step}")
    open("model.bin", "w").write("".join(f"{line}\\n" for line in lines))
    metrics(acc=step)
    assert ask(step)["is_taken"]
    if os.path.exists(os.environ["RUNS"] + f".stop{step}"):
        open(os.environ["RUNS"] + ".waits", "w").close()
        while os.path.exists(os.environ["RUNS"] + f".stop{step}"):
            time.sleep(0.01)
        sys.exit(3)
"""
)
pytestmark = pytest.mark.timeout(120)
WHOLE = b"step 0\nstep 1\nstep 2\nstep 3\n"


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Farm:
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    made = make_farm(tmp_path, ttl_s=3)
    for path, text in {"train.py": SCRIPT, "dvc.yaml": PIPELINE, "params.yaml": "lr: 1\n"}.items():
        made.home.write(path, text)
    made.home.commit("train")
    made.home.git("push", "-q", "origin", "main")
    return made


def runs(farm: Farm) -> list[str]:
    return Path(os.environ["RUNS"]).read_text().splitlines()


def checkpoint_there(farm: Farm) -> list[str]:
    return farm.there("checkpoints")


def lost_after(farm: Farm, clone: TestProject, task_id: str, step: int) -> None:
    """Has a clone work on a task in a child of this process, and die when its checkpoint is at the remote."""
    stop = Path(os.environ["RUNS"] + f".stop{step}")
    stop.touch()
    pid = os.fork()
    if pid == 0:
        try:
            os.setpgid(0, 0)
            Hand(clone).work(task_id)
        finally:
            os._exit(0)
    try:
        await_that(lambda: checkpoint_there(farm) == [task_id], "a checkpoint at the remote")
        await_that(lambda: number_there(farm, task_id) == step + 1, "the newest one")
    finally:
        for each in (pid, *below(pid)):
            with suppress(ProcessLookupError):  # a Git that has ended by itself
                os.kill(each, 9)
        os.waitpid(pid, 0)
        stop.unlink()


def fails_now(stop: Path) -> None:
    """Lets a program that waits at a step fail there, as soon as it is there."""
    waits = Path(os.environ["RUNS"] + ".waits")
    try:
        await_that(waits.exists, "the program is at its step")
    finally:
        stop.unlink()
    waits.unlink()


def below(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            child = int(path.parent.name)
            found += [child, *below(child)]
    return found


def number_there(farm: Farm, task_id: str) -> int:
    text = git(farm.place.remote, "cat-file", "commit", f"refs/ob/checkpoints/{task_id}")
    line = next(line for line in text.splitlines() if line.startswith("ob-checkpoint "))
    return int(json.loads(line.partition(" ")[2])["number"])


def test_a_machine_is_lost_and_another_goes_on(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_progress, "PAUSE_S", 0.1)
    monkeypatch.setattr(remote_keeper, "_LONGEST_LOOK_S", 0.2)
    (task,) = farm.queue(name="x", keep_checkpoints="last=2")
    one, two = farm.clone("one"), farm.clone("two")
    lost_after(farm, one, task.task.id, 1)
    lease = farm.place.there()[f"refs/ob/leases/{task.task.id}"]
    assert Hand(two).work(task.task.id, over=lease) is Verdict.DONE
    assert runs(farm) == ["from 0", "from 2"]
    assert farm.made() == {"x": task.task.id}
    assert farm.there("checkpoints") == farm.there("tasks") == farm.there("leases") == []
    farm.sync()
    commits = farm.home.git("rev-list", "--first-parent", "--reverse", f"HEAD..{farm.home.exps()['x']}").split()
    assert len(commits) == 5
    assert output_at(two, commits[-1]) == WHOLE
    done = farm.home.ob("exp", "pull", "origin", "x")
    assert done.code == 0, done.err
    assert output_at(farm.home, commits[2]) == b"step 0\nstep 1\nstep 2\n"
    # Who was taken for dead comes back: it finds nothing to do, and has no experiment of its own.
    assert Hand(one).work(task.task.id) is Verdict.DONE
    assert one.exps() == {}
    assert farm.made() == {"x": task.task.id}


def test_one_that_failed_goes_on_elsewhere(farm: Farm) -> None:
    (task,) = farm.queue(name="x")
    one, two = farm.clone("one"), farm.clone("two")
    stop = Path(os.environ["RUNS"] + ".stop1")
    stop.touch()
    pid = os.fork()
    if pid == 0:
        Hand(one).work(task.task.id)
        os._exit(0)
    fails_now(stop)
    os.waitpid(pid, 0)
    assert farm.there("tasks") == []
    assert one.exps() == {}
    farm.sync()
    done = farm.home.ob("queue", "retry", "x")
    assert done.code == 0, done.err
    assert farm.there("checkpoints") == [task.task.id]
    assert Hand(two).work(task.task.id) is Verdict.DONE
    assert runs(farm) == ["from 0", "from 2"]
    assert farm.made() == {"x": task.task.id}
    assert farm.there("checkpoints") == []


@pytest.mark.parametrize("is_pushed", [False, True])
def test_what_was_begun_at_home_is_finished_elsewhere(farm: Farm, is_pushed: bool) -> None:
    stop = Path(os.environ["RUNS"] + ".stop1")
    stop.touch()
    pid = os.fork()
    if pid == 0:
        farm.home.ob("exp", "run", "-n", "x")
        os._exit(0)
    fails_now(stop)
    os.waitpid(pid, 0)
    if is_pushed:
        assert farm.home.ob("exp", "push", "origin", "x").code == 0
    done = farm.home.ob("exp", "run", "--resume", "x", "--queue")
    assert done.code == 0, done.err
    (task_id,) = farm.there("tasks")
    assert Hand(farm.clone("one")).work(task_id) is Verdict.DONE
    farm.sync()
    assert farm.home.exps()["x"] in farm.place.there().values()
    assert runs(farm) == ["from 0", "from 2"]
    assert farm.home.git("for-each-ref", "refs/ob") == ""
