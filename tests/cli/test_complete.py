"""Completion: what is offered where, the table of options, and bash itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import offbranch.cli.option_names
from checkpoint_chains import make_chain
from golden_files import IS_UPDATE
from offbranch.api.labels import tag
from offbranch.base.environ import read_environment
from offbranch.base.paths import AbsPath
from offbranch.cli.complete import Place, candidates
from offbranch.cli.completion_scripts import SCRIPTS
from offbranch.cli.option_names import OPTIONS
from offbranch.cli.table import COMMANDS, build_parser, load_command
from programs import need
from projects import SOURCE, TestProject, make_project

TABLE_HEAD = '''"""The options of every command, for completion; `=` marks one with a value. Short flags are left out.

Written by `OFFBRANCH_UPDATE_GOLDEN=1 pytest tests/cli/test_complete.py`, which fails when it is not true any more.
"""

# ruff: noqa: E501

from collections.abc import Mapping

OPTIONS: Mapping[str, str] = {
'''


def options_of(name: str) -> str:
    entries = build_parser(COMMANDS[name], load_command(COMMANDS[name])).entries
    named = [(option, entry.nargs != 0) for entry in entries for option in entry.option_strings]
    return " ".join(f"{option}{'=' * has_value}" for option, has_value in named if has_value or option[1] == "-")


def test_table_of_options_is_true() -> None:
    wanted = {name: options_of(name) for name in COMMANDS}
    if IS_UPDATE:
        rows = "".join(f'    "{name}": "{options}",\n' for name, options in wanted.items())
        Path(offbranch.cli.option_names.__file__).write_text(f"{TABLE_HEAD}{rows}}}\n")
    else:
        assert wanted == OPTIONS


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p")
    made.write("conf/more.json", '{"seed": 1, "deep": {"a": 2}}')
    head = made.git("rev-parse", "HEAD")
    for name in ("wide", "wider", "deep"):
        made.git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", head)
    return made


def offered(project: TestProject, *words: str, cwd: str = "") -> tuple[str, ...]:
    start = AbsPath(str(project.root / cwd))
    return candidates(words[:-1], words[-1], Place(start, read_environment(), ""))


def test_commands() -> None:
    place = Place(AbsPath("/"), read_environment(), "")
    assert candidates((), "", place)[:2] == ("init", "demo")
    assert candidates((), "st", place) == ("stage", "status")
    assert candidates(("exp",), "r", place) == ("run", "remove", "rename")
    assert candidates(("experiments",), "ap", place) == ("apply",)
    assert candidates(("-q", "--cd", "/x"), "rep", place) == ("repro", "report")
    assert candidates(("help", "exp"), "sh", place) == ("show",)
    assert candidates((), "--no", place) == ("--no-color",)


def test_options() -> None:
    place = Place(AbsPath("/"), read_environment(), "")
    assert candidates(("exp", "run"), "--forc", place) == ("--force", "--force-downstream")
    assert candidates(("exp", "show", "--sort-order"), "", place) == ("asc", "desc")
    assert candidates(("exp", "show"), "--sort-order=d", place) == ("--sort-order=desc",)
    assert candidates(("exp", "run", "--message"), "x", place) == ()
    assert candidates(("nonsense",), "x", place) == ()


def test_experiments(project: TestProject) -> None:
    for command in ("apply", "branch", "remove", "rename", "diff"):
        assert offered(project, "exp", command, "wi") == ("wide", "wider")
    assert set(offered(project, "exp", "show", "--rev", "")) == {"wide", "wider", "deep"}
    assert offered(project, "exp", "show", "--rev=d") == ("--rev=deep",)


def test_checkpoints_behind_the_name_of_their_experiment(project: TestProject) -> None:
    make_chain(project, "long", [0.1, 0.2])
    wanted = ("long@1", "long@2", "long@last")
    for command in ("apply", "branch", "diff", "compare"):
        assert offered(project, "exp", command, "long@") == wanted
    assert offered(project, "live", "long@l") == ("long@last",)
    assert offered(project, "exp", "show", "--rev=long@1") == ("--rev=long@1",)
    assert offered(project, "exp", "remove", "long@") == ()
    assert offered(project, "exp", "apply", "nobody@") == ()


def test_what_is_about_checkpoints_and_curves(project: TestProject) -> None:
    make_chain(project, "begun", [0.1, 0.2])
    project.write("dvclive/plots/metrics/train/loss.tsv", "step\tloss\n0\t0.5\n")
    assert offered(project, "exp", "run", "--resume", "be") == ("begun",)
    assert offered(project, "exp", "run", "--resume", "begun@") == ("begun@1", "begun@2", "begun@last")
    assert offered(project, "exp", "run", "--resume=begun@l") == ("--resume=begun@last",)
    assert offered(project, "exp", "run", "--keep-checkpoints", "") == ("last=", "best=", "every=", "all")
    assert offered(project, "exp", "run", "--keep-checkpoints", "last=2,b") == ("last=2,best=",)
    assert offered(project, "live", "t") == ("train/loss",)
    assert offered(project, "live", "w") == ("workspace", "wide", "wider")
    assert offered(project, "live", "begun@1") == ("begun@1",)


def test_what_waits_in_the_queue(project: TestProject) -> None:
    assert project.ob("exp", "run", "--queue", "-n", "wild", "-S", "lr=1,2").code == 0
    for command in ("apply", "remove", "diff", "compare"):
        assert offered(project, "exp", command, "wi") == ("wide", "wider", "wild-1", "wild-2")
    assert offered(project, "exp", "branch", "wi") == ("wide", "wider")


def test_stages(project: TestProject) -> None:
    project.write("sub/dvc.yaml", "stages:\n  prep:\n    cmd: echo\n")
    project.write(
        "x.csv.dvc", "outs:\n- md5: 65644d00e3b74d8fd379b7f1fa28ddd9\n  size: 5\n  hash: md5\n  path: x.csv\n"
    )
    assert set(offered(project, "repro", "")) == {"train", "sub/dvc.yaml:prep", "x.csv.dvc"}
    assert set(offered(project, "exp", "run", "", cwd="sub")) == {"prep", "../dvc.yaml:train", "../x.csv.dvc"}


def test_data_remotes_and_options_of_the_configuration(project: TestProject) -> None:
    project.write(".dvc/config", "['remote \"store\"']\n    url = /x\n['remote \"spare\"']\n    url = /y\n")
    for command in ("modify", "remove", "rename", "default"):
        assert offered(project, "remote", command, "st") == ("store",)
    assert offered(project, "config", "remote.") == ("remote.store.url", "remote.spare.url")
    assert offered(project, "config", "cache.d") == ("cache.dir",)


def test_git_remotes_and_then_experiments(project: TestProject) -> None:
    project.git("remote", "add", "origin", "../x.git")
    project.git("remote", "add", "other", "../y.git")
    project.write(".dvc/config", "['remote \"store\"']\n    url = /x\n")
    for command in ("push", "pull"):
        assert offered(project, "exp", command, "o") == ("origin", "other")
        assert offered(project, "exp", command, "-f", "origin", "wi") == ("wide", "wider")
        assert offered(project, "exp", command, "-r", "") == ("store",)
    assert offered(project, "exp", "list", "") == ("origin", "other")
    assert offered(project, "exp", "list", "origin", "") == ()
    assert offered(project, "exp", "remove", "-g", "or") == ("origin",)
    assert offered(project, "exp", "rename", "--git-remote=o") == ("--git-remote=origin", "--git-remote=other")
    assert offered(project, "push", "--remote", "s") == ("store",)
    assert offered(project, "exp", "compare", "wi") == ("wide", "wider")


def test_parameters(project: TestProject) -> None:
    assert offered(project, "exp", "run", "-S", "") == ("lr=", "fail=")
    assert offered(project, "exp", "run", "-S", "l") == ("lr=",)
    assert offered(project, "exp", "run", "-S", "++l") == ("++lr=",)
    assert offered(project, "exp", "run", "-S", "~l") == ("~lr",)
    assert offered(project, "exp", "run", "--set-param=f") == ("--set-param=fail=",)
    assert offered(project, "exp", "run", "-S", "conf/more.json:de") == ("conf/more.json:deep.a=",)
    assert offered(project, "exp", "run", "-S", "conf/more.json:+de") == ("conf/more.json:+deep.a=",)
    assert offered(project, "exp", "run", "-S", "conf/more.json:~s") == ("conf/more.json:~seed",)
    assert offered(project, "exp", "run", "-S", "lr=0") == ()
    assert offered(project, "exp", "run", "-S", "nothing.yaml:") == ()
    project.write("dvc.yaml", project.read("dvc.yaml").replace("- fail", "- conf/more.json: [seed]"))
    assert offered(project, "exp", "run", "-S", "c") == ("conf/more.json:",)


def test_parameters_of_the_directory_the_user_is_in(project: TestProject) -> None:
    project.write("conf/params.yaml", "here: 1\n")
    assert offered(project, "exp", "run", "-S", "", cwd="conf") == ("here=",)
    assert offered(project, "exp", "run", "-S", "more.json:s", cwd="conf") == ("more.json:seed=",)
    assert offered(project, "exp", "run", "-S", "conf/more.json:s", cwd="conf") == ("conf/more.json:seed=",)


def test_groups_that_hydra_composes(project: TestProject) -> None:
    project.write(".dvc/config", "[hydra]\n    enabled = true\n")
    for path in ("config", "net/small", "net/large", "net/opt/adam"):
        project.write(f"conf/{path}.yaml", "a: 1\n")
    assert offered(project, "exp", "run", "-S", "net") == ("net=", "net/opt=")
    assert offered(project, "exp", "run", "-S", "+net/opt=") == ("+net/opt=adam",)
    assert offered(project, "exp", "run", "-S", "net@teacher=s") == ("net@teacher=small",)
    assert offered(project, "exp", "run", "-S", "net@teacher=x") == ()
    assert offered(project, "exp", "run", "-S", "lr=0") == ()


def test_it_never_complains(tmp_path: Path) -> None:
    broken = make_project(tmp_path / "p", {"dvc.yaml": "stages: [", "params.yaml": "a: ["}, committed=False)
    for words in (["2", "exp", "apply", ""], ["1", "repro", ""], ["3", "exp", "run", "-S", ""], ["x"], [], ["99", "a"]):
        ended = broken.ob("__complete", *words)
        assert (ended.code, ended.err) == (0, ""), words
    outside = subprocess.run(
        [sys.executable, "-m", "offbranch", "__complete", "2", "exp", "apply", ""],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        check=False,
    )
    assert (outside.returncode, outside.stdout, outside.stderr) == (0, b"", b"")


@pytest.mark.parametrize("shell", SCRIPTS)
def test_scripts_are_valid(shell: str) -> None:
    program = need(shell)
    done = subprocess.run([program, "-n"], input=SCRIPTS[shell], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("ob exp app", ["apply"]),
        ("ob exp apply wi", ["wide", "wider"]),
        ("ob exp run -S l", ["lr="]),
        ("ob exp run -S conf/more.json:se", ["seed="]),
        ("ob exp run --set-param=f", ["fail="]),
        ("ob exp run ", ["train"]),
        ("ob exp run -S nothing-like-it", []),
    ],
)
def test_bash_completes(project: TestProject, tmp_path: Path, line: str, wanted: list[str]) -> None:
    program = need("bash")
    launcher = tmp_path / "bin" / "ob"
    launcher.parent.mkdir()
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m offbranch "$@"\n')
    launcher.chmod(0o755)
    script = f"""{SCRIPTS["bash"]}
COMP_LINE={line!r} COMP_POINT={len(line)} COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
_ob_complete ob
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "PATH": f"{launcher.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [program, "--norc", "-c", script], cwd=project.root, env=env, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.split() == wanted


def test_tags_are_offered_after_the_experiment(project: TestProject) -> None:
    tag("deep", ("best", "better"), project.session())
    assert sorted(offered(project, "exp", "tag", "")) == ["deep", "wide", "wider"]
    assert offered(project, "exp", "tag", "deep", "be") == ("best", "better")
    assert offered(project, "exp", "tag", "deep", "--remove", "") == ("best", "better")
    assert offered(project, "exp", "show", "--tag", "") == ("best", "better")
    assert sorted(offered(project, "exp", "note", "wi")) == ["wide", "wider"]
    assert offered(project, "exp", "note", "wide", "") == ()
