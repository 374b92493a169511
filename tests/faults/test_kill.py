"""`ob` killed between any two writes: nothing of the user's is lost, nothing wrong is visible, the same command works."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from git_repos import opened
from killing import (
    KILLED,
    Kept,
    Killer,
    check_git,
    copy_of,
    experiments,
    incomplete_experiments,
    kept,
    litter,
    tasks,
    workspace,
    wrong_objects,
)
from offbranch.base.paths import AbsPath
from offbranch.experiments.attempts import list_attempts
from offbranch.experiments.experiment import AttemptState
from projects import DVC_YAML, SIMPLE, TestProject, make_project

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]

OWN = ("staged.txt", "notes.txt", "untracked.txt", "data.txt", "train.sh", "dvc.yaml", "only-staged.txt")
TWO_STAGES = {
    **SIMPLE,
    "dvc.yaml": DVC_YAML.replace("- data.txt", "- prepared.txt")
    + "  prepare:\n    cmd: cp data.txt prepared.txt\n    deps:\n    - data.txt\n    outs:\n    - prepared.txt\n",
}


TWO_ARMS = {
    **SIMPLE,
    "dvc.yaml": DVC_YAML
    + "  side:\n    cmd: cp data.txt side.txt\n    deps:\n    - data.txt\n    outs:\n    - side.txt\n",
}


@dataclass(frozen=True)
class Scenario:
    """A command to be killed.

    Attributes:
        words: The command line.
        prepare: Brings a fresh project to the state it starts from.
        code: How it ends if it is not killed.
        files: Of the project.
        is_done: Tells whether it has done everything already, so that it cannot be repeated.
        rewrites: Of the user's own files those that the command is to change.
        every: Only each so many-th write is tried; all processes of Git that write always.
        n_by_the_clock: How many of its writes are made or not as time passes.
    """

    words: Sequence[str]
    prepare: Callable[[TestProject], object]
    code: int = 0
    files: tuple[tuple[str, str], ...] = tuple(SIMPLE.items())
    is_done: Callable[[TestProject], bool] = lambda project: False
    rewrites: tuple[str, ...] = ()
    every: int = 1
    n_by_the_clock: int = 0


def user_work(project: TestProject) -> None:
    """Something staged, something edited on top, something untracked."""
    project.write("notes.txt", "notes\n")
    project.commit("notes")
    project.write("staged.txt", "staged\n")
    project.write("only-staged.txt", "staged\n")
    project.git("add", "staged.txt", "only-staged.txt")
    project.write("staged.txt", "staged, then changed\n")
    project.write("notes.txt", "notes, edited\n")
    project.write("untracked.txt", "mine\n")


def with_experiment(project: TestProject) -> None:
    user_work(project)
    for words in (("-n", "first", "-S", "lr=0.2"), ("-n", "second", "-S", "lr=0.3")):
        assert project.ob("exp", "run", *words).code == 0


def with_failed_attempt(project: TestProject) -> None:
    with_experiment(project)
    assert project.ob("exp", "run", "-n", "bad", "-S", "fail=3").code == 1


def with_edits(project: TestProject) -> None:
    with_experiment(project)
    project.write("params.yaml", "lr: 0.77\nfail: 0\n# a long thought\n")
    project.write("model.txt", "made by hand\n")


def with_data(project: TestProject) -> None:
    user_work(project)
    for name in ("a", "b", "c/d"):
        project.write(f"data/{name}", f"content of {name}\n")
    project.write("big.bin", "x" * 100_000)


def with_added_data(project: TestProject) -> None:
    with_data(project)
    assert project.ob("add", "data", "big.bin").code == 0
    project.write("data/a", "another content\n")
    (project.root / "data/b").unlink()
    project.write("data/e", "a new file\n")


def with_lost_data(project: TestProject) -> None:
    with_data(project)
    assert project.ob("add", "data", "big.bin").code == 0
    (project.root / "data/b").unlink()
    (project.root / "big.bin").unlink()


def with_changed_output(project: TestProject) -> None:
    user_work(project)
    assert project.ob("repro").code == 0
    project.write("model.txt", "made by hand\n")


def with_changed_data(project: TestProject) -> None:
    user_work(project)
    assert project.ob("repro").code == 0
    project.write("data.txt", "changed\n")


def with_queued_data(project: TestProject) -> None:
    with_data(project)
    assert project.ob("add", "big.bin").code == 0
    project.write("big.bin", "changed since\n")


def with_task(project: TestProject) -> None:
    user_work(project)
    assert project.ob("exp", "run", "--queue", "-n", "later", "-S", "lr=0.4").code == 0


def with_failing_task(project: TestProject) -> None:
    user_work(project)
    assert project.ob("exp", "run", "--queue", "-n", "bad", "-S", "fail=3").code == 0


def restorable(project: TestProject) -> None:
    user_work(project)
    for rate in ("0.5", "0.1"):
        project.write("params.yaml", f"lr: {rate}\nfail: 0\n")
        assert project.ob("repro").code == 0
    project.write("params.yaml", "lr: 0.5\nfail: 0\n")


def with_data_to_move(project: TestProject) -> None:
    with_data(project)
    (project.root / "sub").mkdir()
    assert project.ob("add", "data", "big.bin").code == 0


def with_linked_data(project: TestProject) -> None:
    with_data(project)
    project.write(".dvc/config", "[cache]\n    type = hardlink\n")
    assert project.ob("add", "data", "big.bin").code == 0


def with_outputs(project: TestProject) -> None:
    user_work(project)
    assert project.ob("repro").code == 0


def with_remotes(project: TestProject) -> None:
    user_work(project)
    project.write(".dvc/config", "# mine\n[core]\n    remote = a\n['remote \"a\"']\n    url = /x  # there\n")
    project.write(".dvc/config.local", "[core]\n    remote = a\n")


def with_objects_of_dvc2(project: TestProject) -> None:
    user_work(project)
    for name, md5 in (("w.txt", "dd8c6a395b5dd36c56d23275028f526c"), ("v.txt", "60b725f10c9c85c70d97880dfe8191b3")):
        data = b"a\r\nb\r\n" if name == "w.txt" else b"a\n"
        project.write(name, data)
        project.write(f".dvc/cache/{md5[:2]}/{md5[2:]}", data).chmod(0o444)
        project.write(f"{name}.dvc", f"outs:\n- md5: {md5}\n  size: {len(data)}\n  path: {name}\n")


def lacks(path: str) -> Callable[[TestProject], bool]:
    return lambda project: not project.exists(path)


def has_experiment(name: str) -> Callable[[TestProject], bool]:
    return lambda project: name in project.exps()


def lacks_experiment(name: str) -> Callable[[TestProject], bool]:
    return lambda project: name not in project.exps()


def has_tasks(project: TestProject) -> bool:
    """All of a sweep are queued, or none is."""
    found = set(tasks(project))
    assert found in (set(), {"P-1", "P-2"})
    return bool(found)


def lacks_tasks(project: TestProject) -> bool:
    return not tasks(project)


STAGES = tuple(TWO_STAGES.items())
SCENARIOS = {
    "run": Scenario(("exp", "run", "-n", "new", "-S", "lr=0.4"), with_experiment, is_done=has_experiment("new"), every=3),
    "run-fails": Scenario(("exp", "run", "-n", "bad", "-S", "lr=0.5", "-S", "fail=3"), with_experiment, code=1, every=3),
    "run-temp": Scenario(
        ("exp", "run", "--temp", "-n", "new", "-S", "lr=0.4"), with_experiment, is_done=has_experiment("new"), every=3
    ),
    "run-temp-fails": Scenario(("exp", "run", "--temp", "-n", "bad", "-S", "fail=3"), user_work, code=1, every=6),
    "apply": Scenario(("exp", "apply", "first"), with_edits, every=2),
    "save": Scenario(("exp", "save", "-n", "new"), with_changed_output, is_done=has_experiment("new"), every=2),
    "rename-over": Scenario(
        ("exp", "rename", "-f", "first", "second"), with_experiment, is_done=lacks_experiment("first")
    ),
    "remove-attempt": Scenario(
        ("exp", "remove", "-A"), with_failed_attempt, is_done=lambda project: not project.git("for-each-ref", "refs/ob")
    ),
    "rename": Scenario(("exp", "rename", "first", "other"), with_experiment, is_done=has_experiment("other")),
    "remove": Scenario(("exp", "remove", "first"), with_experiment, is_done=lacks_experiment("first")),
    "queue": Scenario(
        ("exp", "run", "--queue", "-n", "P", "-S", "lr=0.4,0.5"), with_queued_data, is_done=has_tasks
    ),
    "run-all": Scenario(
        ("exp", "run", "--run-all"), with_task, is_done=has_experiment("later"), every=3, n_by_the_clock=8
    ),
    "run-all-fails": Scenario(
        ("exp", "run", "--run-all"), with_failing_task, code=1, is_done=lacks_tasks, every=6, n_by_the_clock=8
    ),
    "repro": Scenario(("repro",), user_work, files=STAGES, every=3),
    "repro-side-by-side": Scenario(
        ("repro", "-j", "2"), with_changed_data, files=tuple(TWO_ARMS.items()), every=3
    ),
    "repro-restores": Scenario(("repro",), restorable, every=3),
    "add": Scenario(("add", "big.bin"), with_data),
    "add-directory": Scenario(("add", "data"), with_data, every=3),
    "add-again": Scenario(("add", "data"), with_added_data),
    "checkout": Scenario(("checkout",), with_lost_data),
    "commit": Scenario(("commit", "-f"), with_changed_output),
    "move": Scenario(("move", "big.bin", "sub/other.bin"), with_data_to_move, is_done=lacks("big.bin.dvc")),
    "move-directory": Scenario(("move", "data", "sub"), with_data_to_move, is_done=lacks("data.dvc")),
    "remove-data": Scenario(("remove", "--outs", "big.bin.dvc"), with_data_to_move, is_done=lacks("big.bin.dvc")),
    "remove-stage": Scenario(
        ("remove", "--outs", "prepare"), with_outputs, files=STAGES, rewrites=("dvc.yaml",),
        is_done=lambda project: "  prepare:" not in project.read("dvc.lock"),
    ),
    "unprotect": Scenario(("unprotect", "data", "big.bin"), with_linked_data),
    "remote-rename": Scenario(
        ("remote", "rename", "a", "b"), with_remotes, is_done=lambda project: '"b"' in project.read(".dvc/config")
    ),
    "remote-remove": Scenario(
        ("remote", "remove", "a"), with_remotes, is_done=lambda project: '"a"' not in project.read(".dvc/config")
    ),
    "cache-migrate": Scenario(("cache", "migrate", "--dvc-files"), with_objects_of_dvc2),
}  # fmt: skip


def result(project: TestProject) -> object:
    """What a command has come to, apart from names and times that differ from run to run."""
    trees = {name: tree for name, (_, tree) in experiments(project).items()}
    queued = {name: tree for name, (_, tree) in tasks(project).items()}
    return trees, queued, workspace(project)


def bring_back_outputs(project: TestProject) -> None:
    """A cached output may be gone after a killed run that fails when it is repeated; the cache has it."""
    if not project.exists("model.txt") and project.exists("dvc.lock"):
        assert project.ob("checkout").code == 0


def attempts(project: TestProject) -> list[AttemptState]:
    root = AbsPath(str(project.root))
    return [attempt.true_state for attempt in list_attempts(opened(project.root), root)]


def kill_points(labels: Sequence[str], every: int) -> Iterator[tuple[int, str]]:
    """Yields where to kill: before a write, in the middle of one, and just after Git was started."""
    for n, label in enumerate(labels, 1):
        is_spawn = label.startswith("spawn")
        if is_spawn or n % every == 0:
            yield n, "before"
        if is_spawn and "git" in label and ("update-ref" in label or "checkout" in label or n % every == 0):
            yield n, "after"
        if label in ("write", "file.write") and n % every == 0:
            yield n, "torn"


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_anywhere(name: str, killer: Killer, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    origin = make_project(tmp_path / "origin", dict(scenario.files))
    scenario.prepare(origin)
    own = tuple(name for name in OWN if name not in scenario.rewrites)
    before = kept(origin, own)
    undisturbed = copy_of(origin, tmp_path / "undisturbed")
    labels = killer.writes(undisturbed.root, scenario.words)
    assert killer.code == scenario.code, killer.output()
    expected = result(undisturbed)
    count, known = 0, dict[str, list[str]]()
    for n, mode in kill_points(labels, scenario.every):
        count += 1
        place = f"{mode} {n} of {len(labels)}: {labels[n - 1]}"
        project = copy_of(origin, tmp_path / f"p{n}{mode}")
        code, output = killer.run(project.root, scenario.words, n=n, mode=mode)
        if code != KILLED:
            # How often the state database is written, and how often a worker looks, depends on the clock: there may be less.
            n_less = sum(label.startswith("sqlite") for label in labels) + scenario.n_by_the_clock
            assert code == scenario.code, f"{place}\n{output}"
            assert n > len(labels) - n_less, f"{place}\n{output}"
        check(project, own, before, known, place)
        check_git(project)
        if not scenario.is_done(project):
            code, output = killer.run(project.root, scenario.words)
            assert code == scenario.code, f"{place}\n{output}"
        check(project, own, before, known, place)
        if name == "apply":
            check_replaced_work_is_kept(project, place)
        if name == "run-fails":
            bring_back_outputs(project)
        assert result(project) == expected, place
        assert litter(project) == [], place
    assert count > 0
    print(f"{name}: {count} kill points of {len(labels)} writes")


def check_replaced_work_is_kept(project: TestProject, place: str) -> None:
    """What `with_edits` did by hand is in commits that a ref or its reflog reaches, and in the cache."""
    saved = project.git("log", "-g", "--format=%H", "refs/exps/apply/stash").split()
    assert any("a long thought" in project.file_at(commit, "params.yaml") for commit in saved), place
    md5 = hashlib.md5(b"made by hand\n").hexdigest()
    named = [project.file_at(f"{commit}^2", "model.txt.dvc") for commit in saved if has_second_parent(project, commit)]
    assert any(md5 in text for text in named), place
    assert project.exists(f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}"), place


def has_second_parent(project: TestProject, commit: str) -> bool:
    return len(project.git("rev-list", "--parents", "-n1", commit).split()) == 3


def check(project: TestProject, own: Sequence[str], before: Kept, known: dict[str, list[str]], place: str) -> None:
    assert kept(project, own) == before, place
    assert wrong_objects(project) == [], place
    assert incomplete_experiments(project, known) == [], place
    assert AttemptState.RUNNING not in attempts(project), place
