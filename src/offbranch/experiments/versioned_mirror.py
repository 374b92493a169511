"""Making the present versions at a data remote with `worktree` a copy of the outputs: what is deleted there.

What this clone has pushed is remembered in `.dvc/tmp/ob/pushed`; without that file only what HEAD records is known to be ours.
"""

import json
import os
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from offbranch.base.errors import OffbranchError
from offbranch.base.files import atomic_write
from offbranch.base.paths import OB_DIR, AbsPath, is_same_or_inside, join
from offbranch.experiments.data_remotes import DataScope
from offbranch.experiments.used import RevisionOutputs
from offbranch.experiments.versioned_records import Part, listing_of
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import resolve_revision
from offbranch.pipeline.versions import versions_of
from offbranch.project import Project
from offbranch.storage.objects import ObjectId
from offbranch.storage.remote_files import RemoteFiles
from offbranch.storage.versioned import Arrived, VersionedFile, remove_versions


def mirror(
    project: Project,
    files: RemoteFiles,
    parts: Iterable[Part],
    arrived: Mapping[str, Arrived],
    scope: DataScope,
    *,
    is_complete: bool,
) -> None:
    """Removes from the present state of a remote what this clone pushed, or HEAD records, and the outputs have no more.

    Only a file whose present version is the very one we pushed is removed, and older versions stay where they are.
    """
    path = AbsPath(join(project.root, f"{OB_DIR}/pushed/{quote(files.setting.name, safe='')}.json"))
    before = _read_journal(path)
    committed = _recorded_at_head(project, files.setting.name)
    all_parts = tuple(parts)
    now = {part.file.key: part.file.version for part in all_parts if part.file.version is not None}
    now.update((key, str(answer.file.version)) for key, answer in arrived.items())
    tops = {part.used.path for part in all_parts if not part.used.inner}
    is_all = not scope.targets and not scope.has_revisions
    gone = [
        VersionedFile(key=key, id=ObjectId(""), version=version)
        for key, version in {*before.items(), *committed.items()}
        if key not in now and is_complete and (is_all or any(is_same_or_inside(key, top) for top in tops))
    ]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    atomic_write(path, json.dumps({"version": 1, "files": {**before, **now}}).encode())
    if gone:
        remove_versions(gone, files)
        left = {key: version for key, version in {**before, **now}.items() if key not in {one.key for one in gone}}
        atomic_write(path, json.dumps({"version": 1, "files": left}).encode())


def _recorded_at_head(project: Project, remote: str) -> dict[str, str]:
    """Returns the versions that the last commit records, by key."""
    head = None if project.repo is None else resolve_revision(project.repo, "HEAD")
    if project.repo is None or head is None:
        return {}
    found: dict[str, str] = {}
    with ObjectReader(project.repo) as objects:
        try:
            outputs = RevisionOutputs(objects, project.prefix, project.cache).of_commit(head)
        except OffbranchError:  # files of that commit that cannot be read: nothing is known to be ours
            return {}
        for used in outputs:
            for name, version in versions_of(used.item, remote, listing_of(project.cache, used)).items():
                if version.id is not None:
                    found[f"{used.path}/{name}" if name else used.path] = version.id
    return found


def _read_journal(path: AbsPath) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        found = document["files"] if document["version"] == 1 else {}
        return {key: version for key, version in found.items() if isinstance(version, str)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
