"""From what was held to a tree of Git: the files that the attempt began with, what ended stages have left, and the snapshot.

Everything comes in by blobs of our own and a private index; the files in the workspace are only read.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from offbranch.base.paths import AbsPath, GitPath, RepoPath, is_same_or_inside, join
from offbranch.base.records import record, replace
from offbranch.experiments.checkpoint_files import (
    File,
    FileWriter,
    file_on_disk,
    file_with,
    files_at,
    identity_of,
    paths_below,
)
from offbranch.experiments.checkpoint_snapshot import HeldOutput, Snapshot, StageSnapshot
from offbranch.experiments.loading import load
from offbranch.experiments.workbench import in_git
from offbranch.git.ids import BlobId, TreeId
from offbranch.git.ignore import ignored_paths, with_entry
from offbranch.git.objects import (
    MODE_EXECUTABLE,
    MODE_FILE,
    MODE_LINK,
    ObjectReader,
)
from offbranch.git.repository import GitRepo
from offbranch.git.tree_edit import write_tree_with
from offbranch.pipeline.lockfile import parse_lock, update_lock_text
from offbranch.pipeline.plan import locked_item
from offbranch.pipeline.recording import entry_of, lock_file_of
from offbranch.pipeline.stage import LockedStage, Stage
from offbranch.project import Project
from offbranch.storage.objects import ObjectId
from offbranch.storage.still import Held
from offbranch.storage.still_stored import contents, store

# The clock of the file system may be a tick behind ours.
_TICK_NS = 2_000_000_000


@record
class Recorded:
    """The stages of a checkpoint in the cache.

    Attributes:
        entries: Address of each stage that runs -> its entry for dvc.lock, as if it had ended.
        ids: All objects of the cached outputs.
        new: Those that the cache did not have.
    """

    entries: Mapping[str, LockedStage]
    ids: frozenset[ObjectId]
    new: tuple[ObjectId, ...]


@record
class _Latest:
    """The newest snapshot of a stage that still runs; later ones are about other stages, side by side with it.

    Attributes:
        entry: For dvc.lock.
        kept: What Git keeps of its outputs.
        ids: Objects of the others.
    """

    stage: Stage
    entry: LockedStage
    kept: Mapping[GitPath, tuple[int, BlobId] | None]
    ids: frozenset[ObjectId]


class TreeMaker:
    """Makes the trees of one run; used by one thread.

    Args:
        place: The project, or its copy, that the commands run in.
        repo: Its repository, which gets the objects.
        base: The files that the attempt began with.
        parameters: What the overrides have made of parameter files, where that is not in `base`.
        stage_dir: A directory for files on their way into Git; below the work tree.
        began_ns: When the run began.
    """

    def __init__(
        self,
        place: Project,
        repo: GitRepo,
        base: TreeId,
        parameters: Mapping[RepoPath, bytes],
        stage_dir: AbsPath,
        began_ns: int,
    ) -> None:
        self._place, self._repo, self._base = place, repo, base
        self._parameters = parameters
        self._writer = FileWriter(repo, stage_dir)
        self._since_ns = began_ns - _TICK_NS
        self._stages: tuple[Stage, ...] | None = None
        self._latest: dict[str, _Latest] = {}
        self._ignored: dict[GitPath, bool] = {}

    def record(self, snapshot: Snapshot) -> Recorded:
        """Puts the cached outputs of a snapshot into the cache.

        Raises:
            OffbranchError: The disk is full.
        """
        entries: dict[str, LockedStage] = {}
        ids: set[ObjectId] = set()
        new: list[ObjectId] = []
        for each in snapshot.stages:
            items = []
            for out in each.outs:
                if out.held is None:
                    continue
                if out.out.cache:
                    stored = store(out.held, cache=self._place.cache, state=self._place.state)
                    ids.update(stored.ids)
                    new += stored.new
                    items.append(locked_item(out.out.written, stored.content))
                else:
                    items.append(locked_item(out.out.written, identity_of(out.held)))
            stage = each.running.stage
            entries[stage.address] = entry_of(stage, each.running.described, tuple(items))
        self._place.state.flush()
        return Recorded(entries=entries, ids=frozenset(ids), new=tuple(new))

    def tree(
        self, snapshot: Snapshot, recorded: Recorded, running: Iterable[Stage], left: Sequence[RepoPath] = ()
    ) -> TreeId:
        """Stores the tree of a checkpoint.

        Args:
            snapshot: What was held.
            recorded: Its cached outputs.
            running: All stages whose commands run, or have ended and nothing is recorded of them yet.
            left: What the Live of stages that have ended has written.

        Raises:
            GitError: Git failed.
        """
        busy = {stage.address: stage for stage in running}
        self._latest = {address: latest for address, latest in self._latest.items() if address in busy}
        files: dict[GitPath, File | None] = {self._in_git(p): file_with(c) for p, c in self._parameters.items()}
        files |= self._left_by_others(busy)
        own: dict[str, dict[GitPath, File | None]] = {}
        with ObjectReader(self._repo) as objects:
            for each in snapshot.stages:
                own[each.running.stage.address] = self._kept_by_git(each, objects)
                files |= own[each.running.stage.address]
        for each in snapshot.stages:
            stage = each.running.stage
            entry = recorded.entries[stage.address]
            entry = replace(entry, command=unfinished(stage.command, snapshot.number))
            self._latest[stage.address] = _Latest(stage=stage, entry=entry, kept={}, ids=recorded.ids)
        files |= self._lines()
        files |= self._live(snapshot, left)
        blobs = self._writer.blobs(files)
        for address, kept in own.items():
            self._latest[address] = replace(self._latest[address], kept={path: blobs[path] for path in kept})
        for latest in self._latest.values():
            blobs |= latest.kept
        return write_tree_with(self._repo, self._base, blobs)

    def forget(self) -> None:
        """Relies no more on what was stored for a checkpoint that could not be made: nothing refers to it."""
        self._writer.forget()

    def ids_in_use(self) -> frozenset[ObjectId]:
        """Returns the objects of the newest snapshots of all stages that run: those of the last tree."""
        return frozenset(id for latest in self._latest.values() for id in latest.ids)

    def entries_on_record(self, addresses: Iterable[str]) -> dict[str, LockedStage]:
        """Returns what dvc.lock says of stages that have ended, by name."""
        found = {}
        for stage in self._all_stages():
            if stage.address in addresses and stage.name is not None:
                entry = self._lock(lock_file_of(stage.file))[1].get(stage.name)
                if entry is not None:
                    found[stage.name] = entry
        return found

    def _left_by_others(self, busy: Mapping[str, Stage]) -> dict[GitPath, File | None]:
        """Returns files that the pipeline has changed since the run began: records, and what Git keeps of outputs."""
        paths: dict[RepoPath, None] = {}
        for stage in self._all_stages():
            if stage.command is not None:
                paths[lock_file_of(stage.file)] = None
            for out in stage.outs:
                if out.path is None or stage.address in busy:
                    continue
                above = out.path.rpartition("/")[0]
                paths[RepoPath(f"{above}/.gitignore" if above else ".gitignore") if out.cache else out.path] = None
        return {self._in_git(path): file for path, file in self._changed(paths)}

    def _changed(self, paths: Iterable[RepoPath]) -> Iterator[tuple[RepoPath, File | None]]:
        """Yields the files at some paths that have changed since the run began."""
        for path in paths:
            for each, status in files_at(self._place.root, path):
                if status.st_ctime_ns >= self._since_ns:
                    yield each, file_on_disk(join(self._place.root, each), status)

    def _kept_by_git(self, snapshot: StageSnapshot, objects: ObjectReader) -> dict[GitPath, File | None]:
        """Returns the outputs of a stage that Git keeps; what the base has of them and is not there any more goes."""
        files: dict[GitPath, File | None] = {}
        there = {each.out.path: each for each in snapshot.outs}
        for out in snapshot.running.stage.outs:
            if out.cache or out.path is None:
                continue
            files |= dict.fromkeys(paths_below(objects, self._base, self._in_git(out.path)))
            if out.path in there:
                files |= self._of_output(there[out.path])
        return files

    def _of_output(self, output: HeldOutput) -> dict[GitPath, File | None]:
        assert output.out.path is not None
        if output.link is not None:
            return {self._in_git(output.out.path): File(mode=MODE_LINK, content=output.link)}
        assert output.held is not None
        return dict(self._of_content(output.out.path, output.held))

    def _of_content(self, path: RepoPath, held: Held) -> Iterator[tuple[GitPath, File]]:
        for file, content in contents(held):
            where = RepoPath(f"{path}/{file.name}".replace(os.sep, "/")) if file.name else path
            yield self._in_git(where), File(mode=MODE_EXECUTABLE if file.is_executable else MODE_FILE, content=content)

    def _lines(self) -> dict[GitPath, File | None]:
        """Returns the dvc.lock and .gitignore files of the stages that run and have been looked at."""
        texts: dict[RepoPath, str | None] = {}
        for latest in self._latest.values():
            stage = latest.stage
            if stage.name is None:
                continue
            path = lock_file_of(stage.file)
            before = texts[path] if path in texts else self._lock(path)[0]
            texts[path] = update_lock_text(before, {stage.name: latest.entry}, path=path)
            for out in stage.outs:
                if out.cache and out.path is not None and not self._is_ignored(self._in_git(out.path)):
                    above, _, name = out.path.rpartition("/")
                    ignore = RepoPath(f"{above}/.gitignore" if above else ".gitignore")
                    known = texts.get(ignore)
                    texts[ignore] = with_entry(self._text(ignore) or "" if known is None else known, name)
        return {
            self._in_git(path): file_with(text.encode(errors="surrogateescape")) for path, text in texts.items() if text
        }

    def _live(self, snapshot: Snapshot, left: Sequence[RepoPath]) -> dict[GitPath, File | None]:
        files = {self._in_git(path): file for path, file in self._changed(left)}
        cached = [out.path for each in self._all_stages() for out in each.outs if out.cache and out.path is not None]
        for path, held in snapshot.live:
            for where, file in self._of_content(path, held):
                inside = where[len(self._place.prefix) + 1 :] if self._place.prefix else where
                if not any(is_same_or_inside(inside, out) for out in cached):
                    files[where] = file
        ignored = self._which_ignored(list(files))
        return {path: file for path, file in files.items() if path not in ignored}

    def _all_stages(self) -> tuple[Stage, ...]:
        if self._stages is None:
            self._stages = load(self._place).stages
        return self._stages

    def _lock(self, path: RepoPath) -> tuple[str | None, Mapping[str, LockedStage]]:
        text = self._text(path)
        return text, {} if text is None else parse_lock(text, path)

    def _text(self, path: RepoPath) -> str | None:
        try:
            return self._place.reader.read_bytes(path).decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            return None

    def _is_ignored(self, path: GitPath) -> bool:
        return path in self._which_ignored([path])

    def _which_ignored(self, paths: Sequence[GitPath]) -> frozenset[GitPath]:
        new = [path for path in paths if path not in self._ignored]
        if new:
            found = ignored_paths(self._place.repo or self._repo, new)
            self._ignored.update((path, path in found) for path in new)
        return frozenset(path for path in paths if self._ignored[path])

    def _in_git(self, path: RepoPath) -> GitPath:
        return in_git(self._place, path)


def unfinished(command: str | tuple[str, ...] | None, number: int) -> str | tuple[str, ...] | None:
    """Returns how dvc.lock says of a command that it has come as far as a checkpoint, not to its end."""
    if isinstance(command, tuple):
        return (*command[:-1], f"{command[-1]} # checkpoint {number}") if command else command
    return None if command is None else f"{command.rstrip(chr(10))} # checkpoint {number}"
