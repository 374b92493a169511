"""Writes the pages of the documentation that follow from the code: `docs/reference/*.md` and `docs/environment.md`.

    python docs/build.py            write them
    python docs/build.py --check    exit with 1 if the files on disk are not what would be written

The same code gives the same bytes on every machine. Everything else below `docs` is written by hand.
"""

import sys
from argparse import Action
from collections.abc import Iterable, Mapping
from pathlib import Path

from offbranch.base.environ import VARIABLES
from offbranch.cli.help import EXIT_TEXTS, GLOBAL_OPTIONS
from offbranch.cli.main import BROKEN_PIPE
from offbranch.cli.parser import Parser
from offbranch.cli.table import ALIASES, COMMANDS, GROUPS, LATER, Command, CommandModule, build_parser, load_command

DOCS = Path(__file__).resolve().parent
REFERENCE = "reference"
MADE = "<!-- Made by docs/build.py from the code; `make docs` writes it again. -->"


def pages() -> dict[str, str]:
    """Returns the text of every generated page by its path below `docs`."""
    found = {f"{REFERENCE}/README.md": index_page(), "environment.md": environment_page()}
    for command in COMMANDS.values():
        module = load_command(command)
        found[f"{REFERENCE}/{file_name(command)}"] = command_page(command, module, build_parser(command, module))
    return found


def file_name(command: Command) -> str:
    """Returns the name of the page of a command."""
    return f"{command.name.replace(' ', '-')}.md"


def index_page() -> str:
    """Returns the page that lists commands, global options and exit codes."""
    aliases = [(f"`ob {alias}`", f"`ob {target}`") for alias, target in ALIASES.items()]
    later = ", ".join(f"`{name}`" for name in sorted(LATER))
    groups = ", ".join(f"`ob {name}` ({what})" for name, what in GROUPS.items())
    return _page(
        "The commands of `ob`",
        f"Groups of commands: {groups}.",
        _table(
            ("command", "what it does"),
            ((f"[`ob {command.name}`]({file_name(command)})", command.summary) for command in COMMANDS.values()),
        ),
        "## Options before the command",
        _table(("option", "meaning"), ((f"`{names}`", text) for names, text in GLOBAL_OPTIONS)),
        "## Exit codes",
        "The same for every command.",
        _table(
            ("code", "meaning"),
            (
                *((str(code.value), text) for code, text in EXIT_TEXTS.items()),
                (str(BROKEN_PIPE), "the reader of the output went away, as in `ob exp list | head -1`"),
            ),
        ),
        "## Other spellings",
        _table(("also", "means"), aliases),
        "## Not there yet",
        f"These commands of DVC 3 come in later versions; until then each says so in one line and exits with 1: {later}.",
    )


def command_page(command: Command, module: CommandModule, parser: Parser) -> str:
    """Returns the page of one command."""
    options = [entry for entry in parser.entries if entry.option_strings]
    arguments = [entry for entry in parser.entries if not entry.option_strings]
    usage = " ".join((f"ob {command.name} [options]", *map(_in_usage, arguments)))
    parts = [_code(usage), (module.__doc__ or "").strip()]
    if arguments:
        rows = ((f"`{_value(entry)}`", entry.help or "") for entry in arguments)
        parts += ["## Arguments", _table(("argument", "meaning"), rows)]
    parts += ["## Options", _table(("option", "meaning"), ((_names(entry), entry.help or "") for entry in options))]
    if module.EXAMPLES:
        lines = (f"{example}   # {what}" for example, what in module.EXAMPLES)
        parts += ["## Examples", _code("\n".join(lines))]
    parts += ["Exit codes and the options before the command: [all commands](README.md)."]
    return _page(f"`ob {command.name}`: {command.summary}", *parts)


def environment_page() -> str:
    """Returns the page of environment variables."""
    return _page(
        "Environment variables",
        "`ob` reads its environment once, in `base/environ.py`. Git reads its own variables (`GIT_*`) as always; `ob` hands"
        " them on, without those that would point Git at another repository or index.",
        _table(("variable", "meaning"), ((f"`{name}`", text) for name, text in VARIABLES.items())),
    )


def stale_pages(docs: Path, wanted: Mapping[str, str]) -> list[str]:
    """Returns the generated pages that differ from what they should be, are missing, or belong to no command."""
    stale = [path for path, text in wanted.items() if not (docs / path).is_file() or _read(docs / path) != text]
    left_over = {f"{REFERENCE}/{path.name}" for path in (docs / REFERENCE).glob("*.md")} - wanted.keys()
    return sorted((*stale, *left_over))


def main(words: list[str]) -> int:
    """Writes the pages, or with `--check` only compares."""
    wanted = pages()
    stale = stale_pages(DOCS, wanted)
    if words == ["--check"]:
        sys.stdout.write("".join(f"stale: docs/{path} (make docs)\n" for path in stale))
        return 1 if stale else 0
    for path in stale:
        if path in wanted:
            (DOCS / path).parent.mkdir(parents=True, exist_ok=True)
            (DOCS / path).write_text(wanted[path], encoding="utf-8", newline="\n")
        else:
            (DOCS / path).unlink()
        sys.stdout.write(f"docs/{path}\n")
    return 0


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


def _page(title: str, *parts: str) -> str:
    return "\n\n".join((MADE, f"# {title}", *filter(None, parts))) + "\n"


def _code(text: str) -> str:
    return f"```\n{text}\n```"


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    lines += [f"| {_cell(left)} | {_cell(right)} |" for left, right in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _names(entry: Action) -> str:
    value = "" if entry.nargs == 0 else f" {_value(entry)}"
    return ", ".join(f"`{name}{value if name == entry.option_strings[-1] else ''}`" for name in entry.option_strings)


def _value(entry: Action) -> str:
    return str(entry.metavar or entry.dest.upper())


def _in_usage(entry: Action) -> str:
    name = _value(entry)
    forms = {"*": f"[{name} ...]", "+": f"{name} [{name} ...]", "?": f"[{name}]", "...": f"{name} ..."}
    return forms.get(str(entry.nargs), name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
