"""Stages at the same time: they really overlap, and what they leave is what one after the other would have left."""

import json
import os
import random
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interop.peers import differences, snapshot
from offbranch.api import pipeline as api
from offbranch.api.pipeline import ReproRequest, repro
from offbranch.base.errors import OffbranchError, StageFailedError
from offbranch.base.paths import AbsPath
from offbranch.pipeline.carry_out import record_results as record_results_as_ever
from offbranch.pipeline.events import CommandStarted, StageFailed, StageLeftOut
from offbranch.pipeline.execute import RunResult
from offbranch.pipeline.options import ExecuteOptions, FailurePolicy, PlanOptions
from offbranch.pipeline.path_locks import PathLocks
from offbranch.pipeline.runner import CommandPool, Ended
from offbranch.pipeline.stage import Stage
from projects import Recorder, TestProject, make_project

# Each waits for the next one: they run at the same time, or for ever.
THREE_ARMS = {
    "dvc.yaml": """\
stages:
  join:
    cmd: cat a b c > all
    deps: [a, b, c]
    outs: [all]
  a:
    cmd: touch $TOUCH/a; while [ ! -e $TOUCH/b ]; do sleep 0.01; done; echo a > a
    outs: [a]
  b:
    cmd:
    - touch $TOUCH/b; while [ ! -e $TOUCH/c ]; do sleep 0.01; done
    - echo b > b
    outs: [b]
  c:
    cmd: touch $TOUCH/c; while [ ! -e $TOUCH/a ]; do sleep 0.01; done; echo c > c
    outs: [c]
""",
}


class ShuffledRunner:
    """Runs commands in a pool that lets them end in any order; their effect comes anywhere between start and end."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.most = 0

    def run(self, command: str, *, cwd: AbsPath, env: Mapping[str, str]) -> int:
        return subprocess.run(["sh", "-c", command], cwd=cwd, env={**os.environ, **env}, check=False).returncode

    @contextmanager
    def open_pool(self) -> Iterator[CommandPool]:
        yield ShuffledPool(self)


class ShuffledPool:
    stopped: OffbranchError | None = None

    def __init__(self, runner: ShuffledRunner) -> None:
        self.runner = runner
        self.running: list[tuple[str, str, AbsPath, Mapping[str, str], int | None]] = []

    def start(self, label: str, command: str, *, cwd: AbsPath, env: Mapping[str, str]) -> None:
        code = self.runner.run(command, cwd=cwd, env=env) if self.runner.rng.random() < 0.5 else None
        self.running.append((label, command, cwd, env, code))
        self.runner.most = max(self.runner.most, len(self.running))

    def wait(self) -> Ended:
        label, command, cwd, env, code = self.running.pop(self.runner.rng.randrange(len(self.running)))
        return Ended(label=label, code=self.runner.run(command, cwd=cwd, env=env) if code is None else code)


def run(
    project: TestProject,
    jobs: int,
    *,
    runner: ShuffledRunner | None = None,
    recorder: Recorder | None = None,
    **more: object,
) -> RunResult:
    request = ReproRequest(execute=ExecuteOptions(jobs=jobs, **more))  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        if runner is not None:

            @contextmanager
            def open_runner(*_: object, **__: object) -> Iterator[ShuffledRunner]:
                yield runner

            patch.setattr(api, "open_runner", open_runner)
        return repro(request, project.session(recorder))


def done(result: RunResult) -> list[tuple[str, str, str | None]]:
    return [(r.stage.address, r.action.value, r.error.message if r.error else None) for r in result.stages]


@pytest.mark.parametrize(
    "words", [("repro", "-j", "3"), ("exp", "run", "--stage-jobs", "3"), ("exp", "run", "--temp", "--stage-jobs", "3")]
)
def test_three_arms_run_at_the_same_time(tmp_path: Path, words: tuple[str, ...]) -> None:
    project = make_project(tmp_path / "p", THREE_ARMS)
    touched = tmp_path / "touched"
    touched.mkdir()
    ended = project.ob(*words, TOUCH=str(touched), timeout=50)
    assert ended.code == 0, ended.err
    if "--temp" in words:
        assert not project.exists("all")
        (name,) = project.exps()
        assert project.ob("exp", "apply", name).code == 0
    assert project.read("all") == "a\nb\nc\n"
    assert list(stages_of(project)) == ["a", "b", "c", "join"]
    assert project.read(".gitignore").split() == ["/a", "/b", "/c", "/all"]
    assert (
        project.ob("repro").out
        == "".join(f"Stage '{name}' didn't change, skipping\n" for name in ("a", "b", "c", "join"))
        + "Data and pipelines are up to date.\n"
    )


def stages_of(project: TestProject) -> Mapping[str, object]:
    lines = project.read("dvc.lock").splitlines() if project.exists("dvc.lock") else []
    return {line[2:-1]: None for line in lines if line.startswith("  ") and line[2] != " "}


# A pipeline at random


@st.composite
def pipelines(draw: st.DrawFn) -> tuple[dict[str, object], frozenset[str]]:
    """The text of a dvc.yaml, and which stages fail."""
    names = [f"s{n}" for n in range(draw(st.integers(2, 7)))]
    failing = draw(st.frozensets(st.sampled_from(names), max_size=2))
    stages: dict[str, object] = {}
    for n, name in enumerate(names):
        kind = draw(st.sampled_from(("plain", "plain", "kept", "twin", "calls", "directory")))
        if kind == "twin":
            # The same command, dependency and output in another directory: found in the run-cache by the second.
            stages[name] = {"wdir": name, "cmd": "cat ../in.txt > out; echo x", "deps": ["../in.txt"], "outs": ["out"]}
            continue
        needs = sorted(draw(st.sets(st.sampled_from(names[:n]), max_size=3))) if n else []
        needs = [other for other in needs if "wdir" not in stages[other]]  # type: ignore[operator]
        deps = ["in.txt", *(f"{other}.out" for other in needs)]
        reads = " ".join(f"$(find {dep} -type f | xargs cat)" for dep in deps)
        cmd: object = f"echo {name} {reads} > {name}.out"
        if kind == "directory":
            cmd = f"mkdir {name}.out; echo {name} {reads} > {name}.out/x; echo 1 > {name}.out/y"
        if kind == "calls":
            cmd = [f"echo {name} > {name}.out", f"echo {reads} >> {name}.out"]
        if name in failing:
            cmd = [*(cmd if isinstance(cmd, list) else [cmd]), "exit 3"]
        outs: list[object] = [{f"{name}.out": {"cache": False}}] if kind == "kept" else [f"{name}.out"]
        stages[name] = {"cmd": cmd, "deps": deps, "outs": outs}
    order = draw(st.permutations(names))
    return {"stages": {name: stages[name] for name in order}}, failing


@settings(max_examples=25)
@given(
    pipelines(),
    st.sampled_from((FailurePolicy.KEEP_GOING, FailurePolicy.IGNORE)),
    st.integers(2, 4),
    st.integers(0, 1 << 32).map(random.Random),
)
def test_it_is_as_if_they_had_run_one_by_one(
    pipeline: tuple[dict[str, object], frozenset[str]], policy: FailurePolicy, jobs: int, rng: random.Random
) -> None:
    document, _ = pipeline
    names = list(document["stages"])  # type: ignore[call-overload]
    with tempfile.TemporaryDirectory() as place:
        one, many = (
            make_project(Path(place) / kind, {"dvc.yaml": json.dumps(document), "in.txt": "1\n"})
            for kind in ("one", "many")
        )
        for project in (one, many):
            for name in names:
                (project.root / name).mkdir()
        removed = rng.sample(names, len(names) // 2)
        for content in ("1\n", "2\n", "1\n"):
            for project in (one, many):
                project.write("in.txt", content)
            serial, parallel = (
                run(project, n, runner=ShuffledRunner(rng), on_failure=policy)
                for project, n in ((one, 1), (many, jobs))
            )
            assert done(parallel) == done(serial)
            assert str(parallel.error) == str(serial.error)
            assert [r.touched for r in parallel.stages if r.entry] == [r.touched for r in serial.stages if r.entry]
            found = differences(snapshot(one), snapshot(many))
            assert not found, found
            for project in (one, many):
                for name in removed:
                    (project.root / f"{name}.out").unlink() if (project.root / f"{name}.out").is_file() else None


@settings(max_examples=25)
@given(pipelines(), st.integers(2, 4), st.integers(0, 1 << 32).map(random.Random))
def test_the_first_failure_stops_what_has_not_begun_and_loses_nothing(
    pipeline: tuple[dict[str, object], frozenset[str]], jobs: int, rng: random.Random
) -> None:
    document, failing = pipeline
    with tempfile.TemporaryDirectory() as place:
        project = make_project(Path(place) / "p", {"dvc.yaml": json.dumps(document), "in.txt": "1\n"})
        for name in document["stages"]:  # type: ignore[attr-defined]
            (project.root / name).mkdir()
        recorder = Recorder()
        result = run(project, jobs, runner=ShuffledRunner(rng), recorder=recorder)
        failed = {r.stage.address for r in result.stages if r.error}
        assert failed <= failing
        assert bool(failed) == bool({name for name in failing if "exit 3" in str(document["stages"][name])})  # type: ignore[index]
        events = recorder.events
        if failed:
            end = next(n for n, event in enumerate(events) if isinstance(event, StageFailed))
            begun = {event.address for event in events[:end] if isinstance(event, CommandStarted)}
            # Those that ran go on to their end, also with their next commands.
            assert {event.address for event in events[end:] if isinstance(event, CommandStarted)} <= begun
        assert set(stages_of(project)) == {r.stage.address for r in result.stages if r.entry}
        assert {r.stage.address for r in result.stages} >= {
            event.address for event in events if isinstance(event, CommandStarted)
        }


def test_no_more_than_allowed_run_at_once_and_one_alone_is_not_marked(tmp_path: Path) -> None:
    stages = {f"s{n}": {"cmd": f"echo {n} > {n}", "outs": [str(n)]} for n in range(5)}
    project = make_project(tmp_path / "p", {"dvc.yaml": json.dumps({"stages": stages})})
    runner, recorder = ShuffledRunner(random.Random(1)), Recorder()
    run(project, 3, runner=runner, recorder=recorder)
    assert runner.most == 3
    assert all(event.is_marked for event in recorder.of(CommandStarted))
    project.write("dvc.yaml", json.dumps({"stages": {"s0": {"cmd": "echo 5 > 5", "outs": ["5"]}}}))
    recorder = Recorder()
    run(project, 3, recorder=recorder)
    assert [event.is_marked for event in recorder.of(CommandStarted)] == [False]


def test_new_entries_go_where_one_by_one_would_have_put_them_and_old_ones_stay(tmp_path: Path) -> None:
    stages = {name: {"cmd": f"echo {name} > {name}", "outs": [name]} for name in "dcab"}
    project = make_project(tmp_path / "p", {"dvc.yaml": json.dumps({"stages": {"b": stages["b"]}})})
    run(project, 1)
    project.write("dvc.yaml", json.dumps({"stages": stages}))

    class LastFirst(random.Random):
        def random(self) -> float:
            return 0.0

        def randrange(self, *args: int) -> int:  # type: ignore[override]
            return args[0] - 1

    result = run(project, 4, runner=ShuffledRunner(LastFirst()), plan=PlanOptions(force=True))
    assert list(stages_of(project)) == ["b", "d", "c", "a"]
    assert project.read(".gitignore").split() == ["/b", "/d", "/c", "/a"]
    assert [r.stage.name for r in result.stages] == ["d", "c", "a", "b"]


def test_what_two_would_make_alike_is_made_once(tmp_path: Path) -> None:
    """Of what is not the same each time, both get what the first made: as one after the other."""
    stages = {
        name: {"wdir": name, "cmd": "echo x >> ../ran; cat ../ran > out", "deps": ["../in.txt"], "outs": ["out"]}
        for name in "ab"
    }
    files = {"dvc.yaml": json.dumps({"stages": stages}), "in.txt": "1\n", "a/x": "", "b/x": ""}
    project = make_project(tmp_path / "p", files)
    assert [action for _, action, _ in done(run(project, 2))] == ["run", "restore"]
    assert project.read("ran") == "x\n"
    assert project.read("a/out") == project.read("b/out")
    assert [action for _, action, _ in done(run(project, 2, plan=PlanOptions(force=True)))] == ["run", "run"]
    project.write("in.txt", "2\n")
    assert [action for _, action, _ in done(run(project, 2, commit=False))] == ["run", "run"]


def test_a_twin_of_a_stage_that_failed_runs_itself(tmp_path: Path) -> None:
    stages = {
        name: {"wdir": name, "cmd": "cat x > out; test -s out", "deps": ["../in.txt"], "outs": ["out"]} for name in "ab"
    }
    files = {"dvc.yaml": json.dumps({"stages": stages}), "in.txt": "1\n", "a/x": "", "b/x": "1"}
    project = make_project(tmp_path / "p", files)
    result = run(project, 2, on_failure=FailurePolicy.KEEP_GOING)
    assert isinstance(result.error, StageFailedError)
    assert project.read("b/out") == "1"
    assert list(stages_of(project)) == ["b"]


def test_what_a_failed_stage_feeds_is_left_out_and_its_neighbour_is_not(tmp_path: Path) -> None:
    stages = {
        "bad": {"cmd": "exit 1", "outs": ["bad"]},
        "after": {"cmd": "cp bad after", "deps": ["bad"], "outs": ["after"]},
        "good": {"cmd": "echo 1 > good", "outs": ["good"]},
        "last": {"cmd": "cp good last", "deps": ["good"], "outs": ["last"]},
    }
    project = make_project(tmp_path / "p", {"dvc.yaml": json.dumps({"stages": stages})})
    ended = project.ob("repro", "-j", "2", "-k")
    assert ended.code == 1
    assert "stage 'after' is left out, because 'bad' failed" in ended.err
    assert project.exists("last")
    recorder = Recorder()
    run(project, 2, recorder=recorder, on_failure=FailurePolicy.KEEP_GOING)
    assert [event.address for event in recorder.of(StageLeftOut)] == ["after"]
    assert project.ob("repro", "-j", "2", "--ignore-errors").code == 0


def test_a_file_that_cannot_be_written_stops_the_rest_but_what_runs_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = {name: {"cmd": f"echo {name} > {name}", "outs": [name]} for name in "abc"}
    project = make_project(tmp_path / "p", {"dvc.yaml": json.dumps({"stages": stages})})

    def record_results(stage: Stage, *args: object, **more: object) -> object:
        if stage.name == "a":
            raise OSError(28, "No space left on device")
        return record_results_as_ever(stage, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("offbranch.pipeline.execute.record_results", record_results)
    recorder = Recorder()
    with pytest.raises(OSError, match="No space"):
        run(project, 2, recorder=recorder)
    begun = {event.address for event in recorder.of(CommandStarted)}
    assert begun >= {"a", "b"}
    assert set(stages_of(project)) == begun - {"a"}


def test_paths_stay_held_until_the_last_of_us_lets_go(tmp_path: Path) -> None:
    place, table = AbsPath(str(tmp_path)), tmp_path / "rwlock"
    locks, shared, mine = PathLocks(place), AbsPath("/in"), AbsPath("/out")
    with locks.hold(reads=(shared,), writes=(mine,)):
        with locks.hold(reads=(shared,), writes=()):
            assert len(json.loads(table.read_text())["read"]["/in"]) == 1
        held = json.loads(table.read_text())
        assert set(held["read"]) == {"/in"}
        assert set(held["write"]) == {"/out"}
    assert json.loads(table.read_text()) == {}


def test_options_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", THREE_ARMS)
    for words in (
        ("repro", "-j", "0"),
        ("repro", "-j", "-3"),
        ("exp", "run", "--stage-jobs", "0"),
        ("repro", "-i", "-j", "2"),
    ):
        ended = project.ob(*words)
        assert ended.code == 2, words
        assert "hint:" in ended.err


def test_dry_says_the_same_with_any_number(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", THREE_ARMS)
    assert project.ob("repro", "--dry", "-j", "3").out == project.ob("repro", "--dry").out != ""
    assert not project.exists("dvc.lock")
