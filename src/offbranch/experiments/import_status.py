"""What `ob status` says of an import beyond its data: was its .dvc file edited, is there a newer version."""

from collections.abc import Mapping

from offbranch.base.errors import OffbranchError
from offbranch.base.events import Reporter, Warned
from offbranch.base.paths import AbsPath
from offbranch.base.records import replace
from offbranch.experiments.imports import is_repo_import, source_bases
from offbranch.experiments.source_repo import newest_commit, parse_source
from offbranch.git.ids import CommitId
from offbranch.pipeline.datafile import is_digest_right
from offbranch.pipeline.stage import Stage
from offbranch.pipeline.status import Change, ChangeKind, StageStatus
from offbranch.project import Project


def with_source(
    project: Project, stage: Stage, status: StageStatus, *, updates: bool, start: AbsPath, reporter: Reporter
) -> StageStatus:
    """Returns the status of a .dvc file with dependencies, with what its source adds.

    Args:
        updates: Ask the repository whether it has a newer version.
        start: Directory the user is in.
        reporter: Is warned of a repository that cannot be reached.
    """
    text = project.reader.read_bytes(stage.file).decode()
    if not is_digest_right(text, stage.file):
        return replace(status, is_edited=True)
    if not updates or not is_repo_import(stage):
        return status
    try:
        newer = new_version(stage, project, bases=source_bases(project, start, stage.wdir))
    except OffbranchError as error:
        reporter.emit(
            Warned(text=f"cannot tell whether '{stage.file}' is up to date: {error.message}", hint=error.hint)
        )
        return status
    if newer is None:
        return status
    dependency = stage.deps[0]
    url = (dependency.source or {})["repo"]["url"]
    change = Change(kind=ChangeKind.UPDATE, item=f"{dependency.written} ({url})")
    return replace(status, deps=(*status.deps, change))


def new_version(stage: Stage, project: Project, *, bases: tuple[AbsPath, ...]) -> CommitId | None:
    """Returns the newest commit of the source of an import, None if the import has it already or names none."""
    block = (stage.deps[0].source or {}).get("repo")
    if not isinstance(block, Mapping) or "rev_lock" not in block:
        return None
    source = parse_source(block, path=stage.file)
    commit = newest_commit(source, bases=bases, environment=project.environment)
    return None if commit == block["rev_lock"] else commit
