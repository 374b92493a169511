"""A part of a recorded directory: recorded without looking at the rest."""

from pathlib import Path

import pytest

from offbranch.base.events import NullReporter
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.storage.ignore import load_ignore_rules
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import Content
from offbranch.storage.part import save_part
from offbranch.storage.save import save
from offbranch.storage.state import StateDb


@pytest.fixture
def project(tmp_path: Path) -> tuple[Path, LocalCache, StateDb]:
    for path, text in {"set/a": "a", "set/b": "bb", "set/sub/c": "ccc"}.items():
        where = tmp_path / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text)
    return tmp_path, LocalCache(AbsPath(str(tmp_path / "cache"))), StateDb(AbsPath(str(tmp_path / "state")))


def whole(root: Path, cache: LocalCache, state: StateDb) -> Content:
    return save(AbsPath(str(root / "set")), cache=cache, state=state, ignore=None, rel=RepoPath("set"))


def part(root: Path, inner: str, recorded: Content, cache: LocalCache, state: StateDb) -> Content | None:
    return save_part(
        AbsPath(str(root / "set")),
        RepoPath(inner),
        recorded,
        cache=cache,
        state=state,
        ignore=load_ignore_rules(AbsPath(str(root))),
        rel=RepoPath("set"),
        relink=True,
        reporter=NullReporter(),
    )


def test_only_the_part_is_made_new(project: tuple[Path, LocalCache, StateDb]) -> None:
    root, cache, state = project
    recorded = whole(root, cache, state)
    (root / "set/a").unlink()
    (root / "set/b").write_text("changed")
    (root / "set/new").write_text("new")
    (root / "set/sub/c").unlink()
    (root / "set/sub/d").write_text("dddd")
    added = part(root, "new", recorded, cache, state)
    assert added is not None and (added.n_files, added.size) == (4, 9)
    assert list(cache.listing(added.id).entries) == ["a", "b", "new", "sub/c"]
    replaced = part(root, "sub", added, cache, state)
    assert replaced is not None and (replaced.n_files, replaced.size) == (4, 10)
    assert list(cache.listing(replaced.id).entries) == ["a", "b", "new", "sub/d"]
    state.close()


def test_without_the_recorded_listing_there_is_nothing_to_add_to(project: tuple[Path, LocalCache, StateDb]) -> None:
    root, cache, state = project
    recorded = whole(root, cache, state)
    Path(cache.path_of(recorded.id)).unlink()
    assert part(root, "a", recorded, cache, state) is None
    state.close()
