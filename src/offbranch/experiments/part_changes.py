"""Whether a part of a tracked directory differs from what is recorded of it; the rest of the directory is not looked at."""

import os
import stat

from offbranch.base.errors import CorruptObjectError
from offbranch.base.paths import RepoPath, join
from offbranch.pipeline.recorded import RecordedOutput
from offbranch.project import Project
from offbranch.storage.objects import is_directory
from offbranch.storage.workspace import find_status, list_directory, observe_file


def parts_differ(project: Project, output: RecordedOutput) -> bool:
    """Tells whether any part that was named of an output differs; True as well where the record cannot be read."""
    if not is_directory(output.id) or not project.cache.has(output.id):
        return True
    try:
        entries = project.cache.listing(output.id).entries
    except CorruptObjectError:
        return True
    for part in output.parts:
        inner = part[len(output.path) + 1 :]
        recorded = {name: id for name, id in entries.items() if name == inner or name.startswith(f"{inner}/")}
        if recorded != _present(project, part, inner):
            return True
    return False


def _present(project: Project, part: RepoPath, inner: str) -> dict[str, str]:
    disk = join(project.root, part)
    status = find_status(disk)
    if status is None or project.ignore.ignores(part, stat.S_ISDIR(status.st_mode)):
        return {}
    if not stat.S_ISDIR(status.st_mode):
        return {inner: observe_file(disk, status, state=project.state).id}
    if os.path.islink(disk):
        return {}
    listing = list_directory(disk, state=project.state, ignore=project.ignore, rel=part)
    return {f"{inner}/{name}": id for name, id in listing.entries.items()}
