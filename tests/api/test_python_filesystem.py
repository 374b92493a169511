"""`DVCFileSystem`: the files of a project for what reads by way of fsspec."""

import pickle
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import offbranch.api
from offbranch.base.errors import NoProjectError, NotFoundError, OffbranchError, UsageError
from projects import TestProject, make_project

pytest.importorskip("fsspec", reason="needs fsspec")

FILES = {
    "src/code.py": "code\n",
    "src/run.sh": "run\n",
    "dvc.yaml": "stages:\n  copy:\n    cmd: cp model.bin out.txt\n    deps: [model.bin]\n    outs: [out.txt]\n",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TestProject:
    """A project with data of both kinds, at a data remote, and one more file since the tag `v1`."""
    project = make_project(tmp_path_factory.mktemp("fs") / "p", FILES)
    for path, text in {"data/a.csv": "x\n1\n", "data/sub/b.csv": "22\n", "model.bin": "hello\n"}.items():
        project.write(path, text)
    assert project.ob("add", "data", "model.bin").code == 0
    assert project.ob("repro").code == 0
    assert project.ob("remote", "add", "-d", "store", str(project.root.parent / "store")).code == 0
    project.commit("data")
    project.git("tag", "v1")
    assert project.ob("push").code == 0
    project.write("later.txt", "later\n")
    return project


@pytest.fixture
def project(made: TestProject, monkeypatch: pytest.MonkeyPatch) -> TestProject:
    monkeypatch.chdir(made.root)
    return made


def system(*args: Any, **kwargs: Any) -> Any:
    return offbranch.api.DVCFileSystem(*args, **kwargs)


@pytest.fixture(params=["workspace", "revision"])
def files(project: TestProject, request: pytest.FixtureRequest) -> Iterator[Any]:
    yield system() if request.param == "workspace" else system(".", rev="v1")


def test_files_of_git_and_data_are_listed_together_whatever_is_on_disk(files: Any) -> None:
    assert files.ls("data", detail=False) == ["data/a.csv", "data/sub"]
    assert files.ls("/data/", detail=False) == ["/data/a.csv", "/data/sub"]
    assert files.ls("model.bin", detail=False) == ["model.bin"]
    assert files.find("/data") == ["/data/a.csv", "/data/sub/b.csv"]
    assert [(top, dirs, names) for top, dirs, names in files.walk("data")] == [
        ("data", ["sub"], ["a.csv"]),
        ("data/sub", [], ["b.csv"]),
    ]
    assert files.glob("**/*.csv") == ["/data/a.csv", "/data/sub/b.csv"]
    assert files.du("data") == 7


def test_files_that_tell_of_data_are_listed_when_they_are_asked_for(files: Any) -> None:
    assert {"/dvc.yaml", "/data.dvc", "/.dvcignore"}.isdisjoint(files.find("/"))
    assert {"/dvc.yaml", "/data.dvc"} <= set(files.find("/", dvcfiles=True))
    assert files.read_text("data.dvc").startswith("outs:")


def test_data_alone_is_listed(files: Any) -> None:
    assert files.find("/", dvc_only=True) == ["/data/a.csv", "/data/sub/b.csv", "/model.bin", "/out.txt"]
    assert files.ls("/", detail=False, dvc_only=True) == ["/data", "/model.bin", "/out.txt"]
    with pytest.raises(FileNotFoundError):
        files.ls("src", dvc_only=True)


def test_what_a_path_is(files: Any) -> None:
    about = files.info("/model.bin")
    assert (about["name"], about["type"], about["size"], about["isexec"]) == ("/model.bin", "file", 6, False)
    assert about["md5"] == about["dvc_info"]["md5"] == "b1946ac92492d2347c6235b4d2611184"
    assert "dvc_info" not in files.info("src") and files.info("src")["type"] == "directory"
    assert files.isfile("data/a.csv") and files.isdir("data/sub") and files.isdir("/")
    assert files.isdvc("data/sub") and not files.isdvc("src/code.py") and not files.isdvc("nothing")
    assert files.exists("src/code.py") and not files.exists("src/other.py")


def test_files_are_read(files: Any, tmp_path: Path) -> None:
    assert files.read_text("data/sub/b.csv") == "22\n" and files.cat("src/code.py") == b"code\n"
    assert files.cat_file("model.bin", 1, 3) == b"el"
    with files.open("dvc://model.bin", "r") as file:
        assert file.read() == "hello\n"
    files.get("data", str(tmp_path / "got"), recursive=True)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.csv")} == {"got/a.csv", "got/sub/b.csv"}
    files.get_file("/model.bin", str(tmp_path / "one"))
    assert (tmp_path / "one").read_text() == "hello\n"


def test_what_cannot_be_opened_is_said_as_of_a_file_system(files: Any) -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        files.open("nothing")
    with pytest.raises(FileNotFoundError):
        files.info("data/nothing")
    with pytest.raises(IsADirectoryError):
        files.open("data")
    with pytest.raises(OSError, match="Read-only"):
        files.open("model.bin", "wb")


def test_revisions_are_told_apart(project: TestProject) -> None:
    assert system().exists("later.txt") and not system(rev="v1").exists("later.txt")
    assert system(project.root, "v1").find("/") == system(repo=f"file://{project.root}", rev="v1").find("/")
    with pytest.raises(NotFoundError):
        system(rev="v9")
    with pytest.raises(NotFoundError):
        system(project.root / "nowhere")
    with pytest.raises(UsageError):
        system(subrepos=True)


def test_data_of_a_clone_comes_from_the_data_remote(made: TestProject, tmp_path: Path) -> None:
    made.git("clone", "-q", str(made.root), str(tmp_path / "clone"))
    for place in ({"url": tmp_path / "clone"}, {"url": f"file://{made.root}"}):
        files = system(**place, config={"remote": {"store": {"url": str(made.root.parent / "store")}}})
        assert files.find("data") == ["data/a.csv", "data/sub/b.csv"]
        assert files.read_text("data/sub/b.csv") == "22\n"
    assert not (tmp_path / "clone/.dvc/cache").exists()
    shutil.copytree(tmp_path / "clone", tmp_path / "lost")
    lost = system(tmp_path / "lost", config={"remote": {"store": {"url": str(tmp_path / "empty")}}})
    with pytest.raises(OffbranchError, match="data"):
        lost.ls("data")


def test_it_goes_to_other_processes_and_threads(project: TestProject) -> None:
    files = system(project.root, rev="v1")
    assert pickle.loads(pickle.dumps(files)).ls("data", detail=False) == ["data/a.csv", "data/sub"]
    with ThreadPoolExecutor(4) as threads:
        read = set(threads.map(lambda _: files.read_text("data/a.csv") + files.read_text("src/code.py"), range(12)))
    assert read == {"x\n1\ncode\n"}


def test_outside_of_a_project_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoProjectError):
        system()


def test_without_fsspec_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(offbranch.api.PUBLIC, "DVCFileSystem", "no_fsspec_here.spec:Nothing")  # type: ignore[arg-type]
    with pytest.raises(OffbranchError, match="no_fsspec_here") as raised:
        _ = offbranch.api.DVCFileSystem
    assert raised.value.hint == "pip install 'offbranch[fsspec]'"
