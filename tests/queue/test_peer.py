"""DVC's queue, read and taken over: what its files say, what is refused, and that exactly one of us has a task."""

import fcntl
import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from git_repos import opened, state_of_user
from offbranch.api.exp import RunRequest
from offbranch.api.queue import submit
from offbranch.api.queue_change import hold, remove
from offbranch.api.queue_peer import Imported, clean, import_tasks
from offbranch.api.queue_run_all import run_all
from offbranch.api.session import opened as opened_project
from offbranch.base.errors import ConflictError, GitError, NotFoundError, OffbranchError, UsageError
from offbranch.base.paths import AbsPath
from offbranch.pipeline.options import FailurePolicy
from offbranch.queue.chosen import TaskChoice
from offbranch.queue.peer import importing as peer_import
from offbranch.queue.peer.tasks import PeerTask, peer_tasks
from offbranch.queue.store import read_tasks
from offbranch.queue.task import StoredTask
from offbranch.queue.terms import Terms
from peer_queue import exps, message, put, queued_of_dvc, stashed, take
from projects import TestProject, make_project

RATE = "# learning rate\nlr: 0.7\nfail: 0\n"


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


def peers(project: TestProject) -> list[PeerTask]:
    with opened_project(project.session()) as it:
        return list(peer_tasks(it))


def states(project: TestProject) -> dict[str, str]:
    return {task.name: task.state.value for task in peers(project)}


def tasks(project: TestProject) -> list[StoredTask]:
    return list(read_tasks(opened(project.root), AbsPath(str(project.root))).all)


def bring(project: TestProject, *names: str, **more: Any) -> Imported:
    return import_tasks(project.session(), names, **more)


def everything(project: TestProject) -> tuple[object, ...]:
    files = {str(path): path.read_bytes() for path in exps(project).rglob("*") if path.is_file()}
    return project.git("for-each-ref"), stashed(project), files


# Reading


def test_no_queue_no_tasks(project: TestProject) -> None:
    assert peers(project) == []
    assert bring(project) == Imported()


def test_states_are_told_as_dvc_tells_them(project: TestProject) -> None:
    for name in ("waits", "runs", "failed", "broken", "revoked", "done"):
        put(project, name)
    result = {"result_hash": "0" * 64, "result_ref": "refs/exps/aa/bb/renamed"}
    nothing = {"result_hash": None, "result_ref": None}
    copy = exps(project) / "tmpabc"
    running = take(project, "runs", run={**nothing, "root_dir": str(copy)}, process={"pid": 17, "returncode": None})
    take(project, "failed", status="SUCCESS", run=nothing, process={"pid": 18, "returncode": 255})
    take(project, "broken", status="FAILURE")
    take(project, "revoked", status="REVOKED")
    take(project, "done", status="SUCCESS", run=result, process={"pid": 19, "returncode": 0})
    assert states(project) == {
        "waits": "queued",
        "runs": "running",
        "failed": "failed",
        "broken": "failed",
        "revoked": "failed",
        "renamed": "succeeded",
    }
    by_name = {task.name: task for task in peers(project)}
    runs, failed = by_name["runs"], by_name["failed"]
    assert (runs.pid, runs.root, runs.exit_code, runs.commit) == (17, str(copy), None, running)
    assert (failed.pid, failed.root, failed.exit_code, by_name["renamed"].result_ref) == (
        None,
        None,
        255,
        "refs/exps/aa/bb/renamed",
    )


def test_the_order_is_that_of_the_numbers_also_where_their_digits_grow(project: TestProject) -> None:
    for name, stamp in (("second", 10_000), ("first", 9_999), ("third", 100_000)):
        put(project, name, stamp=stamp)
    assert [task.name for task in peers(project)] == ["first", "second", "third"]


def test_what_is_no_task_is_left_out(project: TestProject) -> None:
    commit = put(project, "good")
    entry = {"stash_rev": commit, "baseline_rev": commit, "head_rev": commit, "name": "n", "branch": None}
    message(project, entry, {}, task="something.else")
    message(project, {**entry, "stash_rev": "../../etc"}, {})
    message(project, {**entry, "name": "../x"}, {})
    message(project, {**entry, "name": None, "baseline_rev": 7}, {})
    message(project, [], {})
    message(project, entry, [])
    message(project, entry, {}, id="../../../etc/passwd")
    broker = exps(project) / "celery/broker"
    (broker / "in/1_x.celery.msg").write_text("no json")
    (broker / "in/2_x.celery.msg").write_bytes(b"\xff\xfe")
    (broker / "in/3_x.celery.msg").mkdir()
    (broker / "in/4_x.dvc-exp-1@localhost.celery.pidbox.msg").write_text("{}")
    assert states(project) == {"good": "queued"}


def test_a_copy_elsewhere_is_not_looked_into(project: TestProject) -> None:
    put(project, "runs")
    take(project, "runs", run={"root_dir": "/etc"})
    assert [task.root for task in peers(project)] == [None]


def test_exp_show_has_them_with_their_parameters(project: TestProject) -> None:
    project.ob("repro")
    project.commit("with results")
    put(project, "waits", params=RATE)
    put(project, "runs", params=RATE)
    put(project, "failed", params=RATE)
    copy = exps(project) / "tmpabc"
    (copy / ".dvc").mkdir(parents=True)
    for path, text in (("dvc.yaml", project.read("dvc.yaml")), ("params.yaml", RATE), ("metrics.json", '{"acc": 5}')):
        (copy / path).write_text(text)
    take(project, "runs", run={"root_dir": str(copy)}, process={"pid": 17, "returncode": None})
    take(project, "failed", status="SUCCESS", process={"pid": 18, "returncode": 255})
    rows = {each["name"]: each for each in project.ob("exp", "show", "--json").json[1]["experiments"]}
    assert {name: row["executor"]["state"] for name, row in rows.items()} == {
        "waits": "queued",
        "runs": "running",
        "failed": "failed",
    }
    for name, metrics in (("waits", {}), ("runs", {"metrics.json": {"data": {"acc": 5}}}), ("failed", {})):
        (state,) = rows[name]["revs"]
        assert state["data"]["params"]["params.yaml"]["data"]["lr"] == 0.7
        assert state["data"]["metrics"] == metrics and rows[name]["executor"]["owner"] == "dvc"
    assert rows["failed"]["revs"][0]["error"] == {"msg": "Experiment run failed", "type": ""}
    assert rows["failed"]["executor"]["local"]["returncode"] == 255
    assert {each["name"] for each in project.ob("exp", "show", "--queued", "--json").json[1]["experiments"]} == {
        "waits",
        "runs",
    }


# Taking over


def test_a_task_becomes_ours_as_it_was(project: TestProject) -> None:
    project.write("extra.txt", "untracked\n")
    commit = put(
        project,
        "mine",
        params=RATE,
        kwargs={"copy_paths": ["extra.txt"], "message": "why"},
        targets=["train"],
        force=True,
        pull=True,
        on_error="keep-going",
    )
    before = state_of_user(project.root)[:2]
    done = bring(project, terms=Terms(priority=4))
    (task,) = tasks(project)
    assert done.stored[0].commit == task.commit and done.refused == () == done.missed
    assert (task.name, task.task.spec.message, task.task.spec.targets) == ("mine", "why", ("train",))
    assert (task.task.spec.force, task.task.copy_paths, task.task.priority) == (True, ("extra.txt",), 4)
    execute = task.task.options.execute
    assert (execute.pull, execute.on_failure) == (True, FailurePolicy.KEEP_GOING)
    theirs = set(project.git("ls-tree", "-r", commit).splitlines())
    ours = set(project.git("ls-tree", "-r", task.commit).splitlines())
    assert ours < theirs and [line.split("\t")[1] for line in theirs - ours] == [".dvc/tmp/repro.dat"]
    assert project.git("rev-parse", f"{task.commit}^@") == project.git("rev-parse", "HEAD")
    assert peers(project) == [] and stashed(project) == [] and queued_of_dvc(project) == []
    assert project.git("for-each-ref", "refs/ob/imports", "refs/exps") == ""
    assert state_of_user(project.root)[:2] == before
    assert [end.name for end in run_all(project.session())] == ["mine"]
    assert project.file_at(project.exps()["mine"], "metrics.json") == '{"acc": 0.7}'


def test_some_of_several_and_the_others_stay(project: TestProject) -> None:
    commits = {name: put(project, name) for name in ("a-1", "a-2", "b", "c")}
    with pytest.raises(NotFoundError, match="DVC has queued no experiment 'a-3'") as caught:
        bring(project, "b", "a-3")
    assert caught.value.hint is not None and "a-1" in caught.value.hint
    assert [task.spec.name for task in bring(project, "a-*", commits["c"][:8].upper()).tasks] == ["a-1", "a-2", "c"]
    assert queued_of_dvc(project) == ["b"] and stashed(project) == [commits["b"]]
    assert project.git("rev-parse", "refs/exps/celery/stash") == commits["b"]
    assert [task.name for task in tasks(project)] == ["a-1", "a-2", "c"]


def test_a_dry_run_changes_nothing(project: TestProject) -> None:
    put(project, "a")
    before = everything(project)
    assert [task.spec.name for task in bring(project, dry=True).tasks] == ["a"]
    assert everything(project) == before and not (project.root / ".dvc/tmp/ob/queue/imports").exists()


class Evil:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


def bad_tasks(project: TestProject, target: Path) -> Iterator[tuple[str, str]]:
    """Names, and what is said about each."""
    put(project, "evil", pickled=pickle.dumps(Evil(str(target))))
    yield "evil", "more than plain values"
    put(project, "evil-inside", pickled=pickle.dumps({"args": (), "kwargs": {"x": Evil(str(target))}}, 0))
    yield "evil-inside", "more than plain values"
    put(project, "cut", pickled=b"\x80\x04}")
    yield "cut", "refused"
    put(project, "odd", machine="gpu-1")
    yield "odd", "an option that is not known here: machine"
    put(project, "out", kwargs={"copy_paths": ["../secret"]})
    yield "out", "not below the project"
    put(project, "resumed", entry={"branch": "refs/exps/aa/bb/cp"})
    yield "resumed", "goes on with another experiment"
    put(project, "elsewhere", entry={"head_rev": "1" * 40})
    yield "elsewhere", "goes on with another experiment"
    put(project, "gone", entry={"stash_rev": "2" * 40})
    yield "gone", "2222"
    head = project.git("rev-parse", "HEAD")
    put(project, "plain", entry={"stash_rev": head, "baseline_rev": head})
    yield "plain", "goes on with another experiment"


def test_what_cannot_be_understood_stays_whole(project: TestProject, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    bad = dict(bad_tasks(project, target))
    before = everything(project)
    for name, reason in bad.items():
        with pytest.raises(OffbranchError, match=reason) as caught:
            bring(project, name)
        assert "nothing was taken" in caught.value.message
    assert everything(project) == before and not target.exists()
    put(project, "good")
    done = bring(project)
    assert [task.spec.name for task in done.tasks] == ["good"]
    assert {each.peer.name for each in done.refused} == set(bad)
    assert sorted(queued_of_dvc(project)) == sorted(bad) and not target.exists()
    ended = project.ob("queue", "import", "--all", "--json")
    assert ended.code == 1 and {each["name"] for each in ended.json["refused"]} == set(bad)


def test_a_name_that_is_taken_is_refused(project: TestProject) -> None:
    submit(RunRequest(overrides=("lr=0.2",), name="queued"), project.session())
    submit(RunRequest(overrides=("lr=0.3",), name="made"), project.session())
    hold(TaskChoice(names=("queued",)), project.session())
    list(run_all(project.session()))
    for name in ("queued", "made", "twice", "twice"):
        put(project, name)
    put(project, "made", force=True)
    done = bring(project)
    assert [task.spec.name for task in done.tasks] == ["twice", "made"]
    assert [(each.peer.name, each.reason) for each in done.refused] == [
        ("queued", "a task of the same baseline is called 'queued' already"),
        ("made", "an experiment of the same baseline is called 'made' already"),
        ("twice", "a task of the same baseline is called 'twice' already"),
    ]
    with pytest.raises(OffbranchError, match="already; nothing was taken"):
        bring(project, "twice")


def test_several_of_one_name_need_the_commit(project: TestProject) -> None:
    put(project, "twice", params=RATE)
    commit = put(project, "twice")
    with pytest.raises(UsageError, match="several 'twice'") as caught:
        bring(project, "twice")
    assert caught.value.hint is not None and commit[:7] in caught.value.hint
    assert len(bring(project, commit).tasks) == 1 and len(queued_of_dvc(project)) == 1


def test_what_a_worker_holds_stays_with_it(project: TestProject) -> None:
    put(project, "a")
    put(project, "b")
    path = next(iter(sorted((exps(project) / "celery/broker/in").iterdir())))
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = bring(project)
    assert [each.name for each in done.missed] == ["a"] and [task.spec.name for task in done.tasks] == ["b"]
    assert queued_of_dvc(project) == ["a"] and len(stashed(project)) == 1


def test_what_a_worker_takes_in_between_stays_with_it(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    put(project, "a")
    write_commits = peer_import.write_commits

    def late(*args: Any) -> Any:
        take(project, "a")
        return write_commits(*args)

    monkeypatch.setattr(peer_import, "write_commits", late)
    done = bring(project)
    assert done.tasks == () and [each.name for each in done.missed] == ["a"]
    assert tasks(project) == [] and states(project) == {"a": "running"} and len(stashed(project)) == 1


def test_where_git_refuses_all_goes_back(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    put(project, "a")
    put(project, "b")
    before = everything(project)

    def refuse(*_: Any) -> None:
        raise GitError("refused")

    monkeypatch.setattr(peer_import, "update_refs", refuse)
    with pytest.raises(GitError):
        bring(project)
    monkeypatch.undo()
    assert everything(project) == before and tasks(project) == []


def test_an_import_that_was_killed_before_the_refs_goes_on(project: TestProject) -> None:
    put(project, "a")
    imports = project.root / ".dvc/tmp/ob/queue/imports"
    imports.mkdir(parents=True)
    (path,) = (exps(project) / "celery/broker/in").iterdir()
    path.rename(imports / path.name)
    assert states(project) == {"a": "queued"} and tasks(project) == []
    assert [task.spec.name for task in bring(project, "a").tasks] == ["a"]
    assert states(project) == {} and stashed(project) == [] and list(imports.iterdir()) == []


def test_an_import_that_was_killed_after_the_refs_is_only_finished(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(project, "a")
    monkeypatch.setattr(peer_import, "finish_takeovers", lambda *_: 0)
    bring(project)
    monkeypatch.undo()
    assert len(stashed(project)) == 1 and project.git("for-each-ref", "refs/ob/imports") != ""
    assert states(project) == {} and [task.name for task in tasks(project)] == ["a"]
    list(run_all(project.session()))
    assert bring(project).tasks == () and tasks(project) == [] and set(project.exps()) == {"a"}
    assert stashed(project) == [] and project.git("for-each-ref", "refs/ob/imports", "refs/exps/celery") == ""


def test_commands_of_our_queue_say_whose_a_task_is(project: TestProject) -> None:
    put(project, "theirs")
    for act in (hold, remove):
        with pytest.raises(ConflictError, match="'theirs' is a task of DVC's queue") as caught:
            act(TaskChoice(names=("theirs",)), project.session())
        assert caught.value.hint == "make it ours: ob queue import theirs"
    assert queued_of_dvc(project) == ["theirs"]


def test_the_lock_of_the_stash_is_respected(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    put(project, "a")
    holder = {"pid": os.getppid(), "cmd": "dvc exp run --queue"}
    table = exps(project) / "rwlock"
    table.write_text(json.dumps({"write": {"refs/exps/celery/stash": holder}}))
    monkeypatch.setattr(peer_import.time, "sleep", lambda _: None)
    assert [task.spec.name for task in bring(project).tasks] == ["a"]
    assert len(stashed(project)) == 1 and states(project) == {}
    table.unlink()
    clean(project.session())
    assert stashed(project) == []


# Cleaning


def test_clean_removes_what_nobody_needs(project: TestProject) -> None:
    put(project, "a")
    put(project, "b")
    take(project, "b", status="SUCCESS")
    submit(RunRequest(overrides=("lr=0.2",), name="ours"), project.session())
    (task,) = tasks(project)
    broker, ours = exps(project) / "celery/broker", project.root / ".dvc/tmp/ob/queue"
    for path in ("processed/1_x.h@localhost.celery.pidbox.msg", "processed/2_x.reply.celery.pidbox.msg"):
        (broker / path).write_text("{}")
    for name, age in (("old", 1000), ("new", 0)):
        path = broker / f"in/{name}.reply.celery.pidbox.msg"
        path.write_text("{}")
        os.utime(path, (os.stat(path).st_mtime - age,) * 2)
    for name in ("leases/gone.lock", f"leases/{task.task.id}.lock", "leases/held.lock", "requests/gone.json"):
        (ours / name).parent.mkdir(parents=True, exist_ok=True)
        (ours / name).write_text("")
    for name in ("dead.json", "dead.lock", "dead.log", "live.json", "live.lock", "starting.json"):
        (ours / "workers").mkdir(exist_ok=True)
        (ours / "workers" / name).write_text("")
    with open(ours / "leases/held.lock") as held, open(ours / "workers/live.lock") as live:
        fcntl.flock(held, fcntl.LOCK_EX)
        fcntl.flock(live, fcntl.LOCK_EX)
        planned = clean(project.session(), dry=True)
        assert planned == clean(project.session())
    assert [os.path.basename(path) for path in planned.messages] == [
        "1_x.h@localhost.celery.pidbox.msg",
        "2_x.reply.celery.pidbox.msg",
        "old.reply.celery.pidbox.msg",
    ]
    assert [os.path.relpath(path, ours) for path in planned.files] == [
        "leases/gone.lock",
        "requests/gone.json",
        "workers/dead.json",
        "workers/dead.lock",
    ]
    assert states(project) == {"a": "queued", "b": "failed"} and len(tasks(project)) == 1
