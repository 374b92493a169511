"""What `.dvcignore` says about paths."""

import os
from collections.abc import Iterable

from offbranch.api.session import Session, opened
from offbranch.base.paths import absolute, relative_to
from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.storage.ignore_explain import Reason


@record
class Checked:
    """Attributes:
    written: The path as it was asked about.
    reason: What decides about it; None when no pattern does, or when it is outside of the project.
    """

    written: str
    reason: Reason | None


def check_ignore(paths: Iterable[str], session: Session) -> tuple[Checked, ...]:
    """Returns for each path whether it is left out and which pattern says so; the path need not exist."""
    with opened(session) as project:
        explainer = load("offbranch.storage.ignore_explain:Explainer")(project.root)
        checked = []
        for written in paths:
            disk = absolute(written, base=session.start)
            inside = relative_to(disk, project.root)
            is_dir = written.endswith(("/", os.sep)) or (os.path.isdir(disk) and not os.path.islink(disk))
            reason = None if inside is None else explainer.explain(inside, is_dir)
            checked.append(Checked(written=written, reason=reason))
        return tuple(checked)
