"""`data status`, `diff`, `ls`, `du` and `checkout` as functions: targets, experiments, odd things on disk."""

import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from offbranch.api.data import add
from offbranch.api.exp import RunRequest
from offbranch.api.exp import run as exp_run
from offbranch.api.files import ListRequest, list_files, space_used
from offbranch.api.looking import DataStatusOptions, data_status, diff, not_in_remote
from offbranch.api.outputs import checkout, commit
from offbranch.api.pipeline import ReproRequest, repro
from offbranch.api.session import opened
from offbranch.api.stages import status
from offbranch.api.transfer import fetch, pull, push
from offbranch.base.errors import (
    BadInputError,
    ConflictError,
    CorruptObjectError,
    MissingDataError,
    NoProjectError,
    NotFoundError,
    OffbranchError,
    UsageError,
)
from offbranch.experiments.data_remotes import DataScope
from offbranch.experiments.loading import load
from offbranch.experiments.move_data import TransferOptions
from offbranch.experiments.placed import FILE
from offbranch.storage import verify
from offbranch.storage.objects import ObjectId
from offbranch.storage.scan import stamp_of
from offbranch.views.data_text import changes_to_json
from projects import TestProject, make_project

FILES = {"data/1": "1\n", "data/s/2": "2\n", "data/s/3": "3\n", "one.bin": "one\n"}


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p")
    for path, text in FILES.items():
        made.write(path, text)
    add(["data", "one.bin"], made.session())
    repro(ReproRequest(), made.session())
    made.commit("data")
    return made


def uncommitted(project: TestProject, *targets: str, cwd: str = "", granular: bool = True) -> object:
    found = data_status(targets, DataStatusOptions(granular=granular), project.session(cwd=cwd))
    return changes_to_json(found.uncommitted)


def object_path(project: TestProject, id: str) -> Path:
    return project.root / ".dvc/cache/files/md5" / id[:2] / id[2:]


def recorded_id(project: TestProject, file: str) -> str:
    return project.read(file).split("md5: ")[1].split()[0]


# Data status and diff


def test_targets_of_data_status(project: TestProject) -> None:
    project.write("data/1", "changed\n")
    project.write("data/s/2", "changed\n")
    project.write("model.txt", "changed\n")
    assert uncommitted(project) == {"modified": ["data/", "data/1", "data/s/2", "model.txt"]}
    assert uncommitted(project, granular=False) == {"modified": ["data/", "model.txt"]}
    for target, expected in {
        "data": ["data/", "data/1", "data/s/2"],
        "data.dvc": ["data/", "data/1", "data/s/2"],
        "data/s": ["data/s/2"],
        "train": ["model.txt"],
        "one.bin": [],
    }.items():
        assert uncommitted(project, target) == ({"modified": expected} if expected else {}), target
    assert uncommitted(project, "s", cwd="data") == {"modified": ["data/s/2"]}
    with pytest.raises(NotFoundError, match="'dat'"):
        data_status(["dat"], DataStatusOptions(), project.session())
    os.unlink(project.root / "one.bin.dvc")
    gone = data_status(["one.bin"], DataStatusOptions(), project.session())
    assert changes_to_json(gone.committed) == {"deleted": ["one.bin"]}


def test_what_a_data_remote_lacks(project: TestProject, tmp_path: Path) -> None:
    asked: list[ObjectId] = []

    def find_missing(ids: frozenset[ObjectId], remote: str | None, is_legacy: bool) -> frozenset[ObjectId]:
        assert (remote, is_legacy) == (None, False)
        asked.extend(ids)
        return frozenset(id for id in ids if id == recorded_id(project, "one.bin.dvc"))

    with opened(project.session()) as handles:
        pipelines = load(handles)
        found = not_in_remote(handles, pipelines, find_missing, granular=True)
        assert list(found) == ["one.bin"]
        assert len(asked) == len(set(asked)) == 6
        assert not_in_remote(handles, pipelines, None, granular=True) == {}
    options = DataStatusOptions(not_in_remote=True)
    with pytest.raises(UsageError, match="no data remote is named"):
        data_status((), options, project.session())
    store = tmp_path / "store"
    project.write(".dvc/config", f"[core]\n    remote = s\n['remote \"s\"']\n    url = {store}\n")
    assert data_status((), options, project.session()).not_in_remote == ("data/", "model.txt", "one.bin")
    push(DataScope(targets=("data",)), project.session(), TransferOptions())
    assert data_status((), options, project.session()).not_in_remote == ("model.txt", "one.bin")
    assert data_status(("data",), options, project.session()).not_in_remote == ()


def test_pull_of_a_part_touches_only_that(project: TestProject, tmp_path: Path) -> None:
    store = tmp_path / "store"
    project.write(".dvc/config", f"[core]\n    remote = s\n['remote \"s\"']\n    url = {store}\n")
    push(DataScope(), project.session(), TransferOptions())
    shutil.rmtree(project.root / ".dvc/cache")
    shutil.rmtree(project.root / "data")
    os.unlink(project.root / "one.bin")
    pull(DataScope(targets=("data/s",)), project.session(), TransferOptions())
    assert sorted(os.listdir(project.root / "data")) == ["s"] and not project.exists("one.bin")
    assert project.read("data/s/2") == "2\n"


def test_an_object_that_was_pulled_is_not_hashed_again(
    project: TestProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("big.bin", b"b" * ((1 << 20) + 1))
    add(["big.bin"], project.session())
    store = tmp_path / "store"
    project.write(".dvc/config", f"[core]\n    remote = s\n['remote \"s\"']\n    url = {store}\n")
    push(DataScope(), project.session(), TransferOptions())
    shutil.rmtree(project.root / ".dvc/cache")
    os.unlink(project.root / "big.bin")
    fetch(DataScope(), project.session(), TransferOptions())
    with opened(project.session()) as handles:
        id = ObjectId(recorded_id(project, "big.bin.dvc"))
        path = handles.cache.path_of(id)
        known = handles.state.file(path, stamp_of(os.stat(path)))
        # One written within a tick of the clock is not remembered, so as not to miss a change.
        assert known in (id, None)
        if known == id:
            monkeypatch.setattr(verify, "hash_file", lambda file: pytest.fail(f"'{file}' was read"))
        assert verify.is_sound(handles.cache, id, state=handles.state)


def test_an_experiment_is_a_revision(project: TestProject) -> None:
    exp_run(RunRequest(name="wide", overrides=("lr=0.7",), temporary=True), project.session())
    changes = diff("HEAD", "wide", project.session()).changes
    assert [change.path for change in changes.modified] == ["model.txt"]
    assert diff("wide", "workspace", project.session()).not_in_cache is None
    with pytest.raises(NotFoundError, match="'wode'") as caught:
        diff("wode", None, project.session())
    assert caught.value.hint == "did you mean 'wide'?"
    with pytest.raises(NotFoundError, match="not tracked data"):
        diff(None, None, project.session(), targets=["nosuch"])


def test_without_git(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", {"a.bin": "a\n"}, config="[core]\n    no_scm = true\n", committed=False)
    shutil.rmtree(project.root / ".git")
    add(["a.bin"], project.session())
    project.write("a.bin", "b\n")
    found = data_status((), DataStatusOptions(untracked_files=True), project.session())
    assert changes_to_json(found.uncommitted) == {"modified": ["a.bin"]} and changes_to_json(found.committed) == {}
    with pytest.raises(NoProjectError):
        diff(None, None, project.session())
    assert [entry.path for entry in list_files(ListRequest(), project.session()).entries][-1] == "a.bin.dvc"


def test_a_malformed_file_is_named(project: TestProject) -> None:
    project.write("broken.dvc", "outs: 3\n")
    for look in (
        lambda: data_status((), DataStatusOptions(), project.session()),
        lambda: diff(None, None, project.session()),
        lambda: list_files(ListRequest(), project.session()),
    ):
        with pytest.raises(BadInputError, match=r"broken\.dvc"):
            look()


# Lists


def test_ls_from_a_directory_below(project: TestProject) -> None:
    here = list_files(ListRequest(), project.session(cwd="data"))
    assert [entry.path for entry in here.entries] == ["data/1", "data/s"]
    assert [e.path for e in list_files(ListRequest(path="s"), project.session(cwd="data")).entries] == [
        "data/s/2",
        "data/s/3",
    ]
    top = list_files(ListRequest(url="."), project.session(cwd="data"))
    assert "one.bin" in [entry.path for entry in top.entries]
    with pytest.raises(NotFoundError, match=r"'\.\./\.\.' is outside"):
        list_files(ListRequest(path="../.."), project.session(cwd="data"))
    with pytest.raises(NotFoundError, match="there is no 'dta'") as caught:
        list_files(ListRequest(path="dta"), project.session())
    assert caught.value.hint == "did you mean 'data'?"


def test_du_counts_what_is_not_on_disk_and_says_what_it_does_not_know(project: TestProject) -> None:
    sizes = dict(space_used(ListRequest(path="data"), project.session()).entries)
    assert sizes == {"data/1": 2, "data/s": 4}
    shutil.rmtree(project.root / "data")
    assert dict(space_used(ListRequest(), project.session()).entries)["data"] == 6
    os.unlink(object_path(project, "26ab0db90d72e28ad0ba1e22ee510510"))
    used = space_used(ListRequest(path="data"), project.session())
    assert (used.total, used.n_unknown) == (4, 1)
    assert dict(space_used(ListRequest(), project.session()).entries)["data"] == 6  # as it is recorded


# Checkout


def test_only_the_named_part_is_touched(project: TestProject) -> None:
    shutil.rmtree(project.root / "data/s")
    project.write("data/1", "mine\n")
    done = checkout(["data/s/2"], project.session())
    assert (done.modified, done.n_added) == (("data/",), 1)
    assert not project.exists("data/s/3") and project.read("data/1") == "mine\n"
    project.write("data/s/extra", "e\n")
    with pytest.raises(ConflictError, match="data/s/extra"):
        checkout(["data/s"], project.session())
    checkout(["data/s"], project.session(), force=True)
    assert sorted(os.listdir(project.root / "data/s")) == ["2", "3"] and project.read("data/1") == "mine\n"
    with pytest.raises(NotFoundError, match="'data/s/4' is not recorded in 'data'") as caught:
        checkout(["data/s/4"], project.session())
    assert "did you mean" in str(caught.value.hint)
    assert uncommitted(project) == {"modified": ["data/", "data/1"]}


def test_a_part_that_became_something_else(project: TestProject) -> None:
    shutil.rmtree(project.root / "data/s")
    project.write("data/s", "a file now\n")
    with pytest.raises(ConflictError):
        checkout(["data/s"], project.session())
    checkout(["data/s"], project.session(), force=True)
    assert project.read("data/s/3") == "3\n"
    os.unlink(project.root / "data/1")
    project.write("data/1/in", "a directory now\n")
    checkout(["data/1"], project.session(), force=True)
    assert project.read("data/1") == "1\n"


def test_nothing_is_written_through_a_link(project: TestProject, tmp_path: Path) -> None:
    shutil.rmtree(project.root / "data")
    (tmp_path / "elsewhere").mkdir()
    (project.root / "data").symlink_to(tmp_path / "elsewhere")
    for target in ("data/s", "data/1", "data"):
        with pytest.raises(ConflictError, match="symbolic link"):
            checkout([target], project.session(), force=True)
    assert os.listdir(tmp_path / "elsewhere") == []


def test_pipes_sockets_and_broken_links_get_a_clear_answer(project: TestProject) -> None:
    where = project.root / "data/odd"
    os.mkfifo(where)
    for look in (
        lambda: checkout([], project.session()),
        lambda: data_status((), DataStatusOptions(), project.session()),
        lambda: status((), project.session()),
        lambda: commit(["data/odd"], project.session()),
    ):
        with pytest.raises(OffbranchError, match="data/odd': it is a pipe"):
            look()
    os.unlink(where)
    directory = os.getcwd()
    os.chdir(project.root / "data")  # the path of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("odd")
    finally:
        os.chdir(directory)
    with pytest.raises(OffbranchError, match="data/odd': it is a socket"):
        checkout([], project.session())
    os.unlink(where)
    where.symlink_to("nowhere")
    with pytest.raises(OffbranchError, match="data/odd': it is a link to nothing"):
        checkout([], project.session())
    project.write(".dvcignore", "/data/odd\n")
    assert checkout([], project.session()).error is None and where.is_symlink()


def test_a_directory_that_cannot_be_written_to(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    os.unlink(project.root / "data/1")
    real = os.open

    def refuse(path: str, flags: int, *args: object, **kwargs: object) -> int:
        if flags & os.O_CREAT and f"{project.root}/data/" in str(path):
            raise PermissionError(13, "Permission denied", path)
        return real(path, flags, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OffbranchError, match="permission denied") as caught:
        checkout(["data"], project.session())
    assert caught.value.hint == "check the permissions of the directory"


def test_a_corrupt_object_stops_nothing_else_and_is_never_used(project: TestProject) -> None:
    two = object_path(project, "26ab0db90d72e28ad0ba1e22ee510510")
    two.chmod(0o644)
    two.write_text("X\n")
    two.chmod(0o444)
    shutil.rmtree(project.root / "data")
    os.unlink(project.root / "one.bin")
    done = checkout([], project.session(), allow_missing=True)
    assert isinstance(done.error, CorruptObjectError) and done.corrupt == ("data/s/2",)
    assert set(done.added) == {"data/", "one.bin"} and done.n_added == 3
    assert not two.exists() and not project.exists("data/s/2") and project.read("data/s/3") == "3\n"
    again = checkout([], project.session())
    assert isinstance(again.error, MissingDataError) and again.missing == ("data/s/2",)
    project.write("data/s/2", "2\n")
    add(["data"], project.session())
    assert checkout([], project.session()).error is None


def test_an_object_with_a_suspicious_mode_counts_as_corrupt_as_well(project: TestProject) -> None:
    one = object_path(project, recorded_id(project, "one.bin.dvc"))
    listing = object_path(project, recorded_id(project, "data.dvc"))
    for path in (one, listing):
        path.chmod(0o644)
        path.write_text("X\n")
    shutil.rmtree(project.root / "data")
    os.unlink(project.root / "one.bin")
    done = checkout([], project.session())
    assert isinstance(done.error, CorruptObjectError)
    assert set(done.corrupt) == {"data/", "one.bin"} and done.missing == () == done.added


def test_abandoned_outputs_go_if_they_are_as_we_left_them(project: TestProject) -> None:
    project.write("own.txt", "never tracked\n")
    project.write("model.txt", "changed since\n")
    project.write("dvc.yaml", "stages: {}\n")
    os.unlink(project.root / "data.dvc")
    os.unlink(project.root / "one.bin.dvc")
    os.unlink(object_path(project, "5bbf5a52328e7439ae6e719dfe712200"))  # the content of one.bin
    done = checkout([], project.session())
    assert (done.deleted, done.n_deleted) == (("data/",), 1)
    assert not project.exists("data")
    assert project.exists("one.bin"), "nothing else has its content"
    assert project.exists("model.txt") and project.exists("own.txt") and project.exists("metrics.json")
    assert checkout([], project.session()).deleted == ()


def test_a_part_or_a_target_removes_nothing_abandoned(project: TestProject) -> None:
    os.unlink(project.root / "one.bin.dvc")
    checkout(["data"], project.session())
    assert project.exists("one.bin")
    assert checkout([], project.session()).deleted == ("one.bin",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"version": 2, "outs": {"own.txt": "%s"}}',
        '{"version": 1, "outs": {"../own.txt": "%s", "/own.txt": "%s", ".git/config": "%s", "a/../../own.txt": "%s"}}',
        '{"version": 1, "outs": {"own.txt": 3}}',
    ],
)
def test_a_strange_record_removes_nothing(text: str, project: TestProject, tmp_path: Path) -> None:
    id = recorded_id(project, "one.bin.dvc")
    for place in (project.root / "own.txt", tmp_path / "own.txt"):
        place.write_text("one\n")
    before = sorted(os.listdir(project.root / ".git"))
    project.write(FILE, text.replace("%s", id))
    assert checkout([], project.session()).deleted == ()
    assert project.exists("own.txt") and (tmp_path / "own.txt").exists()
    assert sorted(os.listdir(project.root / ".git")) == before
    assert json.loads(project.read(FILE))["outs"]["one.bin"] == id


def test_an_abandoned_path_behind_a_link_stays(project: TestProject, tmp_path: Path) -> None:
    project.write("dir/x.bin", "x\n")
    add(["dir/x.bin"], project.session())
    os.rename(project.root / "dir", tmp_path / "moved")
    os.unlink(tmp_path / "moved/x.bin.dvc")
    (project.root / "dir").symlink_to(tmp_path / "moved")
    assert checkout([], project.session()).deleted == ()
    assert (tmp_path / "moved/x.bin").exists()


# Commit and status of a part


def test_commit_of_a_part_records_that_part_only(project: TestProject) -> None:
    project.write("data/1", "changed\n")
    project.write("data/s/2", "changed too\n")
    project.write("data/s/new", "new\n")
    os.unlink(project.root / "data/s/3")
    assert status(("data/1",), project.session()) != () == status(("one.bin",), project.session())
    assert commit(["data/s/2"], project.session()) == ("data.dvc",)
    assert uncommitted(project) == {"modified": ["data/", "data/1"], "added": ["data/s/new"], "deleted": ["data/s/3"]}
    assert status(("data/s/2",), project.session()) == ()
    commit(["data/s/3"], project.session())
    assert uncommitted(project) == {"modified": ["data/", "data/1"], "added": ["data/s/new"]}
    commit(["data/s", "data/1"], project.session())
    assert uncommitted(project) == {} == {stage.stage.address: 0 for stage in status((), project.session())}
    assert commit(["data/s"], project.session()) == ()
    with pytest.raises(NotFoundError, match="nosuch"):
        commit(["data/nosuch"], project.session())


def test_commit_of_a_part_needs_the_rest_in_the_cache(project: TestProject) -> None:
    os.unlink(object_path(project, recorded_id(project, "data.dvc")))
    project.write("data/1", "changed\n")
    with pytest.raises(MissingDataError, match="'data/1' cannot be recorded alone"):
        commit(["data/1"], project.session())


def test_commit_of_a_part_of_a_stage_output(tmp_path: Path) -> None:
    pipeline = "stages:\n  make:\n    cmd: mkdir -p o && echo 1 > o/1 && echo 2 > o/2\n    outs: [o]\n"
    project = make_project(tmp_path / "p", {"dvc.yaml": pipeline})
    repro(ReproRequest(), project.session())
    project.commit("made")
    project.write("o/1", "one\n")
    project.write("o/2", "two\n")
    assert commit(["o/1"], project.session()) == ("dvc.lock",)
    assert uncommitted(project) == {"modified": ["o/", "o/2"]}
    assert checkout(["o/2"], project.session(), force=True).modified == ("o/",)
    assert status((), project.session()) == ()
