"""An experiment in the workspace: what its commit holds, and what of the user's must not change."""

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from git_repos import opened, state_of_user
from offbranch.api.exp import RunReport, RunRequest, run
from offbranch.base.errors import ConflictError, LockedError, NotFoundError, StageFailedError, UsageError
from offbranch.base.locks import hold_lock
from offbranch.base.paths import AbsPath
from offbranch.base.records import replace
from offbranch.experiments import attempt_end
from offbranch.experiments import attempts as attempts_module
from offbranch.experiments.attempts import list_attempts, read_records
from offbranch.experiments.commit import experiment_hash
from offbranch.experiments.events import WorkspaceRestored
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.git.objects import CommitId
from offbranch.git.repository import find_repo
from offbranch.pipeline.lockfile import parse_lock
from offbranch.pipeline.options import ExecuteOptions
from offbranch.pipeline.plan import Action
from projects import Recorder, TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


def exp_run(project: TestProject, *overrides: str, recorder: Recorder | None = None, **more: object) -> RunReport:
    request = RunRequest(overrides=overrides, **more)  # type: ignore[arg-type]
    return run(request, project.session(recorder), rng=random.Random(1))


def attempts(project: TestProject) -> list[AttemptState]:

    repo = find_repo(AbsPath(str(project.root)), os.environ)
    assert repo is not None
    return [attempt.true_state for attempt in list_attempts(repo, AbsPath(str(project.root)))]


def test_the_commit_is_that_of_the_specification(project: TestProject) -> None:
    head = project.git("rev-parse", "HEAD")
    report = exp_run(project, "lr=0.25", name="quarter")
    assert report.experiment is not None
    commit = project.exps()["quarter"]
    assert report.experiment.commit == commit
    assert project.git("for-each-ref", f"refs/exps/{head[:2]}/{head[2:]}/quarter")
    raw = project.git("cat-file", "commit", commit)
    lock = parse_lock(project.file_at(commit, "dvc.lock"), "dvc.lock")
    assert f"parent {head}\n" in raw
    assert raw.count("parent ") == 1
    assert raw.partition("\n\n")[2] == f"dvc: commit experiment {experiment_hash(lock)}"
    assert "author Ann Dev <ann@example.com>" in raw
    names = project.git("ls-tree", "-r", "--name-only", commit).split()
    assert names == [
        ".dvc/.gitignore", ".dvc/config", ".dvcignore", ".gitignore", "data.txt", "dvc.lock", "dvc.yaml",
        "metrics.json", "params.yaml", "train.sh",
    ]  # fmt: skip
    assert project.file_at(commit, "params.yaml") == "# learning rate\nlr: 0.25\nfail: 0"
    assert json.loads(project.file_at(commit, "metrics.json")) == {"acc": 0.25}


def test_the_message_is_not_ended_by_a_newline_and_m_replaces_it(project: TestProject) -> None:
    exp_run(project, "lr=0.2", name="standard")
    exp_run(project, "lr=0.3", name="mine", message="my words")

    for name, end in (("standard", b""), ("mine", b"my words")):
        raw = subprocess.run(
            ["git", "cat-file", "commit", project.exps()[name]], cwd=project.root, capture_output=True, check=True
        ).stdout
        assert not raw.endswith(b"\n")
        assert raw.endswith(end)


def test_head_index_and_everything_of_the_user_stay(project: TestProject) -> None:
    project.write("staged.txt", "staged\n")
    project.git("add", "staged.txt")
    project.write("staged.txt", "staged, then changed\n")
    project.write("train.sh", project.read("train.sh") + "# my edit\n")
    project.write("untracked.txt", "mine\n")
    project.git("stash", "list")
    index, head, refs, *_ = state_of_user(project.root)
    log = project.git("reflog")
    exp_run(project, "lr=0.2", name="one")
    after = state_of_user(project.root)
    assert (index, head) == after[:2]
    assert project.git("reflog") == log
    assert set(project.git("for-each-ref", "--format=%(refname)").split()) == {
        "refs/heads/main",
        f"refs/exps/{project.git('rev-parse', 'HEAD')[:2]}/{project.git('rev-parse', 'HEAD')[2:]}/one",
    }
    assert project.read("untracked.txt") == "mine\n"
    commit = project.exps()["one"]
    assert project.file_at(commit, "staged.txt") == "staged, then changed"
    assert project.file_at(commit, "train.sh").endswith("# my edit")
    assert "untracked.txt" not in project.git("ls-tree", "-r", "--name-only", commit)
    assert "?? untracked.txt" in project.git("status", "--porcelain")
    del refs


def test_a_failure_leaves_the_workspace_as_it_was_and_a_record(project: TestProject) -> None:
    exp_run(project, "lr=0.2", name="good")
    project.commit("with results")
    project.write("train.sh", project.read("train.sh") + "# edit\n")
    project.write("untracked.txt", "mine\n")
    before = {path: project.read(path) for path in ("params.yaml", "model.txt", "metrics.json", "dvc.lock", "train.sh")}
    user = state_of_user(project.root)[:2]
    recorder = Recorder()
    with pytest.raises(StageFailedError) as caught:
        exp_run(project, "lr=0.9", "fail=3", name="bad", recorder=recorder)
    assert caught.value.exit_code_of_command == 3
    assert {path: project.read(path) for path in before} == before
    assert state_of_user(project.root)[:2] == user
    assert "bad" not in project.exps()
    assert recorder.of(WorkspaceRestored)
    (record,) = [r for r in read_records(AbsPath(str(project.root))) if r.name == "bad"]
    assert (record.state, record.exit_code, record.stage) == (AttemptState.FAILED, 3, "train")
    assert attempts(project) == [AttemptState.FAILED]
    assert json.loads(project.file_at(record.commit or "", "metrics.json")) == {"acc": 0.9}
    assert project.file_at(record.commit or "", "params.yaml").startswith("# learning rate\nlr: 0.9")
    assert (project.root / record.log).exists()


def test_a_directory_that_git_keeps_is_put_back_after_a_failure(tmp_path: Path) -> None:
    stage = "mkdir -p plots && cp params.yaml plots/p && grep -q 'fail: 0' params.yaml"
    pipeline = (
        f'stages:\n  t:\n    cmd: "{stage}"\n    params: [lr, fail]\n    outs:\n    - plots:\n        cache: false\n'
    )
    project = make_project(tmp_path / "q", {"params.yaml": "lr: 1\nfail: 0\n", "dvc.yaml": pipeline})
    exp_run(project, name="good")
    project.write("plots/mine", "by hand\n")
    with pytest.raises(StageFailedError):
        exp_run(project, "fail=1", name="bad")
    assert project.read("plots/p") == "lr: 1\nfail: 0\n"
    assert project.read("plots/mine") == "by hand\n"


@pytest.mark.parametrize("temporary", [False, True])
def test_trouble_after_the_ref_is_written_does_not_make_it_a_failure(
    project: TestProject, monkeypatch: pytest.MonkeyPatch, temporary: bool
) -> None:
    write = attempts_module.write_record

    def full_disk(root: AbsPath, attempt: Attempt) -> None:
        if attempt.state is AttemptState.SUCCEEDED:
            raise OSError(28, "No space left on device")
        write(root, attempt)

    def cannot_prune(root: AbsPath) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(attempts_module, "write_record", full_disk)
    monkeypatch.setattr(attempt_end, "prune_records", cannot_prune)
    exp_run(project, "lr=0.2", name="good", temporary=temporary)
    assert "good" in project.exps()
    assert attempts(project) == []
    assert project.read("params.yaml").startswith("# learning rate\nlr: " + ("0.1" if temporary else "0.2"))


def test_an_experiment_that_is_published_cannot_be_recorded_as_failed(project: TestProject) -> None:
    exp_run(project, "lr=0.2", name="good")
    (record,) = read_records(AbsPath(str(project.root)))
    repo = opened(project.root)
    begun = replace(record, state=AttemptState.FAILED, commit=CommitId(project.git("rev-parse", "HEAD")))
    with pytest.raises(ConflictError):
        attempts_module.end_attempt(repo, AbsPath(str(project.root)), begun, None)
    assert attempts(project) == []


def test_malformed_input_changes_nothing_at_all(project: TestProject) -> None:
    before = state_of_user(project.root)
    with pytest.raises(NotFoundError):
        exp_run(project, "nosuch=1")
    with pytest.raises(NotFoundError):
        exp_run(project, targets=("trian",))
    project.write("dvc.yaml", "stages:\n  train:\n    cmd: [\n")
    with pytest.raises(Exception, match=r"dvc\.yaml:"):
        exp_run(project, "lr=0.3")
    assert project.read("params.yaml").startswith("# learning rate\nlr: 0.1")
    assert state_of_user(project.root) == before
    assert attempts(project) == []


def test_a_taken_name_is_refused_before_any_work_and_f_replaces_it(project: TestProject) -> None:
    exp_run(project, "lr=0.2", name="one")
    first = project.exps()["one"]
    with pytest.raises(ConflictError, match="exists already"):
        exp_run(project, "lr=0.3", name="one")
    assert project.read("params.yaml").startswith("# learning rate\nlr: 0.2")
    exp_run(project, "lr=0.3", name="one", force=True)
    assert project.exps()["one"] != first


def test_running_again_makes_another_experiment(project: TestProject) -> None:
    exp_run(project, "lr=0.2")
    report = exp_run(project, "lr=0.2")
    assert len(project.exps()) == 2
    assert report.experiment is not None
    message = project.git("log", "-1", "--format=%B", report.experiment.commit)
    assert "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" in message


def test_results_come_from_the_run_cache(project: TestProject) -> None:
    exp_run(project, "lr=0.2", name="a")
    exp_run(project, "lr=0.3", name="b")
    project.write("train.sh", project.read("train.sh"))
    report = exp_run(project, "lr=0.2", name="again")
    assert report.experiment is not None
    tree = project.git("rev-parse", f"{project.exps()['a']}^{{tree}}")
    assert project.git("rev-parse", f"{project.exps()['again']}^{{tree}}") == tree
    assert project.read("model.txt") == "model 0.2\n"


def test_dry_shows_the_plan_with_reasons_and_changes_nothing(project: TestProject) -> None:
    exp_run(project, "lr=0.2")
    before = (state_of_user(project.root), project.read("params.yaml"))
    report = exp_run(project, "lr=0.7", dry=True)
    assert report.plan is not None
    (step,) = report.plan.steps
    assert step.action is Action.RUN
    assert step.reasons[0].text == "parameter lr changed 0.2 -> 0.7"
    assert (state_of_user(project.root), project.read("params.yaml")) == before


def test_a_sweep_needs_the_queue(project: TestProject) -> None:
    with pytest.raises(UsageError, match="2 trials"):
        exp_run(project, "lr=0.2,0.3")


def test_a_held_project_is_refused_with_the_holder(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFBRANCH_LOCK_WAIT", "0")
    with (
        hold_lock(AbsPath(str(project.root / ".dvc/tmp/ob/lock"))),
        pytest.raises(LockedError, match="locked by process"),
    ):
        exp_run(project, "lr=0.2")


def test_the_peers_lock_is_honoured(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFBRANCH_LOCK_WAIT", "0")
    with hold_lock(AbsPath(str(project.root / ".dvc/tmp/lock"))), pytest.raises(LockedError):
        exp_run(project, "lr=0.2", execute=ExecuteOptions())
    assert project.read("params.yaml").startswith("# learning rate\nlr: 0.1")
