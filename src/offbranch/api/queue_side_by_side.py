"""Queued experiments side by side: some processes of `ob exp run --run-all`, which share the queue.

Each takes one task after the other, as it would alone; that no two take the same one is seen to where a task is taken.
Their output comes through line by line, with the number of the process before each line. Loaded by name.
"""

import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from offbranch.api.queue import TaskEnd
from offbranch.api.running import open_runner
from offbranch.api.session import Session, need_git, opened
from offbranch.base.errors import ExitCode, OffbranchError
from offbranch.base.files import TEMPORARY_PREFIX, remove_file
from offbranch.base.paths import OB_DIR, AbsPath, join
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.refs import encode
from offbranch.git.ids import CommitId
from offbranch.queue.store import read_tasks

_EXPECTED = frozenset((ExitCode.DONE, ExitCode.FAILED, ExitCode.INTERRUPTED))


def run_side_by_side(session: Session, jobs: int, flags: Sequence[str] = ()) -> Iterator[TaskEnd]:
    """Runs what is queued, up to `jobs` at a time, by processes of `ob exp run` with some more flags.

    Yields:
        How each task ended, process by process as these end.

    Raises:
        Interrupted: The user stopped it; what ran waits in the queue again.
        OffbranchError: One of the processes could not do its work.
    """
    with opened(session) as project:
        n_waiting = len(read_tasks(need_git(project), project.root).queued)
        directory = join(project.root, OB_DIR)
    os.makedirs(directory, exist_ok=True)
    wrong: list[str] = []
    with open_runner(session, log=None, keep_open=(), root=None) as runner, runner.open_pool() as pool:
        answers = {}
        for number in range(1, min(jobs, n_waiting) + 1):
            answers[str(number)] = answer = AbsPath(
                os.path.join(directory, f"{TEMPORARY_PREFIX}{os.getpid()}-ended-{number}")
            )
            pool.start(str(number), _command(answer, flags), cwd=session.start, env={})
        for _ in tuple(answers):
            ended = pool.wait()
            yield from _ends(answers[ended.label])
            if ended.code not in _EXPECTED:
                wrong.append(f"process {ended.label} ended with exit code {ended.code}")
        stopped = pool.stopped
    if stopped is not None:
        raise stopped
    if wrong:
        raise OffbranchError(f"not all of the queue was run: {', '.join(wrong)}", hint="'ob exp run --run-all' goes on")


def _command(answer: AbsPath, flags: Sequence[str]) -> str:
    words = (sys.executable, "-m", "offbranch", "exp", "run", "--run-all", "--json", *flags)
    return f"exec {shlex.join(words)} > {shlex.quote(answer)}"


def _ends(answer: AbsPath) -> Iterator[TaskEnd]:
    try:
        with open(answer, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return
    remove_file(answer)
    for each in json.loads(text) if text else ():
        yield _end(each)


def _end(data: dict[str, Any]) -> TaskEnd:
    baseline = CommitId(data["baseline"])
    made = None
    if data["rev"] is not None:
        ref = encode(baseline, data["name"])
        made = Experiment(name=data["name"], baseline=baseline, commit=CommitId(data["rev"]), ref=ref)
    return TaskEnd(
        name=data["name"],
        id=data["id"],
        baseline=baseline,
        experiment=made,
        attempt_id=data["attempt_id"],
        cause=data["cause"] or "",
        exit_code=data["exit_code"],
    )
