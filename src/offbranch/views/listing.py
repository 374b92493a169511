"""The names of experiments by baseline, and their text."""

from offbranch.base.records import record
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.refs import by_baseline, list_experiments
from offbranch.git.repository import GitRepo, head_commit
from offbranch.views.baselines import Baseline, choose_baselines, name_baselines


@record
class ListOptions:
    """What `exp list` is asked for.

    Attributes:
        revs: Revisions to start from; HEAD when empty.
        num: How many commits from each start on, along first parents; negative means all.
        all_commits: Every experiment of the repository.
    """

    revs: tuple[str, ...] = ()
    num: int = 1
    all_commits: bool = False


@record
class Listing:
    """Baselines that have experiments, each with them in the order of their names."""

    groups: tuple[tuple[Baseline, tuple[Experiment, ...]], ...]


def collect_listing(repo: GitRepo, options: ListOptions) -> Listing:
    """Returns the experiments asked for; with all of them, those of HEAD come first.

    Raises:
        NotFoundError: A revision does not exist.
        GitError: There is no commit yet.
    """
    if options.all_commits:
        groups = by_baseline(list_experiments(repo))
        head = head_commit(repo)
        commits = sorted(groups, key=lambda commit: (commit != head, commit))
    else:
        chosen = choose_baselines(repo, revs=options.revs, num=options.num)
        groups = by_baseline(list_experiments(repo, chosen[0] if len(chosen) == 1 else None))
        commits = [commit for commit in chosen if commit in groups]
    if not commits:
        return Listing(groups=())
    named = name_baselines(repo, commits)
    return Listing(groups=tuple((baseline, groups[baseline.commit]) for baseline in named))


def render_listing(listing: Listing) -> str:
    """Returns `exp list`: each baseline, and below it the short id and name of every experiment."""
    lines = []
    for baseline, experiments in listing.groups:
        lines.append(f"{baseline.name or baseline.commit[:7]}:")
        lines += [f"\t{experiment.commit[:7]} [{experiment.name}]" for experiment in experiments]
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
            "experiments": [{"name": each.name, "rev": each.commit} for each in experiments],
        }
        for baseline, experiments in listing.groups
    ]


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
