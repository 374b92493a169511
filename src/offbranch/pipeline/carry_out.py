"""Does one step of a plan: puts outputs back, records data, or does what is before and after the command of a stage.

Order of writing for one stage: cache objects, then workspace files, then the run-cache, then dvc.lock.
"""

import os
from collections.abc import Mapping

from offbranch.base.errors import StageFailedError
from offbranch.base.files import remove_tree
from offbranch.base.paths import AbsPath, RepoPath, join, parent
from offbranch.base.records import record
from offbranch.pipeline.checks import check_inputs, check_not_tracked, check_places
from offbranch.pipeline.facts import Facts, gather_facts, is_at_url, place_on_disk
from offbranch.pipeline.going_on import RESUME_VARIABLE
from offbranch.pipeline.plan import Action, Step, describe
from offbranch.pipeline.recording import (
    Carried,
    Later,
    entry_of,
    into_cache,
    keep_ignored,
    record_data,
    record_made,
    write_lock_entry,
)
from offbranch.pipeline.stage import LockedStage, Stage, item_key
from offbranch.pipeline.workbench import Workbench
from offbranch.storage.checkout import apply_checkout, plan_checkout
from offbranch.storage.links import LinkKind, unprotect
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import Content, ObjectId

Replaced = dict[RepoPath, Content | None]


@record
class Commands:
    """What a stage runs.

    Attributes:
        calls: Shell commands, one after the other.
        reads: Paths on disk that must stay as they are meanwhile.
        writes: Paths on disk that they write.
    """

    calls: tuple[str, ...]
    cwd: AbsPath
    env: Mapping[str, str]
    reads: tuple[AbsPath, ...]
    writes: tuple[AbsPath, ...]


def carry_out(
    step: Step,
    locked: LockedStage | None,
    facts: Facts,
    bench: Workbench,
    *,
    commit: bool,
    replaced: Replaced,
    later: Later,
) -> Carried:
    """Does what a step says that runs no command.

    Args:
        step: What to do.
        locked: What is recorded of the stage.
        facts: What is on disk at its turn.
        bench: Where.
        commit: Outputs go to the cache.
        replaced: Takes what was at each output before it is removed; filled also when this fails.
        later: What later stages have left already.

    Raises:
        OffbranchError: An object is missing or corrupt, or an output may not be where it is.
    """
    match step.action:
        case Action.SKIP:
            return Carried()
        case Action.CHECKOUT:
            with bench.guard():
                _check_out(step.stage, locked or LockedStage(), facts, bench, replaced)
                files, ignored = keep_ignored(step.stage, bench, later)
                return Carried(touched=files, ignored=ignored)
        case Action.RESTORE:
            with bench.guard():
                return _restore(step, facts, bench, replaced, later)
        case Action.RECORD:
            with bench.guard():
                return record_data(step.stage, locked, bench, commit=commit, later=later)
        case Action.RUN | Action.UNDECIDED | Action.BLOCKED:
            raise AssertionError(f"a step that is {step.action.value} cannot be carried out")


def prepare_run(stage: Stage, facts: Facts, bench: Workbench, *, commit: bool, replaced: Replaced) -> Commands:
    """Makes everything ready for the command of a stage; what its last run left is gone then.

    Args:
        replaced: Takes what was at each output before it is removed; filled also when this fails.

    Raises:
        StageFailedError: An input is missing, or an output may not be where it is.
    """
    cwd = AbsPath(os.path.normpath(join(bench.root, stage.wdir)))
    if not os.path.isdir(cwd):
        raise StageFailedError(
            f"'{stage.address}' cannot run: its working directory '{stage.wdir}' does not exist",
            stage=stage.address,
            hint="create it, or change 'wdir' in dvc.yaml",
        )
    with bench.guard():
        check_inputs(stage, facts)
        check_places(stage, bench, commit=commit)
        check_not_tracked(stage, bench)
        _clear_outputs(stage, facts, bench, commit=commit, replaced=replaced)
        goes_on = stage.address in bench.going_on.numbers
        if goes_on:
            bench.going_on.put_in_place(stage)
    writes = tuple(place_on_disk(bench.root, stage, out) for out in stage.outs if not is_at_url(stage, out))
    on_disk = (dependency for dependency in stage.deps if "://" not in dependency.written)
    reads = tuple(place_on_disk(bench.root, stage, dependency) for dependency in on_disk)
    env = {"DVC_ROOT": bench.root, **bench.env, "DVC_STAGE": stage.address}
    if goes_on:
        env[RESUME_VARIABLE] = "1"
    return Commands(calls=stage.shell_calls, cwd=cwd, env=env, reads=(*reads, *writes), writes=writes)


def record_results(stage: Stage, bench: Workbench, *, commit: bool, later: Later) -> Carried:
    """Records what the command of a stage has made.

    Raises:
        StageFailedError: An output is missing.
    """
    with bench.guard():
        after = gather_facts(
            (stage,),
            root=bench.root,
            reader=bench.reader,
            state=bench.state,
            ignore=bench.ignore,
            is_cached=bench.cache.has_all,
            look_at_url=bench.urls.look if bench.urls is not None else None,
        )
        return record_made(stage, after, bench, commit=commit, later=later)


def _clear_outputs(stage: Stage, facts: Facts, bench: Workbench, *, commit: bool, replaced: Replaced) -> None:
    """Removes what the last run left, so that nothing of it can be taken for a result of this one.

    Content that is nowhere else goes into the cache first.
    """
    for out in stage.outs:
        if is_at_url(stage, out):
            if not bench.going_on.keeps(out) and bench.urls is not None:
                bench.urls.remove(item_key(stage, out))
            continue
        disk = place_on_disk(bench.root, stage, out)
        content = facts.contents[item_key(stage, out)]
        if isinstance(content, Content) and out.path is not None:
            # A directory too where Git keeps it: file by file it could not be put back after a failure.
            is_kept = out.cache or content.n_files is not None
            if commit and is_kept and not bench.cache.has_all(content.id):
                into_cache(stage, out, bench, relink=False)
            replaced[out.path] = content
        elif out.path is not None:
            replaced[out.path] = None
        if bench.going_on.keeps(out):
            if os.path.lexists(disk):
                unprotect(disk)
        else:
            remove_tree(disk)
        if out.path is not None:
            os.makedirs(join(bench.root, parent(out.path)), exist_ok=True)


def _restore(step: Step, facts: Facts, bench: Workbench, replaced: Replaced, later: Later) -> Carried:
    assert step.entry is not None
    check_not_tracked(step.stage, bench)
    _check_out(step.stage, step.entry, facts, bench, replaced)
    entry = entry_of(step.stage, describe(step.stage, facts), step.entry.outs)
    files, ignored = keep_ignored(step.stage, bench, later)
    lock = write_lock_entry(step.stage, entry, bench, later)
    return Carried(entry=entry, touched=(lock, *files), ignored=ignored)


def _check_out(stage: Stage, entry: LockedStage, facts: Facts, bench: Workbench, replaced: Replaced) -> None:
    check_places(stage, bench, commit=False)
    recorded = {item.written: item for item in entry.outs}
    for out in stage.outs:
        was, content = recorded.get(out.written), facts.contents[item_key(stage, out)]
        if was is None or was.md5 is None or (isinstance(content, Content) and content.id == was.md5):
            continue
        if is_at_url(stage, out):
            continue
        if out.path is not None:
            replaced[out.path] = content if isinstance(content, Content) else None
            if isinstance(content, Content) and out.cache and not bench.cache.has_all(content.id):
                into_cache(stage, out, bench, relink=False)
        put_back(
            place_on_disk(bench.root, stage, out),
            ObjectId(was.md5),
            bench,
            rel=out.path or RepoPath(""),
            is_executable=was.is_executable,
            as_copy=not out.cache,
        )


def put_back(
    disk: AbsPath, wanted: ObjectId, bench: Workbench, *, rel: RepoPath, is_executable: bool, as_copy: bool
) -> None:
    """Makes a path equal to an object of the cache; a file that Git keeps is copied, never linked.

    Raises:
        OffbranchError: The object is missing or corrupt.
    """
    cache = LocalCache(bench.cache.root, link_kinds=(LinkKind.COPY,)) if as_copy else bench.cache
    plan = plan_checkout(
        disk, wanted, cache=cache, state=bench.state, ignore=bench.ignore, rel=rel, executable=is_executable
    )
    apply_checkout(plan, cache=cache, state=bench.state, ignore=bench.ignore, force=True, reporter=bench.reporter)
