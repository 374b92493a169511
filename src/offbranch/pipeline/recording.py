"""What a stage leaves on record: outputs in the cache, a run-cache entry, .gitignore lines, dvc.lock or the .dvc file."""

from collections.abc import Iterable, Mapping

from offbranch.base.errors import OffbranchError, StageFailedError
from offbranch.base.files import write_if_changed
from offbranch.base.paths import LOCK_FILE, PIPELINE_FILE, RepoPath, join
from offbranch.base.records import record, replace
from offbranch.pipeline.checks import check_places
from offbranch.pipeline.datafile import update_datafile_text
from offbranch.pipeline.events import FileWritten
from offbranch.pipeline.facts import Facts, place_on_disk
from offbranch.pipeline.lockfile import parse_lock, update_lock_text
from offbranch.pipeline.plan import describe, locked_item, tagged_item
from offbranch.pipeline.run_cache import is_recordable, outputs_to_keep, record_run
from offbranch.pipeline.stage import LockedItem, LockedStage, Output, Stage, item_key
from offbranch.pipeline.versions import kept, kept_if_same, lists_versions, look_into
from offbranch.pipeline.workbench import Workbench
from offbranch.storage.objects import Content, Tag
from offbranch.storage.save import save
from offbranch.storage.workspace import observe


@record
class Later:
    """What stages that come later in the order have left already, when several run at once: ours is put before it.

    Attributes:
        entries: Names of the entries that they added to the same dvc.lock.
        ignored: Outputs for which they added lines to .gitignore files.
    """

    entries: tuple[str, ...] = ()
    ignored: tuple[RepoPath, ...] = ()


NOTHING_LATER = Later()


@record
class Carried:
    """What a step left.

    Attributes:
        entry: The lock entry the stage has now; None when it has not changed.
        touched: Files of the project that belong into version control with the stage.
        ignored: Outputs for which .gitignore got a line.
    """

    entry: LockedStage | None = None
    touched: tuple[RepoPath, ...] = ()
    ignored: tuple[RepoPath, ...] = ()


def record_made(stage: Stage, after: Facts, bench: Workbench, *, commit: bool, later: Later) -> Carried:
    """Records what a command has made: cache, then .gitignore, run-cache, and last dvc.lock.

    Raises:
        StageFailedError: An output is missing.
    """
    outs = tuple(save_output(stage, out, after, bench, commit=commit) for out in stage.outs)
    entry = entry_of(stage, describe(stage, after), outs)
    files, ignored = keep_ignored(stage, bench, later)
    # What goes on from a checkpoint may owe something to other parameters or another code: no result to hand out again.
    if commit and stage.address not in bench.going_on.numbers:
        keep_run(stage, entry, bench)
    lock = write_lock_entry(stage, entry, bench, later)
    return Carried(entry=entry, touched=(lock, *files), ignored=ignored)


def save_output(
    stage: Stage, out: Output, after: Facts, bench: Workbench, *, commit: bool, relink: bool = True
) -> LockedItem:
    """Takes an output into the cache, or only looks at it; returns what is recorded of it."""
    content = after.contents[item_key(stage, out)]
    if content is None:
        raise StageFailedError(
            f"output '{out.written}' of '{stage.address}' was not made by its command",
            stage=stage.address,
            hint=f"let the command write it, or change 'outs' in {stage.file}",
        )
    if out.cache and commit:
        content = into_cache(stage, out, bench, relink=relink)
    if isinstance(content, Tag):
        return tagged_item(out.written, content)
    assert isinstance(content, Content)
    return locked_item(out.written, content)


def into_cache(stage: Stage, out: Output, bench: Workbench, *, relink: bool) -> Content:
    """Takes what is at an output into the cache."""
    rel = out.path if out.path is not None else RepoPath("")
    return save(
        place_on_disk(bench.root, stage, out),
        cache=bench.cache,
        state=bench.state,
        ignore=bench.ignore,
        rel=rel,
        relink=relink,
    )


def entry_of(stage: Stage, described: LockedStage, outs: tuple[LockedItem, ...]) -> LockedStage:
    """Returns the lock entry of a stage with some outputs."""
    return LockedStage(
        command=stage.command,
        deps=described.deps,
        params=described.params,
        outs=tuple(sorted(outs, key=lambda item: item.written)),
    )


def keep_run(stage: Stage, entry: LockedStage, bench: Workbench) -> None:
    """Writes the run-cache entry of a stage, where it may have one."""
    if is_recordable(stage):
        for out in outputs_to_keep(stage):
            into_cache(stage, out, bench, relink=False)
        record_run(bench.cache.root, entry)


def record_stage(
    stage: Stage, locked: LockedStage | None, facts: Facts, bench: Workbench, *, relink: bool
) -> tuple[RepoPath, ...]:
    """Records what a stage reads and wrote as it is now; returns the files that were written.

    Raises:
        OffbranchError: An output is missing.
    """
    if stage.command is None:
        return record_data(stage, locked, bench, commit=True, relink=relink).touched
    check_places(stage, bench, commit=True)
    outs = tuple(save_output(stage, out, facts, bench, commit=True, relink=relink) for out in stage.outs)
    entry = entry_of(stage, describe(stage, facts), outs)
    keep_run(stage, entry, bench)
    files, _ = keep_ignored(stage, bench)
    return files if entry == locked else (write_lock_entry(stage, entry, bench), *files)


def record_outputs(
    stage: Stage, locked: LockedStage, items: Mapping[str, LockedItem], bench: Workbench
) -> tuple[RepoPath, ...]:
    """Records what some outputs of a stage hold, by their paths as written; the rest of its record stays."""
    if stage.name is not None:
        outs = tuple(items.get(item.written, item) for item in locked.outs)
        return (write_lock_entry(stage, replace(locked, outs=outs), bench),)
    items = _with_kept_versions(stage, locked, items, bench)
    text = update_datafile_text(bench.reader.read_bytes(stage.file).decode(), stage.file, items)
    write_if_changed(join(bench.root, stage.file), text.encode())
    return (stage.file,)


def record_data(
    stage: Stage,
    locked: LockedStage | None,
    bench: Workbench,
    *,
    commit: bool,
    relink: bool = True,
    later: Later = NOTHING_LATER,
) -> Carried:
    """Takes what is at the outputs of a .dvc file into the cache, and writes that file where it has changed."""
    outs: dict[str, LockedItem] = {}
    for out in stage.outs:
        if commit and out.cache:
            content = into_cache(stage, out, bench, relink=relink)
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
    outs = _with_kept_versions(stage, locked, outs, bench)
    if locked is not None and {item.written: item for item in locked.outs} == outs:
        files, ignored = keep_ignored(stage, bench, later)
        return Carried(touched=files, ignored=ignored)
    text = update_datafile_text(bench.reader.read_bytes(stage.file).decode(), stage.file, outs)
    write_if_changed(join(bench.root, stage.file), text.encode())
    entry = LockedStage(outs=tuple(outs.values()))
    files, ignored = keep_ignored(stage, bench, later)
    return Carried(entry=entry, touched=(stage.file, *files), ignored=ignored)


def _with_kept_versions(
    stage: Stage, locked: LockedStage | None, items: Mapping[str, LockedItem], bench: Workbench
) -> dict[str, LockedItem]:
    """Returns items of a .dvc file with the versions at data remotes that still hold."""
    old = {item.written: item for item in locked.outs} if locked is not None else {}
    places = {out.written: place_on_disk(bench.root, stage, out) for out in stage.outs}
    return {
        written: kept(old.get(written), item, bench.cache, look_into(places[written]))
        for written, item in items.items()
    }


def keep_ignored(
    stage: Stage, bench: Workbench, later: Later = NOTHING_LATER
) -> tuple[tuple[RepoPath, ...], tuple[RepoPath, ...]]:
    """Makes Git ignore the cached outputs of a stage; returns the files written and the outputs that got a line."""
    paths = [out.path for out in stage.outs if out.cache and out.path is not None]
    unignored = bench.source_control.unignored(paths)
    new = tuple(path for path in paths if path in unignored)
    return (bench.source_control.ignore(new, later.ignored), new) if new else ((), ())


def write_lock_entry(stage: Stage, entry: LockedStage, bench: Workbench, later: Later = NOTHING_LATER) -> RepoPath:
    """Puts the entry of a stage into its dvc.lock; returns that file."""
    path = lock_file_of(stage.file)
    try:
        before: str | None = bench.reader.read_bytes(path).decode()
    except FileNotFoundError:
        before = None
    assert stage.name is not None
    if before is not None and lists_versions(before) and (old := parse_lock(before, path).get(stage.name)):
        entry = replace(entry, deps=_kept(old.deps, entry.deps), outs=_kept(old.outs, entry.outs))
    changes: Mapping[str, LockedStage | None] = {stage.name: entry}
    text = update_lock_text(before, changes, ahead_of=later.entries, path=path)
    if write_if_changed(join(bench.root, path), text.encode()):
        bench.reporter.emit(FileWritten(path=path, is_new=before is None))
    return path


def _kept(old: Iterable[LockedItem], new: Iterable[LockedItem]) -> tuple[LockedItem, ...]:
    known = {item.written: item for item in old}
    return tuple(kept_if_same(known.get(item.written), item) for item in new)


def lock_file_of(pipeline_file: RepoPath) -> RepoPath:
    """Returns the dvc.lock that belongs to a dvc.yaml."""
    return RepoPath(pipeline_file.removesuffix(PIPELINE_FILE) + LOCK_FILE)
