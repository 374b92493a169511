"""An experiment in the workspace: HEAD, the index and everything the run does not itself write stay as they are.

Order of writing: a record of what the parameter files hold, the parameters, the attempt's commit and ref, the pipeline, the
commit of the experiment, and last one transaction of refs. Killed anywhere, `recover_attempts` finds it and clears it up.
"""

from collections.abc import Mapping

from offbranch.base.paths import RepoPath
from offbranch.base.records import record, replace
from offbranch.experiments.attempt_end import conclude, give_up
from offbranch.experiments.attempts import begin_attempt, write_record
from offbranch.experiments.commit import files_of_stages, files_written_by, snapshot_of
from offbranch.experiments.composition import source_files
from offbranch.experiments.events import ExperimentStarted, WorkspaceRestored
from offbranch.experiments.experiment import ExperimentSpec, Where
from offbranch.experiments.loading import load
from offbranch.experiments.peer_signals import clear_running, show_running
from offbranch.experiments.preview import look_ahead
from offbranch.experiments.refs import EXEC_HEAD
from offbranch.experiments.restore import read_files, restore_files, restore_outputs
from offbranch.experiments.resume_files import Resumed, write_files
from offbranch.experiments.run import Outcome, write_parameter_files
from offbranch.experiments.run_environment import note_environment
from offbranch.experiments.underway import (
    Launch,
    Ran,
    Underway,
    carry_out_in,
    new_attempt,
    raise_if_failed,
    with_chain,
)
from offbranch.experiments.workbench import make_workbench
from offbranch.git.collecting import no_collection
from offbranch.git.refs import ANY, RefUpdate
from offbranch.git.repository import GitRepo
from offbranch.pipeline.options import RunOptions
from offbranch.project import Project


@record
class _Before:
    """What has to be put back after a failure.

    Attributes:
        originals: Content of every file that the run may write, None where there was none.
        written: What was made of files before anything ran: by the overrides, or by going on from a checkpoint.
    """

    originals: Mapping[RepoPath, bytes | None]
    written: Mapping[RepoPath, bytes | None]


def run_workspace(
    project: Project,
    repo: GitRepo,
    spec: ExperimentSpec,
    options: RunOptions,
    launch: Launch,
    resumed: Resumed | None = None,
) -> Ran:
    """Runs an experiment in the workspace.

    Args:
        resumed: What it goes on from.

    Raises:
        StageFailedError: A stage failed; the attempt is recorded and the workspace is as it was.
        Interrupted: The user stopped it; likewise.
        OffbranchError: Something is wrong with the input; nothing has been changed.
    """
    ahead = look_ahead(project, spec, options, launch.reporter, None if resumed is None else resumed.files)
    stages = ahead.pipelines.stages
    written = {**(resumed.contents if resumed is not None else {}), **ahead.written}
    before = _Before(originals=read_files(project.root, (*written, *files_written_by(stages))), written=written)
    attempt = replace(
        new_attempt(project, spec, launch, Where.WORKSPACE),
        originals={path: _text(before.originals[path]) for path in written},
    )
    under = Underway(project=project, repo=repo, spec=spec, launch=launch, attempt=attempt, drop=(EXEC_HEAD,))
    under = replace(under, supersedes=resumed.supersedes if resumed is not None else ())
    # The record comes before the first change, so that whoever finds it after a kill can undo that change.
    write_record(project.root, attempt)
    note_environment(project.root, attempt.id, project.environment.all)
    outcome: Outcome | None = None
    try:
        if resumed is not None:
            write_files(repo, resumed)
        write_parameter_files(project, ahead.written)
        files = (*files_of_stages(ahead.pipelines, stages), *written, *source_files(project, spec.hydra))
        exec_head = RefUpdate(ref=EXEC_HEAD, new=spec.baseline, old=ANY)
        with no_collection(repo):
            begun = begin_attempt(repo, project.root, attempt, snapshot_of(project, repo, files), exec_head)
        under = with_chain(replace(under, attempt=begun))
        launch.reporter.emit(ExperimentStarted(name=spec.name, log=attempt.log))
        show_running(project, spec)
        outcome = carry_out_in(project, under, options)
        raise_if_failed(outcome, options)
        experiment = conclude(under, project, outcome)
    except BaseException as error:
        ended = outcome
        is_anew = resumed is not None or options.execute.starts_over
        give_up(under, project, ended, error, restore=lambda: _restore(under, before, ended, is_anew=is_anew))
        raise
    finally:
        clear_running(project)
    return Ran(experiment=experiment, outcome=outcome)


def _restore(under: Underway, before: _Before, outcome: Outcome | None, *, is_anew: bool) -> None:
    root = under.project.root
    done = list(restore_files(root, before.originals, before.written))
    if outcome is not None:
        touched = {path for result in outcome.result.stages for path in result.touched if path in before.originals}
        now = {path: content for path, content in read_files(root, touched).items() if content is not None}
        done += restore_files(root, before.originals, now)
        with under.launch.open_runner(under.log, ()) as runner:
            bench = make_workbench(under.project, runner=runner, reporter=under.launch.reporter)
            done += restore_outputs(outcome, bench, before.originals, is_all=is_anew)
    if under.spec.resumed is not None:  # the outputs were not ours before the run either
        outs = {out.path for stage in load(under.project).stages for out in stage.outs if not out.cache}
        own = [path for path in before.written if path in outs]
        done += restore_files(root, before.originals, read_files(root, own))
    under.launch.reporter.emit(WorkspaceRestored(name=under.spec.name, paths=tuple(dict.fromkeys(done))))


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8", "surrogateescape")
