"""`ob exp show`, `exp list`, `exp tag` and `exp note` from the command line."""

import io
import os
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from cli_runs import Ob, Ran
from offbranch.base.environ import read_environment
from offbranch.cli.console import Console
from offbranch.cli.pager import fits
from projects import TestProject, make_project

Run = Callable[..., Ran]


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    """Two commits of experiments: `low` and `high` of the one that HEAD is on, `old` of one that was amended."""
    made = make_project(tmp_path / "p")
    made.write("metrics.json", '{"acc": 0.1, "loss": 9}\n')
    made.commit("second")
    for name, acc, loss in (("old", 0.7, 3),):
        _experiment(made, name, acc, loss)
    made.git("commit", "-q", "--amend", "-m", "second, amended")
    for name, acc, loss in (("low", 0.5, 1), ("high", 0.9, 2)):
        _experiment(made, name, acc, loss)
    return made


def _experiment(project: TestProject, name: str, acc: float, loss: float) -> None:
    head = project.git("rev-parse", "HEAD")
    project.write("metrics.json", f'{{"acc": {acc}, "loss": {loss}}}\n')
    project.git("add", "-A")
    tree = project.git("write-tree")
    commit = project.git("commit-tree", tree, "-p", head, "-m", name)
    project.git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", commit)
    project.git("reset", "-q", "--hard")


@pytest.fixture
def run(ob: Ob, project: TestProject) -> Run:
    def call(*words: str) -> Ran:
        return ob(*words, cwd=project.root)

    return call


def shown(ran: Ran) -> list[str]:
    assert ran.code == 0, ran.err
    return [each["name"] for state in ran.json for each in state["experiments"] or ()]


def rows(ran: Ran) -> list[str]:
    """The names in a CSV."""
    assert ran.code == 0, ran.err
    return [line.split(",")[0] for line in ran.out.splitlines()[1:] if not line.startswith(",")]


def test_conditions_and_the_best_in_every_form(run: Run) -> None:
    asked = ("exp", "show", "--where", "acc > 0.6")
    assert shown(run(*asked, "--json")) == ["high", "old"]
    assert rows(run(*asked, "--csv")) == ["high", "old"]
    for form in ((), ("--md",)):
        text = run(*asked, *form).out
        assert "[high]" in text and "[old]" in text and "[low]" not in text
    best = ("exp", "show", "--best", "1", "--by")
    assert shown(run(*best, "acc", "--json")) == ["high"]
    assert rows(run(*best, "loss", "--minimize", "--csv")) == ["low"]
    assert "[high]" in run(*best, "metrics.json:acc", "--md").out


def test_a_loss_gets_a_hint(run: Run) -> None:
    assert "--minimize takes the lowest" in run("exp", "show", "--best", "1", "--by", "loss").err
    assert run("exp", "show", "--best", "1", "--by", "loss", "--minimize").err == ""
    assert run("exp", "show", "--best", "1", "--by", "acc").err == ""


def test_nothing_left_is_told(run: Run) -> None:
    ran = run("exp", "show", "--where", "acc > 5")
    assert ran.code == 0
    assert "no experiment is left" in ran.err
    assert run("exp", "show", "--where", "acc > 5", "--json").err == ""


def test_columns_of_our_users_documentation(run: Run) -> None:
    text = run("exp", "show", "--csv", "--include-params", "lr", "--include-metrics", "acc").out
    assert text.splitlines()[0] == "Experiment,rev,typ,Created,parent,acc,lr,data.txt,train.sh"
    assert shown(run("exp", "show", "--queued", "--json")) == []


def test_rewritten_baselines(run: Run) -> None:
    assert shown(run("exp", "show", "--json")) == ["high", "low", "old"] or shown(run("exp", "show", "--json")) == [
        "low",
        "high",
        "old",
    ]
    assert "baseline rewritten: 'second', now " in run("exp", "show").out
    assert "(baseline rewritten: 'second', now " in run("exp", "show", "--md").out
    for hidden in (("--hide-rewritten",), ("-n", "1"), ("--rev", "HEAD"), ("-a",)):
        assert sorted(shown(run("exp", "show", "--json", *hidden))) == ["high", "low"]
    assert run("exp", "list", "--name-only").out.split() == ["high", "low", "old"]
    assert run("exp", "list", "--name-only", "-n", "1").out.split() == ["high", "low"]
    assert run("exp", "list", "--name-only", "--hide-rewritten").out.split() == ["high", "low"]
    assert [state.get("subject") for state in run("exp", "list", "--json").json] == [None, "second"]


def test_sha_and_precision(run: Run) -> None:
    assert [state["name"] for state in run("exp", "show", "--json", "--sha", "--hide-rewritten").json] == [None, None]
    assert ",0.7,3," in run("exp", "show", "--csv", "--precision", "1").out
    for words in (("show",), ("diff",), ("compare", "low", "high")):
        refused = run("exp", *words, "--precision", "-1")
        assert (refused.code, refused.out) == (2, "")
        assert "expected a number from 0 up, found '-1'" in refused.err


def test_tags(run: Run) -> None:
    assert run("exp", "tag").err.startswith("no experiment has a tag")
    assert run("exp", "tag", "high", "paper", "best").out == "Experiment 'high' is tagged 'best' and 'paper'.\n"
    assert run("exp", "tag", "old", "best").out == "Experiment 'old' is tagged 'best'.\n"
    assert run("exp", "tag", "high").out == "best\npaper\n"
    assert run("exp", "tag", "low").out == ""
    assert sorted(run("exp", "tag").out.splitlines()) == ["high: best paper", "old: best"]
    assert {each["name"]: each["tags"] for each in run("exp", "tag", "--json").json} == {
        "high": ["best", "paper"],
        "old": ["best"],
    }
    assert run("exp", "tag", "high", "--json").json["tags"] == ["best", "paper"]
    assert shown(run("exp", "show", "--tag", "best", "--json")) == ["high", "old"]
    assert shown(run("exp", "show", "--tag", "best", "--tag", "paper", "--json")) == ["high"]
    assert "Tags" in run("exp", "show").out
    assert "Note" not in run("exp", "show").out
    assert run("exp", "tag", "high", "-r", "paper", "--json").json["tags"] == ["best"]
    assert run("exp", "tag", "old", "--remove", "best").out == "Experiment 'old' has no tags any more.\n"


def test_notes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("exp", "note").err.startswith("no experiment has a note")
    assert run("exp", "note", "high", "good", "but", "slow").out == "Note of experiment 'high' saved.\n"
    assert run("exp", "note", "high").out == "good but slow\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO("two\nlines\n"))
    assert run("exp", "note", "low", "-").code == 0
    assert sorted(run("exp", "note").out.splitlines()) == ["  lines", "high: good but slow", "low: two"]
    assert run("exp", "note", "low", "-m", "other words", "--json").json["note"] == "other words"
    assert run("exp", "note", "--json").json[0].keys() == {"name", "rev", "baseline", "tags", "note"}
    assert "good but slow" in run("exp", "show").out
    assert run("exp", "note", "high", "--remove").out == "Note of experiment 'high' removed.\n"
    assert run("exp", "note", "high").out == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("exp", "show", "--where", "acd > 1"), 1, "did you mean 'acc'?"),
        (("exp", "show", "--where", "acc > 'x'"), 2, "compares different types"),
        (("exp", "show", "--where", "acc >"), 2, "it is not a condition"),
        (("exp", "show", "--where", "import os"), 2, "it is not a condition"),
        (("exp", "show", "--best", "x", "--by", "acc"), 2, "expected a whole number"),
        (("exp", "show", "--best", "2"), 2, "--best needs --by"),
        (("exp", "show", "--by", "acc"), 2, "--by needs --best"),
        (("exp", "show", "--minimize"), 2, "goes with --best"),
        (("exp", "show", "--best", "0", "--by", "acc"), 2, "above 0"),
        (("exp", "show", "--best", "1", "--by", "ac"), 1, "did you mean 'acc'?"),
        (("exp", "show", "--tag", "best"), 1, "has the tag 'best'"),
        (("exp", "tag", "hihg", "x"), 1, "did you mean 'high'?"),
        (("exp", "tag", "high", "a b"), 2, "invalid tag 'a b'"),
        (("exp", "tag", "high", "--remove"), 2, "needs the tags"),
        (("exp", "tag", "high", "--remove", "x"), 1, "has no tag 'x'"),
        (("exp", "note", "hihg", "x"), 1, "did you mean 'high'?"),
        (("exp", "note", "high", ""), 2, "the note is empty"),
        (("exp", "note", "high", "x", "--remove"), 2, "give the note once"),
        (("exp", "note", "-m", "x"), 2, "name the experiment first"),
    ],
)
def test_mistakes(run: Run, project: TestProject, words: tuple[str, ...], code: int, said: str) -> None:
    before = project.git("for-each-ref")
    ran = run(*words)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert project.git("for-each-ref") == before


def test_an_interrupt_is_for_the_pager_that_the_table_is_read_in(project: TestProject) -> None:
    # The pager interrupts us before it reads: were we to end, the status would say so.
    pager = "kill -INT $PPID; cat > seen.txt"
    ours, terminal = os.openpty()
    try:
        env = {**os.environ, **project.env, "PAGER": pager}
        command = (sys.executable, "-m", "offbranch", "exp", "show")
        done = subprocess.run(command, cwd=project.root, env=env, stdout=terminal, stderr=subprocess.PIPE)
    finally:
        os.close(terminal)
        os.close(ours)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "[high]" in project.read("seen.txt")


@pytest.mark.parametrize(
    ("text", "n_sentences", "wanted"),
    [
        ("table\n" + "why it failed " * 9, 1, True),
        ("table\n" + "why it failed " * 9, 0, False),
        ("wide table " * 9 + "\nwhy it failed\n", 1, False),
        ("table\n" + "why it failed " * 90, 1, False),
        ("row\n" * 23, 0, True),
        ("row\n" * 24, 0, False),
    ],
)
def test_a_long_sentence_below_a_table_needs_no_pager(text: str, n_sentences: int, wanted: bool) -> None:
    parent, child = os.openpty()
    termios.tcsetwinsize(child, (24, 40))
    with os.fdopen(parent, "rb"), os.fdopen(child, "w") as out:
        console = Console(environment=read_environment({}), out=out)
        assert fits(text, console, n_sentences=n_sentences) is wanted
