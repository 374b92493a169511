"""Editing dvc.yaml: the rest of the file stays as the user wrote it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbranch.base.errors import BadInputError, ConflictError, NotFoundError
from offbranch.base.yaml import load_yaml
from offbranch.pipeline.edit import add_stage_text, remove_stage_text, set_stage_key

NEW: dict[str, Any] = {"outs": ["o"], "cmd": "run x", "deps": ["a", "b"], "params": ["lr", {"f.yaml": ["k"]}]}
BLOCK = """\
  new:
    cmd: run x
    deps:
    - a
    - b
    params:
    - lr
    - f.yaml:
      - k
    outs:
    - o
"""
COMMENTED = """\
# the pipeline
vars:
- v.yaml

stages:
  # first
  a:
    cmd: >-
      python a.py
      --x 1
    deps: [b,   c]    # odd spacing

  b:
    frozen: true   # for now
    cmd: "two"
# about metrics
metrics:
- m.json
"""


def test_a_new_file() -> None:
    assert add_stage_text(None, "new", NEW) == "stages:\n" + BLOCK
    assert add_stage_text("", "new", NEW) == "stages:\n" + BLOCK
    assert add_stage_text("# hi\n", "new", NEW) == "# hi\nstages:\n" + BLOCK


def test_keys_are_written_in_the_usual_order() -> None:
    text = add_stage_text(
        None, "s", {"meta": 1, "always_changed": True, "metrics": ["m"], "wdir": "w", "cmd": "c", "desc": "d"}
    )
    assert list(load_yaml(text, "f")["stages"]["s"]) == ["desc", "cmd", "wdir", "metrics", "always_changed", "meta"]


def test_adding_keeps_every_other_byte() -> None:
    expected = COMMENTED.replace('    cmd: "two"\n', f'    cmd: "two"\n\n{BLOCK}')
    assert add_stage_text(COMMENTED, "new", NEW) == expected


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        ("stages:\n  a:\n    cmd: x\n", "stages:\n  a:\n    cmd: x\n" + BLOCK),
        ("stages:\n  a:\n    cmd: x", "stages:\n  a:\n    cmd: x\n" + BLOCK),
        ("stages: {}\n", "stages:\n" + BLOCK),
        ("vars: [{a: 1}]\n", "vars: [{a: 1}]\nstages:\n" + BLOCK),
        ("stages: {}\nmetrics: [m]\n", "stages:\n" + BLOCK + "metrics: [m]\n"),
        ("stages:\n  'a b':\n    cmd: x\n# end\n", "stages:\n  'a b':\n    cmd: x\n" + BLOCK + "# end\n"),
    ],
)
def test_adding(old: str, expected: str) -> None:
    assert add_stage_text(old, "new", NEW) == expected


def test_adding_with_another_indentation() -> None:
    text = add_stage_text("stages:\n    a:\n        cmd: x\n", "new", {"cmd": "y"})
    assert text == "stages:\n    a:\n        cmd: x\n    new:\n      cmd: y\n"


@pytest.mark.parametrize("old", ["stages: {a: {cmd: x}}\n", "{stages: {a: {cmd: x}}}\n", '"stages":\n  a: {cmd: x}\n'])
def test_unusual_styles(old: str) -> None:
    document = load_yaml(add_stage_text(old, "new", NEW), "f")
    assert document == {"stages": {"a": {"cmd": "x"}, "new": NEW}}


def test_a_taken_name() -> None:
    with pytest.raises(ConflictError, match="'b' already exists") as caught:
        add_stage_text(COMMENTED, "b", NEW)
    assert "--force" in (caught.value.hint or "")
    forced = add_stage_text(COMMENTED, "a", NEW, force=True)
    start, end = COMMENTED.index("  a:\n"), COMMENTED.index("\n  b:\n")
    assert forced == COMMENTED[:start] + BLOCK.replace("new", "a") + COMMENTED[end:]


def test_a_file_that_is_not_yaml() -> None:
    with pytest.raises(BadInputError):
        add_stage_text("stages: [", "a", NEW)


def test_setting_a_key() -> None:
    text = set_stage_key(COMMENTED, "a", "frozen", True)
    assert text == COMMENTED.replace("# odd spacing\n", "# odd spacing\n    frozen: true\n")
    assert set_stage_key(text, "a", "frozen", None) == COMMENTED
    assert set_stage_key(COMMENTED, "b", "frozen", True) == COMMENTED
    assert set_stage_key(COMMENTED, "b", "frozen", None) == COMMENTED.replace("    frozen: true   # for now\n", "")
    assert set_stage_key(COMMENTED, "b", "cmd", "a: b") == COMMENTED.replace('"two"', "'a: b'")


def test_setting_a_key_of_a_group() -> None:
    text = "stages:\n  g:\n    foreach: [1]\n    do:\n      cmd: x\n"
    assert set_stage_key(text, "g", "frozen", True) == text + "      frozen: true\n"


def test_setting_a_key_in_an_unusual_style() -> None:
    text = set_stage_key("stages: {a: {cmd: x}, b: {cmd: y}}\n", "b", "frozen", True)
    assert load_yaml(text, "f") == {"stages": {"a": {"cmd": "x"}, "b": {"cmd": "y", "frozen": True}}}


def test_setting_a_key_of_a_stage_that_is_not_there() -> None:
    with pytest.raises(NotFoundError, match="no stage 'c'"):
        set_stage_key(COMMENTED, "c", "frozen", True)


texts = st.sampled_from(["x", "a: b", "#c", "it's", "yes", "1", "", "- a", "é", "l1\nl2", "${v}", "stages:", "'q'"])


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(texts.filter(bool), texts, max_size=4),
    texts.filter(bool),
    texts,
    st.sampled_from(["", "\n# end\n", "\nmetrics:\n- m\n"]),
)
def test_adding_means_what_a_dict_update_means(before: dict[str, str], name: str, command: str, tail: str) -> None:
    old: str | None = None
    for other, text in before.items():
        old = add_stage_text(old, other, {"cmd": text})
    old = (old or "") + tail
    document = load_yaml(old, "f") or {}
    new = add_stage_text(old, name, {"cmd": command}, force=True)
    stages = {**(document.get("stages") or {}), name: {"cmd": command}}
    assert load_yaml(new, "f") == {**document, "stages": stages}


# Removing


def test_removing_keeps_every_other_byte() -> None:
    a = "  a:\n    cmd: >-\n      python a.py\n      --x 1\n    deps: [b,   c]    # odd spacing\n\n"
    assert remove_stage_text(COMMENTED, "a") == COMMENTED.replace(a, "")
    b = '  b:\n    frozen: true   # for now\n    cmd: "two"\n'
    assert remove_stage_text(COMMENTED, "b") == COMMENTED.replace(b, "")


def test_removing_the_last_stage() -> None:
    text = "# top\nstages:\n  a:\n    cmd: x\n# tail\nmetrics:\n- m.json\n"
    assert remove_stage_text(text, "a") == "# top\n# tail\nmetrics:\n- m.json\n"
    assert remove_stage_text("stages:\n  a:\n    cmd: x\n", "a") is None


@pytest.mark.parametrize(
    "text",
    [
        "stages: {a: {cmd: x}, b: {cmd: y}}\n",
        "stages:\n  ? a\n  : cmd: x\n  b:\n    cmd: y\n",
        "stages:\n  b: &y\n    cmd: y\n  'a':\n    <<: *y\n",
    ],
)
def test_removing_in_unusual_styles(text: str) -> None:
    assert load_yaml(remove_stage_text(text, "a") or "", "f") == {"stages": {"b": {"cmd": "y"}}}


def test_removing_a_stage_that_is_not_there() -> None:
    with pytest.raises(NotFoundError, match=r"no stage 'aa' in 'sub/dvc\.yaml'") as caught:
        remove_stage_text(COMMENTED, "aa", path="sub/dvc.yaml")
    assert caught.value.hint == "did you mean 'a' or 'b'?" or caught.value.hint == "did you mean 'a'?"


@given(
    st.dictionaries(
        st.sampled_from(["a", "b c", "x-1", "yes", "1", "a@b"]),
        st.fixed_dictionaries(
            {"cmd": st.sampled_from(["echo", "a: b", "x # y"]), "outs": st.lists(st.just("o"), max_size=1)}
        ),
        min_size=1,
    ),
    st.sampled_from(["", "# end\n", "params:\n- p.yaml\n"]),
    st.data(),
)
def test_removing_takes_back_what_adding_did(stages: dict[str, Any], tail: str, data: st.DataObject) -> None:
    text: str | None = tail and tail
    for name, definition in stages.items():
        text = add_stage_text(text or None, name, definition)
    gone = data.draw(st.sampled_from(sorted(stages)))
    rest = {name: definition for name, definition in stages.items() if name != gone}
    left = remove_stage_text(str(text), gone)
    document = load_yaml(left, "f") if left is not None else None
    assert ((document or {}).get("stages") or {}) == rest
    assert left is None or left.count("#") == str(text).count("#") - str(stages[gone]).count("#")
