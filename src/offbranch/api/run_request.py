"""What `ob exp run` is asked to do, now or by the queue, and what came of it; records only."""

from offbranch.base.records import field, record
from offbranch.experiments.experiment import Experiment
from offbranch.pipeline.options import ExecuteOptions, SelectOptions
from offbranch.pipeline.plan import Plan


@record
class RunRequest:
    """What `ob exp run` is asked to do.

    Attributes:
        overrides: Texts of `-S`, in order.
        name: Name of the experiment; None for an automatic one.
        message: Commit message; None for the standard one.
        force: Replaces an experiment of this name and runs every stage.
        targets: Stages; empty means the pipeline file of the directory.
        temporary: Runs in a temporary copy.
        copy_paths: For a temporary run: untracked paths it shall have too.
        dry: Only plans.
        use_hydra: Composes the parameters with Hydra where the project is configured for it.
        checkpoint: When checkpoints are made: `auto`, `every` or `off`; None as configured.
        keep_checkpoints: Whose data is kept; None as configured.
        resume: The experiment, or a checkpoint of it, to go on from; empty for the newest run that has not come to its
            end; None to begin anew.
        select: How the stages are chosen.
        execute: How they are carried out.
    """

    overrides: tuple[str, ...] = ()
    name: str | None = None
    message: str | None = None
    force: bool = False
    targets: tuple[str, ...] = ()
    temporary: bool = False
    copy_paths: tuple[str, ...] = ()
    dry: bool = False
    use_hydra: bool = True
    checkpoint: str | None = None
    keep_checkpoints: str | None = None
    resume: str | None = None
    select: SelectOptions = field(default_factory=SelectOptions)
    execute: ExecuteOptions = field(default_factory=ExecuteOptions)


@record
class RunReport:
    """What came of it.

    Attributes:
        experiment: The new experiment; None for a dry run.
        plan: For a dry run, the steps and their reasons.
        in_workspace: Whether its results are in the workspace now.
    """

    experiment: Experiment | None
    plan: Plan | None
    in_workspace: bool
