"""An experiment that is under way: what every run has around it, wherever it runs.

From the record of the attempt to the published experiment, or to the record of how it failed. `workspace_run.py` and
`temporary_run.py` differ only in the directory and in what has to be put back.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, suppress

from offbranch.base.errors import Interrupted, OffbranchError, StageFailedError
from offbranch.base.events import Reporter
from offbranch.base.files import remove_tree
from offbranch.base.paths import AbsPath, RepoPath, join
from offbranch.base.processes import this_process
from offbranch.base.records import record, replace
from offbranch.base.undisturbed import undisturbed
from offbranch.experiments.attempt_files import tree_of_attempt
from offbranch.experiments.attempts import attempt_dir, end_attempt, log_of, prune_records, publish
from offbranch.experiments.checkpoint_chain import Chain, name_was_at, put_back
from offbranch.experiments.checkpoint_terms import Terms
from offbranch.experiments.checkpointer import Checkpointer, SharedReporter
from offbranch.experiments.commit import (
    commit_experiment,
    files_of_stages,
    reproduced_entries,
    snapshot_of,
    standard_message,
)
from offbranch.experiments.composition import composition_headers, source_files
from offbranch.experiments.experiment import TASK_HEADER, Attempt, AttemptState, Experiment, ExperimentSpec, Where
from offbranch.experiments.failure_help import cause_of, hint_of_failure
from offbranch.experiments.go_on import begun_at, with_going_on
from offbranch.experiments.labels import leftover_labels
from offbranch.experiments.refs import attempt_ref
from offbranch.experiments.run import Outcome, parse_overrides, run_in
from offbranch.experiments.workbench import make_workbench
from offbranch.git.collecting import no_collection
from offbranch.git.objects import TreeId
from offbranch.git.refs import ANY, RefUpdate
from offbranch.git.repository import GitRepo
from offbranch.params.apply import file_of
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
    if isinstance(error, (Interrupted, KeyboardInterrupt)):
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
        return run_in(place, under.spec, options, with_going_on(place, bench, under.spec, options.execute))


def with_chain(under: Underway) -> Underway:
    """Returns a run whose attempt is recorded, ready for checkpoints."""
    root, spec = under.project.root, under.spec
    return replace(under, chain=Chain(under.repo, root, spec, under.attempt, under.lease))


def _as_it_is(under: Underway) -> Underway:
    """Returns a run with its record as its checkpoints have left it."""
    return under if under.chain is None else replace(under, attempt=under.chain.attempt)


def raise_if_failed(outcome: Outcome, options: RunOptions) -> None:
    """Raises the first failure of a run, unless failures are to be ignored."""
    error = outcome.result.error
    if error is not None and (isinstance(error, Interrupted) or options.execute.on_failure is not FailurePolicy.IGNORE):
        raise error


def conclude(under: Underway, place: Project, outcome: Outcome) -> Experiment:
    """Commits the files of a finished run and publishes the experiment; the refs are the last thing written.

    Args:
        under: The experiment.
        place: The directory it ran in.
        outcome: What was done.
    """
    with no_collection(under.repo):
        experiment = _publish(_as_it_is(under), place, outcome)
    with suppress(OSError):  # published is published, whatever becomes of old logs
        for attempt_id in under.supersedes:
            remove_tree(attempt_dir(under.project.root, attempt_id))
        prune_records(under.project.root)
    return experiment


def _publish(under: Underway, place: Project, outcome: Outcome) -> Experiment:
    results, spec = outcome.result.stages, under.spec
    touched = [path for result in results for path in result.touched]
    overridden = [file_of(override) for override in parse_overrides(spec)]
    files = files_of_stages(outcome.pipelines, (result.stage for result in results))
    # A copy was filled with the sources; what is there beside them are files that Git ignores in the workspace.
    sources = source_files(place, spec.hydra)[: None if place is under.project else 1]
    live = under.chain.live if under.chain is not None else ()
    tree = snapshot_of(place, place.repo or under.repo, dict.fromkeys((*files, *touched, *overridden, *sources, *live)))
    message = spec.message or standard_message(reproduced_entries(results))
    headers = composition_headers(spec)
    if under.attempt.task_id is not None:
        headers += ((TASK_HEADER, under.attempt.task_id),)
    parent = (under.chain.tip if under.chain is not None else None) or spec.baseline
    commit = commit_experiment(under.repo, tree=tree, parent=parent, message=message, headers=headers)
    ended = replace(under.attempt, state=AttemptState.SUCCEEDED, ended_utc=under.launch.clock())
    more = (*_drops(under), *_superseded(under), *leftover_labels(under.repo, spec.baseline, spec.name))
    return publish(under.repo, under.project.root, ended, spec, commit, *more, was=name_was_at(under.chain))


def give_up(
    under: Underway, place: Project, outcome: Outcome | None, error: BaseException, *, restore: Callable[[], None]
) -> None:
    """Records how a run failed, and has the workspace put back; never raises, for the first error is the one to tell.

    Each step stands for itself: a full disk may keep Git from taking the files, and must not keep us from the rest.
    """
    attempt = under.attempt if under.chain is None else under.chain.attempt
    if isinstance(error, OffbranchError) and error.hint is None:
        error.hint = hint_of_failure(attempt, has_failed=isinstance(error, StageFailedError))
    with undisturbed():
        if under.chain is not None:
            under.chain.close()
        with no_collection(under.repo):
            _give_up(_as_it_is(under), place, outcome, error, restore)


def _give_up(
    under: Underway, place: Project, outcome: Outcome | None, error: BaseException, restore: Callable[[], None]
) -> None:
    as_found: TreeId | None = None
    with suppress(OffbranchError, OSError):
        live = tuple(under.chain.live) if under.chain is not None else ()
        as_found = tree_of_attempt(place, place.repo or under.repo, outcome, live)
    # Before the attempt gets another commit: its present one is what we, or `recover_attempts`, restore from.
    with suppress(OffbranchError, OSError):
        restore()
    with suppress(OffbranchError, OSError):
        fate = under.fate(error)
        ended = ended_attempt(under.attempt, error, fate, under.launch)
        drops = (*_drops(under, keep_task=fate.keeps_task), *put_back(under.repo, under.attempt))
        end_attempt(under.repo, under.project.root, ended, as_found, *drops)


def ended_attempt(attempt: Attempt, error: BaseException, fate: Fate, launch: Launch) -> Attempt:
    """Returns the record of an attempt that an error ended."""
    return replace(
        attempt,
        state=fate.state,
        ended_utc=launch.clock(),
        exit_code=error.exit_code_of_command if isinstance(error, StageFailedError) else None,
        stage=error.stage if isinstance(error, StageFailedError) else None,
        cause=fate.cause or cause_of(error),
    )


def _superseded(under: Underway) -> list[RefUpdate]:
    return [RefUpdate(ref=attempt_ref(each), new=None, old=ANY) for each in under.supersedes]


def _drops(under: Underway, *, keep_task: bool = False) -> list[RefUpdate]:
    task = () if under.task is None or keep_task else (under.task,)
    lease = [] if under.lease is None else [RefUpdate(ref=under.lease, new=None, old=under.attempt.commit)]
    return [*(RefUpdate(ref=ref, new=None, old=ANY) for ref in (*under.drop, *task)), *lease]
