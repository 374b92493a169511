"""Many experiments in one table, and the sections of `exp diff` beyond parameters and metrics."""

import json
import random
from pathlib import Path

import pytest

from golden_files import check_golden
from offbranch.api.exp import RunRequest, run
from offbranch.api.show import exp_compare
from offbranch.base.environ import read_environment
from offbranch.base.errors import NotFoundError, StageFailedError, UsageError
from offbranch.base.paths import AbsPath
from offbranch.experiments.diff_record import UNREADABLE, CompareOptions, Comparison
from offbranch.params.lookup import MISSING
from projects import SIMPLE, TestProject, make_project
from sample_project import build

FILES = {**SIMPLE, "lib/tool.py": "a = 1\n", "blob.bin": "x\0y", "requirements.txt": "numpy==1.26\npandas>=2\n"}


def compared(project: TestProject, *names: str, only: tuple[str, ...] = ()) -> Comparison:
    options = CompareOptions(sections=only) if only else None
    where = AbsPath(str(project.root))
    return exp_compare(names, options=options, start=where, environment=read_environment())


def values_of(found: Comparison, section: str, path: str, name: str = "") -> tuple[object, ...]:
    rows = [row for row in found.rows if (row.section, row.path, row.name) == (section, path, name)]
    assert len(rows) == 1, (section, path, name)
    return rows[0].values


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p", FILES)
    run(RunRequest(name="one", overrides=("lr=0.5",)), made.session(), rng=random.Random(1))
    made.write("lib/tool.py", "a = 2\n")
    made.write("blob.bin", "x\0z")
    made.write("requirements.txt", "numpy==2.0\npandas>=2\n")
    made.write("lib/more.py", "b = 1\n")
    made.git("add", "-N", "lib/more.py")
    run(RunRequest(name="two", overrides=("lr=0.7",)), made.session(), rng=random.Random(1))
    return made


@pytest.mark.parametrize("kind", ["txt", "md", "csv", "json"])
@pytest.mark.parametrize("everything", [False, True])
def test_tables(tmp_path: Path, kind: str, everything: bool) -> None:
    build(tmp_path / "sample")
    option = [] if kind == "txt" else [f"--{kind}"]
    more = ["--all"] if everything else []
    found = TestProject(tmp_path / "sample").ob("exp", "compare", "v1", "first", "second", "broken", *option, *more)
    assert found.code == 0, found.err
    text = found.out if kind != "json" else json.dumps(found.json, indent=1) + "\n"
    check_golden(f"views/compare{'_all' if everything else ''}.{kind}", text)


def test_without_names_head_and_its_experiments(project: TestProject) -> None:
    found = compared(project)
    assert [side.name for side in found.sides] == ["HEAD", "one", "two"]
    assert [side.commit for side in found.sides][1:] == [project.exps()["one"], project.exps()["two"]]
    assert values_of(found, "params", "params.yaml", "lr") == (0.1, 0.5, 0.7)
    assert [side.name for side in compared(project, "two").sides] == ["HEAD", "two"]
    with pytest.raises(UsageError, match="nothing to compare"):
        compared(project, "HEAD")
    with pytest.raises(NotFoundError, match="'onne'") as unknown:
        compared(project, "one", "onne")
    assert unknown.value.hint == "did you mean 'one'?"
    project.commit("another")
    with pytest.raises(UsageError, match="no experiments start from HEAD"):
        compared(project)


def test_what_differs_comes_first_in_each_section(project: TestProject) -> None:
    rows = compared(project, "one", "two").rows
    for section in dict.fromkeys(row.section for row in rows):
        marks = [row.differs for row in rows if row.section == section]
        assert marks == sorted(marks, reverse=True), section
    assert all(row.differs == (len(set(map(repr, row.values))) > 1) for row in rows if row.section != "env")


def test_code_is_told_by_ids_and_data_is_not_code(project: TestProject) -> None:
    found = compared(project, "one", "two", "workspace", only=("code",))
    paths = [row.path for row in found.rows]
    assert paths == ["blob.bin", "lib/more.py", "lib/tool.py", "requirements.txt"]
    one, two, here = values_of(found, "code", "lib/tool.py")
    assert one == project.git("rev-parse", "HEAD:lib/tool.py")
    assert two == here == project.git("hash-object", "lib/tool.py")
    assert values_of(found, "code", "lib/more.py")[0] is MISSING
    project.write("lib/tool.py", "a = 3\n")
    again = values_of(compared(project, "workspace", "two", only=("code",)), "code", "lib/tool.py")
    assert again == (project.git("hash-object", "lib/tool.py"), two)


def test_attempts_are_compared_too(project: TestProject) -> None:
    with pytest.raises(StageFailedError):
        run(RunRequest(overrides=("lr=0.9", "fail=2"), name="bad"), project.session())
    found = compared(project, "one", "bad")
    assert [side.state for side in found.sides] == [None, "failed"]
    assert values_of(found, "params", "params.yaml", "fail") == (0, 2)
    assert values_of(found, "env", "run", "overrides") == ("lr=0.5", "lr=0.9 fail=2")
    assert "bad (failed)" in project.ob("exp", "compare", "one", "bad").out
    project.git("update-ref", "refs/ob/tasks/t1", project.exps()["two"])
    assert values_of(compared(project, "one", "t1"), "params", "params.yaml", "lr") == (0.5, 0.7)


def test_a_file_that_cannot_be_read_is_no_missing_one(project: TestProject) -> None:
    project.write("metrics.json", "{")
    found = compared(project, "one", "workspace")
    assert values_of(found, "metrics", "metrics.json", "acc") == (0.5, UNREADABLE)
    assert found.sides[1].errors.keys() == {"metrics.json"}
    text = project.ob("exp", "compare", "one", "workspace").out
    assert "\nacc       0.5    !\n" in text
    assert "\nworkspace: metrics.json:1: not valid JSON" in text


def test_the_environment_is_what_is_known(project: TestProject) -> None:
    found = compared(project, "HEAD", "one", "two", "workspace", only=("env",))
    assert values_of(found, "env", "requirements.txt", "numpy") == ("==1.26", "==1.26", "==2.0", "==2.0")
    assert values_of(found, "env", "commands", "train") == (MISSING, *["sh train.sh"] * 3)
    assert values_of(found, "env", "run", "where") == (MISSING, "workspace", "workspace", MISSING)
    where = next(row for row in found.rows if (row.path, row.name) == ("run", "where"))
    assert not where.differs, "that nothing is known of a side does not make it another"
    author = values_of(found, "env", "commit", "author")
    assert author[0] == author[1] and author[3] is MISSING


def test_an_environment_of_python_is_noted_with_its_packages(project: TestProject, tmp_path: Path) -> None:
    prefix = tmp_path / "venv"
    for name in ("bin", "lib/python3.12/site-packages/Torch_Geo-2.1.dist-info"):
        (prefix / name).mkdir(parents=True)
    (prefix / "pyvenv.cfg").write_text("home = /usr\nversion = 3.12.1\n")
    (prefix / "bin/python").write_text("")
    (prefix / "bin/python").chmod(0o755)
    ran = project.ob("exp", "run", "-n", "three", "-S", "lr=3", PATH=f"{prefix}/bin:/usr/bin:/bin")
    assert ran.code == 0, ran.err
    found = compared(project, "one", "three", only=("env",))
    assert values_of(found, "env", "system", "python")[1] == "3.12.1"
    assert values_of(found, "env", "system", "python_path")[1] == f"{prefix}/bin/python"
    assert values_of(found, "env", "packages", "torch-geo")[1] == "2.1"
    for note in project.root.glob(".dvc/tmp/ob/runs/*/environment.json"):
        note.write_text("[]")
    assert all(row.path != "packages" for row in compared(project, "one", "three", only=("env",)).rows)


def test_sections_of_diff(project: TestProject) -> None:
    plain = project.ob("exp", "diff", "one", "two", "--json").json
    assert plain.keys() == {"metrics", "params"}
    full = project.ob("exp", "diff", "one", "two", "--full", "--json").json
    assert full.keys() == {"metrics", "params", "deps", "outs", "env", "code"}
    assert {name: full[name] for name in plain} == plain
    assert full["deps"] == {}
    assert full["outs"]["model.txt"].keys() == {"hash"}
    assert full["env"]["requirements.txt"] == {"numpy": {"old": "==1.26", "new": "==2.0"}}
    assert full["env"]["run"]["overrides"] == {"old": "lr=0.5", "new": "lr=0.7"}
    files = full["code"]["files"]
    assert files["lib/tool.py"] == {"status": "modified", "added": 1, "deleted": 1, "code": True}
    assert files["lib/more.py"] == {"status": "added", "added": 1, "deleted": 0, "code": True}
    assert files["blob.bin"] == {"status": "modified", "code": False}
    assert files["params.yaml"]["code"] is files["dvc.lock"]["code"] is files["metrics.json"]["code"] is False
    text = project.ob("exp", "diff", "one", "two", "--code").out
    of_git = project.git("diff", *(project.exps()[name] for name in ("one", "two")), "--", "lib", "requirements.txt")
    assert "+a = 2" in of_git
    assert text.endswith(
        f"{of_git}\n\n"
        "modified: blob.bin (binary)\n"
        "modified: dvc.lock (+3 -3)\n"
        "modified: metrics.json (+1 -1)\n"
        "modified: params.yaml (+1 -1)\n"
    )
    assert " lib/tool.py      |   2 +-\n" in project.ob("exp", "diff", "one", "two", "--code", "--stat").out
    assert "```diff\ndiff --git a/lib/more.py" in project.ob("exp", "diff", "one", "two", "--code", "--md").out
    assert project.ob("exp", "diff", "one", "--stat").code == 2


def test_a_patch_can_be_applied_either_way(project: TestProject) -> None:
    project.git("config", "diff.noprefix", "true")
    project.git("config", "diff.external", "false")
    for old, new in (("one", "two"), ("one", "workspace"), ("workspace", "one")):
        patch = project.ob("exp", "diff", old, new, "--code", "--json").json["code"]["patch"]
        at = "two" if old == "workspace" else "one"
        tree = project.git("rev-parse", f"{project.exps()[at]}^{{tree}}")
        project.write("../change.patch", patch)
        work = project.root.parent / f"{old}-{new}"
        project.git("worktree", "add", "-q", "--detach", str(work), project.exps()[at])
        project.git("-C", str(work), "apply", "--index", str(project.root.parent / "change.patch"))
        assert project.git("-C", str(work), "write-tree") != tree
        wanted = "a = 1" if new == "one" else "a = 2"
        assert (work / "lib/tool.py").read_text() == f"{wanted}\n"


def test_attributes_of_git_apply(project: TestProject) -> None:
    project.write(".gitattributes", "*.py diff=shown\n")
    project.git("config", "diff.shown.textconv", "sed s/a/converted/")
    assert "+converted = 2\n" in project.ob("exp", "diff", "one", "workspace", "--code").out
    project.write(".gitattributes", "lib/tool.py -diff\n")
    assert "modified: lib/tool.py (binary)\n" in project.ob("exp", "diff", "one", "workspace", "--code").out


def test_comparing_with_the_workspace_leaves_the_index_alone(project: TestProject) -> None:
    index = (project.root / ".git/index").read_bytes()
    (project.root / "lib/more.py").unlink()
    project.git("rm", "-q", "--cached", "lib/more.py")
    project.write("lib/more.py", "b = 1\n")
    index = (project.root / ".git/index").read_bytes()
    same = project.ob("exp", "diff", "two", "--code", "--json").json["code"]
    assert same == {"files": {}, "patch": ""}
    assert (project.root / ".git/index").read_bytes() == index
    assert project.git("status", "--porcelain", "lib/more.py") == "?? lib/more.py"
