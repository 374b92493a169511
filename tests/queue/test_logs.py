"""Logs: whole, their last lines, and as they are written; of tasks, of their attempts and of other runs."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from offbranch.api.exp import RunRequest, run
from offbranch.api.queue_logs import FoundLog, LogRequest, find_log, follow_found, read_found
from offbranch.base.errors import NotFoundError, OffbranchError, UsageError
from offbranch.base.events import Notice
from offbranch.base.paths import AbsPath
from offbranch.base.processes import this_process
from offbranch.base.records import replace
from offbranch.experiments.attempts import write_record
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.queue import logs
from offbranch.queue.logs import follow_log, read_log
from projects import Recorder, TestProject, make_project
from queue_histories import MadeHistory


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


@pytest.fixture
def made(project: TestProject) -> MadeHistory:
    return MadeHistory(project)


def wrote(project: TestProject, attempt: Attempt, text: bytes) -> None:
    project.write(attempt.log, text)


def find(project: TestProject, name: str, **more: int) -> FoundLog:
    return find_log(LogRequest(name=name, **more), project.session())


def text_of(found: FoundLog) -> bytes:
    return b"".join(read_found(found))


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1 << 18])
@pytest.mark.parametrize(
    "content", [b"", b"\n", b"a", b"a\n", b"a\nb", b"a\nb\n", b"\n\n\n", b"one\n\nthree\nfour", b"\xff\x00\n" * 9]
)
def test_the_last_lines_are_those_of_tail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, chunk: int
) -> None:
    monkeypatch.setattr(logs, "_CHUNK_BYTES", chunk)
    path = tmp_path / "log"
    path.write_bytes(content)
    for n in range(12):
        expected = b"".join(content.splitlines(keepends=True)[-n:] if n else ())
        assert b"".join(read_log(AbsPath(str(path)), n_lines=n)) == expected, n
    assert b"".join(read_log(AbsPath(str(path)))) == content


def test_a_huge_log_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.seek(1 << 32)
        file.write(b"\nthe end\n")
    tracemalloc.start()
    assert b"".join(read_log(AbsPath(str(path)), n_lines=1)) == b"the end\n"
    assert next(read_log(AbsPath(str(path)))) == bytes(1 << 18)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_what_is_written_is_followed_until_nobody_writes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    steps: list[Callable[[], object]] = [
        lambda: None,
        lambda: path.write_bytes(b"one\ntw"),
        lambda: append(path, b"o\n"),
        lambda: append(path, b"\xff end"),
    ]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        steps.pop(0)()

    got = list(follow_log(AbsPath(str(path)), lambda: bool(steps), sleep=sleep))
    assert got == [b"one\ntw", b"o\n", b"\xff end"]
    assert max(slept) <= 0.2


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def test_following_may_begin_with_the_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"1\n2\n3\n")
    assert b"".join(follow_log(AbsPath(str(path)), lambda: False, n_lines=2)) == b"2\n3\n"


def test_attempts_are_counted_from_the_first(project: TestProject, made: MadeHistory) -> None:
    (task,) = made.queue("t")
    attempts = [made.fail("t", task, keeps=True), made.fail("t", task)]
    made.flush()
    for number, attempt in enumerate(attempts, 1):
        wrote(project, attempt, b"attempt %d\n" % number)
        assert text_of(find(project, "t", number=number)) == b"attempt %d\n" % number
        assert find(project, attempt.id).number == number
    assert find(project, "t").number == find(project, task[0]).number == find(project, task[1][:7]).number == 2
    with pytest.raises(NotFoundError, match="'t' has had 2 attempts, there is no attempt 3"):
        find(project, "t", number=3)
    for wrong in (0, -1):
        with pytest.raises(UsageError, match="counted from 1"):
            find(project, "t", number=wrong)


def test_of_two_tasks_of_one_name_the_one_that_runs(project: TestProject, made: MadeHistory) -> None:
    (old,) = made.queue("t")
    project.git("commit", "-q", "--allow-empty", "-m", "next")
    (new,) = made.queue("t")
    made.fail("t", new)
    made.flush()
    assert find(project, "t").task_id == new[0]
    made.write(made.attempt("t", old, AttemptState.RUNNING, process=this_process()), lease=True)
    made.flush()
    assert find(project, "t").task_id == old[0]


def test_what_has_not_been_started(project: TestProject, made: MadeHistory) -> None:
    made.queue("t")
    with pytest.raises(OffbranchError, match="experiment 't' is in queue but has not been started") as raised:
        find(project, "t")
    assert raised.value.hint == "ob queue start"


def test_an_unknown_name(project: TestProject, made: MadeHistory) -> None:
    made.queue("train")
    with pytest.raises(NotFoundError, match="'trian' is not a valid queued experiment name") as raised:
        find(project, "trian")
    assert raised.value.hint == "did you mean 'train'?"


def test_what_failed_before_any_command(project: TestProject, made: MadeHistory) -> None:
    (task,) = made.queue("t")
    made.fail("t", task, cause="cannot copy 'x': it does not exist", exit_code=None)
    made.flush()
    found = find(project, "t")
    with pytest.raises(NotFoundError, match=r"no output logs found for experiment 't': .* cannot copy 'x'"):
        text_of(found)
    with pytest.raises(NotFoundError, match="no output logs found"):
        list(follow_found(found, LogRequest(name="t"), project.session()))


def test_a_success_whose_log_was_removed(project: TestProject, made: MadeHistory) -> None:
    (task, other) = made.queue("t", 2)
    made.succeed("t-1", task, record=False)
    made.succeed("t-2", other)
    made.flush()
    with pytest.raises(NotFoundError, match="the log of 't-1' is not here"):
        find(project, "t-1")
    with pytest.raises(NotFoundError, match="the log of 't-2' has been removed"):
        text_of(find(project, "t-2"))


@pytest.mark.parametrize("temporary", [False, True])
def test_runs_that_were_not_queued(project: TestProject, temporary: bool) -> None:
    project.write("train.sh", f"echo hello from the log\n{project.read('train.sh')}")
    run(RunRequest(name="mine", temporary=temporary), project.session())
    assert text_of(find(project, "mine")) == b"hello from the log\n"
    with pytest.raises(OffbranchError):
        run(RunRequest(name="bad", overrides=("fail=3",), temporary=temporary), project.session())
    assert b"hello from the log\n" in text_of(find(project, "bad"))
    assert b"".join(follow_found(find(project, "bad"), LogRequest(name="bad"), project.session())) != b""


def test_a_task_is_followed_from_one_attempt_to_the_next(project: TestProject, made: MadeHistory) -> None:
    (task,) = made.queue("t")
    first = made.write(made.attempt("t", task, AttemptState.RUNNING, process=this_process()), lease=True)
    made.flush()
    wrote(project, first, b"first\n")
    recorder = Recorder()
    failed = replace(first, state=AttemptState.FAILED, cause="exited with 3", ended_utc=first.started_utc + 1)
    second: list[Attempt] = []

    def fail_first() -> None:
        made.project.git("update-ref", "-d", f"refs/ob/leases/{task[0]}")
        write_record(made.root, failed)
        made.write(failed)
        made.flush()

    def begin_second() -> None:
        second.append(made.write(made.attempt("t", task, AttemptState.RUNNING, process=this_process()), lease=True))
        made.flush()
        wrote(project, second[0], b"second\n")

    def end_second() -> None:
        made.succeed("t", task, record=False)
        made.project.git("update-ref", "-d", f"refs/ob/attempts/{second[0].id}")
        write_record(made.root, replace(second[0], state=AttemptState.SUCCEEDED, ended_utc=second[0].started_utc + 1))
        made.flush()

    steps = [fail_first, begin_second, end_second]
    got = list(
        follow_found(
            find(project, "t"),
            LogRequest(name="t"),
            project.session(recorder),
            sleep=lambda _: steps.pop(0)() if steps else None,
        )
    )
    assert got == [b"first\n", b"second\n"] and not steps
    assert [notice.text for notice in recorder.of(Notice)] == [
        "'t' waits in the queue again (failed once: exited with 3); its next log follows",
        "attempt 2 of 't':",
    ]


def test_following_one_attempt_ends_with_it(project: TestProject, made: MadeHistory) -> None:
    (task,) = made.queue("t")
    wrote(project, made.fail("t", task, keeps=True), b"first\n")
    made.flush()
    request = LogRequest(name="t", number=1)
    assert list(follow_found(find_log(request, project.session()), request, project.session())) == [b"first\n"]


def test_the_end_of_a_task_that_failed_is_told(project: TestProject, made: MadeHistory) -> None:
    (task,) = made.queue("t")
    wrote(project, made.fail("t", task), b"x\n")
    made.flush()
    recorder = Recorder()
    assert list(follow_found(find(project, "t"), LogRequest(name="t"), project.session(recorder))) == [b"x\n"]
    assert recorder.of(Notice)[0].text == "'t' failed: stage 'train' failed: 'sh train.sh' exited with 3"
