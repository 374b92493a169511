"""The record of a queued task and its JSON (docs/formats/tasks.md); nothing here touches the world.

A task is a commit under `refs/ob/tasks/<id>`: its tree is what the trial shall run on, its message this record. As long as the
ref is there the task is not done; whether it runs at this moment is told by the attempts.
"""

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

from offbranch.base.errors import UsageError
from offbranch.base.paths import ROOT, RepoPath, resolve_in
from offbranch.base.records import as_dict, fields_of, record
from offbranch.experiments.checkpoint_policy import CheckpointMode, CheckpointPolicy, parse_keep
from offbranch.experiments.experiment import Attempt, AttemptState, ExperimentSpec
from offbranch.experiments.names import check_name
from offbranch.git.ids import CommitId, TreeId, is_hex
from offbranch.params.hydra_source import HydraSource
from offbranch.pipeline.options import ExecuteOptions, FailurePolicy, PlanOptions, RunOptions, SelectOptions
from offbranch.queue.resources import Resources, resources_from_json, resources_to_json

FORMAT_VERSION = 2
# What the first version did not say has a default.
_READABLE = (1, 2)
SUBJECT = "ob: task "


class TaskState(Enum):
    """What has become of a task."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@record
class Task:
    """One experiment that waits to be run.

    Attributes:
        id: Identity, also the last part of its ref; sorts like the queue.
        spec: What was asked for, its overrides those of this one trial.
        options: How its stages are chosen and carried out.
        copy_paths: Untracked paths of the project that its copy shall have too.
        created_utc: When it was queued, in seconds since the epoch.
        order: Its place among those queued together, from 1.
        priority: Higher ones are run first; among equals the order is that of the ids.
        is_held: Whether it is left alone until it is released.
        timeout_s: Seconds that its commands may take altogether; None for as long as they like.
        retries: How often it is run again after a failure.
        round: How often the user has queued it: 1 at first, 2 after `ob queue retry`.
        resources: What it needs of a machine.
    """

    id: str
    spec: ExperimentSpec
    options: RunOptions
    copy_paths: tuple[RepoPath, ...] = ()
    created_utc: float
    order: int
    priority: int = 0
    is_held: bool = False
    timeout_s: float | None = None
    retries: int = 0
    round: int = 1
    resources: Resources = Resources()


@record
class StoredTask:
    """A task as Git has it.

    Attributes:
        commit: Its commit; the parent is the baseline.
        tree: Its files, parameters included.
        state: QUEUED or RUNNING: what has ended has no ref any more.
        lease: What the ref of its lease is at; None if there is none. A queued one that has it was lost by its worker.
        attempts: At this task, of this round, newest first.
        is_shared: Whether it is, or may be, at a Git remote too: only who has its lease there may run it.
        is_away: Whether a worker elsewhere had its lease there when the remote was asked last; then it counts as running.
    """

    task: Task
    ref: str
    commit: CommitId
    tree: TreeId
    state: TaskState = TaskState.QUEUED
    lease: CommitId | None = None
    attempts: tuple[Attempt, ...] = ()
    is_shared: bool = False
    is_away: bool = False

    @property
    def name(self) -> str:
        """The name of the experiment it will be."""
        return self.task.spec.name

    @property
    def is_waiting(self) -> bool:
        """Whether it may be taken out of the queue, or changed, which is never done to one that runs."""
        return self.state is TaskState.QUEUED

    @property
    def n_lost(self) -> int:
        """How often whoever ran it was killed since it was queued, or since a run of it last made a checkpoint."""
        gone = (AttemptState.INTERRUPTED, AttemptState.RUNNING)
        n = 0
        for attempt in self.attempts:
            if attempt.checkpoint != attempt.resumed:
                break
            n += attempt.state in gone
        return n


def task_to_json(task: Task) -> dict[str, Any]:
    """Returns the stored form of a task."""
    spec, options = task.spec, task.options
    execute = options.execute
    return {
        "version": FORMAT_VERSION,
        "id": task.id,
        "name": spec.name,
        "baseline": spec.baseline,
        "overrides": list(spec.overrides),
        "targets": list(spec.targets),
        "message": spec.message,
        "force": spec.force,
        "copy_paths": list(task.copy_paths),
        "created_utc": task.created_utc,
        "order": task.order,
        "priority": task.priority,
        "is_held": task.is_held,
        "timeout_s": task.timeout_s,
        "retries": task.retries,
        "round": task.round,
        "resources": resources_to_json(task.resources),
        "hydra": None if spec.hydra is None else as_dict(spec.hydra),
        "checkpoints": {"mode": spec.checkpoints.mode.value, "keep": spec.checkpoints.keep},
        "resumed": spec.resumed,
        "select": as_dict(options.select),
        "execute": {
            **as_dict(execute.plan),
            "on_failure": execute.on_failure.value,
            "commit": execute.commit,
            "pull": execute.pull,
            "jobs": execute.jobs,
            "starts_over": execute.starts_over,
        },
    }


def stored_to_json(task: Task, tree: TreeId) -> dict[str, Any]:
    """Returns what the commit of a task says: its record, and its files as `tree`."""
    return {**task_to_json(task), "tree": tree}


def task_from_json(data: Mapping[str, Any]) -> Task:
    """Reads the stored form.

    Raises:
        ValueError: It is not one, or of a later version.
    """
    if data.get("version") not in _READABLE:
        raise ValueError(f"version {data.get('version')!r} of a task is not known")
    try:
        return Task(
            id=str(data["id"]),
            spec=ExperimentSpec(
                name=_name(data["name"]),
                baseline=_commit_id(data["baseline"]),
                overrides=tuple(map(str, data["overrides"])),
                targets=tuple(map(str, data["targets"])),
                message=None if data["message"] is None else str(data["message"]),
                force=bool(data["force"]),
                hydra=_hydra(data["hydra"]),
                checkpoints=_checkpoints(data.get("checkpoints")),
                resumed=None if data.get("resumed") is None else _commit_id(data["resumed"]),
            ),
            options=_options(data["select"], data["execute"]),
            copy_paths=tuple(_inside(path) for path in data["copy_paths"]),
            created_utc=float(data["created_utc"]),
            order=int(data["order"]),
            priority=int(data.get("priority", 0)),
            is_held=bool(data.get("is_held", False)),
            timeout_s=None if data.get("timeout_s") is None else float(data["timeout_s"]),
            retries=int(data.get("retries", 0)),
            round=int(data.get("round", 1)),
            resources=resources_from_json(data.get("resources", {})),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the record of a task: {error}") from error


def message_of(task: Task) -> str:
    """Returns the message of the commit of a task."""
    return f"{SUBJECT}{task.spec.name}\n\n{json.dumps(task_to_json(task), indent=1)}\n"


def task_from_message(message: str) -> Task:
    """Reads the message of the commit of a task.

    Raises:
        ValueError: It is not one, or of a later version.
    """
    data = json.loads(message.partition("\n\n")[2])
    if not isinstance(data, dict):
        raise ValueError("not the record of a task")
    return task_from_json(data)


def _name(value: Any) -> str:
    try:
        check_name(str(value))
    except UsageError as error:
        raise ValueError(error.message) from error
    return str(value)


def _commit_id(value: Any) -> CommitId:
    if not isinstance(value, str) or len(value) not in (40, 64) or not is_hex(value):
        raise ValueError(f"{value!r} is not the id of a commit")
    return CommitId(value)


def _inside(value: Any) -> RepoPath:
    """Returns a path of the project; one that leads out of it is refused, for who wrote the record is not known."""
    path = resolve_in(ROOT, str(value)) if value != "" else ROOT
    if path is None:
        raise ValueError(f"the path {value!r} leads out of the project")
    return path


def _hydra(value: Any) -> HydraSource | None:
    if value is None:
        return None
    module, plugins = value["config_module"], value["plugins_path"]
    return HydraSource(
        config_dir=str(value["config_dir"]),
        config_module=None if module is None else str(module),
        config_name=str(value["config_name"]),
        plugins_path=None if plugins is None else str(plugins),
    )


def _checkpoints(value: Any) -> CheckpointPolicy:
    if value is None:
        return CheckpointPolicy()
    keep = str(value["keep"])
    try:
        parse_keep(keep)
    except UsageError as error:
        raise ValueError(error.message) from error
    return CheckpointPolicy(mode=CheckpointMode(value["mode"]), keep=keep)


def _options(select: Mapping[str, Any], execute: Mapping[str, Any]) -> RunOptions:
    flags = {name: bool(select[name]) for name in fields_of(SelectOptions) if name != "cwd"}
    return RunOptions(
        select=SelectOptions(cwd=_inside(select["cwd"]), **flags),
        execute=ExecuteOptions(
            plan=PlanOptions(**{name: bool(execute[name]) for name in fields_of(PlanOptions)}),
            on_failure=FailurePolicy(execute["on_failure"]),
            commit=bool(execute["commit"]),
            pull=bool(execute["pull"]),
            jobs=int(execute["jobs"]),
            starts_over=bool(execute.get("starts_over", False)),
        ),
    )
