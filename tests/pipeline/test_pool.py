"""Commands side by side: really at the same time, each line whole and marked, signals to all of them."""

import io
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.command_pool import CommandPoolContract
from offbranch.base.errors import Interrupted, OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.pipeline.marked_lines import MAX_LINE, Lines
from offbranch.pipeline.runner import CommandPool, SubprocessRunner

# Waits until another command has been there: two that wait for each other run at the same time, or for ever.
WAIT = "touch {mine}; while [ ! -e {other} ]; do sleep 0.01; done;"


@contextmanager
def opened(log: io.BytesIO | None = None) -> Iterator[CommandPool]:
    with SubprocessRunner(env=dict(os.environ), shell="/bin/sh", log=log).open_pool() as pool:
        yield pool


class TestPool(CommandPoolContract):
    def make(self) -> AbstractContextManager[CommandPool]:
        return opened(io.BytesIO())


class TestPoolWithoutLog(CommandPoolContract):
    def make(self) -> AbstractContextManager[CommandPool]:
        return opened()


def test_commands_run_at_the_same_time(tmp_path: Path) -> None:
    cwd = AbsPath(str(tmp_path))
    names = ("a", "b", "c")
    with opened() as pool:
        for mine, other in zip(names, (*names[1:], names[0]), strict=True):
            pool.start(mine, WAIT.format(mine=mine, other=other), cwd=cwd, env={})
        assert {pool.wait().label for _ in names} == set(names)


def test_output_is_marked_line_by_line_and_stays_where_it_was_sent(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    log = io.BytesIO()
    with opened(log) as pool:
        for name in ("a", "b"):
            # Half lines, in turns: what the one has begun the other must not continue.
            other = "ab".replace(name, "")
            command = (
                f"printf 'be'; {WAIT.format(mine=name, other=other)} printf 'gin\\nprogress\\r50%%\\r99%%\\r\\n\\377 end';"
                f" echo to-err >&2"
            )
            pool.start(name, command, cwd=AbsPath(str(tmp_path)), env={})
        pool.wait()
        pool.wait()
    out, err = capfdbinary.readouterr()
    for name in (b"a", b"b"):
        lines = [line for line in out.splitlines() if line.startswith(name)]
        assert lines == [name + b" | begin", name + b" | 99%", name + b" | \xff end"]
        assert name + b" | to-err\n" in err
    assert sorted(log.getvalue().splitlines()) == sorted((out + err).splitlines())


def test_a_command_is_not_held_up_while_nobody_waits_for_it(tmp_path: Path) -> None:
    """It writes more than a pipe holds, and only then what we look for; meanwhile we do something else."""
    fifo = tmp_path / "done"
    os.mkfifo(fifo)
    with opened(io.BytesIO()) as pool:
        command = f"i=0; while [ $i -lt 5000 ]; do echo {'x' * 60}; i=$((i+1)); done; echo done > done"
        pool.start("a", command, cwd=AbsPath(str(tmp_path)), env={})
        assert fifo.read_text() == "done\n"
        assert pool.wait().code == 0


def test_stdin_is_empty(tmp_path: Path) -> None:
    with opened() as pool:
        pool.start("a", "cat > read", cwd=AbsPath(str(tmp_path)), env={})
        assert pool.wait().code == 0
    assert (tmp_path / "read").read_text() == ""


def test_a_daemon_left_behind_is_not_waited_for(tmp_path: Path) -> None:
    with opened() as pool:
        pool.start("a", "sleep 600 & echo $! > pid", cwd=AbsPath(str(tmp_path)), env={})
        pool.start("b", "true", cwd=AbsPath(str(tmp_path)), env={})
        assert {pool.wait().code, pool.wait().code} == {0}
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_shell_that_cannot_be_started_leaves_the_others_alone(tmp_path: Path) -> None:
    with opened() as pool:
        with pytest.raises(OffbranchError, match="cannot start"):
            pool.start("a", "true", cwd=AbsPath("/nowhere/at/all"), env={})
        pool.start("b", "true", cwd=AbsPath(str(tmp_path)), env={})
        with pytest.raises(OffbranchError, match="cannot start"):
            pool.start("a", "true", cwd=AbsPath("/nowhere/at/all"), env={})
        assert pool.wait().label == "b"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_reaches_all_and_all_are_waited_for(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    cwd = AbsPath(str(tmp_path))
    for name in ("ready", "go"):
        os.mkfifo(tmp_path / name)
    with opened() as pool:
        pool.start("early", "true", cwd=cwd, env={})
        assert pool.wait().error is None
        for name in ("a", "b"):
            command = f"trap 'echo bye > {name}; exit 0' TERM; echo {name} > ready; while :; do sleep 0.02; done"
            pool.start(name, command, cwd=cwd, env={})
            assert (tmp_path / "ready").read_text() == f"{name}\n"
        os.kill(os.getpid(), signal.SIGTERM)
        ended = [pool.wait(), pool.wait()]
        assert isinstance(pool.stopped, Interrupted)
    assert {one.label for one in ended} == {"a", "b"}
    assert all(one.code == 0 and isinstance(one.error, Interrupted) for one in ended)
    assert (tmp_path / "a").exists()
    assert (tmp_path / "b").exists()
    assert signal.getsignal(signal.SIGTERM) is before


def test_its_thread_ends_with_it(tmp_path: Path) -> None:
    before = threading.active_count()
    with opened() as pool:
        pool.start("a", "true", cwd=AbsPath(str(tmp_path)), env={})
    assert threading.active_count() == before


class FullDisk(io.BytesIO):
    def write(self, data: object) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_is_said_once_and_loses_no_command(tmp_path: Path) -> None:
    with opened(FullDisk()) as pool:
        pool.start("a", "echo x; echo y; touch made", cwd=AbsPath(str(tmp_path)), env={})
        with pytest.raises(OSError, match="No space"):
            pool.wait()
        assert pool.wait().code == 0
    assert (tmp_path / "made").exists()


@given(st.lists(st.binary(max_size=40)), st.data())
def test_lines_do_not_depend_on_how_the_output_was_cut(lines: list[bytes], data: st.DataObject) -> None:
    text = b"\n".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip((0, *cuts), (*cuts, len(text)), strict=True)]
    whole, cut = Lines("a"), Lines("a")
    shown = whole.take(text) + whole.end()
    assert b"".join(cut.take(piece) for piece in pieces) + cut.end() == shown
    assert all(line.startswith(b"a | ") for line in shown.splitlines() if line) or b"\r" in text
    assert re.sub(rb"(?m)^a \| ", b"", shown).rstrip(b"\n") == text.rstrip(b"\n") or b"\r" in text or b"a | " in text


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    lines = Lines("a")
    assert lines.take(b"x" * (MAX_LINE + 1)) == b"a | " + b"x" * (MAX_LINE + 1) + b"\n"
    assert lines.end() == b""
