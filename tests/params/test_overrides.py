"""The grammar of `--set-param`: what is read without Hydra is what Hydra reads."""

import math
import os
import subprocess
import sys
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType
from hydra.errors import HydraException
from hypothesis import example, given
from hypothesis import strategies as st

import offbranch
from offbranch.base.errors import OffbranchError, UsageError
from offbranch.params.changes import same_data
from offbranch.params.overrides import Operation, Override, parse_override
from offbranch.params.overrides_hydra import resolve_interpolations
from offbranch.params.sweep import trials

OPERATIONS = {
    OverrideType.CHANGE: Operation.SET,
    OverrideType.ADD: Operation.ADD,
    OverrideType.FORCE_ADD: Operation.FORCE,
    OverrideType.DEL: Operation.DELETE,
}


def by_hydra(change: str) -> tuple[Operation, str, Any, bool] | None:
    try:
        parsed = OverridesParser.create().parse_override(change)
    except (HydraException, ValueError):
        return None
    if parsed.is_sweep_override() or not parsed.key_or_group:
        return None
    key = parsed.key_or_group if parsed.package is None else f"{parsed.key_or_group}@{parsed.package}"
    return OPERATIONS[parsed.type], key, parsed.value(), parsed.value_type is not None


def by_us(change: str) -> tuple[Operation, str, Any, bool] | None:
    try:
        parsed = parse_override(change)
    except UsageError:
        return None
    key = parsed.key if parsed.package is None else f"{parsed.key}@{parsed.package}"
    return None if parsed.sweep is not None else (parsed.operation, key, parsed.value, parsed.has_value)


keys = st.from_regex(r"[a-z_$][a-z0-9_$-]{0,3}(\.[a-z0-9_-]{1,3}){0,2}", fullmatch=True) | st.text(
    "a1._-0/@", max_size=5
)
numbers = st.text("0123456789_.eE+-infNaN", max_size=8)
words = st.sampled_from(
    ("true", "FALSE", "null", "Nullx", "inf", "-Inf", "+nan", "nano", "1_0", "0o7", "00", "1.", ".5e-3")
)
quoted = st.text("ab ,'\"\\${}[\n", max_size=6).map(lambda text: f"'{text}'")
written = quoted | numbers | words | st.text("ab1:/%*@?|-+._ ,='\"\\()[]{}!~#é", max_size=7)


@given(sign=st.sampled_from(("", "+", "++", "~")), key=keys, equal=st.sampled_from(("=", "=", "=", "")), value=written)
@example(sign="", key="a", equal="=", value="1e+5")
@example(sign="", key="a.0", equal="=", value="1_000.0_1")
@example(sign="~", key="a.0.b", equal="", value="")
@example(sign="", key="0a", equal="=", value="1")
@example(sign="", key="a.0b", equal="=", value="1")
def test_every_override_means_what_it_means_to_hydra(sign: str, key: str, equal: str, value: str) -> None:
    change = f"{sign}{key}{equal}{value if equal else ''}"
    if ":" in change.partition("=")[0]:
        return
    ours, theirs = by_us(change), by_hydra(change)
    if ours is None or theirs is None:
        assert ours is None and theirs is None
        return
    assert (ours[:2], ours[3]) == (theirs[:2], theirs[3])
    assert same_data(ours[2], theirs[2])


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("", ""),
        ("null", None),
        ("NULL", None),
        ("true", True),
        ("False", False),
        ("1_000", 1000),
        ("-7", -7),
        ("1e-3", 0.001),
        ("1.", 1.0),
        ("inf", math.inf),
        ("-INF", -math.inf),
        ("nan", math.nan),
        ("0o7", "0o7"),
        ("007", "007"),
        ("1e", "1e"),
        ("a:b", "a:b"),
        ("s3://b/k?x", None),
        ("a b", "a b"),
        ("'a, b'", "a, b"),
        ('"1"', "1"),
        (r"a\,b", "a,b"),
        ("int(3.7)", 3),
        ("str(3)", "3"),
        ("float(3)", 3.0),
        ("bool(true)", True),
        ("json_str({a: [1, 'x']})", '{"a":[1,"x"]}'),
        ("{a:1,b:[2,'c d']}", {"a": 1, "b": [2, "c d"]}),
        ("[1,[a,null]]", [1, ["a", None]]),
        ("sort([3,1,2])", [1, 2, 3]),
        ("${x.y}", "${x.y}"),
    ],
)
def test_values(written: str, value: Any) -> None:
    if written.startswith("s3"):
        value = written
    found = parse_override(f"key={written}")
    assert same_data(found.value, value) and found.sweep is None and found.has_value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lr=a:b", ("params.yaml", Operation.SET, "lr", "a:b", True)),
        ("p.json:lr=a:b", ("p.json", Operation.SET, "lr", "a:b", True)),
        ("dir/p.toml:++a.b.0=1", ("dir/p.toml", Operation.FORCE, "a.b.0", 1, True)),
        ("p.py:+A=x", ("p.py", Operation.ADD, "A", "x", True)),
        ("C:/p.yaml:a=1", ("C:/p.yaml", Operation.SET, "a", 1, True)),
        ("~a.b", ("params.yaml", Operation.DELETE, "a.b", None, False)),
        ("p.json:~a", ("p.json", Operation.DELETE, "a", None, False)),
        ("~a=1", ("params.yaml", Operation.DELETE, "a", 1, True)),
        ("~a=", ("params.yaml", Operation.DELETE, "a", "", True)),
        ("a/b=1", ("params.yaml", Operation.SET, "a/b", 1, True)),
    ],
)
def test_parts(text: str, expected: tuple[Any, ...]) -> None:
    found = parse_override(text)
    assert (found.file, found.operation, found.key, found.value, found.has_value) == expected
    assert found.text == text


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("lr", "missing '='", "write 'lr=VALUE' to set it, or '~lr' to delete it"),
        ("", "missing '='", "write 'KEY=VALUE'"),
        (":a=1", "no file name before ':'", "leave the ':' out to change params.yaml"),
        ("+c.json:a=1", "the '+' belongs before the key", "write 'c.json:+a=1'"),
        ("~c.json:a", "the '~' belongs before the key", "write 'c.json:~a'"),
        ("=1", "no key before '='", None),
        ("é=1", "it cannot be read from 'é=1' on", "a key is made of"),
        ("a b=1", "it cannot be read from ' b=1' on", "a key is made of"),
        ("a=[1", "it ends too early", "close every bracket and quote"),
        ("a=b=c", "it cannot be read from '=c' on", "quotes"),
        ("a=é", "it cannot be read from 'é' on", "quotes"),
        ("a=foo(1)", "unknown function 'foo' in 'foo(1)'", "the functions are bool, choice"),
        ("a=choice()", "empty choice is not legal in 'choice()'", "quotes"),
        ("a=interval(0,1)", "an interval cannot be enumerated", "range("),
        ("a=range(3,1)", "the range is empty", "start below stop"),
        ("a=range(0,1e9,1)", "it has more than 100000 values", "larger step"),
        ("~a=1,2", "a deletion has no choice of values", "write '~a'"),
    ],
)
def test_errors_say_what_and_how(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as raised:
        parse_override(text)
    assert raised.value.message == f"invalid value for --set-param '{text}': {message}"
    assert raised.value.hint == hint if hint is None else hint in (raised.value.hint or "")


@pytest.mark.parametrize(
    ("text", "values", "texts"),
    [
        ("lr=0.1,2", (0.1, 2), ("lr=0.1", "lr=2")),
        ("p.json:lr=choice(a,b)", ("a", "b"), ("p.json:lr=a", "p.json:lr=b")),
        ("++e=range(1,3)", (1, 2), ("++e=1", "++e=2")),
        ("e='1',a b,true,null,{a: 'b c'}", ("1", "a b", True, None, {"a": "b c"}), None),
        ("e=sort(3,1,2)", (1, 2, 3), ("e=1", "e=2", "e=3")),
        ("e=tag(t,choice(1,2))", (1, 2), ("e=1", "e=2")),
        ("e=[1,2],[3]", ([1, 2], [3]), ("e=[1,2]", "e=[3]")),
    ],
)
def test_sweeps(text: str, values: tuple[Any, ...], texts: tuple[str, ...] | None) -> None:
    override = parse_override(text)
    assert override.value is None and same_data(list(override.sweep or ()), list(values))
    single = [trial[0] for trial in trials([override])]
    assert texts is None or tuple(each.text for each in single) == texts
    for each in single:
        assert each.sweep is None and parse_override(each.text) == each


def test_a_range_has_the_noise_that_hydra_gives_it() -> None:
    found = parse_override("lr=range(0.001,0.1,0.01)").sweep
    assert found is not None and len(found) == 10
    assert found[1] == 0.011000000000000001 and found[5] == 0.051000000000000004 and found[2] == 0.021


def test_trials_are_all_combinations_with_the_last_sweep_fastest() -> None:
    given_ = [parse_override(text) for text in ("lr=choice(0.4,0.5)", "x=1", "train.epochs=range(1,3)")]
    found = [[(each.key, each.value) for each in trial] for trial in trials(given_)]
    assert found == [
        [("lr", lr), ("x", 1), ("train.epochs", epochs)] for lr, epochs in ((0.4, 1), (0.4, 2), (0.5, 1), (0.5, 2))
    ]
    assert tuple(trials([])) == ((),)
    plain = parse_override("a=1")
    assert tuple(trials([plain])) == ((plain,),)


swept = st.lists(
    st.integers()
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False)
    | st.text("ab ,:'\"=[]{}()1e.\\", min_size=1),
    min_size=2,
    max_size=4,
)


@given(values=swept)
def test_the_text_of_a_trial_reads_as_its_value(values: list[Any]) -> None:
    def quoted(value: Any) -> str:
        if not isinstance(value, str):
            return "null" if value is None else str(value)
        return "'" + value.replace("\\", "").replace("'", "\\'") + "'"

    override = parse_override(f"k={','.join(map(quoted, values))}")
    for (trial,) in trials([override]):
        again: Override = parse_override(trial.text)
        assert same_data(again.value, trial.value) and again.sweep is None


DATA = {"b": {"c": 1}, "x": "${b.c}", "l": [1, 2], "c1": "${c2}", "c2": "${c1}"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${b.c}", 1),
        ("${b}", {"c": 1}),
        ("${x} and ${l.0}", "1 and 1"),
        ("${l[1]}", 2),
        (["${b.c}", {"k": "${x}"}], [1, {"k": 1}]),
        (r"\${b}", "${b}"),
    ],
)
def test_interpolations(value: Any, expected: Any) -> None:
    assert same_data(resolve_interpolations(DATA, value, "t"), expected)


@pytest.mark.parametrize("value", ["${no}", "${c1}", "${b", "${oc.nope:1}"])
def test_an_interpolation_that_leads_nowhere(value: str) -> None:
    with pytest.raises(OffbranchError, match=r"cannot resolve 'k=v': [a-z]"):
        resolve_interpolations(DATA, value, "k=v")


def test_plain_overrides_of_yaml_load_neither_hydra_nor_ruamel() -> None:
    code = """
import sys
from offbranch.params.apply import plan_overrides
from offbranch.params.overrides import parse_override
text = b"# c\\nlr: 0.001  # c\\ntrain:\\n  epochs: 3\\nnote: x\\n"
texts = ["lr=0.01", "train.epochs=4", "++train.new=x", "+top=1", "note='a b'"]
done = plan_overrides(lambda path: text, [parse_override(each) for each in texts])
assert done == {"params.yaml": b"# c\\nlr: 0.01  # c\\ntrain:\\n  epochs: 4\\n  new: x\\nnote: a b\\ntop: 1\\n"}, done
heavy = {"ruamel", "hydra", "omegaconf", "antlr4", "yaml", "tomlkit", "tomllib", "json", "logging", "pathlib"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""
    env = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(offbranch.__file__))}
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, env=env)
    assert (done.stdout, done.stderr) == ("[]\n", "")
