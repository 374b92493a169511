"""Editing config files: what was meant is read back, and every other line stays to the byte."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from offbranch.base.config import parse_config
from offbranch.base.config_edit import quoted, remove_section, rename_section, set_option, unset_option
from offbranch.base.errors import BadInputError, UsageError

TEXT = """\
# top comment
[core]
  # about the remote
  remote = myrem   # inline
  autostage = "true"

# before the remote
['remote "myrem"']   # header comment
\turl = ../x  # c
    Jobs = '4'
    # indented, of the remote
# tail, of nobody
[cache]
type = "reflink,copy"
"""
REMOTE = 'remote "myrem"'


def values(text: str) -> dict[tuple[str, str], str]:
    return {key: setting.value for key, setting in parse_config(text, origin="f").items()}


def changed_lines(old: str, new: str) -> tuple[list[str], list[str]]:
    """The lines that are only in one of two texts, in order."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    while before and after and before[0] == after[0]:
        before.pop(0)
        after.pop(0)
    while before and after and before[-1] == after[-1]:
        before.pop()
        after.pop()
    return before, after


@pytest.mark.parametrize(
    ("section", "option", "value", "before", "after"),
    [
        (REMOTE, "jobs", "8", ["    Jobs = '4'\n"], ["    Jobs = 8\n"]),
        ("core", "remote", "a, b", ["  remote = myrem   # inline\n"], ['  remote = "a, b"   # inline\n']),
        ("core", "check_update", "false", [], ["  check_update = false\n"]),
        ("cache", "dir", "/c", [], ["dir = /c\n"]),
        (REMOTE, "region", "x", [], ["    region = x\n"]),
        ("exp", "git_remote", "origin", [], ["[exp]\n", "    git_remote = origin\n"]),
        ('remote "z"', "url", "../zz", [], ["['remote \"z\"']\n", "    url = ../zz\n"]),
    ],
)
def test_setting_an_option(section: str, option: str, value: str, before: list[str], after: list[str]) -> None:
    new = set_option(TEXT, section, option, value)
    assert changed_lines(TEXT, new) == (before, after)
    assert values(new) == {**values(TEXT), (section, option): value}


def test_a_section_without_name_comes_before_the_remotes_and_their_comment() -> None:
    new = set_option(TEXT, "exp", "git_remote", "origin")
    assert new.index("[exp]") < new.index("# before the remote") < new.index("['remote")


def test_removing_an_option() -> None:
    assert changed_lines(TEXT, unset_option(TEXT, REMOTE, "jobs")) == (["    Jobs = '4'\n"], [])
    assert unset_option(TEXT, REMOTE, "nosuch") == TEXT
    without = unset_option(TEXT, "cache", "type")
    assert changed_lines(TEXT, without) == (["[cache]\n", 'type = "reflink,copy"\n'], [])
    commented = unset_option(unset_option(TEXT, "core", "remote"), "core", "autostage")
    assert "[core]\n  # about the remote\n" in commented


def test_removing_and_renaming_a_section() -> None:
    removed, _ = changed_lines(TEXT, remove_section(TEXT, REMOTE))
    assert [line.strip().partition(" ")[0] for line in removed] == ["['remote", "url", "Jobs", "#"]
    assert "# tail, of nobody\n[cache]" in remove_section(TEXT, REMOTE)
    renamed = rename_section(TEXT, REMOTE, 'remote "new"')
    assert changed_lines(TEXT, renamed) == (
        ["['remote \"myrem\"']   # header comment\n"],
        ["['remote \"new\"']   # header comment\n"],
    )


def test_a_new_file_is_as_dvc_writes_it() -> None:
    text = set_option("", 'remote "r"', "url", "../../store")
    text = set_option(text, "core", "remote", "r")
    assert text == "[core]\n    remote = r\n['remote \"r\"']\n    url = ../../store\n"
    assert unset_option(unset_option(text, "core", "remote"), 'remote "r"', "url") == ""


def test_line_ends_of_windows_and_a_missing_one_at_the_end() -> None:
    assert set_option("[core]\r\nremote = a\r\n", "core", "autostage", "true").endswith("\r\nautostage = true\r\n")
    assert set_option("[core]\nremote = a", "core", "autostage", "true") == "[core]\nremote = a\nautostage = true\n"
    assert set_option("[core]\nremote =", "core", "remote", "b") == "[core]\nremote = b"
    assert set_option("[core]\nremote=a#c\n", "core", "remote", "b") == "[core]\nremote= b #c\n"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("", '""'),
        ("a,b", '"a,b"'),
        ("x#y", '"x#y"'),
        (" a ", '" a "'),
        ('a"b', 'a"b'),
        ("it's", "it's"),
        ('"a"', "'\"a\"'"),
        ('it\'s "q"', "'''it's \"q\"'''"),
        ("x y", "x y"),
        ("x=y", "x=y"),
    ],
)
def test_quotes_are_those_of_dvc(value: str, written: str) -> None:
    assert quoted(value) == written
    assert values(f"[core]\nremote = {written}\n") == {("core", "remote"): value}


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\x00b", "a\u2028", "\ud800", "'''\"\"\""])
def test_what_cannot_be_written_is_refused(value: str) -> None:
    with pytest.raises(UsageError):
        quoted(value)


# Any file


names = st.sampled_from(["core", "cache", "exp", 'remote "a"', 'remote "b c"', 'db "x"'])
options = {
    "core": ["remote", "autostage"],
    "cache": ["dir", "type"],
    "exp": ["git_remote"],
}
word = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp"), blacklist_characters="\x1c\x1d\x1e\x85"), max_size=12
)


@st.composite
def entries(draw: st.DrawFn) -> tuple[str, str]:
    section = draw(names)
    return section, draw(st.sampled_from(options.get(section, ["url", "jobs", "region"])))


def written(value: str) -> str:
    try:
        return quoted(value)
    except UsageError:
        assume(False)
        raise


@st.composite
def files(draw: st.DrawFn) -> str:
    """Config files as people write them: comments everywhere, any indentation, several kinds of quotes."""
    end = draw(st.sampled_from(["\n", "\r\n"]))
    comment = st.sampled_from(["", "  # note", "\t#x = y", " # [core]"])
    blank = st.sampled_from(["", "# a comment", "    # indented", "   "])
    rows: list[str] = draw(st.lists(blank, max_size=2))
    for section in draw(st.lists(names, unique=True, max_size=4)):
        header = f"'{section}'" if " " in section else section
        rows.append(f"[{draw(st.sampled_from(['', ' ']))}{header}]{draw(comment)}")
        for option in draw(st.lists(st.sampled_from(options.get(section, ["url", "jobs"])), unique=True, max_size=2)):
            rows += draw(st.lists(blank, max_size=1))
            indent, equals = draw(st.sampled_from(["", "    ", "\t"])), draw(st.sampled_from(["=", " = ", "= "]))
            rows.append(f"{indent}{option}{equals}{written(draw(word))}{draw(comment)}")
        rows += draw(st.lists(blank, max_size=2))
    text = end.join(rows)
    return text + end if draw(st.booleans()) or not rows else text


@given(files(), entries(), word)
def test_set_then_read(text: str, entry: tuple[str, str], value: str) -> None:
    written(value)
    before, (section, option) = values(text), entry
    new = set_option(text, section, option, value)
    assert values(new) == {**before, entry: value}
    gone, added = changed_lines(text, new)
    # One line changed, or one (with a header: two) added; a line end may have been missing at the end of the file.
    assert len(gone) <= 1 and len(added) - len(gone) <= 2
    assert set_option(new, section, option, value) == new


@given(files(), entries())
def test_unset_then_read(text: str, entry: tuple[str, str]) -> None:
    before = values(text)
    new = unset_option(text, *entry)
    assert values(new) == {key: value for key, value in before.items() if key != entry}
    assert [line for line in new.splitlines() if line.strip().startswith("#")] == [
        line for line in text.splitlines() if line.strip().startswith("#")
    ]
    assert new == text or entry in before


@given(files(), word)
def test_unset_takes_back_what_set_added(text: str, value: str) -> None:
    written(value)
    text = text.rstrip("\r\n") + "\n"
    for section in {section for section, _ in values(text) if section == "core" or section.startswith("remote ")}:
        assert unset_option(set_option(text, section, "checksum_jobs", value), section, "checksum_jobs") == text


@given(files(), names)
def test_remove_section_then_read(text: str, section: str) -> None:
    new = remove_section(text, section)
    assert values(new) == {key: value for key, value in values(text).items() if key[0] != section}
    lines = text.splitlines()
    assert all(line in lines for line in new.splitlines())


@given(files())
def test_rename_section_then_read(text: str) -> None:
    new = rename_section(text, 'remote "a"', 'remote "z"')
    moved = {
        ('remote "z"' if of == 'remote "a"' else of, option): value for (of, option), value in values(text).items()
    }
    assert values(new) == moved
    assert rename_section(new, 'remote "z"', 'remote "a"') == text


@given(st.text(max_size=60), entries())
def test_any_text_is_edited_or_refused(text: str, entry: tuple[str, str]) -> None:
    try:
        new = set_option(text, *entry, "v")
    except BadInputError as error:
        assert error.line is not None
    else:
        assert set_option(new, *entry, "v") == new
