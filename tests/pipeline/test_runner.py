"""Commands: their output untouched and logged, their exit code, signals, terminals."""

import io
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts.command_runner import CommandRunnerContract
from offbranch.base.errors import Interrupted, OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.pipeline.runner import CommandRunner, SubprocessRunner, shell_argv


class TestWithoutLog(CommandRunnerContract):
    def make(self) -> CommandRunner:
        return SubprocessRunner(env=dict(os.environ), shell="/bin/sh")


class TestWithLog(CommandRunnerContract):
    def make(self) -> CommandRunner:
        return SubprocessRunner(env=dict(os.environ), shell="/bin/sh", log=io.BytesIO())


def run_logged(command: str, tmp_path: Path) -> tuple[int, bytes]:
    log = io.BytesIO()
    runner = SubprocessRunner(env=dict(os.environ), shell="/bin/sh", log=log)
    return runner.run(command, cwd=AbsPath(str(tmp_path)), env={"MINE": "1"}), log.getvalue()


def test_output_reaches_us_and_the_log_byte_for_byte(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, log = run_logged("printf 'a\\r10%%\\r20%%\\n\\377'; printf err >&2", tmp_path)
    out, err = capfdbinary.readouterr()
    assert code == 0
    assert out == b"a\r10%\r20%\n\xff"
    assert err == b"err"
    assert sorted(log) == sorted(out + err)


def test_exit_code_signal_directory_and_variables(tmp_path: Path) -> None:
    assert run_logged("exit 7", tmp_path)[0] == 7
    assert run_logged("kill -9 $$", tmp_path)[0] == -9
    assert run_logged('[ "$PWD" = "$(pwd -P)" ] && [ "$MINE" = 1 ] && touch here', tmp_path)[0] == 0
    assert (tmp_path / "here").exists()


def test_a_daemon_left_behind_is_not_waited_for(tmp_path: Path) -> None:
    started = time.monotonic()
    code, log = run_logged("sleep 20 & echo $!", tmp_path)
    os.kill(int(log), signal.SIGKILL)
    assert code == 0
    assert time.monotonic() - started < 10


def test_missing_directory_is_one_clear_error() -> None:
    with pytest.raises(OffbranchError, match="cannot start"):
        SubprocessRunner(env={}, shell="/bin/sh").run("true", cwd=AbsPath("/nowhere/at/all"), env={})


def test_interrupt_lets_the_command_end_first(tmp_path: Path) -> None:
    marker = tmp_path / "ended"
    script = f"trap 'touch {marker}; exit 3' TERM; kill -TERM $PPID; while :; do sleep 0.05; done"
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted):
        run_logged(script, tmp_path)
    assert marker.exists()
    assert signal.getsignal(signal.SIGTERM) is before


def test_on_a_terminal_the_command_has_a_terminal_of_the_same_size(tmp_path: Path) -> None:
    probe = tmp_path / "probe.py"
    probe.write_text(
        "import os,sys\nprint('tty', os.isatty(1), os.isatty(2), os.get_terminal_size(1).columns, flush=True)\n"
    )
    driver = tmp_path / "driver.py"
    driver.write_text(
        "import os,sys\nfrom offbranch.pipeline.runner import SubprocessRunner\n"
        f"log=open({str(tmp_path / 'log')!r},'ab')\n"
        "r=SubprocessRunner(env=dict(os.environ), shell='/bin/sh', log=log)\n"
        f"print(r.run(sys.executable+' {probe}', cwd={str(tmp_path)!r}, env={{}}))\n"
    )
    ours, theirs = pty.openpty()
    subprocess.run(["stty", "cols", "73"], stdin=theirs, check=True)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    process = subprocess.Popen(
        [sys.executable, str(driver)], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    seen = b""
    while process.poll() is None or select.select([ours], [], [], 0.1)[0]:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                seen += os.read(ours, 4096)
            except OSError:
                break
    os.close(ours)
    process.wait()
    assert b"tty True True 73" in seen
    assert (tmp_path / "log").read_bytes() == b"tty True True 73\n"


@pytest.mark.parametrize(
    ("shell", "argv"),
    [
        (None, ["/bin/sh", "-c", "x"]),
        ("/bin/bash", ["/bin/bash", "--noprofile", "--norc", "-c", "x"]),
        ("/usr/bin/zsh", ["/usr/bin/zsh", "--no-rcs", "-c", "x"]),
        ("/usr/bin/fish", ["/usr/bin/fish", "--no-config", "-c", "x"]),
    ],
)
def test_shell_is_started_without_its_own_files(shell: str | None, argv: list[str]) -> None:
    assert shell_argv(shell, "x") == argv
