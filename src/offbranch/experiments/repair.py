"""What `fsck --repair` does about findings: bad objects out of the way, sound ones in their place, links made again.

Nothing is destroyed: what was under an object's name is moved to `<cache>/corrupt`, and a file of the workspace that was a
link keeps that content where no sound copy can be had. If it is interrupted, the same command goes on.
"""

import os
from collections.abc import Iterable

from offbranch.base.errors import OffbranchError, UsageError
from offbranch.base.events import Reporter
from offbranch.base.paths import AbsPath, RepoPath, join
from offbranch.base.records import replace
from offbranch.experiments.data_remotes import DataScope
from offbranch.experiments.fsck import Finding, FsckOptions, FsckReport, Kind, examine
from offbranch.project import Project
from offbranch.storage.connections import Connections
from offbranch.storage.fsck import Condition, check_object, protect
from offbranch.storage.hashing import hash_file
from offbranch.storage.links import DEFAULT_LINK_KINDS, Linker
from offbranch.storage.listing import listing_bytes, listing_id
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId, is_directory
from offbranch.storage.remote_setting import RemoteSetting, resolve_remote
from offbranch.storage.set_aside import iter_set_aside, set_aside
from offbranch.storage.transfer import fetch_objects
from offbranch.storage.transfer_plan import Ends, Wanted
from offbranch.storage.workspace import list_directory

_OBJECTS = (Kind.CORRUPT, Kind.MALFORMED, Kind.MISSING)


def repair_all(
    project: Project, scope: DataScope, options: FsckOptions, reporter: Reporter, *, cwd: RepoPath
) -> FsckReport:
    """Examines a project and repairs what can be repaired; see `api.care.fsck`.

    Lists of directories come first: only with them is it known which files need the other objects. Whenever one has come
    back, everything is examined again.
    """
    report = examine(project, scope, options, reporter, cwd=cwd)
    lists = [finding for finding in report.findings if finding.kind in _OBJECTS and is_directory(ObjectId(finding.id))]
    done = _repair(project, lists, options, reporter)
    back = tuple(finding for finding in done if finding.repaired)
    if not back:
        rest = [finding for finding in report.findings if finding not in lists]
        return replace(report, findings=(*done, *_repair(project, rest, options, reporter)))
    again = examine(project, scope, options, reporter, cwd=cwd)
    tried = {finding.id: finding for finding in done}
    rest = [finding for finding in again.findings if finding.id not in tried and finding.kind is not Kind.SET_ASIDE]
    left = tuple(finding for finding in done if not finding.repaired)
    return replace(again, findings=(*back, *left, *_repair(project, rest, options, reporter)))


def _repair(
    project: Project, found: Iterable[Finding], options: FsckOptions, reporter: Reporter
) -> tuple[Finding, ...]:
    """Repairs what can be repaired and returns all findings with what was done about them."""
    findings = [_step(project, finding) for finding in found]
    findings = [_from_workspace(project, finding) if _is_open(finding) else finding for finding in findings]
    findings = _from_remotes(project, findings, options, reporter)
    return tuple(_link_again(project, finding) if finding.kind in _OBJECTS else finding for finding in findings)


def _is_open(finding: Finding) -> bool:
    return finding.kind in _OBJECTS and not finding.repaired


def _step(project: Project, finding: Finding) -> Finding:
    """Does what needs no other copy: sets aside what is bad, protects what is sound."""
    try:
        match finding.kind:
            case Kind.WRITABLE:
                protect(_cache(project, finding), ObjectId(finding.id))
                return replace(finding, outcome="protected against writing", repaired=True)
            case Kind.CORRUPT | Kind.MALFORMED:
                aside = set_aside(project.cache.root, finding.path, finding.id)
                return replace(finding, outcome=f"moved to '{aside}'")
            case Kind.RUN_CACHE:
                aside = set_aside(project.cache.root, finding.path, os.path.basename(finding.path))
                return replace(finding, outcome=f"moved to '{aside}'", repaired=True)
            case _:
                return finding
    except OffbranchError as error:
        return replace(finding, outcome=error.message)


def _from_workspace(project: Project, finding: Finding) -> Finding:
    """Stores an object anew from a file or directory of the workspace that has its content."""
    if finding.is_legacy or os.path.lexists(finding.path):
        return finding
    links = frozenset(finding.links)
    for file in finding.files:
        if file in links:
            continue
        try:
            if _store(project, ObjectId(finding.id), file):
                return _done(finding, f"stored anew from '{file}'")
        except OffbranchError:
            continue
    return finding


def _store(project: Project, id: ObjectId, file: RepoPath) -> bool:
    path, cache = join(project.root, file), project.cache
    if not is_directory(id):
        if not os.path.isfile(path) or hash_file(path)[0] != id:
            return False
        return cache.add_file(path).id == id
    if not os.path.isdir(path):
        return False
    # Hashed afresh: what is remembered of files is no proof here.
    listing = list_directory(path, state=None, ignore=project.ignore, rel=file)
    data = listing_bytes(listing)
    if listing_id(data) != id:
        return False
    for name, member in listing.entries.items():
        if not os.path.exists(cache.path_of(member)):
            cache.add_file(join(path, name))
    cache.add_listing(data, id)
    return True


def _from_remotes(project: Project, findings: list[Finding], options: FsckOptions, reporter: Reporter) -> list[Finding]:
    """Gets what is still missing from the data remotes, remote by remote."""
    waiting: dict[tuple[str, bool], list[int]] = {}
    settings: dict[str, RemoteSetting] = {}
    for position, finding in enumerate(findings):
        if not _is_open(finding) or os.path.lexists(finding.path):
            continue
        own = next((used.out.remote for used in finding.uses if used.out.remote), None)
        try:
            setting = resolve_remote(project.config, own or options.remote, root=project.root)
        except OffbranchError as error:
            text = "there is no data remote to get it from" if isinstance(error, UsageError) else error.message
            findings[position] = _plus(finding, text)
            continue
        settings[setting.name] = setting
        waiting.setdefault((setting.name, finding.is_legacy), []).append(position)
    for (name, is_legacy), positions in waiting.items():
        failed = _fetch(project, settings[name], is_legacy, [findings[p] for p in positions], options, reporter)
        for position in positions:
            finding = findings[position]
            is_back = check_object(_cache(project, finding), ObjectId(finding.id)).condition is Condition.SOUND
            label = settings[name].label
            findings[position] = (
                _done(finding, f"fetched from the {label}")
                if is_back
                else _plus(finding, failed or f"it is not at the {label}, or corrupt there too")
            )
    return findings


def _fetch(
    project: Project,
    setting: RemoteSetting,
    is_legacy: bool,
    findings: Iterable[Finding],
    options: FsckOptions,
    reporter: Reporter,
) -> str:
    """Fetches objects; returns why that failed as a whole, or an empty text."""
    wanted = [Wanted(id=ObjectId(finding.id), path=next(iter(finding.users), finding.id)) for finding in findings]
    try:
        with Connections() as connections:
            store = connections.store(setting, jobs=options.jobs, legacy=is_legacy)
            cache = project.cache.legacy_view() if is_legacy else project.cache
            fetch_objects(wanted, Ends(cache=cache, store=store, state=project.state, reporter=reporter))
    except OffbranchError as error:
        return error.message
    return ""


def _link_again(project: Project, finding: Finding) -> Finding:
    """Makes the files that were links to a bad object links to the sound one, or else files of their own."""
    if not finding.links or not finding.outcome:
        return finding
    linked: list[str] = []
    for file in finding.links:
        dest = join(project.root, file)
        try:
            if finding.repaired:
                project.cache.linker.link(finding.path, dest)
                linked.append(file)
            elif os.path.islink(dest) and (aside := _aside_of(project.cache, finding.id)) is not None:
                Linker(DEFAULT_LINK_KINDS).link(aside, dest)
                linked.append(file)
        except OffbranchError as error:
            finding = _plus(finding, error.message)
    if not linked:
        return finding
    verb = "made again" if finding.repaired else "keeps what it showed, as a file of its own"
    return _plus(finding, f"{', '.join(linked)}: {verb}")


def _aside_of(cache: LocalCache, id: str) -> AbsPath | None:
    found = [
        (since_ns, path) for path, since_ns in iter_set_aside(cache.root) if os.path.basename(path).startswith(f"{id}-")
    ]
    return max(found)[1] if found else None


def _cache(project: Project, finding: Finding) -> LocalCache:
    return project.cache.legacy_view() if finding.is_legacy else project.cache


def _done(finding: Finding, text: str) -> Finding:
    return replace(_plus(finding, text), repaired=True)


def _plus(finding: Finding, text: str) -> Finding:
    return replace(finding, outcome=f"{finding.outcome}; {text}" if finding.outcome else text)
