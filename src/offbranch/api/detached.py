"""Doing something in a process of its own that outlives this one and has no terminal."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from offbranch.base.errors import Interrupted, OffbranchError
from offbranch.base.paths import AbsPath


def detach(action: Callable[[Callable[[], None]], None], log: AbsPath) -> bool:
    """Runs an action in a process of a session of its own, which says it is ready; returns whether it did.

    This process must have no other threads. What the action prints goes into the log.
    """
    os.makedirs(os.path.dirname(log), exist_ok=True)
    read, write = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _be_detached(action, log, write)
    os.close(write)
    os.waitpid(pid, 0)
    said = os.read(read, 1)
    os.close(read)
    return said == b"+"


def _be_detached(action: Callable[[Callable[[], None]], None], log: AbsPath, write: int) -> NoReturn:
    code = 1
    try:
        os.setsid()
        if os.fork():  # so that it is nobody's child, and can never get a terminal
            os._exit(0)
        nothing = os.open(os.devnull, os.O_RDWR)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(nothing, 0)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.closerange(3, write)
        os.closerange(write + 1, 256)

        def ready() -> None:
            os.write(write, b"+")
            os.close(write)

        action(ready)
        code = 0
    except Interrupted:
        code = 0
    except OffbranchError as error:
        sys.stderr.write(f"error: {error}\n")
    except BaseException:  # noqa: BLE001 - an edge: nothing of who started it may be run in here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
