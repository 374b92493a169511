"""Looking after the cache: removing what nobody uses, and finding and repairing what is damaged."""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack

from offbranch.api.session import Session, beginning, held, opened, working_directory
from offbranch.base.errors import UsageError
from offbranch.base.paths import AbsPath
from offbranch.base.records import replace
from offbranch.experiments.activity import refuse_while_active
from offbranch.experiments.collect_garbage import Collection, apply_collection, plan_collection
from offbranch.experiments.data_remotes import DataScope
from offbranch.experiments.fsck import FsckOptions, FsckReport, examine
from offbranch.experiments.kept import GcScope, check_scope
from offbranch.experiments.repair import repair_all
from offbranch.project import Project


def gc(
    scope: GcScope, session: Session, *, dry: bool = False, confirm: Callable[[Collection], bool] | None = None
) -> Collection | None:
    """Removes data that no revision of a scope uses from the cache, and on demand from a data remote.

    Never removed: the data of HEAD, of what is staged, of attempts, of queued tasks, and of what `exp apply` set aside.

    Args:
        scope: What is kept, and where to remove.
        session: Where.
        dry: Only tell what would go.
        confirm: Is shown what goes, and says whether it may; None for yes. The project is held meanwhile.

    Returns:
        What went; None if `confirm` said no.

    Raises:
        UsageError: The scope says nothing, or is contradictory; or a stage calls it.
        LockedError: Somebody works on one of the projects.
        MissingDataError: The list of a directory that is used is nowhere.
        OffbranchError: A revision cannot be understood.
    """
    check_scope(scope)
    with ExitStack() as stack:
        project, descriptors = stack.enter_context(held(session))
        if not descriptors:
            raise UsageError("gc cannot run inside of a stage", hint="run it when nothing else works on the project")
        others = _other_projects(stack, scope, session, project)
        for each in (project, *others):
            stack.enter_context(beginning(each))
            refuse_while_active(each)
        collection = plan_collection(project, others, scope, session.reporter, now_ns=time.time_ns())
        if not dry and not collection.is_empty:
            if confirm is not None and not confirm(collection):
                return None
            apply_collection(collection, project, scope, session.reporter)
        return collection


def fsck(scope: DataScope, session: Session, options: FsckOptions) -> FsckReport:
    """Checks every object of the cache against its name, and every recorded output against the cache.

    Args:
        scope: Targets, or revisions beside the workspace. With targets only what they consist of is checked.
        session: Where.
        options: How; with `repair` what can be repaired is, and nothing is destroyed.

    Returns:
        All that was found. Problems that were repaired say so.

    Raises:
        OffbranchError: The pipelines of the workspace cannot be understood.
    """
    if not options.repair:
        with opened(session) as project:
            return examine(project, scope, options, session.reporter, cwd=working_directory(project, session))
    with held(session) as (project, _):
        return repair_all(project, scope, options, session.reporter, cwd=working_directory(project, session))


def _other_projects(stack: ExitStack, scope: GcScope, session: Session, project: Project) -> tuple[Project, ...]:
    """Opens and holds the other projects that share the cache, each once."""
    found: list[Project] = []
    paths = {os.path.realpath(os.path.join(session.start, os.path.expanduser(path))) for path in scope.projects}
    for path in sorted(paths):
        inside = replace(session, start=AbsPath(path))
        with opened(inside) as other:
            root = other.root
        if root == project.root or any(root == known.root for known in found):
            continue
        other, _ = stack.enter_context(held(inside))
        found.append(other)
    return tuple(found)
