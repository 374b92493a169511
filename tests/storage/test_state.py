import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offbranch.base.paths import AbsPath, RepoPath
from offbranch.storage.objects import Content, ObjectId
from offbranch.storage.scan import Scan, Stamp, scan_directory
from offbranch.storage.state import StateDb
from storage.bench import OLD_NS

A, B = "0cc175b9c0f1b6a831c399e269772661", "92eb5ffee6ae2fec3ad71c777531578f"
STAMP: Stamp = (1, OLD_NS, OLD_NS, 12)
NOW = OLD_NS + 10**12


def database(tmp_path: Path) -> StateDb:
    return StateDb(AbsPath(str(tmp_path / "sub" / "state.db")), clock=lambda: NOW)


def path(text: str) -> AbsPath:
    return AbsPath(text)


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    for name, data in {"d/a": b"a", "d/s/b": b"b"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
        os.utime(tmp_path / name, ns=(OLD_NS, OLD_NS))
    return scan_directory(AbsPath(str(tmp_path / "d")), ignore=None, rel=RepoPath("d"))


CONTENT = Content(id=ObjectId(A + ".dir"), size=2, n_files=2)


def test_a_file_is_known_by_its_whole_stamp(tmp_path: Path) -> None:
    with database(tmp_path) as state:
        state.record_file(path("/p/f"), STAMP, A, observed_ns=NOW)
        assert state.file(path("/p/f"), STAMP) == A
    with database(tmp_path) as state:
        assert state.file(path("/p/f"), STAMP) == A
        assert state.file(path("/p/g"), STAMP) is None
        for i in range(4):
            other = [*STAMP]
            other[i] += 1
            assert state.file(path("/p/f"), (other[0], other[1], other[2], other[3])) is None


def test_a_later_record_replaces_an_earlier_one(tmp_path: Path) -> None:
    for md5 in (A, B):
        with database(tmp_path) as state:
            state.record_file(path("/f"), STAMP, md5, observed_ns=NOW)
    assert database(tmp_path).file(path("/f"), STAMP) == B


def test_a_racy_file_is_not_recorded(tmp_path: Path) -> None:
    with database(tmp_path) as state:
        state.record_file(path("/f"), STAMP, A, observed_ns=OLD_NS + 1000)
        assert state.file(path("/f"), STAMP) is None


def test_a_directory_is_one_row_and_its_files_come_together(tmp_path: Path, scan: Scan) -> None:
    with database(tmp_path) as state:
        state.record_directory(path("/d"), scan, [A, B], content=CONTENT, observed_ns=NOW)
        state.flush()
        assert state.directory(path("/d"), scan.fingerprint) == CONTENT
    state = database(tmp_path)
    assert state.directory(path("/d"), scan.fingerprint) == CONTENT
    assert state.directory(path("/d"), b"other") is None
    expected = dict(zip(scan.paths, zip([A, B], scan.stamps, strict=True), strict=True))
    assert state.load_prefix(path("/d")).as_map() == expected
    assert state.load_prefix(path("/e")).as_map() == {}
    state.close()


def test_a_directory_with_a_racy_file_is_not_known_as_a_whole(tmp_path: Path, scan: Scan) -> None:
    with database(tmp_path) as state:
        state.record_directory(path("/d"), scan, [A, None], content=CONTENT, observed_ns=NOW)
        state.record_directory(path("/e"), scan, [A, B], content=CONTENT, observed_ns=OLD_NS)
    with database(tmp_path) as state:
        assert state.directory(path("/d"), scan.fingerprint) is None
        assert [md5 for md5, _ in state.load_prefix(path("/d")).as_map().values()] == [A]
        assert state.directory(path("/e"), scan.fingerprint) is None
        assert state.load_prefix(path("/e")).as_map() == {}


def test_forgetting_a_workspace_leaves_its_neighbours(tmp_path: Path, scan: Scan) -> None:
    names = ["/w", "/w/f", "/w/a/b", "/w2/f", "/v", "/w.txt", "/w\u00ff"]
    with database(tmp_path) as state:
        for name in names:
            state.record_file(path(name), STAMP, A, observed_ns=NOW)
            state.record_directory(path(name), scan, [A, B], content=CONTENT, observed_ns=NOW)
    with database(tmp_path) as state:
        state.record_file(path("/w/new"), STAMP, A, observed_ns=NOW)
        state.forget(path("/w"))
    with database(tmp_path) as state:
        assert [n for n in [*names, "/w/new"] if state.file(path(n), STAMP)] == ["/w2/f", "/v", "/w.txt", "/w\u00ff"]
        assert state.directory(path("/w/f"), scan.fingerprint) is None
        assert state.directory(path("/v"), scan.fingerprint) == CONTENT


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    name = path(os.fsdecode(b"/n\xff"))
    with database(tmp_path) as state:
        state.record_file(name, STAMP, A, observed_ns=NOW)
    assert database(tmp_path).file(name, STAMP) == A


@pytest.mark.parametrize("damage", ["garbage", "cut", "empty", "no tables", "directory", "other version"])
def test_a_database_that_cannot_be_used_is_as_good_as_empty(tmp_path: Path, scan: Scan, damage: str) -> None:
    with database(tmp_path) as state:
        state.record_directory(path("/d"), scan, [A, B], content=CONTENT, observed_ns=NOW)
    file = tmp_path / "sub/state.db"
    if damage == "garbage":
        file.write_bytes(b"not a database" * 1000)
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:5000])
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "directory":
        file.unlink()
        file.mkdir()
    else:
        connection = sqlite3.connect(file)
        connection.execute("DROP TABLE directory" if damage == "no tables" else "PRAGMA user_version = 99")
        connection.close()
    with database(tmp_path) as state:
        assert state.directory(path("/d"), scan.fingerprint) is None
        assert state.load_prefix(path("/d")).as_map() == {}
        state.record_file(path("/f"), STAMP, A, observed_ns=NOW)
    with database(tmp_path) as state:
        known = state.file(path("/f"), STAMP)
        assert known == (None if damage == "directory" else A)


def test_a_manifest_with_wrong_bytes_is_not_believed(tmp_path: Path, scan: Scan) -> None:
    with database(tmp_path) as state:
        state.record_directory(path("/d"), scan, [A, B], content=CONTENT, observed_ns=NOW)
    connection = sqlite3.connect(tmp_path / "sub/state.db")
    connection.execute("UPDATE directory SET manifest = CAST(replace(hex(manifest), '3', '4') AS BLOB)")
    connection.commit()
    connection.close()
    assert database(tmp_path).load_prefix(path("/d")).as_map() == {}


def test_a_locked_database_is_as_good_as_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offbranch.storage.state._WAIT_FOR_LOCK_S", 0.0)
    with database(tmp_path) as state:
        state.record_file(path("/f"), STAMP, A, observed_ns=NOW)
    other = sqlite3.connect(tmp_path / "sub/state.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with database(tmp_path) as state:
        assert state.file(path("/f"), STAMP) is None
        state.record_file(path("/f"), STAMP, B, observed_ns=NOW)
    other.execute("ROLLBACK")
    other.close()
    assert database(tmp_path).file(path("/f"), STAMP) == A


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "sub").write_text("a file where a directory is needed")
    with database(tmp_path) as state:
        state.record_file(path("/f"), STAMP, A, observed_ns=NOW)
        state.flush()
        assert state.file(path("/f"), STAMP) is None


def test_deleting_the_database_in_between_is_no_error(tmp_path: Path) -> None:
    with database(tmp_path) as state:
        state.record_file(path("/f"), STAMP, A, observed_ns=NOW)
        state.flush()
        (tmp_path / "sub/state.db").unlink()
        state.record_file(path("/g"), STAMP, A, observed_ns=NOW)
    assert database(tmp_path).file(path("/f"), STAMP) is None


def test_asking_makes_no_file_and_loads_no_sqlite(tmp_path: Path) -> None:
    code = (
        "import sys; from offbranch.storage.state import StateDb;"
        f"s = StateDb({str(tmp_path / 'state.db')!r}); s.file('/f', (1, 2, 3, 4)); s.close();"
        "sys.exit('sqlite3' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, env={"PYTHONPATH": ":".join(sys.path)}).returncode
        == 0
    )
    assert list(tmp_path.iterdir()) == []


def test_two_handles_share_a_database(tmp_path: Path) -> None:
    with database(tmp_path) as one, database(tmp_path) as two:
        one.record_file(path("/one"), STAMP, A, observed_ns=NOW)
        one.flush()
        two.record_file(path("/two"), STAMP, B, observed_ns=NOW)
        two.flush()
        assert (one.file(path("/two"), STAMP), two.file(path("/one"), STAMP)) == (B, A)


NUMBERS = st.integers(-(2**63), 2**63 - 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(stamp=st.tuples(st.integers(0, 2**63 - 1), NUMBERS, NUMBERS, st.integers(0, 2**63 - 1)))
def test_every_stamp_survives(tmp_path: Path, stamp: Stamp) -> None:
    observed_ns = stamp[1] + 10**13
    with database(tmp_path) as state:
        state.record_file(path("/f"), stamp, A, observed_ns=observed_ns)
    with database(tmp_path) as state:
        assert state.file(path("/f"), stamp) == A
