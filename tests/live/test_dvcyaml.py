"""What Live says in dvc.yaml: entries of others and comments stay, and saying it twice changes nothing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import BadInputError
from offbranch.base.yaml import load_yaml
from offbranch.live.dvcyaml import Entries, plan_text, prefixes_of, write_entries

OURS = Entries(
    prefixes=("dvclive/",),
    params=("dvclive/params.yaml",),
    metrics=("dvclive/metrics.json",),
    plots={"dvclive/plots/metrics": {"x": "step"}, "dvclive/plots/images": {}},
    artifacts={"model": {"path": "model.pt", "type": "model"}},
)
NEW = """\
params:
- dvclive/params.yaml
metrics:
- dvclive/metrics.json
plots:
- dvclive/plots/metrics:
    x: step
- dvclive/plots/images
artifacts:
  model:
    path: model.pt
    type: model
"""
PIPELINE = """\
# what we train
stages:
  train:
    cmd: python train.py  # two hours
    deps: [train.py]
params:
- other.yaml   # theirs
metrics:
- dvclive/metrics.json
- other.json
plots:
- dvclive/plots/metrics:
    x: epoch
- mine.csv:
    x: a  # columns
- dvclive/plots/custom/gone.json:
    x: a
artifacts:
  old: {path: dvclive/artifacts/old, type: model}
  mine:
    path: m.bin
"""


def test_a_new_file() -> None:
    assert plan_text("", "dvc.yaml", OURS) == NEW
    assert plan_text("# only a comment\n", "dvc.yaml", OURS) == "# only a comment\n" + NEW


def test_nothing_to_say_makes_no_file(tmp_path: Path) -> None:
    assert not write_entries(str(tmp_path / "dvc.yaml"), Entries(prefixes=("dvclive/",)))
    assert list(tmp_path.iterdir()) == []


def test_what_others_wrote_stays() -> None:
    text = plan_text(PIPELINE, "dvc.yaml", OURS)
    assert (
        text
        == """\
# what we train
stages:
  train:
    cmd: python train.py  # two hours
    deps: [train.py]
params:
- other.yaml   # theirs
- dvclive/params.yaml
metrics:
- dvclive/metrics.json
- other.json
plots:
- mine.csv:
    x: a  # columns
- dvclive/plots/metrics:
    x: step
- dvclive/plots/images
artifacts:
  mine:
    path: m.bin
  model:
    path: model.pt
    type: model
"""
    )
    assert plan_text(text, "dvc.yaml", OURS) == text


def test_our_entries_go_when_there_is_nothing_of_them_any_more() -> None:
    assert plan_text(NEW, "dvc.yaml", Entries(prefixes=("dvclive/",))).startswith("artifacts:\n  model:")
    assert "dvclive" not in plan_text(PIPELINE, "dvc.yaml", Entries(prefixes=("dvclive/",)))


def test_plots_may_be_a_map() -> None:
    text = plan_text("plots:\n  a.csv: {x: b}\n  dvclive/plots/metrics:\n", "dvc.yaml", OURS)
    assert load_yaml(text, "dvc.yaml")["plots"] == {
        "a.csv": {"x": "b"},
        "dvclive/plots/metrics": {"x": "step"},
        "dvclive/plots/images": None,
    }


@pytest.mark.parametrize("text", ["a: [\n", "- list\n", "params: 5\n", "artifacts: [a]\n"])
def test_a_file_that_is_not_understood_is_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "dvc.yaml"
    path.write_text(text)
    with pytest.raises((BadInputError, ValueError)):
        write_entries(str(path), OURS)
    assert path.read_text() == text


def test_prefixes() -> None:
    assert prefixes_of("/p/dvclive", "/p") == ("dvclive/",)
    assert prefixes_of("/p/live", "/p/sub") == ("../live/",)
    assert "plots/" in prefixes_of("/p", "/p") and "" not in prefixes_of("/p", "/p")


PATHS = st.sampled_from(["a.json", "dvclive/metrics.json", "dvclive/old.json", "dvclive2/x.json", "b/dvclive/m.json"])
OTHERS = st.lists(PATHS, max_size=4, unique=True)


@given(params=OTHERS, metrics=OTHERS, plots=OTHERS)
def test_once_is_enough_and_others_stay_in_their_order(params: list[str], metrics: list[str], plots: list[str]) -> None:
    lines = ["# top"]
    for name, paths in (("params", params), ("metrics", metrics), ("plots", plots)):
        lines += [f"{name}:", *(f"- {path}  # {name}" for path in paths)] if paths else []
    text = plan_text("\n".join(lines) + "\n", "dvc.yaml", OURS)
    document = load_yaml(text, "dvc.yaml")
    for name, paths in (("params", params), ("metrics", metrics), ("plots", plots)):
        kept = [entry for entry in document[name] if isinstance(entry, str) and not entry.startswith("dvclive/")]
        assert kept == [path for path in paths if not path.startswith("dvclive/")]
    assert set(OURS.params) <= set(document["params"]) and set(OURS.metrics) <= set(document["metrics"])
    assert plan_text(text, "dvc.yaml", OURS) == text
