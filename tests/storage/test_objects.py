import pytest

from offbranch.storage.objects import is_directory, parse_object_id

MD5 = "8ee0c226e53f734074eb6e320beae806"


def test_ids_of_files_and_directories() -> None:
    assert not is_directory(parse_object_id(MD5))
    assert is_directory(parse_object_id(MD5 + ".dir"))


@pytest.mark.parametrize(
    "text",
    ["", ".dir", MD5[:-1], MD5 + "0", MD5.upper(), "../" + MD5[3:], MD5 + ".dir.dir", MD5 + ".DIR", " " + MD5[1:]],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an object id"):
        parse_object_id(text)
