"""A chain in `exp show`: one row with its count, unfolded, one row with the attempt that made it; and `exp list`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from checkpoint_chains import FILES, make_chain
from git_repos import opened
from golden_files import check_golden
from offbranch.api.show import exp_list, exp_show, exp_table
from offbranch.base.environ import read_environment
from offbranch.base.paths import AbsPath
from offbranch.base.processes import ProcessInfo, this_process
from offbranch.base.records import replace
from offbranch.experiments import chains
from offbranch.experiments.attempts import begin_attempt
from offbranch.experiments.chains import present_commits
from offbranch.experiments.experiment import Attempt, AttemptState, Where
from offbranch.git.ids import CommitId, TreeId
from offbranch.git.objects import ObjectReader
from offbranch.views.csv import render_csv
from offbranch.views.listing import ListOptions, listing_to_json, render_listing
from offbranch.views.options import ShowOptions
from offbranch.views.row_cache import FILE
from offbranch.views.table import Mark, Table
from offbranch.views.text import render_text
from projects import TestProject, make_project

TOLD = ShowOptions(counts=True)


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p", FILES)


def states(project: TestProject, options: ShowOptions | None = None) -> list[dict[str, Any]]:
    place = AbsPath(str(project.root))
    shown = exp_show(options or ShowOptions(), start=place, environment=read_environment())
    return list(shown[1]["experiments"] or ())


def table(project: TestProject, options: ShowOptions = TOLD) -> Table:
    return exp_table(options, start=AbsPath(str(project.root)), environment=read_environment())


def column(shown: Table, title: str) -> list[Any]:
    place = [each.title for each in shown.columns].index(title)
    return [None if row.cells[place] is Mark.MISSING else row.cells[place] for row in shown.rows]


def attempt(
    project: TestProject,
    name: str,
    checkpoint: str | None,
    *,
    state: AttemptState,
    started: float = 1.0,
    is_killed: bool = False,
) -> None:
    """Records a run that has made a chain up to a checkpoint and measured acc 7 after it."""
    head = project.git("rev-parse", "HEAD")
    project.write("metrics.json", '{"acc": 7.0}\n')
    project.git("add", "-A")
    tree = project.git("write-tree")
    project.git("reset", "-q", "--hard")
    gone = ProcessInfo(pid=1, host="elsewhere", started="0", command="ob")
    made = Attempt(
        id=f"{name}-{started}",
        name=name,
        baseline=CommitId(head),
        where=Where.WORKSPACE,
        state=state,
        process=replace(this_process(), started="0")
        if is_killed
        else this_process()
        if state is AttemptState.RUNNING
        else gone,
        root=str(project.root),
        log="log",
        started_utc=started,
        ended_utc=None if state is AttemptState.RUNNING else started + 1,
        cause="" if state is AttemptState.RUNNING else "stage 'train' exited with 3",
        checkpoints=0 if checkpoint is None else 2,
        checkpoint=None if checkpoint is None else CommitId(checkpoint),
    )
    begin_attempt(opened(project.root), AbsPath(str(project.root)), made, TreeId(tree))


def test_a_chain_is_one_row_with_its_count(project: TestProject) -> None:
    chain = make_chain(project, "run", [0.1, 0.2, 0.3])
    (shown,) = states(project)
    assert [each["rev"] for each in shown["revs"]] == chain[::-1]
    assert [each["name"] for each in shown["revs"]] == ["run", None, None]
    assert [each["checkpoint"] for each in shown["revs"]] == [{"number": n, "step": n * 10} for n in (3, 2, 1)]
    assert shown["n_checkpoints"] == 3
    assert column(table(project), "Checkpoints") == [None, None, 3]
    assert column(table(project), "acc") == [0.0, 0.0, 0.3]


def test_there_is_no_such_column_where_nothing_has_a_chain(project: TestProject) -> None:
    make_chain(project, "run", [0.1], says_numbers=False)
    assert "Checkpoints" not in [each.title for each in table(project).columns]
    assert "n_checkpoints" not in states(project)[0]


def test_the_end_of_a_run_is_not_counted(project: TestProject) -> None:
    make_chain(project, "run", [0.1, 0.2, 0.3], is_finished=True)
    (shown,) = states(project)
    assert shown["n_checkpoints"] == 2
    assert "checkpoint" not in shown["revs"][0]
    assert column(table(project), "Checkpoints")[-1] == 2


def test_unfolded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):  # so that ids are the same each time
        monkeypatch.setenv(name, "1700000000 +0000")
    project = make_project(tmp_path / "dated", FILES)
    make_chain(project, "run", [0.1, 0.2, 0.3])
    make_chain(project, "old", [0.6, 0.7], says_numbers=False, start_s=1_600_000_000)
    unfolded = table(project, ShowOptions(checkpoints=True, drop=("Created",)))
    check_golden("views/exp_show_checkpoints.txt", render_text(unfolded, now_s=0.0))
    check_golden("views/exp_show_checkpoints.csv", render_csv(unfolded))
    assert [row.typ for row in unfolded.rows[2:]] == [
        "checkpoint_tip",
        "checkpoint_commit",
        "checkpoint_base",
        "checkpoint_tip",
        "checkpoint_base",
    ]


def test_chains_stay_together_when_they_are_sorted(project: TestProject) -> None:
    make_chain(project, "low", [0.9, 0.1])
    make_chain(project, "high", [0.2, 0.3])
    make_chain(project, "one", [0.2], says_numbers=False)
    for order, accs in (("asc", [0.1, 0.9, 0.2, 0.3, 0.2]), ("desc", [0.3, 0.2, 0.2, 0.1, 0.9])):
        options = ShowOptions(checkpoints=True, sort_by="acc", sort_order=order)
        assert column(table(project, options), "acc")[2:] == accs


def test_filters_are_about_the_experiment(project: TestProject) -> None:
    make_chain(project, "run", [0.9, 0.1])
    make_chain(project, "two", [0.2, 0.3, 0.4])
    assert [each["name"] for each in states(project, ShowOptions(where="acc > 0.2"))] == ["two"]
    assert [each["name"] for each in states(project, ShowOptions(where="checkpoints < 3"))] == ["run"]
    assert len(states(project, ShowOptions(where="acc < 0.2"))[0]["revs"]) == 2


def test_what_was_remembered_says_the_same(project: TestProject) -> None:
    make_chain(project, "run", [0.1, 0.2, 0.3], is_finished=True)
    folded, first = table(project), states(project)
    assert table(project) == folded
    assert states(project) == first
    (project.root / FILE).unlink()
    assert (states(project), table(project)) == (first, folded)
    assert states(project, ShowOptions(force=True)) == first


def test_of_a_chain_that_grows_only_what_is_new_is_read(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def spy(objects: ObjectReader, commits: Iterable[CommitId]) -> frozenset[CommitId]:
        read.extend(commits)
        return present_commits(objects, read[-1:])

    chain = make_chain(project, "run", [0.1, 0.2, 0.3])
    states(project)
    grown = make_chain(project, "run", [0.4, 0.5], above=chain[-1])
    monkeypatch.setattr(chains, "present_commits", spy)
    shown = states(project)
    assert [each["rev"] for each in shown[0]["revs"]] == [*chain, *grown][::-1]
    assert read == grown[::-1]
    other = make_chain(project, "run", [0.6, 0.7], above=chain[0])
    assert [each["rev"] for each in states(project)[0]["revs"]] == [chain[0], *other][::-1]
    assert (project.root / FILE).read_text().count("\nchain-") == 1
    (project.root / FILE).unlink()
    assert [each["rev"] for each in states(project)[0]["revs"]] == [chain[0], *other][::-1]


def test_a_failed_attempt_and_its_chain_are_one_row(project: TestProject) -> None:
    chain = make_chain(project, "run", [0.1, 0.2])
    attempt(project, "run", chain[1], state=AttemptState.FAILED)
    (shown,) = states(project)
    assert (shown["name"], shown["executor"]["state"], shown["n_checkpoints"]) == ("run", "failed", 2)
    tip = shown["revs"][0]
    assert (tip["rev"], tip["error"]["msg"]) == (chain[1], "stage 'train' exited with 3")
    assert tip["data"]["metrics"] == {"metrics.json": {"data": {"acc": 7.0}}}
    assert [each["rev"] for each in shown["revs"]] == chain[::-1]
    assert column(table(project), "State") == [None, None, "Failed"]
    assert states(project, ShowOptions(hide_failed=True)) == []


def test_a_running_one_is_one_row_too(project: TestProject) -> None:
    chain = make_chain(project, "run", [0.1, 0.2])
    attempt(project, "run", chain[0], state=AttemptState.RUNNING)
    project.write("metrics.json", '{"acc": 8.0}\n')
    (shown,) = states(project)
    assert (shown["executor"]["state"], shown["revs"][0]["rev"]) == ("running", chain[1])
    assert shown["revs"][0]["data"]["metrics"]["metrics.json"]["data"] == {"acc": 8.0}


@pytest.mark.parametrize("n_checkpoints", [1, 3])
@pytest.mark.parametrize("is_killed", [False, True])
def test_one_whose_record_is_a_checkpoint_behind_is_one_row(
    project: TestProject, n_checkpoints: int, is_killed: bool
) -> None:
    """Git moves one ref after the other, and may be killed with the run in between."""
    chain = make_chain(project, "run", [0.1] * n_checkpoints)
    before = chain[-2] if n_checkpoints > 1 else None
    attempt(project, "run", before, state=AttemptState.RUNNING, is_killed=is_killed)
    (shown,) = states(project)
    assert shown["executor"]["state"] == ("failed" if is_killed else "running")
    assert (shown["n_checkpoints"], shown["revs"][0]["rev"]) == (n_checkpoints, chain[-1])


def test_an_attempt_that_others_have_gone_on_from_has_no_row(project: TestProject) -> None:
    chain = make_chain(project, "run", [0.1, 0.2, 0.3], is_finished=True)
    attempt(project, "run", chain[1], state=AttemptState.FAILED)
    (shown,) = states(project)
    assert shown["executor"] is None
    assert shown["revs"][0]["data"]["metrics"]["metrics.json"]["data"] == {"acc": 0.3}


def test_the_newest_of_several_attempts_counts(project: TestProject) -> None:
    chain = make_chain(project, "run", [0.1, 0.2])
    attempt(project, "run", chain[0], state=AttemptState.FAILED, started=1.0)
    attempt(project, "run", chain[1], state=AttemptState.CANCELLED, started=5.0)
    (shown,) = states(project)
    assert shown["executor"]["attempt_id"] == "run-5.0"


def test_a_chain_that_was_renamed_is_still_that_of_its_attempt(project: TestProject) -> None:
    chain = make_chain(project, "new", [0.1, 0.2])
    attempt(project, "run", chain[1], state=AttemptState.FAILED)
    assert [each["name"] for each in states(project)] == ["new"]


def test_an_attempt_of_another_chain_keeps_its_row(project: TestProject) -> None:
    chain = make_chain(project, "run", [0.1, 0.2])
    project.git("update-ref", "-d", f"refs/exps/{_place(project)}/run")
    make_chain(project, "run", [0.5])
    attempt(project, "run", chain[1], state=AttemptState.FAILED)
    failed, success = sorted(states(project), key=lambda each: each["executor"] is None)
    assert (failed["executor"]["state"], failed["n_checkpoints"]) == ("failed", 2)
    assert (success["n_checkpoints"], len(success["revs"])) == (1, 1)


def test_list_counts_checkpoints(project: TestProject) -> None:
    make_chain(project, "run", [0.1, 0.2, 0.3])
    make_chain(project, "one", [0.1])
    make_chain(project, "plain", [0.4], says_numbers=False)
    listing = exp_list(ListOptions(), start=AbsPath(str(project.root)), environment=read_environment())
    lines = [line.partition(" ")[2] for line in render_listing(listing).splitlines()[1:]]
    assert lines == ["[one] (1 checkpoint)", "[plain]", "[run] (3 checkpoints)"]
    (baseline,) = listing_to_json(listing)
    assert [each.get("n_checkpoints") for each in baseline["experiments"]] == [1, None, 3]  # type: ignore[attr-defined]


def _place(project: TestProject) -> str:
    head = project.git("rev-parse", "HEAD")
    return f"{head[:2]}/{head[2:]}"
