"""Making projects, and data in them: add, checkout, commit, stage add."""

import os
from pathlib import Path

import pytest

from git_repos import run as git
from offbranch.api.data import add
from offbranch.api.demo import create_demo
from offbranch.api.outputs import checkout, commit
from offbranch.api.pipeline import ReproRequest, repro
from offbranch.api.project import init, root
from offbranch.api.session import make_session
from offbranch.api.stage_edit import NewStage, add_stage
from offbranch.api.stages import dag, stages, status
from offbranch.base.errors import (
    BadInputError,
    ConflictError,
    MissingDataError,
    NoProjectError,
    NotFoundError,
    UsageError,
)
from offbranch.base.paths import AbsPath
from projects import SIMPLE, TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


def test_init_makes_and_stages_the_files_of_the_specification(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    created = init(make_session(str(tmp_path)))
    assert (tmp_path / ".dvc/config").read_text() == ""
    assert (tmp_path / ".dvc/.gitignore").read_text() == "/config.local\n/tmp\n/cache\n"
    assert (tmp_path / ".dvcignore").read_text().count("\n") == 3
    assert git(tmp_path, "diff", "--cached", "--name-only").split() == sorted(created.files)
    with pytest.raises(ConflictError):
        init(make_session(str(tmp_path)))
    init(make_session(str(tmp_path)), force=True)


def test_init_needs_the_top_of_a_repository_or_a_word_to_the_contrary(tmp_path: Path) -> None:
    with pytest.raises(NoProjectError, match="not in a Git repository"):
        init(make_session(str(tmp_path)))
    init(make_session(str(tmp_path)), no_scm=True)
    assert "no_scm = True" in (tmp_path / ".dvc/config").read_text()
    sub = tmp_path / "repo/sub"
    sub.mkdir(parents=True)
    git(tmp_path / "repo", "init", "-q")
    with pytest.raises(NoProjectError, match="not the top"):
        init(make_session(str(sub)))
    init(make_session(str(sub)), subdir=True)
    assert root(make_session(str(sub))) == str(sub)
    (tmp_path / "repo/.gitignore").write_text(".dvc\n")
    other = tmp_path / "repo/other"
    other.mkdir()
    with pytest.raises(ConflictError, match=r"Git ignores '\.dvc'"):
        init(make_session(str(other)), subdir=True)


def test_a_project_without_git_runs_pipelines_but_no_experiments(tmp_path: Path) -> None:
    init(make_session(str(tmp_path)), no_scm=True)
    for path, text in SIMPLE.items():
        (tmp_path / path).write_text(text)
    assert repro(ReproRequest(), make_session(str(tmp_path))).error is None
    assert not (tmp_path / ".gitignore").exists()
    done = TestProject(tmp_path).ob("exp", "run")
    assert (done.code, "need a Git repository" in done.err) == (10, True)


def test_add_then_checkout_brings_it_back(project: TestProject) -> None:
    project.write("d/one.bin", "one\n")
    project.write("d/sub/two.bin", "two\n")
    (added,) = add(["d"], project.session())
    assert (added.data_file, added.content.n_files, added.is_new) == ("d.dvc", 2, True)
    assert "/d" in project.read(".gitignore").split()
    (project.root / "d/one.bin").unlink()
    project.write("d/sub/two.bin", "changed\n")
    with pytest.raises(ConflictError, match="would be lost"):
        checkout(["d"], project.session())
    assert project.read("d/sub/two.bin") == "changed\n"
    done = checkout(["d"], project.session(), force=True)
    assert done.modified == ("d/",)
    assert (project.read("d/one.bin"), project.read("d/sub/two.bin")) == ("one\n", "two\n")
    assert checkout([], project.session()).modified == ()


def test_a_path_inside_tracked_data_updates_the_whole(project: TestProject) -> None:
    project.write("d/one.bin", "one\n")
    add(["d"], project.session())
    before = project.read("d.dvc")
    project.write("d/new.bin", "new\n")
    (again,) = add(["d/new.bin"], project.session())
    assert (again.path, again.data_file, again.is_new) == ("d", "d.dvc", False)
    assert project.read("d.dvc") != before
    assert add(["d"], project.session())[0].touched == ()


def test_two_paths_of_one_directory_in_one_call(project: TestProject) -> None:
    project.write("d/one", "1\n")
    project.write("d/two", "2\n")
    add(["d"], project.session())
    project.write("d/one", "one\n")
    project.write("d/two", "two\n")
    add(["d/one", "d/two"], project.session())
    (project.root / "d/one").unlink()
    (project.root / "d/two").unlink()
    checkout(["d"], project.session(), force=True)
    assert (project.read("d/one"), project.read("d/two")) == ("one\n", "two\n")


def test_what_cannot_be_added(project: TestProject) -> None:
    repro(ReproRequest(), project.session())
    project.write("here.bin", "x")
    for target, kind, message in (
        ("nosuch", NotFoundError, "does not exist"),
        ("data.txt", ConflictError, "tracked by Git"),
        ("model.txt", ConflictError, "an output of 'train'"),
        ("..", UsageError, "outside of the project"),
        (".", UsageError, "cannot be added to itself"),
        (".dvc/config", UsageError, "private"),
    ):
        with pytest.raises(kind, match=message):
            add([target], project.session())
    with pytest.raises(NotFoundError):
        add(["here.bin", "nosuch"], project.session())
    assert not project.exists("here.bin.dvc")


def test_add_from_elsewhere_by_pattern_and_without_commit(project: TestProject, tmp_path: Path) -> None:
    (tmp_path / "out.bin").write_text("outside\n")
    (added,) = add([str(tmp_path / "out.bin")], project.session(), out="data/in.bin")
    assert (added.path, project.read("data/in.bin")) == ("data/in.bin", "outside\n")
    for name in ("a.raw", "b.raw"):
        project.write(name, name)
    found = add(["*.raw"], project.session(), glob=True, commit=False)
    assert [one.path for one in found] == ["a.raw", "b.raw"]
    cached = [path for path in (project.root / ".dvc/cache/files/md5").rglob("*") if path.is_file()]
    assert len(cached) == 1


def test_checkout_of_missing_content_does_the_rest_and_says_so(project: TestProject) -> None:
    project.write("a.bin", "a\n")
    project.write("b.bin", "b\n")
    (a, _) = add(["a.bin", "b.bin"], project.session())
    os.unlink(project.root / ".dvc/cache/files/md5" / a.content.id[:2] / a.content.id[2:])
    for name in ("a.bin", "b.bin"):
        (project.root / name).unlink()
    done = checkout([], project.session())
    assert isinstance(done.error, MissingDataError) and done.error.message == "not in the cache: 'a.bin'"
    assert (done.added, done.missing, done.n_added) == (("b.bin",), ("a.bin",), 1)
    assert project.read("b.bin") == "b\n"
    again = checkout([], project.session(), allow_missing=True)
    assert (again.missing, again.error) == (("a.bin",), None)


def test_commit_records_what_is_there(project: TestProject) -> None:
    repro(ReproRequest(), project.session())
    project.write("model.txt", "made by hand\n")
    assert commit(["train"], project.session()) == ("dvc.lock",)
    assert status((), project.session()) == ()
    project.write("params.yaml", "lr: 3\nfail: 0\n")
    with pytest.raises(UsageError, match="has changed since it ran"):
        commit([], project.session())
    commit([], project.session(), force=True)
    assert status((), project.session()) == ()
    assert commit([], project.session()) == ()


def test_status_names_every_change_with_its_reason(project: TestProject) -> None:
    (first,) = status((), project.session())
    assert first.reasons[0].text == "it has not run yet"
    repro(ReproRequest(), project.session())
    project.write("params.yaml", "lr: 0.5\nfail: 0\n")
    project.write("train.sh", SIMPLE["train.sh"] + "# more\n")
    (project.root / "model.txt").unlink()
    (found,) = status((), project.session())
    assert [reason.text for reason in found.reasons] == [
        "dependency train.sh changed",
        "parameter lr changed 0.1 -> 0.5",
        "output model.txt missing",
    ]


def test_stage_add_keeps_the_file_and_refuses_nonsense(project: TestProject) -> None:
    project.write("dvc.yaml", "# my pipeline\n" + project.read("dvc.yaml"))
    new = NewStage(name="report", definition={"cmd": "true", "deps": ["model.txt"], "outs": ["report.txt"]})
    assert add_stage(new, project.session()) == "dvc.yaml"
    assert project.read("dvc.yaml").startswith("# my pipeline\n")
    assert [stage.name for stage in stages(project.session())] == ["train", "report"]
    assert "/report.txt" in project.read(".gitignore").split()
    before = project.read("dvc.yaml")
    for bad, kind in (
        (new, ConflictError),
        (NewStage(name="a/b", definition={"cmd": "true"}), UsageError),
        (NewStage(name="same", definition={"cmd": "true", "outs": ["report.txt"]}), ConflictError),
        (
            NewStage(name="circle", definition={"cmd": "true", "deps": ["report.txt"], "outs": ["data.txt"]}),
            ConflictError,
        ),
        (NewStage(name="empty", definition={"cmd": ""}), BadInputError),
    ):
        with pytest.raises(kind):
            add_stage(bad, project.session())
        assert project.read("dvc.yaml") == before


def test_dag_is_the_graph_of_targets(project: TestProject) -> None:
    add_stage(NewStage(name="report", definition={"cmd": "true", "deps": ["model.txt"]}), project.session())
    assert dag((), project.session()).addresses == ("train", "report")
    assert dag(("train",), project.session()).addresses == ("train",)


def test_the_demo_is_a_clean_project(tmp_path: Path) -> None:
    demo = create_demo(AbsPath(str(tmp_path / "demo")), make_session(str(tmp_path)))
    made = TestProject(Path(demo.root))
    assert made.git("status", "--porcelain") == ""
    assert made.read("data/digits.csv").count("\n") == 1797
    assert [stage.address for stage in stages(made.session())] == ["prepare", "train", "evaluate"]
    assert "CC BY 4.0" in made.read("README.md")
    with pytest.raises(ConflictError):
        create_demo(AbsPath(str(tmp_path / "demo")), make_session(str(tmp_path)))
