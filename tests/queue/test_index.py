"""The index of the queue is derived: whatever becomes of it, the answers are those of Git."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from git_repos import opened
from offbranch.api.queue_change import hold, retry
from offbranch.base.errors import ConflictError
from offbranch.base.paths import AbsPath
from offbranch.experiments.experiment import AttemptState
from offbranch.queue import memory as memory_module
from offbranch.queue.board import Board
from offbranch.queue.chosen import TaskChoice, read_known
from offbranch.queue.index import FILE, FORMAT_VERSION, Index
from offbranch.queue.memory import Memory
from offbranch.queue.standing import read_status
from offbranch.queue.store import read_tasks
from offbranch.queue.task import TaskState
from projects import SOURCE, TestProject, make_project
from queue_histories import MadeHistory

KINDS = ("attempt", "task")
FACTS = {"task 1": {"name": "a", "n": 1}, "attempt 2": {"name": "ä\udc80", "n": None}}


@pytest.fixture
def root(tmp_path: Path) -> AbsPath:
    return AbsPath(str(tmp_path))


def written(root: AbsPath) -> Path:
    index = Index(root)
    index.write(FACTS)
    index.close()
    return Path(root, FILE)


def read(root: AbsPath) -> dict[str, object]:
    index = Index(root)
    try:
        return dict(index.read(KINDS))
    finally:
        index.close()


def test_what_was_written_is_read(root: AbsPath) -> None:
    assert read(root) == {}
    assert written(root).exists()
    assert read(root) == FACTS


def test_reading_makes_no_file(root: AbsPath) -> None:
    assert read(root) == {} and os.listdir(root) == []


def test_another_version_is_replaced(root: AbsPath) -> None:
    path = written(root)
    sqlite(path, f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    assert read(root) == {}
    written(root)
    assert read(root) == FACTS


def test_a_row_that_was_changed_is_not_believed(root: AbsPath) -> None:
    path = written(root)
    sqlite(path, "UPDATE fact SET data = replace(data, '\"a\"', '\"b\"')")
    assert read(root) == {"attempt 2": FACTS["attempt 2"]}


def test_a_row_of_another_key_is_not_believed(root: AbsPath) -> None:
    path = written(root)
    sqlite(path, "UPDATE fact SET key = 'task 9' WHERE key = 'task 1'")
    assert "task 9" not in read(root)


def sqlite(path: Path, statement: str) -> None:
    script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit(); c.close()"
    subprocess.run([sys.executable, "-c", script, str(path), statement], check=True)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nonexistent/place")


@pytest.mark.parametrize("damage", [empty, garbage, cut, directory, dangling], ids=lambda each: each.__name__)
def test_a_damaged_file_is_as_good_as_none(root: AbsPath, damage: Callable[[Path], None]) -> None:
    path = written(root)
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    damage(path)
    found = read(root)
    assert all(FACTS[key] == fact for key, fact in found.items())
    written(root)
    assert read(root) in (FACTS, {})
    if damage in (empty, garbage, cut):
        assert read(root) == FACTS, "it has been made anew"


def test_only_what_is_asked_for_is_read(root: AbsPath) -> None:
    written(root)
    index = Index(root)
    assert index.read(["task"]) == {"task 1": FACTS["task 1"]}
    assert index.read(["tas", "ask", "experiment"]) == {}
    index.drop(["task 1"])
    assert index.read(KINDS) == {"attempt 2": FACTS["attempt 2"]}
    index.close()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written(root: AbsPath) -> None:
    Path(root).chmod(0o500)
    try:
        index = Index(root)
        index.write(FACTS)
        assert index.read(KINDS) == {}
    finally:
        Path(root).chmod(0o700)


def test_a_place_that_takes_no_file(root: AbsPath) -> None:
    Path(root, ".dvc").write_text("no directory\n")
    index = Index(root)
    index.write(FACTS)
    assert index.read(KINDS) == {}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk(root: AbsPath) -> None:
    path = Path(root, FILE)
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/full")
    index = Index(root)
    index.write(FACTS)
    assert index.read(KINDS) == {}


def test_many_processes_at_once(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    MadeHistory(project).queue("Q", 30)
    command = [sys.executable, "-m", "offbranch", "queue", "status", "--json"]
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    running = [
        subprocess.Popen(command, cwd=project.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(50)
    ]
    answers = [each.communicate(timeout=120) for each in running]
    assert [each.returncode for each in running] == [0] * 50
    assert len({out for out, _ in answers}) == 1 and {err for _, err in answers} == {b""}


# What is kept in mind of it


def facts_of(memory: Memory, *keys: str, **more: bool) -> dict[str, str]:
    found = memory.recall(keys, **more)
    return {key: str(found[key].get("name", found[key].get("problem"))) for key in keys}


def test_what_was_just_queued_or_changed_is_known_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(tmp_path / "p")
    made = MadeHistory(project)
    (failed, *_) = made.queue("P", 3)
    made.fail("P-1", failed)
    made.flush()
    repo, root = opened(project.root), AbsPath(str(project.root))
    read_status(repo, root)
    hold(TaskChoice(names=("P-2",)), project.session())
    retry(TaskChoice(names=("P-1",)), project.session())
    truth = read_status(repo, root, use_index=False)
    monkeypatch.setattr(memory_module, "READER", "nowhere:nothing")
    assert read_status(repo, root) == truth
    assert [(task.name, task.is_held) for task in truth.tasks] == [("P-1", False), ("P-3", False), ("P-2", True)]


def test_who_queues_beside_others_reads_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(tmp_path / "p")
    made = MadeHistory(project)
    (old,) = made.queue("old")
    made.succeed("old", old)
    made.flush()
    made.queue("P", 3)
    monkeypatch.setattr(memory_module, "READER", "nowhere:nothing")
    made.queue("other")
    with pytest.raises(ConflictError, match="a task 'P-2' exists already in the queue"):
        made.queue("P-2")
    with pytest.raises(ConflictError, match="an experiment 'old' exists already for this baseline"):
        made.queue("old")


def test_a_memory_asks_the_index_once_and_then_git(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    repo, root = opened(project.root), AbsPath(str(project.root))
    ((_, first), (_, second)) = MadeHistory(project).queue("P", 2)
    memory, missing = Memory(repo, root), f"task {'0' * 40}"
    assert facts_of(memory, f"task {first}") == {f"task {first}": "P-1"}
    (project.root / FILE).unlink()
    everything = (f"task {first}", f"task {second}", missing, f"attempt {first}")
    assert facts_of(memory, *everything) == {
        f"task {first}": "P-1",
        f"task {second}": "P-2",
        missing: "its commit is missing",
        f"attempt {first}": "its commit is not that of an attempt",
    }
    assert not (project.root / FILE).exists()
    assert memory.attempt(f"attempt {first}") is None
    assert set(memory.recall([f"task {second}"])) == {f"task {second}"}


def test_what_nobody_asks_for_goes_in_the_end(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    repo, root = opened(project.root), AbsPath(str(project.root))
    ((_, commit),) = MadeHistory(project).queue("P")
    index = Index(root)
    index.write({f"task {n:040}": {"name": str(n)} for n in range(2500)} | {"experiment 7": {"task_id": None}})
    facts_of(Memory(repo, root), f"task {commit}", is_all=False)
    assert len(index.read(["task"])) == 2501
    facts_of(Memory(repo, root), f"task {commit}", f"task {7:040}")
    assert set(index.read(["task", "experiment"])) == {f"task {commit}", f"task {7:040}", "experiment 7"}
    index.close()


# The same answer with an index and without


class Events:
    """Things that happen to a queue, chosen by chance."""

    def __init__(self, project: TestProject, rng: random.Random) -> None:
        self.project, self.rng, self.made = project, rng, MadeHistory(project)
        self.waiting: dict[str, tuple[str, str]] = {}
        self.n = 0

    def queue(self) -> None:
        self.n += 1
        n = self.rng.randint(1, 3)
        for number, task in enumerate(self.made.queue(f"t{self.n}", n), 1):
            self.waiting[f"t{self.n}-{number}" if n > 1 else f"t{self.n}"] = task

    def take(self) -> tuple[str, tuple[str, str]]:
        name = self.rng.choice(sorted(self.waiting))
        return name, self.waiting[name]

    def fail(self) -> None:
        name, task = self.take()
        self.made.fail(name, task)
        del self.waiting[name]

    def try_again(self) -> None:
        name, task = self.take()
        self.made.fail(name, task, keeps=True)

    def lose(self) -> None:
        name, task = self.take()
        state = self.rng.choice((AttemptState.RUNNING, AttemptState.INTERRUPTED))
        attempt = self.made.attempt(name, task, state)
        self.made.write(attempt, lease=state is AttemptState.RUNNING, record=self.rng.random() < 0.5)

    def cancel(self) -> None:
        name, task = self.take()
        self.made.write(self.made.attempt(name, task, AttemptState.CANCELLED, cause="stopped by hand"))
        self.made.drop(task)
        del self.waiting[name]

    def succeed(self) -> None:
        name, task = self.take()
        self.made.succeed(name, task, record=self.rng.random() < 0.7)
        del self.waiting[name]

    def strange(self) -> None:
        self.project.git("update-ref", f"refs/ob/tasks/strange-{self.n}", self.made.head)

    def pack(self) -> None:
        self.project.git("pack-refs", "--all")

    def step(self) -> None:
        actions = [self.queue, self.strange, self.pack]
        if self.waiting:
            actions += [self.fail, self.try_again, self.lose, self.cancel, self.succeed] * 2
        self.rng.choice(actions)()
        self.made.flush()

    def harm(self) -> None:
        path = self.project.root / FILE
        if not path.exists():
            return
        match self.rng.randrange(6):
            case 0:
                path.unlink()
            case 1:
                path.write_bytes(self.rng.randbytes(3000))
            case 2:
                content = bytearray(path.read_bytes())
                for _ in range(20):
                    content[self.rng.randrange(len(content))] ^= 1 << self.rng.randrange(8)
                path.write_bytes(content)
            case 3:
                path.write_bytes(path.read_bytes()[: self.rng.randrange(8192)])
            case _:
                pass


def board_of(board: Board) -> tuple[object, ...]:
    board.forget()
    board.look()
    return board.waiting, board.leased, board.unreadable, board.stale


@pytest.mark.parametrize("seed", range(6))
def test_the_answer_is_the_same_without_it(tmp_path: Path, seed: int) -> None:
    """To who looks, who chooses tasks, and a worker that has been there from the beginning."""
    project = make_project(tmp_path / "p")
    repo, root = opened(project.root), AbsPath(str(project.root))
    events = Events(project, random.Random(seed))
    events.queue()
    path, worker = project.root / FILE, Board(repo, root)
    for _ in range(12):
        events.step()
        events.harm()
        kept = path.read_bytes() if path.exists() else None
        for each in path.parent.glob(f"{path.name}*"):
            each.unlink()
        known, tasks, board = read_known(repo, root, with_succeeded=True), read_tasks(repo, root), board_of(worker)
        if kept is not None:
            path.write_bytes(kept)
        truth = read_status(repo, root, use_index=False)
        for _ in range(2):  # once more, with what was remembered
            assert read_status(repo, root) == truth
            assert read_known(repo, root, with_succeeded=True) == known
            assert read_tasks(repo, root) == tasks
            assert board_of(Board(repo, root)) == board
        assert {each.id: each.state.value for each in known.tasks} == {
            task.id: task.state for task in truth.tasks if not task.problem
        }
        without = [each for each in known.tasks if each.state is not TaskState.SUCCEEDED]
        assert list(read_known(repo, root).tasks) == without
        assert {each.ref for each in tasks.unreadable} == {
            f"refs/ob/tasks/{task.id}" for task in truth.tasks if task.problem
        }
        names = [task.id for task in truth.tasks]
        assert len(names) == len(set(names)), "one row for one task"
        assert {task.name for task in truth.tasks if task.state == "queued" and not task.problem} == set(events.waiting)
