"""Which outputs our commands have put into the workspace: what `ob checkout` may remove once nothing defines them.

One file, `.dvc/tmp/ob/outs.json` (docs/formats/locks-and-private-files.md). Derived data: without it nothing is removed.
"""

import json
import os
from collections.abc import Iterable, Mapping

from offbranch.base.files import write_if_changed
from offbranch.base.paths import OB_DIR, AbsPath, RepoPath, is_private, join, overlap
from offbranch.pipeline.execute import RunResult
from offbranch.pipeline.recorded import RecordedOutput, all_recorded, recorded_outputs
from offbranch.pipeline.stage import Pipelines
from offbranch.project import Project
from offbranch.storage.checkout import apply_checkout, plan_checkout
from offbranch.storage.objects import ObjectId, parse_object_id
from offbranch.storage.workspace import observe

FILE = f"{OB_DIR}/outs.json"
_VERSION = 1


def placed_of(recorded: Iterable[RecordedOutput]) -> dict[RepoPath, ObjectId]:
    """Returns what to remember of recorded outputs; not those of DVC 2, whose ids do not name their bytes."""
    return {one.path: one.id for one in recorded if not one.is_legacy}


def outputs_of(result: RunResult) -> dict[RepoPath, ObjectId]:
    """Returns what to remember of the outputs that a run of the pipeline made or put back."""
    entries = {done.stage.address: done.entry for done in result.stages if done.entry is not None and not done.error}
    return placed_of(recorded_outputs([done.stage for done in result.stages], entries))


def remember_outputs(project: Project, outs: Mapping[RepoPath, ObjectId], *, only_these: bool = False) -> None:
    """Notes outputs as being in the workspace with the content that is recorded of them; failing to is no error.

    Args:
        project: Whose.
        outs: Path of each output -> the object it holds.
        only_these: Forget all others.
    """
    known: dict[RepoPath, ObjectId] = {} if only_these else dict(_read(project))
    known.update(outs)
    path = join(project.root, FILE)
    if not known and not os.path.exists(path):
        return
    text = json.dumps({"version": _VERSION, "outs": dict(sorted(known.items()))}, indent=0)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_if_changed(path, f"{text}\n".encode())
    except OSError:
        return  # what the command did stands; at worst something abandoned is not removed later


def remove_abandoned(project: Project, present: Iterable[RepoPath]) -> tuple[str, ...]:
    """Removes outputs that nothing defines any more, if they are as we left them and the cache has their content.

    Args:
        project: Whose.
        present: Every output that is defined now; what overlaps with one stays.

    Returns:
        Their paths; a directory ends with `/`.
    """
    defined = tuple(present)
    removed: list[str] = []
    for path, id in _read(project).items():
        if not any(overlap(path, other) for other in defined) and _remove(project, path, id):
            removed.append(f"{path}/" if id.endswith(".dir") else path)
    return tuple(removed)


def remove_unmade(project: Project, pipelines: Pipelines, *, dry: bool = False) -> tuple[str, ...]:
    """Removes outputs that are defined and have no record, under the same conditions: a checkpoint came before them.

    Args:
        project: Whose.
        pipelines: What is defined and recorded now.
        dry: Only tells what would be removed.

    Returns:
        Their paths; a directory ends with `/`.
    """
    recorded = all_recorded(pipelines)
    outs = (out.path for stage in pipelines.stages for out in stage.outs if out.cache and out.path is not None)
    known = _read(project)
    absent = [(path, known[path]) for path in outs if path not in recorded and path in known]
    return tuple(
        f"{path}/" if id.endswith(".dir") else path for path, id in absent if _remove(project, path, id, dry=dry)
    )


def _remove(project: Project, path: RepoPath, id: ObjectId, *, dry: bool = False) -> bool:
    disk = join(project.root, path)
    if not os.path.lexists(disk) or not project.cache.has_all(id) or _is_behind_link(project, path):
        return False
    content = observe(disk, state=project.state, ignore=project.ignore, rel=path)
    if content is None or content.id != id:
        return False
    plan = plan_checkout(disk, None, cache=project.cache, state=project.state, ignore=project.ignore, rel=path)
    if plan.unsaved or plan.blocked:
        return False
    if dry:
        return True
    apply_checkout(plan, cache=project.cache, state=project.state, ignore=project.ignore)
    return True


def _is_behind_link(project: Project, path: RepoPath) -> bool:
    directory = os.path.dirname(path)
    return os.path.realpath(join(project.root, directory)) != join(AbsPath(os.path.realpath(project.root)), directory)


def _read(project: Project) -> Mapping[RepoPath, ObjectId]:
    try:
        with open(join(project.root, FILE), "rb") as file:
            document = json.loads(file.read())
        if document["version"] != _VERSION:
            return {}
        found = {RepoPath(path): parse_object_id(id) for path, id in document["outs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {path: id for path, id in found.items() if _is_inside(path)}


def _is_inside(path: str) -> bool:
    return not is_private(RepoPath(path)) and not os.path.isabs(path) and ".." not in path.split("/")
