"""Limits of a task: processors, memory by control group or for each process, and what an exceeded one looks like."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from offbranch.base.paths import AbsPath
from offbranch.queue.slots.limits import (
    MemoryLimit,
    forget_limit,
    keep_to,
    limit_memory,
    memory_cause,
    memory_limited_by,
    usable_memory,
    usable_processors,
)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits are kept on Linux only")
USE = "import sys; x = bytearray(int(sys.argv[1]) << 20); print(len(x) >> 20)"


def run(limit: MemoryLimit, command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*limit.prefix, "/bin/sh", "-c", command], capture_output=True, text=True, check=False)


class Groups:
    """Control groups as the kernel shows them, in a directory: nothing is counted, but files are where they belong."""

    def __init__(self, where: Path, own: str, controllers: str = "cpu memory") -> None:
        self.mount, self.own, self.group = where, where / "self", where / own.strip("/")
        self.group.mkdir(parents=True)
        self.own.write_text(f"0::/{own.strip('/')}\n")
        (where / "cgroup.controllers").write_text("cpu memory\n")
        for each in {self.group, self.group.parent}:
            (each / "cgroup.subtree_control").write_text(f"{controllers}\n")
            (each / "cgroup.procs").touch()

    def limit(self, n_bytes: int, name: str = "1-1") -> MemoryLimit:
        made = limit_memory(n_bytes, name, mount=str(self.mount), own=str(self.own))
        assert made is not None
        return made


def test_each_process_is_limited_where_there_is_no_control_group(tmp_path: Path) -> None:
    limit = limit_memory(200 << 20, "x", mount=str(tmp_path), own=str(tmp_path / "none"))
    assert limit == MemoryLimit(n_bytes=200 << 20)
    assert limit is not None
    enough = run(limit, f"'{sys.executable}' -c '{USE}' 50; echo \"$0 $#\"")
    assert enough.stdout == "50\n/bin/sh 0\n"
    too_much = run(limit, f"'{sys.executable}' -c '{USE}' 500")
    assert too_much.returncode == 1 and "MemoryError" in too_much.stderr


def test_a_command_keeps_its_process_and_its_signals() -> None:
    limit = MemoryLimit(n_bytes=1 << 30)
    process = subprocess.Popen([*limit.prefix, "/bin/sh", "-c", "echo $$; kill -TERM $$"], stdout=subprocess.PIPE)
    out, _ = process.communicate()
    assert int(out) == process.pid
    assert process.returncode == -15


@pytest.mark.parametrize("own", ["user.slice/app.scope", "/a/b/c"])
def test_a_control_group_counts_a_task_as_a_whole(tmp_path: Path, own: str) -> None:
    groups = Groups(tmp_path / "cg", own)
    limit = groups.limit(1 << 30)
    assert limit.group == str(groups.group / "offbranch-1-1")
    where = Path(str(limit.group))
    assert (where / "memory.max").read_text() == str(1 << 30)
    assert (where / "memory.oom.group").read_text() == "1"
    assert memory_limited_by(mount=str(groups.mount), own=str(groups.own)) == "cgroup"
    (where / "cgroup.procs").touch()
    done = run(limit, "echo $$")
    assert (where / "cgroup.procs").read_text() == done.stdout  # it is in the group before it begins


def test_the_group_above_is_taken_if_ours_may_not_have_any(tmp_path: Path) -> None:
    groups = Groups(tmp_path / "cg", "user.slice/app.scope")
    (groups.group / "cgroup.subtree_control").write_text("\n")
    assert groups.limit(1 << 30).group == str(groups.group.parent / "offbranch-1-1")


def test_without_its_controller_there_is_no_group(tmp_path: Path) -> None:
    groups = Groups(tmp_path / "cg", "user.slice/app.scope", controllers="cpu")
    assert groups.limit(1 << 30) == MemoryLimit(n_bytes=1 << 30)
    assert memory_limited_by(mount=str(groups.mount), own=str(groups.own)) == "process"


def test_where_a_group_cannot_be_entered_the_process_is_limited(tmp_path: Path) -> None:
    limit = MemoryLimit(n_bytes=100 << 20, group=AbsPath(str(tmp_path / "gone")))
    assert run(limit, "ulimit -d").stdout == f"{100 << 10}\n"


def test_a_group_goes_with_its_task(tmp_path: Path) -> None:
    group = tmp_path / "g"
    group.mkdir()
    forget_limit(MemoryLimit(n_bytes=1, group=AbsPath(str(group))))
    forget_limit(MemoryLimit(n_bytes=1))
    forget_limit(None)
    assert not group.exists()


def test_causes(tmp_path: Path) -> None:
    log = AbsPath(str(tmp_path / "log"))
    process = MemoryLimit(n_bytes=2 << 30)
    assert memory_cause(process, "'train' failed", log) is None
    Path(log).write_text("epoch 1\nMemoryError\n" + "x" * 20000)
    assert memory_cause(process, "'train' failed", log) is None  # long ago, and dealt with
    Path(log).write_text("Traceback\nnumpy.core._exceptions._ArrayMemoryError: Unable to allocate 74.5 GiB\n")
    assert memory_cause(process, "'train' failed", log) == (
        "used more than 2G ('memoryerror' in its output): 'train' failed"
    )
    assert memory_cause(None, "'train' failed", log) is None
    group = tmp_path / "g"
    group.mkdir()
    limit = MemoryLimit(n_bytes=2 << 30, group=AbsPath(str(group)))
    (group / "memory.events").write_text("low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\n")
    assert memory_cause(limit, "'train' was ended by signal 9", log) == "killed: used more than 2G"
    (group / "memory.events").write_text("low 0\noom 0\noom_kill 0\n")
    Path(log).write_text("no such file\n")
    assert memory_cause(limit, "'train' failed", log) is None


def test_what_there_is(tmp_path: Path) -> None:
    groups = Groups(tmp_path / "cg", "a/b")
    info = tmp_path / "meminfo"
    info.write_text("MemTotal:       16384 kB\nMemFree:   1 kB\n")
    arguments = {"mount": str(groups.mount), "own": str(groups.own), "info": str(info)}
    assert usable_memory(**arguments) == 16 << 20
    (groups.group / "memory.max").write_text("max\n")
    (groups.group.parent / "memory.max").write_text(f"{8 << 20}\n")
    assert usable_memory(**arguments) == 8 << 20
    assert usable_memory() > 1 << 20
    assert usable_processors() == tuple(sorted(os.sched_getaffinity(0)))


def test_processors_are_kept_to() -> None:
    first = usable_processors()[0]
    pid = os.fork()
    if pid == 0:
        keep_to((first,))
        keep_to(())
        keep_to((1 << 14,))  # not there: it is left as it is
        os._exit(0 if os.sched_getaffinity(0) == {first} else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
