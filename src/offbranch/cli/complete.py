"""Answers the scripts of `ob completion`: `ob __complete N WORD...` prints what word N may become, one a line.

The options come from a table (`option_names.py`), because building a parser loads the whole command. `cli/main.py` sees
to it that nothing is ever printed on stderr: a shell would show it in the middle of a command line.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from offbranch.api.complete import (
    checkpoint_names,
    experiment_names,
    git_remote_names,
    group_choices,
    group_names,
    live_words,
    names_to_go_on_with,
    names_with_tasks,
    option_names,
    parameter_files,
    parameter_keys,
    peer_task_names,
    remote_names,
    stage_names,
    tag_names,
    task_names,
    tasks_in_states,
)
from offbranch.base.environ import Environment
from offbranch.base.paths import AbsPath
from offbranch.cli.console import Console
from offbranch.cli.option_names import OPTIONS
from offbranch.cli.table import ALIASES, COMMANDS, GROUPS, Command

_GLOBAL_OPTIONS = ("--quiet", "--verbose", "--cd", "--no-color", "--version", "--help")
_SHELLS = ("bash", "zsh", "fish")


class Place(NamedTuple):
    """Where the user is, the word that is completed, and how many arguments stand before it."""

    start: AbsPath
    environment: Environment
    word: str
    n_before: int = 0


Source = Callable[[Place], Iterable[str]]


def answer(words: Sequence[str], console: Console) -> int:
    """Prints the answers to `ob __complete`."""
    number = int(words[0])
    place = Place(AbsPath(os.getcwd()), console.environment, "")
    found = candidates(words[1 : number + 1], "".join(words[number + 1 : number + 2]), place)
    console.data("".join(f"{candidate}\n" for candidate in found))
    return 0


def candidates(before: Sequence[str], word: str, place: Place) -> tuple[str, ...]:
    """Returns what a word may become, in order; empty for file names.

    Args:
        before: The words before it, without the name of the program.
        word: What is written of it.
        place: Where the user is.
    """
    rest = list(before)
    while rest and rest[0].startswith("-"):
        if rest.pop(0) == "--cd" and rest:
            place = place._replace(start=AbsPath(os.path.join(place.start, rest.pop(0))))
    place = place._replace(word=word)
    found = _candidates(rest, place)
    return tuple(dict.fromkeys(answer for answer in found if answer.startswith(word)))


def _candidates(before: list[str], place: Place) -> Iterable[str]:
    if not before:
        return _GLOBAL_OPTIONS if place.word.startswith("-") else dict.fromkeys(name.split(" ")[0] for name in COMMANDS)
    name = ALIASES.get(before[0], before[0])
    rest = before[1:]
    if name in GROUPS:
        if not rest:
            return [known.partition(" ")[2] for known in COMMANDS if known.startswith(f"{name} ")]
        name = f"{name} {rest.pop(0)}"
        name = ALIASES.get(name, name)
    if name == "help":
        return _candidates(rest, place) if len(rest) < 2 else ()
    command = COMMANDS.get(name)
    return () if command is None else _of_command(command, rest, place)


def _of_command(command: Command, before: Sequence[str], place: Place) -> Iterable[str]:
    names = OPTIONS[command.name].split()
    last = before[-1] if before else ""
    if f"{last}=" in names:
        return _values(last, place)
    name, equals, value = place.word.partition("=")
    if f"{name}{equals}" in names and equals:
        return [f"{name}={answer}" for answer in _values(name, place._replace(word=value))]
    if place.word.startswith("-"):
        return (known.removesuffix("=") for known in names if known.startswith("--"))
    source = _ARGUMENTS.get(command.name)
    n_before = sum(not word.startswith("-") for word in before)
    return source(place._replace(n_before=n_before)) if source else ()


def _values(option: str, place: Place) -> Iterable[str]:
    source = _VALUES.get(option)
    return source(place) if source else ()


def _experiments(place: Place) -> Iterable[str]:
    return experiment_names(place.start, place.environment)


def _revisions_of_experiments(place: Place) -> Iterable[str]:
    """Yields names of experiments, and of their checkpoints behind `NAME@`."""
    yield from _experiments(place)
    if "@" in place.word:
        yield from checkpoint_names(place.start, place.environment, place.word)


def _to_go_on_with(place: Place) -> Iterable[str]:
    yield from names_to_go_on_with(place.start, place.environment)
    if "@" in place.word:
        yield from checkpoint_names(place.start, place.environment, place.word)


def _seen_live(place: Place) -> Iterable[str]:
    yield from live_words(place.start, place.environment)
    yield from _revisions_of_experiments(place)


def _kept(place: Place) -> Iterable[str]:
    before = place.word[: place.word.rfind(",") + 1]
    return (f"{before}{each}" for each in ("last=", "best=", "every=", *(() if before else ("all",))))


def _revisions_and_tasks(place: Place) -> Iterable[str]:
    yield from _experiments_and_tasks(place)
    if "@" in place.word:
        yield from checkpoint_names(place.start, place.environment, place.word)


def _experiments_and_tasks(place: Place) -> Iterable[str]:
    return names_with_tasks(place.start, place.environment)


def _tasks_that_are(*states: str) -> "Source":
    return lambda place: tasks_in_states(place.start, place.environment, *states)


def _tasks(place: Place) -> Iterable[str]:
    return task_names(place.start, place.environment)


def _tags(place: Place) -> Iterable[str]:
    return tag_names(place.start, place.environment)


def _experiment_then_tags(place: Place) -> Iterable[str]:
    return _tags(place) if place.n_before else _experiments(place)


def _stages(place: Place) -> Iterable[str]:
    return stage_names(place.start, place.environment)


def _remotes(place: Place) -> Iterable[str]:
    return remote_names(place.start, place.environment)


def _git_remotes(place: Place) -> Iterable[str]:
    return git_remote_names(place.start, place.environment)


def _git_remote_then_experiments(place: Place) -> Iterable[str]:
    return _experiments(place) if place.n_before else _git_remotes(place)


def _options_of_config(place: Place) -> Iterable[str]:
    return option_names(place.start, place.environment)


def _parameters(place: Place) -> Iterable[str]:
    """Yields `key=` and `file:key=` for `-S`, with the signs that Hydra puts in front of a key."""
    head, equals, _ = place.word.partition("=")
    file, colon, change = head.rpartition(":")
    sign = change[: len(change) - len(change.lstrip("+~"))]
    start = f"{file}{colon}{sign}"
    if equals:
        # The options of a group of Hydra; of other values nothing is known.
        group = "" if colon else change[len(sign) :].partition("@")[0]
        yield from (f"{head}={name}" for name in group_choices(place.start, place.environment, group) if group)
        return
    end = "" if sign == "~" else "="
    keys = parameter_keys(place.start, place.environment, file if colon else "params.yaml")
    groups = () if colon else group_names(place.start, place.environment)
    found = [f"{start}{key}{end}" for key in (*keys, *groups)]
    yield from found
    # The other files cost reading the pipeline, so they are offered only where no key fits.
    if not (colon or sign or any(key.startswith(place.word) for key in found)):
        files = parameter_files(place.start, place.environment)
        yield from (f"{name}:" for name in files if name != "params.yaml")


_ARGUMENTS: Mapping[str, Source] = {
    "exp apply": _revisions_and_tasks,
    "exp branch": _revisions_of_experiments,
    "exp remove": _experiments_and_tasks,
    "exp rename": _experiments,
    "exp push": _git_remote_then_experiments,
    "exp pull": _git_remote_then_experiments,
    "exp list": lambda place: () if place.n_before else _git_remotes(place),
    "exp diff": _revisions_and_tasks,
    "exp compare": _revisions_and_tasks,
    "exp tag": _experiment_then_tags,
    "exp note": lambda place: () if place.n_before else _experiments(place),
    "queue remove": _tasks_that_are("queued", "failed", "cancelled", "succeeded"),
    "queue retry": _tasks_that_are("failed", "cancelled"),
    "queue hold": _tasks_that_are("queued"),
    "queue release": _tasks_that_are("queued"),
    "queue priority": lambda place: _tasks_that_are("queued")(place) if place.n_before else (),
    "queue import": lambda place: peer_task_names(place.start, place.environment),
    "queue start": _tasks_that_are("queued"),
    "queue kill": _tasks_that_are("running"),
    "live": _seen_live,
    "queue status": _tasks,
    "queue logs": _tasks,
    "queue wait": _tasks,
    "params diff": _revisions_of_experiments,
    "metrics diff": _revisions_of_experiments,
    "plots diff": _revisions_of_experiments,
    "exp run": _stages,
    "exp save": _stages,
    "repro": _stages,
    "status": _stages,
    "commit": _stages,
    "checkout": _stages,
    "dag": _stages,
    "stage list": _stages,
    "remove": _stages,
    "config": _options_of_config,
    "remote modify": _remotes,
    "remote remove": _remotes,
    "remote rename": _remotes,
    "remote default": _remotes,
    "completion": lambda _: _SHELLS,
}
_VALUES: Mapping[str, Source] = {
    "-S": _parameters,
    "--set-param": _parameters,
    "--rev": _revisions_of_experiments,
    "-g": _git_remotes,
    "--git-remote": _git_remotes,
    "-r": _remotes,
    "--remote": _remotes,
    "--tag": _tags,
    "--resume": _to_go_on_with,
    "--keep-checkpoints": _kept,
    "--sort-order": lambda _: ("asc", "desc"),
    "--shell": lambda _: _SHELLS,
}
