"""Starts Python programs from processes that are warm already (`forker.py`): importing is most of what a short run costs.

What a test sees is a process of its own: its exit code, what it wrote, what it left behind. Whoever tests the start itself,
signals or parents starts the program by `subprocess`.
"""

import atexit
import json
import os
import resource
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from forker import HEAD

FORKER = Path(__file__).parent / "forker.py"
Program = tuple[str, str]  # an interpreter, and a script or the name of a module


@dataclass(frozen=True)
class Forker:
    """A running `forker.py`, which does one thing at a time."""

    process: "subprocess.Popen[bytes]"
    connection: socket.socket

    def start(self, job: Mapping[str, object], out: int, err: int) -> int:
        """Has the program started; returns its process id."""
        body = json.dumps(job).encode()
        socket.send_fds(self.connection, [HEAD.pack(len(body))], [out, err])
        self.connection.sendall(body)
        return int(HEAD.unpack(self._receive())[0])

    def code(self) -> int:
        """Waits for the end of the program; returns its exit code, negative for a signal."""
        return int(struct.unpack("!i", self._receive())[0])

    def _receive(self) -> bytes:
        found = self.connection.recv(HEAD.size, socket.MSG_WAITALL)
        if len(found) < HEAD.size:
            said = self.process.communicate()[0].decode()
            raise AssertionError(f"{FORKER.name} has ended with {self.process.returncode}:\n{said}")
        return found

    def close(self) -> None:
        self.connection.close()
        self.process.communicate()


_idle: defaultdict[tuple[Program, str], list[Forker]] = defaultdict(list)


def run_program(
    program: Program, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
) -> "subprocess.CompletedProcess[str]":
    """Runs a program as `subprocess.run` does, with nothing to read and its output captured as text."""
    command = [program[0], *([] if os.path.isabs(program[1]) else ["-m"]), program[1], *words]
    if not sys.platform.startswith("linux") or _settings(env) != _SETTINGS or env.get("LANG") != "C.UTF-8":
        return subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, stdin=subprocess.DEVNULL, text=True, timeout=timeout
        )
    idle = _idle[program, env.get("PYTHONPATH", "")]
    forker = idle.pop() if idle else _open_forker(program, env)
    job = {
        "words": list(words),
        "cwd": str(cwd),
        "env": dict(env),
        "umask": _umask(),
        "file_size_limit": resource.getrlimit(resource.RLIMIT_FSIZE),
    }
    out_read, out = os.pipe()
    err_read, err = os.pipe()
    pid = forker.start(job, out, err)
    os.close(out)
    os.close(err)
    is_in_time, output = _read_all((out_read, err_read), forker.connection, timeout)
    if not is_in_time:
        os.kill(pid, signal.SIGKILL)
    code = forker.code()
    idle.append(forker)
    if not is_in_time:
        raise subprocess.TimeoutExpired(command, timeout, *output)
    texts = [each.decode().replace("\r\n", "\n").replace("\r", "\n") for each in output]
    return subprocess.CompletedProcess(command, code, *texts)


def _settings(env: Mapping[str, str]) -> dict[str, str]:
    """What an interpreter reads of the environment as it starts; where it finds modules is a part of which one is asked."""
    return {name: env[name] for name in env if name.startswith(("PYTHON", "LC_")) and name != "PYTHONPATH"}


def _umask() -> int:
    """Returns the umask without touching it, for it belongs to all threads."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    raise AssertionError("no umask")


def _open_forker(program: Program, env: Mapping[str, str]) -> Forker:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [program[0], str(FORKER), str(theirs.fileno()), program[1]],
            cwd="/",
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # no terminal and no file, as what children will have
            stderr=subprocess.STDOUT,
            pass_fds=(theirs.fileno(),),
        )
    return Forker(process, ours)


def _read_all(pipes: tuple[int, int], connection: socket.socket, timeout: float) -> tuple[bool, list[bytes]]:
    """Reads pipes to their ends; tells whether they and the program ended in time."""
    parts: dict[int, list[bytes]] = {pipe: [] for pipe in pipes}
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as waiting:
        for source in (*pipes, connection):
            waiting.register(source, selectors.EVENT_READ)
        while waiting.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in waiting.select(left):
                data = os.read(key.fd, 1 << 16) if key.fd in parts else b""
                if data:
                    parts[key.fd].append(data)
                else:
                    waiting.unregister(key.fileobj)
        is_in_time = not waiting.get_map()
    for pipe in pipes:
        os.close(pipe)
    return is_in_time, [b"".join(parts[pipe]) for pipe in pipes]


_SETTINGS = _settings(os.environ)


@atexit.register
def _close_all() -> None:
    for forkers in _idle.values():
        for forker in forkers:
            forker.close()
