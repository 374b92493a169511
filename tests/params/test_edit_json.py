"""Edits of JSON keep the layout of everything but the value."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.params.changes import Change, Put, Remove, apply_change, copy_of, same_data, value_at
from offbranch.params.edit_json import edit
from offbranch.params.files import parse_text
from params_documents import names, paths_of, values

P = "p.json"
documents = st.dictionaries(names | st.text(max_size=3), values, min_size=1, max_size=4)
layouts: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    ({}, {"indent": 2}, {"indent": "\t"}, {"separators": (",", ":")}, {"indent": 4, "ensure_ascii": False})
)


def changed(text: str, change: Change) -> str:
    wanted = copy_of(parse_text(text, P))
    apply_change(wanted, change)
    return edit(text, change, wanted, P)


@given(document=documents, layout=layouts, value=values, data=st.data())
def test_a_put_changes_the_value_and_no_other_byte(document: Any, layout: Any, value: Any, data: st.DataObject) -> None:
    text = json.dumps(document, **layout) + "\n"
    path = data.draw(st.sampled_from(paths_of(document)))
    old = value_at(document, path)
    new = changed(text, Put(path=path, value=value))
    if isinstance(old, dict | list) or isinstance(value, dict | list):
        return
    prefix = len(text) - len(text.lstrip())
    while prefix < min(len(text), len(new)) and text[prefix] == new[prefix]:
        prefix += 1
    assert len(new) - len(text) == len(json.dumps(value, ensure_ascii=False)) - len(
        json.dumps(old, ensure_ascii=layout.get("ensure_ascii", True))
    )


@given(document=documents, layout=layouts, value=values, data=st.data())
def test_additions_and_removals(document: Any, layout: Any, value: Any, data: st.DataObject) -> None:
    text = json.dumps(document, **layout)
    maps = [(), *(path for path in paths_of(document) if isinstance(value_at(document, path), dict))]
    path = data.draw(st.sampled_from(maps))
    added = changed(text, Put(path=(*path, "new key"), value=value))
    assert same_data(json.loads(changed(added, Remove(path=(*path, "new key")))), json.loads(text))
    victim = data.draw(st.sampled_from(paths_of(document)))
    changed(text, Remove(path=victim))


TEXT = '{\n    "a": 1,\n    "b": {"c": [1, 2,  3], "d": null},\n    "e": {\n        "f": "x"\n    }\n}\n'


@pytest.mark.parametrize(
    ("change", "old", "new"),
    [
        (Put(path=("a",), value=2.5), '"a": 1', '"a": 2.5'),
        (Put(path=("b", "c", 1), value="é"), "1, 2,  3", '1, "é",  3'),
        (Put(path=("b", "c", 3), value=4), "2,  3]", "2,  3,  4]"),
        (Put(path=("b", "z"), value={}), "null}", 'null, "z": {}}'),
        (Put(path=("e",), value=[1]), '{\n        "f": "x"\n    }', "[1]"),
        (Put(path=("e",), value={"g": {"h": 1}}), '"f": "x"\n', '"g": {\n            "h": 1\n        }\n'),
        (Put(path=("z",), value=1), "    }\n}", '    },\n    "z": 1\n}'),
        (Remove(path=("b", "d")), ', "d": null', ""),
        (Remove(path=("b", "c", 0)), "[1, 2,", "[2,"),
        (Remove(path=("e", "f")), '{\n        "f": "x"\n    }', "{}"),
        (Remove(path=("a",)), '    "a": 1,\n', ""),
    ],
)  # fmt: skip
def test_the_layout_stays(change: Change, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert changed(TEXT, change) == TEXT.replace(old, new)


def test_the_last_of_two_equal_keys_counts() -> None:
    assert changed('{"a": 1, "a": 2}', Put(path=("a",), value=3)) == '{"a": 1, "a": 3}'
