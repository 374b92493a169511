"""Configuration: four levels, the text of DVC's files, errors with the place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.config import Config, merge_configs, parse_config
from offbranch.base.errors import BadInputError

TEXT = """\
# comment
[core]
    remote = Store
    autostage = true
['remote "Store"']
    url = /data/store  # where
    jobs = "4"
[CACHE]
    Type = "reflink,copy"
"""


def config(*texts: str) -> Config:
    return merge_configs(parse_config(text, origin=f"file{n}") for n, text in enumerate(texts))


def test_sections_options_quotes_and_comments() -> None:
    read = config(TEXT)
    assert read.get("core", "remote") == "Store"
    assert read.get('remote "store"', "url") == "/data/store"
    assert read.get('remote "store"', "jobs") == "4"
    assert read.get("cache", "type") == "reflink,copy"
    assert read.get_bool("core", "autostage")
    assert read.get("core", "nosuch", "fallback") == "fallback"


def test_the_later_level_wins_key_by_key() -> None:
    read = config(TEXT, "[core]\nautostage = false\n")
    assert not read.get_bool("core", "autostage")
    assert read.get("core", "remote") == "Store"
    assert read.settings["core", "autostage"].origin == "file1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[core]\n  bogus = 1\n", r"file0:2: core\.bogus: unknown option"),
        ("[cor]\n", r"file0:1: cor: unknown section 'cor'"),
        ("[core\nremote = x\n", "file0:1: the section header has no closing"),
        ("[core]\nremote\n", "file0:2: expected 'option = value', found 'remote'"),
        ("remote = x\n", r"file0:1: remote: option 'remote' stands before any"),
    ],
)
def test_errors_name_the_place(text: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        config(text)


def test_near_names_are_offered() -> None:
    with pytest.raises(BadInputError) as caught:
        config("[core]\nautostege = true\n")
    assert caught.value.hint == "did you mean 'autostage'?"


def test_values_of_the_wrong_kind() -> None:
    read = config("[core]\nautostage = perhaps\n[parsing]\nbool = maybe\n")
    with pytest.raises(BadInputError, match=r"file0:2: core\.autostage: expected true or false"):
        read.get_bool("core", "autostage")
    with pytest.raises(BadInputError, match=r"expected one of store_true"):
        read.choice("parsing", "bool", ("store_true", "boolean_optional"), "store_true")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    try:
        parse_config(text, origin="f")
    except BadInputError as error:
        assert error.line is not None
