"""What follows `--slurm` on a command line: which words are ours, which are sbatch's, and which sbatch must not be given.

sbatch itself decides whether an option is right, as every version of it has others; here is only what is needed to tell its
options and their values from names of tasks, and what would break the way we find our jobs again.
"""

from collections.abc import Mapping, Sequence

from offbranch.base.errors import UsageError

FLAG = "--slurm"
# Ours also after `--slurm`, and whether they take a value. Everything else there is sbatch's, also what both have.
_OURS: Mapping[str, bool] = {
    "-j": True,
    "--jobs": True,
    "--json": False,
    "--foreground": False,
    "-q": False,
    "--quiet": False,
    "-v": False,
    "--verbose": False,
    "-h": False,
    "--help": False,
}
# Options of sbatch 22.05 to 24.11 without a value; any other takes the next word, unless it has `=`.
_WITHOUT_VALUE = frozenset(
    """
    -H --hold -k --no-kill --no-requeue --requeue -O --overcommit -Q -s --oversubscribe --spread-job --use-min-nodes
    --contiguous --exclusive --get-user-env --ignore-pbs --reboot --nice --propagate --disable-stdout-job-summary --stepmgr
    """.split()
)
_REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("-a", "--array"), "the array is made of what is queued; -j N limits how many run at once"),
    **dict.fromkeys(("-o", "--output", "-e", "--error"), "ob queue logs NAME shows what a task printed"),
    **dict.fromkeys(("-D", "--chdir"), "jobs run in the project"),
    **dict.fromkeys(("-W", "--wait"), "ob queue wait waits"),
    "--comment": "the comment says which jobs are ours",
    "--wrap": "jobs run what is queued",
    "--parsable": "ob queue start --json prints the ids of the jobs",
    "--test-only": "'scontrol show partition' tells what there is",
    "--signal": "a task whose time is over goes on from its newest checkpoint, and needs no warning",
}


def split_words(words: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Returns our words, and the options of sbatch; the latter are None where `--slurm` is not among the words.

    Raises:
        UsageError: An option is one that sbatch must not be given.
    """
    before = words[: words.index("--")] if "--" in words else words
    if FLAG not in before:
        return tuple(words), None
    at = before.index(FLAG)
    ours, theirs = [*words[: at + 1]], list[str]()
    rest = list(words[at + 1 :])
    while rest:
        word = rest.pop(0)
        if word == "--":
            ours += [word, *rest]
            break
        name = _name_of(word)
        if name is None:
            ours.append(word)
            continue
        into = ours if name in _OURS else theirs
        into.append(word)
        if _takes_next(word, name) and rest and not (into is theirs and rest[0].startswith("-")):
            into.append(rest.pop(0))
        if into is theirs and name in _REFUSED:
            raise UsageError(f"{name} cannot be given to sbatch here", hint=_REFUSED[name])
    return tuple(ours), tuple(theirs)


def _name_of(word: str) -> str | None:
    """Returns the option that a word is, without a value that is part of it; None if it is no option."""
    if word.startswith("--"):
        return word.partition("=")[0]
    return word[:2] if word.startswith("-") and len(word) > 1 else None


def _takes_next(word: str, name: str) -> bool:
    if word != name:  # its value is in it
        return False
    return _OURS.get(name, name not in _WITHOUT_VALUE)
