"""Unusual but good places: an experiment runs there, its commit is right, and HEAD and index stay."""

import json
import os
from pathlib import Path

import pytest

from cli_runs import Ob
from git_repos import commit_all
from git_repos import run as git
from projects import DVC_YAML, SIMPLE, TestProject, make_project

RUN = ("exp", "run", "-n", "new", "-S", "lr=0.5")


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


def check_run(ob: Ob, root: Path, *, prefix: str = "", cwd: Path | None = None, top: Path | None = None) -> str:
    """Runs an experiment in the workspace and one in a copy; checks their commits; returns the first."""
    top = top or root
    head, branch = git(top, "rev-parse", "HEAD"), git(top, "rev-parse", "--symbolic-full-name", "HEAD")
    staged = git(top, "ls-files", "--stage")
    for words, value in ((RUN, "0.5"), (("exp", "run", "--temp", "-n", "copy", "-S", "lr=0.6"), "0.6")):
        ran = ob(*words, cwd=cwd or root)
        assert ran.code == 0, ran.err
        commit = commit_of(top, words[words.index("-n") + 1])
        assert git(top, "rev-parse", f"{commit}^") == head
        assert json.loads(git(top, "show", f"{commit}:{prefix}metrics.json")) == {"acc": float(value)}
        assert f"lr: {value}" in git(top, "show", f"{commit}:{prefix}params.yaml")
        assert "path: model.txt" in git(top, "show", f"{commit}:{prefix}dvc.lock")
        assert f"{prefix}model.txt" not in git(top, "ls-tree", "-r", "--name-only", commit).splitlines()
    assert git(top, "rev-parse", "HEAD") == head
    assert git(top, "rev-parse", "--symbolic-full-name", "HEAD") == branch
    assert git(top, "ls-files", "--stage") == staged
    assert (root / "model.txt").read_text() == "model 0.5\n"
    git(top, "fsck", "--strict", "--no-dangling", "--no-progress")
    assert ob("exp", "apply", "copy", cwd=cwd or root).code == 0
    assert (root / "model.txt").read_text() == "model 0.6\n"
    return commit_of(top, "new")


def commit_of(top: Path, name: str) -> str:
    lines = git(top, "for-each-ref", "--format=%(refname) %(objectname)", "refs/exps").splitlines()
    (commit,) = [line.split()[1] for line in lines if line.split()[0].endswith(f"/{name}") and line.count("/") == 4]
    return commit


def test_a_detached_head(ob: Ob, project: TestProject) -> None:
    project.git("switch", "-q", "--detach")
    check_run(ob, project.root)
    assert project.git("rev-parse", "--abbrev-ref", "HEAD") == "HEAD"


def test_a_linked_worktree_shares_experiments(ob: Ob, project: TestProject, tmp_path: Path) -> None:
    project.git("worktree", "add", "-q", str(tmp_path / "other"), "-b", "other")
    before = (project.root / ".git/index").read_bytes()
    check_run(ob, tmp_path / "other")
    assert (project.root / ".git/index").read_bytes() == before
    assert set(project.exps()) == {"new", "copy"}
    assert not project.exists("model.txt")


def test_a_project_that_is_a_submodule(ob: Ob, project: TestProject, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q", "-b", "main")
    git(outer, "submodule", "--quiet", "add", str(project.root), "inner")
    head = commit_all(outer)
    check_run(ob, outer / "inner")
    assert git(outer, "rev-parse", "HEAD") == head
    assert git(outer, "for-each-ref", "refs/exps") == ""


def test_a_submodule_in_the_project(ob: Ob, project: TestProject, tmp_path: Path) -> None:
    library = make_project(tmp_path / "library", {"code.py": "x\n"})
    project.git("submodule", "--quiet", "add", str(library.root), "library")
    project.commit("with a submodule")
    project.write("library/code.py", "changed\n")
    project.write("library/new.py", "new\n")
    commit = check_run(ob, project.root)
    assert project.git("rev-parse", f"{commit}:library") == library.git("rev-parse", "HEAD")
    assert project.read("library/code.py") == "changed\n"
    assert project.read("library/new.py") == "new\n"


def test_a_project_in_a_subdirectory_of_its_repository(ob: Ob, tmp_path: Path) -> None:
    top = tmp_path / "mono"
    (top / "team a").mkdir(parents=True)
    git(top, "init", "-q", "-b", "main")
    (top / "README").write_text("hello\n")
    commit_all(top)
    assert ob("init", cwd=top / "team a").code == 10
    assert ob("init", "--subdir", cwd=top / "team a").code == 0
    for path, text in SIMPLE.items():
        (top / "team a" / path).write_text(text)
    commit_all(top)
    (top / "README").write_text("edited\n")
    commit = check_run(ob, top / "team a", prefix="team a/", top=top)
    assert git(top, "show", f"{commit}:README") == "edited"
    assert (top / "README").read_text() == "edited\n"


def test_a_shallow_clone(ob: Ob, project: TestProject, tmp_path: Path) -> None:
    project.write("more.txt", "more\n")
    project.commit("more")
    git(tmp_path, "clone", "-q", "--depth", "1", project.root.as_uri(), "shallow")
    assert git(tmp_path / "shallow", "rev-parse", "--is-shallow-repository") == "true"
    check_run(ob, tmp_path / "shallow")
    assert ob("exp", "show", "-A", cwd=tmp_path / "shallow").code == 0


def test_a_sha256_repository(ob: Ob, tmp_path: Path) -> None:
    root = tmp_path / "p"
    root.mkdir()
    git(root, "init", "-q", "-b", "main", "--object-format=sha256")
    project = make_project(root)
    commit = check_run(ob, project.root)
    assert len(commit) == 64
    assert ob("exp", "list", cwd=root).code == 0
    assert ob("exp", "rename", "new", "other", cwd=root).code == 0
    assert ob("exp", "remove", "other", "copy", cwd=root).code == 0


@pytest.mark.parametrize(
    "name", ["with blank", "übung-日本", "a\nnewline", "-dash", "quo'te\"d", "hash #tag", "star*[x]"]
)
def test_directories_with_odd_names(ob: Ob, tmp_path: Path, name: str) -> None:
    check_run(ob, make_project(tmp_path / name).root)


@pytest.mark.parametrize(
    "name", ["with blank", "übung-日本", "two\nlines", "hash#tag", "star*", "[x]", "!bang", "tail "]
)
def test_files_with_odd_names(ob: Ob, tmp_path: Path, name: str) -> None:
    project = make_project(tmp_path / "p", {**SIMPLE, f"data/{name}/{name}.txt": "tracked by Git\n"})
    project.write(f"big/{name}", "data\n")
    project.write(name, "a file of this name\n")
    for path in ("big", name):
        added = ob("add", "--", path, cwd=project.root)
        assert added.code == 0, added.err
    wanted = f"big\0{name}\0"
    assert git(project.root, "check-ignore", "-z", "--stdin", input=wanted.encode()) == wanted
    project.commit("data")
    project.write(f"data/{name}/{name}.txt", "edited\n")
    commit = check_run(ob, project.root)
    assert project.git("show", f"{commit}:data/{name}/{name}.txt") == "edited"
    os.unlink(project.root / name)
    os.unlink(project.root / "big" / name)
    done = ob("checkout", cwd=project.root)
    assert done.code == 0, done.err
    assert project.read(name) == "a file of this name\n"
    assert project.read(f"big/{name}") == "data\n"


def test_outputs_with_odd_names(ob: Ob, tmp_path: Path) -> None:
    pipeline = 'stages:\n  make:\n    cmd: cat params.yaml > "ünd so.txt"\n    params: [lr]\n    outs: ["ünd so.txt"]\n'
    project = make_project(tmp_path / "p", {"dvc.yaml": pipeline, "params.yaml": "lr: 1\n"})
    assert ob("exp", "run", "-n", "new", "-S", "lr=2", cwd=project.root).code == 0
    assert project.read("ünd so.txt") == "lr: 2\n"
    assert "ünd so.txt" in project.file_at(project.exps()["new"], ".gitignore")


def test_no_git_identity(ob: Ob, project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(name)
    project.git("config", "user.useConfigOnly", "true")
    ran = ob(*RUN, cwd=project.root)
    assert ran.code == 0, ran.err
    assert "@" in project.git("log", "-1", "--format=%ae", project.exps()["new"])


def test_through_a_symbolic_link(ob: Ob, project: TestProject, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(project.root)
    check_run(ob, tmp_path / "link", cwd=tmp_path / "link", top=project.root)


def test_from_a_subdirectory_the_parameters_are_those_of_the_root(ob: Ob, project: TestProject) -> None:
    (project.root / "src/deep").mkdir(parents=True)
    ran = ob("exp", "run", "-n", "below", "-S", "lr=0.7", "../../dvc.yaml:train", cwd=project.root / "src/deep")
    assert ran.code == 0, ran.err
    assert project.read("params.yaml") == "# learning rate\nlr: 0.7\nfail: 0\n"
    assert "lr: 0.7" in project.file_at(project.exps()["below"], "params.yaml")


@pytest.mark.parametrize("override", ["lr=0.7", "params.yaml:lr=0.7", "sub/params.yaml:lr=0.7"])
def test_a_pipeline_in_a_subdirectory(ob: Ob, project: TestProject, override: str) -> None:
    for path in ("data.txt", "train.sh", "params.yaml"):
        project.write(f"sub/{path}", project.read(path))
    project.write("sub/dvc.yaml", DVC_YAML)
    project.commit("two pipelines")
    ran = ob("exp", "run", "-n", "below", "-S", override, cwd=project.root / "sub")
    assert ran.code == 0, ran.err
    commit = project.exps()["below"]
    assert json.loads(project.file_at(commit, "sub/metrics.json")) == {"acc": 0.7}
    assert "model.txt" in project.file_at(commit, "sub/.gitignore")
    assert not project.exists("model.txt")


def test_windows_line_ends_and_a_byte_order_mark(ob: Ob, project: TestProject) -> None:
    project.write("dvc.yaml", "\ufeff" + DVC_YAML.replace("\n", "\r\n"))
    project.write("params.yaml", "# learning rate\r\nlr: 0.1\r\nfail: 0\r\n")
    project.write("train.sh", "echo '{\"acc\": 1}' > metrics.json; echo model > model.txt\n")
    project.commit("from Windows")
    ran = ob(*RUN, cwd=project.root)
    assert ran.code == 0, ran.err
    assert (project.root / "params.yaml").read_bytes() == b"# learning rate\r\nlr: 0.5\r\nfail: 0\r\n"
