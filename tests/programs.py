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


def need(program: str, *, is_ci: bool = IS_CI) -> str:
    """Returns the path of a program; where it is missing the running test is skipped, in CI failed."""
    found = shutil.which(program) or shutil.which(program, path=_SYSTEM)
    if found is None:
        refuse = pytest.fail if is_ci else pytest.skip
        refuse(f"needs {program}")
    return found
