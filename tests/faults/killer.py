"""Runs `ob` again and again in children of one warm process, and kills it at a chosen write.

Started as a program by `tests/killing.py`. One JSON job per line on stdin, one answer per line on stdout. A child
counts everything it does to the outside world (files made, written, renamed, linked, removed; processes started; SQLite
statements) and SIGKILLs itself before the n-th, or in the middle of it (`torn`), or just after it (`after`). The answer
comes when also everything the child had started has ended.
"""

import builtins
import ctypes
import io
import json
import os
import pkgutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import offbranch
from offbranch.cli.main import main

PR_SET_CHILD_SUBREAPER = 36
WRITE_FLAGS = os.O_WRONLY | os.O_RDWR
MAKES = ("mkdir",)
REMOVES = ("remove", "rmdir", "unlink")
CALLS = (*MAKES, *REMOVES, "ftruncate", "link", "rename", "replace", "symlink", "truncate")
DATA_CALLS = ("pwrite", "write")
# What an experiment does a dozen times in the same way: lock files, whose content is only for people.
ONCE = ("ftruncate", "pwrite")
READING_GIT = (
    "cat-file", "check-ignore", "diff-tree", "for-each-ref", "hash-object --stdin-paths", "ls-files", "rev-list",
    "rev-parse", "symbolic-ref",
)  # fmt: skip


class Counter:
    """Counts, and ends the process when its moment has come."""

    def __init__(self, n: int, mode: str) -> None:
        self.n, self.mode = n, mode
        self.labels: list[str] = []
        self.process = os.getpid()

    def tick(self, label: str) -> bool:
        """Tells whether this is the one."""
        if os.getpid() != self.process or (label.strip() in ONCE and label in self.labels):
            return False
        self.labels.append(label)
        is_now = len(self.labels) == self.n
        if is_now and self.mode == "before":
            self.die()
        return is_now

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def wrapped(counter: Counter, call: Callable[..., Any], label: str) -> Callable[..., Any]:
    def counted(*args: Any, **kwargs: Any) -> Any:
        path = args[0] if args and isinstance(args[0], str) else ""
        if path and os.path.lexists(path) is (label in MAKES) and label in (*MAKES, *REMOVES):
            return call(*args, **kwargs)
        is_now = counter.tick(f"{label} {path}")
        result = call(*args, **kwargs)
        if is_now:
            counter.die()
        return result

    return counted


def wrapped_data(counter: Counter, call: Callable[..., Any], label: str) -> Callable[..., Any]:
    """Like `wrapped`, but in mode `torn` half of the data is written."""

    def counted(descriptor: int, data: Any, *more: Any) -> Any:
        is_now = counter.tick(label)
        part = memoryview(data)[: len(data) // 2] if is_now and counter.mode == "torn" else data
        result = call(descriptor, part, *more)
        if is_now:
            counter.die()
        return result

    return counted


def wrap_files(counter: Counter) -> None:
    """Counts what goes through file objects, at the moment it really reaches the file."""
    plain_open = builtins.open

    class CountedFile(io.FileIO):
        def write(self, data: Any) -> int:
            is_now = counter.tick("file.write")
            n_written = super().write(memoryview(data)[: len(data) // 2] if is_now and counter.mode == "torn" else data)
            if is_now:
                counter.die()
            return n_written

    def counted_open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if not set(mode) & set("wax+") or isinstance(file, int):
            return plain_open(file, mode, *args, **kwargs)
        is_now = counter.tick(f"open {file}")
        raw = CountedFile(file, mode.replace("b", "").replace("t", ""))
        if is_now:
            counter.die()
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding=kwargs.get("encoding", "utf-8"))

    builtins.open = counted_open  # type: ignore[assignment]


def wrap_everything(counter: Counter) -> None:
    for name in CALLS:
        setattr(os, name, wrapped(counter, getattr(os, name), name))
    for name in DATA_CALLS:
        setattr(os, name, wrapped_data(counter, getattr(os, name), name))
    if hasattr(os, "copy_file_range"):
        os.copy_file_range = wrapped(counter, os.copy_file_range, "copy_file_range")
    plain_os_open = os.open

    def counted_os_open(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        changes = flags & WRITE_FLAGS and (flags & os.O_TRUNC or not os.path.lexists(path))
        is_now = bool(changes) and counter.tick(f"os.open {path}")
        descriptor = plain_os_open(path, flags, *args, **kwargs)
        if is_now:
            counter.die()
        return descriptor

    os.open = counted_os_open
    plain_spawn = os.posix_spawnp

    def counted_spawn(program: str, argv: list[str], *args: Any, **kwargs: Any) -> int:
        words = " ".join(argv[5:])
        is_now = not any(f" {verb}" in f" {words}" for verb in READING_GIT) and counter.tick(f"spawn git {words}")
        pid = plain_spawn(program, argv, *args, **kwargs)
        if is_now:
            counter.die()
        return pid

    os.posix_spawnp = counted_spawn
    popen: Any = subprocess.Popen
    popen._execute_child = wrapped(counter, popen._execute_child, "spawn command")
    wrap_files(counter)
    wrap_sqlite(counter)


def wrap_sqlite(counter: Counter) -> None:
    plain_connect = sqlite3.connect

    class CountedConnection(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> Any:
            is_now = sql.startswith(("BEGIN", "COMMIT", "DROP")) and counter.tick(f"sqlite {sql[:40]}")
            result = super().execute(sql, *args)
            if is_now:
                counter.die()
            return result

        def executemany(self, sql: str, *args: Any) -> Any:
            is_now = counter.tick(f"sqlite many {sql[:40]}")
            result = super().executemany(sql, *args)
            if is_now:
                counter.die()
            return result

    def counted_connect(*args: Any, **kwargs: Any) -> Any:
        return plain_connect(*args, factory=CountedConnection, **kwargs)

    sqlite3.connect = counted_connect


def child(job: dict[str, Any]) -> None:
    """Carries out one job; never returns."""
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    sys.argv = ["ob", *job["words"]]
    output = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    for standard in (1, 2):
        os.dup2(output, standard)
    os.close(output)
    counter = Counter(job["n"], job["mode"])
    keep_labels = builtins.open(job["labels"], "w") if job["labels"] else None  # noqa: SIM115 - closed by the end
    wrap_everything(counter)
    code = main(job["words"])
    if keep_labels is not None:
        keep_labels.write(json.dumps(counter.labels))
        keep_labels.flush()
    os._exit(code)


def preload() -> None:
    """Loads everything once, so that a child does not."""
    for module in pkgutil.walk_packages(offbranch.__path__, "offbranch."):
        if module.name.rpartition(".")[2] != "__main__":
            try:
                __import__(module.name)
            except ImportError:
                pass  # needs an extra that is not installed


def serve() -> None:
    if sys.platform.startswith("linux"):
        # What a killed child leaves running becomes our child, so that we can wait for it.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    preload()
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            try:
                child(job)
            finally:
                os._exit(99)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        while not job["leave"]:
            try:
                os.wait()
            except ChildProcessError:
                break
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
