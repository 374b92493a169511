"""What `ob exp run --resume` means: the checkpoint to go on from, and whether the same experiment goes on or a new one begins.

Reads only. A chain belongs to an experiment, or, where a run had taken the name of another one by force, to its attempt.
"""

from collections.abc import Collection, Container, Sequence

from offbranch.base.errors import ConflictError, NotFoundError, UsageError
from offbranch.base.records import record
from offbranch.experiments.attempts import list_attempts
from offbranch.experiments.chains import chains_of, present_commits
from offbranch.experiments.checkpoint_commits import Checkpoint, checkpoint_at, find_in_chains
from offbranch.experiments.checkpoint_names import LAST, NameParts, mark_of, split_name
from offbranch.experiments.experiment import Attempt, AttemptState, Experiment
from offbranch.experiments.refs import find_checkpoint, find_experiment, list_experiments, unknown_revision
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import resolve_revision
from offbranch.git.repository import GitRepo
from offbranch.project import Project


@record
class Source:
    """What a run goes on from.

    Attributes:
        name: The experiment.
        baseline: Where it started.
        commit: The checkpoint, or the end of a run.
        is_tip: Whether nothing comes after it in its chain.
        takes_name: Whether it takes the name of another experiment by force, as the run before did.
        attempts: Attempts that did not get further than it, of the same experiment.
        unstarted: One that was to go on from there as another experiment and has made no checkpoint itself: what it had
            changed is known by it alone.
    """

    name: str
    baseline: CommitId
    commit: CommitId
    is_tip: bool
    takes_name: bool = False
    attempts: tuple[Attempt, ...] = ()
    unstarted: Attempt | None = None


def find_source(project: Project, repo: GitRepo, text: str) -> Source:
    """Returns what the user wants to go on from.

    Args:
        text: A name, `NAME@3`, a commit id, the id of an attempt; empty for the newest run that has not come to its end.

    Raises:
        NotFoundError: There is no such experiment or checkpoint, or it has none.
        ConflictError: It is running.
    """
    attempts = list_attempts(repo, project.root)
    if not text:
        text = _newest(repo, attempts)
    found, attempt = _find(repo, text, attempts)
    own = found.experiment
    _refuse_running(own, attempts)
    names = {each.name for each in list_experiments(repo, own.baseline)}
    related = [each for each in attempts if _is_part(each, own, names)]
    with ObjectReader(repo) as objects:
        chain = chains_of(objects, (own,))[own.ref]
        marks = [mark_of(each) for each in objects.commits(chain)]
    if found.commit not in chain:
        raise NotFoundError(f"'{text}' is no checkpoint of '{own.name}'", hint=f"ob exp show --checkpoints {own.name}")
    if not any(marks) and len(chain) == 1:
        raise NotFoundError(
            f"'{own.name}' has no checkpoints, so there is nothing to go on from",
            hint=f"run it again: ob exp run -f -n {own.name}; what makes checkpoints: ob exp run --checkpoint",
        )
    return Source(
        name=own.name,
        baseline=own.baseline,
        commit=found.commit,
        is_tip=found.commit == own.commit,
        takes_name=attempt is not None and attempt.replaced is not None,
        attempts=tuple(each for each in related if each.checkpoint in chain),
        unstarted=attempt if attempt is not None and found.commit == attempt.resumed else None,
    )


def _is_part(attempt: Attempt, own: Experiment, names: Collection[str]) -> bool:
    """Tells whether an attempt that has come no further than an experiment was an attempt at it.

    It may have had another name then: that name is free, and the attempt has made the checkpoint that it ends with.
    """
    if attempt.baseline != own.baseline:
        return False
    return attempt.name == own.name or (attempt.name not in names and attempt.checkpoint != attempt.resumed)


def superseded(
    attempts: Sequence[Attempt], name: str, baseline: CommitId, chain: Container[CommitId]
) -> tuple[Attempt, ...]:
    """Returns attempts at an experiment that go when a run has come to its end that began at a commit of a chain.

    Those at tasks are the history of these.
    """
    return tuple(
        each
        for each in attempts
        if (each.name, each.baseline, each.task_id) == (name, baseline, None)
        and each.checkpoint in chain
        and each.true_state is not AttemptState.RUNNING
    )


def _newest(repo: GitRepo, attempts: Sequence[Attempt]) -> str:
    """Returns what the newest run that has not come to its end is called: an attempt, or what was brought from elsewhere."""
    other: Attempt | None = None
    for each in attempts:
        if each.checkpoint is None or _is_finished(repo, each):
            continue
        if each.true_state is not AttemptState.RUNNING and each.task_id is None:
            return each.id
        other = other or each
    if other is not None:
        raise _not_to_be_gone_on_with(other)
    if (brought := _newest_tip(repo)) is not None:
        return brought
    raise NotFoundError(
        "there is nothing to go on from: every run with checkpoints has come to its end",
        hint="go on from one of those with other parameters: ob exp run --resume NAME -S KEY=VALUE",
    )


def _find(repo: GitRepo, text: str, attempts: Sequence[Attempt]) -> tuple[Checkpoint, Attempt | None]:
    """Returns the checkpoint that a text means, and the attempt that alone has its chain."""
    is_name = find_experiment(repo, text) is not None
    parts = NameParts(name=text) if is_name else split_name(text) or NameParts(name=text)
    attempt = next((each for each in attempts if parts.name == each.id), None) or _of_name(repo, parts.name, attempts)
    if attempt is not None:
        if attempt.checkpoint is None:
            raise NotFoundError(
                f"the attempt '{attempt.id}' at '{attempt.name}' has no checkpoints",
                hint=f"run it again: ob exp run -n {attempt.name}",
            )
        return checkpoint_at(repo, _chain_of(repo, attempt), parts), attempt
    found = find_checkpoint(repo, text)
    if found is not None:
        return found, None
    without = next((each for each in attempts if each.name == parts.name), None)
    if without is not None:
        raise NotFoundError(
            f"'{parts.name}' has no checkpoints, so there is nothing to go on from",
            hint=f"run it again: ob exp run -n {parts.name}",
        )
    if (commit := resolve_revision(repo, text)) is None:
        name, at, _ = text.rpartition("@")
        if at and find_experiment(repo, name) is not None:
            raise NotFoundError(
                f"'{text}' does not exist: a number comes after '@'", hint=f"{name}@{LAST} is the newest"
            )
        raise unknown_revision(repo, text, [each.name for each in attempts])
    found = find_in_chains(repo, list_experiments(repo), commit)
    if found is None:
        raise NotFoundError(f"'{text}' is no checkpoint of an experiment", hint="ob exp show --checkpoints lists them")
    return found, None


def _of_name(repo: GitRepo, name: str, attempts: Sequence[Attempt]) -> Attempt | None:
    """Returns the newest attempt of a name if its chain is not that of the experiment, which has got its name back."""
    attempt = next((each for each in attempts if each.name == name and each.checkpoint is not None), None)
    if attempt is None:
        return None
    made = find_experiment(repo, name)
    if made is None or (made.baseline == attempt.baseline and made.commit == attempt.replaced):
        return attempt
    return None


def _not_to_be_gone_on_with(attempt: Attempt) -> ConflictError | NotFoundError:
    if attempt.true_state is AttemptState.RUNNING:
        return ConflictError(
            f"there is nothing to go on from: '{attempt.name}' is running", hint="ob exp show tells how far it is"
        )
    return NotFoundError(
        f"there is nothing to go on from: '{attempt.name}', which has not come to its end, is a task of the queue",
        hint=f"ob queue retry {attempt.name} goes on with it there, ob exp run --resume {attempt.name} here",
    )


def _newest_tip(repo: GitRepo) -> CommitId | None:
    """Returns the newest experiment that ends with a checkpoint."""
    tips = [each.commit for each in list_experiments(repo)]
    with ObjectReader(repo) as objects:
        open_ = [each for each in objects.commits(sorted(present_commits(objects, tips))) if mark_of(each) is not None]
    return max(open_, key=lambda each: each.commit_time).id if open_ else None


def _is_finished(repo: GitRepo, attempt: Attempt) -> bool:
    """Tells whether another run has gone on from an attempt, under the same name, and has come to its end."""
    own = _chain_of(repo, attempt)
    if own.commit == attempt.checkpoint:
        return False
    with ObjectReader(repo) as objects:
        return mark_of(objects.commit(own.commit)) is None


def _chain_of(repo: GitRepo, attempt: Attempt) -> Experiment:
    """Returns the chain of an attempt: the experiment's own where that has it, for it may have grown since."""
    assert attempt.checkpoint is not None
    alone = Experiment(name=attempt.name, baseline=attempt.baseline, commit=attempt.checkpoint, ref="")
    having = [e for e in list_experiments(repo, attempt.baseline) if e.name == attempt.name]
    if not having:
        return alone
    with ObjectReader(repo) as objects:
        chains = chains_of(objects, having)
    return next((each for each in having if attempt.checkpoint in chains[each.ref]), alone)


def _refuse_running(own: Experiment, attempts: Sequence[Attempt]) -> None:
    for each in attempts:
        same = (each.name, each.baseline) == (own.name, own.baseline)
        if same and each.true_state is AttemptState.RUNNING:
            raise ConflictError(
                f"'{own.name}' is running, so it cannot be gone on from", hint="ob exp show tells how far it is"
            )


def refuse_finished(name: str) -> UsageError:
    """Returns the error for going on from an experiment that has come to its end, with nothing changed."""
    return UsageError(
        f"there is nothing to resume: '{name}' has come to its end",
        hint=f"change something: ob exp run --resume {name} -S KEY=VALUE; or go on from an earlier one: {name}@N",
    )
