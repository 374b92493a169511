"""Help texts: the program, a group of commands, one command. Records in, text out; the same on every Python version."""

import textwrap
from argparse import Action
from collections.abc import Iterable, Mapping

from offbranch.base.errors import ExitCode
from offbranch.cli.parser import Parser
from offbranch.cli.table import ALIASES, COMMANDS, GROUPS, CommandModule

WIDTH = 100
_COLUMN = 30
EXIT_TEXTS: Mapping[ExitCode, str] = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "it failed; the message says why and what to do",
    ExitCode.USAGE: "the command line makes no sense as given",
    ExitCode.BUG: "a mistake of ob itself; the message names the file to report",
    ExitCode.NO_PROJECT: "not inside a project (ob init), or not in a usable Git repository",
    ExitCode.LOCKED: "another process works on the project",
    ExitCode.REMOTE: "a data remote or Git remote failed",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C or SIGTERM)",
}
GLOBAL_OPTIONS = (
    ("-q, --quiet", "print errors and asked-for results only"),
    ("-v, --verbose", "say more; -vv shows tracebacks too"),
    ("--cd DIR", "work as if started in DIR"),
    ("--no-color", "no colours (as NO_COLOR=1)"),
    ("-V, --version", "print the version"),
    ("-h, --help", "show this help"),
)


def program_help() -> str:
    """Returns the help of `ob`."""
    return "\n".join(
        (
            "usage: ob [options] command ...",
            "",
            *_wrap(
                "Machine-learning experiments that live off your branches: run, compare and keep them without touching"
                " your branch, index or HEAD. Works in any DVC 3 project."
            ),
            "",
            "commands:",
            *_commands(COMMANDS),
            "",
            "options:",
            *_pairs(GLOBAL_OPTIONS),
            "",
            "new here? 'ob demo' makes an example project; 'ob help COMMAND' explains a command.",
            "",
        )
    )


def group_help(group: str) -> str:
    """Returns the help of a group such as `exp`."""
    names = [name for name in COMMANDS if name.startswith(f"{group} ")]
    aliases = [alias for alias, target in ALIASES.items() if target == group]
    also = (f"also: ob {' '.join(aliases)} ...", "") if aliases else ()
    return "\n".join(
        (
            f"usage: ob {group} command ...",
            "",
            f"{GROUPS[group][0].upper()}{GROUPS[group][1:]}.",
            "",
            *also,
            "commands:",
            *_commands(names),
            "",
            f"'ob {group} COMMAND --help' explains one of them.",
            "",
        )
    )


def command_help(parser: Parser, module: CommandModule) -> str:
    """Returns the help of one command."""
    options = [entry for entry in parser.entries if entry.option_strings]
    arguments = [entry for entry in parser.entries if not entry.option_strings]
    required = [f"{_head(entry, last=True)}" for entry in options if entry.required]
    usage = " ".join((f"usage: {parser.prog} [options]", *required, *(_argument(entry) for entry in arguments)))
    lines = [usage, "", *_paragraphs(module.__doc__ or "")]
    if arguments:
        lines += ["arguments:", *_pairs((_name(entry), entry.help or "") for entry in arguments), ""]
    lines += ["options:", *_pairs((_head(entry), entry.help or "") for entry in options), ""]
    if module.EXAMPLES:
        lines += ["examples:", *_examples(module.EXAMPLES), ""]
    lines += ["exit codes:", *_pairs((f"{code.value:>3}", text) for code, text in EXIT_TEXTS.items()), ""]
    return "\n".join(lines)


def _commands(names: Iterable[str]) -> list[str]:
    return _pairs((name, COMMANDS[name].summary) for name in names)


def _examples(examples: Iterable[tuple[str, str]]) -> list[str]:
    pairs = list(examples)
    width = max(len(command) for command, _ in pairs)
    if width > 46:
        return [line for command, what in pairs for line in (f"  # {what}", f"  {command}")]
    return [f"  {command:<{width}}   # {what}" for command, what in pairs]


def _head(entry: Action, *, last: bool = False) -> str:
    names = entry.option_strings[-1:] if last else entry.option_strings
    value = "" if entry.nargs == 0 else f" {_name(entry)}"
    return ", ".join(names) + value


def _name(entry: Action) -> str:
    return str(entry.metavar or entry.dest.upper())


def _argument(entry: Action) -> str:
    name = _name(entry)
    return {"*": f"[{name} ...]", "+": f"{name} [{name} ...]", "?": f"[{name}]", "...": f"{name} ..."}.get(
        str(entry.nargs), name
    )


def _pairs(pairs: Iterable[tuple[str, str]]) -> list[str]:
    rows = list(pairs)
    column = min(_COLUMN, max(len(head) for head, _ in rows) + 4)
    lines = []
    for head, text in rows:
        body = _wrap(text, width=WIDTH - column) or [""]
        if len(head) + 4 > column:
            lines.append(f"  {head}")
        else:
            lines.append(f"  {head:<{column - 2}}{body.pop(0)}".rstrip())
        lines += [f"{'':<{column}}{line}" for line in body]
    return lines


def _paragraphs(text: str) -> list[str]:
    return [line for paragraph in text.strip().split("\n\n") for line in (*_wrap(paragraph), "")]


def _wrap(text: str, *, width: int = WIDTH) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)
