"""SLURM through its programs sbatch, squeue, sacct, scancel and scontrol: asking, and reading what they print.

What they print was recorded from SLURM 22.05 (tests/slurm). States are what squeue's %T prints, reasons what %r prints. An
answer may be missing at any time: a controller restarts, and what has ended is forgotten after some minutes (MinJobAge) where
no accounting is kept.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence

from offbranch.base.errors import OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.base.records import record

_SQUEUE_FORMAT = "%i|%T|%S|%N|%k|%r"
_PATIENCE_S = 60
# Still to run: what is not started, or was, and will be again.
WAITING = frozenset(
    """
    PENDING CONFIGURING REQUEUED REQUEUE_FED REQUEUE_HOLD RESV_DEL_HOLD SPECIAL_EXIT
    """.split()
)
HOLDS_NODE = frozenset("RUNNING COMPLETING SUSPENDED SIGNALING STAGE_OUT STOPPED RESIZING".split())
_WORDS: Mapping[str, str] = {
    "BOOT_FAIL": "its node did not start",
    "CANCELLED": "it was cancelled in SLURM",
    "COMPLETED": "it ended without taking a task",
    "DEADLINE": "its deadline in SLURM passed",
    "FAILED": "it failed in SLURM before a task began",
    "LOST": "its process was gone, though SLURM said that it ran",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "it needed more memory than SLURM gave it",
    "PREEMPTED": "another job of SLURM took its place",
    "TIMEOUT": "its time limit in SLURM passed",
}


@record
class Row:
    """What SLURM says of one element of an array.

    Attributes:
        job: Id of the array and index, as `scancel` takes them: `12_3`.
        state: e.g. PENDING, RUNNING, COMPLETED, NODE_FAIL.
        reason: Why it waits, or why it ended; empty where nothing is said.
        node: Where it runs or ran; empty before.
        started_utc: When it was started, the last time; None before.
        comment: What was given to sbatch as comment.
    """

    job: str
    state: str
    reason: str = ""
    node: str = ""
    started_utc: float | None = None
    comment: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether it is over."""
        return self.state not in WAITING and self.state not in HOLDS_NODE

    @property
    def cause(self) -> str:
        """Why it ended, in words."""
        words = _WORDS.get(self.state, f"SLURM says {self.state}")
        more = f" ({self.reason})" if self.reason and self.reason not in ("NonZeroExitCode", "TimeLimit") else ""
        return f"{words}{more}"


@record
class Slurm:
    """Where to ask: the programs on PATH, with an environment, in a directory.

    Attributes:
        cluster: The one that jobs were sent to by `--clusters`; empty for that of the machine.
    """

    environment: Mapping[str, str]
    directory: AbsPath
    cluster: str = ""


def submit(slurm: Slurm, words: Sequence[str]) -> tuple[str, str]:
    """Runs sbatch; returns the id of the job, and the cluster if it is another one.

    Raises:
        OffbranchError: It was refused; the message is sbatch's.
    """
    out = _run(slurm, ["sbatch", "--parsable", *words])
    job, _, cluster = out.strip().splitlines()[-1].partition(";") if out.strip() else ("", "", "")
    if not job.isdigit():
        raise OffbranchError(f"sbatch did not say which job it made: {out.strip()!r}")
    return job, cluster


def jobs_of_user(slurm: Slurm) -> dict[str, Row]:
    """Returns every element of the user's arrays that SLURM remembers, by job and index.

    Raises:
        OffbranchError: It does not answer.
    """
    where = ["--states=all", "--array", "--noheader", f"--format={_SQUEUE_FORMAT}"]
    out = _run(slurm, ["squeue", *_clusters(slurm), f"--user={os.getuid()}", *where])
    rows = (read_row(line) for line in out.splitlines())
    return {row.job: row for row in rows if row is not None}


def ended_jobs(slurm: Slurm, jobs: Iterable[str]) -> dict[str, Row]:
    """Returns how elements of arrays ended that squeue has forgotten, from the accounting; nothing where none is kept."""
    ids = ",".join(sorted({job.partition("_")[0] for job in jobs}))
    if not ids:
        return {}
    shape = ["--noheader", "--parsable2", "--allocations", "--format=JobID,State,NodeList,Reason"]
    try:
        out = _run(slurm, ["sacct", *_clusters(slurm), f"--jobs={ids}", *shape])
    except OffbranchError:
        return {}
    rows = (read_ended(line) for line in out.splitlines())
    return {row.job: row for row in rows if row is not None}


def cancel(slurm: Slurm, jobs: Iterable[str]) -> None:
    """Cancels elements of arrays; those that have ended do not matter.

    Never with `--state`: SLURM 22.05 then cancels the whole array of an element that has not started.

    Raises:
        OffbranchError: SLURM does not answer.
    """
    wanted = sorted(set(jobs))
    for at in range(0, len(wanted), 500):
        _run(slurm, ["scancel", *_clusters(slurm), "--quiet", *wanted[at : at + 500]])


def requeue(slurm: Slurm, job: str) -> None:
    """Has SLURM start a job again that runs or has just ended.

    Raises:
        OffbranchError: It does not.
    """
    _run(slurm, ["scontrol", "requeue", job])


def max_array_size(slurm: Slurm) -> int:
    """Returns how many elements an array may have; the default of SLURM where it does not say."""
    try:
        found = re.search(r"^MaxArraySize\s*=\s*(\d+)", _run(slurm, ["scontrol", "show", "config"]), re.MULTILINE)
    except OffbranchError:
        found = None
    return max(1, int(found[1]) if found else 1001)


def read_row(line: str) -> Row | None:
    """Reads a line of squeue; None for one that is about no element of an array."""
    fields = line.split("|", 5)
    if len(fields) < 6 or re.fullmatch(r"\d+_\d+", fields[0]) is None:
        return None
    job, state, started, node, comment, reason = fields
    return Row(
        job=job,
        state=state,
        reason="" if reason in ("None", "(null)") else reason,
        node="" if node == "(null)" else node,
        started_utc=None if state in WAITING else time_of(started),
        comment="" if comment == "(null)" else comment,
    )


def read_ended(line: str) -> Row | None:
    """Reads a line of sacct; `CANCELLED by 0` is a state there."""
    fields = line.split("|", 3)
    if len(fields) < 4 or re.fullmatch(r"\d+_\d+", fields[0]) is None:
        return None
    state = fields[1].partition(" ")[0]
    node = "" if fields[2] in ("None assigned", "None") else fields[2]
    return Row(job=fields[0], state=state, node=node, reason="" if fields[3] in ("None", "") else fields[3])


def time_of(text: str) -> float | None:
    """Reads a time of SLURM in UTC; None for `N/A` and the like."""
    found = re.fullmatch(r"(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)", text)
    if found is None:
        return None
    return float(load("calendar:timegm")(tuple(map(int, found.groups()))))


def _clusters(slurm: Slurm) -> list[str]:
    return [f"--clusters={slurm.cluster}"] if slurm.cluster else []


def _run(slurm: Slurm, words: Sequence[str]) -> str:
    subprocess = load("subprocess")
    environment = {**slurm.environment, "LC_ALL": "C", "TZ": "UTC0", "SLURM_TIME_FORMAT": "standard"}
    # A user's own format would be printed instead of ours.
    for name in ("SQUEUE_FORMAT", "SQUEUE_FORMAT2", "SACCT_FORMAT", "SQUEUE_STATES", "SQUEUE_SORT"):
        environment.pop(name, None)
    try:
        done = subprocess.run(
            words,
            env=environment,
            cwd=slurm.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise OffbranchError(
            f"'{words[0]}' is not there", hint="do this where SLURM's programs are, as on a login node of its site"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise OffbranchError(
            f"{words[0]} got no answer within {_PATIENCE_S} s", hint="'sinfo' tells how SLURM is"
        ) from error
    said = _in_one_line(done.stderr or done.stdout, words[0])
    if done.returncode != 0:
        hint = "'sinfo' tells how SLURM is" if "Unable to contact" in said else None
        raise OffbranchError(f"{words[0]}: {said or f'exit code {done.returncode}'}", hint=hint)
    return str(done.stdout)


def _in_one_line(text: str, program: str) -> str:
    lines = [re.sub(rf"^{program}: (error: )?", "", line.strip()) for line in text.splitlines()]
    return "; ".join(line for line in lines if line and not line.startswith("Try "))
