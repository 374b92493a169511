"""`exp show --follow` and `ob live`: something changes, and it is shown; nothing changes, and nothing is."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from checkpoint_chains import FILES, make_chain
from git_repos import opened
from offbranch.api.live_look import LiveView, follow_live, live_view
from offbranch.api.show_follow import follow_experiments
from offbranch.base.errors import NotFoundError
from offbranch.base.events import Warned
from offbranch.base.paths import AbsPath
from offbranch.base.processes import this_process
from offbranch.base.records import replace
from offbranch.experiments.attempts import begin_attempt, end_attempt, write_record
from offbranch.experiments.experiment import Attempt, AttemptState, Where
from offbranch.git.ids import CommitId, TreeId
from offbranch.views.options import ShowOptions
from projects import Recorder, TestProject, make_project

CURVE = "dvclive/plots/metrics/loss.tsv"


class Sleeper:
    """In place of waiting, does one thing after another; fails where nothing is left to happen."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.steps = list(steps)

    def __call__(self, seconds: float) -> None:
        assert seconds >= 0
        assert self.steps, "it waits, and nothing happens"
        self.steps.pop(0)()


def nothing() -> None:
    return None


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p", FILES)
    # Long before it is looked at, so that times of files can be trusted.
    make_chain(made, "run", [0.1, 0.2])
    return made


def running(project: TestProject, name: str, root: Path) -> Attempt:
    attempt = Attempt(
        id=f"id-{name}",
        name=name,
        baseline=CommitId(project.git("rev-parse", "HEAD")),
        where=Where.TEMPORARY,
        state=AttemptState.RUNNING,
        process=this_process(),
        root=str(root),
        log="log",
        started_utc=1.0,
    )
    tree = TreeId(project.git("rev-parse", "HEAD^{tree}"))
    return begin_attempt(opened(project.root), AbsPath(str(project.root)), attempt, tree)


def test_what_changes_is_shown_again_and_nothing_else(project: TestProject) -> None:
    def metric() -> None:
        project.write("metrics.json", '{"acc": 0.77}\n')

    def checkpoint() -> None:
        make_chain(project, "run", [0.1, 0.2, 0.3])

    views = follow_experiments(
        ShowOptions(), project.session(), sleep=Sleeper(*[nothing] * 9, metric, *[nothing] * 9, checkpoint)
    )
    assert next(views).states[0]["data"]["metrics"]["metrics.json"]["data"] == {"acc": 0.0}
    assert next(views).states[0]["data"]["metrics"]["metrics.json"]["data"] == {"acc": 0.77}
    last = next(views)
    assert last.states[1]["experiments"][0]["n_checkpoints"] == 3
    assert len(last.table.rows) == 3


def test_a_process_that_dies_is_noticed(project: TestProject, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    root.mkdir()
    attempt = running(project, "one", root)

    def die() -> None:
        write_record(AbsPath(str(project.root)), replace(attempt, process=replace(attempt.process, started="0")))

    views = follow_experiments(ShowOptions(), project.session(), sleep=Sleeper(nothing, nothing, die))
    states = [
        [each["executor"] and each["executor"]["state"] for each in next(views).states[1]["experiments"]]
        for _ in range(2)
    ]
    assert states == [["running", None], [None, "failed"]]


def test_curves_of_a_run_grow_and_end_with_it(project: TestProject, tmp_path: Path) -> None:
    copy = TestProject(tmp_path / "copy")
    copy.write(CURVE, "step\tloss\n0\t0.9\n")
    attempt = running(project, "one", copy.root)

    def log() -> None:
        copy.write(CURVE, "step\tloss\n0\t0.9\n1\t0.4\n")

    def end() -> None:
        tree = TreeId(project.git("rev-parse", "HEAD^{tree}"))
        ended = replace(attempt, state=AttemptState.FAILED, ended_utc=2.0, cause="no more")
        end_attempt(opened(project.root), AbsPath(str(project.root)), ended, tree)

    views = list(follow_live((), project.session(), sleep=Sleeper(nothing, log, nothing, end)))
    # Its files are gone with its directory, and what was seen stays to be seen.
    assert [told(view) for view in views][-1] == [("one", "ended", {"loss": 0.4})]
    assert told(views[0])[0][:2] == ("one", "running")
    assert ("one", "running", {"loss": 0.4}) in [told(view)[0] for view in views]
    assert [view.is_over for view in views] == [*[False] * (len(views) - 1), True]


def test_as_long_as_tasks_wait_it_is_not_over(project: TestProject) -> None:
    for name in ("one", "two"):
        assert project.ob("exp", "run", "--queue", "-n", name).code == 0

    def remove(*names: str) -> Callable[[], None]:
        return lambda: opened_without(project, *names)

    views = list(follow_live((), project.session(), sleep=Sleeper(nothing, remove("one"), nothing, remove("two"))))
    assert [(view.waiting, view.has_workers, view.is_over) for view in views] == [
        (("one", "two"), False, False),
        (("two",), False, False),
        ((), True, True),
    ]


def test_a_task_that_is_named_is_waited_for(project: TestProject) -> None:
    for name in ("one", "two"):
        assert project.ob("exp", "run", "--queue", "-n", name).code == 0
    views = follow_live(("two",), project.session(), sleep=Sleeper(lambda: opened_without(project, "two")))
    first = next(views)
    assert (first.waiting, told(first)) == (("two",), [("two", "queued", {})])
    assert "1 task waits in the queue: two; no worker runs: ob queue start" in project.ob("live", "two", "--once").out
    with pytest.raises(NotFoundError, match="'nope' is neither"):
        live_view(("nope",), project.session())


def opened_without(project: TestProject, *names: str) -> None:
    assert project.ob("exp", "remove", *names).code == 0


def test_without_git_there_is_the_workspace_alone(tmp_path: Path) -> None:
    project = TestProject(tmp_path)
    assert project.ob("init", "--no-scm", "-q").code == 0
    project.write(CURVE, "step\tloss\n0\t0.5\n")
    assert project.ob("live").out == "workspace (ended): loss 0.5 at step 0\n"
    refused = project.ob("live", "los")
    assert (refused.code, "did you mean 'loss'?" in refused.err) == (1, True)


def test_nothing_to_follow_is_said(project: TestProject) -> None:
    with pytest.raises(NotFoundError, match="nothing has logged a metric here"):
        next(follow_live((), project.session()))
    project.write(CURVE, "step\tloss\n0\t0.5\n")
    for follow in (live_view, lambda *args: next(follow_live(*args))):
        with pytest.raises(NotFoundError, match="'los' is neither") as caught:
            follow(("los",), project.session())
        assert caught.value.hint == "did you mean 'loss'?"
        with pytest.raises(NotFoundError) as caught:
            follow(("rum",), project.session())
        assert caught.value.hint == "did you mean 'run'?"


def test_a_word_may_become_a_metric_as_long_as_something_runs(project: TestProject, tmp_path: Path) -> None:
    copy = TestProject(tmp_path / "copy")
    copy.write("dvclive/plots/metrics/acc.tsv", "step\tacc\n0\t0.9\n")
    running(project, "one", copy.root)
    recorder = Recorder()
    log = partial(copy.write, CURVE, "step\tloss\n0\t0.9\n")
    views = follow_live(("loss",), project.session(recorder), sleep=Sleeper(nothing, log))
    assert [told(next(views)) for _ in range(2)] == [[("one", "running", {})], [("one", "running", {"loss": 0.9})]]
    (warned,) = recorder.of(Warned)
    assert (warned.text, warned.hint) == (
        "'loss' is neither an experiment nor a metric of what is shown so far",
        "metrics are acc",
    )


def test_of_many_that_have_ended_the_newest_stay(project: TestProject, tmp_path: Path) -> None:
    copy = TestProject(tmp_path / "copy")
    copy.write(CURVE, "step\tloss\n0\t0.9\n")
    here = AbsPath(str(project.root))

    def end_and_begin(n: int) -> Callable[[], None]:
        def step() -> None:
            attempt = started.pop()
            write_record(here, replace(attempt, state=AttemptState.FAILED, ended_utc=2.0))
            started.append(running(project, f"x{n}", copy.root))

        return step

    started = [running(project, "x0", copy.root)]
    views = follow_live((), project.session(), sleep=Sleeper(*map(end_and_begin, range(1, 9))))
    shown = [[(run.name, run.state) for run in next(views).runs] for _ in range(9)]
    assert shown[-1] == [("x8", "running"), *((f"x{n}", "ended") for n in range(2, 8))]


def told(view: LiveView) -> list[tuple[str, str, dict[str, float]]]:
    return [
        (run.name, run.state, {name: each.values[-1] for name, each in run.series.items() if each.values})
        for run in view.runs
    ]


def test_the_workspace_and_a_revision(project: TestProject) -> None:
    project.write(CURVE, "step\tloss\n0\t0.5\n")
    project.write("dvclive/plots/metrics/train/acc.tsv", "step\tacc\n0\t0.25\n")
    assert told(live_view((), project.session())) == [("workspace", "ended", {"loss": 0.5, "train/acc": 0.25})]
    project.commit()
    project.write(CURVE, "step\tloss\n0\t0.4\n")
    assert told(live_view(("HEAD", "loss"), project.session())) == [("HEAD", "ended", {"loss": 0.5})]
    for word in ("train", "acc", "train/acc"):
        assert told(live_view((word,), project.session())) == [("workspace", "ended", {"train/acc": 0.25})]


def test_a_word_that_means_nothing(project: TestProject) -> None:
    with pytest.raises(NotFoundError, match="'los' is neither an experiment nor a metric"):
        project.write(CURVE, "step\tloss\n0\t0.5\n")
        live_view(("los",), project.session())


def test_a_program_outside_of_experiments_counts_as_running_while_it_lives(project: TestProject) -> None:
    project.write(CURVE, "step\tloss\n0\t0.5\n")
    step = project.write(".dvc/tmp/exps/run/DVCLIVE_STEP_COMPLETED", json.dumps({"pid": this_process().pid, "step": 1}))
    assert told(live_view((), project.session())) == [("workspace", "running", {"loss": 0.5})]
    step.unlink()
    signal = ".dvc/tmp/exps/run/DVCLIVE_ONLY"
    project.write(signal, json.dumps({"pid": this_process().pid, "exp_name": "x"}))
    assert told(live_view((), project.session())) == [("workspace", "running", {"loss": 0.5})]
    for text in ("", "[]", '{"pid": "1"}', '{"pid": 99999999}'):
        project.write(signal, text)
        assert told(live_view((), project.session())) == [("workspace", "ended", {"loss": 0.5})]


def test_the_command(project: TestProject) -> None:
    project.write(CURVE, "step\tloss\n0\t0.5\n1\t0.25\n")
    assert project.ob("live", "--once", "--json").json == {
        "runs": [
            {
                "name": "workspace",
                "state": "ended",
                "n_checkpoints": 0,
                "series": {"loss": {"start": 0, "steps": [0.0, 1.0], "values": [0.5, 0.25], "not_a_number": None}},
            }
        ],
        "waiting": [],
    }
    drawn = project.ob("live", "--once", NO_COLOR="1").out
    assert drawn.startswith("loss\n") and "workspace (ended)" in drawn and "\x1b" not in drawn
    assert project.ob("live").out == "workspace (ended): loss 0.25 at step 1\n"
    refused = project.ob("live", "--once", "nope")
    assert refused.code == 1 and "'nope' is neither an experiment nor a metric" in refused.err
