"""Where records of what was handed to SLURM are, and whether there are any; for those who only want to know that."""

import os

from offbranch.base.paths import AbsPath, join
from offbranch.experiments.leases import QUEUE_DIR

SLURM_DIR = f"{QUEUE_DIR}/slurm"


def has_submissions(root: AbsPath) -> bool:
    """Tells, for next to nothing, whether anything was ever handed to SLURM."""
    return os.path.isdir(join(root, SLURM_DIR))
