"""From states to columns and cells."""

from typing import Any

from offbranch.views.table import Kind, Mark, Table, make_table


def data(**sections: Any) -> dict[str, Any]:
    empty = {"rev": "r", "timestamp": "2024-01-01T10:00:00", "params": {}, "metrics": {}, "deps": {}, "outs": {}}
    return {**empty, **sections}


def state(rev: str, shown: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    return {"rev": rev, "name": None, "data": shown, "error": None, "experiments": None, **more}


def titles(table: Table) -> list[str]:
    return [column.title for column in table.columns]


def test_columns_come_file_by_file_and_clear_names_stay_short() -> None:
    one = data(
        metrics={"m.json": {"data": {"acc": 1, "deep": {"x": 2}}}},
        params={"p.yaml": {"data": {"lr": 1, "acc": 2, "rev": 3, "none": None, "empty": {}}}},
        deps={"z.py": {"hash": "f" * 32}, "a.py": {"hash": None}},
    )
    two = data(metrics={"m.json": {"data": {"late": 5}}, "single.txt": {"data": 3}})
    table = make_table([state("workspace", one), state("c" * 40, two)])
    assert titles(table) == [
        *("Experiment", "rev", "typ", "Created", "parent"),
        *("m.json:acc", "deep.x", "late"),
        *("lr", "p.yaml:acc", "p.yaml:rev", "none"),
        *("a.py", "z.py"),
    ]
    assert [column.kind for column in table.columns[5:]] == [Kind.METRIC] * 3 + [Kind.PARAM] * 4 + [Kind.DEP] * 2
    missing = Mark.MISSING
    assert table.rows[0].cells[5:] == (1, 2, missing, 1, 2, 3, missing, missing, "f" * 32)
    assert table.rows[1].cells == (
        missing,
        "ccccccc",
        "baseline",
        "2024-01-01T10:00:00",
        missing,
        *(missing, missing, 5, missing, missing, missing, missing, missing, missing),
    )


def test_a_file_with_an_error_is_marked_in_all_its_columns() -> None:
    good = data(params={"p.yaml": {"data": {"a": 1, "b": 2}}, "q.yaml": {"data": {"c": 3}}})
    bad = data(params={"p.yaml": {"error": {"type": "E", "msg": "m"}}, "q.yaml": {"data": {"c": 4}}})
    table = make_table([state("workspace", good), state("c" * 40, bad)])
    assert table.rows[1].cells[5:] == (Mark.ERROR, Mark.ERROR, 4)


def test_state_and_executor_appear_when_something_has_one() -> None:
    local = {"log": "/p/log", "returncode": 3}
    executor = {"state": "failed", "name": "tempdir", "local": local}
    error = {"msg": "'train' failed", "type": ""}
    tip = state("d" * 40, data(), error=error)
    ranges = [
        {"revs": [state("e" * 40, data())], "executor": None, "name": "fine"},
        {"revs": [tip], "executor": executor, "name": "bad"},
    ]
    table = make_table([state("c" * 40, data(), name="main", experiments=ranges)])
    assert titles(table)[5:] == ["State", "Executor"]
    assert [row.cells[5:] for row in table.rows] == [(Mark.MISSING,) * 2, (Mark.MISSING,) * 2, ("Failed", "Tempdir")]
    assert [row.typ for row in table.rows] == ["baseline", "branch_commit", "branch_base"]
    assert table.notes == ("ddddddd [bad]: 'train' failed (exit 3); log: /p/log",)


def test_ids_in_place_of_names() -> None:
    shown = [state("workspace", data()), state("c" * 40, data(), name="main")]
    assert [row.cells[1] for row in make_table(shown).rows] == ["workspace", "main"]
    assert [row.cells[1] for row in make_table(shown, sha=True).rows] == ["workspace", "ccccccc"]


def test_a_revision_without_data_is_a_row() -> None:
    error = {"msg": "why", "type": "E"}
    table = make_table([state("c" * 40, None, error=error), state("d" * 40, data(params={"p": {"data": {"a": 1}}}))])
    assert table.rows[0].cells[3:] == (Mark.MISSING, Mark.MISSING, Mark.MISSING)
    assert table.notes == ("ccccccccc: why",)
