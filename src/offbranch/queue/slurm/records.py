"""Our own records of what was handed to SLURM, below `.dvc/tmp/ob/queue/slurm/` (docs/formats/slurm.md).

    <submission>.json            one sbatch: its tasks in the order of the array, and the job, once SLURM has said it
    <submission>.sh              the script
    <submission>-<index>.note    one element of the array, written by the element itself: where it runs, and how it ended
    <submission>-<index>.back    we have cancelled it: its task waits again, whatever SLURM says
    <submission>-<index>.out     what SLURM and the element printed

The record of a submission is written before sbatch is called, and its id is the comment of the job: killed in between, the
next one to look finds the job by it. All of it may be deleted; tasks that wait are then handed to SLURM once more, and whoever
comes second finds the task taken or gone.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from offbranch.base.files import atomic_write, remove_file
from offbranch.base.paths import AbsPath, RepoPath, join
from offbranch.base.processes import ProcessInfo
from offbranch.base.records import as_dict, record
from offbranch.queue.slurm.place import SLURM_DIR

COMMENT = "offbranch "
_VERSION = 1
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}(-\d+)?")


@record
class SlurmTask:
    """A task that an element of an array is for.

    Attributes:
        id: The task.
        round: How often it had been queued; an element is for one round.
    """

    id: str
    round: int


@record
class SeenEnd:
    """That an element came to nothing, in the words of SLURM, which forgets it.

    Attributes:
        index: Of the element.
        state: As squeue tells it, or `LOST`.
    """

    index: int
    state: str
    reason: str = ""
    node: str = ""


@record
class Submission:
    """One array job.

    Attributes:
        id: Ours.
        submitted_utc: Seconds since the epoch.
        by: Who called sbatch.
        tasks: In the order of the elements, from index 0.
        options: Of sbatch, those of the user among them.
        job_id: Of the array; None until sbatch has said it.
        cluster: Where it is, if not where the user is.
        ends: Elements that were seen to have come to nothing.
    """

    id: str
    submitted_utc: float
    by: ProcessInfo
    tasks: tuple[SlurmTask, ...]
    options: tuple[str, ...] = ()
    job_id: str | None = None
    cluster: str = ""
    ends: tuple[SeenEnd, ...] = ()


@record
class ElementNote:
    """What an element of an array says of itself.

    Attributes:
        job: Id of the array and index.
        process: The `ob` that it is.
        started_utc: Seconds since the epoch.
        task_id: What it carries out, or has carried out; None if it found nothing to do.
        ended_utc: None while it runs.
        end: How that came out: a state of a task, `stopped` by SLURM, or `nothing` to do; empty while it runs.
        restarts: How often SLURM has started it again.
    """

    job: str
    process: ProcessInfo
    started_utc: float
    task_id: str | None = None
    ended_utc: float | None = None
    end: str = ""
    restarts: int = 0


def write_submission_record(root: AbsPath, submission: Submission) -> None:
    """Writes or replaces the record of a submission."""
    data = {
        "version": _VERSION,
        **as_dict(submission),
        "by": as_dict(submission.by),
        "tasks": [as_dict(task) for task in submission.tasks],
        "ends": [as_dict(end) for end in submission.ends],
    }
    os.makedirs(join(root, SLURM_DIR), exist_ok=True)
    atomic_write(_path(root, f"{submission.id}.json"), json.dumps(data, indent=1).encode() + b"\n")


def write_script(root: AbsPath, submission_id: str, text: str) -> RepoPath:
    """Writes what the elements run; returns where it is."""
    os.makedirs(join(root, SLURM_DIR), exist_ok=True)
    name = f"{submission_id}.sh"
    atomic_write(_path(root, name), os.fsencode(text))
    return RepoPath(f"{SLURM_DIR}/{name}")


def read_submissions(root: AbsPath) -> tuple[Submission, ...]:
    """Returns the records of submissions, oldest first; what cannot be read is left out."""
    found = (read_submission(root, name.removesuffix(".json")) for name in _names(root) if name.endswith(".json"))
    # Names tell the time to the second only.
    return tuple(sorted((each for each in found if each is not None), key=lambda each: (each.submitted_utc, each.id)))


def read_submission(root: AbsPath, submission_id: str) -> Submission | None:
    """Returns the record of a submission; None if there is none that can be read."""
    if _ID.fullmatch(submission_id) is None:
        return None
    try:
        data = _load(_path(root, f"{submission_id}.json"))
        tasks = tuple(SlurmTask(id=str(task["id"]), round=int(task["round"])) for task in data["tasks"])
        return Submission(
            id=submission_id,
            submitted_utc=float(data["submitted_utc"]),
            by=ProcessInfo(**data["by"]),
            tasks=tasks,
            options=tuple(map(str, data["options"])),
            job_id=None if data["job_id"] is None else str(data["job_id"]),
            cluster=str(data["cluster"]),
            ends=tuple(SeenEnd(**end) for end in data["ends"]),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write_note(root: AbsPath, submission_id: str, index: int, note: ElementNote) -> None:
    """Writes what an element says; a full disk is no reason for it to stop."""
    data = {"version": _VERSION, **as_dict(note), "process": as_dict(note.process)}
    with suppress(OSError):
        atomic_write(_path(root, f"{submission_id}-{index}.note"), json.dumps(data).encode() + b"\n")


def read_note(root: AbsPath, submission_id: str, index: int) -> ElementNote | None:
    """Returns what an element has said; None if it has said nothing yet."""
    try:
        data = _load(_path(root, f"{submission_id}-{index}.note"))
        return ElementNote(**{**data, "process": ProcessInfo(**data["process"])})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def beat_note(root: AbsPath, submission_id: str, index: int) -> None:
    """Says to other machines that an element lives."""
    with suppress(OSError):
        os.utime(_path(root, f"{submission_id}-{index}.note"))


def seconds_silent(root: AbsPath, submission_id: str, index: int) -> float:
    """Returns for how long an element has said nothing, by the clock of the file system; 0 where that cannot be told."""
    probe = _path(root, f".silence-{os.getpid()}")
    try:
        with open(probe, "wb"):
            now_s = os.stat(probe).st_mtime
        return max(0.0, now_s - os.stat(_path(root, f"{submission_id}-{index}.note")).st_mtime)
    except OSError:
        return 0.0
    finally:
        with suppress(OSError):
            os.unlink(probe)


def mark_withdrawn(root: AbsPath, submission_id: str, index: int) -> None:
    """Says to an element that it was cancelled by us, and that its task shall wait again."""
    with suppress(OSError):
        atomic_write(_path(root, f"{submission_id}-{index}.back"), b"")


def is_withdrawn(root: AbsPath, submission_id: str, index: int) -> bool:
    """Tells whether an element was cancelled by us."""
    return os.path.exists(_path(root, f"{submission_id}-{index}.back"))


def output_path(submission_id: str, index: int | str) -> RepoPath:
    """Returns where SLURM writes what an element prints; the index may be sbatch's `%a`."""
    return RepoPath(f"{SLURM_DIR}/{submission_id}-{index}.out")


def read_output(root: AbsPath, submission_id: str, index: int, begin: int = 0) -> str:
    """Returns the end of what an element has printed, from a byte on; nothing where there is nothing to read."""
    try:
        with open(join(root, output_path(submission_id, index)), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(begin, size - 65_536))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def output_size(root: AbsPath, submission_id: str, index: int) -> int:
    """Returns how much an element has printed, in bytes."""
    try:
        return os.stat(join(root, output_path(submission_id, index))).st_size
    except OSError:
        return 0


def forget_submission(root: AbsPath, submission_id: str) -> None:
    """Removes everything about a submission."""
    for name in _names(root):
        if re.match(rf"{re.escape(submission_id)}(-\d+)?\.(note|back|out|sh|json)$", name):
            remove_file(_path(root, name))


def _names(root: AbsPath) -> Iterator[str]:
    try:
        yield from os.listdir(join(root, SLURM_DIR))
    except OSError:
        return


def _load(path: AbsPath) -> dict[str, Any]:
    with open(path, encoding="utf-8") as file:
        data: Mapping[str, Any] = json.load(file)
    if data["version"] != _VERSION:
        raise ValueError("not a version that is known")
    return {name: value for name, value in data.items() if name != "version"}


def _path(root: AbsPath, name: str) -> AbsPath:
    return join(root, f"{SLURM_DIR}/{name}")
