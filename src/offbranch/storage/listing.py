"""The directory object: the sorted list of a directory's files and their hashes, as DVC 3 writes it.

`parse_listing` is a border: a listing may come from anyone's remote, so no entry may name a place outside its
directory. Bytes made by `listing_bytes` are exactly those whose md5 names the directory.
"""

import os
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from json import JSONDecodeError, loads
from json.encoder import encode_basestring_ascii

from offbranch.base.errors import BadInputError
from offbranch.base.records import record
from offbranch.storage.hashing import hash_bytes
from offbranch.storage.objects import DIRECTORY_SUFFIX, ObjectId

_MD5S = re.compile(r"(?:[0-9a-f]{32}\n)*")
# What Windows would take for the start of a drive or a share, or for a way up.
_DRIVE = r"[A-Za-z]:" if os.name == "nt" else r"[A-Za-z]:[/\\]"
_BAD_ON_WINDOWS = re.compile(rf"(?:^|[/\\])\.\.?(?:[/\\]|$)|^\\|^{_DRIVE}")

_FIRST, _BETWEEN, _LAST = b'[{"md5": "', '"}, {"md5": "', b'"}]'
_INSIDE = '", "relpath": "'


@record
class Listing:
    """The files of a directory.

    Attributes:
        entries: Path below the directory, with `/` -> md5; sorted by path.
    """

    entries: Mapping[str, ObjectId]


@record
class ListingDiff:
    """Paths that differ between an old and a new listing, each sorted."""

    added: tuple[str, ...]
    modified: tuple[str, ...]
    deleted: tuple[str, ...]


def make_listing(pairs: Iterable[tuple[str, str]], *, path: str = "directory") -> Listing:
    """Returns the listing of (path below the directory, md5) pairs in any order, checked.

    Raises:
        BadInputError: A path leaves the directory, is there twice, or is both a file and a directory.
    """
    ordered = sorted(pairs)
    entries = {name: ObjectId(md5) for name, md5 in ordered}
    if len(entries) != len(ordered):
        twice = next(a for (a, _), (b, _) in pairwise(ordered) if a == b)
        raise BadInputError(f"'{twice}' is listed twice", path=path)
    if entries:
        _check_names(entries, path)
    return Listing(entries=entries)


def parse_listing(data: bytes, *, path: str = "directory object") -> Listing:
    """Reads a directory object.

    Args:
        data: Its bytes.
        path: How an error message names it.

    Raises:
        BadInputError: Not JSON of the known shape, or an entry that is malformed or leads out of the directory.
    """
    pairs = _plain_pairs(data)
    if pairs is None:
        pairs = _pairs(data, path)
    # Joining also proves that everything is text; a newline in an md5 would not survive the expression.
    try:
        sound = _MD5S.fullmatch("".join([md5 + "\n" for _, md5 in pairs]))
        "".join([name for name, _ in pairs])
    except TypeError as error:
        raise BadInputError("not a directory object", path=path) from error
    if not sound:
        raise BadInputError("an md5 is not 32 hex digits", path=path)
    return make_listing(pairs, path=path)


def _plain_pairs(data: bytes) -> list[tuple[str, str]] | None:
    """Returns the pairs of a list written just as DVC and we write it; None for any other text.

    Cuts the text where JSON would build a map for each entry: a million of them is half a gigabyte.
    """
    if not (data.startswith(_FIRST) and data.endswith(_LAST) and data.isascii()):
        return None
    text = data[len(_FIRST) : -len(_LAST)].decode("ascii")
    if not text.isprintable():
        return None
    has_escapes = "\\" in text
    pairs: list[tuple[str, str]] = []
    for part in text.split(_BETWEEN):
        name = part[47:]
        if part[32:47] != _INSIDE:
            return None
        if has_escapes and "\\" in name:
            try:
                name = loads(f'"{name}"')
            except ValueError:
                return None
        elif '"' in name:
            return None
        pairs.append((name, part[:32]))
    return pairs


def _pairs(data: bytes, path: str) -> list[tuple[str, str]]:
    try:
        document = loads(data)
        if not isinstance(document, list):
            raise TypeError("not a list")
        return [(entry["relpath"], entry["md5"]) for entry in document]
    except (JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, RecursionError) as error:
        raise BadInputError("not a directory object", path=path) from error


def listing_bytes(listing: Listing) -> bytes:
    """Returns the bytes of a directory object, identical to those of DVC 3."""
    quote = encode_basestring_ascii
    parts = [f'{{"md5": "{md5}", "relpath": {quote(name)}}}' for name, md5 in listing.entries.items()]
    return f"[{', '.join(parts)}]".encode("ascii")


def listing_id(data: bytes) -> ObjectId:
    """Returns the id of the directory object with these bytes."""
    return ObjectId(hash_bytes(data) + DIRECTORY_SUFFIX)


def diff_listings(old: Listing, new: Listing) -> ListingDiff:
    """Returns what must be added, modified and deleted to make the old listing the new one."""
    before, after = old.entries, new.entries
    return ListingDiff(
        added=tuple(name for name in after if name not in before),
        modified=tuple(name for name, md5 in after.items() if name in before and before[name] != md5),
        deleted=tuple(name for name in before if name not in after),
    )


def _is_inside(name: str) -> bool:
    if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        return False
    return _BAD_ON_WINDOWS.search(name) is None and _is_encodable(name)


def _is_encodable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def _check_names(entries: Mapping[str, ObjectId], path: str) -> None:
    # One search over all names: name by name it is half the cost of reading a listing.
    joined = f"/{'/'.join(entries)}/"
    is_odd = "//" in joined or "/./" in joined or "/../" in joined or "\0" in joined
    if is_odd or ":" in joined or "\\" in joined or not _is_encodable(joined):
        for name in entries:
            if not _is_inside(name):
                raise BadInputError(f"{name!a} is not a path inside the directory", path=path)
    parents: set[str] = set()
    for name in entries:
        parent = name.rpartition("/")[0]
        while parent and parent not in parents:
            parents.add(parent)
            parent = parent.rpartition("/")[0]
    if both := parents & entries.keys():
        raise BadInputError(f"'{min(both)}' is both a file and a directory", path=path)
