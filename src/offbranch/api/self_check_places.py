"""The parts of `ob doctor` that look at the disk: cache, links, state database, locks."""

import json
import os
from collections.abc import Iterator
from typing import Any

from offbranch.api.finding import Finding, ok, problem, warning
from offbranch.api.session import lock_files
from offbranch.base.filesystems import FileSystem, file_system_of, nearest_existing
from offbranch.base.locks import is_locked, read_holder
from offbranch.base.plugins import load
from offbranch.base.processes import ProcessInfo, is_alive, start_time
from offbranch.project import Project
from offbranch.storage.link_probe import probe_links
from offbranch.storage.links import LinkKind

_LITTLE_BYTES = 1 << 30


def check_cache(project: Project) -> Iterator[Finding]:
    """Looks at the cache directory and the file systems of cache and workspace."""
    cache = project.cache.root
    there = nearest_existing(cache)
    state = "" if there == cache else " (not made yet)"
    if os.path.lexists(cache) and not os.path.isdir(cache):
        yield problem("cache", f"'{cache}' is not a directory", "move it away, or set another one: ob cache dir PATH")
        return
    if not os.access(there, os.W_OK):
        yield problem("cache", f"'{there}' cannot be written to", "check its permissions, or: ob cache dir PATH")
    own = file_system_of(cache)
    yield ok("cache", f"'{cache}'{state}, {_shown(own)}")
    workspace = file_system_of(project.root)
    if os.stat(there).st_dev != os.stat(project.root).st_dev:
        yield ok("cache", f"the workspace is on another file system, {_shown(workspace)}")
    for what, system in (("cache", own), ("workspace", workspace)):
        if system.free_bytes is not None and system.free_bytes < _LITTLE_BYTES:
            yield warning("cache", f"the {what} has only {_bytes(system.free_bytes)} left", "free some space")
            break
    legacy = sum(1 for _ in project.cache.legacy_view().iter_objects())
    if legacy:
        yield ok("cache", f"{legacy} objects of DVC 2; 'ob cache migrate' brings them into the layout of DVC 3")


def check_links(project: Project) -> Iterator[Finding]:
    """Tries each kind of link between cache and workspace."""
    works = probe_links(nearest_existing(project.cache.root), project.root)
    kinds = project.cache.linker.kinds
    possible = ", ".join(kind.value for kind, does in works.items() if does)
    wanted = ", ".join(kind.value for kind in kinds)
    first = next((kind for kind in kinds if works[kind]), None)
    if first is None:
        hint = "ob config cache.type reflink,copy"
        yield problem("links", f"cache.type is {wanted}, and nothing of it works here; what works: {possible}", hint)
        return
    yield ok("links", f"possible: {possible}; used: {first.value} (cache.type: {wanted})")
    if first is LinkKind.COPY and any(works[kind] for kind in (LinkKind.HARDLINK, LinkKind.SYMLINK)):
        better = "hardlink" if works[LinkKind.HARDLINK] else "symlink"
        yield ok(
            "links", f"every file is kept twice; 'ob config cache.type {better}' saves the space (files read-only)"
        )


def check_state(project: Project) -> Iterator[Finding]:
    """Looks whether the state database can be read."""
    path = project.state.path
    if not os.path.exists(path):
        yield ok("state", f"no state database yet ('{path}')")
        return
    sqlite3 = load("sqlite3")
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1.0)
        try:
            (n_files,) = connection.execute("SELECT count(*) FROM file").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        yield warning("state", f"the state database '{path}' cannot be read: {error}", f"delete it: rm '{path}'")
        return
    yield ok("state", f"'{path}', {_bytes(os.path.getsize(path))}, {n_files} files known")


def check_locks(project: Project) -> Iterator[Finding]:
    """Tells who holds the project at this moment."""
    held = False
    for name, path in zip(("the project", "the project (lock of DVC)"), lock_files(project), strict=True):
        if is_locked(path):
            held = True
            yield warning("locks", f"{name} is held by {_who(read_holder(path))}", "wait until it has finished")
    for written, info in _path_locks(project):
        held = True
        yield warning("locks", f"'{written}' is in use by process {info['pid']} ({info.get('cmd', '')})", "wait for it")
    if not held:
        yield ok("locks", "nothing is held")


def _path_locks(project: Project) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields what living processes write, of DVC's path locks."""
    try:
        with open(os.path.join(project.tmp_dir, "rwlock"), encoding="utf-8") as file:
            table = json.loads(file.read() or "{}")
        entries = list(table.get("write", {}).items())
    except (OSError, ValueError, AttributeError):
        return
    for path, info in entries:
        if isinstance(info, dict) and isinstance(info.get("pid"), int) and start_time(info["pid"]) is not None:
            yield path, info


def _who(holder: ProcessInfo | None) -> str:
    if holder is None:
        return "another process"
    gone = "" if is_alive(holder) else ", which is gone: a command that it started still runs"
    return f"process {holder.pid}" + (f" ({holder.command})" if holder.command else "") + gone


def _shown(system: FileSystem) -> str:
    kind = f"{system.kind} on '{system.mount_point}'" if system.kind else "file system unknown"
    network = ", over a network" if system.is_network else ""
    free = f", {_bytes(system.free_bytes)} free" if system.free_bytes is not None else ""
    return f"{kind}{network}{free}"


def _bytes(number: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
