"""The queue of DVC 3.67, read: its tasks, in which state they are, and where that is said (docs/formats/dvc-queue.md).

Only JSON is read here, and nothing is changed: DVC owns these files. A file that is not what it should be is left out, as DVC
does. What a task shall do stands in a pickle of its commit, which `pickled.py` reads for `ob queue import`.
"""

import base64
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from offbranch.base.errors import ConflictError, UsageError
from offbranch.base.paths import AbsPath, join
from offbranch.base.records import record, replace
from offbranch.experiments.leases import QUEUE_DIR
from offbranch.experiments.names import check_name
from offbranch.experiments.refs import IMPORTS, is_abbreviation
from offbranch.git.ids import CommitId, is_hex
from offbranch.git.refs import list_refs
from offbranch.project import Project
from offbranch.queue.task import TaskState

EXPS_DIR = ".dvc/tmp/exps"
WAITING_DIR = f"{EXPS_DIR}/celery/broker/in"
TAKEN_DIR = f"{EXPS_DIR}/celery/broker/processed"
# Messages that `ob queue import` has taken, and not finished with; see `importing.py`.
IMPORTS_DIR = f"{QUEUE_DIR}/imports"
_RESULTS_DIR = f"{EXPS_DIR}/celery/result"
_RUNS_DIR = f"{EXPS_DIR}/run"
_KIND = "dvc.repo.experiments.queue.tasks.run_exp"
_ROUTE = "celery"
_ENDED = ("SUCCESS", "FAILURE", "REVOKED")
# Two or three thousand times what one has; whoever made a larger one wants to do harm.
_MAX_MESSAGE_BYTES = 10_000_000


@record
class PeerTask:
    """A task of DVC's queue.

    Attributes:
        id: Of the task, as DVC's messages have it.
        name: Of the experiment it will be, or is.
        commit: The stash commit: its files, and for DVC its identity.
        baseline: What it starts from.
        head: What was checked out when it was queued; DVC 3 has the same as the baseline.
        continues: The ref of an experiment that it goes on with; None but for checkpoints of DVC 2.
        state: As DVC classifies it.
        message_path: The file of its message.
        created_utc: When that was written, in seconds since the epoch.
        copy_paths: Untracked paths that its copy shall have too.
        message: Of the commit of the experiment; None for the standard one.
        root: While it runs: the copy that it runs in.
        log: What its commands wrote; None where there is no such file yet.
        pid: While it runs: of the process that carries it out.
        exit_code: Of that process, once it has ended.
        result_ref: Of the experiment that it has become.
    """

    id: str
    name: str
    commit: CommitId
    baseline: CommitId
    head: CommitId
    continues: str | None
    state: TaskState
    message_path: AbsPath
    created_utc: float
    copy_paths: tuple[str, ...] = ()
    message: str | None = None
    root: str | None = None
    log: AbsPath | None = None
    pid: int | None = None
    exit_code: int | None = None
    result_ref: str | None = None


def peer_tasks(project: Project) -> tuple[PeerTask, ...]:
    """Returns the tasks of DVC's queue, in the order in which its workers take them: queued, running, failed and succeeded.

    For `ob queue status` and `ob exp show`: DVC owns them, so `ob` shows them, and only `ob queue import` makes them ours.
    The experiments of the succeeded ones are ordinary ones, which every list of experiments has anyway. Costs a listing of two
    directories where DVC never queued anything; no process is asked, and nothing is written.
    """
    found = list(messages_in(project.root, WAITING_DIR))
    found += [_with_state(project, task) for task in messages_in(project.root, TAKEN_DIR)]
    found += half_imported(project)
    # A message that was moved between two listings is in both: the later look is the truth.
    by_id = {task.id: task for task in found}
    return tuple(sorted(by_id.values(), key=_order))


_PEER_HINTS = {
    TaskState.QUEUED: "make it ours: ob queue import {name}",
    TaskState.RUNNING: "only DVC stops it: dvc queue kill {name}",
}


def refuse_peers(project: Project, names: Sequence[str]) -> None:
    """Makes sure that none of some names, which are unknown to us, stands for a task of DVC.

    Raises:
        ConflictError: One does.
    """
    for task in peer_tasks(project):
        if any(text == task.name or is_abbreviation(text.lower(), task.commit) for text in names):
            raise ConflictError(
                f"'{task.name}' is a task of DVC's queue; nothing was changed",
                hint=_PEER_HINTS.get(task.state, "dvc queue remove {name}").format(name=task.name),
            )


def read_message(path: AbsPath) -> PeerTask | None:
    """Returns the task that the file of a message is about; None for all other messages, and where there is none any more."""
    try:
        if not os.path.isfile(path):  # opening a pipe would wait for ever
            return None
        with open(path, "rb") as file:
            content = file.read(_MAX_MESSAGE_BYTES)
            created_utc = os.fstat(file.fileno()).st_mtime
        return _parse(path, json.loads(content), created_utc)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None


def half_imported(project: Project) -> tuple[PeerTask, ...]:
    """Returns tasks whose import was killed when they were neither DVC's any more nor ours yet."""
    found = tuple(messages_in(project.root, IMPORTS_DIR))
    if not found or project.repo is None:
        return ()
    done = {ref.removeprefix(IMPORTS) for ref, _ in list_refs(project.repo, IMPORTS)}
    return tuple(task for task in found if task.id not in done)


def messages_in(root: AbsPath, directory: str) -> Iterator[PeerTask]:
    """Yields the tasks whose messages lie in a directory, as if they waited."""
    try:
        names = os.listdir(join(root, directory))
    except OSError:
        return
    for name in names:
        # Control traffic of workers has names like these too, and is most of what lies there.
        if name.endswith(".celery.msg") and ".pidbox." not in name:
            task = read_message(join(root, f"{directory}/{name}"))
            if task is not None:
                yield task


def _parse(path: AbsPath, data: Mapping[str, Any], created_utc: float) -> PeerTask | None:
    headers = data["headers"]
    if headers["task"] != _KIND or data["properties"]["delivery_info"]["routing_key"] != _ROUTE:
        return None
    args, kwargs, *_ = json.loads(base64.b64decode(data["body"], validate=True))
    entry = args[0]
    return PeerTask(
        id=_plain(headers["id"]),
        name=_name(entry.get("name")),
        commit=_commit_id(entry["stash_rev"]),
        baseline=_commit_id(entry["baseline_rev"]),
        head=_commit_id(entry["head_rev"] or entry["baseline_rev"]),
        continues=None if entry.get("branch") is None else str(entry["branch"]),
        state=TaskState.QUEUED,
        message_path=path,
        created_utc=created_utc,
        copy_paths=tuple(map(str, kwargs.get("copy_paths") or ())),
        message=None if kwargs.get("message") is None else str(kwargs["message"]),
    )


def _with_state(project: Project, task: PeerTask) -> PeerTask:
    """Returns a task that a worker has taken, with its state and its traces; DVC asks in the same order."""
    root = project.root
    run, process = _run_file(root, task, "run"), _run_file(root, task, "json")
    log = join(root, f"{_RUNS_DIR}/{task.commit}/{task.commit}.out")
    is_ended = _status(root, task) in _ENDED
    is_done = is_ended and isinstance(run.get("result_hash"), str) and isinstance(run.get("result_ref"), str)
    state = TaskState.SUCCEEDED if is_done else TaskState.FAILED if is_ended else TaskState.RUNNING
    code, pid = process.get("returncode"), process.get("pid")
    is_running = state is TaskState.RUNNING
    return replace(
        task,
        name=_result_name(run) if is_done else task.name,
        state=state,
        root=_copy(project, run) if is_running else None,
        log=log if os.path.isfile(log) else None,
        pid=pid if _is_number(pid) and is_running else None,
        exit_code=code if _is_number(code) else None,
        result_ref=str(run["result_ref"]) if is_done else None,
    )


def _status(root: AbsPath, task: PeerTask) -> Any:
    return _json(join(root, f"{_RESULTS_DIR}/celery-task-meta-{task.id}")).get("status")


def _run_file(root: AbsPath, task: PeerTask, kind: str) -> Mapping[str, Any]:
    return _json(join(root, f"{_RUNS_DIR}/{task.commit}/{task.commit}.{kind}"))


def _copy(project: Project, run: Mapping[str, Any]) -> str | None:
    """Returns the project in the copy that a task runs in, if that is where DVC makes its copies."""
    where = run.get("root_dir")
    if not isinstance(where, str) or os.path.dirname(where) != join(project.root, EXPS_DIR):
        return None
    return os.path.join(where, project.prefix) if project.prefix else where


def _result_name(run: Mapping[str, Any]) -> str:
    return str(run["result_ref"]).rpartition("/")[2]


def _json(path: AbsPath) -> Mapping[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _order(task: PeerTask) -> tuple[float, str]:
    """Returns what messages are sorted by: their names begin with a time, whose digits DVC compares as text."""
    name = os.path.basename(task.message_path)
    stamp = name.partition("_")[0]
    return (int(stamp) if stamp.isascii() and stamp.isdigit() else 0), name


def _name(value: Any) -> str:
    name = value if isinstance(value, str) else ""
    if name:
        try:
            check_name(name)
        except UsageError as error:
            raise ValueError(error.message) from error
    return name


def _plain(value: Any) -> str:
    """Returns an id that is part of the name of a file."""
    if not isinstance(value, str) or not value.isascii() or not value.replace("-", "").isalnum():
        raise ValueError(f"{value!r} is no id of a task")
    return value


def _commit_id(value: Any) -> CommitId:
    if not isinstance(value, str) or len(value) not in (40, 64) or not is_hex(value):
        raise ValueError(f"{value!r} is not the id of a commit")
    return CommitId(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
