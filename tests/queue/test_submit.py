"""Queueing: what a task holds, what it is called, and that nothing happens where something is wrong."""

import random
from pathlib import Path
from typing import Any

import pytest

from git_repos import opened, state_of_user
from git_repos import run as git
from offbranch.api.data import add
from offbranch.api.exp import RunRequest
from offbranch.api.queue import Queued, submit
from offbranch.base.errors import ConflictError, NotFoundError, OffbranchError, UsageError
from offbranch.base.events import Progressed
from offbranch.base.paths import AbsPath
from offbranch.queue.events import SweepPlanned
from offbranch.queue.store import Tasks, read_tasks
from projects import Recorder, TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


def queue(
    project: TestProject, *overrides: str, recorder: Recorder | None = None, cwd: str = "", **more: Any
) -> Queued:
    limit = {"max_trials": more.pop("max_trials")} if "max_trials" in more else {}
    return submit(
        RunRequest(overrides=overrides, **more), project.session(recorder, cwd), rng=random.Random(1), **limit
    )


def tasks(project: TestProject) -> Tasks:
    return read_tasks(opened(project.root), AbsPath(str(project.root)))


def names(project: TestProject) -> list[str]:
    return [each.name for each in tasks(project).all]


def values(project: TestProject, key: str, file: str = "params.yaml") -> list[str]:
    found = []
    for each in tasks(project).all:
        lines = project.file_at(each.commit, file).splitlines()
        found.append(next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{key}:")))
    return found


def everything(project: TestProject) -> tuple[object, ...]:
    """All there is but what is only for the moment."""
    files = [path for path in project.root.rglob("*") if path.is_file() and ".git" not in path.parts]
    kept = {str(path): path.read_bytes() for path in files if "/.dvc/tmp/" not in str(path)}
    return state_of_user(project.root), project.git("status", "--porcelain"), kept


def test_a_task_is_the_workspace_with_its_overrides(project: TestProject) -> None:
    project.write("staged.txt", "staged\n")
    project.git("add", "staged.txt")
    project.write("train.sh", project.read("train.sh") + "# edit\n")
    project.write("untracked.txt", "mine\n")
    index = (project.root / ".git/index").read_bytes()
    before = project.git("status", "--porcelain"), project.read("params.yaml")
    queue(project, "lr=0.4", name="later", message="why", targets=("train",))
    assert (project.git("status", "--porcelain"), project.read("params.yaml")) == before
    assert (project.root / ".git/index").read_bytes() == index
    (task,) = tasks(project).all
    assert project.file_at(task.commit, "params.yaml") == "# learning rate\nlr: 0.4\nfail: 0"
    assert project.file_at(task.commit, "train.sh").endswith("# edit")
    assert project.file_at(task.commit, "staged.txt") == "staged"
    assert "untracked.txt" not in project.git("ls-tree", "-r", "--name-only", task.commit)
    assert project.git("rev-parse", f"{task.commit}^") == project.git("rev-parse", "HEAD") == task.task.spec.baseline
    assert (task.task.spec.message, task.task.spec.targets, task.name) == ("why", ("train",), "later")
    assert project.exps() == {}
    git(project.root, "fsck", "--strict", "--no-dangling")


def test_a_sweep_is_a_grid_in_order(project: TestProject) -> None:
    recorder = Recorder()
    done = queue(project, "lr=0.1,0.2", "fail=range(0,3)", name="P", recorder=recorder)
    assert names(project) == [f"P-{n}" for n in range(1, 7)] == [task.spec.name for task in done.tasks]
    assert values(project, "lr") == ["0.1"] * 3 + ["0.2"] * 3
    assert values(project, "fail") == ["0", "1", "2"] * 2
    assert [task.task.spec.overrides for task in tasks(project).all][1] == ("lr=0.1", "fail=1")
    (event,) = recorder.of(SweepPlanned)
    assert (event.grid.n_trials, event.grid.lengths) == (6, (2, 3))
    assert recorder.of(Progressed)[-1].done == 6
    assert [each.task.order for each in tasks(project).all] == [1, 2, 3, 4, 5, 6]


def test_more_than_nine_stay_in_order(project: TestProject) -> None:
    queue(project, "lr=range(0,120)", name="P")
    assert names(project) == [f"P-{n}" for n in range(1, 121)]
    queue(project, "lr=7")
    assert len(names(project)) == 121 and names(project)[:120] == [f"P-{n}" for n in range(1, 121)]


def test_a_sweep_over_one_value_is_numbered_too(project: TestProject) -> None:
    queue(project, "lr=choice(7)", name="one")
    assert names(project) == ["one-1"]


def test_a_range_keeps_the_noise_of_hydra(project: TestProject) -> None:
    queue(project, "lr=range(0.1,0.5,0.1)")
    assert values(project, "lr") == ["0.1", "0.2", "0.30000000000000004", "0.4"]
    assert len(set(names(project))) == 4


def test_trials_that_change_nothing_are_tasks_too(project: TestProject) -> None:
    queue(project, "lr=0.1,0.1", name="same")
    assert names(project) == ["same-1", "same-2"]
    assert len({each.tree for each in tasks(project).all}) == 1
    queue(project)
    assert len(names(project)) == 3


def test_files_of_other_kinds_new_files_and_modes(project: TestProject) -> None:
    project.write("conf.json", '{"seed": 1}\n')
    project.write("sub/more.toml", "x = 1  # kept\n")
    (project.root / "conf.json").chmod(0o755)
    queue(project, "conf.json:seed=5,6", "sub/more.toml:x=2", "new.yaml:+a=1", name="k")
    one, two = tasks(project).all
    assert project.file_at(one.commit, "conf.json") == '{"seed": 5}'
    assert project.file_at(two.commit, "conf.json") == '{"seed": 6}'
    assert project.file_at(two.commit, "sub/more.toml") == "x = 2  # kept"
    assert project.file_at(two.commit, "new.yaml") == "a: 1"
    assert project.git("ls-tree", one.commit, "conf.json").startswith("100755")
    assert not project.exists("new.yaml")


def test_a_parameter_file_behind_a_link(project: TestProject) -> None:
    project.write("real/p.yaml", "lr: 1\n")
    (project.root / "linked.yaml").symlink_to("real/p.yaml")
    (project.root / "outside.yaml").symlink_to("/etc/hostname.yaml")
    project.commit("links")
    queue(project, "linked.yaml:lr=1,2,3")
    found = [project.file_at(each.commit, "real/p.yaml") for each in tasks(project).all]
    assert found == ["lr: 1", "lr: 2", "lr: 3"]
    assert {project.git("ls-tree", each.commit, "linked.yaml")[:6] for each in tasks(project).all} == {"120000"}
    with pytest.raises(OffbranchError, match="leads out of the repository"):
        queue(project, "outside.yaml:+lr=2")
    assert len(names(project)) == 3


def test_line_ends_and_filters_are_as_git_would_keep_them(project: TestProject) -> None:
    project.write(".gitattributes", "params.yaml text eol=crlf\n*.json filter=upper\n")
    project.git("config", "filter.upper.clean", "tr a-z A-Z")
    project.git("config", "filter.upper.smudge", "tr A-Z a-z")
    project.write("params.yaml", "lr: 0.1\r\nfail: 0\r\n")
    project.write("conf.json", '{"seed": 1}\n')
    project.commit("attributes")
    queue(project, "lr=0.2,0.3", "conf.json:seed=2")
    for task, lr in zip(tasks(project).all, ("0.2", "0.3"), strict=True):
        assert git(project.root, "cat-file", "-p", f"{task.commit}:params.yaml") == f"lr: {lr}\nfail: 0"
        assert project.file_at(task.commit, "conf.json") == '{"SEED": 2}'


def test_changed_data_of_the_workspace_is_kept_for_the_task(project: TestProject) -> None:
    project.write("data.bin", "one\n")
    add(["data.bin"], project.session())
    project.commit("data")
    project.write("data.bin", "two\n")
    recorded = project.read("data.bin.dvc")
    queue(project, "lr=1,2", name="d")
    assert project.read("data.bin.dvc") == recorded
    for each in tasks(project).all:
        assert "c193497a1a06b2c72230e6146ff47080" in project.file_at(each.commit, "data.bin.dvc")
    assert project.exists(".dvc/cache/files/md5/c1/93497a1a06b2c72230e6146ff47080")


def test_each_trial_is_looked_at_where_parameters_decide_about_stages(project: TestProject) -> None:
    project.write("dvc.yaml", project.read("dvc.yaml").replace("- data.txt", "- ${input}"))
    project.write("params.yaml", "lr: 0.1\nfail: 0\ninput: data.txt\n")
    project.write("other.txt", "not tracked\n")
    queue(project, "input=data.txt,other.txt")
    for each in tasks(project).all:
        assert project.file_at(each.commit, "other.txt") == "not tracked"
    with pytest.raises(OffbranchError):
        queue(project, "input=data.txt,model.txt", name="t")  # its own output
    assert len(names(project)) == 2


def test_automatic_names_avoid_what_is_there(project: TestProject) -> None:
    first = queue(project, "lr=1,2,3").tasks
    again = queue(project, "lr=1,2,3").tasks  # with the same generator
    assert len({task.spec.name for task in (*first, *again)}) == 6


def test_names_that_are_taken(project: TestProject) -> None:
    assert project.ob("exp", "run", "-n", "P-2", "-S", "lr=5").code == 0
    before = everything(project)
    with pytest.raises(ConflictError, match="an experiment 'P-2' exists already for this baseline"):
        queue(project, "lr=1,2", name="P")
    assert everything(project) == before
    queue(project, "lr=1,2", name="Q")
    with pytest.raises(ConflictError, match="tasks 'Q-1', 'Q-2' exist already in the queue"):
        queue(project, "lr=1,2,3", name="Q")
    with pytest.raises(ConflictError, match="'Q-1'"):
        queue(project, "lr=1", name="Q-1")
    assert names(project) == ["Q-1", "Q-2"]
    project.commit("moves on")
    queue(project, "lr=1,2", name="Q")  # of another baseline
    assert names(project) == ["Q-1", "Q-2", "Q-1", "Q-2"]


def test_force_replaces(project: TestProject) -> None:
    queue(project, "lr=1,2", name="Q")
    done = queue(project, "lr=3,4", name="Q", force=True)
    assert done.replaced == ("Q-1", "Q-2")
    assert (names(project), values(project, "lr")) == (["Q-1", "Q-2"], ["3", "4"])


@pytest.mark.parametrize(
    ("overrides", "more", "error", "message"),
    [
        (("nope=1,2",), {}, NotFoundError, "could not override 'nope'"),
        (("lr=1,2", "lr.deep=1"), {}, OffbranchError, "could not override"),
        (("lr=interval(0,1)",), {}, UsageError, "an interval cannot be enumerated"),
        (("lr=glob(*)",), {}, UsageError, "these parameters are not composed"),
        (("lr=range(3,1)",), {}, UsageError, "the range is empty"),
        (("../p.yaml:lr=1,2",), {}, UsageError, "outside the project"),
        (("lr=1,2",), {"targets": ("trian",)}, NotFoundError, "trian"),
        (("lr=1,2",), {"name": "a/b"}, UsageError, "invalid experiment name 'a/b'"),
        (("lr=1,2",), {"name": ""}, UsageError, "it is empty"),
        (("lr=1,2",), {"copy_paths": ("nosuch",)}, NotFoundError, "cannot copy"),
        (("lr=range(0,6000)",), {}, UsageError, "this sweep has 6000 trials"),
        (("lr=range(0,3)",), {"max_trials": 2}, UsageError, r"3 trials \(3\), and more than 2"),
        (tuple(f"{k}=range(0,1000)" for k in ("lr", "fail", "x")), {}, UsageError, "1000000000 trials"),
        (
            tuple(f"{k}=range(0,1000)" for k in ("lr", "fail", "x")),
            {"max_trials": 10**12},
            UsageError,
            r"1000000000 trials \(1000 x 1000 x 1000\), and more than 100000 cannot",
        ),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_written(
    overrides: tuple[str, ...], more: dict[str, Any], error: type[OffbranchError], message: str, project: TestProject
) -> None:
    project.git("gc", "-q")
    before = everything(project)
    with pytest.raises(error, match=message):
        queue(project, *overrides, **more)
    assert everything(project) == before
    assert project.git("count-objects") == "0 objects, 0 kilobytes"


def test_a_dry_run_writes_nothing(project: TestProject) -> None:
    project.git("gc", "-q")
    before = everything(project)
    done = queue(project, "lr=1,2", name="P", dry=True)
    assert [task.spec.name for task in done.tasks] == ["P-1", "P-2"] and done.stored == ()
    assert everything(project) == before
    assert project.git("count-objects") == "0 objects, 0 kilobytes"


def test_a_limit_can_be_raised(project: TestProject) -> None:
    queue(project, "lr=range(0,12)", max_trials=12)
    assert len(names(project)) == 12


def test_from_below_and_in_a_project_that_is_not_the_top_of_git(tmp_path: Path) -> None:
    made = make_project(tmp_path / "top/project")
    (made.root / ".git").rename(tmp_path / "top/.git")
    top = TestProject(tmp_path / "top")
    top.commit("moved")
    (made.root / "sub").mkdir()
    made.write("sub/dvc.yaml", "stages:\n  s:\n    cmd: echo 1 > s.txt\n    outs:\n    - s.txt\n")
    queue(made, "lr=0.7,0.8", cwd="sub", copy_paths=(".",), targets=("s",))
    one, _ = tasks(made).all
    assert git(top.root, "show", f"{one.commit}:project/params.yaml").splitlines()[1] == "lr: 0.7"
    assert (one.task.copy_paths, one.task.options.select.cwd) == (("sub",), "sub")


def test_what_is_no_task_is_told_apart(project: TestProject) -> None:
    queue(project, "lr=1", name="good")
    head = project.git("rev-parse", "HEAD")
    blob = git(project.root, "hash-object", "-w", "--stdin", input=b"x")
    project.git("update-ref", "refs/ob/tasks/head", head)
    project.git("update-ref", "refs/ob/tasks/blob", blob)
    (good,) = tasks(project).all
    message = project.git("log", "-1", "--format=%B", good.commit)
    moved = git(project.root, "commit-tree", good.tree, input=message.encode())
    project.git("update-ref", "refs/ob/tasks/rootless", moved)
    found = tasks(project)
    assert [each.name for each in found.all] == ["good"]
    reasons = {each.ref.rpartition("/")[2]: each.reason for each in found.unreadable}
    assert reasons["blob"] == "blob is there instead of a commit"
    assert reasons["rootless"] == "its commit does not start from its baseline" and "head" in reasons
    assert project.ob("exp", "show").code == 0
