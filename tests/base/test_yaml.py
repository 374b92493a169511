"""The simple reader must never say anything that ruamel.yaml would not; the full one must refuse what is dangerous."""

import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from offbranch.base.errors import BadInputError
from offbranch.base.yaml import line_of, load_yaml, locator
from offbranch.base.yaml_ruamel import dump, edit, read
from offbranch.base.yaml_simple import NOT_SURE, has_odd, parse_simple, plain_scalar, without_odd

SCALARS = [
    "a", "key", "a b", "é", "日本", "1", "0", "-1", "+1", "010", "0o17", "0x1f", "0b1", "1_000", "1e-3", "1e5", "1.5",
    ".5", "-.5", ".inf", ".nan", "-.inf", "~", "null", "Null", "true", "True", "TRUE", "tRue", "yes", "no", "on", "n",
    "12:30:45", "2001-12-14", "2001-12-14 21:59:43", "1e1234", "5d02e4d2354eae28589766cca211477d", "000000", "''",
    "'a'", "'a''b'", '"a"', '"a\\nb"', '"\\x41"', '"x', "'y", "a: b", "a:b", ":", "-", "- a", "-a", "--lr", "---", "...",
    "? a", "& a", "&x", "*x", "!t", "|", "|-", "|+", ">", ">-", "> # c", "#c", "a # c", "a#b", "[1, 2]", "[]", "{}",
    "{a: 1}", "[a, [b, 'c']]", "[a", "{a:1}", "[a b, c d ]", "{a: [1], b: x}", "[a: 1]", "[-1, - 2]", "% x", "@a", "`",
    "<<", "=", "$x", "${x}", "a,b", "a]", "x\\", "\t", "/p/q.txt", "./x", "..", ".", "../d", "1.2.3", "v1", "3.11-slim",
    "2024", "1.", "1.e5", "+.5", "0b12", "1e", "._", "~a", "(a)", "http://x/y", "a\\b", "x'y", 'x"y', "", "it''s", "'' '",
]  # fmt: skip
scalars = st.sampled_from(SCALARS) | st.text("ab01'\"#:- \\\t[]{},&*!|>%@`~.e+_é\u2028\x85", max_size=8)
indents = st.sampled_from(["", "", "", "  ", "  ", "    ", " "])
dashes = st.sampled_from(["", "", "", "- ", "- - ", "-  ", "-"])
ends = st.sampled_from(["", "", "", " ", " # c", "#"])


@st.composite
def lines(draw: st.DrawFn) -> str:
    key, value = draw(scalars), draw(scalars)
    body = draw(st.sampled_from([key, f"{key}:", f"{key}: {value}", f"{key}: {value}", f"{key} {value}", ""]))
    return draw(indents) + draw(dashes) + body + draw(ends)


@st.composite
def documents(draw: st.DrawFn, depth: int = 0) -> list[str]:
    """Text that is mostly well-formed, so that the simple reader often is sure."""
    pad = "  " * depth
    rows: list[str] = []
    for n in range(draw(st.integers(1, 3))):
        value = draw(scalars)
        lead = draw(st.sampled_from([f"k{n}:", "-"] if n == 0 else [(rows[0].strip()[:1] == "-" and "-") or f"k{n}:"]))
        if depth < 3 and draw(st.booleans()):
            nested = draw(documents(depth=depth + 1))
            if lead == "-" and draw(st.booleans()):
                rows += [f"{pad}- {nested[0][len(pad) + 2 :]}", *nested[1:]]
            else:
                rows += [f"{pad}{lead}", *nested]
        else:
            rows.append(f"{pad}{lead} {value}")
            continued = draw(
                st.lists(st.sampled_from(["x y", "z'", 'w"', "", "# c", "a # c", "- a", "'q'"]), max_size=2)
            )
            rows += [f"{pad}{draw(st.sampled_from(['  ', '  ', '    ', '']))}{more}" for more in continued]
    return rows


def same(a: Any, b: Any) -> bool:
    """Equal, of equal types, in equal order; NaN equals itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(map(repr, a)) == list(map(repr, b)) and all(map(same, a.values(), b.values()))
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b) if isinstance(a, float) else bool(a == b)


def assert_agrees(text: str) -> None:
    simple = parse_simple(text)
    if simple is not NOT_SURE:
        assert same(simple, read(text, "f.yaml")), text


@settings(max_examples=300, deadline=None)
@given(st.lists(lines(), min_size=1, max_size=5))
@example(["a: |", "  x", "", " "])
@example(["a: 'b", "  c'' d'", "e: 1"])
@example(["- - a", "  - b", "-", "  - c"])
def test_simple_reader_agrees_on_any_lines(rows: list[str]) -> None:
    assert_agrees("\n".join(rows))


@settings(max_examples=300, deadline=None)
@given(documents(), st.sampled_from(["", "\n", "\r\n"]))
def test_simple_reader_agrees_on_likely_documents(rows: list[str], end: str) -> None:
    text = "\n".join(rows) + end
    assert_agrees(text if end != "\r\n" else text.replace("\r\n", "\n").replace("\n", "\r\n"))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(SCALARS),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(max_size=5), json_like, min_size=1, max_size=3))
def test_simple_reader_agrees_on_what_is_written(value: dict[str, Any]) -> None:
    assert_agrees(dump(value))


@pytest.mark.parametrize("text", SCALARS)
def test_a_plain_scalar_has_the_type_ruamel_gives_it(text: str) -> None:
    assert_agrees(f"a: {text}\n")
    assert_agrees(f"- {text}\n")
    meaning = plain_scalar(text) if text else NOT_SURE
    if meaning is not NOT_SURE and text[0] not in "'\"[{&*!|>%@`#?,]}:" and ": " not in text and " #" not in text:
        assert not text.startswith("- ")
        assert same(meaning, load_yaml(f"a: {text}", "f")["a"]) or text in ("-", "\t")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# only a comment\n", None),
        ("a: 010\n", {"a": 10}),
        ("a: 0o17\n", {"a": 15}),
        ("a: 1e-4\n", {"a": 0.0001}),
        ("a: yes\nb: on\nc: no\n", {"a": "yes", "b": "on", "c": "no"}),
        ("a: 12:30:45\n", {"a": "12:30:45"}),
        ("md5: 1e123456789012345678901234567890a\n", {"md5": "1e123456789012345678901234567890a"}),
        ("a:\n- 1\n- b:\n  - 2\nc: 3\n", {"a": [1, {"b": [2]}], "c": 3}),
        ("a: one\n  two\n  three\nb: 1\n", {"a": "one two three", "b": 1}),
        ("a: |\n  x\n\n  y\nb: >-\n  p\n  q\n", {"a": "x\n\ny\n", "b": "p q"}),
        ("a: {b: [1, 'x'], c: }\r\n", {"a": {"b": [1, "x"], "c": None}}),
        ("\ufeffa: 1", {"a": 1}),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert load_yaml(text, "f.yaml") == value


def test_special_numbers() -> None:
    assert math.isnan(load_yaml("a: .nan", "f")["a"])
    assert load_yaml("a: -.inf", "f")["a"] == -math.inf


LOCK = """schema: '2.0'
stages:
  train:
    cmd: python train.py --epochs 3 and then a long rest so that the line is folded by
      the writer
    deps:
    - path: data.csv
      hash: md5
      md5: 5d02e4d2354eae28589766cca211477d
      size: 9
    params:
      params.yaml:
        lr: 0.1
        name:
        list:
        - 1
        - x
"""


def test_usual_files_do_not_load_ruamel() -> None:
    code = (
        "import sys; from offbranch.base.yaml import load_yaml;"
        f"load_yaml({LOCK!r}, 'dvc.lock'); assert not any('ruamel' in name for name in sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("text", "line", "column", "word"),
    [
        ("a: 1\nb: [1,\n", 3, 1, "flow"),
        ("a: 1\na: 2\n", 2, 1, "'a' appears twice"),
        ("a: b: c\n", 1, 5, "mapping values"),
        ("x:\n  a: 1\n  a: 2\n", 3, 3, "'a' appears twice"),
        ("a: *x\n", 1, 4, "alias"),
        ("a: !mine x\n", 1, 4, "!mine"),
    ],
)
def test_mistakes_name_their_place(text: str, line: int, column: int, word: str) -> None:
    with pytest.raises(BadInputError) as caught:
        load_yaml(text, "dvc.yaml")
    assert (caught.value.line, caught.value.column) == (line, column)
    assert word in caught.value.message
    assert caught.value.message.startswith(f"dvc.yaml:{line}:{column}: ")
    assert "\n" not in caught.value.message


def test_a_tab_gets_a_hint() -> None:
    with pytest.raises(BadInputError) as caught:
        load_yaml("a:\n\t- b\n", "dvc.yaml")
    assert caught.value.line == 2
    assert "spaces" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "text", ["a: 2001-99-99", "a: " + "9" * 5000, "{{a: b}: 2}", "a: \x07", "--- a\n--- b", "\ud800"]
)
def test_other_mistakes_are_ours_too(text: str) -> None:
    with pytest.raises(BadInputError):
        load_yaml(text, "f.yaml")


def bomb(first: str, link: str) -> str:
    rows = [f"k0: &k0 {first}"]
    rows += [f"k{n}: &k{n} " + link.format(", ".join([f"*k{n - 1}"] * 9)) for n in range(1, 12)]
    return "\n".join(rows)


@pytest.mark.parametrize(
    "text", [bomb("[x, x, x]", "[{}]"), bomb("{a: 1, b: 2}", "{{<<: [{}]}}"), "a: &a [*a]", "a: &a {b: *a}"]
)
def test_alias_bombs_are_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="aliases"):
        load_yaml(text, "f.yaml")


@pytest.mark.parametrize("text", ["[" * 50_000, "{a: " * 5_000, "- " * 50_000, "? " * 50_000])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="deeper"):
        load_yaml(text, "f.yaml")


def test_wide_files_are_not_taken_for_deep() -> None:
    text = "".join(f"k{n}: [{n}, '[']\n" for n in range(2000)) + "a: &x 1\n"
    assert len(load_yaml(text, "f.yaml")) == 2001


def test_aliases_work() -> None:
    assert load_yaml("a: &x [1]\nb: *x\nc: {<<: {d: 1}}\n", "f") == {"a": [1], "b": [1], "c": {"d": 1}}


def test_line_of() -> None:
    text = "stages:\n  a:\n    cmd: x\n    outs:\n      - p:\n          cache: 1\n"
    assert line_of(text, ("stages", "a", "cmd")) == (3, 5)
    assert line_of(text, ("stages", "a", "outs", 0)) == (5, 9)
    assert line_of(text, ("stages", "a", "outs", 0, "p", "cache")) == (6, 11)
    assert line_of(text, ("stages", "nope")) == (1, 1)
    assert line_of(text, ("nope",)) is None
    assert line_of("a: [", ("a",)) is None
    locate = locator(text)
    assert [locate(("stages",)), locate(("stages", "a"))] == [(1, 1), (2, 3)]


def test_edit_keeps_comments_and_quotes() -> None:
    def change(document: Any) -> None:
        document["b"] = 3

    assert edit("# top\na: 'x'  # why\nb: 2\n", change) == "# top\na: 'x'  # why\nb: 3\n"


def test_characters_that_are_odd_are_found_at_their_borders_and_replaced() -> None:
    odd = ((0, 9), (0xB, 0x1F), (0x7F, 0x9F), (0x2028, 0x2029), (0xD800, 0xDFFF), (0xFEFF, 0xFEFF), (0xFFFE, 0xFFFF))
    for first, last in odd:
        around = [chr(n) for n in (first - 1, last + 1) if n >= 0]
        assert [has_odd(f"ä{each}") or has_odd(each) for each in around] == [False] * len(around)
        assert all(has_odd(chr(n)) and has_odd(f"ä{chr(n)}") for n in (first, last))
        assert (
            without_odd(f"é{chr(first)}\n{chr(last)}", lambda found: f"<{ord(found[0]):x}>")
            == f"é<{first:x}>\n<{last:x}>"
        )
