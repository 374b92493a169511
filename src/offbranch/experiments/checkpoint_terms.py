"""What a run is: for its commands, and for the makers of checkpoints."""

from collections.abc import Mapping

from offbranch.base.events import Reporter
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.base.records import field, record
from offbranch.experiments.asked import Asked
from offbranch.experiments.checkpoint_chain import Chain
from offbranch.experiments.experiment import ExperimentSpec
from offbranch.experiments.go_on import Beginning
from offbranch.git.repository import GitRepo
from offbranch.pipeline.options import SelectOptions
from offbranch.project import Project


@record
class Terms:
    """One run.

    Attributes:
        place: The project, or its copy, that its commands run in.
        project: The user's project.
        repo: The repository that gets commits and refs.
        chain: Its commits so far.
        parameters: What the overrides have made of parameter files, where the attempt does not begin with that.
        reporter: Takes events from any thread.
        select: How its stages were chosen.
        copy_paths: Paths of the workspace that its copy has too.
        begun: What it goes on from; None where it begins anew.
    """

    place: Project
    project: Project
    repo: GitRepo
    spec: ExperimentSpec
    chain: Chain
    reporter: Reporter
    parameters: Mapping[RepoPath, bytes] = field(default_factory=dict)
    select: SelectOptions = field(default_factory=SelectOptions)
    copy_paths: tuple[RepoPath, ...] = ()
    begun: Beginning | None = None

    @property
    def place_root(self) -> AbsPath:
        """Where the commands run."""
        return self.place.root

    @property
    def root(self) -> AbsPath:
        """Of the user's project."""
        return self.project.root

    @property
    def variables(self) -> dict[str, str]:
        """What its commands find in their environment."""
        return {
            "DVC_EXP_NAME": self.spec.name,
            "DVC_EXP_BASELINE_REV": self.spec.baseline,
            "DVC_ROOT": self.root,
        }

    @property
    def asked(self) -> Asked:
        """What it was asked for, for whoever goes on from a checkpoint of it."""
        return Asked(
            targets=self.spec.targets,
            select=self.select,
            mode=self.spec.checkpoints.mode,
            copy_paths=self.copy_paths,
        )
