"""`exp push` and `exp pull` killed at any write: nothing is claimed that is not there, and the same command completes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults.test_kill import kill_points
from git_repos import run as git
from killing import KILLED, Killer, check_git, wrong_objects
from sharing import Place, make_place, md5

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
NEEDED = {"one": md5("model 0.2\n"), "two": md5("model 0.3\n")}


@dataclass(frozen=True)
class Scenario:
    """A command in a project of a place, and whether the remote is full before it."""

    words: Sequence[str]
    project: str
    is_full: bool
    every: int = 2


SCENARIOS = {
    "push": Scenario(("exp", "push", "--run-cache", "origin"), "p", is_full=False),
    "pull": Scenario(("exp", "pull", "--run-cache", "origin"), "c", is_full=True),
    "rename": Scenario(("exp", "rename", "-f", "-g", "origin", "one", "uno"), "p", is_full=True),
    "remove": Scenario(("exp", "remove", "-g", "origin", "-A"), "p", is_full=True),
}


def check_remote(place: Place, where: str) -> None:
    """Every experiment that the Git remote has is whole at the data remote; what lies there is right."""
    assert place.wrong_at_store() == [], where
    stored = place.stored()
    for name in place.names_there():
        assert name not in NEEDED or NEEDED[name] in stored, where
    git(place.remote, "fsck", "--strict", "--no-dangling", "--no-progress")


def cached(root: Path) -> set[str]:
    return {path.parent.name + path.name for path in root.glob(".dvc/cache/files/md5/??/*")}


def result(place: Place, project: str) -> object:
    clone = place.base / project
    return place.there(), place.stored(), git(clone, "for-each-ref", "refs/exps")


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_anywhere(name: str, killer: Killer, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    origin = make_place(tmp_path / "origin")
    origin.clone()
    if scenario.is_full:
        assert origin.project.ob("exp", "push", "--run-cache", "origin").code == 0
    undisturbed = origin.copy(tmp_path / "undisturbed")
    labels = killer.writes(undisturbed.base / scenario.project, scenario.words)
    assert killer.code == 0, killer.output()
    expected = result(undisturbed, scenario.project)
    count = 0
    for n, mode in kill_points(labels, scenario.every):
        count += 1
        where = f"{mode} {n} of {len(labels)}: {labels[n - 1]}"
        place = origin.copy(tmp_path / f"p{n}{mode}")
        root = place.base / scenario.project
        code, output = killer.run(root, scenario.words, n=n, mode=mode)
        assert code in (KILLED, 0), f"{where}\n{output}"
        check_remote(place, where)
        project = type(place.project)(root)
        assert wrong_objects(project) == [], where
        check_git(project)
        is_done = name == "rename" and "one" not in place.names_there() and "one" not in project.exps()
        if not is_done:
            code, output = killer.run(root, scenario.words)
            assert code == 0, f"{where}\n{output}"
        assert result(place, scenario.project) == expected, where
        if name == "pull":
            assert cached(root) >= set(NEEDED.values()), where
    assert count > 0
