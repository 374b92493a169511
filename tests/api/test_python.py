"""The functions of `offbranch.api` that have the names and signatures of `dvc.api`."""

import html
import inspect
import io
import json
import re
import shutil
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import offbranch.api as dvc_like
from git_repos import run as git
from offbranch.api.python_experiments import exp_save, exp_show
from offbranch.api.python_files import get_url, open_file, read
from offbranch.api.python_refs import all_branches, all_commits, all_tags
from offbranch.api.python_values import metrics_show, params_show
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
from offbranch.experiments.merged_values import merged
from offbranch.views.experiment_rows import ExperimentRows, with_zone
from projects import TestProject, make_project

DVC_YAML = """\
stages:
  train:
    cmd: printf '{"acc":1,"n":{"k":2}}' > m.json; printf '{"acc":2,"f":1.5,"s":"t","l":[1]}' > m2.json
    params: [lr, train.epochs, other.yaml: [lr]]
    metrics: [m.json: {cache: false}, m2.json]
  eval:
    cmd: cp data.txt out.txt
    deps: [data.txt]
    params: [other.yaml: [train], train.opt]
    outs: [out.txt]
  parts:
    cmd: mkdir -p parts/deep && echo x > parts/x && echo y > parts/deep/y
    params: [deep.json: ]
    outs: [parts]
"""
FILES = {
    "params.yaml": "lr: 0.1\ntrain:\n  epochs: 3\n  opt: adam\nlist: [1, 2]\n",
    "other.yaml": "lr: 0.5\ntrain:\n  batch: 8\nonly: x\n",
    "deep.json": '{"a": {"b": 1}, "z": null}\n',
    "dvc.yaml": DVC_YAML.replace("[deep.json: ]", "[{deep.json: null}]"),
    "sub/readme": "here\n",
    "link": "",
}


def make(root: Path) -> TestProject:
    made = make_project(root, FILES)
    made.write("data.txt", "hello\n")
    assert made.ob("add", "data.txt").code == 0
    assert made.ob("remote", "add", "-d", "store", str(root.parent / "store")).code == 0
    (made.root / "link").unlink()
    (made.root / "link").symlink_to("sub/readme")
    assert made.ob("repro").code == 0
    made.commit("results")
    made.git("tag", "v1")
    assert made.ob("push").code == 0
    assert made.ob("exp", "run", "-n", "wide", "-S", "lr=7").code == 0
    made.git("checkout", "-q", "--", ".")
    assert made.ob("checkout").code == 0
    made.write("params.yaml", made.read("params.yaml").replace("lr: 0.1", "lr: 0.2"))
    return made


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where the project of `project` is, made once."""
    return {"base": tmp_path_factory.mktemp("python")}


@pytest.fixture
def project(originals: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestProject:
    base = originals["base"] / "all"
    if not base.exists():
        make(base / "p")
    shutil.copytree(base, tmp_path / "all", symlinks=True)
    found = TestProject(tmp_path / "all" / "p")
    found.write(".dvc/config.local", f"['remote \"store\"']\n    url = {tmp_path / 'all' / 'store'}\n")
    monkeypatch.chdir(found.root)
    return found


def without_cache(project: TestProject) -> None:
    shutil.rmtree(project.root / ".dvc" / "cache")


# Files


@pytest.mark.parametrize("rev", [None, "HEAD", "v1", "wide"])
@pytest.mark.parametrize("has_cache", [True, False])
def test_a_file_is_read_wherever_it_is(project: TestProject, rev: str | None, has_cache: bool) -> None:
    (project.root / "data.txt").unlink()
    shutil.rmtree(project.root / "parts")
    if not has_cache:
        without_cache(project)
    assert read("data.txt", rev=rev) == "hello\n"
    assert read("data.txt", rev=rev, mode="rb") == b"hello\n"
    assert read("parts/deep/y", rev=rev) == "y\n"
    assert read(Path("sub/readme"), rev=rev) == read("link", rev=rev) == "here\n"
    wanted = {None: "0.2", "wide": "7"}.get(rev, "0.1")
    assert read("params.yaml", rev=rev).startswith(f"lr: {wanted}\n")
    assert not project.exists("data.txt") and project.exists(".dvc/cache") == has_cache
    assert project.git("status", "--porcelain", "--untracked-files=no").split() == ["M", "params.yaml"]


@pytest.mark.parametrize("as_url", [True, False])
def test_a_file_of_another_project(
    project: TestProject, as_url: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    repo = f"file://{project.root}" if as_url else str(project.root)
    assert read("data.txt", repo=repo, rev="v1") == "hello\n"
    assert read("params.yaml", repo=repo, rev="wide").startswith("lr: 7\n")
    # A url means what was committed, a directory what is in it.
    assert read("params.yaml", repo=repo).startswith("lr: 0.1\n" if as_url else "lr: 0.2\n")
    assert params_show(repo=repo)["params.yaml:lr"] == (0.1 if as_url else 0.2)
    assert params_show(repo=repo, rev="wide")["params.yaml:lr"] == 7
    assert metrics_show(repo=repo) == {"m.json:acc": 1, "n": {"k": 2}, "m2.json:acc": 2, "f": 1.5, "s": "t"}
    assert [row["Experiment"] for row in exp_show(repo=repo)] == [None, None, "wide"]
    assert all_branches(repo) == ["main"] and all_tags(repo) == ["v1"] and len(all_commits(repo)) == 2
    assert get_url("data.txt", repo=repo).startswith(str(project.root.parent / "store"))


def test_a_bare_repository_is_a_source_too(project: TestProject, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--mirror", str(project.root), "bare.git")
    bare = str(tmp_path / "bare.git")
    assert read("data.txt", repo=bare) == "hello\n"
    assert params_show("other.yaml", repo=bare, rev="wide") == {"lr": 0.5, "train": {"batch": 8}, "only": "x"}
    assert metrics_show(repo=bare)["m2.json:acc"] == 2  # only the data remote has it
    assert [row["Experiment"] for row in exp_show(repo=bare)] == [None, None, "wide"]


def test_paths_are_seen_from_here_and_from_the_top(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root / "sub")
    assert read("../data.txt") == read("data.txt") == read("data.txt", rev="v1") == "hello\n"
    assert read("readme") == read("sub/readme") == read("../data.txt", rev="v1").replace("hello", "here")
    assert read(str(project.root / "data.txt"), rev="v1") == "hello\n"
    assert get_url("../data.txt") == get_url("data.txt")
    assert params_show("../other.yaml") == params_show("other.yaml")
    assert params_show(stages="../dvc.yaml:train")["../params.yaml:lr"] == 0.2


def test_open_gives_a_file_that_can_be_used_in_every_way(project: TestProject) -> None:
    (project.root / "data.txt").unlink()
    without_cache(project)
    with open_file("data.txt") as text:
        assert list(text) == ["hello\n"]
        text.seek(1)
        assert text.read() == "ello\n"
    assert text.closed
    kept = dvc_like.open("data.txt", mode="rb")
    assert kept.read(2) == b"he" and kept.read() == b"llo\n"
    kept.close()
    project.write("latin", "ä".encode("latin-1"))
    assert read("latin", encoding="latin-1") == "ä"
    assert isinstance(open_file("params.yaml", rev="v1"), io.TextIOWrapper)


def test_damaged_data_is_not_handed_out(project: TestProject) -> None:
    (project.root / "data.txt").unlink()
    place = project.root / ".dvc/cache/files/md5/b1/946ac92492d2347c6235b4d2611184"
    place.chmod(0o644)
    place.write_text("other")
    place.chmod(0o444)
    assert read("data.txt") == "hello\n"  # the data remote has it
    remote = project.root.parent / "store/files/md5/b1/946ac92492d2347c6235b4d2611184"
    remote.chmod(0o644)
    remote.write_text("worse")
    with pytest.raises((CorruptObjectError, MissingDataError)):
        read("data.txt")


REFUSED: dict[str, tuple[Callable[[], object], type[OffbranchError], str]] = {
    "no such file": (lambda: read("nosuch"), NotFoundError, "there is no 'nosuch'"),
    "no such file there": (lambda: read("nosuch", rev="v1"), NotFoundError, "in the revision 'v1'"),
    "a near name": (lambda: read("data.tx", rev="v1"), NotFoundError, "data.tx"),
    "not in the directory": (lambda: read("parts/nosuch", rev="v1"), NotFoundError, "parts/nosuch"),
    "a directory": (lambda: read("parts"), UsageError, "is a directory"),
    "a directory then": (lambda: read("parts/deep", rev="v1"), UsageError, "is a directory"),
    "a directory of Git": (lambda: read("sub", rev="v1"), UsageError, "is a directory"),
    "no such revision": (lambda: read("data.txt", rev="nosuch"), NotFoundError, "nosuch"),
    "no such repository": (lambda: read("data.txt", repo="/nosuch"), NotFoundError, "/nosuch"),
    "outside": (lambda: read("../../x"), NotFoundError, "outside"),
    "for writing": (lambda: read("data.txt", mode="w"), UsageError, "mode 'w'"),
    "encoded bytes": (lambda: read("data.txt", mode="rb", encoding="utf-8"), UsageError, "encoding"),
    "no such remote": (lambda: get_url("data.txt", remote="nosuch"), NotFoundError, "nosuch"),
    "no data": (lambda: get_url("params.yaml"), NotFoundError, "no url"),
    "no data then": (lambda: get_url("params.yaml", rev="v1"), NotFoundError, "no url"),
    "no such stage": (lambda: params_show(stages="nosuch"), NotFoundError, "nosuch"),
    "no such params": (lambda: params_show("nosuch.yaml"), NotFoundError, "nosuch.yaml"),
    "params outside": (lambda: params_show("../../x.yaml"), NotFoundError, "outside"),
    "no such metrics": (lambda: metrics_show("nosuch.json"), NotFoundError, "nosuch.json"),
    "no revision of params": (lambda: params_show(rev="nosuch"), NotFoundError, "nosuch"),
    "no revision to show": (lambda: exp_show(revs="nosuch"), NotFoundError, "nosuch"),
    "no file to include": (lambda: exp_save(include_untracked=["nosuch"]), NotFoundError, "nosuch"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_says_why(project: TestProject, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    call, kind, text = REFUSED[case]
    with pytest.raises(kind) as raised:
        call()
    assert text in str(raised.value) and raised.value.hint
    assert capsys.readouterr() == ("", "")


def test_data_that_is_nowhere(project: TestProject) -> None:
    (project.root / "data.txt").unlink()
    without_cache(project)
    shutil.rmtree(project.root.parent / "store")
    for rev in (None, "v1"):
        with pytest.raises(MissingDataError, match=r"data\.txt"):
            read("data.txt", rev=rev)
    (project.root / "m2.json").unlink()
    with pytest.raises((MissingDataError, NotFoundError), match=r"m2\.json"):
        metrics_show()


def test_outside_of_any_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for call in (params_show, metrics_show, exp_show, exp_save, all_branches, lambda: read("x"), lambda: get_url("x")):
        with pytest.raises(NoProjectError):
            call()


def test_a_plain_git_repository_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "plain")
    (tmp_path / "plain" / "a").write_text("1\n")
    git(tmp_path / "plain", "add", "-A")
    git(tmp_path / "plain", "commit", "-qm", "one")
    (tmp_path / "plain" / "a").write_text("2\n")
    monkeypatch.chdir(tmp_path)
    assert read("a", repo="plain") == "2\n" and read("a", repo="plain", rev="main") == "1\n"
    assert all_branches("plain") == ["main"]
    with pytest.raises(NotFoundError):
        read("b", repo="plain")


def test_a_project_further_down_in_its_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = TestProject(tmp_path / "top")
    git(tmp_path, "init", "-q", "-b", "main", str(top.root))
    below = TestProject(top.root / "team" / "project")
    below.root.mkdir(parents=True)
    assert below.ob("init", "--subdir").code == 0
    for path in ("params.yaml", "other.yaml", "deep.json", "dvc.yaml"):
        below.write(path, FILES[path])
    below.write("data.txt", "hello\n")
    assert below.ob("add", "data.txt").code == 0 and below.ob("repro").code == 0
    top.commit("all")
    (below.root / "data.txt").unlink()
    for rev in (None, "main"):
        assert read("team/project/data.txt", repo=top.root, rev=rev) == "hello\n"
        assert read("data.txt", repo=below.root, rev=rev) == "hello\n"
        assert params_show("other.yaml", repo=below.root, rev=rev)["only"] == "x"
        assert metrics_show("m2.json", repo=below.root, rev=rev)["f"] == 1.5
    assert [row["rev"] for row in exp_show(repo=below.root)] == ["workspace", "main"]
    for path in ("team/project/nosuch", "nosuch/x"):
        with pytest.raises(NotFoundError, match="nosuch"):
            read(path, repo=top.root)
    monkeypatch.chdir(below.root / "..")
    with pytest.raises(NoProjectError):
        read("project/data.txt")


def test_imported_data_comes_from_its_source(
    project: TestProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_project(tmp_path / "other", {"x": "1\n"})
    assert other.ob("import", str(project.root), "parts", "--rev", "v1").code == 0
    other.commit("import")
    shutil.rmtree(other.root / "parts")
    without_cache(other)
    monkeypatch.chdir(other.root)
    assert read("parts/deep/y") == "y\n" and not other.exists(".dvc/cache")
    with pytest.raises(NotFoundError, match="parts/nosuch"):
        read("parts/nosuch")
    shutil.rmtree(project.root)
    with pytest.raises(OffbranchError):
        read("parts/deep/y")


# Urls


def test_a_url_names_the_object(project: TestProject) -> None:
    store = str(project.root.parent / "store")
    assert (
        get_url("data.txt") == get_url("data.txt", rev="v1") == f"{store}/files/md5/b1/946ac92492d2347c6235b4d2611184"
    )
    assert get_url("parts").endswith(".dir") and get_url("parts") == get_url("parts", rev="v1")
    assert get_url("parts/x") == get_url("parts/x", rev="wide")
    assert Path(get_url("parts/x")).read_text() == "x\n"


def test_settings_are_laid_over(project: TestProject) -> None:
    tail = "files/md5/b1/946ac92492d2347c6235b4d2611184"
    config = {"remote": {"Other": {"url": "s3://bucket/there"}}, "core": {"remote": "other"}}
    for rev in (None, "v1"):
        assert get_url("data.txt", rev=rev, config=config) == f"s3://bucket/there/{tail}"
        assert get_url("data.txt", rev=rev, remote_config={"url": "gs://b"}) == f"gs://b/{tail}"
        assert get_url("data.txt", rev=rev, remote="new", remote_config={"url": "ssh://h/p"}) == f"ssh://h/p/{tail}"
    project.write(".dvc/config", "")
    (project.root / ".dvc" / "config.local").unlink()
    with pytest.raises(UsageError, match="no default data remote"):
        get_url("data.txt")
    with pytest.raises(UsageError, match="remote_config"):
        get_url("data.txt", remote_config={"url": "s3://x"})
    without_cache(project)
    (project.root / "data.txt").unlink()
    store = {"url": str(project.root.parent / "store")}
    assert read("data.txt", config={"remote": {"s": store}}, remote="s") == "hello\n"
    assert read("data.txt", remote="s", remote_config=store) == "hello\n"
    kept = {"cache": {"dir": str(project.root.parent / "elsewhere")}, "remote": {"s": store}, "core": {"remote": "s"}}
    assert read("data.txt", config=kept) == "hello\n"


# Parameters and metrics


def test_parameters_of_several_files_are_one_dict(project: TestProject) -> None:
    everything = {
        "params.yaml:lr": 0.2,
        "params.yaml:train": {"epochs": 3, "opt": "adam"},
        "list": [1, 2],
        "other.yaml:lr": 0.5,
        "other.yaml:train": {"batch": 8},
        "a": {"b": 1},
        "z": None,
    }
    assert params_show() == everything
    assert params_show(rev="wide") == {**everything, "params.yaml:lr": 7}
    deps = {key: value for key, value in everything.items() if key != "list"}
    assert params_show(deps=True) == deps
    train = {"params.yaml:lr": 0.2, "train": {"epochs": 3}, "other.yaml:lr": 0.5}
    assert params_show(stages="train") == params_show(stages=["dvc.yaml:train"]) == train
    assert params_show(stages="eval") == {"other.yaml:train": {"batch": 8}, "params.yaml:train": {"opt": "adam"}}
    assert params_show("other.yaml") == {"lr": 0.5, "train": {"batch": 8}, "only": "x"}
    both = {"params.yaml:lr": 0.2, "train": {"epochs": 3, "opt": "adam"}, "list": [1, 2], "other.yaml:lr": 0.5}
    assert params_show("params.yaml", stages="train") == both
    assert list(params_show("other.yaml", "params.yaml"))[:3] == ["other.yaml:lr", "other.yaml:train", "only"]


def test_metrics_come_from_the_cache_and_the_remote(project: TestProject) -> None:
    wanted = {"m.json:acc": 1, "n": {"k": 2}, "m2.json:acc": 2, "f": 1.5, "s": "t"}
    assert metrics_show() == metrics_show(rev="v1") == wanted
    assert metrics_show("m.json") == {"acc": 1, "n": {"k": 2}} and metrics_show("deep.json") == {"a": {"b": 1}}
    (project.root / "m2.json").unlink()
    assert metrics_show() == wanted
    without_cache(project)
    assert metrics_show() == metrics_show(rev="wide") == wanted
    project.write("m2.json", "{")
    with pytest.raises(OffbranchError, match=r"m2\.json"):
        metrics_show()


def test_files_that_share_keys_are_told_apart() -> None:
    assert merged({}) == {}
    assert merged({"a": {"x": 1, "y": 2}, "b": {"x": 3}, "c": {"z": {}}}) == {"a:x": 1, "y": 2, "b:x": 3, "z": {}}
    assert merged({"n.json": 5, "m.json": {"n.json": 1, "k": 2}}) == {"n.json:n.json": 5, "m.json:n.json": 1, "k": 2}
    assert merged({"n.json": 5}) == {"n.json": 5}


# Experiments


def test_rows_have_the_columns_of_the_csv_and_true_values(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = exp_show()
    assert isinstance(rows, list) and rows == json.loads(json.dumps(rows))
    head = project.ob("exp", "show", "--csv").out.splitlines()[0].split(",")
    assert [name for name in rows[0] if name not in ("State", "Executor")] == head
    assert [(row["Experiment"], row["rev"], row["typ"]) for row in rows][:2] == [
        (None, "workspace", "baseline"),
        (None, "main", "baseline"),
    ]
    wide = rows[2]
    assert wide["Experiment"] == "wide" and wide["State"] is None and wide["z"] is None
    assert type(wide["params.yaml:lr"]) is int and wide["train.epochs"] == 3 and wide["list"] == [1, 2]
    assert wide["Created"].endswith("+00:00") and wide["Created"][10] == "T" and rows[0]["Created"] is None
    assert [row["rev"] for row in exp_show(revs=["v1"], num=-1)][:2] == ["workspace", "main"]
    assert "list" not in exp_show(param_deps=True)[0]


def test_tags_and_notes_are_columns_where_there_are_some(project: TestProject) -> None:
    assert "Tags" not in exp_show()[0]
    assert project.ob("exp", "tag", "wide", "good").code == 0
    assert project.ob("exp", "note", "wide", "look").code == 0
    rows = exp_show()
    assert (
        "good" in str(rows[2]["Tags"])
        and "look" in rows[2]["Note"]
        and rows[0]["Tags"] is None
        and rows == json.loads(json.dumps(rows))
    )


def test_a_time_has_its_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert with_zone("2026-11-23T18:08:11") == "2026-11-23T18:08:11+00:00"
    assert with_zone("2026-11-23T18:08:11+02:00") == "2026-11-23T18:08:11+02:00"
    assert with_zone(None) is None


def test_a_notebook_shows_a_table(project: TestProject) -> None:
    project.write("params.yaml", "lr: '<b>&\"'\ntrain:\n  epochs: 3\n  opt: adam\n")
    text = exp_show()._repr_html_()
    assert text.startswith("<table>") and html.escape('<b>&"') in text and "<b>" not in text
    assert "wide" in text and ">State<" not in text and ">params.yaml:lr<" in text
    assert ExperimentRows()._repr_html_() == "<table><thead><tr></tr></thead><tbody></tbody></table>"
    many = ExperimentRows([{"a": n} for n in range(201)])
    assert "… and 1 more row" in many._repr_html_() and many[200]["a"] == 200


def test_pandas_is_asked_for_by_name(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.delitem(sys.modules, "pandas")
    monkeypatch.setattr(sys, "meta_path", [_NoPandas(), *sys.meta_path])
    with pytest.raises(OffbranchError, match="'pandas'") as raised:
        exp_show().to_pandas()
    assert raised.value.hint == "pip install pandas"


class _NoPandas:
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("no pandas", name="pandas")


def test_rows_become_a_frame(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    frames: list[Any] = []

    class Frame(dict[str, Any]):
        def __init__(self, rows: list[dict[str, Any]], columns: list[str]) -> None:
            super().__init__({name: [row[name] for row in rows] for name in columns})
            frames.append(self)

        def convert_dtypes(self) -> "Frame":
            return self

    fake = types.SimpleNamespace(DataFrame=Frame, to_datetime=lambda values, utc: [f"time {value}" for value in values])
    monkeypatch.setitem(sys.modules, "pandas", fake)
    frame = exp_show().to_pandas()
    assert frame is frames[0] and frame["Experiment"] == [None, None, "wide"]
    assert frame["Created"][0] == "time None" and frame["params.yaml:lr"] == [0.2, 0.1, 7]


def test_the_workspace_is_saved(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("sub/note.txt", "n\n")
    monkeypatch.chdir(project.root / "sub")
    commit = exp_save("mine", include_untracked=["note.txt"])
    assert project.exps()["mine"] == commit
    assert project.git("show", f"{commit}:sub/note.txt") == "n"
    with pytest.raises(ConflictError):
        exp_save("mine")
    assert exp_save("mine", force=True, include_untracked="note.txt") == project.exps()["mine"]
    assert len(exp_save()) == 40 and len(project.exps()) == 3


def test_branches_tags_commits(project: TestProject) -> None:
    project.git("branch", "other")
    assert all_branches() == ["main", "other"] and all_tags() == ["v1"]
    assert all_commits()[0] == project.git("rev-parse", "HEAD") and len(all_commits()) == 2


def test_a_malformed_file_is_named(project: TestProject) -> None:
    project.write("other.yaml", "a: [\n")
    with pytest.raises(OffbranchError, match=r"other\.yaml"):
        params_show()
    project.write("dvc.yaml", "stages: [\n")
    with pytest.raises(BadInputError, match=r"dvc\.yaml"):
        params_show()


def test_the_page_about_them_names_their_arguments() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "python.md").read_text()
    shown = dict(re.findall(r"`(\w+)\(([^)`]*)\)`", page))
    named = {"exp_show", "exp_save", "params_show", "metrics_show", "open", "read", "get_url", "all_tags"}
    assert named <= shown.keys()
    for name in named - {"read"}:
        parameters = inspect.signature(getattr(dvc_like, name)).parameters.values()
        assert shown[name] == ", ".join(
            f"*{one.name}" if one.kind is one.VAR_POSITIONAL else one.name for one in parameters
        )
    assert inspect.signature(dvc_like.read).parameters.keys() == inspect.signature(dvc_like.open).parameters.keys()
