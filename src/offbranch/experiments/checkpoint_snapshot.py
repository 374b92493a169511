"""What a checkpoint consists of, at the moment at which it is asked for: the outputs of a stage, and what Live writes."""

import os
from collections.abc import Iterator, Sequence

from offbranch.base.paths import AbsPath, RepoPath, is_same_or_inside, join
from offbranch.base.records import record
from offbranch.pipeline.facts import place_on_disk
from offbranch.pipeline.stage import LockedStage, Output, Stage
from offbranch.project import Project
from offbranch.storage.local import LocalCache
from offbranch.storage.state import StateDb
from offbranch.storage.still import Held, Room, copy, hold


@record
class HeldOutput:
    """One output that was there.

    Attributes:
        link: What it says, where it is a symbolic link that Git keeps; then nothing is held.
    """

    out: Output
    held: Held | None = None
    link: bytes | None = None


@record
class Running:
    """A stage whose command runs.

    Attributes:
        described: Its dependencies and parameters as they were when that began.
    """

    stage: Stage
    described: LockedStage


@record
class StageSnapshot:
    """The outputs of a stage as they were; those that were not there are left out."""

    running: Running
    outs: tuple[HeldOutput, ...]


@record
class Snapshot:
    """What was held for one checkpoint; to be closed.

    Attributes:
        stages: Those that it is about.
        live: What Live writes: the path that it named, and what was there.
        number, step: Of the checkpoint.
        ends: Addresses of stages whose end it is; then what they have left is recorded, and none of it held.
    """

    stages: tuple[StageSnapshot, ...]
    live: tuple[tuple[RepoPath, Held], ...]
    number: int
    step: int | None
    ends: tuple[str, ...] = ()

    def close(self) -> None:
        """Lets go of everything."""
        for held in self.everything():
            held.close()

    def everything(self) -> Iterator[Held]:
        """Yields everything that is held."""
        for stage in self.stages:
            yield from (each.held for each in stage.outs if each.held is not None)
        yield from (held for _, held in self.live)


@record
class Holding:
    """What holding needs, of its thread's own.

    Attributes:
        place: The project, or its copy, that the command runs in.
    """

    place: Project
    cache: LocalCache
    state: StateDb


def take(
    holding: Holding,
    running: Sequence[Running],
    live: Sequence[RepoPath],
    room: Room,
    *,
    number: int,
    step: int | None,
) -> Snapshot:
    """Holds the outputs of some stages; their writer waits for it.

    Raises:
        OffbranchError: One cannot be read.
    """
    taken: list[Held] = []
    try:
        stages = tuple(StageSnapshot(running=each, outs=_outs(holding, each, room, taken)) for each in running)
        cached = [out.path for each in running for out in each.stage.outs if out.cache and out.path is not None]
        wanted = [path for path in live if not any(is_same_or_inside(path, out) for out in cached)]
        written = tuple(_live(holding, wanted, room, taken))
    except BaseException:
        for held in taken:
            held.close()
        raise
    return Snapshot(stages=stages, live=written, number=number, step=step)


def let_go(snapshot: Snapshot, cache: LocalCache) -> None:
    """Copies what is held by leases, so that nobody waits for us any more.

    Raises:
        ChangedError: A file was changed meanwhile.
        OffbranchError: The disk is full.
    """
    for held in snapshot.everything():
        copy(held, cache)


def _outs(holding: Holding, running: Running, room: Room, taken: list[Held]) -> tuple[HeldOutput, ...]:
    found = []
    for out in running.stage.outs:
        if out.path is None:
            continue  # outside of the project: no part of an experiment
        disk = place_on_disk(holding.place.root, running.stage, out)
        if not out.cache and os.path.islink(disk):
            found.append(HeldOutput(out=out, link=os.fsencode(os.readlink(disk))))
            continue
        held = _hold(holding, disk, out.path, room, is_cached=out.cache)
        if held is not None:
            taken.append(held)
            found.append(HeldOutput(out=out, held=held))
    return tuple(found)


def _live(
    holding: Holding, paths: Sequence[RepoPath], room: Room, taken: list[Held]
) -> Iterator[tuple[RepoPath, Held]]:
    for path in paths:
        held = _hold(holding, join(holding.place.root, path), path, room, is_cached=False)
        if held is not None:
            taken.append(held)
            yield path, held


def _hold(holding: Holding, disk: AbsPath, path: RepoPath, room: Room, *, is_cached: bool) -> Held | None:
    return hold(
        disk,
        cache=holding.cache,
        # Of what Git keeps the content itself is needed.
        state=holding.state if is_cached else None,
        ignore=holding.place.ignore if is_cached else None,
        rel=path,
        room=room,
    )
