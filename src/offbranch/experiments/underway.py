"""An experiment that is under way: what every run has around it, wherever it runs.

From the record of the attempt to the end of its commands; what follows is in `attempt_end.py`. `workspace_run.py` and
`temporary_run.py` differ only in the directory and in what has to be put back.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing

from offbranch.base.errors import Interrupted
from offbranch.base.events import Reporter
from offbranch.base.paths import AbsPath, RepoPath, join
from offbranch.base.processes import this_process
from offbranch.base.records import record, replace
from offbranch.experiments.attempts import log_of
from offbranch.experiments.checkpoint_chain import Chain
from offbranch.experiments.checkpoint_terms import Terms
from offbranch.experiments.checkpointer import Checkpointer, SharedReporter
from offbranch.experiments.experiment import Attempt, AttemptState, Experiment, ExperimentSpec, Where
from offbranch.experiments.go_on import begun_at, find_beginning, with_going_on
from offbranch.experiments.run import Outcome, run_in
from offbranch.experiments.workbench import make_workbench
from offbranch.git.repository import GitRepo
from offbranch.pipeline.options import FailurePolicy, RunOptions
from offbranch.pipeline.runner import CommandRunner
from offbranch.project import Project

OpenRunner = Callable[[AbsPath, tuple[int, ...]], AbstractContextManager[CommandRunner]]


@record
class Launch:
    """What a run needs from outside.

    Attributes:
        attempt_id: Identity of the attempt.
        open_runner: Gives a runner that writes its log to a path, and whose commands inherit some descriptors.
        clock: Seconds since the epoch.
    """

    attempt_id: str
    open_runner: OpenRunner
    reporter: Reporter
    clock: Callable[[], float] = time.time


@record
class Fate:
    """What becomes of an attempt that an error has ended.

    Attributes:
        state: FAILED or CANCELLED.
        cause: Instead of what the error says; empty to leave it.
        keeps_task: Whether the queued task that it carried out waits again.
    """

    state: AttemptState
    cause: str = ""
    keeps_task: bool = False


def fate_of(error: BaseException) -> Fate:
    """Returns the usual fate: who is stopped goes on another time, who fails does not."""
    if isinstance(error, KeyboardInterrupt):
        return Fate(state=AttemptState.CANCELLED, keeps_task=True)
    return Fate(state=AttemptState.FAILED)


@record
class Underway:
    """One experiment while it is made.

    Attributes:
        project: The user's project, which keeps the record and the log.
        repo: Its repository, which gets the commit and the refs.
        attempt: The record as it is now.
        drop: Refs that go with the attempt.
        task: Ref of the queued task that it carries out.
        lease: Ref that says that the task is ours; whoever finds it changed has lost the task, and publishes nothing.
        fate: What an error that ends it means for it and for its task.
        chain: Its checkpoints, which may have moved its record on; None where it cannot make any.
        supersedes: Ids of attempts that go when it has become an experiment: it has gone on from where they were.
    """

    project: Project
    repo: GitRepo
    spec: ExperimentSpec
    launch: Launch
    attempt: Attempt
    drop: tuple[str, ...] = ()
    task: str | None = None
    lease: str | None = None
    fate: Callable[[BaseException], Fate] = fate_of
    chain: Chain | None = None
    supersedes: tuple[str, ...] = ()

    @property
    def log(self) -> AbsPath:
        """Where the output of the commands is kept."""
        return join(self.project.root, self.attempt.log)


@record
class Ran:
    """A finished experiment and what was done for it."""

    experiment: Experiment
    outcome: Outcome


def new_attempt(project: Project, spec: ExperimentSpec, launch: Launch, where: Where) -> Attempt:
    """Returns the record of an attempt that is about to start."""
    begun = None if spec.resumed is None or project.repo is None else begun_at(project.repo, spec)
    return Attempt(
        id=launch.attempt_id,
        name=spec.name,
        baseline=spec.baseline,
        where=where,
        state=AttemptState.RUNNING,
        process=this_process(),
        root=project.root,
        log=log_of(launch.attempt_id),
        started_utc=launch.clock(),
        overrides=spec.overrides,
        checkpoints=begun or 0,
        checkpoint=spec.resumed,
        resumed=spec.resumed,
    )


def carry_out_in(
    place: Project,
    under: Underway,
    options: RunOptions,
    *,
    keep_open: tuple[int, ...] = (),
    parameters: Mapping[RepoPath, bytes] | None = None,
    copy_paths: tuple[RepoPath, ...] = (),
) -> Outcome:
    """Runs the stages in a directory whose parameter files are ready; a failed one is in the result.

    Args:
        keep_open: Descriptors of locks that must live as long as a command, also if we are killed.
        parameters: What of these files the attempt does not begin with.
        copy_paths: Paths of the user's project that have been copied to the directory.
    """
    reporter = SharedReporter(under.launch.reporter)
    assert under.chain is not None
    under.chain.place_root = place.root
    begun = find_beginning(place, under.spec)
    if begun is not None and begun.mark is not None:
        under.chain.live.update(dict.fromkeys(begun.mark.live))
    terms = Terms(
        place=place,
        project=under.project,
        repo=under.repo,
        spec=under.spec,
        chain=under.chain,
        reporter=reporter,
        parameters=parameters or {},
        select=options.select,
        copy_paths=copy_paths,
        begun=begun,
    )
    with under.launch.open_runner(under.log, keep_open) as runner, closing(Checkpointer(terms)) as watcher:
        bench = make_workbench(
            place,
            runner=runner,
            reporter=reporter,
            env=terms.variables,
            pull=options.execute.pull,
            home=under.project,
            watcher=watcher,
        )
        outcome = run_in(place, under.spec, options, with_going_on(place, bench, begun, options.execute))
        if outcome.result.error is not None:
            watcher.keep_ends()
        return outcome


def with_chain(under: Underway) -> Underway:
    """Returns a run whose attempt is recorded, ready for checkpoints."""
    root, spec = under.project.root, under.spec
    return replace(under, chain=Chain(under.repo, root, spec, under.attempt, under.lease))


def raise_if_failed(outcome: Outcome, options: RunOptions) -> None:
    """Raises the first failure of a run, unless failures are to be ignored."""
    error = outcome.result.error
    if error is not None and (isinstance(error, Interrupted) or options.execute.on_failure is not FailurePolicy.IGNORE):
        raise error
