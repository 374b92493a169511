"""An experiment in the workspace: HEAD, the index and everything the run does not itself write stay as they are.

Order of writing: a record of what the parameter files hold, the parameters, the attempt's commit and ref, the pipeline, the
commit of the experiment, and last one transaction of refs. Killed anywhere, `recover_attempts` finds it and clears it up.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from offbranch.base.errors import Interrupted, OffbranchError, StageFailedError
from offbranch.base.events import Reporter
from offbranch.base.paths import AbsPath, RepoPath, join
from offbranch.base.processes import this_process
from offbranch.base.records import record, replace
from offbranch.experiments.attempts import begin_attempt, end_attempt, log_of, prune_records, publish, write_record
from offbranch.experiments.commit import (
    commit_experiment,
    files_of_stages,
    reproduced_entries,
    snapshot_of,
    standard_message,
)
from offbranch.experiments.events import ExperimentStarted, WorkspaceRestored
from offbranch.experiments.experiment import Attempt, AttemptState, Experiment, ExperimentSpec, Where
from offbranch.experiments.loading import load
from offbranch.experiments.peer_signals import clear_running, show_running
from offbranch.experiments.preview import look_ahead
from offbranch.experiments.refs import EXEC_HEAD
from offbranch.experiments.restore import read_files, restore_files, restore_outputs
from offbranch.experiments.run import Outcome, RunOptions, parse_overrides, run_in, write_parameter_files
from offbranch.experiments.workbench import make_workbench
from offbranch.git.objects import TreeId
from offbranch.git.refs import ANY, RefUpdate
from offbranch.git.repository import GitRepo
from offbranch.pipeline.execute import FailurePolicy
from offbranch.pipeline.runner import CommandRunner
from offbranch.project import Project

OpenRunner = Callable[[AbsPath], AbstractContextManager[CommandRunner]]


@record
class Launch:
    """What a run needs from outside.

    Attributes:
        attempt_id: Identity of the attempt.
        open_runner: Gives a runner that writes its log to a path.
        clock: Seconds since the epoch.
    """

    attempt_id: str
    open_runner: OpenRunner
    reporter: Reporter
    clock: Callable[[], float] = time.time


@record
class Ran:
    """A finished experiment and what was done for it."""

    experiment: Experiment
    outcome: Outcome


def run_workspace(project: Project, repo: GitRepo, spec: ExperimentSpec, options: RunOptions, launch: Launch) -> Ran:
    """Runs an experiment in the workspace.

    Raises:
        StageFailedError: A stage failed; the attempt is recorded and the workspace is as it was.
        Interrupted: The user stopped it; likewise.
        OffbranchError: Something is wrong with the input; nothing has been changed.
    """
    ahead = look_ahead(project, spec, options)
    written = ahead.written
    files = files_of_stages(ahead.pipelines, ahead.pipelines.stages)
    originals = read_files(project.root, dict.fromkeys((*written, *files)))
    attempt = replace(
        new_attempt(project, spec, launch, Where.WORKSPACE),
        originals={path: _text(originals[path]) for path in written},
    )
    # The record comes before the first change, so that whoever finds it after a kill can undo that change.
    write_record(project.root, attempt)
    outcome: Outcome | None = None
    try:
        write_parameter_files(project, written)
        tree = snapshot_of(project, repo, (*files, *written))
        exec_head = RefUpdate(ref=EXEC_HEAD, new=spec.baseline, old=ANY)
        attempt = begin_attempt(repo, project.root, attempt, tree, exec_head)
        launch.reporter.emit(ExperimentStarted(name=spec.name, log=attempt.log))
        show_running(project, spec)
        with launch.open_runner(join(project.root, attempt.log)) as runner:
            bench = make_workbench(project, runner=runner, reporter=launch.reporter, env=experiment_env(project, spec))
            outcome = run_in(project, spec, options, bench)
        raise_if_failed(outcome, options)
        experiment = conclude(project, repo, spec, attempt, outcome, launch, forget=(EXEC_HEAD,))
    except BaseException as error:
        # Each for itself, for a full disk may keep Git from taking it. The first error is the one to tell.
        as_found: TreeId | None = None
        with suppress(OffbranchError, OSError):
            as_found = tree_of_attempt(project, repo, outcome)
        # Before the attempt gets another commit: its present one is what we, or `recover_attempts`, restore from.
        with suppress(OffbranchError, OSError):
            _restore(project, spec, outcome, launch, originals, written)
        with suppress(OffbranchError, OSError):
            drop = RefUpdate(ref=EXEC_HEAD, new=None, old=ANY)
            end_attempt(repo, project.root, ended_attempt(attempt, error, launch), as_found, drop)
        raise
    finally:
        clear_running(project)
    return Ran(experiment=experiment, outcome=outcome)


def new_attempt(project: Project, spec: ExperimentSpec, launch: Launch, where: Where) -> Attempt:
    """Returns the record of an attempt that is about to start."""
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
    )


def experiment_env(project: Project, spec: ExperimentSpec) -> dict[str, str]:
    """Returns the variables a command of an experiment finds."""
    return {
        "DVC_EXP_NAME": spec.name,
        "DVC_EXP_BASELINE_REV": spec.baseline,
        "DVC_ROOT": project.root,
    }


def raise_if_failed(outcome: Outcome, options: RunOptions) -> None:
    """Raises the first failure of a run, unless failures are to be ignored."""
    error = outcome.result.error
    if error is not None and (isinstance(error, Interrupted) or options.execute.on_failure is not FailurePolicy.IGNORE):
        raise error


def conclude(
    project: Project,
    repo: GitRepo,
    spec: ExperimentSpec,
    attempt: Attempt,
    outcome: Outcome,
    launch: Launch,
    *,
    copy: Project | None = None,
    forget: tuple[str, ...] = (),
) -> Experiment:
    """Commits the files of a finished run and publishes the experiment; the refs are the last thing written.

    Args:
        copy: The directory it ran in, when that is not the workspace.
        forget: Refs that go with the attempt.
    """
    place = copy or project
    touched = [path for result in outcome.result.stages for path in result.touched]
    files = files_of_stages(outcome.pipelines, (result.stage for result in outcome.result.stages))
    tree = snapshot_of(place, place.repo or repo, dict.fromkeys((*files, *touched, *_overridden(spec))))
    message = spec.message or standard_message(reproduced_entries(outcome.result.stages))
    commit = commit_experiment(repo, tree=tree, baseline=spec.baseline, message=message)
    ended = replace(attempt, state=AttemptState.SUCCEEDED, ended_utc=launch.clock())
    drop = [RefUpdate(ref=ref, new=None, old=ANY) for ref in forget]
    experiment = publish(repo, project.root, ended, spec, commit, *drop)
    prune_records(project.root)
    return experiment


def ended_attempt(attempt: Attempt, error: BaseException, launch: Launch) -> Attempt:
    """Returns the record of an attempt that an error ended."""
    stopped = isinstance(error, (Interrupted, KeyboardInterrupt))
    return replace(
        attempt,
        state=AttemptState.CANCELLED if stopped else AttemptState.FAILED,
        ended_utc=launch.clock(),
        exit_code=error.exit_code_of_command if isinstance(error, StageFailedError) else None,
        stage=error.stage if isinstance(error, StageFailedError) else None,
        cause=str(error) or type(error).__name__,
    )


def tree_of_attempt(place: Project, repo: GitRepo, outcome: Outcome | None) -> TreeId:
    """Returns the files of an unfinished run, without outputs that are left over from earlier runs."""
    reached: frozenset[str] = frozenset()
    pipelines = outcome.pipelines if outcome else load(place)
    considered = outcome.selection.stages if outcome else pipelines.stages
    if outcome is not None:
        reached = frozenset(result.stage.address for result in outcome.result.stages)
    stale = [
        out.path
        for stage in considered
        if stage.address not in reached
        for out in stage.outs
        if not out.cache and out.path is not None
    ]
    return snapshot_of(place, repo, files_of_stages(pipelines, pipelines.stages), exclude=stale)


def _restore(
    project: Project,
    spec: ExperimentSpec,
    outcome: Outcome | None,
    launch: Launch,
    originals: dict[RepoPath, bytes | None],
    written: dict[RepoPath, bytes],
) -> None:
    done = list(restore_files(project.root, originals, written))
    if outcome is not None:
        touched = {path for result in outcome.result.stages for path in result.touched if path in originals}
        now = {path: content for path, content in read_files(project.root, touched).items() if content is not None}
        done += restore_files(project.root, originals, now)
        with launch.open_runner(join(project.root, log_of(launch.attempt_id))) as runner:
            bench = make_workbench(project, runner=runner, reporter=launch.reporter)
            done += restore_outputs(outcome, bench, originals)
    launch.reporter.emit(WorkspaceRestored(name=spec.name, paths=tuple(dict.fromkeys(done))))


def _overridden(spec: ExperimentSpec) -> list[RepoPath]:
    return [RepoPath(override.file) for override in parse_overrides(spec)]


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8", "surrogateescape")
