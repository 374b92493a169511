"""The records of an experiment: what was asked for, what came of it, and each attempt at it.

All are JSON with a version field where they are stored (docs/formats/attempts.md); nothing here touches the world.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from offbranch.base.processes import ProcessInfo, is_alive
from offbranch.base.records import field, record
from offbranch.experiments.checkpoint_policy import CheckpointPolicy
from offbranch.git.objects import CommitId
from offbranch.params.hydra_source import HydraSource

FORMAT_VERSION = 1
# Header of the commit of an experiment that came from the queue: the id of its task.
TASK_HEADER = "ob-task"


class Where(Enum):
    """Where an experiment runs; the values are the words DVC uses."""

    WORKSPACE = "workspace"
    TEMPORARY = "tempdir"
    QUEUE = "dvc-task"


class AttemptState(Enum):
    """What became of an attempt. RUNNING holds only while its process lives."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


@record
class ExperimentSpec:
    """What was asked for.

    Attributes:
        name: Name of the experiment to make.
        baseline: The commit it starts from.
        overrides: Texts of `-S`, in order.
        targets: Stages to reproduce; empty means the whole pipeline file.
        message: Commit message instead of the standard one.
        force: Replaces an experiment of the same name.
        hydra: How Hydra composes params.yaml; None where it does not.
        checkpoints: How often checkpoints are made, and whose data is kept.
        resumed: The checkpoint it goes on from; None where it starts anew.
    """

    name: str
    baseline: CommitId
    overrides: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    message: str | None = None
    force: bool = False
    hydra: HydraSource | None = None
    checkpoints: CheckpointPolicy = field(default_factory=CheckpointPolicy)
    resumed: CommitId | None = None


@record
class Experiment:
    """An experiment that exists: a named commit below a baseline."""

    name: str
    baseline: CommitId
    commit: CommitId
    ref: str


@record
class Attempt:
    """One attempt at an experiment, running or ended.

    Attributes:
        id: Identity; also the name of its directory and of its ref.
        process: Who carries it out.
        commit: The files at its end (at its start while it runs); None if not even that was reached.
        originals: What the parameter files that it changed in the workspace held before; None where there was none.
        exit_code: Of the stage command that failed; None if none did.
        cause: Why it ended, in one line; empty for success.
        stage: The stage that failed.
        log: Path of the log, relative to the project root.
        root: Directory it runs in.
        started_utc, ended_utc: Seconds since the epoch.
        task_id: The queued task that it carries out; None for a run that was not queued.
        task_commit: Commit of that task as it was then; kept by the attempt, so that it can be queued again.
        task_round: How often the user has queued that task, this time included.
        checkpoints: How many commits of checkpoints its experiment has, those it goes on from included.
        checkpoint: The newest of them.
        replaced: The experiment whose name the first of them took by force.
        resumed: The commit it goes on from.
    """

    id: str
    name: str
    baseline: CommitId
    where: Where
    state: AttemptState
    process: ProcessInfo
    root: str
    log: str
    started_utc: float
    ended_utc: float | None = None
    overrides: tuple[str, ...] = ()
    originals: Mapping[str, str | None] = field(default_factory=dict)
    commit: CommitId | None = None
    exit_code: int | None = None
    stage: str | None = None
    cause: str = ""
    task_id: str | None = None
    task_commit: CommitId | None = None
    task_round: int = 1
    checkpoints: int = 0
    checkpoint: CommitId | None = None
    replaced: CommitId | None = None
    resumed: CommitId | None = None

    @property
    def true_state(self) -> AttemptState:
        """The state as it really is: one whose process is gone without a word was interrupted."""
        if self.state is AttemptState.RUNNING and not is_alive(self.process):
            return AttemptState.INTERRUPTED
        return self.state


def attempt_to_json(attempt: Attempt) -> dict[str, Any]:
    """Returns the stored form of an attempt."""
    process = attempt.process
    return {
        "version": FORMAT_VERSION,
        "id": attempt.id,
        "name": attempt.name,
        "baseline": attempt.baseline,
        "where": attempt.where.value,
        "state": attempt.state.value,
        "process": {
            "pid": process.pid,
            "started": process.started,
            "host": process.host,
            "command": process.command,
        },
        "root": attempt.root,
        "log": attempt.log,
        "started_utc": attempt.started_utc,
        "ended_utc": attempt.ended_utc,
        "overrides": list(attempt.overrides),
        "originals": dict(attempt.originals),
        "commit": attempt.commit,
        "exit_code": attempt.exit_code,
        "stage": attempt.stage,
        "cause": attempt.cause,
        "task_id": attempt.task_id,
        "task_commit": attempt.task_commit,
        "task_round": attempt.task_round,
        "checkpoints": attempt.checkpoints,
        "checkpoint": attempt.checkpoint,
        "replaced": attempt.replaced,
        "resumed": attempt.resumed,
    }


def attempt_from_json(data: Mapping[str, Any]) -> Attempt:
    """Reads the stored form.

    Raises:
        ValueError: It is not one, or of a later version.
    """
    if data.get("version") != FORMAT_VERSION:
        raise ValueError(f"version {data.get('version')!r} of an attempt is not known")
    try:
        return Attempt(
            id=str(data["id"]),
            name=str(data["name"]),
            baseline=CommitId(data["baseline"]),
            where=Where(data["where"]),
            state=AttemptState(data["state"]),
            process=ProcessInfo(**data["process"]),
            root=str(data["root"]),
            log=str(data["log"]),
            started_utc=float(data["started_utc"]),
            ended_utc=None if data["ended_utc"] is None else float(data["ended_utc"]),
            overrides=tuple(map(str, data["overrides"])),
            originals={str(path): None if text is None else str(text) for path, text in data["originals"].items()},
            commit=_commit_id(data["commit"]),
            exit_code=data["exit_code"],
            stage=data["stage"],
            cause=str(data["cause"]),
            task_id=None if data.get("task_id") is None else str(data["task_id"]),
            task_commit=_commit_id(data.get("task_commit")),
            task_round=int(data.get("task_round", 1)),
            checkpoints=int(data.get("checkpoints", 0)),
            checkpoint=_commit_id(data.get("checkpoint")),
            replaced=_commit_id(data.get("replaced")),
            resumed=_commit_id(data.get("resumed")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the record of an attempt: {error}") from error


def _commit_id(value: Any) -> CommitId | None:
    return None if value is None else CommitId(str(value))
