"""The experiment of a training program that nobody started as one: `ob exp save` at its end. In a run of DVC: files for Git."""

import os
from typing import Any

from offbranch.base.plugins import load
from offbranch.base.records import record, replace
from offbranch.live.command import Done, run, run_ob
from offbranch.live.faults import Faults, say
from offbranch.live.formats import replace_file
from offbranch.live.outputs import is_output
from offbranch.live.surroundings import Inside, Surroundings, experiments_of, head_of

_SIGNALS = ".dvc/tmp/exps/run"


@record
class Wish:
    """What a program wants saved.

    Attributes:
        name: Of the experiment; None: a new one is made up.
        message: Of its commit.
        paths: Files that Git does not track yet, as seen from the directory it is saved from.
        replaces: An experiment of this name is an earlier one of this program.
        is_wished: The name is not made up: that it gets another one is worth a word.
    """

    name: str | None
    message: str | None
    paths: tuple[str, ...]
    replaces: bool
    is_wished: bool


def prepare(around: Surroundings, faults: Faults) -> Surroundings | None:
    """Looks whether an experiment can be saved at the end; a Git repository without a project is made one.

    Returns:
        What surrounds the program now; None if nothing can be saved, of which a warning has told.
    """
    if around.inside is Inside.REPRO:
        say("warning", "nothing is saved as an experiment, because 'repro' runs this: use 'ob exp run' for that")
        return None
    if around.inside is not Inside.NOTHING:
        return around
    if around.repository is None:
        say("warning", "no experiment can be saved without a Git repository: git init, git commit")
        return None
    if head_of(around.repository) is None:
        say("warning", "no experiment can be saved in a Git repository without a commit: git commit")
        return None
    if around.project is not None:
        return around
    with faults.during("make a project of the Git repository"):
        done = run_ob("init", "--quiet", cwd=around.repository)
        if done.code == 0:
            say("info", f"made '{around.repository}' a project, as 'ob init' does")
            return replace(around, project=around.repository)
        faults.tell("make a project of the Git repository", done.err)
    return None


def name_of(wished: str | None, around: Surroundings) -> str | None:
    """Returns the name an experiment gets: as wished, unless there is such a one of this commit; else a made-up one."""
    name = wished or around.exp_name
    baseline = head_of(around.repository) if around.repository else None
    if not baseline or not around.repository:
        return name
    taken = experiments_of(around.repository, baseline)
    if name and name not in taken:
        return name
    new: str = load("offbranch.base.made_up_names:generate_name")(taken, _Dice())
    if name:
        say("warning", f"there is an experiment '{name}' already: this one gets the name '{new}'")
    return new


class _Dice:
    """Chance without `random`, whose import costs, and whose state is the program's."""

    def choice(self, seq: list[str]) -> str:
        """Returns one element."""
        return seq[int.from_bytes(os.urandom(4), "big") % len(seq)]


def save(wish: Wish, home: str, faults: Faults) -> str | None:
    """Saves the workspace around a directory as an experiment.

    Returns:
        Its name, None if that failed, of which a warning has told.
    """
    done = _save(wish, home, named=True)
    if done.code != 0 and wish.name is not None and not wish.replaces:
        # The name may be no name for a ref, or somebody was quicker: what was trained is saved all the same.
        again = _save(wish, home, named=False)
        if again.code == 0:
            if wish.is_wished:
                say("warning", f"the experiment could not be saved as '{wish.name}' ({done.err}): it gets another name")
            done = again
    if done.code != 0:
        faults.tell("save the experiment", done.err or f"'ob exp save' ended with {done.code}")
        return None
    if done.err.startswith("warning: "):  # of files that are no part of it
        say("warning", done.err.removeprefix("warning: "))
    found = load("json").loads(done.out)
    return str(found.get("name")) if isinstance(found, dict) else None


def _save(wish: Wish, home: str, *, named: bool) -> Done:
    words = ["exp", "save", "--json"]
    if named and wish.name is not None:
        words.append(f"--name={wish.name}")
        if wish.replaces:
            words.append("--force")
    if wish.message:
        words.append(f"--message={wish.message}")
    for path in wish.paths:
        words += ["--include-untracked", path]
    return run_ob(*words, cwd=home)


def add_for_peer(directory: str, dvcyaml: str | None, outputs: frozenset[str], faults: Faults) -> None:
    """Hands to Git what DVC would otherwise leave out of its experiment: files of Live that are no outputs."""
    found = [dvcyaml] if dvcyaml and os.path.exists(dvcyaml) and not is_output(dvcyaml, outputs) else []
    for place, names, files in os.walk(directory):
        names[:] = [name for name in names if os.path.abspath(os.path.join(place, name)) not in outputs]
        found += [os.path.join(place, name) for name in files if not is_output(os.path.join(place, name), outputs)]
    if not found or is_output(directory, outputs):
        found = found[:1] if dvcyaml in found else []
    for start in range(0, len(found), 500):
        done = run(("git", "add", "--", *found[start : start + 500]), cwd=os.path.dirname(directory))
        if done.code != 0:
            faults.tell("hand the files of Live to Git", done.err)


class Signals:
    """Files by which editors see that a program logs: `DVCLIVE_ONLY` while it runs by itself, `DVCLIVE_STEP_COMPLETED`."""

    def __init__(self, project: str) -> None:
        self._directory = os.path.join(project, _SIGNALS)

    def begin(self, exp_name: str | None) -> None:
        """Says that a program runs outside of an experiment."""
        self._write("DVCLIVE_ONLY", {"exp_name": exp_name or "", "pid": os.getpid()})

    def step(self, number: int) -> None:
        """Says that a step has been completed."""
        self._write("DVCLIVE_STEP_COMPLETED", {"pid": os.getpid(), "step": number})

    def end(self) -> None:
        """Removes both, unless they are another program's that still runs."""
        for name in ("DVCLIVE_ONLY", "DVCLIVE_STEP_COMPLETED"):
            path = os.path.join(self._directory, name)
            try:
                with open(path, "rb") as file:
                    pid = load("json").loads(file.read()).get("pid")
                if pid == os.getpid() or not _lives(pid):
                    os.unlink(path)
            except (OSError, ValueError, AttributeError):
                pass

    def _write(self, name: str, value: dict[str, Any]) -> None:
        replace_file(os.path.join(self._directory, name), load("json").dumps(value).encode())


def _lives(pid: object) -> bool:
    try:
        os.kill(pid if isinstance(pid, int) and pid > 0 else os.getpid(), 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
