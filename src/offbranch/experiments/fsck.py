"""`fsck`: the cache against the names of its objects, and what is recorded against the cache. Nothing is changed here.

What can be done about the findings is in `experiments/repair.py`.
"""

import os
from collections.abc import Iterable, Iterator
from enum import Enum

from offbranch.base.errors import CorruptObjectError, NoProjectError, OffbranchError
from offbranch.base.events import Progressed, Reporter
from offbranch.base.files import TEMPORARY_PREFIX
from offbranch.base.paths import AbsPath, RepoPath, join
from offbranch.base.records import field, record
from offbranch.experiments.data_remotes import DataScope, commits_of_scope, outputs_of_scope
from offbranch.experiments.loading import load
from offbranch.experiments.run_cache_transfer import local_keys
from offbranch.experiments.used import RevisionOutputs, UsedOutput, outputs_of_stages
from offbranch.git.objects import ObjectReader
from offbranch.pipeline.run_cache import entry_at
from offbranch.pipeline.stage import Pipelines
from offbranch.project import Project
from offbranch.storage.fsck import Checked, Condition, check_objects, strangers
from offbranch.storage.gc import read_list
from offbranch.storage.listing import Listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId, is_directory
from offbranch.storage.set_aside import iter_set_aside
from offbranch.storage.verify import record_sound


class Kind(Enum):
    """What was found."""

    CORRUPT = "corrupt"
    MALFORMED = "malformed"
    UNREADABLE = "unreadable"
    MISSING = "missing"
    RUN_CACHE = "run-cache"
    PIPELINE = "pipeline"
    WRITABLE = "writable"
    UNFINISHED = "unfinished"
    STRANGER = "stranger"
    SET_ASIDE = "set-aside"


# No damage: worth knowing, and no reason to fail.
NOTES = frozenset((Kind.WRITABLE, Kind.UNFINISHED, Kind.STRANGER, Kind.SET_ASIDE))


@record
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: What.
        id: The object, the key of a run-cache entry, or what else it is about.
        path: Where it is, or should be.
        is_legacy: An object of DVC 2.
        uses: Outputs that need it.
        users: Files that need it, as text for people: those of other revisions name theirs.
        files: Files of the workspace among them.
        links: Files of the workspace that are hard or symbolic links to it: they show what it holds.
        detail: More about what is wrong.
        outcome: What a repair did about it.
        repaired: It is as it should be again.
    """

    kind: Kind
    id: str
    path: AbsPath
    is_legacy: bool = False
    uses: tuple[UsedOutput, ...] = ()
    users: tuple[str, ...] = ()
    files: tuple[RepoPath, ...] = ()
    links: tuple[RepoPath, ...] = ()
    detail: str = ""
    outcome: str = ""
    repaired: bool = False

    @property
    def is_problem(self) -> bool:
        """Something is damaged, still."""
        return self.kind not in NOTES and not self.repaired


@record
class FsckOptions:
    """How is checked.

    Attributes:
        repair: Bring back what can be brought back.
        remote: Data remote that sound copies come from; None for those of the outputs.
        jobs: Threads that hash; None for one per processor.
    """

    repair: bool = False
    remote: str | None = None
    jobs: int | None = None


@record
class FsckReport:
    """What came of it.

    Attributes:
        n_objects: Objects that were hashed.
        size_bytes: Of them.
        n_outputs: Recorded outputs that were looked up.
        findings: In the order of the objects.
    """

    n_objects: int
    size_bytes: int
    n_outputs: int
    findings: tuple[Finding, ...] = ()


@record
class _Use:
    """An output, where it is recorded: the label of a revision, or nothing for the workspace."""

    used: UsedOutput
    revision: str = ""
    listing: Listing | None = None

    def files(self) -> Iterator[tuple[ObjectId, str]]:
        """Yields each object it consists of, with its path."""
        yield self.used.id, self.used.path
        if self.listing is not None:
            for name, id in self.listing.entries.items():
                yield id, f"{self.used.path}/{name}"


@record
class _Users:
    uses: list[UsedOutput] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    files: list[RepoPath] = field(default_factory=list)


def examine(
    project: Project, scope: DataScope, options: FsckOptions, reporter: Reporter, *, cwd: RepoPath
) -> FsckReport:
    """Checks a project; see `api.care.fsck`."""
    uses, broken = _uses(project, scope, cwd)
    n_objects = size_bytes = 0
    findings: list[Finding] = list(broken)
    for is_legacy in (False, True):
        cache = project.cache.legacy_view() if is_legacy else project.cache
        mine = [_with_list(cache, use) for use in uses if use.used.is_legacy == is_legacy]
        wanted = sorted({id for use in mine for id, _ in use.files()})
        present = wanted if scope.targets else sorted(cache.iter_objects())
        bad: dict[ObjectId, Checked] = {}
        there: set[ObjectId] = set()
        for checked in _checked(cache, present, options, reporter):
            n_objects += checked.condition is not Condition.MISSING
            size_bytes += checked.size_bytes
            if checked.condition is not Condition.MISSING:
                there.add(checked.id)
            if checked.condition is Condition.SOUND and not is_legacy:
                record_sound(cache, checked.id, state=project.state)
            elif checked.condition is not Condition.SOUND:
                bad[checked.id] = checked
        for id in wanted:
            if id not in there and id not in bad:
                bad[id] = Checked(id, Condition.MISSING)
        findings += _findings(project, cache, bad, mine)
    if not scope.targets:
        findings += _beside(project)
    return FsckReport(n_objects=n_objects, size_bytes=size_bytes, n_outputs=len(uses), findings=tuple(findings))


def _checked(cache: LocalCache, ids: list[ObjectId], options: FsckOptions, reporter: Reporter) -> Iterator[Checked]:
    def tell(n_done: int) -> None:
        reporter.emit(Progressed(what="hashing the cache", done=n_done, total=len(ids), unit="files"))

    return check_objects(cache, ids, jobs=options.jobs or os.cpu_count() or 1, tell=tell)


def _uses(project: Project, scope: DataScope, cwd: RepoPath) -> tuple[list[_Use], list[Finding]]:
    """Returns the outputs that are meant, each content once per path, and what of the workspace cannot be understood."""
    uses: dict[tuple[ObjectId, str], _Use] = {}
    broken: list[Finding] = []
    try:
        pipelines = load(project)
        broken += [_broken(project, file, error) for file, error in pipelines.broken.items()]
        for used in _of_workspace(pipelines, scope, cwd):
            uses.setdefault((used.id, used.path), _Use(used=used))
    except OffbranchError as error:
        if scope.targets:
            raise
        broken.append(_broken(project, "", error))
    if scope.has_revisions:
        if project.repo is None:
            raise NoProjectError("there are no revisions without a Git repository", hint="leave out -a, -T and -A")
        with ObjectReader(project.repo) as objects:
            reader = RevisionOutputs(objects, project.prefix, project.cache)
            for commit in commits_of_scope(project.repo, scope):
                try:
                    for used in reader.of_commit(commit):
                        uses.setdefault((used.id, used.path), _Use(used=used, revision=commit[:7]))
                except OffbranchError as error:
                    broken.append(_broken(project, f"commit {commit[:7]}", error))
    return list(uses.values()), broken


def _of_workspace(pipelines: Pipelines, scope: DataScope, cwd: RepoPath) -> Iterable[UsedOutput]:
    if scope.targets:
        return outputs_of_scope(pipelines, scope, cwd)
    return outputs_of_stages(pipelines, pipelines.stages)


def _broken(project: Project, what: str, error: Exception) -> Finding:
    return Finding(kind=Kind.PIPELINE, id=what, path=join(project.root, what), detail=str(error))


def _with_list(cache: LocalCache, use: _Use) -> _Use:
    listing = read_list(cache, use.used.id) if is_directory(use.used.id) else None
    if listing is not None and use.used.inner:
        inner = use.used.inner
        entries = {
            name: id for name, id in listing.entries.items() if any(f"{name}/".startswith(f"{part}/") for part in inner)
        }
        listing = Listing(entries=entries)
    return _Use(used=use.used, revision=use.revision, listing=listing)


def _findings(
    project: Project, cache: LocalCache, bad: dict[ObjectId, Checked], uses: Iterable[_Use]
) -> Iterator[Finding]:
    users: dict[ObjectId, _Users] = {id: _Users() for id in bad}
    for use in uses if bad else ():
        for id, path in use.files():
            if id in users:
                known = users[id]
                known.uses.append(use.used)
                known.texts.append(f"{path} ({use.revision})" if use.revision else path)
                if not use.revision:
                    known.files.append(RepoPath(path))
    aside: dict[str, list[AbsPath]] = {}  # where an interrupted repair moved them, and links lead no longer
    for moved, _ in iter_set_aside(project.cache.root) if bad else ():
        aside.setdefault(os.path.basename(moved).rpartition("-")[0], []).append(moved)
    for id in sorted(bad):
        found, known = bad[id], users[id]
        path = cache.path_of(id)
        yield Finding(
            kind=Kind[found.condition.name],
            id=id,
            path=path,
            is_legacy=cache.is_legacy,
            uses=tuple(known.uses),
            users=tuple(known.texts),
            files=tuple(known.files),
            links=tuple(
                file
                for file in known.files
                if any(_is_link_to(join(project.root, file), place) for place in (path, *aside.get(id, ())))
            ),
            detail=found.detail,
        )


def _is_link_to(file: AbsPath, object_path: AbsPath) -> bool:
    """Tells whether a file of the workspace is the object itself: a hard link, or a symbolic link that leads there."""
    try:
        if os.path.islink(file):
            return os.path.realpath(file) == os.path.realpath(object_path)
        return os.path.samefile(file, object_path)
    except OSError:
        return False


def _beside(project: Project) -> Iterator[Finding]:
    """Yields what was found beside the objects."""
    root = project.cache.root
    for key in sorted(local_keys(root)):
        path = AbsPath(os.path.join(root, key))
        try:
            with open(path, "rb") as file:
                entry_at(key, file.read())
        except CorruptObjectError as error:
            yield Finding(kind=Kind.RUN_CACHE, id=key, path=path, detail=error.message)
        except OSError as error:
            yield Finding(kind=Kind.UNREADABLE, id=key, path=path, detail=(error.strerror or str(error)).lower())
    for path in strangers(project.cache):
        name = os.path.basename(path)
        kind = Kind.UNFINISHED if name.startswith(TEMPORARY_PREFIX) else Kind.STRANGER
        yield Finding(kind=kind, id=name, path=path)
    for path, _ in iter_set_aside(project.cache.root):
        yield Finding(kind=Kind.SET_ASIDE, id=os.path.basename(path), path=path)
