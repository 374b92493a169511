"""Items that name each file with the versions of it at data remotes: `files` and `cloud` of .dvc files and dvc.lock.

DVC writes them for remotes with `version_aware` or `worktree`. A directory is then a list of its files, without the hash of
the whole; that is computed when the item is read, so everything else knows the directory by its object as ever. The list in
`LockedItem.extra` decides how the item is written.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from offbranch.base.errors import OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.base.records import record, replace
from offbranch.pipeline.stage import LockedItem
from offbranch.storage.listing import Listing, listing_bytes, listing_id, make_listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId, is_directory, parse_object_id

FILES = "files"
CLOUD = "cloud"
_VERSION, _TAG = "version_id", "etag"
# Of a file inside a directory: how many bytes it has and whether it may be executed, None where that is not known.
Look = Callable[[str], tuple[int, bool] | None]


@record
class Version:
    """What a store called the content of a file when it was sent there.

    Attributes:
        id: Of the version; None where none is recorded.
        etag: Of the content.
    """

    id: str | None
    etag: str | None = None


def read_files(item: LockedItem) -> LockedItem:
    """Returns an item that lists its files with the hash of the directory, its size and the number of files.

    One that lists none, or whose files have other hashes than md5 (of a directory elsewhere), is returned as it is.

    Raises:
        ValueError: The list is malformed, or a path in it leads out of the directory.
    """
    if FILES not in item.extra:
        return item
    files = item.extra[FILES]
    if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
        raise ValueError("expected a list of mappings")
    pairs = [(file.get("relpath"), file.get("md5", "")) for file in files]
    if not all(isinstance(name, str) and isinstance(md5, str) for name, md5 in pairs):
        raise ValueError("expected 'relpath' and 'md5' as texts")
    if item.md5 is not None or any("md5" not in file for file in files):
        return item
    for _, md5 in pairs:
        if is_directory(parse_object_id(md5)):
            raise ValueError(f"'{md5}' is not the hash of a file")
    sizes = [file.get("size") for file in files]
    total = sum(sizes) if all(type(size) is int for size in sizes) else None
    id = listing_id(listing_bytes(make_listing(pairs, path="the list")))
    return replace(item, md5=id, size=total, n_files=len(files))


def keep_listing(item: LockedItem, cache: LocalCache) -> None:
    """Puts the directory object of an item that lists its files into the cache, unless it is there or the cache is read-only.

    Its files may be missing, as after fetching a part of a directory.
    """
    if FILES not in item.extra or item.md5 is None or not is_directory(ObjectId(item.md5)):
        return
    if not cache.has(ObjectId(item.md5)):
        pairs = [(file["relpath"], file.get("md5", "")) for file in item.extra[FILES]]
        try:  # refused where the files are not those that the hash is of
            cache.add_bytes(listing_bytes(make_listing(pairs)), ObjectId(item.md5))
        except OffbranchError:
            return


def version_of(item: LockedItem, remote: str, name: str = "") -> Version | None:
    """Returns the version of a file, or of a file of a directory, that is recorded for a remote."""
    found = _cloud_of(item, name).get(remote)
    if not isinstance(found, Mapping):
        return None
    return Version(id=_text(found.get(_VERSION)), etag=_text(found.get(_TAG)))


def versions_of(item: LockedItem, remote: str, listing: Listing | None) -> dict[str, Version]:
    """Returns every version that is recorded for a remote; the file itself has the empty name."""
    if listing is None:
        found = version_of(item, remote)
        return {} if found is None else {"": found}
    versions: dict[str, Version] = {}
    for file in item.extra.get(FILES, ()):
        recorded = _mapping(file.get(CLOUD)).get(remote)
        if isinstance(recorded, Mapping):
            versions[file["relpath"]] = Version(id=_text(recorded.get(_VERSION)), etag=_text(recorded.get(_TAG)))
    return versions


def with_versions(
    item: LockedItem, remote: str, versions: Mapping[str, Version], listing: Listing | None, look: Look
) -> LockedItem:
    """Returns an item with versions recorded for a remote, each in place of what was recorded; a directory lists its files."""
    if listing is None:
        if "" not in versions:
            return item
        cloud = {**_mapping(item.extra.get(CLOUD)), remote: _written(versions[""])}
        return replace(item, extra={**item.extra, CLOUD: cloud})
    files = _files(item, listing, look)
    for file in files:
        if (version := versions.get(file["relpath"])) is not None:
            file[CLOUD] = {**_mapping(file.get(CLOUD)), remote: _written(version)}
    return replace(item, extra={**item.extra, FILES: files})


def lists_versions(text: str) -> bool:
    """Tells whether a lock file may have items with versions, without reading it."""
    return f" {CLOUD}:\n" in text or f" {FILES}:" in text


def kept_if_same(old: LockedItem | None, new: LockedItem) -> LockedItem:
    """Returns a new item with what the old one says of versions, if the content is the same."""
    if old is None or new.extra or old.md5 != new.md5 or not (FILES in old.extra or CLOUD in old.extra):
        return new
    return replace(new, extra=old.extra)


def kept(old: LockedItem | None, new: LockedItem, cache: LocalCache, look: Look) -> LockedItem:
    """Returns a new item with what the old one says of versions and still holds: those of the files that did not change."""
    if old is None or old.md5 == new.md5 or new.extra:
        return kept_if_same(old, new)
    if (
        FILES not in old.extra
        or new.md5 is None
        or not is_directory(ObjectId(new.md5))
        or not cache.has(ObjectId(new.md5))
    ):
        return new
    listing = cache.listing(ObjectId(new.md5))
    return replace(new, extra={FILES: _files(old, listing, look)})


def look_into(directory: AbsPath) -> Look:
    """Returns what looks at the files of a directory of the workspace."""

    def look(name: str) -> tuple[int, bool] | None:
        try:
            status = os.stat(os.path.join(directory, name))
        except OSError:
            return None
        return status.st_size, bool(status.st_mode & 0o100)

    return look


def _files(item: LockedItem, listing: Listing, look: Look) -> list[dict[str, Any]]:
    known = {file["relpath"]: file for file in item.extra.get(FILES, ())}
    files = []
    for name, md5 in listing.entries.items():
        was = known.get(name)
        if was is not None and was["md5"] == md5:
            files.append(dict(was))
            continue
        file: dict[str, Any] = {"relpath": name, "md5": str(md5)}
        if (found := look(name)) is not None:
            file["size"] = found[0]
            if found[1]:
                file["isexec"] = True
        files.append(file)
    return files


def _cloud_of(item: LockedItem, name: str) -> Mapping[str, Any]:
    if not name:
        return _mapping(item.extra.get(CLOUD))
    for file in item.extra.get(FILES, ()):
        if file.get("relpath") == name:
            return _mapping(file.get(CLOUD))
    return {}


def _written(version: Version) -> dict[str, str]:
    found = {_TAG: version.etag, _VERSION: version.id}
    return {key: value for key, value in found.items() if value is not None}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
