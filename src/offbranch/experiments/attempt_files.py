"""What is recorded of the files of a run that has not come to its end."""

from offbranch.base.paths import RepoPath
from offbranch.experiments.commit import files_of_stages, snapshot_of
from offbranch.experiments.loading import load
from offbranch.experiments.run import Outcome
from offbranch.git.objects import TreeId
from offbranch.git.repository import GitRepo
from offbranch.project import Project


def tree_of_attempt(place: Project, repo: GitRepo, outcome: Outcome | None, live: tuple[RepoPath, ...] = ()) -> TreeId:
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
    return snapshot_of(place, repo, (*files_of_stages(pipelines, pipelines.stages), *live), exclude=stale)
