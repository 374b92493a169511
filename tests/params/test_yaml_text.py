"""What is written as YAML reads back as the same value, in ruamel.yaml and in PyYAML."""

import math
from typing import Any

import pytest
import yaml as pyyaml
from hypothesis import given

from offbranch.base.yaml_ruamel import read
from offbranch.params.changes import same_data
from offbranch.params.yaml_text import block_lines, entry_lines, flow_text, scalar_text
from params_documents import scalars, values


@given(value=values)
def test_flow_and_block_read_back(value: Any) -> None:
    assert same_data(read(f"k: {flow_text(value)}\n", ""), {"k": value})
    assert same_data(read(f"[{flow_text(value)}]", ""), [value])
    assert same_data(read(f"{{k: {flow_text(value)}}}", ""), {"k": value})
    assert same_data(read("\n".join(entry_lines("k:", value)), ""), {"k": value})
    assert same_data(read("\n".join(entry_lines("-", value)), ""), [value])
    if value and isinstance(value, dict | list):
        assert same_data(read("\n".join(block_lines(value)), ""), value)


@given(value=scalars)
def test_scalars_read_back_whatever_quotes_are_preferred(value: Any) -> None:
    for quote in ("", "'", '"'):
        written = scalar_text(value, quote)
        assert "\n" not in written
        assert same_data(read(f"- {written} # c", ""), [value])
        if value == value:
            assert same_data(read(f"{written}: 1", ""), {value: 1})


@given(value=scalars)
def test_scalars_mean_the_same_in_yaml_1_1(value: Any) -> None:
    assert same_data(pyyaml.safe_load(f"- {scalar_text(value)}"), [value])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-05, "1.0e-05"),
        (1e16, "1.0e+16"),
        (1.5e-7, "1.5e-07"),
        (0.1, "0.1"),
        (math.inf, ".inf"),
        (-math.inf, "-.inf"),
        (math.nan, ".nan"),
        (None, "null"),
        (True, "true"),
        ("adam", "adam"),
        ("data/x y.csv", "data/x y.csv"),
        ("./a", "./a"),
        ("", "''"),
        ("yes", "'yes'"),
        ("1e5", "'1e5'"),
        ("null", "'null'"),
        ("a: b", "'a: b'"),
        ("it's", "'it''s'"),
        ("a\nb", '"a\\nb"'),
    ],
)
def test_how_values_look(value: Any, text: str) -> None:
    assert scalar_text(value) == text


def test_how_collections_look() -> None:
    assert entry_lines("k:", {"a": {"b": [1, 2]}, "c": [{"d": 1, "e": []}], "f": {}}) == [
        "k:",
        "  a:",
        "    b: [1, 2]",
        "  c:",
        "    - d: 1",
        "      e: []",
        "  f: {}",
    ]
