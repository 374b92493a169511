"""Bytes of several threads, told by one."""

import threading
from pathlib import Path

from offbranch.base.events import Progressed
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.storage.local import LocalCache
from offbranch.storage.meter import Meter
from offbranch.storage.save import save
from projects import Recorder


def told(recorder: Recorder) -> list[tuple[int, int | None]]:
    return [(event.done, event.total) for event in recorder.of(Progressed)]


def test_only_its_owner_tells() -> None:
    recorder = Recorder()
    meter = Meter("moving", 100 << 20, recorder)
    other = threading.Thread(target=meter.add, args=(10 << 20,))
    other.start()
    other.join()
    assert told(recorder) == []
    meter.add(1)
    assert told(recorder) == [((10 << 20) + 1, 100 << 20)]
    meter.add(1)  # too little to tell of
    assert len(told(recorder)) == 1
    meter.tell()
    assert told(recorder)[-1] == ((10 << 20) + 2, 100 << 20)


def test_what_is_sent_twice_after_a_failure_does_not_count_beyond_the_end() -> None:
    recorder = Recorder()
    meter = Meter("moving", 5 << 20, recorder)
    meter.add(4 << 20)
    meter.add(4 << 20)
    assert told(recorder) == [(4 << 20, 5 << 20), (5 << 20, 5 << 20)]


def test_adding_a_large_file_is_told_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * (20 << 20))
    recorder = Recorder()
    cache = LocalCache(AbsPath(str(tmp_path / "cache")))
    save(AbsPath(str(tmp_path / "f")), cache=cache, state=None, ignore=None, rel=RepoPath("f"), reporter=recorder)
    steps = [done for done, _ in told(recorder)]
    assert len(steps) >= 4 and steps == sorted(set(steps)) and steps[-1] == 20 << 20
