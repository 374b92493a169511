"""Whether a clone may share its queue with other machines; for those who only want to know that."""

import os

from offbranch.base.environ import Environment
from offbranch.git.repository import GitRepo

# Of `.git/config`, where a clone is told where its queue is.
SECTION = "offbranch"


def may_share(repo: GitRepo, environment: Environment) -> bool:
    """Tells, without a process, whether a clone may share its queue; that it does is said by its configuration."""
    if environment.broker is not None:
        return True
    try:
        with open(os.path.join(repo.common_dir, "config"), "rb") as file:
            text = file.read().lower()
    except OSError:
        return True
    return SECTION.encode() in text or b"[include" in text
