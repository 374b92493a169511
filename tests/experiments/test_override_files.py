"""Which file an override means, from wherever the user is."""

from pathlib import Path

import pytest

from offbranch.base.errors import UsageError
from offbranch.base.files import DirectoryReader
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.experiments.override_files import placed_overrides


@pytest.fixture
def root(tmp_path: Path) -> AbsPath:
    for path in ("params.yaml", "conf.json", "sub/conf.json", "sub/in/params.yaml", "sub/in/k.toml", "a=b/params.yaml"):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    return AbsPath(str(tmp_path))


def placed(root: AbsPath, text: str, cwd: str, *, is_composed: bool = False) -> str:
    reader = DirectoryReader(root)
    (found,) = placed_overrides([text], RepoPath(cwd), reader=reader, root=root, is_composed=is_composed)
    return found.text


@pytest.mark.parametrize(
    ("cwd", "text", "expected"),
    [
        ("", "lr=1", "lr=1"),
        ("", "conf.json:lr=1", "conf.json:lr=1"),
        ("", "./conf.json:lr=1", "conf.json:lr=1"),
        ("", "new.json:+lr=1", "new.json:+lr=1"),
        ("", "params.yaml:lr=1", "params.yaml:lr=1"),
        ("", "./+odd.json:lr=1", "./+odd.json:lr=1"),
        ("sub", "../+odd.json:lr=1", "./+odd.json:lr=1"),
        ("sub", "lr=1", "lr=1"),
        ("sub", "conf.json:lr=a:b", "sub/conf.json:lr=a:b"),
        ("sub", "../conf.json:lr=1,2", "conf.json:lr=1,2"),
        ("sub", "../params.yaml:~lr", "~lr"),
        ("sub", "sub/conf.json:lr=1", "sub/conf.json:lr=1"),
        ("sub", "sub/new.json:+lr=1", "sub/new.json:+lr=1"),
        ("sub", "new.json:+lr=1", "sub/new.json:+lr=1"),
        ("sub/in", "lr=1", "sub/in/params.yaml:lr=1"),
        ("sub/in", "~lr", "sub/in/params.yaml:~lr"),
        ("sub/in", "k.toml:++lr=choice(1,2)", "sub/in/k.toml:++lr=choice(1,2)"),
        ("sub/in", "../../../out.json:lr=1", "../../../out.json:lr=1"),
        ("sub/in", "/etc/passwd:lr=1", "/etc/passwd:lr=1"),
    ],
)
def test_a_file_is_looked_for_here_then_at_the_top(root: AbsPath, cwd: str, text: str, expected: str) -> None:
    assert placed(root, text, cwd) == expected


def test_an_absolute_path(root: AbsPath) -> None:
    assert placed(root, f"{root}/sub/conf.json:lr=1", "sub/in") == "sub/conf.json:lr=1"


def test_what_hydra_composes_is_at_the_top(root: AbsPath) -> None:
    assert placed(root, "lr=1", "sub/in", is_composed=True) == "lr=1"
    assert placed(root, "k.toml:lr=1", "sub/in", is_composed=True) == "sub/in/k.toml:lr=1"


def test_a_path_that_no_override_can_name(root: AbsPath) -> None:
    with pytest.raises(UsageError, match=r"'a=b/params\.yaml': its path has '=' in it"):
        placed(root, "lr=1", "a=b")
