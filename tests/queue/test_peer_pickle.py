"""Pickles of DVC are read as data; whatever would run something is refused as a whole, before anything has happened."""

import os
import pickle
import pickletools
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.pipeline.options import FailurePolicy
from offbranch.queue.peer.options import read_options
from offbranch.queue.peer.pickled import MAX_BYTES, read_plain_pickle

USUAL: dict[str, Any] = {
    "args": (),
    "kwargs": {
        "run_env": {"DVC_EXP_NAME": "n", "DVC_ROOT": "/p"},
        "targets": ["train"],
        "single_item": False,
        "force": True,
        "dry": False,
        "interactive": True,
        "pipeline": False,
        "all_pipelines": False,
        "downstream": True,
        "recursive": False,
        "force_downstream": True,
        "pull": True,
        "allow_missing": True,
        "on_error": "keep-going",
    },
}

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.lists(inner, max_size=5).map(tuple),
    max_leaves=30,
)


@given(plain, st.integers(min_value=0, max_value=5))
def test_plain_values_are_read_as_they_were_written(value: Any, protocol: int) -> None:
    assert read_plain_pickle(pickle.dumps(value, protocol)) == value


def test_shared_values_are_read() -> None:
    once = ["x"]
    assert read_plain_pickle(pickle.dumps({"a": once, "b": once})) == {"a": ["x"], "b": ["x"]}


class Evil:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", range(6))
def test_what_would_run_something_is_refused(tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "ran"
    content = pickle.dumps({**USUAL, "more": Evil(str(target))}, protocol)
    with pytest.raises(ValueError, match="more than plain values"):
        read_plain_pickle(content)
    assert not target.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'touch ran'\ntR.",
        b"(S'touch ran'\nios\nsystem\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"\x80\x02\x82\x01.",
        b"Pid\n.",
        b"\x80\x04)Q.",
        b"\x80\x04\x8f.",
        pickle.dumps(OrderedDict(a=1)),
        pickle.dumps(b"bytes", 4),
        pickle.dumps({1: 2}),
        pickle.dumps({("a",): 2}),
        pickle.dumps({1, 2}),
        b"",
        b"\x80\x04",
        b"\x80\x04N",
        b"\x80\x04N.N.",
        b"\x80\x04NN.",
        b"\x80\x04(.",
        b"\x80\x04u.",
        b"\x80\x04}u.",
        b"\x80\x04h\x07.",
        b"\x80\x04]N(e.",
        b"\x80\x04r\xff\xff\xff\x7f.",
        b"\x80\x04X\xff\xff\xff\x7fab.",
        b"\x80\x04\x8c\x02\xff\xff.",
        b"I" + b"9" * 10_000 + b"\n.",
        b"\x80\x04]" + b"(" * 100 + b".",
        b"no pickle at all",
        b"\x80\x04" + b"N0" * MAX_BYTES,
    ],
    ids=range(29),
)
def test_what_is_damaged_or_more_than_plain_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        read_plain_pickle(content)


@given(st.binary(max_size=200))
def test_noise_is_read_or_refused(content: bytes) -> None:
    try:
        read_plain_pickle(content)
    except ValueError:
        pass


@given(st.data())
def test_a_changed_byte_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(pickle.dumps(USUAL))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_plain_pickle(bytes(content))
    except ValueError:
        pass


def test_every_instruction_is_one_of_python() -> None:
    known = {each.name for each in pickletools.opcodes}
    from_module = vars(__import__("offbranch.queue.peer.pickled", fromlist=["x"]))
    ours = {*from_module["_SCALARS"], *from_module["_CONSTANTS"], *from_module["_ACTIONS"]}
    assert ours <= known
    assert not ours & {"GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "PERSID"}


def test_options_are_ours() -> None:
    found = read_options(USUAL)
    assert found.targets == ("train",) and found.force
    select, execute = found.options.select, found.options.execute
    assert (select.downstream, select.single_item, select.cwd) == (True, False, "")
    assert (execute.plan.force, execute.plan.forced_after, execute.plan.allow_missing, execute.pull) == (True,) * 4
    assert execute.on_failure is FailurePolicy.KEEP_GOING


@pytest.mark.parametrize(
    "change",
    [
        {"on_error": "shrug"},
        {"on_error": ["fail"]},
        {"targets": "train"},
        {"targets": [1]},
        {"force": 1},
        {"machine": "gpu-1"},
        {"dry": True},
    ],
    ids=str,
)
def test_options_that_are_not_understood_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        read_options({"args": (), "kwargs": {**USUAL["kwargs"], **change}})


@pytest.mark.parametrize("data", [None, [], {}, {"kwargs": None}, {"args": ("x",), "kwargs": {}}], ids=str)
def test_something_else_is_refused(data: Any) -> None:
    with pytest.raises(ValueError):
        read_options(data)
