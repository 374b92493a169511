"""Tasks that succeeded and that the user does not want to see in the queue any more: their experiments stay.

An experiment says for ever which task it came from, so a list of what was cleared is kept beside the logs. It may be deleted:
then they are listed again.
"""

import json
from collections.abc import Iterable

from offbranch.base.files import atomic_write
from offbranch.base.paths import AbsPath, join
from offbranch.experiments.leases import QUEUE_DIR

_FILE = f"{QUEUE_DIR}/cleared.json"
_VERSION = 1


def cleared_tasks(root: AbsPath) -> frozenset[str]:
    """Returns the ids of succeeded tasks that `queue status` leaves out."""
    try:
        with open(join(root, _FILE), encoding="utf-8") as file:
            data = json.load(file)
        return frozenset(map(str, data["tasks"])) if data["version"] == _VERSION else frozenset()
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def clear_tasks(root: AbsPath, ids: Iterable[str], *, known: Iterable[str]) -> None:
    """Adds tasks to those that are left out.

    Args:
        root: Of the project.
        ids: The tasks.
        known: Ids of all tasks that experiments came from; others are forgotten.
    """
    tasks = sorted({*cleared_tasks(root), *ids} & set(known))
    atomic_write(join(root, _FILE), json.dumps({"version": _VERSION, "tasks": tasks}).encode())
