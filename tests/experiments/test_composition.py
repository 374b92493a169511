"""Experiments whose parameters Hydra composes: what is written, what the experiment holds, and what is put back."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from offbranch.api.exp import RunReport, RunRequest, run
from offbranch.base.errors import BadInputError, NotFoundError, OffbranchError, StageFailedError, UsageError
from offbranch.base.events import NullReporter, Warned
from offbranch.base.paths import AbsPath
from offbranch.experiments.composition import hydra_source_of, open_planner
from offbranch.params.overrides import parse_override
from offbranch.params.sweep import trials
from offbranch.pipeline.plan import Action
from offbranch.project import open_project
from projects import SOURCE, Recorder, TestProject, make_project

FILES = {
    "conf/config.yaml": "defaults:\n- db: mysql\n- _self_\nlr: 0.1\nfail: 0\nname: ${db.user}\n",
    "conf/db/mysql.yaml": "user: root\n",
    "conf/db/pg.yaml": "user: postgres\n",
    "params.yaml": "# mine\nlr: 5\n",
    "other.yaml": "a: 1 # one\n",
    "dvc.yaml": (
        "stages:\n  s:\n    cmd: cp params.yaml out.txt && grep -q 'fail. 0' params.yaml\n"
        "    params: [lr, fail]\n    outs:\n    - out.txt:\n        cache: false\n"
    ),
}
ENABLED = "[hydra]\n    enabled = true\n"
COMPOSED = "db:\n  user: {}\nlr: {}\nfail: 0\nname: {}\n"


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p", FILES, config=ENABLED)


def exp_run(project: TestProject, *overrides: str, recorder: Recorder | None = None, **more: object) -> RunReport:
    request = RunRequest(overrides=overrides, **{"name": "e", **more})  # type: ignore[arg-type]
    return run(request, project.session(recorder), rng=random.Random(1))


def header(project: TestProject, name: str) -> dict[str, object]:
    raw = project.git("cat-file", "commit", project.exps()[name])
    head, _, message = raw.partition("\n\n")
    assert message.startswith("dvc: commit experiment ")
    found = [line for line in head.splitlines() if line.startswith("ob-composition ")]
    assert len(found) == 1 and head.splitlines()[-1] == found[0]
    data = json.loads(found[0].partition(" ")[2])
    assert isinstance(data, dict)
    return data


def test_parameters_are_composed_and_other_files_patched(project: TestProject) -> None:
    exp_run(project, "db=pg", "lr=2", "other.yaml:a=3", "params.yaml:+x.z=1")
    text = COMPOSED.format("postgres", 2, "postgres") + "x:\n  z: 1\n"
    assert project.read("params.yaml") == project.read("out.txt") == text
    assert project.read("other.yaml") == "a: 3 # one\n"
    commit = project.exps()["e"]
    for path in ("params.yaml", "other.yaml", "conf/config.yaml"):
        assert project.file_at(commit, path) == project.read(path).rstrip()
    assert project.git("fsck", "--strict", "--no-dangling") == ""


def test_the_commit_tells_how_it_was_composed(project: TestProject) -> None:
    exp_run(project, "db=pg", "other.yaml:a=3", "params.yaml:lr=2")
    assert header(project, "e") == {
        "version": 1,
        "config_dir": "conf",
        "config_module": None,
        "config_name": "config",
        "plugins_path": None,
        "overrides": ["db=pg", "lr=2"],
    }
    exp_run(project, "lr=3", name="plain", use_hydra=False)
    assert "ob-composition" not in project.git("cat-file", "commit", project.exps()["plain"])


@pytest.mark.parametrize("temporary", [False, True])
def test_the_sources_are_recorded_as_they_are_in_the_workspace(project: TestProject, temporary: bool) -> None:
    project.write("conf/db/new.yaml", "user: me\n")
    project.write("conf/config.yaml", FILES["conf/config.yaml"].replace("lr: 0.1", "lr: 7"))
    project.write("conf/notes.txt", "beside\n")
    project.write(".gitignore", "secret.yaml\n")
    project.write("conf/db/secret.yaml", "user: hush\n")
    project.git("rm", "-q", "--cached", "params.yaml")
    status = project.git("status", "--porcelain")
    exp_run(project, "db=new", temporary=temporary)
    commit = project.exps()["e"]
    assert project.file_at(commit, "params.yaml") == COMPOSED.format("me", 7, "me").rstrip()
    assert project.file_at(commit, "conf/db/new.yaml") == "user: me"
    assert "lr: 7" in project.file_at(commit, "conf/config.yaml")
    names = project.git("ls-tree", "-r", "--name-only", commit).splitlines()
    assert "conf/notes.txt" in names and "conf/db/secret.yaml" not in names
    if temporary:
        assert project.git("status", "--porcelain") == status
        assert project.read("params.yaml") == FILES["params.yaml"]


def test_the_whole_configuration_is_in_a_temporary_copy(project: TestProject) -> None:
    project.write(".gitignore", "secret.yaml\n")
    project.write("conf/db/secret.yaml", "user: hush\n")
    project.write(
        "dvc.yaml", "stages:\n  s:\n    cmd: ls -R conf > out.txt\n    outs:\n    - out.txt:\n        cache: false\n"
    )
    exp_run(project, "db=secret", temporary=True)
    assert "secret.yaml" in project.file_at(project.exps()["e"], "out.txt")
    assert "user: hush" in project.file_at(project.exps()["e"], "params.yaml")


@pytest.mark.parametrize("before", [FILES["params.yaml"], None])
def test_a_failure_puts_everything_back(project: TestProject, before: str | None) -> None:
    if before is None:
        project.git("rm", "-q", "params.yaml")
        project.git("commit", "-qm", "none")
    with pytest.raises(StageFailedError):
        exp_run(project, "db=pg", "fail=3", "other.yaml:a=3")
    assert project.exists("params.yaml") == (before is not None)
    assert before is None or project.read("params.yaml") == before
    assert project.read("other.yaml") == FILES["other.yaml"]
    assert project.git("status", "--porcelain") == ""


def test_a_dry_run_plans_with_the_composition_and_writes_nothing(project: TestProject) -> None:
    exp_run(project, "db=pg")
    project.commit("composed")
    same = exp_run(project, "db=pg", name="x", dry=True)
    other = exp_run(project, "db=pg", "lr=4", name="x", dry=True)
    assert same.plan is not None and other.plan is not None
    assert [step.action for step in same.plan.steps] == [Action.SKIP]
    assert [step.action for step in other.plan.steps] == [Action.RUN]
    assert project.git("status", "--porcelain") == ""


def test_without_params_yaml_before(project: TestProject) -> None:
    project.git("rm", "-q", "params.yaml")
    project.git("commit", "-qm", "none")
    exp_run(project)
    assert project.read("params.yaml") == COMPOSED.format("root", 0.1, "root")
    assert "params.yaml" in project.git("ls-tree", "-r", "--name-only", project.exps()["e"])


@pytest.mark.parametrize(
    ("overrides", "kind", "hint"),
    [
        (("db=ph",), NotFoundError, "did you mean 'pg'?"),
        (("dbb=pg",), NotFoundError, "did you mean 'db'?"),
        (("lr=[1",), UsageError, "close every bracket"),
        (("name=${nope}",), NotFoundError, "+nope=VALUE"),
        (("other.yaml:db@x=pg",), UsageError, "hydra.enabled"),
        (("other.yaml:nope=1",), NotFoundError, "+nope=1"),
    ],
)
@pytest.mark.parametrize("temporary", [False, True])
def test_bad_input_changes_nothing(
    project: TestProject, overrides: tuple[str, ...], kind: type[OffbranchError], hint: str, temporary: bool
) -> None:
    with pytest.raises(kind) as raised:
        exp_run(project, *overrides, temporary=temporary)
    assert hint in (raised.value.hint or "")
    assert project.git("status", "--porcelain") == "" and project.exps() == {}
    assert project.git("for-each-ref", "refs/ob") == ""


def test_bad_input_on_the_command_line(project: TestProject) -> None:
    done = project.ob("exp", "run", "-S", "db=ph")
    assert (done.code, done.out) == (1, "")
    assert done.err == ("error: cannot compose 'conf/config.yaml': group 'db' has no 'ph'\nhint: did you mean 'pg'?\n")
    project.write("conf/db/mysql.yaml", "user: [\n")
    done = project.ob("exp", "run")
    assert done.code == 1 and done.err.startswith("error: conf/db/mysql.yaml:2:1: not valid YAML: ")
    project.write(".dvc/config", ENABLED + "    config_dir = cnf\n")
    done = project.ob("exp", "run")
    assert done.code == 1 and "there is no directory 'cnf' (hydra.config_dir)" in done.err
    assert project.read("params.yaml") == FILES["params.yaml"]


def test_two_places_for_the_configuration_contradict_each_other(project: TestProject) -> None:
    project.write(".dvc/config", ENABLED + "    config_dir = conf\n    config_module = pkg\n")
    with pytest.raises(BadInputError, match=r"config:3: hydra.config_dir"):
        exp_run(project)


def test_what_hydra_warns_of_is_told_once(project: TestProject) -> None:
    project.write("conf/config.yaml", FILES["conf/config.yaml"].replace("- _self_\n", ""))
    recorder = Recorder()
    exp_run(project, recorder=recorder)
    assert len([event for event in recorder.of(Warned) if event.text.startswith("Hydra: ")]) == 1


def test_a_packaged_group_needs_hydra(project: TestProject) -> None:
    with pytest.raises(UsageError, match="no package may be named here"):
        exp_run(project, "db@x=pg", use_hydra=False)


def test_one_planner_composes_every_trial_of_a_sweep(project: TestProject) -> None:
    opened = open_project(AbsPath(str(project.root)), project.session().environment)
    texts = ("db=mysql,pg", "lr=1,2", "+db@more=pg,mysql", "other.yaml:a=7")
    planned = []
    with open_planner(opened, hydra_source_of(opened), NullReporter()) as plan_files:
        for trial in trials([parse_override(text) for text in texts]):
            planned.append({path: content.decode() for path, content in plan_files(trial).items()})
    assert len(planned) == 8
    assert all(files["other.yaml"] == "a: 7 # one\n" for files in planned)
    users = [[line.split()[1] for line in files["params.yaml"].splitlines() if "user" in line] for files in planned]
    assert users[:2] == [["root", "postgres"], ["root", "root"]] and users[-1] == ["postgres", "root"]
    assert project.git("status", "--porcelain") == ""


def test_nothing_of_hydra_is_loaded_where_it_is_not_used(tmp_path: Path) -> None:
    project = make_project(tmp_path / "q", FILES)
    opened = open_project(AbsPath(str(project.root)), project.session().environment)
    assert hydra_source_of(opened) is None
    code = (
        "import sys\nfrom offbranch.api import RunRequest, exp_run, make_session\n"
        "exp_run(RunRequest(overrides=('lr=3',), dry=True), make_session())\n"
        "print([name for name in ('hydra', 'omegaconf', 'yaml', 'antlr4') if name in sys.modules])"
    )
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.root, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_project_in_a_directory_of_its_repository(tmp_path: Path) -> None:
    project = make_project(tmp_path / "r", {"readme": "x\n"})
    project.git("mv", ".dvc", "tmp")
    (project.root / "sub").mkdir()
    project.git("mv", "tmp", "sub/.dvc")
    for path, text in FILES.items():
        project.write(f"sub/{path}", text)
    project.write("sub/.dvc/config", ENABLED)
    project.commit("sub")
    project.write("sub/conf/db/new.yaml", "user: me\n")
    request = RunRequest(overrides=("db=new",), name="e", targets=("../dvc.yaml:s",))
    run(request, project.session(cwd="sub/conf"))
    names = project.git("ls-tree", "-r", "--name-only", project.exps()["e"]).splitlines()
    assert "sub/conf/db/new.yaml" in names
    assert "user: me" in project.file_at(project.exps()["e"], "sub/params.yaml")
