"""Making data and cached outputs in the workspace equal to what is recorded: first all plans, then the writing."""

import os
from collections.abc import Iterable

from offbranch.base.errors import ConflictError
from offbranch.base.events import Reporter
from offbranch.base.paths import RepoPath, join
from offbranch.base.records import record
from offbranch.pipeline.stage import LockedItem, Pipelines, Stage
from offbranch.project import Project
from offbranch.storage.checkout import CheckoutPlan, apply_checkout, plan_checkout
from offbranch.storage.hashing import hash_text_normalised
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId


@record
class CheckedOut:
    """What was done, by path of the project; a directory ends with `/`."""

    added: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def check_out_data(
    project: Project,
    pipelines: Pipelines,
    stages: Iterable[Stage],
    reporter: Reporter,
    *,
    force: bool,
    relink: bool = False,
) -> CheckedOut:
    """Checks out every cached output of some stages.

    Raises:
        ConflictError: Content that is in no cache would be lost and `force` is not given; nothing has been changed.
    """
    plans: list[tuple[str, str, CheckoutPlan, LocalCache]] = []
    missing: list[str] = []
    unsaved: list[str] = []
    legacy = project.cache.legacy_view()
    for path, item in _recorded(pipelines, stages):
        disk = join(project.root, path)
        wanted = ObjectId(item.md5 or "")
        was_there = os.path.lexists(disk)
        is_legacy = item.hash_name is None and not project.cache.has_all(wanted)
        if is_legacy and os.path.isfile(disk) and hash_text_normalised(disk) == wanted:
            continue
        cache = legacy if is_legacy else project.cache
        plan = plan_checkout(
            disk,
            wanted,
            cache=cache,
            state=project.state,
            ignore=project.ignore,
            rel=path,
            executable=item.is_executable,
            relink=relink,
        )
        shown = path + ("/" if wanted.endswith(".dir") else "")
        if plan.missing and not plan.is_noop:
            missing.append(shown)
        elif not plan.is_noop:
            unsaved.extend(f"{path}/{name}" if name else path for name in plan.unsaved)
            plans.append((shown, "modified" if was_there else "added", plan, cache))
    if unsaved and not force:
        names = ", ".join(f"'{name}'" for name in unsaved[:5])
        raise ConflictError(
            f"these files have changes that are in no cache and would be lost: {names}"
            + (f" and {len(unsaved) - 5} more" if len(unsaved) > 5 else ""),
            hint="ob commit keeps them; ob checkout -f throws them away",
        )
    for _, _, plan, cache in plans:
        apply_checkout(plan, cache=cache, state=project.state, ignore=project.ignore, force=True, reporter=reporter)
    return CheckedOut(
        added=tuple(path for path, what, *_ in plans if what == "added"),
        modified=tuple(path for path, what, *_ in plans if what == "modified"),
        missing=tuple(missing),
    )


def _recorded(pipelines: Pipelines, stages: Iterable[Stage]) -> Iterable[tuple[RepoPath, LockedItem]]:
    for stage in stages:
        locked = pipelines.locks.get(stage.address)
        items = {item.written: item for item in locked.outs} if locked else {}
        for out in stage.outs:
            item = items.get(out.written)
            if out.cache and out.path is not None and item is not None and item.md5 is not None:
                yield out.path, item
