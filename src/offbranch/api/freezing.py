"""Freezing stages and .dvc files: while frozen, what they depend on does not make them run or change."""

from collections.abc import Sequence

from offbranch.api.session import Session, held, working_directory
from offbranch.base.errors import UsageError
from offbranch.base.files import atomic_write, read_text
from offbranch.base.paths import RepoPath, join
from offbranch.base.records import record
from offbranch.experiments.loading import load
from offbranch.pipeline.expand import SEPARATOR
from offbranch.pipeline.freeze import with_frozen_data, with_frozen_stage
from offbranch.pipeline.targets import Target, resolve_targets
from offbranch.project import Project


@record
class Frozen:
    """One stage, group or .dvc file that was asked for.

    Attributes:
        address: How it is called; a group by its own name.
        file: The file that says so.
        is_changed: Whether that file had to be changed.
    """

    address: str
    file: RepoPath
    is_changed: bool


def set_frozen(targets: Sequence[str], session: Session, *, frozen: bool) -> tuple[Frozen, ...]:
    """Freezes stages, groups and .dvc files, or (`frozen=False`) lets them go; the rest of the files stays as it is.

    Raises:
        NotFoundError: A target does not exist.
        UsageError: A target is a single member of a group, which share one definition.
    """
    with held(session) as (project, _):
        cwd = working_directory(project, session)
        wanted: dict[str, tuple[RepoPath, str | None]] = {}
        for target in resolve_targets(load(project), targets, cwd=cwd):
            stage = target.stage
            name = None if stage.name is None else _definition(target)
            address = (
                stage.address if name is None else stage.address[: len(stage.address) - len(stage.name or "")] + name
            )
            wanted[address] = (stage.file, name)
        # All texts are made before any is written.
        texts: dict[RepoPath, str] = {}
        done = []
        for address, (file, name) in wanted.items():
            before = texts.get(file) or read_text(project.reader, file)
            texts[file] = (
                with_frozen_data(before, frozen=frozen, path=file)
                if name is None
                else with_frozen_stage(before, name, frozen=frozen, path=file)
            )
            done.append(Frozen(address=address, file=file, is_changed=texts[file] != before))
        _write(project, texts)
        return tuple(done)


def _definition(target: Target) -> str:
    """Returns the name under which a stage is written in its file: for a member of a group that of the group."""
    name = str(target.stage.name)
    group, at, _ = name.partition(SEPARATOR)
    if not at:
        return name
    if target.written.rpartition(":")[2] == name:
        raise UsageError(
            f"'{target.written}' is one of a group, whose members are frozen together", hint=f"name the group: {group}"
        )
    return group


def _write(project: Project, texts: dict[RepoPath, str]) -> None:
    for file, text in texts.items():
        if text != read_text(project.reader, file):
            atomic_write(join(project.root, file), text.encode())
