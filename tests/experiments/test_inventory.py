"""All files of a project, Git's and data, of the workspace and of any revision, here and elsewhere."""

import os
from pathlib import Path

import pytest

from git_repos import run as git
from offbranch.api.data import add
from offbranch.base.errors import GitError, MissingDataError, NotFoundError
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.experiments.inventory import Inventory, InventoryEntry
from offbranch.experiments.open_inventory import open_inventory
from offbranch.pipeline.recorded import RecordedOutput
from projects import TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p", {"src/a.py": "a\n", "run.sh": "#!/bin/sh\n", ".dvcignore": "*.tmp\n"})
    for path, text in {"data/1": "1\n", "data/s/2": "22\n", "data/s/t/3": "333\n", "deep/er/one": "one\n"}.items():
        made.write(path, text)
    add(["data", "deep/er/one"], made.session())
    (made.root / "run.sh").chmod(0o755)
    made.commit("data")
    return made


def opened(project: TestProject, url: str = ".", rev: str | None = None) -> Inventory:
    session = project.session()
    inventory, _ = open_inventory(url, rev=rev, base=session.start, environment=session.environment)
    return inventory


def files(inventory: Inventory, path: str = "") -> dict[str, tuple[bool, bool, int | None]]:
    """Path -> (is data, is executable, size)."""
    walked = inventory.walk(RepoPath(path))
    return {entry.path: (entry.is_out, entry.is_exec, entry.size) for entry in walked if not entry.is_dir}


@pytest.mark.parametrize("rev", [None, "HEAD", "main"])
def test_git_and_data_together(rev: str | None, project: TestProject) -> None:
    inventory = opened(project, rev=rev)
    found = files(inventory)
    assert {path for path, (is_out, _, _) in found.items() if is_out} == {
        "data/1",
        "data/s/2",
        "data/s/t/3",
        "deep/er/one",
    }
    assert found["data/s/t/3"] == (True, False, 4) and found["run.sh"] == (False, True, 10)
    assert not any(path.startswith((".dvc/", ".git/")) for path in found)
    assert [entry.path for entry in inventory.children(RepoPath("data"))] == ["data/1", "data/s"]
    entry = inventory.find(RepoPath("data"))
    assert entry is not None and entry.is_out and entry.is_dir and entry.id is not None and entry.size == 9
    inner = inventory.find(RepoPath("data/s"))
    assert inner is not None and inner.is_out and inner.is_dir and inner.id is None
    assert inventory.find(RepoPath("data/none")) is None and inventory.find(RepoPath("nowhere/x")) is None
    assert [entry.path for entry in inventory.walk(depth=1)] == sorted(
        entry.path for entry in inventory.children(RepoPath(""))
    )
    assert {entry.path for entry in inventory.data_only().walk() if not entry.is_dir} == {
        path for path, (is_out, _, _) in found.items() if is_out
    }


def test_data_need_not_be_on_disk_and_ignored_files_are_not_listed(project: TestProject) -> None:
    before = files(opened(project))
    os.unlink(project.root / "data/s/2")
    os.unlink(project.root / "deep/er/one")
    project.write("src/x.tmp", "ignored\n")
    project.write("data/own", "not recorded\n")
    project.write("sub/.dvc/config", "")
    project.write("sub/file", "of another project\n")
    now = files(opened(project))
    assert now.pop("data/own") == (False, False, 13)
    assert now == before


def test_what_is_recorded_goes_before_what_stands_there(project: TestProject) -> None:
    os.unlink(project.root / "data/1")
    project.write("data/1/x", "a directory where a file is recorded\n")
    entry = opened(project).find(RepoPath("data/1"))
    assert entry is not None and entry.is_out and entry.id is not None


def test_a_link_in_a_circle_is_a_leaf(project: TestProject) -> None:
    (project.root / "src/loop").symlink_to("..", target_is_directory=True)
    (project.root / "src/nothing").symlink_to("nowhere")
    found = opened(project).children(RepoPath("src"))
    assert [(entry.path, entry.is_dir) for entry in found] == [
        ("src/a.py", False),
        ("src/loop", False),
        ("src/nothing", False),
    ]


def test_a_missing_directory_object_is_told_where_it_matters(project: TestProject) -> None:
    entry = opened(project).find(RepoPath("data"))
    assert entry is not None and entry.id is not None
    os.unlink(project.root / ".dvc/cache/files/md5" / entry.id[:2] / entry.id[2:])
    inventory = opened(project, rev="HEAD")
    with pytest.raises(MissingDataError, match="what 'data' holds is not known"):
        inventory.children(RepoPath("data"))
    with pytest.raises(MissingDataError):
        list(inventory.walk())
    told: list[RecordedOutput] = []
    walked = {entry.path for entry in inventory.walk(on_missing=lambda out, _: told.append(out))}
    assert [out.path for out in told] == ["data"] and {"data", "deep/er/one", "run.sh"} <= walked
    assert inventory.find(RepoPath("data")) == InventoryEntry(RepoPath("data"), True, True, False, 9, entry.id)


def test_other_repositories(project: TestProject, tmp_path: Path) -> None:
    git(project.root, "clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    plain = tmp_path / "plain"
    plain.mkdir()
    git(plain, "init", "-q")
    (plain / "x").write_text("x\n")
    environment = project.session().environment
    base = AbsPath(str(tmp_path))
    bare, top = open_inventory("bare.git", rev=None, base=base, environment=environment)
    assert top is None and "src/a.py" in {entry.path for entry in bare.walk(on_missing=lambda *_: None)}
    untracked, top = open_inventory("plain", rev=None, base=base, environment=environment)
    assert top == str(plain) and set(files(untracked)) == {"x"}
    for url, rev, kind in (
        ("nowhere", None, NotFoundError),
        ("plain", "HEAD", GitError),
        ("p", "nosuch", NotFoundError),
        (str(tmp_path), "HEAD", GitError),
    ):
        with pytest.raises(kind):
            open_inventory(url, rev=rev, base=base, environment=environment)
    with pytest.raises(NotFoundError) as caught:
        open_inventory("p", rev="mian", base=base, environment=environment)
    assert caught.value.hint == "did you mean 'main'?"
