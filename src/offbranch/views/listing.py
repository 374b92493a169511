"""The names of experiments by baseline, and their text."""

from collections.abc import Mapping, Sequence

from offbranch.base.paths import AbsPath
from offbranch.base.records import field, record
from offbranch.experiments.chains import present_commits
from offbranch.experiments.checkpoint_names import CheckpointMark, mark_of
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.lost_baselines import LostBaseline, find_lost
from offbranch.experiments.refs import by_baseline, list_experiments
from offbranch.git.ids import CommitId
from offbranch.git.objects import Commit, ObjectReader
from offbranch.git.repository import GitRepo, head_commit
from offbranch.views.baselines import Baseline, choose_baselines, lost_to_json, lost_words, name_baselines


@record
class ListOptions:
    """What `exp list` is asked for.

    Attributes:
        revs: Revisions to start from; HEAD when empty.
        num: How many commits from each start on, along first parents; negative means all; None for one.
        all_commits: Every experiment of the repository.
        hide_rewritten: Leaves out experiments whose baseline no branch or tag reaches.
    """

    revs: tuple[str, ...] = ()
    num: int | None = None
    all_commits: bool = False
    hide_rewritten: bool = False


@record
class Listing:
    """Baselines that have experiments, each with them in the order of their names.

    Attributes:
        groups: They.
        n_checkpoints: How many checkpoints an experiment has, by its ref; only of those that have any.
    """

    groups: tuple[tuple[Baseline, tuple[Experiment, ...]], ...]
    n_checkpoints: Mapping[str, int] = field(default_factory=dict)


def collect_listing(repo: GitRepo, options: ListOptions, *, root: AbsPath) -> Listing:
    """Returns the experiments asked for; those of HEAD come first, those whose baseline nothing reaches last.

    Raises:
        NotFoundError: A revision does not exist.
        GitError: There is no commit yet.
    """
    wants_lost = options.all_commits or not (options.revs or options.num is not None or options.hide_rewritten)
    chosen = () if options.all_commits else choose_baselines(repo, revs=options.revs, num=options.num)
    groups = by_baseline(list_experiments(repo, chosen[0] if len(chosen) == 1 and not wants_lost else None))
    lost: tuple[LostBaseline, ...] = ()
    head = head_commit(repo)
    if wants_lost and (others := groups.keys() - {*chosen, head}):
        with ObjectReader(repo) as objects:
            lost = find_lost(repo, objects, others, root=root)
    if options.all_commits:
        reached = groups.keys() - {each.commit for each in lost}
        commits = sorted(reached, key=lambda commit: (commit != head, commit))
    else:
        commits = [commit for commit in chosen if commit in groups]
    if options.hide_rewritten:
        lost = ()
    if not commits and not lost:
        return Listing(groups=())
    named = name_baselines(repo, commits, lost)
    found = tuple((baseline, groups[baseline.commit]) for baseline in named)
    return Listing(groups=found, n_checkpoints=count_each(repo, [each for _, group in found for each in group]))


def count_each(repo: GitRepo, experiments: Sequence[Experiment]) -> Mapping[str, int]:
    """Returns how many checkpoints experiments have: the number of the tip, or of the commit below it if that ended a run."""
    with ObjectReader(repo) as objects:
        tips = _present(objects, {each.ref: each.commit for each in experiments})
        goes_on = {
            each.ref: tip.parents[0] for each in experiments if (tip := tips.get(each.ref)) and _goes_on(tip, each)
        }
        below = _present(objects, goes_on)
    marks = {each.ref: _mark(tips.get(each.ref)) or _mark(below.get(each.ref)) for each in experiments}
    return {ref: mark.number for ref, mark in marks.items() if mark is not None}


def _present(objects: ObjectReader, commits: Mapping[str, CommitId]) -> Mapping[str, Commit]:
    """Returns those of some commits that are here."""
    here = present_commits(objects, commits.values())
    found = {ref: commit for ref, commit in commits.items() if commit in here}
    return dict(zip(found, objects.commits(list(found.values())), strict=True))


def _mark(commit: Commit | None) -> CheckpointMark | None:
    return None if commit is None else mark_of(commit)


def _goes_on(tip: Commit, experiment: Experiment) -> bool:
    return mark_of(tip) is None and bool(tip.parents) and tip.parents[0] != experiment.baseline


def group_listing(repo: GitRepo, experiments: Sequence[Experiment]) -> Listing:
    """Returns given experiments, of a Git remote as an example, by their baselines; those of HEAD come first."""
    groups = by_baseline(experiments)
    if not groups:
        return Listing(groups=())
    head = head_commit(repo)
    named = name_baselines(repo, sorted(groups, key=lambda commit: (commit != head, commit)))
    return Listing(groups=tuple((baseline, groups[baseline.commit]) for baseline in named))


def render_listing(listing: Listing, *, with_ids: bool = True) -> str:
    """Returns `exp list`: each baseline, and below it the short id and name of every experiment, or only the name."""
    lines = []
    for baseline, experiments in listing.groups:
        about = "" if baseline.lost is None else f" ({lost_words(lost_to_json(baseline.lost))})"
        lines.append(f"{baseline.name or baseline.commit[:7]}{about}:")
        for one in experiments:
            n = listing.n_checkpoints.get(one.ref)
            more = "" if n is None else f" ({n} checkpoint{'' if n == 1 else 's'})"
            lines.append(f"\t{one.commit[:7]} [{one.name}]{more}" if with_ids else f"\t{one.name}")
    return _joined(lines)


def render_names(listing: Listing) -> str:
    """Returns the names alone, one per line."""
    return _joined([experiment.name for _, experiments in listing.groups for experiment in experiments])


def render_commits(listing: Listing) -> str:
    """Returns the full commit ids alone, one per line."""
    return _joined([experiment.commit for _, experiments in listing.groups for experiment in experiments])


def listing_to_json(listing: Listing) -> list[dict[str, object]]:
    """Returns the listing for programs."""
    return [
        {
            "rev": baseline.commit,
            "name": baseline.name,
            "experiments": [
                {
                    "name": each.name,
                    "rev": each.commit,
                    **({"n_checkpoints": n} if (n := listing.n_checkpoints.get(each.ref)) is not None else {}),
                }
                for each in experiments
            ],
            **({} if baseline.lost is None else lost_to_json(baseline.lost)),
        }
        for baseline, experiments in listing.groups
    ]


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
