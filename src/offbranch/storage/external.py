"""Data at a url that is no data remote of ours: what is there, told by what the server says of it, and taking it.

A server that has a tag for each content (`etag`, `checksum`) is believed; what has none (SSH, directories of this machine) is
read and hashed. Names that a server lists may not lead out of their directory.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import closing

from offbranch.base.errors import NotFoundError, OffbranchError
from offbranch.base.events import Progressed, Reporter
from offbranch.base.records import record
from offbranch.storage.hashing import new_long_md5
from offbranch.storage.listing import listing_bytes, listing_id, make_listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import DIRECTORY_SUFFIX, Content, ObjectId, Tag
from offbranch.storage.parallel import Stop, run_parallel
from offbranch.storage.remote_files import RemoteFile, RemoteFiles
from offbranch.storage.retry import with_retries

# The key under which DVC keeps what a kind of server calls a content.
_TAG_KEYS = {"http": "checksum", "https": "checksum"}
_HASHED = frozenset(("ssh", "local"))


@record
class External:
    """What is at a url.

    Attributes:
        files: Every file, by key; the single one of a url that is a file has the empty key.
        is_dir: The url is a directory.
    """

    files: tuple[RemoteFile, ...]
    is_dir: bool

    @property
    def size(self) -> int:
        """Bytes of all files; what the server does not say is not counted."""
        return sum(file.size or 0 for file in self.files)


def look_at(files: RemoteFiles) -> External:
    """Returns what is at a url; for most servers one or two requests.

    Raises:
        NotFoundError: There is nothing.
        RemoteError: The server cannot be asked.
        BadInputError: It lists a file whose name leads elsewhere.
    """
    one = with_retries(lambda: files.find(""))
    if one is not None:
        return External(files=(one,), is_dir=False)
    listed = with_retries(lambda: list(files.iter_files(""))) if files.can_list else []
    found = sorted((file for file in listed if file.key and not file.key.endswith("/")), key=lambda file: file.key)
    if not found:
        raise NotFoundError(f"there is nothing at {files.setting.label}", hint="check the url")
    make_listing((file.key, "") for file in found)  # refuses names that lead elsewhere
    return External(files=tuple(found), is_dir=True)


def is_tagged(files: RemoteFiles) -> bool:
    """Tells whether a server has tags for contents, so that nothing need be read to see a change."""
    return files.setting.scheme not in _HASHED


def tag_of(files: RemoteFiles, external: External, *, versioned: bool = False) -> Tag:
    """Returns what is recorded of a url whose server has tags.

    Args:
        files: Where.
        external: What is there.
        versioned: Record the version of each file as well.
    """
    key = _TAG_KEYS.get(files.setting.scheme, "etag")
    if not external.is_dir:
        file = external.files[0]
        extra: dict[str, object] = {key: _tag(files, file)}
        if versioned and file.version:
            extra["version_id"] = file.version
        return Tag(size=file.size, extra=extra)
    if versioned:
        return Tag(extra={"files": [_versioned(key, _tag(files, file), file) for file in external.files]})
    tags = [{key: _tag(files, file), "relpath": file.key} for file in external.files]
    text = json.dumps(tags, sort_keys=True)
    md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + DIRECTORY_SUFFIX
    return Tag(md5=md5, size=external.size, n_files=len(external.files))


def hash_external(files: RemoteFiles, external: External, *, jobs: int | None, reporter: Reporter) -> Content:
    """Returns the content of a url, read and hashed, without keeping it."""
    return _each(_Take(files, None), external, files, jobs, reporter, "hashing")


def take_external(
    files: RemoteFiles, external: External, cache: LocalCache, *, jobs: int | None, reporter: Reporter
) -> Content:
    """Brings the content of a url into the cache, hashed on its way in. What has arrived stays if it is interrupted.

    Raises:
        MissingDataError: A file has gone meanwhile.
        RemoteError: The server failed.
    """
    return _each(_Take(files, cache), external, files, jobs, reporter, "downloading")


class _Take:
    """Gets one file and returns its hash and size; called from several threads."""

    def __init__(self, files: RemoteFiles, cache: LocalCache | None) -> None:
        self.files, self.cache, self.stop = files, cache, Stop()
        self.ids: dict[str, ObjectId] = {}

    def __call__(self, file: RemoteFile) -> tuple[ObjectId, int]:
        self.stop.check()
        return with_retries(lambda: self._once(file), sleep=self.stop.sleep)

    def _once(self, file: RemoteFile) -> tuple[ObjectId, int]:
        digest = new_long_md5()
        size = 0

        def hash_piece(data: bytes) -> None:
            nonlocal size
            self.stop.check()
            digest.update(data)
            size += len(data)

        if self.cache is None:
            self.files.download(file.key, hash_piece, version=file.version)
            return self._whole(file, ObjectId(digest.hexdigest()), size)
        with self.cache.incoming() as own:

            def keep(data: bytes) -> None:
                hash_piece(data)
                own.write(data)

            self.files.download(file.key, keep, version=file.version)
            id, size = self._whole(file, ObjectId(digest.hexdigest()), size)
            own.publish(id)
        return id, size

    def _whole(self, file: RemoteFile, id: ObjectId, size: int) -> tuple[ObjectId, int]:
        if file.size is not None and file.size != size:
            name = f"'{file.key}' at {self.files.setting.label}" if file.key else self.files.setting.label
            raise OffbranchError(
                f"{name} has {file.size} bytes, but {size} arrived", hint="it may have changed just now; try again"
            )
        return id, size


def _each(
    action: _Take, external: External, files: RemoteFiles, jobs: int | None, reporter: Reporter, what: str
) -> Content:
    total = len(external.files)
    found: list[tuple[str, ObjectId]] = []
    size_bytes = 0
    running = run_parallel(action, external.files, jobs=jobs or files.jobs, stop=action.stop)
    with closing(running):  # at once, also when this is left by an error
        for n_done, (file, answer) in enumerate(running, 1):
            if isinstance(answer, OffbranchError):
                raise answer
            found.append((file.key, answer[0]))
            size_bytes += answer[1]
            reporter.emit(Progressed(what=what, done=n_done, total=total, unit="files"))
    if not external.is_dir:
        return Content(id=found[0][1], size=size_bytes)
    return list_files(found, size_bytes, action.cache)


def list_files(found: Sequence[tuple[str, ObjectId]], size_bytes: int, cache: LocalCache | None) -> Content:
    """Returns a directory of some files as a content; a cache gets its list."""
    data = listing_bytes(make_listing(found))
    id = listing_id(data)
    if cache is not None:
        cache.add_listing(data, id)
    return Content(id=id, size=size_bytes, n_files=len(found))


def _versioned(key: str, tag: str, file: RemoteFile) -> dict[str, object]:
    version = {"version_id": file.version} if file.version else {}
    return {"relpath": file.key, key: tag, "size": file.size, **version}


def _tag(files: RemoteFiles, file: RemoteFile) -> str:
    if file.etag is not None:
        return file.etag if files.setting.scheme in _TAG_KEYS else file.etag.strip('"')
    # DVC 3.67 then hashes all that the server says of the file.
    info = {"name": files.setting.url, "size": file.size, **dict(file.about), "type": "file"}
    return str(int(hashlib.md5(str((info,)).encode(), usedforsecurity=False).hexdigest(), 16))
