"""Recording one file or sub-directory of a recorded directory, the rest staying as it is recorded.

What else has changed in the directory is not looked at: whoever adds one path means that path only.
"""

import os

from offbranch.base.events import Reporter
from offbranch.base.paths import AbsPath, RepoPath, join
from offbranch.storage.ignore import IgnoreRules
from offbranch.storage.listing import listing_bytes, listing_id, make_listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import Content, ObjectId
from offbranch.storage.save import save
from offbranch.storage.state import StateDb


def save_part(
    directory: AbsPath,
    inner: RepoPath,
    recorded: Content,
    *,
    cache: LocalCache,
    state: StateDb,
    ignore: IgnoreRules,
    rel: RepoPath,
    relink: bool,
    reporter: Reporter,
) -> Content | None:
    """Adds a part of a directory to the cache, and the directory with this part made new.

    Args:
        directory: The directory on disk.
        inner: The part, below the directory.
        recorded: The directory as it is recorded.
        rel: The directory as a path of the project.

    Returns:
        The new directory; None when the recorded one, or what the part replaces, is not in the cache.

    Raises:
        NotFoundError: The part neither exists nor is recorded. (One that is gone is recorded as gone.)
    """
    if recorded.n_files is None or not cache.has(recorded.id):
        return None
    old = cache.listing(recorded.id).entries
    replaced = [name for name in old if name == inner or name.startswith(f"{inner}/")]
    new: dict[str, ObjectId] = {}
    size = 0
    if not replaced or os.path.lexists(join(directory, inner)):
        part = save(
            join(directory, inner),
            cache=cache,
            state=state,
            ignore=ignore,
            rel=RepoPath(f"{rel}/{inner}"),
            relink=relink,
            reporter=reporter,
        )
        size, new = part.size, {inner: part.id}
        if part.n_files is not None:
            new = {f"{inner}/{name}": id for name, id in cache.listing(part.id).entries.items()}
    if not cache.has_many({old[name] for name in replaced}).issuperset(old[name] for name in replaced):
        return None
    kept = {name: id for name, id in old.items() if name not in replaced}
    data = listing_bytes(make_listing((kept | new).items(), path=directory))
    content = Content(
        id=listing_id(data),
        size=recorded.size - sum(os.path.getsize(cache.path_of(old[name])) for name in replaced) + size,
        n_files=len(kept) + len(new),
    )
    cache.add_listing(data, content.id)
    return content
