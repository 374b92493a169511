"""Sharing experiments: what one tool pushed, the other lists, pulls and removes; the remotes are the same, whoever pushed."""

import shutil
from pathlib import Path

import pytest

from git_repos import run as git
from interop.peers import PeerProject, peer_project
from sharing import Place, labels_of, make_place, ref_of

pytestmark = pytest.mark.interop


@pytest.fixture
def place(tmp_path: Path, dvc: str) -> Place:
    """DVC takes a relative url of another revision as relative to the root of the machine, so it is absolute."""
    config = f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path}/store\n"
    return make_place(tmp_path, config=config)


def peer(place: Place, dvc: str, name: str = "p") -> PeerProject:
    if name != "p":
        place.clone(name)
    return peer_project(place.base / name, dvc)


def wipe(place: Place) -> None:
    for ref in place.there():
        git(place.remote, "update-ref", "-d", ref)
    shutil.rmtree(place.store, ignore_errors=True)


def content(place: Place) -> object:
    return place.there(), place.stored()


def test_both_push_the_same(place: Place, dvc: str) -> None:
    project = peer(place, dvc)
    for words in (
        ("push", "origin"),
        ("push", "-A", "origin"),
        ("push", "origin", "one"),
        ("push", "--no-cache", "origin"),
    ):
        wipe(place)
        project.dvc("exp", *words)
        theirs = content(place)
        wipe(place)
        project.did("exp", *words)
        assert content(place) == theirs, words


def test_with_the_run_cache(place: Place, dvc: str) -> None:
    project = peer(place, dvc)
    project.dvc("exp", "push", "--run-cache", "origin")
    theirs = sorted(path.relative_to(place.store) for path in place.store.glob("runs/*/*/*"))
    wipe(place)
    project.did("exp", "push", "--run-cache", "origin")
    assert sorted(path.relative_to(place.store) for path in place.store.glob("runs/*/*/*")) == theirs
    assert len(theirs) == 2


def test_dvc_pulls_what_ob_pushed(place: Place, dvc: str) -> None:
    project = peer(place, dvc)
    labels_of(project, "one", '{"tags": ["good"]}')
    project.did("exp", "push", "origin")
    clone = peer(place, dvc, "c")
    assert sorted(clone.dvc("exp", "list", "origin", "--name-only").out.split()) == ["one", "two"]
    clone.dvc("exp", "pull", "origin", "one", "two")
    assert clone.exps() == project.exps()
    clone.dvc("exp", "apply", "one")
    assert clone.read("model.txt") == "model 0.2\n"
    clone.dvc("exp", "show", "--json")


def test_ob_pulls_what_dvc_pushed(place: Place, dvc: str) -> None:
    project = peer(place, dvc)
    project.dvc("exp", "run", "-q", "-n", "theirs", "-S", "lr=0.7")
    project.dvc("exp", "push", "-A", "origin")
    clone = peer(place, dvc, "c")
    assert clone.did("exp", "list", "origin", "--name-only").out.split() == ["one", "theirs", "two"]
    assert clone.did("exp", "list", "origin").out == "main:\n\tone\n\ttheirs\n\ttwo\n"
    clone.did("exp", "pull", "origin", "t*")
    assert sorted(clone.exps()) == ["theirs", "two"]
    clone.did("exp", "apply", "theirs")
    assert clone.read("model.txt") == "model 0.7\n"


def test_each_sees_that_the_other_has_pushed(place: Place, dvc: str) -> None:
    project = peer(place, dvc)
    project.did("exp", "push", "origin")
    theirs = project.dvc("exp", "push", "origin")
    assert "up to date" in theirs.out
    wipe(place)
    project.dvc("exp", "push", "origin", "one")
    assert project.did("exp", "push", "origin", "one").out == "Experiment one is up to date on Git remote 'origin'.\n"
    assert project.did("exp", "pull", "origin", "one").out == "Experiment one is up to date with Git remote 'origin'.\n"


def test_both_tell_what_has_diverged(place: Place, dvc: str) -> None:
    """DVC ends with 0 then, we do not."""
    project = peer(place, dvc)
    project.did("exp", "push", "origin")
    clone = peer(place, dvc, "c")
    clone.dvc("exp", "run", "-q", "-n", "one", "-S", "lr=0.9")
    before = place.there()
    said = clone.dvc("exp", "push", "origin", "one")
    assert "diverged" in said.out + said.err
    refused = clone.ob("exp", "push", "origin", "one")
    assert refused.code == 1
    assert "have diverged" in refused.err
    assert place.there() == before
    said = clone.dvc("exp", "pull", "origin", "one")
    assert "diverged" in said.out + said.err
    assert clone.ob("exp", "pull", "origin", "one").code == 1
    mine = clone.exps()["one"]
    clone.did("exp", "push", "-f", "origin", "one")
    assert place.there()[ref_of(clone, "one")[1]] == mine
    clone.did("exp", "pull", "-f", "origin", "one")
    project.dvc("exp", "pull", "-f", "origin", "one")
    assert project.exps()["one"] == mine


def test_the_same_names_are_unknown_to_both(place: Place, dvc: str) -> None:
    project = peer(place, dvc)
    for words in (("push", "origin", "nosuch"), ("pull", "origin", "nosuch"), ("remove", "-g", "origin", "nosuch")):
        assert project.dvc("exp", *words, code=None).code != 0
        assert project.ob("exp", *words).code == 1
        assert place.there() == {}


@pytest.mark.parametrize("words", [("one",), ("one", "two"), ("-A",)])
def test_both_remove_the_same_there(place: Place, dvc: str, words: tuple[str, ...]) -> None:
    project = peer(place, dvc)
    project.dvc("exp", "push", "origin")
    project.dvc("exp", "remove", "-g", "origin", *words)
    theirs = place.there()
    project.did("exp", "push", "origin")
    project.did("exp", "remove", "-g", "origin", *words)
    assert place.there() == theirs
    assert sorted(project.exps()) == ["one", "two"]


def test_an_experiment_older_than_the_data_remote(tmp_path: Path, dvc: str) -> None:
    """DVC asks the experiment's own configuration and uploads nothing; we ask the workspace's."""
    place = make_place(tmp_path, config="")
    project = peer(place, dvc)
    project.write(".dvc/config", f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path}/store\n")
    project.dvc("exp", "push", "origin")
    assert place.stored() == set()
    project.did("exp", "push", "origin")
    assert len(place.stored()) == 2


def test_both_push_by_themselves(place: Place, dvc: str) -> None:
    project = peer(place, dvc)
    auto = {"DVC_EXP_AUTO_PUSH": "true", "DVC_EXP_GIT_REMOTE": "origin"}
    project.dvc("exp", "run", "-q", "-n", "theirs", "-S", "lr=0.7", **auto)
    project.did("exp", "run", "-q", "-n", "ours", "-S", "lr=0.8", **auto)
    assert place.names_there() == ["ours", "theirs"]
    assert len(place.stored()) >= 2
