"""Commands that change the queue, killed between any two writes: all tasks have changed or none, none is lost or doubled."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults.test_kill import OWN, kill_points
from git_repos import opened
from killing import KILLED, Killer, check_git, copy_of, kept, litter, open_killer
from offbranch.api.session import opened as opened_project
from offbranch.base.paths import AbsPath
from offbranch.queue.chosen import read_known
from offbranch.queue.peer.tasks import peer_tasks
from peer_queue import put, queued_of_dvc, stashed
from projects import SOURCE, TestProject, make_project

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]

THREE = ("-S", "lr=0.2,0.3,0.4")


@dataclass(frozen=True)
class Change:
    """A command to be killed.

    Attributes:
        words: The command line.
        prepare: Brings a fresh project to the state it starts from.
    """

    words: tuple[str, ...]
    prepare: Callable[[TestProject], object]


def ran(project: TestProject, *words: str, code: int = 0) -> None:
    done = project.ob(*words)
    assert done.code == code, done.err


def with_tasks(project: TestProject) -> None:
    ran(project, "exp", "run", "--queue", "-n", "P", *THREE)


def with_failed(project: TestProject) -> None:
    ran(project, "exp", "run", "--queue", "-n", "P", "-S", "fail=3,4,5")
    ran(project, "exp", "run", "--run-all", code=1)


def with_all_kinds(project: TestProject) -> None:
    with_failed(project)
    ran(project, "exp", "run", "--queue", "-n", "good", "-S", "lr=0.2")
    ran(project, "exp", "run", "--run-all")
    ran(project, "exp", "run", "--queue", "-n", "Q", *THREE)


CHANGES = {
    "hold": Change(("queue", "hold", "--all"), with_tasks),
    "priority": Change(("queue", "priority", "7", "P-*"), with_tasks),
    "retry": Change(("queue", "retry", "--all"), with_failed),
    "remove": Change(("queue", "remove", "--all"), with_all_kinds),
    "exp-remove": Change(("exp", "remove", "P-*", "Q-*"), with_all_kinds),
}


@pytest.fixture
def killer(tmp_path: Path) -> Iterator[Killer]:
    with open_killer(tmp_path) as killer:
        yield killer


def queue(project: TestProject) -> list[tuple[object, ...]]:
    """What is known of every task that has not succeeded."""
    known = read_known(opened(project.root), AbsPath(str(project.root)))
    return [
        (each.name, each.state, len(each.attempts))
        + (() if each.stored is None else (each.stored.task.is_held, each.stored.task.priority, each.stored.task.round))
        for each in known.tasks
    ]


@pytest.mark.parametrize("name", CHANGES)
def test_all_have_changed_or_none(name: str, killer: Killer, tmp_path: Path) -> None:
    change = CHANGES[name]
    origin = make_project(tmp_path / "origin")
    change.prepare(origin)
    before, user = queue(origin), kept(origin, OWN)
    undisturbed = copy_of(origin, tmp_path / "undisturbed")
    labels = killer.writes(undisturbed.root, change.words)
    after = queue(undisturbed)
    assert killer.code == 0 and after != before
    for n, mode in kill_points(labels, 1):
        place = f"{mode} {n} of {len(labels)}: {labels[n - 1]}"
        project = copy_of(origin, tmp_path / f"p{n}{mode}")
        code, output = killer.run(project.root, change.words, n=n, mode=mode)
        assert code in (KILLED, 0), f"{place}\n{output}"
        found = queue(project)
        assert found in (before, after), place
        check_git(project)
        if found == before:
            code, output = killer.run(project.root, change.words)
            assert code == 0, f"{place}\n{output}"
        assert queue(project) == after and project.exps() == origin.exps(), place
        assert kept(project, OWN) == user and litter(project) == [], place


def owners(project: TestProject) -> dict[str, str]:
    """Who has each task, by its name; the one of two owners would be lost here, so their number is checked too."""
    known = read_known(opened(project.root), AbsPath(str(project.root)))
    ours = [each.name for each in known.tasks]
    theirs = queued_of_dvc(project)
    with opened_project(project.session()) as it:
        listed = [task.name for task in peer_tasks(it)]
    between = [name for name in listed if name not in theirs]
    found = [*ours, *theirs, *between]
    assert len(found) == len(set(found)), found
    return {**dict.fromkeys(ours, "ours"), **dict.fromkeys(theirs, "theirs"), **dict.fromkeys(between, "between")}


def test_an_import_loses_nothing_and_doubles_nothing(killer: Killer, tmp_path: Path) -> None:
    origin = make_project(tmp_path / "origin")
    names = ("a", "b")
    for n, name in enumerate(names):
        put(origin, name, params=f"lr: 0.{n + 2}\nfail: 0\n")
    words = ("queue", "import", "--all")
    user = kept(origin, OWN)
    undisturbed = copy_of(origin, tmp_path / "undisturbed")
    labels = killer.writes(undisturbed.root, words)
    assert killer.code == 0 and owners(undisturbed) == dict.fromkeys(names, "ours")
    seen = set()
    for n, mode in kill_points(labels, 2):
        place = f"{mode} {n} of {len(labels)}: {labels[n - 1]}"
        project = copy_of(origin, tmp_path / f"p{n}{mode}")
        code, output = killer.run(project.root, words, n=n, mode=mode)
        assert code in (KILLED, 0), f"{place}\n{output}"
        found = owners(project)
        assert set(found) == set(names), place
        seen.update(found.values())
        if "ours" in found.values():  # what is ours runs, and its import is not begun again
            ran(project, "exp", "run", "--run-all")
        code, output = killer.run(project.root, words)
        assert code == 0, f"{place}\n{output}"
        ran(project, "exp", "run", "--run-all")
        assert set(project.exps()) == set(names) and owners(project) == {}, place
        values = {name: json.loads(project.file_at(commit, "metrics.json")) for name, commit in project.exps().items()}
        assert values == {"a": {"acc": 0.2}, "b": {"acc": 0.3}}, place
        assert stashed(project) == [] and project.git("for-each-ref", "refs/ob", "refs/exps/celery") == "", place
        assert list((project.root / ".dvc/tmp/ob/queue/imports").iterdir()) == [], place
        assert kept(project, OWN) == user and litter(project) == [], place
        check_git(project)
    assert seen == {"ours", "theirs", "between"}


def test_changes_while_workers_take_tasks_lose_none(tmp_path: Path) -> None:
    """Everything is held, released and moved all the time; each task runs once, and what was removed does not run."""
    project = make_project(tmp_path / "p")
    ran(project, "exp", "run", "--queue", "-n", "P", "-S", "lr=range(1,25)")
    ran(project, "exp", "run", "--queue", "-n", "Q", "-S", "lr=range(1,9)", "--hold")
    commands = (
        ("queue", "hold", "P-*"),
        ("queue", "priority", "3", "P-1*"),
        ("queue", "release", "P-*"),
        ("queue", "priority", "-1", "P-2*"),
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    words = [sys.executable, "-m", "offbranch"]
    for round_ in range(3):  # a worker that finds everything held ends
        with subprocess.Popen(
            [*words, "exp", "run", "--run-all", "-j", "2"],
            cwd=project.root,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as worker:
            for command in commands * 3:
                done = project.ob(*command)
                # All of a pattern may be gone, or run: then it means nothing, and nothing else may go wrong.
                assert done.code == 0 or "not a valid experiment name" in done.err, done.err
            if round_ == 1:
                ran(project, "queue", "remove", "Q-*")
        assert worker.returncode == 0
    ran(project, "queue", "release", "--all")
    ran(project, "exp", "run", "--run-all")
    assert set(project.exps()) == {f"P-{number}" for number in range(1, 25)}
    assert project.git("for-each-ref", "refs/ob") == ""
    check_git(project)
