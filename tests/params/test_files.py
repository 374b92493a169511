"""Parameter files of each format become the same kind of data; mistakes are shown with their place."""

from typing import Any

import pytest
from hypothesis import given

from offbranch.base.errors import BadInputError
from offbranch.base.yaml_ruamel import read
from offbranch.params.changes import same_data
from offbranch.params.files import Format, format_of, parse_params
from params_documents import yaml_texts


def test_the_suffix_decides() -> None:
    assert format_of("a/b.YAML") is Format.YAML
    assert format_of("b.yml") is Format.YAML
    assert format_of("a.json") is Format.JSON
    assert format_of("a.toml") is Format.TOML
    assert format_of("a.py") is Format.PYTHON
    assert format_of("dir.json/params") is Format.YAML
    assert format_of("a.txt") is Format.YAML


@pytest.mark.parametrize("path", ["p.yaml", "p.json", "p.toml", "p.py", "p.txt"])
@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_an_empty_mapping(path: str, content: bytes) -> None:
    assert parse_params(content, path) == {}


EXPECTED = {"lr": 0.1, "n": 3, "s": "x", "on": True, "l": [1, [2]], "t": {"a": {"b": "é"}}}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("p.yaml", "lr: 0.1\nn: 3\ns: x\n'on': true\nl: [1, [2]]\nt:\n  a: {b: é}\n"),
        ("p.conf", "lr: 0.1\nn: 3\ns: x\n'on': true\nl: [1, [2]]\nt:\n  a: {b: é}\n"),
        ("p.json", '{"lr": 0.1, "n": 3, "s": "x", "on": true, "l": [1, [2]], "t": {"a": {"b": "é"}}}'),
        ("p.toml", 'lr = 0.1\nn = 3\ns = "x"\non = true\nl = [1, [2]]\n[t.a]\nb = "é"\n'),
        ("p.py", 'lr = 0.1\nn = 3\ns = "x"\non = True\nl = (1, [2])\nclass t:\n    a = {"b": "é"}\n'),
    ],
)
def test_all_formats_give_the_same_data(path: str, text: str) -> None:
    assert same_data(parse_params(text.encode(), path), EXPECTED)


PYTHON = '''
"""Module text."""
import os

BOOL = True
MINUS = -5
FLOAT: float = 1e-3
ONLY_ANNOTATED: int
SET = {3, 1, 2}
TUPLE = (10, (20,))
NESTED = {"k": (1, -2), 3: [None]}
a = b = 5
(q, [r, s]), rest = (1, [2, 3]), "z"
uneven, pair = TUPLE
first, *others = 1, 2, 3
text = "a" "b"
total = 1 + 2
name = os.sep
formatted = f"{a}"
raw = b"bytes"
dots = ...
twice = 1
twice = 2
a.attribute = 1
if True:
    hidden = 1


class Train(object):
    EPOCHS = 70
    called = max(1, 2)

    class Inner:
        B = 2

    def __init__(self, x):
        self.layers = 5
        self.layers = 9
        self.typed: int = 4
        self.given = x
        local = 3

    def other(self):
        self.elsewhere = 1


class Empty:
    """Nothing to see."""
'''


def test_python_literals_are_parameters_and_other_code_is_not() -> None:
    assert same_data(
        parse_params(PYTHON.encode(), "p.py"),
        {
            "BOOL": True,
            "MINUS": -5,
            "FLOAT": 0.001,
            "SET": [1, 2, 3],
            "TUPLE": [10, [20]],
            "NESTED": {"k": [1, -2], 3: [None]},
            "a": 5,
            "b": 5,
            "q": 1,
            "r": 2,
            "s": 3,
            "rest": "z",
            "text": "ab",
            "twice": 2,
            "Train": {"EPOCHS": 70, "Inner": {"B": 2}, "layers": 9, "typed": 4},
        },
    )


def test_python_is_never_run(tmp_path: Any) -> None:
    target = tmp_path / "made"
    parse_params(f"open({str(target)!r}, 'w')\nx = 1\n".encode(), "p.py")
    assert not target.exists()


@pytest.mark.parametrize(
    ("path", "text", "place", "reason"),
    [
        ("p.yaml", "a: 1\na: 2\n", "p.yaml:2:1", "the key 'a' appears twice"),
        ("p.json", '{"a": 1,\n "b": x}', "p.json:2:7", "not valid JSON: expecting value"),
        ("p.toml", "a = 1\nb = = 2\n", "p.toml:2:5", "not valid TOML: invalid value"),
        ("p.toml", "a = [1,\n", "p.toml:2", "not valid TOML: "),
        ("p.py", "a = 1\nb = (\n", "p.py:2:5", "not valid Python: '(' was never closed"),
        ("p.py", "a = '\0'\n", "p.py", "not valid Python: "),
        ("p.json", "[" * 100_000, "p.json", "not valid JSON: nested too deeply"),
        ("p.yaml", "- 1\n- 2\n", "p.yaml", "the top level is a list, and parameters need a mapping"),
        ("p.yaml", "just text\n", "p.yaml", "the top level is a text, and parameters need a mapping"),
        ("p.json", "5", "p.json", "the top level is a single value, and parameters need a mapping"),
    ],
)
def test_a_mistake_is_shown_with_its_place(path: str, text: str, place: str, reason: str) -> None:
    with pytest.raises(BadInputError) as raised:
        parse_params(text.encode(), path)
    assert raised.value.message.startswith(f"{place}: {reason}")


def test_a_file_that_is_not_text() -> None:
    with pytest.raises(BadInputError, match=r"p\.json:2: not a UTF-8 text file"):
        parse_params(b'{\n"a": "\xff"}', "p.json")


@given(text=yaml_texts())
def test_yaml_is_read_as_by_the_full_reader(text: str) -> None:
    assert same_data(parse_params(text.encode(), "p.yaml"), read(text, "p.yaml"))
