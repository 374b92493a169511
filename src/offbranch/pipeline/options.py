"""How stages are chosen and carried out, as it is asked for and as it is kept with a queued task; records only.

They are here and not beside what acts by them, so that a task can be read without loading what runs pipelines.
"""

from enum import Enum

from offbranch.base.paths import ROOT, RepoPath
from offbranch.base.records import field, record


@record
class SelectOptions:
    """How targets are turned into stages.

    Attributes:
        cwd: Directory of the project that targets are relative to.
        single_item: Only the targets themselves.
        pipeline: The whole connected pipeline of each target.
        all_pipelines: Every stage of the project.
        downstream: The targets and everything that needs them, instead of what they need.
        recursive: A directory stands for all stages below it.
        glob: Stage names may be shell patterns.
    """

    cwd: RepoPath = ROOT
    single_item: bool = False
    pipeline: bool = False
    all_pipelines: bool = False
    downstream: bool = False
    recursive: bool = False
    glob: bool = False


@record
class PlanOptions:
    """Attributes:
    force: Every stage runs, and the run-cache is not asked.
    forced_after: Children of a stage that ran are forced too.
    allow_missing: Missing content alone does not make a stage run.
    use_run_cache: The run-cache may restore results.
    """

    force: bool = False
    forced_after: bool = False
    allow_missing: bool = False
    use_run_cache: bool = True


class FailurePolicy(Enum):
    """What a failed stage does to the rest."""

    STOP = "stop"
    KEEP_GOING = "keep-going"
    IGNORE = "ignore"


@record
class ExecuteOptions:
    """Attributes:
    commit: Outputs go to the cache; without it only their hashes are recorded.
    pull: Missing content is fetched from the data remote where that makes a run unnecessary or possible.
    jobs: How many commands may run at the same time.
    starts_over: Outputs that stay between runs are removed first.
    """

    plan: PlanOptions = field(default_factory=PlanOptions)
    on_failure: FailurePolicy = FailurePolicy.STOP
    commit: bool = True
    pull: bool = False
    jobs: int = 1
    starts_over: bool = False


@record
class RunOptions:
    """How stages are chosen and carried out."""

    select: SelectOptions
    execute: ExecuteOptions
