"""Comparing data: what is added, moved, changed and gone, and that the parts add up."""

from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.paths import RepoPath
from offbranch.experiments.data_diff import DataChange, DataDiff, compare_data
from offbranch.experiments.data_index import NOTHING, DataIndex, Files
from offbranch.storage.listing import listing_bytes, listing_id, make_listing
from offbranch.storage.objects import ObjectId
from offbranch.views.data_text import changes_to_json, diff_to_json, render_data_diff, render_data_diff_markdown

Content = str | dict[str, str]


def object_id(text: str) -> ObjectId:
    return ObjectId(f"{ord(text):032x}")


def index(outs: dict[str, Content], *, unlisted: tuple[str, ...] = ()) -> DataIndex:
    """An index of files (a letter stands for content) and directories (name -> letter)."""
    ids: dict[RepoPath, ObjectId] = {}
    files: dict[str, Files] = {}
    for path, content in outs.items():
        if isinstance(content, str):
            ids[RepoPath(path)] = object_id(content)
        else:
            listing = make_listing([(name, object_id(letter)) for name, letter in content.items()])
            ids[RepoPath(path)] = listing_id(listing_bytes(listing))
            files[path] = listing.entries
    return DataIndex(outs=ids, files_of=lambda path: None if path in unlisted else files[path])


LETTERS = st.sampled_from("abc")
DIRECTORY = st.dictionaries(st.sampled_from(["1", "2", "s/3"]), LETTERS)
OUTS = st.dictionaries(st.sampled_from(["f", "g", "d", "e"]), st.one_of(LETTERS, DIRECTORY))


def flat(data: DataIndex) -> dict[str, ObjectId]:
    """Every path of an index, directories with a slash."""
    found: dict[str, ObjectId] = {}
    for path, id in data.outs.items():
        found[f"{path}/" if id.endswith(".dir") else path] = id
        if id.endswith(".dir"):
            found.update((f"{path}/{name}", each) for name, each in (data.files_of(path) or {}).items())
    return found


def applied(before: dict[str, ObjectId], diff: DataDiff) -> dict[str, ObjectId]:
    """What a difference makes of what was."""
    after = dict(before)
    for change in (*diff.deleted, *(DataChange(path=c.old_path or "", old=c.old, new=None) for c in diff.renamed)):
        del after[change.path]
    for change in (*diff.added, *diff.modified, *diff.renamed):
        assert change.new is not None
        after.pop(change.path.rstrip("/"), None)
        after.pop(f"{change.path}/", None)
        after[change.path] = change.new
    return after


@given(OUTS, OUTS)
def test_the_difference_leads_from_one_to_the_other(a: dict[str, Content], b: dict[str, Content]) -> None:
    old, new = index(a), index(b)
    diff = compare_data(old, new, granular=True)
    assert applied(flat(old), diff) == flat(new)
    assert {change.path for change in diff.unchanged} == {p for p, id in flat(old).items() if flat(new).get(p) == id}
    assert diff.is_empty == (flat(old) == flat(new)) and diff.unknown == ()


@given(OUTS, OUTS)
def test_the_way_back_is_the_mirror_image(a: dict[str, Content], b: dict[str, Content]) -> None:
    there, back = (compare_data(*pair, granular=True) for pair in ((index(a), index(b)), (index(b), index(a))))
    n_there = (len(there.added), len(there.deleted), len(there.renamed), len(there.modified))
    assert n_there == (len(back.deleted), len(back.added), len(back.renamed), len(back.modified))


@given(OUTS, OUTS)
def test_targets_are_a_part_of_the_whole(a: dict[str, Content], b: dict[str, Content]) -> None:
    whole = compare_data(index(a), index(b), granular=True)
    part = compare_data(index(a), index(b), granular=True, targets=(RepoPath("d"), RepoPath("f")))
    wanted = {change.path for change in whole.modified if change.path.rstrip("/").split("/")[0] in ("d", "f")}
    assert {change.path for change in part.modified} == wanted
    assert compare_data(index(a), index(b), granular=True, targets=(RepoPath("nothing"),)).is_empty


def test_files_that_cannot_be_compared_are_told() -> None:
    old, new = index({"d": {"1": "a"}}, unlisted=("d",)), index({"d": {"1": "b", "2": "c"}})
    diff = compare_data(old, new, granular=True)
    assert [change.path for change in diff.unknown] == ["d/1", "d/2"]
    assert changes_to_json(diff) == {"modified": ["d/"], "unknown": ["d/1", "d/2"]}
    assert compare_data(old, new, granular=False).unknown == ()
    gone = compare_data(old, NOTHING, granular=True)
    assert changes_to_json(gone) == {"deleted": ["d/"]}


def test_each_of_several_equal_files_is_moved_once() -> None:
    diff = compare_data(index({"a": "x", "b": "x"}), index({"c": "x", "d": "x", "e": "x"}), granular=True)
    assert [(change.old_path, change.path) for change in diff.renamed] == [("a", "c"), ("b", "d")]
    assert [change.path for change in diff.added] == ["e"]


def test_nothing_is_an_empty_object_and_an_empty_text() -> None:
    assert diff_to_json(DataDiff(), (), show_hash=True) == {}
    assert render_data_diff(DataDiff(), (), show_hash=True) == ""
    assert render_data_diff_markdown(DataDiff(), None, show_hash=False).startswith("| Status")
