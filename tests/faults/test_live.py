"""Training programs that are killed, forked, interrupted or left without a disk: what Live has written stays readable."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from offbranch import Live
from offbranch.live.writer import _WAIT_S
from projects import SOURCE

pytestmark = pytest.mark.fault

FAST = """\
import sys, time
from offbranch import Live
live = Live(save_dvc_exp=False, dvcyaml=None)
print("ready", flush=True)
i = 0
while True:
    live.log_metric("m", i)
    live.log_metric("train/loss", i * 0.5, timestamp=True)
    i += 1
    if i % 100 == 0:
        live.next_step()
    if PAUSE:
        time.sleep(PAUSE)
"""


def start(code: str, where: Path) -> "subprocess.Popen[str]":
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return subprocess.Popen([sys.executable, "-c", code], cwd=where, env=env, stdout=subprocess.PIPE, text=True)


def run(code: str, where: Path) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=where, env=env, capture_output=True, text=True, timeout=100, check=False
    )


def rows(where: Path, name: str = "m") -> list[list[str]]:
    text = (where / "dvclive" / "plots" / "metrics" / f"{name}.tsv").read_text()
    assert text.endswith("\n")
    return [line.split("\t") for line in text.splitlines()]


@pytest.mark.parametrize("pause", [0, 0.0005])
def test_what_was_logged_survives_a_kill(pause: float, tmp_path: Path) -> None:
    chance = random.Random(7)
    for round_ in range(4):
        where = tmp_path / str(round_)
        where.mkdir()
        process = start(FAST.replace("PAUSE", str(pause)), where)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.02, 0.9))
        process.kill()
        process.wait()
        process.stdout.close()
        if (where / "dvclive/plots/metrics/m.tsv").exists():
            header, *found = rows(where)
            assert header == ["step", "m"]
            assert [int(row[1]) for row in found] == list(range(len(found)))
        if (where / "dvclive/plots/metrics/train/loss.tsv").exists():
            header, *found = rows(where, "train/loss")
            assert header == ["timestamp", "step", "loss"]
            assert [float(row[2]) for row in found] == [i * 0.5 for i in range(len(found))]
        if (where / "dvclive/metrics.json").exists():
            assert "m" in json.loads((where / "dvclive/metrics.json").read_text())


def test_rows_come_to_disk_without_any_further_call(tmp_path: Path) -> None:
    assert _WAIT_S < 0.5
    code = """\
from offbranch import Live
live = Live(save_dvc_exp=False, dvcyaml=None)
for i in range(20000):
    live.log_metric("m", i)
live.log_metric("extra", 5, plot=False)
import os, pathlib, time, signal
table, summary = (pathlib.Path("dvclive", name) for name in ("plots/metrics/m.tsv", "metrics.json"))
while not table.exists() or table.read_text().count("\\n") < 20001:
    time.sleep(0.01)
while not summary.exists() or "extra" not in summary.read_text():
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run(code, tmp_path).returncode == -signal.SIGKILL
    assert len(rows(tmp_path)) == 20001
    assert json.loads((tmp_path / "dvclive/metrics.json").read_text()) == {"m": 19999, "extra": 5}


@pytest.mark.parametrize("is_kept", [True, False])
def test_the_end_of_the_interpreter_writes_all(is_kept: bool, tmp_path: Path) -> None:
    code = f"""\
from offbranch import Live
def train():
    live = Live(save_dvc_exp=False)
    for i in range(20000):
        live.log_metric("m", i)
    return live if {is_kept} else None
live = train()
"""
    done = run(code, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(rows(tmp_path)) == 20001
    assert json.loads((tmp_path / "dvclive/metrics.json").read_text()) == {"m": 19999}


def test_ctrl_c_loses_and_repeats_nothing(tmp_path: Path) -> None:
    code = """\
import json, os, signal, threading, time
from offbranch import Live
def later():
    time.sleep(0.7)
    os.kill(os.getpid(), signal.SIGINT)
live = Live(save_dvc_exp=False, dvcyaml=None)
threading.Thread(target=later).start()
done = 0
try:
    with live:
        while True:
            live.log_metric("m", done)
            done += 1
            if done % 50 == 0:
                live.next_step()
except KeyboardInterrupt:
    print(done)
"""
    done = run(code, tmp_path)
    n = int(done.stdout)
    values = [int(row[1]) for row in rows(tmp_path)[1:]]
    assert values == list(range(len(values)))
    assert n <= len(values) <= n + 1, done.stderr


def test_a_signal_handler_may_log_and_end(tmp_path: Path) -> None:
    code = """\
import signal, sys
from offbranch import Live
live = Live(save_dvc_exp=False)
n = 0
def handler(*_):
    live.log_metric("late", n)
    live.next_step()
    live.end()
    sys.exit(0)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.5)
while True:
    live.log_metric("m", n)
    live.next_step()
    n += 1
"""
    done = run(code, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(rows(tmp_path, "late")) == 2


@pytest.mark.parametrize("kind", ["Exception", "TimeoutError"])
def test_a_time_limit_of_the_program_is_no_fault_of_the_machine(kind: str, tmp_path: Path) -> None:
    """What a signal handler raises in the midst of a call reaches the program, and costs no line."""
    code = f"""\
import os, signal
from offbranch import Live
class Limit({kind}):
    pass
def handler(*_):
    raise Limit
signal.signal(signal.SIGUSR1, handler)
live = Live(save_dvc_exp=False)
real, n_hits = os.replace, 0
def interrupted(source, target):
    os.kill(os.getpid(), signal.SIGUSR1)
    real(source, target)
for i in range(40):
    os.replace = interrupted if i % 2 else real
    live.log_metric("m", i)
    try:
        live.next_step()
        live.log_param("p", i)
    except Limit:
        n_hits += 1
        live.step += 1
os.replace = real
live.end()
print(n_hits)
"""
    done = run(code, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "20\n", "")
    assert [row[1] for row in rows(tmp_path)[1:]] == [str(i) for i in range(40)]
    assert json.loads((tmp_path / "dvclive/metrics.json").read_text())["m"] == 39
    assert not [path for path in tmp_path.rglob("*") if "ob-tmp" in path.name]


def test_forked_children_log_too(tmp_path: Path) -> None:
    code = """\
import os
from offbranch import Live
live = Live(save_dvc_exp=False)
for i in range(6000):
    live.log_metric("m", i)
children = []
for n in range(4):
    pid = os.fork()
    if pid == 0:
        for i in range(300):
            live.log_metric("m", 10000 + n * 1000 + i)
            live.log_metric(f"own/{n}", i)
        os._exit(0)
    children.append(pid)
    for i in range(500):
        live.log_metric("m", 6000 + n * 500 + i)
    live.next_step()
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
live.end()
"""
    done = run(code, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    values = sorted(int(row[1]) for row in rows(tmp_path)[1:])
    assert values == [*range(8000), *(10000 + n * 1000 + i for n in range(4) for i in range(300))]
    assert all(len(rows(tmp_path, f"own/{n}")) == 301 for n in range(4))
    assert json.loads((tmp_path / "dvclive/metrics.json").read_text()) == {"m": 7999, "step": 3}


def test_a_child_that_does_all_the_work_is_not_undone_by_its_parent(tmp_path: Path) -> None:
    code = """\
import multiprocessing
from offbranch import Live
live = Live(save_dvc_exp=False)
def train():
    for i in range(3):
        live.log_metric("loss", i)
        live.next_step()
    live.end()
process = multiprocessing.get_context("fork").Process(target=train)
process.start()
process.join()
live.end()
"""
    done = run(code, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "dvclive/metrics.json").read_text()) == {"loss": 2, "step": 2}
    assert [row[0] for row in rows(tmp_path, "loss")] == ["step", "0", "1", "2"]


def test_a_process_that_was_spawned_may_log(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import multiprocessing\nfrom offbranch import Live\n"
        "def work(live, n):\n    live.log_metric('m', n)\n"
        "if __name__ == '__main__':\n"
        "    with Live(save_dvc_exp=False) as live:\n"
        "        live.log_metric('m', 0)\n"
        "        p = multiprocessing.get_context('spawn').Process(target=work, args=(live, 1))\n"
        "        p.start()\n        p.join()\n        assert p.exitcode == 0\n"
    )
    done = run("import runpy; runpy.run_path('train.py', run_name='__main__')", tmp_path)
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [row[1] for row in rows(tmp_path)] == ["m", "0", "1"]


# Faults of the machine


def test_a_directory_that_is_removed_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    live = Live(save_dvc_exp=False)
    live.log_metric("m", 1)
    live.next_step()
    subprocess.run(["rm", "-r", "dvclive"], check=True)
    live.log_metric("m", 2)
    live.next_step()
    live.end()
    assert rows(tmp_path) == [["step", "m"], ["1", "2"]]
    assert json.loads(Path("dvclive/metrics.json").read_text()) == {"m": 2, "step": 1}


def test_a_full_disk_is_one_warning_and_its_end_brings_all_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    live = Live(save_dvc_exp=False)
    live.log_metric("m", 0)
    real = os.write
    monkeypatch.setattr(os, "write", no_space)
    for i in range(1, 2000):
        live.log_metric("m", i)
    live.flush()
    monkeypatch.setattr(os, "write", real)
    live.end()
    assert [row[1] for row in rows(tmp_path)[1:]] == [str(i) for i in range(2000)]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1 and "No space left" in said[0] and "m.tsv" in said[0]


def test_a_full_disk_is_told_once_for_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And what could not be written is there when there is space again."""
    monkeypatch.chdir(tmp_path)
    live = Live(save_dvc_exp=False, report="html")
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", no_space)
        patched.setattr(os, "replace", no_space)
        for i in range(5):
            live.log_metric("m", i)
            live.log_metric("b/c", i)
            live.log_param("p", i)
            live.log_plot("points", [{"x": i}], "x", "x")
            live.next_step()
    (said,) = caplog.messages
    assert "No space left" in said and ".ob-tmp-" not in said
    live.end()
    assert [row[1] for row in rows(tmp_path)] == ["m", "0", "1", "2", "3", "4"]
    assert Path("dvclive/params.yaml").read_text() == "p: 4\n"
    assert json.loads(Path("dvclive/plots/custom/points.json").read_text()) == [{"x": 4}]
    assert "custom/points.json" in Path("dvc.yaml").read_text()
    assert len(caplog.messages) == 1


def no_space(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_half_a_line_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    live = Live(save_dvc_exp=False)
    live.log_metric("m", 11)
    real, calls = os.write, []

    def half(descriptor: int, content: bytes) -> int:
        calls.append(content)
        if len(calls) == 1:
            return real(descriptor, content[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    live.log_metric("m", 22)
    assert rows(tmp_path) == [["step", "m"], ["0", "11"]]
    monkeypatch.setattr(os, "write", real)
    live.end()
    assert rows(tmp_path) == [["step", "m"], ["0", "11"], ["0", "22"]]


@pytest.mark.parametrize("when", ["before", "later"])
def test_a_current_directory_that_is_removed(when: str, tmp_path: Path) -> None:
    code = f"""\
import os, shutil
from offbranch import Live
os.mkdir("gone")
os.chdir("gone")
if {when == "before"}:
    os.rmdir("../gone")
with Live(report="html") as live:
    live.log_metric("m", 1)
    shutil.rmtree("../gone", ignore_errors=True)
    live.log_param("p", 1)
    live.log_artifact("x", type="model")
    live.log_image("a.png", "b.png")
    live.next_step()
print("trained")
"""
    done = run(code, tmp_path)
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr
    assert "Traceback" not in done.stderr


def test_threads_that_end_steps_at_the_same_time_need_no_module_twice(tmp_path: Path) -> None:
    code = """\
import threading
from offbranch import Live
live = Live(save_dvc_exp=False)
def train(n):
    live.log_metric(f"m{n}", 1)
    live.log_param(f"p{n}", 1)
    live.next_step()
threads = [threading.Thread(target=train, args=(n,)) for n in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
live.end()
"""
    done = run(code, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len((tmp_path / "dvclive/params.yaml").read_text().splitlines()) == 6


def test_no_fault_of_the_machine_comes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file where the directory should be: nothing can be written at all."""
    monkeypatch.chdir(tmp_path)
    Path("dvclive").write_text("in the way")
    Path("dvc.yaml").write_text("a: [\n")
    with Live(save_dvc_exp=False, report="html") as live:
        for i in range(50):
            live.log_metric("m", i)
            live.log_param("p", 1)
            live.log_plot("x", [{"a": 1}], "a", "b")
            live.log_image("x.png", "missing.png")
            live.log_artifact("missing", type="model", copy=True)
            live.next_step()
    assert (live.step, live.summary["m"]) == (49, 49)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(set(said)) < 12
    assert Path("dvc.yaml").read_text() == "a: [\n"
