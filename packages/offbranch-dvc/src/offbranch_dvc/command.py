"""The command `dvc`: `ob`, which calls itself DVC 3 when asked for its version. Where DVC itself is installed it refuses."""

import sys

import offbranch
from offbranch.base.plugins import load
from offbranch_dvc import DVC_VERSION, real_one


def main() -> int:
    """Runs it, and returns the exit code."""
    place = real_one("dvc")
    if place is not None:
        sys.stderr.write(
            f"error: this is the command of offbranch-dvc, and the real DVC is installed beside it: {place}\n"
            "hint: to have DVC: pip uninstall offbranch-dvc && pip install --force-reinstall --no-deps dvc;"
            " to have offbranch-dvc: pip uninstall dvc && pip install --force-reinstall --no-deps offbranch-dvc\n"
        )
        return 1
    if sys.argv[1:] in (["--version"], ["-V"]):
        # Editors refuse to work with a version they do not know.
        sys.stdout.write(f"{DVC_VERSION}\n")
        return 0
    if sys.argv[1:] == ["version"]:
        # Reports of bugs, and programs that read them, look for this line.
        sys.stdout.write(f"DVC version: {DVC_VERSION} (offbranch {offbranch.__version__})\n")
    return int(load("offbranch.__main__:main")())
