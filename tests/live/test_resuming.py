"""Programs that resume: after the step that is known, with what is there that can be read, and without losing any of it."""

import json
import math
from pathlib import Path

import pytest

from offbranch import Live


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def left(metrics: str | None, table: str, name: str = "m") -> Path:
    """What an earlier program has left."""
    path = Path("dvclive/plots/metrics", f"{name}.tsv")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(table)
    if metrics is not None:
        Path("dvclive/metrics.json").write_text(metrics)
    return path


def resumed(value: int = 7) -> Live:
    live = Live(resume=True, save_dvc_exp=False, dvcyaml=None)
    live.log_metric("m", value)
    live.next_step()
    live.end()
    return live


@pytest.mark.parametrize(
    "metrics", [None, "", '{"step": 3', "[3]", '{"m": 1}', '{"step": "3"}', '{"step": NaN}', '{"step": true}']
)
def test_a_summary_that_tells_no_step_does_not_cost_the_tables(
    metrics: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = left(metrics, "step\tm\n0\t1\n1\t2\n2\t3\n3\t4\n3\t4.")
    left(metrics, "timestamp\tstep\tt\n1700000000000\t2\t1\n", "sub/t")
    assert resumed().step == 3
    assert path.read_text() == "step\tm\n0\t1\n1\t2\n2\t3\n3\t7\n"
    (said,) = caplog.messages
    assert "goes on at step 3" in said


def test_a_program_without_steps_adds_to_what_is_there(caplog: pytest.LogCaptureFixture) -> None:
    path = left('{"m": 2}', "step\tm\n0\t1\n0\t2\n0\t2")
    live = Live(resume=True, save_dvc_exp=False, dvcyaml=None)
    live.log_metric("m", 7)
    live.end()
    assert live.step == 0
    assert path.read_text() == "step\tm\n0\t1\n0\t2\n0\t7\n"
    assert caplog.messages == []


@pytest.mark.parametrize("names_steps", ["next_step", "step"])
def test_one_that_was_killed_in_its_first_step_does_not_repeat_its_lines(names_steps: str) -> None:
    path = left('{"m": 2}', "step\tm\n0\t1\n0\t2\n0\t2")
    timed = left(None, "timestamp\tstep\tt\n1700000000000\t0\t1\n", "sub/t")
    other = left(None, "step\tother\n0\t1\n", "other")
    live = Live(resume=True, save_dvc_exp=False, dvcyaml=None)
    assert live.step == 0
    for step in range(3):
        if names_steps == "step":
            live.step = step
        live.log_metric("m", step)
        live.log_metric("m", step)
        live.log_metric("sub/t", step)
        if names_steps == "next_step":
            live.next_step()
    live.end()
    assert path.read_text() == "step\tm\n" + "".join(f"{step}\t{step}\n" * 2 for step in range(3))
    assert [line.split("\t")[1:] for line in timed.read_text().splitlines()] == [
        ["step", "t"], ["0", "0"], ["1", "1"], ["2", "2"],
    ]  # fmt: skip
    assert other.read_text() == "step\tother\n0\t1\n"


@pytest.mark.parametrize(("step", "then"), [(2.5, 3.5), (2.0, 3), (-1, 0), (0, 1)])
def test_steps_of_other_kinds(step: float, then: float) -> None:
    path = left(json.dumps({"step": step}), f"step\tm\n{step}\t1\n")
    assert resumed().step == then
    assert path.read_text() == f"step\tm\n{step}\t1\n{then}\t7\n"


@pytest.mark.parametrize("table", ["", "step", "timest", "step\tm"])
def test_a_table_without_a_whole_header_is_begun_anew(table: str) -> None:
    path = left('{"step": 1}', table)
    resumed()
    assert path.read_text() == "step\tm\n2\t7\n"


def test_infinite_steps_in_tables_are_none() -> None:
    left(None, f"step\tm\n4\t1\n{math.inf}\t2\nx\t3\n")
    assert resumed().step == 4


def test_parameters_of_all_kinds_are_read_again() -> None:
    live = Live(save_dvc_exp=False, dvcyaml=None)
    live.log_params({5: 1, None: 2, True: 3, "t": {(1, 2): 3}, "set": frozenset(("x",))})
    text = Path("dvclive/params.yaml").read_text()
    again = Live(resume=True, save_dvc_exp=False, dvcyaml=None)
    again.log_params({})
    assert Path("dvclive/params.yaml").read_text() == text
    assert text == "5: 1\nnull: 2\ntrue: 3\nt:\n  ? - 1\n    - 2\n  : 3\nset: !!set\n  x:\n"
