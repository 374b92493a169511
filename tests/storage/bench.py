"""A project directory with a cache and a state database, without Git: storage knows nothing of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from offbranch.base.paths import AbsPath, RepoPath
from offbranch.storage.checkout import CheckoutPlan, apply_checkout, plan_checkout
from offbranch.storage.ignore import IgnoreRules, load_ignore_rules
from offbranch.storage.links import DEFAULT_LINK_KINDS, LinkKind
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import Content, ObjectId
from offbranch.storage.save import save
from offbranch.storage.state import StateDb
from offbranch.storage.workspace import observe

OLD_NS = 1_600_000_000_123_456_789


@dataclass
class Bench:
    root: Path

    @property
    def cache_root(self) -> Path:
        return self.root / ".dvc" / "cache"

    @property
    def ignore(self) -> IgnoreRules:
        return load_ignore_rules(AbsPath(str(self.root)))

    @property
    def database(self) -> AbsPath:
        return AbsPath(str(self.root / ".dvc" / "tmp" / "state.db"))

    def path(self, name: str) -> AbsPath:
        return AbsPath(str(self.root / name))

    def cache(self, *kinds: LinkKind) -> LocalCache:
        return LocalCache(AbsPath(str(self.cache_root)), link_kinds=kinds or DEFAULT_LINK_KINDS)

    def state(self) -> StateDb:
        return StateDb(self.database)

    def write(self, files: Mapping[str, bytes], *, old: bool = True) -> None:
        """Writes files; with a time stamp long gone, so that their hashes can be recorded."""
        for name, data in files.items():
            file = self.root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            if old:
                os.utime(file, ns=(OLD_NS, OLD_NS))

    def save(self, name: str, *kinds: LinkKind, relink: bool = True) -> Content:
        with self.state() as state:
            return save(
                self.path(name),
                cache=self.cache(*kinds),
                state=state,
                ignore=self.ignore,
                rel=RepoPath(name),
                relink=relink,
            )

    def observe(self, name: str) -> Content | None:
        with self.state() as state:
            return observe(self.path(name), state=state, ignore=self.ignore, rel=RepoPath(name))

    def plan(
        self, name: str, id: ObjectId | None, *kinds: LinkKind, executable: bool = False, relink: bool = False
    ) -> CheckoutPlan:
        with self.state() as state:
            return plan_checkout(
                self.path(name),
                id,
                cache=self.cache(*kinds),
                state=state,
                ignore=self.ignore,
                rel=RepoPath(name),
                executable=executable,
                relink=relink,
            )

    def apply(self, plan: CheckoutPlan, *kinds: LinkKind, force: bool = False, allow_missing: bool = False) -> None:
        with self.state() as state:
            apply_checkout(
                plan,
                cache=self.cache(*kinds),
                state=state,
                ignore=self.ignore,
                force=force,
                allow_missing=allow_missing,
            )

    def checkout(self, name: str, id: ObjectId | None, *kinds: LinkKind, force: bool = False) -> None:
        self.apply(self.plan(name, id, *kinds), *kinds, force=force)

    def files(self, name: str) -> dict[str, bytes]:
        top = self.root / name
        return {str(f.relative_to(top)): f.read_bytes() for f in sorted(top.rglob("*")) if f.is_file()}

    def temporaries(self) -> list[Path]:
        return list(self.root.rglob(".ob-tmp-*"))
