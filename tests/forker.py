"""A Python program kept warm: a process that has imported what the program imports, and forks once for each start of it.

Started by `warm.py` as `forker.py SOCKET-FD PROGRAM`, PROGRAM being a script or the name of a module. A child is a process
of its own in everything but the way it came about: directory, environment, umask, limits, standard streams are what the
job says, it runs PROGRAM as `__main__` and ends as the interpreter ends. Which modules to import is learned from the
children that end by themselves.
"""

import atexit
import gc
import importlib
import json
import os
import resource
import runpy
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from typing import Any

HEAD = struct.Struct("!I")
MOST_RESULTS = 8


def receive(connection: socket.socket) -> "tuple[dict[str, Any], list[int]] | None":
    """Returns the next job and its standard output and error; None when nobody will ask any more."""
    head, descriptors, _, _ = socket.recv_fds(connection, HEAD.size, 2)
    if not head:
        return None
    body = b""
    while len(body) < HEAD.unpack(head)[0]:
        body += connection.recv(1 << 20)
    return json.loads(body), descriptors


def serve(connection: socket.socket, program: str) -> bool:
    """Answers jobs; returns true in the child that is to run the program, false when there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    scratch = tempfile.mkdtemp(prefix="forker-")
    learned = os.path.join(scratch, "modules")
    tempfile.tempdir = None
    gc.freeze()
    while found := receive(connection):
        job, descriptors = found
        pid = os.fork()
        if pid == 0:
            connection.close()
            become(program, job, descriptors, learned)
            return True
        for descriptor in descriptors:
            os.close(descriptor)
        connection.sendall(HEAD.pack(pid))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        connection.sendall(struct.pack("!i", code))
        learn(learned)
    os.rmdir(scratch)
    return False


def become(program: str, job: "dict[str, Any]", descriptors: "list[int]", learned: str) -> None:
    """Makes this child what the job says."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for standard, descriptor in enumerate(descriptors, 1):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(job["env"])
    time.tzset()
    os.umask(job["umask"])
    resource.setrlimit(resource.RLIMIT_FSIZE, job["file_size_limit"])
    os.chdir(job["cwd"])
    is_script = os.path.isabs(program)
    sys.path[0] = os.path.dirname(program) if is_script else os.getcwd()
    sys.argv = [program if is_script else "-m", *job["words"]]
    known = frozenset(sys.modules)
    pid = os.getpid()
    atexit.register(lambda: os.getpid() == pid and tell(known, learned))


def tell(known: "frozenset[str]", learned: str) -> None:
    """Writes down the modules that the program has imported, in the order in which it did."""
    new = [name for name in sys.modules if name not in known]
    if new:
        with open(learned, "w", encoding="utf-8") as file:
            json.dump(new, file)


def learn(learned: str) -> None:
    """Imports what the last child had to import itself."""
    try:
        with open(learned, encoding="utf-8") as file:
            names = json.load(file)
    except FileNotFoundError:
        return
    os.unlink(learned)
    for name in names:
        if name.rpartition(".")[2] != "__main__" and name not in sys.modules:
            try:
                importlib.import_module(name)
            except Exception:  # noqa: BLE001 - made by its parent in some way of its own, as six.moves is
                pass
    assert threading.active_count() == 1, "a process with threads cannot be forked"
    gc.collect()
    gc.freeze()


def main() -> None:
    descriptor, program = sys.argv[1:]
    if not serve(socket.socket(fileno=int(descriptor)), program):
        return
    if os.path.isabs(program):
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
