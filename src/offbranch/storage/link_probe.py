"""Tries which kinds of link really work between two directories, with files that are removed again."""

import os

from offbranch.base.errors import OffbranchError
from offbranch.base.files import remove_file
from offbranch.base.paths import AbsPath
from offbranch.storage.links import Linker, LinkKind, link_kind_of, temporary_name


def probe_links(source_dir: AbsPath, dest_dir: AbsPath) -> dict[LinkKind, bool]:
    """Returns for each kind whether a file of one directory can be made in the other from it.

    Args:
        source_dir: Where the cache is, or would be; exists.
        dest_dir: A directory of the workspace.

    Raises:
        OffbranchError: No file can be written in one of the two.
    """
    source = AbsPath(os.path.join(source_dir, temporary_name()))
    dest = AbsPath(os.path.join(dest_dir, temporary_name()))
    try:
        with open(source, "wb") as file:
            file.write(b"a link is tried\n")
        return {kind: _works(kind, source, dest) for kind in LinkKind}
    except OSError as error:
        raise OffbranchError(f"cannot write in '{source_dir}': {(error.strerror or str(error)).lower()}") from error
    finally:
        remove_file(source)
        remove_file(dest)


def _works(kind: LinkKind, source: AbsPath, dest: AbsPath) -> bool:
    remove_file(dest)
    try:
        made = Linker((kind,)).link(source, dest)
    except OffbranchError:
        if kind is LinkKind.COPY:
            raise
        return False
    if kind in (LinkKind.HARDLINK, LinkKind.SYMLINK):
        return made is kind and link_kind_of(dest, source) is kind
    return made is kind
