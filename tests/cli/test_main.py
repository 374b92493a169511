"""Dispatch, global options, errors and exit codes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli_runs import Ob
from offbranch import __version__
from offbranch.base.environ import read_environment
from offbranch.base.errors import ExitCode, LockedError, OffbranchError, UsageError
from offbranch.cli.console import Console, Verbosity
from offbranch.cli.main import guarded, main, read_words
from offbranch.cli.table import ALIASES, COMMANDS, GROUPS, LATER, build_parser, load_command
from projects import SOURCE, make_project

FORBIDDEN = {"argparse", "re", "json", "subprocess", "dataclasses", "typing", "pathlib", "logging", "rich", "ruamel"}


def start(*words: str, code: str = "from offbranch.__main__ import main; sys.exit(main())") -> tuple[int, str, str]:
    """Starts a fresh interpreter without site-packages, as if `ob WORDS` had been typed."""
    script = f"import sys; sys.argv = ['ob', *{list(words)!r}]; {code}"
    env = {"PYTHONPATH": str(SOURCE), "HOME": os.environ["HOME"], "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-S", "-c", script], env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version_loads_nothing(flag: str) -> None:
    code = "from offbranch.__main__ import main; c = main(); print(*sys.modules, file=sys.stderr); sys.exit(c)"
    returned, out, modules = start(flag, code=code)
    assert (returned, out) == (0, f"{__version__}\n")
    assert "offbranch" in modules.split()
    assert not FORBIDDEN & set(modules.split())


def test_version_among_other_options(ob: Ob) -> None:
    assert ob("-q", "--version").out == f"{__version__}\n"


def test_module_can_be_started() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "offbranch", "root", "--help"],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stdout.startswith("usage: ob root [options]\n")


# Finding the command


def test_commands_and_aliases() -> None:
    assert read_words(["exp", "run", "-S", "a=1"]).command is COMMANDS["exp run"]
    assert read_words(["experiments", "run"]).command is COMMANDS["exp run"]
    assert read_words(["exp", "ls"]).command is COMMANDS["exp list"]
    assert read_words(["exp", "rm", "x"]).command is COMMANDS["exp remove"]
    assert read_words(["mv", "a", "b"]).command is COMMANDS["move"]
    assert read_words(["repro", "-f", "train"]).words == ["-f", "train"]


def test_names_are_whole() -> None:
    for name in COMMANDS:
        assert name.partition(" ")[0] in GROUPS or " " not in name
    assert set(ALIASES.values()) <= {*COMMANDS, *GROUPS}
    assert not LATER & {*COMMANDS, *GROUPS, *ALIASES}


def test_global_options() -> None:
    request = read_words(["-v", "--cd", "/x", "-vv", "--no-color", "--wait-for-lock", "status", "-v"])
    assert request.verbosity == Verbosity(level=3)
    assert (request.directory, request.color, request.words) == ("/x", False, ["-v"])
    assert read_words(["exp", "-q", "show"]).verbosity.quiet
    assert read_words(["--cd=/y", "root"]).directory == "/y"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["repr"], "unknown command 'repr'", "did you mean 'ob repro'?"),
        (
            ["show"],
            "unknown command 'show'",
            "did you mean 'ob exp show', 'ob params show', 'ob metrics show' or 'ob plots show'?",
        ),
        (["exp", "sho"], "unknown command 'exp sho'", "did you mean 'ob exp show'?"),
        (["zzzzzz"], "unknown command 'zzzzzz'", "ob --help lists the commands"),
        (["exp", "zzzzzz"], "unknown command 'exp zzzzzz'", "ob exp --help lists the commands"),
        (["--quite", "status"], "ob: unknown option '--quite'", "did you mean '--quiet'?"),
        (["-x"], "ob: unknown option '-x'", "options of a command come after it; ob --help"),
        (["--cd"], "ob: --cd needs a value", "ob --help"),
    ],
)
def test_what_is_not_known(words: list[str], message: str, hint: str, ob: Ob) -> None:
    with pytest.raises(UsageError) as caught:
        read_words(words)
    assert (caught.value.message, caught.value.hint) == (message, hint)
    ended = ob(*words)
    assert (ended.code, ended.out, ended.err) == (2, "", f"error: {message}\nhint: {hint}\n")


@pytest.mark.parametrize("name", sorted(LATER))
def test_commands_of_later_versions_are_honest(name: str, ob: Ob) -> None:
    ended = ob(*name.split(" "), "something", "--like=this")
    assert ended.code == 1
    assert (
        ended.err
        == f"error: 'ob {name}' is not there yet in this version\nhint: DVC 3 works in the same project: dvc {name}\n"
    )


def test_every_command_of_dvc_is_known() -> None:
    # The commands that `dvc --help` and `dvc exp --help` of DVC 3.67.1 list.
    top = """add artifacts cache check-ignore checkout commit completion config dag data pull push fetch status destroy diff du
        experiments exp freeze unfreeze gc get get-url import import-db import-url init install list ls list-url ls-url metrics
        move mv params plots queue remote remove rm repro root stage studio unprotect update version doctor""".split()
    exp = "apply branch clean diff list ls pull push remove rm rename run save show".split()
    known = {*COMMANDS, *GROUPS, *ALIASES, *LATER}
    assert set(top) <= known and {f"exp {name}" for name in exp} <= known


def test_nothing_asked_for(ob: Ob) -> None:
    ended = ob()
    assert (ended.code, ended.out) == (2, "") and ended.err.startswith("usage: ob ")
    ended = ob("exp")
    assert (ended.code, ended.out) == (2, "") and ended.err.startswith("usage: ob exp command")


def test_working_elsewhere(ob: Ob, tmp_path: Path) -> None:
    make_project(tmp_path / "p").write("sub/x", "")
    assert ob("--cd", "p/sub", "root").out == "..\n"
    ended = ob("--cd", "nowhere", "root")
    assert ended.code == 2 and "cannot change to 'nowhere'" in ended.err


# Options of a command


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["repro", "--forse"], "ob repro: unknown option '--forse'", "did you mean '--force'?"),
        (["exp", "run", "--zzzzzzz=1"], "ob exp run: unknown option '--zzzzzzz'", "ob exp run --help"),
        (["exp", "run", "-n"], "ob exp run: -n/--name needs a value", "ob exp run --help"),
        (["exp", "apply"], "ob exp apply: experiment is missing", "ob exp apply --help"),
        (["exp", "apply", "a", "b"], "ob exp apply: 'b' is one argument too many", "ob exp apply --help"),
        (["exp", "list", "-n", "x"], "ob exp list: -n/--num: expected a whole number, found 'x'", "ob exp list --help"),
        (["dag", "--dot", "--md"], "--dot and --md exclude each other", "leave out all but one of them"),
        (
            ["stage", "add", "-n", "x"],
            "ob stage add: the command is missing",
            "ob stage add -n NAME ... python train.py",
        ),
    ],
)
def test_usage_errors(words: list[str], message: str, hint: str, ob: Ob) -> None:
    ended = ob(*words)
    assert (ended.code, ended.out, ended.err) == (2, "", f"error: {message}\nhint: {hint}\n")


def parse(command: str, *words: str) -> dict[str, object]:
    return vars(build_parser(COMMANDS[command], load_command(COMMANDS[command])).read(words))


def test_options_and_arguments_in_any_order() -> None:
    args = parse("repro", "a", "-f", "b", "--dry", "c")
    assert (args["targets"], args["force"], args["dry"]) == (["a", "b", "c"], True, True)
    assert parse("repro", "--", "-odd-")["targets"] == ["-odd-"]
    assert parse("exp list", "-n", "-1")["num"] == -1


def test_a_command_keeps_its_own_options() -> None:
    args = parse("stage add", "-n", "x", "-d", "dep", "python", "train.py", "--help", "-n", "y")
    assert (args["name"], args["command"]) == ("x", ["python", "train.py", "--help", "-n", "y"])
    assert parse("stage add", "-n", "x", "--help")["help"] is True


# Errors and exit codes


def console_of(level: int = 0) -> Console:
    made = Console(environment=read_environment())
    made.configure(Verbosity(level=level))
    return made


def raising(error: BaseException) -> Callable[[], int]:
    def action() -> int:
        raise error

    return action


def test_errors_that_are_understood(capfd: pytest.CaptureFixture[str]) -> None:
    assert guarded(console_of(), raising(LockedError("it is locked", hint="wait"))) == 11
    assert capfd.readouterr().err == "error: it is locked\nhint: wait\n"
    assert guarded(console_of(), raising(OffbranchError("no"))) == 1
    assert capfd.readouterr() == ("", "error: no\n")


def test_ctrl_c(capfd: pytest.CaptureFixture[str]) -> None:
    assert guarded(console_of(), raising(KeyboardInterrupt())) == 130
    assert capfd.readouterr() == ("", "error: interrupted\n")


def test_a_mistake_of_ours_is_written_to_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    assert guarded(console_of(), raising(ZeroDivisionError("secret of the code"))) == ExitCode.BUG
    out, err = capfd.readouterr()
    assert out == "" and "Traceback" not in err and err.count("\n") == 2
    path = err.split("'")[1]
    text = Path(path).read_text()
    assert path.startswith(str(read_environment().cache_dir))
    assert "ZeroDivisionError: secret of the code" in text and __version__ in text and "Python 3" in text


def test_a_mistake_of_ours_where_nothing_can_be_written(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OFFBRANCH_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert guarded(console_of(), raising(ZeroDivisionError())) == ExitCode.BUG
    assert "could not be written" in capfd.readouterr().err


def test_traceback_only_when_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    guarded(console_of(level=1), raising(OffbranchError("no")))
    assert "Traceback" not in capfd.readouterr().err
    guarded(console_of(level=2), raising(OffbranchError("no")))
    assert "Traceback" in capfd.readouterr().err


def test_reader_that_goes_away(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    stages = "".join(f"  s{n}:\n    cmd: echo {'x' * 90}\n    desc: {'y' * 90}\n" for n in range(2000))
    project.write("dvc.yaml", f"stages:\n{stages}")
    script = f'"{sys.executable}" -m offbranch stage list | head -n 1; echo ${{PIPESTATUS[0]}}'
    # Unbuffered, Python itself forgets the rest of a write that was cut short.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=project.root,
        env={**env, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "141"
    assert done.stderr == ""


def test_sigterm_ends_in_order(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def stopped(words: object, console: object) -> int:
        signal.raise_signal(signal.SIGTERM)
        return 0

    monkeypatch.setattr("offbranch.cli.main._carry_out", stopped)
    assert main(["status"]) == 130
    assert capfd.readouterr().err == "error: stopped by SIGTERM\n"
    assert signal.getsignal(signal.SIGTERM) == before


def test_outside_of_a_project(ob: Ob) -> None:
    ended = ob("status")
    assert ended.code == 10 and ended.err.startswith("error: ") and "hint: " in ended.err
