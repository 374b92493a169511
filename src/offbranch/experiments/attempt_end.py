"""How an attempt ends: as a published experiment, or as the record of how it failed."""

from collections.abc import Callable
from contextlib import suppress

from offbranch.base.errors import Interrupted, OffbranchError, StageFailedError
from offbranch.base.files import remove_tree
from offbranch.base.records import replace
from offbranch.base.undisturbed import undisturbed
from offbranch.experiments.attempt_files import tree_of_attempt
from offbranch.experiments.attempts import attempt_dir, end_attempt, prune_records, publish
from offbranch.experiments.checkpoint_chain import name_was_at, put_back
from offbranch.experiments.commit import (
    commit_experiment,
    files_of_stages,
    reproduced_entries,
    snapshot_of,
    standard_message,
)
from offbranch.experiments.composition import composition_headers, source_files
from offbranch.experiments.experiment import TASK_HEADER, Attempt, AttemptState, Experiment
from offbranch.experiments.failure_help import cause_of, hint_of_failure
from offbranch.experiments.labels import leftover_labels
from offbranch.experiments.refs import attempt_ref
from offbranch.experiments.run import Outcome, parse_overrides
from offbranch.experiments.underway import Fate, Launch, Underway
from offbranch.git.collecting import no_collection
from offbranch.git.objects import TreeId
from offbranch.git.refs import ANY, RefUpdate
from offbranch.params.apply import file_of
from offbranch.project import Project


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
    if isinstance(error, OffbranchError | Interrupted) and error.hint is None:
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


def _as_it_is(under: Underway) -> Underway:
    """Returns a run with its record as its checkpoints have left it."""
    return under if under.chain is None else replace(under, attempt=under.chain.attempt)


def _superseded(under: Underway) -> list[RefUpdate]:
    return [RefUpdate(ref=attempt_ref(each), new=None, old=ANY) for each in under.supersedes]


def _drops(under: Underway, *, keep_task: bool = False) -> list[RefUpdate]:
    task = () if under.task is None or keep_task else (under.task,)
    lease = [] if under.lease is None else [RefUpdate(ref=under.lease, new=None, old=under.attempt.commit)]
    return [*(RefUpdate(ref=ref, new=None, old=ANY) for ref in (*under.drop, *task)), *lease]
