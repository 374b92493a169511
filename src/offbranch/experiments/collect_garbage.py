"""`gc`: what goes from the cache and the data remote of one or more projects, and the going.

Everything that decides is in `plan_collection`, which removes nothing; `apply_collection` does what the plan says.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

from offbranch.base.errors import MissingDataError, OffbranchError, UsageError
from offbranch.base.events import Progressed, Reporter, Warned
from offbranch.base.files import remove_file
from offbranch.base.paths import AbsPath, relative_to
from offbranch.base.records import record
from offbranch.experiments.gc_uses import Uses, uses_of
from offbranch.experiments.kept import GcScope
from offbranch.experiments.refs import list_experiments
from offbranch.experiments.used import RevisionOutputs, UsedOutput
from offbranch.git.objects import ObjectReader
from offbranch.project import Project
from offbranch.storage.connections import Connections
from offbranch.storage.gc import (
    Closure,
    GcPlan,
    apply_gc,
    close_over,
    iter_sized,
    old_temporaries,
    plan_gc,
    read_list,
)
from offbranch.storage.listing import Listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId, is_directory
from offbranch.storage.remote_setting import RemoteSetting, resolve_remote
from offbranch.storage.remote_store import present_in
from offbranch.storage.set_aside import old_set_aside


@record
class GcPart:
    """What goes from one place.

    Attributes:
        setting: The data remote; None for the cache.
        is_legacy: Objects of DVC 2.
        plan: Which.
    """

    setting: RemoteSetting | None
    is_legacy: bool
    plan: GcPlan


@record
class Collection:
    """Everything that one `gc` removes.

    Attributes:
        parts: Objects, place by place: the cache first.
        temporaries: Unfinished files of killed processes.
        set_aside: Corrupt objects that were set aside more than a month ago.
        losing: Experiments whose data goes.
        skipped: Revisions that were left out.
    """

    parts: tuple[GcPart, ...]
    temporaries: tuple[AbsPath, ...] = ()
    set_aside: tuple[AbsPath, ...] = ()
    losing: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def n_objects(self) -> int:
        """Objects that go, here and elsewhere."""
        return sum(len(part.plan.ids) for part in self.parts)

    @property
    def is_empty(self) -> bool:
        """Nothing goes."""
        return not (self.n_objects or self.temporaries or self.set_aside)


def plan_collection(
    project: Project, others: Sequence[Project], scope: GcScope, reporter: Reporter, *, now_ns: int
) -> Collection:
    """Returns what goes; nothing is removed yet.

    Args:
        project: Whose cache and data remote.
        others: Other projects that use the same cache; what they use stays too.
        scope: What is kept.
        reporter: Is warned of what may be a mistake.
        now_ns: The present, in ns since 1970.

    Raises:
        OffbranchError: What a revision uses cannot be found out.
        RemoteError: The data remote cannot be asked.
    """
    _warn_of_sharing(project, others, reporter)
    uses = [uses_of(project, scope, reporter), *(uses_of(other, scope, reporter, lenient=True) for other in others)]
    parts: list[GcPart] = []
    with Connections() as connections:
        for is_legacy in (False, True):
            parts += _plan_places(uses, scope, is_legacy, connections, reporter)
    parts.sort(key=lambda part: part.setting is not None)
    gone = {part.is_legacy: frozenset(part.plan.ids) for part in parts if part.setting is None}
    return Collection(
        parts=tuple(parts),
        temporaries=old_temporaries(project.cache, now_ns=now_ns),
        set_aside=old_set_aside(project.cache.root, now_ns=now_ns),
        losing=() if scope.all_experiments else tuple(_losing(project, gone)),
        skipped=tuple(label for each in uses for label in each.skipped),
    )


def apply_collection(collection: Collection, project: Project, scope: GcScope, reporter: Reporter) -> None:
    """Removes what a plan says; stopping at any point leaves nothing that is used without its data.

    Raises:
        OffbranchError: Something cannot be removed.
    """
    for part in collection.parts:
        total = len(part.plan.ids)
        what = "removing from the cache" if part.setting is None else f"removing from the {part.setting.label}"

        def tell(n_done: int, what: str = what, total: int = total) -> None:
            reporter.emit(Progressed(what=what, done=n_done, total=total, unit="files"))

        if part.setting is None:
            apply_gc(part.plan, _view(project, part.is_legacy), tell=tell)
            continue
        with Connections() as connections:
            store = connections.store(part.setting, jobs=scope.jobs, legacy=part.is_legacy)
            apply_gc(part.plan, store, tell=tell)
    for path in (*collection.temporaries, *collection.set_aside):
        remove_file(path)


def _plan_places(
    uses: Sequence[Uses], scope: GcScope, is_legacy: bool, connections: Connections, reporter: Reporter
) -> Iterator[GcPart]:
    """Yields what goes of the objects of one age."""
    project = uses[0].project
    wanted = {id: used for each in reversed(uses) for id, used in (each.legacy if is_legacy else each.ids).items()}
    lists = _lists(uses, wanted, scope, is_legacy, connections)
    closure = close_over(wanted, lists)
    keep = closure.ids
    if scope.not_in_remote:
        keep = _lacking(project, scope, is_legacy, wanted, lists, connections)
    here = plan_gc(iter_sized(_view(project, is_legacy)), keep)
    parts = [GcPart(setting=None, is_legacy=is_legacy, plan=here)]
    if scope.cloud:
        setting = resolve_remote(project.config, scope.remote, root=project.root)
        store = connections.store(setting, jobs=scope.jobs, legacy=is_legacy)
        parts.append(GcPart(setting=setting, is_legacy=is_legacy, plan=plan_gc(iter_sized(store), keep)))
    if any(part.plan.files for part in parts):
        _refuse_unlisted(closure, wanted, scope, reporter)
    yield from parts


def _lists(
    uses: Sequence[Uses], wanted: dict[ObjectId, UsedOutput], scope: GcScope, is_legacy: bool, connections: Connections
) -> dict[ObjectId, Listing]:
    """Returns the lists of the directories among some objects: from a cache, else from a data remote."""
    caches = [_view(each.project, is_legacy) for each in uses]
    found: dict[ObjectId, Listing] = {}
    absent: dict[str, list[ObjectId]] = {}
    settings: dict[str, RemoteSetting] = {}
    project = uses[0].project
    for id, used in wanted.items():
        if not is_directory(id):
            continue
        listing = next((one for cache in caches if (one := read_list(cache, id)) is not None), None)
        if listing is not None:
            found[id] = listing
            continue
        for setting in _remotes_of(project, used, scope):
            settings.setdefault(setting.name, setting)
            absent.setdefault(setting.name, []).append(id)
    for name, ids in absent.items():
        store = connections.store(settings[name], jobs=scope.jobs, legacy=is_legacy)
        found.update((id, listing) for id in ids if (listing := read_list(store, id)) is not None)
    return found


def _remotes_of(project: Project, used: UsedOutput, scope: GcScope) -> Iterator[RemoteSetting]:
    for name in dict.fromkeys((used.out.remote, scope.remote)):
        try:
            yield resolve_remote(project.config, name, root=project.root)
        except UsageError:
            continue  # there is no default one


def _lacking(
    project: Project,
    scope: GcScope,
    is_legacy: bool,
    wanted: dict[ObjectId, UsedOutput],
    lists: dict[ObjectId, Listing],
    connections: Connections,
) -> frozenset[ObjectId]:
    """Returns the objects that a data remote does not have; of a directory it lacks a part of, the whole."""
    keep: set[ObjectId] = set()
    setting = resolve_remote(project.config, scope.remote, root=project.root)
    store = connections.store(setting, jobs=scope.jobs, legacy=is_legacy)
    there = present_in(store, close_over(wanted, lists).ids)
    for id in wanted:
        whole = close_over((id,), lists)
        if whole.unlisted or not whole.ids <= there:
            keep |= whole.ids
    return frozenset(keep)


def _refuse_unlisted(closure: Closure, wanted: dict[ObjectId, UsedOutput], scope: GcScope, reporter: Reporter) -> None:
    """Stops where the files of a used directory could not be told from unused ones."""
    for id in sorted(closure.unlisted):
        path = wanted[id].path
        if not scope.skip_failed:
            raise MissingDataError(
                f"nothing was removed: the list of the directory '{path}' ({id}) is neither in the cache nor at a"
                " data remote, so its files cannot be told from unused ones",
                hint="'ob fetch' or 'ob commit' brings it back; --skip-failed goes on, and its files may go",
            )
        reporter.emit(Warned(text=f"the list of '{path}' ({id}) is nowhere: its files may go"))


def _losing(project: Project, gone: Mapping[bool, frozenset[ObjectId]]) -> Iterator[str]:
    """Yields the names of experiments that use something that goes."""
    if not any(gone.values()) or project.repo is None:
        return
    with ObjectReader(project.repo) as objects:
        reader = RevisionOutputs(objects, project.prefix, project.cache)
        for experiment in list_experiments(project.repo):
            try:
                outputs = reader.of_commit(experiment.commit)
            except OffbranchError:
                continue
            if any(_touches(_view(project, used.is_legacy), used.id, gone[used.is_legacy]) for used in outputs):
                yield experiment.name


def _touches(cache: LocalCache, id: ObjectId, gone: frozenset[ObjectId]) -> bool:
    if id in gone:
        return True
    listing = read_list(cache, id) if gone and is_directory(id) else None
    return listing is not None and not gone.isdisjoint(listing.entries.values())


def _warn_of_sharing(project: Project, others: Sequence[Project], reporter: Reporter) -> None:
    mine = os.path.realpath(project.cache.root)
    for other in others:
        if os.path.realpath(other.cache.root) != mine:
            reporter.emit(Warned(text=f"'{other.root}' has another cache: '{other.cache.root}'"))
    if not others and relative_to(AbsPath(mine), AbsPath(os.path.realpath(project.root))) is None:
        reporter.emit(
            Warned(
                text=f"the cache '{project.cache.root}' lies outside of the project: what other projects use in it goes too",
                hint="name them with -p",
            )
        )


def _view(project: Project, is_legacy: bool) -> LocalCache:
    return project.cache.legacy_view() if is_legacy else project.cache
