"""Going on from a checkpoint: `ob exp run --resume`, in the workspace and in a copy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from asking import ASK, PIPELINE, chain, mark, output_at, training
from git_repos import opened
from offbranch.base.paths import AbsPath
from offbranch.base.records import replace
from offbranch.experiments.attempts import end_update, list_attempts, write_record
from offbranch.experiments.experiment import AttemptState
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import update_refs
from projects import SOURCE, TestProject
from sharing import make_place

EVERY = "--keep-checkpoints=all"
# Adds a line to its model at each step, from where it is; dies once at a step that a file outside of the project names.
GOING_ON = """
import signal
lines = open("model.bin").read().splitlines() if os.environ.get("DVCLIVE_RESUME") else []
lr = open("params.yaml").read().split()[1]
stop = os.environ.get("STOP_AT")
for step in range(len(lines), 5):
    lines.append(f"step {step} lr {lr}")
    open("model.bin", "w").write("".join(f"{line}\\n" for line in lines))
    metrics(acc=step)
    assert ask(step)["is_taken"]
    if stop == str(step):
        while state()["made"] <= step - int(os.environ.get("BEGAN_AT", "0")):
            time.sleep(0.01)
        if os.environ.get("HOW") == "kill":
            os.killpg(0, signal.SIGKILL)
        sys.exit(3)
"""


def whole(lr: object = 1, n: int = 5) -> str:
    return "".join(f"step {step} lr {lr}\n" for step in range(n))


def failed(project: TestProject, *args: str, at: int = 2, name: str = "x", **env: str) -> str:
    done = project.ob("exp", "run", "-n", name, EVERY, *args, STOP_AT=str(at), **env)
    assert done.code == 1, done.err
    return done.err


@pytest.mark.parametrize("first", [(), ("--temp",)])
@pytest.mark.parametrize("then", [(), ("--temp",)])
def test_a_failed_run_goes_on_under_its_name(tmp_path: Path, first: tuple[str, ...], then: tuple[str, ...]) -> None:
    project = training(tmp_path / "p", GOING_ON)
    way_out = " ".join(("to go on from checkpoint 3: ob exp run --resume x", *first))
    assert failed(project, *first).endswith(f"/output.log'; {way_out}\n")
    assert "; to go on from checkpoint 3: ob exp run --resume x; log: " in project.ob("exp", "show").out
    before = chain(project, "x")
    assert len(before) == 3
    done = project.ob("exp", "run", "--resume", "x", *then)  # EVERY holds for all of the chain
    assert done.code == 0, done.err
    assert "goes on with 'x' from checkpoint 3 (step 2)" in done.err + done.err
    commits = chain(project, "x")
    assert commits[:3] == before
    assert [(mark(project, each) or {}).get("number") for each in commits] == [1, 2, 3, 4, 5, None]
    assert [(mark(project, each) or {}).get("keep") for each in commits[:5]] == ["all"] * 5
    assert (output_at(project, commits[-1]) or b"").decode() == whole()
    assert "checkpoint" not in project.file_at(commits[-1], "dvc.lock")
    assert project.git("for-each-ref", "refs/ob") == ""
    rows = project.ob("exp", "show", "--json").json
    assert "model.bin" not in project.git("status", "--porcelain")
    assert json.dumps(rows).count('"name": "x"') >= 1
    if not then:
        assert project.read("model.bin") == whole()


def test_an_older_one_or_other_parameters_make_a_new_experiment(tmp_path: Path) -> None:
    project = training(tmp_path / "p", GOING_ON)
    failed(project)
    before = chain(project, "x")
    done = project.ob("exp", "run", "--resume", "x@2", "-n", "older", EVERY)
    assert done.code == 0, done.err
    assert "the new experiment 'older' goes on from checkpoint 2 (step 1) of 'x': it is not the newest" in done.err
    assert chain(project, "older")[:2] == before[:2]
    assert chain(project, "x") == before
    project.git("checkout", "-q", "--", ".")
    done = project.ob("exp", "run", "--resume", "x", "-S", "lr=5", EVERY, "--temp")
    assert done.code == 0, done.err
    assert "-S changes its parameters" in done.err
    new = next(name for name in project.exps() if name not in ("x", "older"))
    commits = chain(project, new)
    assert commits[:3] == before
    text = (output_at(project, commits[-1]) or b"").decode()
    assert text == whole(1, 3) + whole(5)[len(whole(5, 3)) :]
    assert project.file_at(commits[-1], "params.yaml") == "lr: 5"


def test_what_went_on_with_other_parameters_is_no_result_to_hand_out(tmp_path: Path) -> None:
    project = training(tmp_path / "p", GOING_ON)
    failed(project)
    assert project.ob("exp", "run", "--resume", "x", "-S", "lr=5", "--temp", EVERY).code == 0
    done = project.ob("exp", "run", "-n", "fresh", "-S", "lr=5", "--temp", EVERY)
    assert done.code == 0, done.err
    assert (output_at(project, chain(project, "fresh")[-1]) or b"").decode() == whole(5)


def test_a_finished_one_goes_on_only_where_something_is_changed(tmp_path: Path) -> None:
    project = training(tmp_path / "p", GOING_ON)
    assert project.ob("exp", "run", "-n", "x", EVERY).code == 0
    done = project.ob("exp", "run", "--resume", "x", "--temp")
    assert done.code == 2
    assert "there is nothing to resume: 'x' has come to its end" in done.err
    done = project.ob("exp", "run", "--resume", "x", "-S", "lr=2", "--temp", "-n", "y", EVERY)
    assert done.code == 0, done.err
    assert "goes on from the end of 'x'" in done.err
    assert chain(project, "y")[:6] == chain(project, "x")


def test_what_cannot_be_gone_on_from(tmp_path: Path) -> None:
    project = training(tmp_path / "p", GOING_ON)
    done = project.ob("exp", "run", "--resume")
    assert (done.code, "there is nothing to go on from" in done.err) == (1, True)
    done = project.ob("exp", "run", "--resume", "nothing")
    assert (done.code, "'nothing' is neither a Git revision nor an experiment" in done.err) == (1, True)
    failed(project, at=1)
    done = project.ob("exp", "run", "--resume", "x@9")
    assert (done.code, "'x@9' does not exist: 'x' has 2 checkpoints" in done.err) == (1, True)
    done = project.ob("exp", "run", "--resume", "x", "--reset")
    assert (done.code, "--resume goes on and --reset starts over" in done.err) == (2, True)
    assert project.ob("exp", "run", "-n", "plain", "--no-checkpoint", "-S", "lr=3", "--temp").code == 1
    done = project.ob("exp", "run", "--resume", "plain")
    assert (done.code, "'plain' has no checkpoints" in done.err) == (1, True)
    done = project.ob("exp", "run", "--resume", "HEAD")
    assert done.code == 1, done.err
    project.write("other.txt", "1")
    project.commit("later")
    done = project.ob("exp", "run", "--resume", "x")
    assert done.code == 1
    assert "'x' started from" in done.err
    assert "--temp goes on in a copy" in done.err
    done = project.ob("exp", "run", "--resume", "x", "--temp", EVERY)
    assert done.code == 0, done.err


def test_without_a_name_it_is_the_newest_that_has_not_ended(tmp_path: Path) -> None:
    project = training(tmp_path / "p", GOING_ON)
    failed(project, name="a", at=1)
    failed(project, "-S", "lr=2", name="b", at=2)
    done = project.ob("exp", "run", "--resume", EVERY)
    assert done.code == 0, done.err
    assert "goes on with 'b' from checkpoint 3" in done.err
    assert (output_at(project, chain(project, "b")[-1]) or b"").decode() == whole(2)
    attempt = project.git("for-each-ref", "--format=%(refname)", "refs/ob/attempts").split("/")[-1]
    project.git("checkout", "-q", "--", ".")
    done = project.ob("exp", "run", "--resume", attempt, EVERY)
    assert done.code == 0, done.err
    assert "goes on with 'a' from checkpoint 2" in done.err


def test_files_of_the_workspace(tmp_path: Path) -> None:
    project = training(tmp_path / "p", GOING_ON)
    failed(project, "-S", "lr=3")
    assert project.read("params.yaml") == "lr: 1\n"
    project.write("params.yaml", "lr: 7\n")
    done = project.ob("exp", "run", "--resume", "x", EVERY)
    assert done.code == 1
    assert "'params.yaml' has local changes" in done.err
    assert project.read("params.yaml") == "lr: 7\n"
    project.git("checkout", "-q", "params.yaml")
    project.write("train.py", project.read("train.py").replace("metrics(acc=step)", "metrics(acc=step, new=1)"))
    done = project.ob("exp", "run", "--resume", "x", EVERY, "-n", "other-code")
    assert done.code == 0, done.err
    assert "'other-code' goes on from checkpoint 3 (step 2) of 'x': train.py is as in the workspace" in done.err
    assert project.read("params.yaml") == "lr: 3\n"
    assert json.loads(project.read("metrics.json")) == {"acc": 4, "new": 1}
    assert project.read("model.bin") == whole(3)


def test_a_failure_puts_the_workspace_back(tmp_path: Path) -> None:
    project = training(tmp_path / "p", GOING_ON)
    assert project.ob("exp", "run", "-n", "done", EVERY, "-S", "lr=9").code == 0
    project.git("checkout", "-q", "params.yaml")
    failed(project, "-S", "lr=3")
    before = {
        path: project.read(path) for path in ("params.yaml", "metrics.json", "dvc.lock", "model.bin", ".gitignore")
    }
    done = project.ob("exp", "run", "--resume", "x", EVERY, STOP_AT="3", BEGAN_AT="3")
    assert done.code == 1
    assert {path: project.read(path) for path in before} == before
    assert [(mark(project, each) or {}).get("number") for each in chain(project, "x")] == [1, 2, 3, 4]
    done = project.ob("exp", "run", "--resume", EVERY)
    assert done.code == 0, done.err
    assert project.read("model.bin") == whole(3)
    assert project.git("for-each-ref", "refs/ob") == ""


def rows(project: TestProject) -> list[tuple[str, str, int]]:
    """Name, state and count of checkpoints of each row of a table."""
    shown = project.ob("exp", "show", "--json").json[-1]["experiments"] or []
    found = (
        (each["name"], (each.get("executor") or {}).get("state") or "", each.get("n_checkpoints", 0)) for each in shown
    )
    return sorted(found)


def test_each_is_one_row(tmp_path: Path) -> None:
    project = training(
        tmp_path / "p", GOING_ON.replace("stop = os", "os.system(os.environ.get('LOOK', ':'))\nstop = os")
    )
    failed(project, "--temp")
    assert rows(project) == [("x", "failed", 3)]
    look = f"cd {project.root} && PYTHONPATH={SOURCE} {sys.executable} -m offbranch exp show --json > {tmp_path}/seen"
    seen = []
    for words in (("x", "-S", "lr=2", "-n", "y"), ("x",)):
        done = project.ob("exp", "run", "--temp", "--resume", *words, EVERY, LOOK=look, DVC_ROOT=str(project.root))
        assert done.code == 0, done.err
        shown = json.loads((tmp_path / "seen").read_text())[-1]["experiments"]
        seen.append(sorted((each["name"], (each.get("executor") or {}).get("state") or "") for each in shown))
    assert seen == [[("x", "failed"), ("y", "running")], [("x", "running"), ("y", "")]]
    assert rows(project) == [("x", "", 5), ("y", "", 5)]


def test_one_that_had_taken_a_name_by_force(tmp_path: Path) -> None:
    project = training(tmp_path / "p", GOING_ON)
    assert project.ob("exp", "run", "-n", "x", EVERY, "--temp").code == 0
    old = project.exps()["x"]
    failed(project, "-f", "-S", "lr=2", "--temp")
    assert project.exps()["x"] == old
    done = project.ob("exp", "run", "--resume", "x", EVERY, "--temp")
    assert done.code == 0, done.err
    assert "goes on with 'x' from checkpoint 3" in done.err
    assert (output_at(project, chain(project, "x")[-1]) or b"").decode() == whole(2)
    assert project.git("for-each-ref", "refs/ob") == ""


@pytest.mark.parametrize("n_made", [1, 3])
def test_one_that_was_killed_while_its_refs_moved(tmp_path: Path, n_made: int) -> None:
    """Its record is a checkpoint behind its chain, until it is put in order."""
    project = training(tmp_path / "p", GOING_ON)
    assert project.ob("exp", "run", "-n", "x", EVERY, "--temp").code == 0
    old = project.exps()["x"]
    command = [sys.executable, "-m", "offbranch", "exp", "run", "-f", "-n", "x", "-S", "lr=2", "--temp", EVERY]
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "STOP_AT": str(n_made - 1), "HOW": "kill"}
    ended = subprocess.run(command, cwd=project.root, env=env, start_new_session=True, capture_output=True, check=False)
    assert ended.returncode != 0
    commits = chain(project, "x")
    assert len(commits) == n_made
    repo, root = opened(project.root), AbsPath(str(project.root))
    (attempt,) = list_attempts(repo, root)
    with ObjectReader(repo) as objects:
        tree = objects.commit(attempt.commit or attempt.baseline).tree
    before = CommitId(commits[-2]) if n_made > 1 else None
    behind, update = end_update(repo, replace(attempt, checkpoint=before, checkpoints=n_made - 1), tree)
    update_refs(repo, [update])
    write_record(root, behind)
    assert rows(project) == [("x", "failed", n_made)]
    assert project.ob("checkout").code in (0, 1)
    (attempt,) = list_attempts(repo, root)
    assert (attempt.state, attempt.checkpoint) == (AttemptState.INTERRUPTED, commits[-1])
    assert attempt.checkpoints == n_made and project.exps()["x"] == old


def test_starting_over(tmp_path: Path) -> None:
    pipeline = "stages: {train: {cmd: sh train.sh, outs: [model.txt: {checkpoint: true}, kept.txt: {persist: true}]}}\n"
    script = "echo more >> model.txt; echo more >> kept.txt\n"
    project = training(tmp_path / "p", more={"dvc.yaml": pipeline, "train.sh": script})
    for n in (1, 2):
        assert project.ob("exp", "run").code == 0
        assert project.read("model.txt") == "more\n" * n
    project.write("kept.txt", "by hand\n")
    done = project.ob("exp", "run", "--reset")
    assert done.code == 0, done.err
    assert "because it starts over" in done.out
    assert project.read("model.txt") == project.read("kept.txt") == "more\n"
    cached = [path.read_text() for path in project.root.glob(".dvc/cache/files/md5/*/*")]
    assert "by hand\n" in cached


def test_an_unfinished_chain_goes_on_in_another_clone(tmp_path: Path) -> None:
    place = make_place(tmp_path, experiments=())
    project = place.project
    for path, text in {"train.py": ASK + GOING_ON, "dvc.yaml": PIPELINE, "params.yaml": "lr: 1\n"}.items():
        project.write(path, text)
    project.commit("train")
    project.git("push", "-q", "origin", "main")
    failed(project)
    done = project.ob("exp", "push", "origin", "x")
    assert done.code == 0, done.err
    other = place.clone("other")
    done = other.ob("exp", "pull", "origin", "x")
    assert done.code == 0, done.err
    done = other.ob("exp", "run", "--resume", "x", EVERY)
    assert done.code == 0, done.err
    assert chain(other, "x")[:3] == chain(project, "x")
    assert other.read("model.bin") == whole()
    bare = place.clone("bare")
    assert bare.ob("exp", "pull", "origin", "x", "--no-cache").code == 0
    done = bare.ob("exp", "run", "--resume", "x", EVERY)
    assert done.code == 1
    assert "not in the cache: model.bin" in done.err
    assert "--pull fetches it" in done.err
    done = bare.ob("exp", "run", "--resume", "x", EVERY, "--pull")
    assert done.code == 0, done.err
    assert bare.read("model.bin") == whole()


def test_one_whose_data_was_not_kept_names_the_nearest(tmp_path: Path) -> None:
    project = training(tmp_path / "p", GOING_ON)
    done = project.ob("exp", "run", "-n", "x", "--keep-checkpoints=last=1", STOP_AT="3")
    assert done.code == 1
    done = project.ob("exp", "run", "--resume", "x@1")
    assert done.code == 1
    assert "the data of checkpoint 1 of 'x' was not kept: model.bin" in done.err
    assert "the nearest that was: x@4" in done.err


def test_a_killed_run_in_the_workspace_leaves_what_was_there(tmp_path: Path) -> None:
    project = training(tmp_path / "p", GOING_ON)
    assert project.ob("exp", "run", "-n", "done", EVERY, "-S", "lr=9").code == 0
    project.git("checkout", "-q", "params.yaml")
    failed(project, "-S", "lr=3", "--temp")
    before = {path: project.read(path) for path in ("params.yaml", "metrics.json", ".gitignore")}
    command = [sys.executable, "-m", "offbranch", "exp", "run", "--resume", "x", EVERY]
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "STOP_AT": "3", "BEGAN_AT": "3", "HOW": "kill"}
    ended = subprocess.run(command, cwd=project.root, env=env, start_new_session=True, capture_output=True, check=False)
    assert ended.returncode != 0
    project.ob("exp", "show")
    assert project.ob("checkout").code in (0, 1)
    assert {path: project.read(path) for path in before} == before
    done = project.ob("exp", "run", "--resume", EVERY)
    assert done.code == 0, done.err
    assert project.read("model.bin") == whole(3)
