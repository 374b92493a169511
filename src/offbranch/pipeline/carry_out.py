"""Does one step of a plan: puts outputs back, records data, or runs the command and records what it made."""

import os
from collections.abc import Mapping

from offbranch.base.errors import OffbranchError, StageFailedError
from offbranch.base.files import remove_tree, write_if_changed
from offbranch.base.paths import LOCK_FILE, PIPELINE_FILE, AbsPath, RepoPath, join, overlap, parent
from offbranch.base.records import record, replace
from offbranch.params.lookup import MISSING
from offbranch.pipeline.datafile import update_datafile_text
from offbranch.pipeline.events import CommandStarted, FileWritten
from offbranch.pipeline.facts import Facts, gather_facts, place_on_disk
from offbranch.pipeline.lockfile import update_lock_text
from offbranch.pipeline.path_locks import hold_paths
from offbranch.pipeline.plan import Action, Step, describe, locked_item
from offbranch.pipeline.run_cache import is_recordable, outputs_to_keep, record_run
from offbranch.pipeline.stage import LockedItem, LockedStage, Output, Stage, item_key
from offbranch.pipeline.status import param_values
from offbranch.pipeline.workbench import Workbench
from offbranch.storage.checkout import apply_checkout, plan_checkout
from offbranch.storage.links import LinkKind, unprotect
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import Content, ObjectId
from offbranch.storage.save import save
from offbranch.storage.workspace import observe


@record
class Carried:
    """What a step left.

    Attributes:
        entry: The lock entry the stage has now; None when it has not changed.
        touched: Files of the project that belong into version control with the stage.
    """

    entry: LockedStage | None = None
    touched: tuple[RepoPath, ...] = ()


def carry_out(
    step: Step,
    locked: LockedStage | None,
    facts: Facts,
    bench: Workbench,
    *,
    commit: bool,
    replaced: dict[RepoPath, Content | None],
) -> Carried:
    """Does what a step says.

    Args:
        step: What to do.
        locked: What is recorded of the stage.
        facts: What is on disk at its turn.
        bench: Where.
        commit: Outputs go to the cache.
        replaced: Takes what was at each output before it is removed; filled also when this fails.

    Raises:
        StageFailedError: The command failed, or an input or output is missing.
        Interrupted: The user stopped it.
    """
    match step.action:
        case Action.SKIP:
            return Carried()
        case Action.CHECKOUT:
            with bench.guard():
                _check_out(step.stage, locked or LockedStage(), facts, bench, replaced)
                return Carried(touched=_keep_ignored(step.stage, bench))
        case Action.RESTORE:
            with bench.guard():
                return _restore(step, facts, bench, replaced)
        case Action.RECORD:
            with bench.guard():
                return _record_data(step.stage, locked, bench, commit=commit)
        case Action.RUN:
            return _run(step.stage, facts, bench, commit=commit, replaced=replaced)
        case Action.UNDECIDED | Action.BLOCKED:
            raise AssertionError(f"a step that is {step.action.value} cannot be carried out")


def _run(
    stage: Stage, facts: Facts, bench: Workbench, *, commit: bool, replaced: dict[RepoPath, Content | None]
) -> Carried:
    with bench.guard():
        _check_inputs(stage, facts)
        _check_places(stage, bench, commit=commit)
        _check_not_tracked(stage, bench)
        _clear_outputs(stage, facts, bench, commit=commit, replaced=replaced)
    _run_commands(stage, bench)
    with bench.guard():
        after = gather_facts(
            (stage,),
            root=bench.root,
            reader=bench.reader,
            state=bench.state,
            ignore=bench.ignore,
            is_cached=bench.cache.has_all,
        )
        outs = tuple(_save_output(stage, out, after, bench, commit=commit) for out in stage.outs)
        entry = _entry(stage, describe(stage, after), outs)
        ignored = _keep_ignored(stage, bench)
        if commit:
            _record_run(stage, entry, bench)
        lock = write_lock_entry(stage, entry, bench)
    return Carried(entry=entry, touched=(lock, *ignored))


def _run_commands(stage: Stage, bench: Workbench) -> None:
    cwd = join(bench.root, stage.wdir)
    if not os.path.isdir(cwd):
        raise StageFailedError(
            f"'{stage.address}' cannot run: its working directory '{stage.wdir}' does not exist",
            stage=stage.address,
            hint="create it, or change 'wdir' in dvc.yaml",
        )
    env = {"DVC_ROOT": bench.root, **bench.env, "DVC_STAGE": stage.address}
    writes = [place_on_disk(bench.root, stage, out) for out in stage.outs]
    reads = [place_on_disk(bench.root, stage, dependency) for dependency in stage.deps]
    with hold_paths(bench.tmp_dir, reads=[*reads, *writes], writes=writes):
        for command in stage.shell_calls:
            bench.reporter.emit(CommandStarted(address=stage.address, command=command))
            code = bench.runner.run(command, cwd=cwd, env=env)
            if code != 0:
                how = f"exited with {code}" if code > 0 else f"was ended by signal {-code}"
                raise StageFailedError(
                    f"'{stage.address}' failed: '{command}' {how}", stage=stage.address, exit_code_of_command=code
                )


def _check_inputs(stage: Stage, facts: Facts) -> None:
    for dependency in stage.deps:
        if facts.contents[item_key(stage, dependency)] is None:
            raise StageFailedError(
                f"'{stage.address}' cannot run: its dependency '{dependency.written}' does not exist",
                stage=stage.address,
                hint="create it, or put it back with 'ob checkout'",
            )
    for group in stage.params:
        data = facts.params[item_key(stage, group)]
        if data is None:
            raise StageFailedError(
                f"'{stage.address}' cannot run: its parameter file '{group.written}' does not exist",
                stage=stage.address,
                hint=f"create '{group.written}', or change 'params' in {stage.file}",
            )
        missing = [key for key, value in param_values(group, data).items() if value is MISSING]
        if missing:
            names = ", ".join(repr(key) for key in missing)
            raise StageFailedError(
                f"'{stage.address}' cannot run: parameter {names} is missing from '{group.written}'",
                stage=stage.address,
                hint=f"add it to '{group.written}', or remove it from 'params' in {stage.file}",
            )


def _check_places(stage: Stage, bench: Workbench, *, commit: bool) -> None:
    """Refuses outputs outside of the project that the cache cannot take, or that would take the project with them."""
    for out in stage.outs:
        if out.path is not None:
            continue
        if out.cache and commit:
            raise StageFailedError(
                f"output '{out.written}' of '{stage.address}' is outside of the project, so it cannot be cached",
                stage=stage.address,
                hint=f"set 'cache: false' for it in {stage.file}, or move it into the project",
            )
        if overlap(os.path.realpath(place_on_disk(bench.root, stage, out)), os.path.realpath(bench.root)):
            raise StageFailedError(
                f"output '{out.written}' of '{stage.address}' holds the project, or leads back into it",
                stage=stage.address,
                hint=f"write it relative to '{stage.wdir or '.'}' in {stage.file}",
            )


def _check_not_tracked(stage: Stage, bench: Workbench) -> None:
    paths = [out.path for out in stage.outs if out.cache and out.path is not None]
    for path in sorted(bench.source_control.tracked(paths)):
        raise StageFailedError(
            f"output '{path}' of '{stage.address}' is tracked by Git, so it cannot be kept in the cache as well",
            stage=stage.address,
            hint=f"git rm -r --cached '{path}', or set 'cache: false' for it in {stage.file}",
        )


def _clear_outputs(
    stage: Stage, facts: Facts, bench: Workbench, *, commit: bool, replaced: dict[RepoPath, Content | None]
) -> None:
    """Removes what the last run left, so that nothing of it can be taken for a result of this one.

    Content that is nowhere else goes into the cache first.
    """
    for out in stage.outs:
        disk = place_on_disk(bench.root, stage, out)
        content = facts.contents[item_key(stage, out)]
        if isinstance(content, Content) and out.path is not None:
            # A directory too where Git keeps it: file by file it could not be put back after a failure.
            is_kept = out.cache or content.n_files is not None
            if commit and is_kept and not bench.cache.has_all(content.id):
                _into_cache(stage, out, bench, relink=False)
            replaced[out.path] = content
        elif out.path is not None:
            replaced[out.path] = None
        if out.persist or out.checkpoint:
            if os.path.lexists(disk):
                unprotect(disk)
        else:
            remove_tree(disk)
        if out.path is not None:
            os.makedirs(join(bench.root, parent(out.path)), exist_ok=True)


def _save_output(
    stage: Stage, out: Output, after: Facts, bench: Workbench, *, commit: bool, relink: bool = True
) -> LockedItem:
    content = after.contents[item_key(stage, out)]
    if content is None:
        raise StageFailedError(
            f"output '{out.written}' of '{stage.address}' was not made by its command",
            stage=stage.address,
            hint=f"let the command write it, or change 'outs' in {stage.file}",
        )
    if out.cache and commit:
        content = _into_cache(stage, out, bench, relink=relink)
    assert isinstance(content, Content)
    return locked_item(out.written, content)


def _into_cache(stage: Stage, out: Output, bench: Workbench, *, relink: bool) -> Content:
    rel = out.path if out.path is not None else RepoPath("")
    return save(
        place_on_disk(bench.root, stage, out),
        cache=bench.cache,
        state=bench.state,
        ignore=bench.ignore,
        rel=rel,
        relink=relink,
    )


def _entry(stage: Stage, described: LockedStage, outs: tuple[LockedItem, ...]) -> LockedStage:
    return LockedStage(
        command=stage.command,
        deps=described.deps,
        params=described.params,
        outs=tuple(sorted(outs, key=lambda item: item.written)),
    )


def _record_run(stage: Stage, entry: LockedStage, bench: Workbench) -> None:
    if is_recordable(stage):
        for out in outputs_to_keep(stage):
            _into_cache(stage, out, bench, relink=False)
        record_run(bench.cache.root, entry)


def _restore(step: Step, facts: Facts, bench: Workbench, replaced: dict[RepoPath, Content | None]) -> Carried:
    assert step.entry is not None
    _check_not_tracked(step.stage, bench)
    _check_out(step.stage, step.entry, facts, bench, replaced)
    entry = _entry(step.stage, describe(step.stage, facts), step.entry.outs)
    ignored = _keep_ignored(step.stage, bench)
    return Carried(entry=entry, touched=(write_lock_entry(step.stage, entry, bench), *ignored))


def _check_out(
    stage: Stage, entry: LockedStage, facts: Facts, bench: Workbench, replaced: dict[RepoPath, Content | None]
) -> None:
    _check_places(stage, bench, commit=False)
    recorded = {item.written: item for item in entry.outs}
    for out in stage.outs:
        was, content = recorded.get(out.written), facts.contents[item_key(stage, out)]
        if was is None or was.md5 is None or (isinstance(content, Content) and content.id == was.md5):
            continue
        if out.path is not None:
            replaced[out.path] = content if isinstance(content, Content) else None
            if isinstance(content, Content) and out.cache and not bench.cache.has_all(content.id):
                _into_cache(stage, out, bench, relink=False)
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


def record_stage(
    stage: Stage, locked: LockedStage | None, facts: Facts, bench: Workbench, *, relink: bool
) -> tuple[RepoPath, ...]:
    """Records what a stage reads and wrote as it is now; returns the files that were written.

    Raises:
        OffbranchError: An output is missing.
    """
    if stage.command is None:
        return _record_data(stage, locked, bench, commit=True, relink=relink).touched
    _check_places(stage, bench, commit=True)
    outs = tuple(_save_output(stage, out, facts, bench, commit=True, relink=relink) for out in stage.outs)
    entry = _entry(stage, describe(stage, facts), outs)
    _record_run(stage, entry, bench)
    ignored = _keep_ignored(stage, bench)
    return ignored if entry == locked else (write_lock_entry(stage, entry, bench), *ignored)


def record_outputs(
    stage: Stage, locked: LockedStage, items: Mapping[str, LockedItem], bench: Workbench
) -> tuple[RepoPath, ...]:
    """Records what some outputs of a stage hold, by their paths as written; the rest of its record stays."""
    if stage.name is not None:
        outs = tuple(items.get(item.written, item) for item in locked.outs)
        return (write_lock_entry(stage, replace(locked, outs=outs), bench),)
    text = update_datafile_text(bench.reader.read_bytes(stage.file).decode(), stage.file, items)
    write_if_changed(join(bench.root, stage.file), text.encode())
    return (stage.file,)


def _record_data(
    stage: Stage, locked: LockedStage | None, bench: Workbench, *, commit: bool, relink: bool = True
) -> Carried:
    outs: dict[str, LockedItem] = {}
    for out in stage.outs:
        if commit and out.cache:
            content = _into_cache(stage, out, bench, relink=relink)
        else:
            seen = observe(
                place_on_disk(bench.root, stage, out),
                state=bench.state,
                ignore=bench.ignore,
                rel=out.path or RepoPath(""),
            )
            if seen is None:
                raise OffbranchError(f"'{out.written}' of '{stage.address}' does not exist")
            content = seen
        outs[out.written] = locked_item(out.written, content)
    if locked is not None and {item.written: item for item in locked.outs} == outs:
        return Carried(touched=_keep_ignored(stage, bench))
    text = update_datafile_text(bench.reader.read_bytes(stage.file).decode(), stage.file, outs)
    write_if_changed(join(bench.root, stage.file), text.encode())
    entry = LockedStage(outs=tuple(outs.values()))
    return Carried(entry=entry, touched=(stage.file, *_keep_ignored(stage, bench)))


def _keep_ignored(stage: Stage, bench: Workbench) -> tuple[RepoPath, ...]:
    paths = [out.path for out in stage.outs if out.cache and out.path is not None]
    unignored = bench.source_control.unignored(paths)
    return bench.source_control.ignore([path for path in paths if path in unignored]) if unignored else ()


def write_lock_entry(stage: Stage, entry: LockedStage, bench: Workbench) -> RepoPath:
    """Puts the entry of a stage into its dvc.lock; returns that file."""
    path = lock_file_of(stage.file)
    try:
        before: str | None = bench.reader.read_bytes(path).decode()
    except FileNotFoundError:
        before = None
    assert stage.name is not None
    changes: Mapping[str, LockedStage | None] = {stage.name: entry}
    if write_if_changed(join(bench.root, path), update_lock_text(before, changes).encode()):
        bench.reporter.emit(FileWritten(path=path, is_new=before is None))
    return path


def lock_file_of(pipeline_file: RepoPath) -> RepoPath:
    """Returns the dvc.lock that belongs to a dvc.yaml."""
    return RepoPath(pipeline_file.removesuffix(PIPELINE_FILE) + LOCK_FILE)
