"""Help of the program, of groups and of every command, word for word."""

import pytest

from cli_runs import Ob
from golden_files import DIRECTORY, IS_UPDATE, check_golden
from offbranch.base.errors import ExitCode
from offbranch.cli.help import EXIT_TEXTS
from offbranch.cli.table import COMMANDS, GROUPS


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_commands(name: str, ob: Ob) -> None:
    ended = ob(*name.split(), "--help")
    assert (ended.code, ended.err) == (0, "")
    check_golden(f"help/{name.replace(' ', '_')}.txt", ended.out)
    assert ob("help", *name.split()).out == ended.out
    assert f"usage: ob {name} [options]" in ended.out
    assert all(f"\n  {code.value:>3}" in ended.out for code in ExitCode)


def test_help_of_the_program(ob: Ob) -> None:
    text = ob("--help").out
    check_golden("help/ob.txt", text)
    assert text == ob("help").out == ob("-h").out == ob().err
    assert all(f"\n  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("group", GROUPS)
def test_help_of_groups(group: str, ob: Ob) -> None:
    text = ob(group, "--help").out
    check_golden(f"help/{group}.txt", text)
    assert text == ob("help", group).out == ob(group).err


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_terminal(name: str, ob: Ob) -> None:
    lines = ob("help", *name.split()).out.splitlines()
    too_long = [line for line in lines if len(line) > 100]
    assert not too_long
    assert not any(line != line.rstrip() for line in lines)


def test_every_exit_code_is_explained() -> None:
    assert list(EXIT_TEXTS) == list(ExitCode)


def test_help_wins_over_mistakes(ob: Ob) -> None:
    assert ob("exp", "apply", "--nonsense", "-h").code == 0
    assert ob("help", "nonsense").code == 2


@pytest.mark.skipif(IS_UPDATE, reason="files are being written")
def test_no_help_is_left_over() -> None:
    names = {path.stem for path in (DIRECTORY / "help").iterdir()}
    assert names == {name.replace(" ", "_") for name in (*COMMANDS, *GROUPS, "ob")}
