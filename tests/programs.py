"""Programs that some tests need beside Python and Git: found, or the test is skipped, or (in CI) it fails.

A skip says `needs <program>`. With `OFFBRANCH_CI=1` a missing program is a failure, so that CI cannot pass by leaving
tests out. The variable is read when this module is loaded, before tests get an environment of their own.
"""

import os
import shutil

import pytest

# Where servers are; a user's PATH may leave it out.
_SYSTEM = "/usr/sbin:/sbin"
IS_CI = os.environ.get("OFFBRANCH_CI") == "1"


def need(program: str, *others: str, is_ci: bool = IS_CI) -> str:
    """Returns the path of a program, or of one that does as well; where none is there the test is skipped, in CI failed."""
    for name in (program, *others):
        if found := shutil.which(name) or shutil.which(name, path=_SYSTEM):
            return found
    refuse = pytest.fail if is_ci else pytest.skip
    refuse(f"needs {program}")
