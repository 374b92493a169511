"""`ob exp run --queue` and `--run-all` on the command line: words, JSON, exit codes, refusals."""

import subprocess
from pathlib import Path

import pytest

from projects import TestProject, make_project

NEXT = "run what is queued: ob queue start\n"


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


def test_a_sweep_is_queued_and_run(project: TestProject) -> None:
    ended = project.ob("exp", "run", "--queue", "-n", "P", "-S", "lr=0.2,0.3", "-S", "fail=0")
    assert (ended.code, ended.err) == (0, NEXT.replace("\n", " (-j N: N at a time)\n"))
    assert ended.out.splitlines() == [
        "2 trials: the values of lr",
        "Queued experiment 'P-1' for future execution.  lr=0.2, fail=0",
        "Queued experiment 'P-2' for future execution.  lr=0.3, fail=0",
    ]
    ended = project.ob("exp", "run", "--run-all")
    assert ended.code == 0, ended.err
    assert "Reproducing experiment 'P-1'" in ended.out and "\nRan experiment(s): P-1, P-2\n" in ended.out
    assert set(project.exps()) == {"P-1", "P-2"}
    ended = project.ob("exp", "run", "--run-all")
    assert (ended.code, ended.out) == (0, "No experiments in the queue.\n")


def test_many_are_summed_up(project: TestProject) -> None:
    ended = project.ob("exp", "run", "--queue", "-n", "P", "-S", "lr=range(1,6)", "-S", "fail=range(0,5)")
    assert ended.out.splitlines() == [
        "25 trials: 5 x 5 values of lr, fail",
        "Queued experiment 'P-1' for future execution.  lr=1, fail=0",
        "Queued experiment 'P-2' for future execution.  lr=1, fail=1",
        "Queued experiment 'P-3' for future execution.  lr=1, fail=2",
        "... and 19 more ...",
        "Queued experiment 'P-23' for future execution.  lr=5, fail=2",
        "Queued experiment 'P-24' for future execution.  lr=5, fail=3",
        "Queued experiment 'P-25' for future execution.  lr=5, fail=4",
        "Queued 25 experiments.",
    ]


def test_json_of_what_is_queued_and_of_what_was_run(project: TestProject) -> None:
    done = project.ob("exp", "run", "--queue", "--json", "-n", "P", "-S", "fail=0,3")
    head = project.git("rev-parse", "HEAD")
    refs = dict(
        reversed(line.split())
        for line in project.git(
            "for-each-ref", "--format=%(objectname) %(refname:lstrip=3)", "refs/ob/tasks"
        ).splitlines()
    )
    ids = sorted(refs)
    assert [{key: each[key] for key in ("name", "id", "rev", "baseline", "overrides")} for each in done.json] == [
        {"name": "P-1", "id": ids[0], "rev": refs[ids[0]], "baseline": head, "overrides": ["fail=0"]},
        {"name": "P-2", "id": ids[1], "rev": refs[ids[1]], "baseline": head, "overrides": ["fail=3"]},
    ]
    ended = project.ob("exp", "run", "--run-all", "--json")
    assert ended.code == 1
    good, bad = ended.json
    assert (good["name"], good["id"], good["state"], good["rev"]) == ("P-1", ids[0], "succeeded", project.exps()["P-1"])
    assert (bad["state"], bad["rev"], bad["exit_code"]) == ("failed", None, 3) and "exited with 3" in bad["cause"]
    assert "error: 'P-2' failed: " in ended.err


def test_a_dry_run(project: TestProject) -> None:
    ended = project.ob("exp", "run", "--queue", "--dry", "-n", "P", "-S", "lr=1,2")
    assert "Would queue experiment 'P-2' for future execution.  lr=2" in ended.out and "(--dry)" in ended.err
    assert [each["rev"] for each in project.ob("exp", "run", "--queue", "--dry", "--json", "-S", "lr=1,2").json] == [
        None,
        None,
    ]
    assert project.git("for-each-ref", "refs/ob") == ""


@pytest.mark.parametrize("where", [(), ("--temp",), ("--dry",)])
def test_the_hint_of_a_refused_sweep_can_be_run_as_it_is(
    where: tuple[str, ...], project: TestProject, tmp_path: Path
) -> None:
    project.write("x y/extra.txt", "x\n")
    words = [
        "-n",
        "it's",
        "-S",
        "lr=0.2,0.3",
        "-S",
        "fail='0'",
        "-m",
        "a message",
        "-f",
        "-k",
        "--stage-jobs",
        "2",
        "train",
    ]
    ended = project.ob("exp", "run", *where, *words)
    assert ended.code == 2 and "these overrides are a sweep of 2 trials, and a sweep can only be queued" in ended.err
    hint = ended.err.partition("hint: ")[2].strip()
    assert hint.startswith("ob exp run --queue -n ") and hint.endswith(" && ob queue start")
    assert project.git("for-each-ref", "refs/ob") == ""
    saved = tmp_path / "words"
    tool = tmp_path / "bin/ob"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" -- >> {saved}\n')
    tool.chmod(0o755)
    subprocess.run(["sh", "-c", hint], check=True, env={"PATH": f"{tool.parent}:/usr/bin:/bin"})
    queueing, running = (each.splitlines() for each in saved.read_text().split("\n--\n")[:2])
    dry = ["--dry"] if where == ("--dry",) else []
    assert sorted(queueing) == sorted(["exp", "run", "--queue", *words, *dry])
    assert running == ["queue", "start"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--queue", "--temp"), "exclude each other"),
        (("--run-all", "--queue"), "exclude each other"),
        (("--run-all", "-S", "lr=1"), "it goes with none of these: --set-param"),
        (("--run-all", "train"), "it goes with none of these: target"),
        (("--run-all", "-n", "x", "-f"), "it goes with none of these: --force, --name"),
        (("--run-all", "-j", "0"), "cannot be 0 experiments at a time"),
        (("-j", "2"), "-j says how many queued experiments run at a time"),
        (("--max-trials", "2"), "--max-trials is about what is queued"),
        (("--queue", "-i"), "nothing runs now"),
        (("-C", "x"), "add --temp or --queue"),
        (("--queue", "-S", "lr=1,2,3", "--max-trials", "2"), "--max-trials 3 queues them all"),
        (("--queue", "-S", "lr=glob(*)"), "these parameters are not composed"),
        (("-S", "lr=glob(*)"), "a sweep of several trials"),
    ],
)
def test_what_makes_no_sense(words: tuple[str, ...], message: str, project: TestProject) -> None:
    ended = project.ob("exp", "run", *words)
    assert ended.code == 2 and message in ended.err, ended.err
    assert project.git("for-each-ref", "refs/ob", "refs/exps") == ""


def test_a_failed_run_of_all_tells_where_to_look(project: TestProject) -> None:
    project.ob("exp", "run", "--queue", "-n", "bad", "-S", "fail=3")
    ended = project.ob("exp", "run", "--run-all", "-q")
    assert ended.code == 1 and "error: 'bad' failed: 'train' failed" in ended.err
    assert "output.log'" in ended.err
    assert project.ob("exp", "apply", "bad").code == 0 and "fail: 3" in project.read("params.yaml")


def test_what_waits_is_no_experiment_yet(project: TestProject) -> None:
    project.ob("exp", "run", "--queue", "-n", "later", "-S", "lr=0.2")
    before = project.git("for-each-ref")
    for words in (("branch", "later"), ("rename", "later", "other")):
        ended = project.ob("exp", *words)
        assert (ended.code, ended.out) == (1, "")
        assert ended.err == (
            "error: 'later' waits in the queue and is no experiment yet\nhint: run it: ob queue start\n"
        )
    assert project.git("for-each-ref") == before


def test_what_waits_has_measured_nothing(project: TestProject) -> None:
    project.write("metrics.json", '{"acc": 0.1}\n')
    project.commit("measured")
    project.ob("exp", "run", "--queue", "-n", "later", "-S", "lr=0.2")
    shown = project.ob("exp", "show", "--json").json[1]["experiments"][0]["revs"][0]["data"]
    assert shown["metrics"] == {}
    found = project.ob("exp", "diff", "HEAD", "later", "--json").json
    assert found["metrics"] == {"metrics.json": {"acc": {"old": 0.1, "new": None}}}
    assert found["params"]["params.yaml"]["lr"]["new"] == 0.2
