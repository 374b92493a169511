"""What is known of the files of a directory, in three columns: names, stamps, md5s. No object per file is made.

A directory may have a million files; a map from each name to a tuple would take half a gigabyte.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence

from offbranch.base.records import record
from offbranch.storage.hashing import is_racy
from offbranch.storage.scan import Scan, Stamp

Known = tuple[str, Stamp]
_STAMP = 4  # numbers
_DIGITS = 32


@record
class Manifest:
    """Files with the md5 that each was seen to have.

    Attributes:
        names: Paths below the directory.
        numbers: Four for each: the stamps one after another.
        md5s: 32 digits for each, one after another.
    """

    names: Sequence[str]
    numbers: "array[int]"
    md5s: str

    def find(self, names: Sequence[str], numbers: "array[int]") -> list[str | None]:
        """Returns for each of some files the md5 if it is known with just this stamp.

        Args:
            names: Paths below the directory.
            numbers: Their stamps, one after another.
        """
        places: Iterator[int | None]
        if self.names == names:
            if self.numbers == numbers:
                return [self.md5s[start : start + _DIGITS] for start in range(0, _DIGITS * len(names), _DIGITS)]
            places = iter(range(len(names)))
        else:
            place_of = {name: place for place, name in enumerate(self.names)}
            places = map(place_of.get, names)
        mine = self.numbers
        found: list[str | None] = []
        for own, place in enumerate(places):
            if place is None or mine[4 * place : 4 * place + 4] != numbers[4 * own : 4 * own + 4]:
                found.append(None)
            else:
                found.append(self.md5s[_DIGITS * place : _DIGITS * place + _DIGITS])
        return found

    def as_map(self) -> Mapping[str, Known]:
        """Returns the same as path -> (md5, stamp)."""
        one_by_one = iter(self.numbers)
        stamps = zip(one_by_one, one_by_one, one_by_one, one_by_one, strict=True)
        md5s = (self.md5s[start : start + _DIGITS] for start in range(0, len(self.md5s), _DIGITS))
        return dict(zip(self.names, zip(md5s, stamps, strict=True), strict=True))


NOTHING_KNOWN = Manifest(names=[], numbers=array("q"), md5s="")


def make_manifest(scan: Scan, md5s: Sequence[str | None], *, observed_ns: int) -> Manifest:
    """Returns what a walk and the md5s of its files tell, less those that nothing is to be remembered of.

    Args:
        scan: The walk from before the files were read.
        md5s: One for each of its files, None where it is not known.
        observed_ns: When the walk began: a file that was written within a tick of that could have changed unseen.
    """
    times = scan.numbers[1::4]
    left_out = {
        place
        for place, (md5, mtime_ns) in enumerate(zip(md5s, times, strict=True))
        if md5 is None or is_racy(mtime_ns, observed_ns)
    }
    names = scan.paths
    if not left_out:
        return Manifest(names=names, numbers=scan.numbers, md5s="".join([md5 for md5 in md5s if md5 is not None]))
    numbers = array("q")
    for place in range(len(names)):
        if place not in left_out:
            numbers.extend(scan.numbers[4 * place : 4 * place + 4])
    return Manifest(
        names=[name for place, name in enumerate(names) if place not in left_out],
        numbers=numbers,
        md5s="".join([md5 for place, md5 in enumerate(md5s) if place not in left_out and md5 is not None]),
    )


def encode_manifest(manifest: Manifest) -> bytes:
    """Returns a manifest as bytes: count, stamps, md5s, names. One blob is far faster than as many rows."""
    count = array("q", [len(manifest.names)]).tobytes()
    names = "\0".join(manifest.names).encode("utf-8", "surrogatepass")
    return b"".join((count, manifest.numbers.tobytes(), manifest.md5s.encode("ascii"), names))


def decode_manifest(data: bytes) -> Manifest:
    """Returns the manifest that bytes of `encode_manifest` stand for."""
    numbers = array("q")
    numbers.frombytes(data[:8])
    count = numbers.pop()
    if count == 0:
        return NOTHING_KNOWN
    end_of_stamps = 8 + 8 * _STAMP * count
    end_of_md5s = end_of_stamps + _DIGITS * count
    numbers.frombytes(data[8:end_of_stamps])
    return Manifest(
        names=data[end_of_md5s:].decode("utf-8", "surrogatepass").split("\0"),
        numbers=numbers,
        md5s=data[end_of_stamps:end_of_md5s].decode("ascii"),
    )
