"""What makes `dvc` and `dvclive` those of offbranch: the command, and the modules below `dvc` and `dvclive`.

`python -m offbranch_dvc` says what an environment has under these names.
"""

import os

# Of the interfaces that are stood in for: what third-party code compares.
DVC_VERSION = "3.67.1"
DVCLIVE_VERSION = "3.49.1"
_PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def real_one(name: str, packages: str = _PACKAGES) -> str | None:
    """Returns where the real `dvc` or `dvclive` is, if it is beside ours; it is what is imported then."""
    place = os.path.join(packages, name, "__init__.py")
    return place if os.path.exists(place) else None
