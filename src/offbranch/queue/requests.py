"""Wishes about tasks that run: files that the worker which has one looks at several times a second.

A wish is about one attempt: one that comes too late does nothing to the next.
"""

import json
import os
from contextlib import suppress
from enum import Enum

from offbranch.base.files import atomic_write, remove_file
from offbranch.base.paths import AbsPath, join
from offbranch.base.processes import ProcessInfo
from offbranch.base.records import as_dict, record
from offbranch.experiments.leases import QUEUE_DIR

REQUESTS_DIR = f"{QUEUE_DIR}/requests"
_VERSION = 1


class RequestKind(Enum):
    """Why a task shall end."""

    KILL = "kill"
    TIMEOUT = "timeout"


@record
class Request:
    """That a running task shall end.

    Attributes:
        attempt_id: The run that is meant.
        force: At once, without a chance to clear up.
        by: Who wants it.
        at_utc: Since when, in seconds since the epoch.
    """

    kind: RequestKind
    attempt_id: str
    by: ProcessInfo
    at_utc: float
    force: bool = False


def write_request(root: AbsPath, task_id: str, request: Request) -> None:
    """Leaves a wish; a later one takes the place of an earlier one."""
    os.makedirs(join(root, REQUESTS_DIR), exist_ok=True)
    data = {"version": _VERSION, **as_dict(request), "kind": request.kind.value, "by": as_dict(request.by)}
    atomic_write(_path(root, task_id), json.dumps(data).encode())


def read_request(root: AbsPath, task_id: str, attempt_id: str) -> Request | None:
    """Returns the wish about a run of a task; None if there is none."""
    try:
        with open(_path(root, task_id), encoding="utf-8") as file:
            data = json.load(file)
        if data.pop("version") != _VERSION or data["attempt_id"] != attempt_id:
            return None
        return Request(**{**data, "kind": RequestKind(data["kind"]), "by": ProcessInfo(**data["by"])})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def forget_request(root: AbsPath, task_id: str) -> None:
    """Removes the wish about a task that has ended."""
    with suppress(OSError):
        remove_file(_path(root, task_id))


def _path(root: AbsPath, task_id: str) -> AbsPath:
    return join(root, f"{REQUESTS_DIR}/{task_id}.json")
