"""The sentences that say what to do after a command: which files Git should take."""

import os
from collections.abc import Iterable

from offbranch.api.project import root
from offbranch.cli.console import Console
from offbranch.cli.sessions import session_of

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_")


def say_what_to_track(paths: Iterable[str], console: Console) -> None:
    """Prints the `git add` for files that were written; `paths` are relative to the project."""
    files = sorted(dict.fromkeys(paths))
    if not files or console.verbosity.quiet:
        return
    top = root(session_of(console))
    shown = " ".join(quoted(os.path.relpath(os.path.join(top, path), console.start)) for path in files)
    console.message(f"\nTo track the changes with git, run:\n\n\tgit add {shown}\n")


def quoted(word: str) -> str:
    """Returns a word as a shell takes it for one."""
    if word and set(word) <= _PLAIN:
        return word
    return "'" + word.replace("'", "'\"'\"'") + "'"
