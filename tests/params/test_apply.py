"""What overrides mean for parameter files, and how they fail."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import BadInputError, ConflictError, NotFoundError, OffbranchError, UsageError
from offbranch.params.apply import plan_overrides
from offbranch.params.changes import value_at
from offbranch.params.files import parse_params
from offbranch.params.keys import find_path
from offbranch.params.lookup import look_up
from offbranch.params.overrides import parse_override
from params_documents import paths_of, yaml_texts

PARAMS = b"lr: 0.001\ntrain:\n  lr: 0.1\n  epochs: 3\n  opt: {name: adam}\nlst: [1, 2]\nnothing: null\n"
FILES = {"params.yaml": PARAMS}


def plan(*texts: str, files: Mapping[str, bytes] = FILES) -> dict[str, bytes]:
    return plan_overrides(files.get, [parse_override(text) for text in texts])


def after(*texts: str) -> bytes:
    return plan(*texts).get("params.yaml", PARAMS)


@pytest.mark.parametrize(
    ("texts", "old", "new"),
    [
        (("lr=2",), "lr: 0.001", "lr: 2"),
        (("train.lr=2", "train.epochs=4"), "lr: 0.1\n  epochs: 3", "lr: 2\n  epochs: 4"),
        (("lr=2", "lr=3"), "lr: 0.001", "lr: 3"),
        (("lst.1=9",), "[1, 2]", "[1, 9]"),
        (("lst=[5]",), "[1, 2]", "[5]"),
        (("+lst=[5]",), "[1, 2]", "[5]"),
        (("+lst.2=3",), "[1, 2]", "[1, 2, 3]"),
        (("train={lr: 5}",), "lr: 0.1", "lr: 5"),
        (("+train={new: 1, lr: 5}",), "lr: 0.1\n  epochs: 3\n  opt: {name: adam}", ""),
        (("train.opt={name: sgd}",), "adam", "sgd"),
        (("++lr=2",), "lr: 0.001", "lr: 2"),
        (("++new=2",), "nothing: null\n", "nothing: null\nnew: 2\n"),
        (("+new.sub.x=2",), "nothing: null\n", "nothing: null\nnew:\n  sub:\n    x: 2\n"),
        (("+nothing=2",), "nothing: null", "nothing: 2"),
        (("+nothing.x=2",), "nothing: null", "nothing: {x: 2}"),
        (("++lr.x=2",), "lr: 0.001", "lr: {x: 2}"),
        (("+train.opt.eps=1e-8",), "{name: adam}", "{name: adam, eps: 1.0e-08}"),
        (("~lr",), "lr: 0.001\n", ""),
        (("~lr=1e-3",), "lr: 0.001\n", ""),
        (("~nothing",), "nothing: null\n", ""),
        (("~lst.0",), "[1, 2]", "[2]"),
        (("~train.opt.name",), "{name: adam}", "{}"),
        (("~train.opt", "+train.opt=x"), "  opt: {name: adam}\n", "  opt: x\n"),
        (("nothing=${lr}", "lr=0.7"), "", ""),
        (("lr='${train.lr} ${lst.0}'",), "lr: 0.001", "lr: 0.1 1"),
    ],
)
def test_overrides_change_the_file(texts: tuple[str, ...], old: str, new: str) -> None:
    if texts[0].startswith("+train={"):
        expected = (
            "lr: 0.001\ntrain:\n  lr: 5\n  epochs: 3\n  opt: {name: adam}\n  new: 1\nlst: [1, 2]\nnothing: null\n"
        )
    elif texts[0].startswith("nothing=${"):
        # What a `${}` sees is the data after all overrides, the later ones too.
        expected = PARAMS.decode().replace("0.001", "0.7").replace("nothing: null", "nothing: 0.7")
    elif texts[0].startswith("lr='"):
        expected = PARAMS.decode().replace("lr: 0.001", "lr: '0.1 1'")
    else:
        assert PARAMS.decode().count(old) == 1
        expected = PARAMS.decode().replace(old, new)
    assert after(*texts).decode() == expected


def test_an_override_to_the_present_value_changes_nothing() -> None:
    assert plan("lr=1e-3", "train.opt={name: adam}", "lst=[1,2]", "nothing=null") == {}
    assert after("train.epochs=3.0") == PARAMS.replace(b"epochs: 3", b"epochs: 3.0")


def test_several_files_in_the_order_of_mention() -> None:
    files = {**FILES, "p.json": b'{"a": 1}', "sub/p.py": b"A = 1\n"}
    done = plan("sub/p.py:A=2", "lr=1", "./p.json:a=x", "lst=[]", "new.toml:+t.x=1", files=files)
    assert list(done) == ["sub/p.py", "params.yaml", "p.json", "new.toml"]
    assert done["sub/p.py"] == b"A = 2\n" and done["p.json"] == b'{"a": "x"}'
    assert done["new.toml"] == b"[t]\nx = 1\n"


def test_a_missing_file_is_an_empty_mapping() -> None:
    assert plan("+a.b=1", files={}) == {"params.yaml": b"a:\n  b: 1\n"}
    assert plan("p.json:+a=1", files={}) == {"p.json": b'{\n  "a": 1\n}\n'}
    assert plan("p.py:+A=x", files={}) == {"p.py": b"A = 'x'\n"}
    with pytest.raises(NotFoundError, match=r"could not override 'a': it is not in 'params\.yaml'"):
        plan("a=1", files={})


def test_a_byte_order_mark_stays() -> None:
    assert plan("a=2", files={"params.yaml": b"\xef\xbb\xbfa: 1\n"}) == {"params.yaml": b"\xef\xbb\xbfa: 2\n"}


@pytest.mark.parametrize(
    ("text", "error", "message", "hint"),
    [
        ("nope=1", NotFoundError, "could not override 'nope': it is not in 'params.yaml'", "to add it: --set-param '+nope=1'"),
        (
            "train.lrr=1",
            NotFoundError,
            "could not override 'train.lrr': it is not in 'params.yaml'",
            "did you mean 'train.lr'? otherwise add it: --set-param '+train.lrr=1'",
        ),
        ("epochs=1", NotFoundError, "could not override 'epochs': it is not in 'params.yaml'", "did you mean 'train.epochs'?"),
        ("train={new: 1}", NotFoundError, "could not override 'train.new': it is not in 'params.yaml'", "add it"),
        ("lst.2=1", NotFoundError, "could not override 'lst.2': it is not in 'params.yaml'", "+lst.2=1"),
        ("+lst.3=1", NotFoundError, "could not add 'lst.3': 'lst' in 'params.yaml' is a list of 2", "its next index is 2"),
        (
            "+lr=1",
            ConflictError,
            "could not add 'lr': it is already in 'params.yaml'",
            "to change it leave the '+' out: --set-param 'lr=1'",
        ),
        (
            "+lr.x=1",
            ConflictError,
            "could not add 'lr.x': 'lr' in 'params.yaml' is a single value, not a map",
            "to replace it by a map: --set-param '++lr.x=1'",
        ),
        (
            "~train.opt.name=zzz",
            ConflictError,
            "could not delete 'train.opt.name': its value in 'params.yaml' is 'adam' and not 'zzz'",
            "to delete it whatever its value: --set-param '~train.opt.name'",
        ),
        ("~nope", NotFoundError, "could not delete 'nope': it is not in 'params.yaml'", None),
        ("~train.epoch", NotFoundError, "could not delete 'train.epoch': it is not in 'params.yaml'", "did you mean"),
        ("lr=1,2", UsageError, "'lr=1,2' is a sweep over several values, and a sweep can only be queued", "--queue"),
        ("../p.yaml:a=1", UsageError, "cannot override parameters in '../p.yaml': it is outside the project", None),
        ("/p.yaml:a=1", UsageError, "cannot override parameters in '/p.yaml': it is outside the project", None),
        ("lr=${nope}", OffbranchError, "cannot resolve 'lr=${nope}': interpolation key 'nope' not found", "same"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_why(text: str, error: type[Exception], message: str, hint: str | None) -> None:
    with pytest.raises(error) as raised:
        plan(text)
    assert isinstance(raised.value, OffbranchError) and raised.value.message == message
    assert raised.value.hint == hint if hint is None else hint in (raised.value.hint or "")


def test_the_file_name_is_in_the_way_out() -> None:
    with pytest.raises(NotFoundError) as raised:
        plan("conf/p.json:a.b=1", files={"conf/p.json": b"{}"})
    assert raised.value.hint == "to add it: --set-param 'conf/p.json:+a.b=1'"


def test_a_malformed_file_is_named_with_its_line() -> None:
    with pytest.raises(BadInputError, match=re.escape("params.yaml:3:1: not valid YAML")):
        plan("a=1", files={"params.yaml": b"a: 1\nb: [\n"})


@given(text=yaml_texts(), data=st.data())
def test_every_key_that_flattening_shows_can_be_set(text: str, data: st.DataObject) -> None:
    before = parse_params(text.encode(), "params.yaml")
    path = data.draw(st.sampled_from(paths_of(before)))
    key = ".".join(map(str, path))
    assert find_path(before, key) == path
    assert value_at(before, path) == look_up(before, key) or value_at(before, path) != value_at(before, path)
    done = plan(f"{key}=new-value", files={"params.yaml": text.encode()})
    assert look_up(parse_params(done["params.yaml"], "params.yaml"), key) == "new-value"
