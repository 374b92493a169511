"""`ob queue status`, `logs` and `wait` on the command line: words, JSON, exit codes, a terminal, Ctrl-C."""

import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from offbranch.base.processes import this_process
from offbranch.cli.screen import Screen
from offbranch.experiments.experiment import AttemptState
from projects import SOURCE, TestProject, make_project
from queue_histories import MadeHistory


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


@pytest.fixture
def made(project: TestProject) -> MadeHistory:
    """A queue with a task of each kind."""
    history = MadeHistory(project)
    tasks = {name: history.queue(name)[0] for name in ("good", "bad", "runs", "lost", "waits")}
    history.succeed("good", tasks["good"])
    project.write(history.fail("bad", tasks["bad"]).log, b"one\ntwo\n\xff\n")
    history.write(history.attempt("runs", tasks["runs"], AttemptState.RUNNING, process=this_process()), lease=True)
    history.write(history.attempt("lost", tasks["lost"], AttemptState.RUNNING), lease=True)
    history.flush()
    return history


def test_an_empty_queue(project: TestProject) -> None:
    ended = project.ob("queue", "status")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "No experiment tasks in the queue.\n\nWorker status: 0 active, 0 idle\n"
    assert project.ob("queue", "status", "--json").json == {"tasks": [], "workers": [], "n_active": 0, "n_idle": 0}
    assert project.ob("queue", "wait").out == "No experiment tasks in the queue.\n"


def test_the_table(made: MadeHistory) -> None:
    ended = made.project.ob("queue", "status")
    assert (ended.code, ended.err) == (0, "")
    head, *rows, empty, workers = ended.out.splitlines()
    assert head.split() == ["Task", "Name", "Created", "Status", "Cause"]
    cells = [re.split(r" {2,}", row) for row in rows]
    assert [each[1:2] + each[3:] for each in cells] == [
        ["runs", "Running"],
        ["lost", "Queued", "lost once: the process that ran it was killed"],
        ["waits", "Queued"],
        ["bad", "Failed", "stage 'train' failed: 'sh train.sh' exited with 3"],
        ["good", "Success"],
    ]
    assert all(re.fullmatch("[0-9a-f]{7}", each[0]) and re.fullmatch(r"\d\d:\d\d [AP]M", each[2]) for each in cells)
    assert (empty, workers) == ("", "Worker status: 0 active, 0 idle")


def test_json_has_everything(made: MadeHistory) -> None:
    found = made.project.ob("queue", "status", "--json").json
    tasks = {task["name"]: task for task in found["tasks"]}
    assert {name: task["state"] for name, task in tasks.items()} == {
        "runs": "running",
        "lost": "queued",
        "waits": "queued",
        "bad": "failed",
        "good": "succeeded",
    }
    bad = tasks["bad"]
    assert (bad["exit_code"], bad["n_failed"], bad["overrides"], bad["retries"]) == (3, 1, [], 0)
    assert bad["attempts"][0]["state"] == "failed" and made.project.exists(bad["log"])
    assert tasks["lost"]["attempts"][0]["state"] == "lost" and tasks["lost"]["n_lost"] == 1
    assert tasks["good"]["experiment"] == made.project.exps()["good"]
    assert tasks["runs"]["pid"] == os.getpid() and tasks["waits"]["pid"] is None
    assert len({tuple(task) for task in tasks.values()}) == 1, "the same keys for all"


def test_names_and_patterns(made: MadeHistory) -> None:
    def names(*words: str) -> list[str]:
        return [task["name"] for task in made.project.ob("queue", "status", "--json", *words).json["tasks"]]

    assert names("waits", "bad") == ["waits", "bad"] and names("*a*") == ["waits", "bad"]
    ended = made.project.ob("queue", "status", "wait")
    assert (ended.code, ended.err) == (
        1,
        "error: 'wait' is not a valid queued experiment name\nhint: did you mean 'waits'?\n",
    )


def test_logs(made: MadeHistory) -> None:
    command = [sys.executable, "-m", "offbranch", "queue", "logs"]
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}

    def raw(*words: str) -> bytes:
        return subprocess.run(
            [*command, *words], cwd=made.project.root, env=env, capture_output=True, check=True
        ).stdout

    assert raw("bad") == b"one\ntwo\n\xff\n"
    assert raw("--tail", "1", "bad") == b"\xff\n" and raw("--tail", "0", "bad") == b""
    assert raw("-e", "latin-1", "bad", "--tail", "2") == "two\nÿ\n".encode()
    assert raw("-e", "utf-8", "bad") == "one\ntwo\n\ufffd\n".encode()
    follow = raw("-f", "bad")
    assert follow.startswith(b"Following logs for experiment 'bad'. Use Ctrl+C to stop following logs")
    assert follow.endswith(b"\none\ntwo\n\xff\n") and raw("-q", "-f", "bad") == raw("bad")


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("waits",), 1, "error: experiment 'waits' is in queue but has not been started\nhint: ob queue start\n"),
        (("-f", "waits"), 1, "error: experiment 'waits' is in queue but has not been started\nhint: ob queue start\n"),
        (("waitz",), 1, "'waitz' is not a valid queued experiment name"),
        (("bad", "-e", "nonsense"), 2, "error: unknown encoding 'nonsense'"),
        (("bad", "-e", "base64"), 2, "error: unknown encoding 'base64'"),
        (("bad", "--attempt", "2"), 1, "error: 'bad' has had 1 attempt, there is no attempt 2"),
        (("bad", "--attempt", "0"), 2, "error: attempts are counted from 1, found 0"),
        (("bad", "--tail", "-1"), 2, "expected a number from 0 up"),
        ((), 2, "task is missing"),
    ],
)
def test_logs_that_are_refused(made: MadeHistory, words: tuple[str, ...], code: int, error: str) -> None:
    ended = made.project.ob("queue", "logs", *words)
    assert ended.code == code and error in ended.err and ended.out == ""


def test_wait_tells_what_failed(made: MadeHistory) -> None:
    ended = made.project.ob("queue", "wait", "good", "bad")
    assert (ended.code, ended.err) == (1, "")
    assert ended.out == "bad: Failed  stage 'train' failed: 'sh train.sh' exited with 3\n1 succeeded.\n"
    assert made.project.ob("queue", "wait", "good").code == 0
    found = made.project.ob("queue", "wait", "--json", "good", "bad").json
    assert (found["all_succeeded"], found["timed_out"], found["removed"]) == (False, False, [])
    assert [task["name"] for task in found["tasks"]] == ["bad", "good"]


def test_wait_gives_up(made: MadeHistory) -> None:
    ended = made.project.ob("queue", "wait", "--timeout", "0.1")
    assert ended.code == 1 and ended.err == "error: after 0.1 s 'runs', 'lost', 'waits' have not ended\n"
    ended = made.project.ob("queue", "wait", "--timeout", "0", "--json", "waits")
    assert ended.code == 1 and ended.json["timed_out"] is True
    for wrong in ("-1", "soon", "nan", "inf"):
        ended = made.project.ob("queue", "wait", f"--timeout={wrong}")
        assert ended.code == 2 and "expected a number of seconds" in ended.err
    ended = made.project.ob("queue", "wait", "nosuch")
    assert ended.code == 1 and "'nosuch' is not a valid queued experiment name" in ended.err


# As it changes


def started(project: TestProject, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "offbranch", *words],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupted(process: "subprocess.Popen[str]") -> tuple[int, str]:
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    return process.returncode, err


def test_each_change_is_a_line_where_there_is_no_terminal(project: TestProject) -> None:
    history = MadeHistory(project)
    first, second = history.queue("Q", 2)
    watching = started(project, "queue", "status", "--watch")
    assert watching.stdout is not None
    assert [watching.stdout.readline() for _ in range(2)] == ["Q-1: Queued\n", "Q-2: Queued\n"]
    history.fail("Q-1", first)
    history.flush()
    assert watching.stdout.readline() == "Q-1: Failed  stage 'train' failed: 'sh train.sh' exited with 3\n"
    history.drop(second)
    history.flush()
    assert watching.stdout.readline() == "Q-2: Removed\n"
    assert interrupted(watching) == (0, "")


def test_changes_as_json(project: TestProject) -> None:
    history = MadeHistory(project)
    (task,) = history.queue("t")
    watching = started(project, "queue", "status", "--watch", "--json")
    assert watching.stdout is not None
    assert json.loads(watching.stdout.readline())["state"] == "queued"
    history.drop(task)
    history.flush()
    assert json.loads(watching.stdout.readline()) == {"id": task[0], "name": "t", "state": "removed"}
    assert interrupted(watching) == (0, "")


def test_waiting_can_be_interrupted(project: TestProject) -> None:
    MadeHistory(project).queue("t")
    waiting = started(project, "queue", "wait")
    assert waiting.stderr is not None and "no worker" in waiting.stderr.readline()
    assert interrupted(waiting)[0] == 130


def test_following_can_be_interrupted(project: TestProject) -> None:
    history = MadeHistory(project)
    (task,) = history.queue("t")
    attempt = history.write(history.attempt("t", task, AttemptState.RUNNING, process=this_process()), lease=True)
    history.flush()
    following = started(project, "queue", "logs", "-f", "t")
    assert following.stdout is not None and following.stdout.readline().startswith("Following logs")
    project.write(attempt.log, "hello\n")
    assert following.stdout.readline() == "hello\n"
    assert interrupted(following) == (0, "")


# A terminal


class Terminal:
    """Understands as much of a terminal as `Screen` uses."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.at = self.column = self.n_written = 0

    def write(self, text: str) -> None:
        self.n_written += len(text)
        for part in re.findall(r"\x1b\[\d*[A-Z]|\r|\n|[^\x1b\r\n]+", text):
            while len(self.lines) <= self.at:
                self.lines.append("")
            if part == "\n":
                self.at, self.column = self.at + 1, 0
            elif part == "\r":
                self.column = 0
            elif part.endswith("A") and part.startswith("\x1b"):
                self.at -= int(part[2:-1])
            elif part == "\x1b[K":
                self.lines[self.at] = self.lines[self.at][: self.column]
            elif part == "\x1b[J":
                self.lines = [*self.lines[: self.at], self.lines[self.at][: self.column]]
            else:
                line = self.lines[self.at].ljust(self.column)
                self.lines[self.at] = line[: self.column] + part + line[self.column + len(part) :]
                self.column += len(part)

    def flush(self) -> None:
        pass


def screen(size: Callable[[], tuple[int, int]]) -> tuple[Screen, Terminal]:
    terminal = Terminal()
    return Screen(terminal, size=size), terminal  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pictures",
    [
        (["a", "b", "c"], ["a", "B", "c"], ["a"], ["longer", "and", "more", "lines"], []),
        (["long line"], ["x"], ["x", "y"], ["", ""], ["z"]),
    ],
)
def test_the_terminal_shows_what_was_drawn_last(pictures: tuple[list[str], ...]) -> None:
    drawn, terminal = screen(lambda: (80, 24))
    for lines in pictures:
        drawn.show(lines)
        shown = terminal.lines[: len(lines)]
        assert shown == lines and not any(terminal.lines[len(lines) :])


def test_only_what_has_changed_is_written() -> None:
    drawn, terminal = screen(lambda: (200, 100))
    lines = [f"task {n} with some more text" for n in range(50)]
    drawn.show(lines)
    before = terminal.n_written
    drawn.show(["changed", *lines[1:]])
    assert terminal.n_written - before < 80
    assert terminal.lines[:50] == ["changed", *lines[1:]]


def test_what_does_not_fit_is_cut() -> None:
    drawn, terminal = screen(lambda: (10, 8))
    drawn.show(["head", *(f"{n} 456789abcdef" for n in range(20)), "", "workers"])
    assert terminal.lines[:7] == ["head", "0 456789a…", "1 456789a…", "2 456789a…", "… and 17 …", "", "workers"]


def test_another_size_draws_everything_anew() -> None:
    sizes = iter([(80, 24), (80, 24), (40, 24)])
    drawn, terminal = screen(lambda: next(sizes))
    drawn.show(["a", "b"])
    drawn.show(["a", "c"])
    terminal.lines[0] = "mess"
    drawn.show(["a", "c"])
    assert terminal.lines[:2] == ["a", "c"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_on_a_real_terminal(project: TestProject) -> None:
    history = MadeHistory(project)
    (task,) = history.queue("t")
    main, other = os.openpty()
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "TERM": "xterm"}
    command = [sys.executable, "-m", "offbranch", "queue", "status", "-w"]
    watching = subprocess.Popen(command, cwd=project.root, env=env, stdin=other, stdout=other, stderr=other)
    os.close(other)
    assert "Queued" in until(main, "idle")
    history.fail("t", task)
    history.flush()
    assert "Failed" in until(main, "train")
    watching.send_signal(signal.SIGINT)
    assert watching.wait(timeout=30) == 0
    os.close(main)


def until(descriptor: int, word: str) -> str:
    text = ""
    while word not in text and select.select([descriptor], [], [], 30)[0]:
        text += os.read(descriptor, 4096).decode()
    return text
