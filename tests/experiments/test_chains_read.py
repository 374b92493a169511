"""Names of checkpoints, wherever a revision is given; what is done with a chain, and with one commit of it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint_chains import FILES, drop_model, make_chain
from git_repos import opened
from offbranch.api.exp_keep import apply, branch, remove, rename
from offbranch.base.errors import MissingDataError, NotFoundError
from offbranch.experiments.checkpoint_names import NameParts, mark_of, number_chain, split_name
from offbranch.experiments.refs import find_checkpoint, resolve_any, resolve_checkpoint
from offbranch.experiments.remove import Removal
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.records import parse_commit
from projects import TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p", FILES)


def test_every_way_to_name_a_checkpoint(project: TestProject) -> None:
    chain = make_chain(project, "run", [0.1, 0.2, 0.3, 0.4, 0.5])
    repo = opened(project.root)
    for text, wanted in (
        ("run@1", 0),
        ("run@3", 2),
        ("run@last", 4),
        ("run", 4),
        ("run~1", 3),
        ("run^", 3),
        ("run@3~1", 1),
        (chain[1][:8], 1),
        (chain[1], 1),
    ):
        assert resolve_any(repo, text) == chain[wanted], text
        found = resolve_checkpoint(repo, text)
        assert (found.commit, found.number, found.step) == (chain[wanted], wanted + 1, (wanted + 1) * 10)
        assert (found.experiment.name, found.n_commits) == ("run", 5)


def test_a_checkpoint_that_is_not_there_says_how_many_are(project: TestProject) -> None:
    make_chain(project, "run", [0.1, 0.2, 0.3, 0.4, 0.5])
    with pytest.raises(NotFoundError, match="'run@9' does not exist: 'run' has 5 checkpoints") as caught:
        resolve_any(opened(project.root), "run@9")
    assert caught.value.hint == "run@1 to run@5; run@last is the newest"
    with pytest.raises(NotFoundError, match="no such commit"):
        resolve_any(opened(project.root), "run~99")
    with pytest.raises(NotFoundError, match="neither a Git revision nor an experiment"):
        resolve_any(opened(project.root), "nobody@1")
    for text in ("run@lst", "run@-1"):
        with pytest.raises(NotFoundError, match="neither a Git revision nor an experiment") as caught:
            resolve_any(opened(project.root), text)
        assert caught.value.hint == "a checkpoint is named by its number: run@1, or run@last for the newest"


def test_an_experiment_of_that_name_comes_first(project: TestProject) -> None:
    make_chain(project, "run", [0.1, 0.2, 0.3])
    (other,) = make_chain(project, "run@2", [0.9])
    assert resolve_any(opened(project.root), "run@2") == other
    assert resolve_any(opened(project.root), "run@2@1") == other


def test_the_end_of_a_run_has_no_number_of_its_own(project: TestProject) -> None:
    chain = make_chain(project, "run", [0.1, 0.2, 0.3], is_finished=True)
    repo = opened(project.root)
    assert resolve_any(repo, "run@2") == chain[1]
    assert resolve_any(repo, "run@3") == resolve_any(repo, "run@last") == chain[2]
    with pytest.raises(NotFoundError, match="'run' has 2 checkpoints"):
        resolve_any(repo, "run@4")


def test_a_chain_of_dvc_2_is_counted(project: TestProject) -> None:
    chain = make_chain(project, "run", [0.1, 0.2, 0.3], says_numbers=False)
    assert resolve_any(opened(project.root), "run@2") == chain[1]


def test_numbers_go_on_where_a_chain_is_shared(project: TestProject) -> None:
    first = make_chain(project, "run", [0.1, 0.2, 0.3, 0.4])
    fork = make_chain(project, "fork", [0.9], above=first[1])
    repo = opened(project.root)
    assert resolve_any(repo, "fork@2") == first[1]
    assert resolve_any(repo, "fork@3") == fork[0]
    assert resolve_any(repo, "run@3") == first[2]


def test_a_branch_of_a_middle_one_is_there_and_not_at_the_tip(project: TestProject) -> None:
    first = make_chain(project, "run", [0.1, 0.2, 0.3])
    make_chain(project, "a", [0.9], above=first[1])
    made = branch("run@2", project.session())
    assert (made.branch, made.commit, made.experiment) == ("run-checkpoint-2-branch", first[1], "run@2")
    assert branch(first[0], project.session(), branch_name="other").commit == first[0]
    assert project.git("rev-parse", "run-checkpoint-2-branch") == first[1]


def test_only_whole_experiments_are_removed_and_renamed(project: TestProject) -> None:
    chain = make_chain(project, "run", [0.1, 0.2, 0.3])
    for text in ("run@2", "run~1", chain[0][:8]):
        with pytest.raises(NotFoundError, match="is a checkpoint of the experiment 'run'"):
            remove(Removal(names=(text,)), project.session())
        with pytest.raises(NotFoundError, match="is a checkpoint of the experiment 'run'"):
            rename(text, "new", project.session())
    assert project.exps() == {"run": chain[2]}


def test_a_shared_chain_stays_for_the_other(project: TestProject) -> None:
    first = make_chain(project, "run", [0.1, 0.2, 0.3])
    make_chain(project, "fork", [0.9], above=first[1])
    remove(Removal(names=("run",)), project.session())
    rename("fork", "left", project.session())
    repo = opened(project.root)
    assert resolve_any(repo, "left@2") == first[1]
    assert find_checkpoint(repo, first[0]).experiment.name == "left"  # type: ignore[union-attr]
    with pytest.raises(NotFoundError):
        resolve_any(repo, "run@1")


def test_apply_of_what_was_not_kept_names_the_nearest(project: TestProject) -> None:
    make_chain(project, "run", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], keep="last=1,every=2")
    for acc in (0.1, 0.3, 0.5):
        drop_model(project, acc)
    for dry in (True, False):
        with pytest.raises(
            MissingDataError, match=r"the data of checkpoint 3 of 'run' was not kept: model\.txt"
        ) as caught:
            apply("run@3", project.session(), dry=dry)
        assert caught.value.hint == "the nearest that was: run@2 and run@4"
    assert project.read("metrics.json") == FILES["metrics.json"]
    assert project.git("status", "--porcelain") == ""
    apply("run@4", project.session())
    assert project.read("model.txt") == "model 0.4\n"


def test_what_was_to_be_kept_and_is_not_here_is_missing_as_ever(project: TestProject) -> None:
    make_chain(project, "run", [0.1, 0.2])
    drop_model(project, 0.1)
    assert apply("run@1", project.session()).missing == ("model.txt",)


def test_a_stage_that_was_at_a_checkpoint_says_so(project: TestProject) -> None:
    make_chain(project, "run", [0.1, 0.2, 0.3])
    apply("run@2", project.session())
    done = project.ob("repro", "--dry")
    assert "because its last run was at checkpoint 2, not finished" in done.out
    assert json.loads(project.ob("status", "--json").out)["train"] == ["changed command"]


def test_a_mark_that_makes_no_sense_is_none(project: TestProject) -> None:
    with ObjectReader(opened(project.root)) as objects:
        head = objects.commit(CommitId(project.git("rev-parse", "HEAD")))
    for text in ("", "[]", "{}", '{"number": "x"}', "nonsense", '{"number": null}'):
        content = f"tree {head.tree}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\nob-checkpoint {text}\n\nm".encode()
        commit = parse_commit(head.id, content)
        assert mark_of(commit) is None
        assert number_chain((commit,)) == (1,)


@given(name=st.from_regex(r"[a-z][a-z0-9@-]{0,8}", fullmatch=True), number=st.integers(1, 99), n=st.integers(1, 9))
def test_names_are_split_into_what_they_were_made_of(name: str, number: int, n: int) -> None:
    assert split_name(f"{name}@{number}") == NameParts(name=name, number=number)
    assert split_name(f"{name}@{number}~{n}") == NameParts(name=name, number=number, back=f"~{n}")
    assert split_name(f"{name}@last") == NameParts(name=name)


def test_one_checkpoint_and_none(project: TestProject) -> None:
    make_chain(project, "one", [0.1, 0.2], is_finished=True)
    with pytest.raises(NotFoundError, match=r"'one@7' does not exist: 'one' has 1 checkpoint$") as caught:
        resolve_any(opened(project.root), "one@7")
    assert caught.value.hint == "it is one@1"
    make_chain(project, "plain", [0.2], is_finished=True)
    with pytest.raises(NotFoundError, match="'plain@7' does not exist: 'plain' has no checkpoints") as caught:
        resolve_any(opened(project.root), "plain@7")
    assert caught.value.hint == "give its name: plain"
