"""What surrounds a training program: a run of ob or of DVC, a project, Git. Read from variables and files alone."""

import os
import sys
from collections.abc import Mapping
from enum import Enum

from offbranch.base.environ import some_variables
from offbranch.base.files import read_system_file
from offbranch.base.records import record

_VARIABLES = (
    "DVC_EXP_NAME",
    "DVC_EXP_BASELINE_REV",
    "DVC_ROOT",
    "DVC_STAGE",
    "DVCLIVE_RESUME",
    "DVCLIVE_OPEN",
    "DVCLIVE_TEST",
    "OFFBRANCH_HANDOFF",
    "OFFBRANCH_CHECKPOINT",
)
_RANKS = (
    "RANK",
    "OMPI_COMM_WORLD_RANK",
    "PMIX_RANK",
    "PMI_RANK",
    "MV2_COMM_WORLD_RANK",
    "HOROVOD_RANK",
    "SLURM_PROCID",
)
# Where none of these is set, both of these tell: who is not the first on its machine, or on another machine, is not rank 0.
_PARTS_OF_RANK = ("LOCAL_RANK", "NODE_RANK")


class Inside(Enum):
    """What the program was started by."""

    NOTHING = "nothing"
    OB = "ob exp run"
    DVC = "dvc exp run"
    REPRO = "repro"


@record
class Surroundings:
    """What surrounds a training program, as it begins.

    Attributes:
        inside: What started it.
        project: Root of the project around the current directory (or that of the run), None where there is none.
        repository: Top of the Git work tree, None where there is none.
        handoff: Directory where checkpoints are asked for, None outside of a run of ob.
        checkpoint: `auto`, `every` or `off`.
        stage: Address of the stage, empty outside of one.
        exp_name: Name that the variables give the experiment, None where they do not.
        is_resumed, opens_report, is_trial: What DVCLIVE_RESUME, DVCLIVE_OPEN and DVCLIVE_TEST say.
    """

    inside: Inside
    project: str | None
    repository: str | None
    handoff: str | None
    checkpoint: str
    stage: str
    exp_name: str | None
    is_resumed: bool
    opens_report: bool
    is_trial: bool


def look_around() -> Surroundings:
    """Returns what surrounds this process."""
    said = some_variables(_VARIABLES)
    here = current_directory()
    project, repository = above(here, ".dvc"), above(here, ".git")
    if project and repository and len(project) < len(repository):
        project = None  # it is that of somebody else: a project is inside of its repository
    return Surroundings(
        inside=_inside(said),
        project=said.get("DVC_ROOT") or project,
        repository=repository,
        handoff=said.get("OFFBRANCH_HANDOFF"),
        checkpoint=said.get("OFFBRANCH_CHECKPOINT", "off"),
        stage=said.get("DVC_STAGE", ""),
        exp_name=said.get("DVC_EXP_NAME"),
        is_resumed=_is_true(said.get("DVCLIVE_RESUME")),
        opens_report=_is_true(said.get("DVCLIVE_OPEN")),
        is_trial=_is_true(said.get("DVCLIVE_TEST")),
    )


def is_late_rank() -> bool:
    """Tells whether torch says by now that this is not the process of rank 0; it may not have been asked at the start."""
    return bool(rank_of_torch()) and not _is_for_all_ranks()


def current_directory() -> str:
    """Returns the current directory, `.` if it has been removed."""
    try:
        return os.getcwd()
    except OSError:
        return os.curdir


def is_first_rank() -> bool:
    """Tells whether this is the process of rank 0, or the only one: by torch if it is up, else by variables of launchers."""
    if _is_for_all_ranks():
        return True
    rank = rank_of_torch()
    if rank is None:
        said = {
            name: int(text) for name, text in some_variables((*_RANKS, *_PARTS_OF_RANK)).items() if text.isdecimal()
        }
        rank = next((said[name] for name in _RANKS if name in said), sum(said.get(name, 0) for name in _PARTS_OF_RANK))
    return rank == 0


def above(directory: str, name: str) -> str | None:
    """Returns the nearest directory, itself or one above, that has an entry of a name."""
    while not os.path.exists(os.path.join(directory, name)):
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory = parent
    return directory


def head_of(repository: str) -> str | None:
    """Returns the id of the commit that is checked out, None if there is none yet."""
    git_dir, common = git_directories(repository)
    text = read_system_file(os.path.join(git_dir, "HEAD")).strip()
    for _ in range(5):
        if not text.startswith("ref: "):
            return text or None
        text = _ref(common, text.removeprefix("ref: "))
    return None


def experiments_of(repository: str, baseline: str) -> frozenset[str]:
    """Returns the names of the experiments of a commit."""
    _, common = git_directories(repository)
    prefix = f"refs/exps/{baseline[:2]}/{baseline[2:]}/"
    try:
        loose = os.listdir(os.path.join(common, prefix))
    except OSError:
        loose = []
    packed = (line.partition(" ")[2].strip() for line in _packed(common))
    return frozenset((*loose, *(ref.removeprefix(prefix) for ref in packed if ref.startswith(prefix))))


def git_directories(repository: str) -> tuple[str, str]:
    """Returns where Git keeps HEAD and where it keeps refs: not the same in a linked work tree."""
    place = os.path.join(repository, ".git")
    if os.path.isfile(place):
        place = os.path.join(repository, read_system_file(place).strip().removeprefix("gitdir: "))
    common = read_system_file(os.path.join(place, "commondir")).strip()
    return place, os.path.normpath(os.path.join(place, common)) if common else place


def _ref(common: str, name: str) -> str:
    text = read_system_file(os.path.join(common, name)).strip()
    if text:
        return text
    return next((line.split()[0] for line in _packed(common) if line.endswith(f" {name}")), "")


def _packed(common: str) -> list[str]:
    try:
        with open(os.path.join(common, "packed-refs"), encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _inside(said: Mapping[str, str]) -> Inside:
    if said.get("OFFBRANCH_HANDOFF"):
        return Inside.OB
    if not said.get("DVC_ROOT"):
        return Inside.NOTHING
    return Inside.DVC if said.get("DVC_EXP_BASELINE_REV") else Inside.REPRO


def _is_for_all_ranks() -> bool:
    return some_variables(("OFFBRANCH_LIVE_ALL_RANKS",)).get("OFFBRANCH_LIVE_ALL_RANKS") == "1"


def rank_of_torch() -> int | None:
    """Asks torch, if the program has loaded it already: loading it takes seconds."""
    try:
        distributed = sys.modules.get("torch.distributed")
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            return int(distributed.get_rank())
    except (AttributeError, RuntimeError, ValueError):
        pass
    return None


def _is_true(text: str | None) -> bool:
    return (text or "").strip().lower() in ("1", "y", "yes", "true", "on")
