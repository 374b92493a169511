"""The remembered rows: what is put is found, and nothing that happens to the file does harm."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbranch.base.paths import AbsPath, GitPath
from offbranch.git.ids import CommitId
from offbranch.views import row_cache
from offbranch.views.row_cache import FILE, Row, RowCache

A, B = CommitId("a" * 40), CommitId("b" * 40)


def cache(root: Path, prefix: str = "", *, use_old: bool = True) -> RowCache:
    return RowCache(AbsPath(str(root)), GitPath(prefix), use_old=use_old)


def row(value: object = 1, section: str = "data") -> Row:
    data = {"params": {"p.yaml": {section: {"lr": value}}}, "metrics": {}, "deps": {}, "outs": {}, "meta": {}}
    return Row(time_s=12, parents=(B,), data=data)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(values)
def test_what_is_saved_is_found(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    root = tmp_path_factory.mktemp("rows")
    made = cache(root)
    made.put(A, row(value))
    made.save()
    assert cache(root).get(A) == row(value)
    assert cache(root).get(B) is None


def test_another_project_directory_does_not_see_it(tmp_path: Path) -> None:
    made = cache(tmp_path)
    made.put(A, row())
    made.save()
    assert cache(tmp_path, "sub").get(A) is None


def test_rows_with_errors_are_not_kept(tmp_path: Path) -> None:
    made = cache(tmp_path)
    made.put(A, row(section="error"))
    made.save()
    assert not (tmp_path / FILE).exists()


def test_old_rows_stay_beside_new_ones_and_can_be_replaced(tmp_path: Path) -> None:
    made = cache(tmp_path)
    made.put(A, row(1))
    made.save()
    fresh = cache(tmp_path, use_old=False)
    assert fresh.get(A) is None
    fresh.put(B, row(2))
    fresh.save()
    assert cache(tmp_path).get(A) == row(1)
    again = cache(tmp_path, use_old=False)
    again.put(A, row(3))
    again.save()
    assert (cache(tmp_path).get(A), cache(tmp_path).get(B)) == (row(3), row(2))


def test_the_oldest_rows_go_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_cache, "MAX_ROWS", 3)
    for n in range(5):
        made = cache(tmp_path)
        made.put(CommitId(str(n) * 40), row(n))
        made.save()
    found = cache(tmp_path)
    assert [found.get(CommitId(str(n) * 40)) is not None for n in range(5)] == [False, False, True, True, True]


def test_what_one_command_asks_for_is_found_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_cache, "MAX_ROWS", 3)
    names = [CommitId(str(n) * 40) for n in range(9)]

    def missing(wanted: list[CommitId]) -> list[CommitId]:
        made = cache(tmp_path)
        lacks = [each for each in wanted if made.get(each) is None]
        for each in lacks:
            made.put(each, row())
        made.save()
        return lacks

    assert missing(names[:6]) == names[:6]
    assert missing(names[:6]) == []
    assert missing(names[1:7]) == [names[6]]
    assert missing(names[1:7]) == []
    assert missing(names[:1]) == names[:1], "what was not asked for has gone, but for the youngest"
    monkeypatch.setattr(row_cache, "MAX_ROWS_OF_ONE", 4)
    missing(names[:6])
    for _ in range(3):
        assert len(missing(names[:6])) == 2, "where there are too many, not all are read again and again"


@pytest.mark.parametrize("line", [f"{A} ", f"{A} [1]", f"{A} {{", f"{A} [1, 2, 3]", A, " "])
def test_a_damaged_line_is_no_row(tmp_path: Path, line: str) -> None:
    made = cache(tmp_path)
    made.put(B, row())
    made.save()
    with open(tmp_path / FILE, "a") as file:
        file.write(f"{line}\n")
    assert cache(tmp_path).get(A) is None
    assert cache(tmp_path).get(B) == row()


def test_a_place_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / ".dvc").write_text("a file where the directory should be")
    made = cache(tmp_path)
    made.put(A, row())
    made.save()
    assert cache(tmp_path).get(A) is None
