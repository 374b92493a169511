"""Carrying out pipelines for real: order, failures, run-cache, locks, what is written."""

import os
from pathlib import Path

import pytest

from offbranch.api.pipeline import ReproRequest, plan, repro
from offbranch.api.stages import status
from offbranch.base.errors import NotFoundError, StageFailedError
from offbranch.base.locks import is_locked
from offbranch.base.paths import AbsPath
from offbranch.pipeline.events import StageDecided, StageLeftOut
from offbranch.pipeline.options import ExecuteOptions, FailurePolicy, PlanOptions, SelectOptions
from offbranch.pipeline.path_locks import PathLocks
from offbranch.pipeline.plan import Action
from projects import Recorder, TestProject, make_project

CHAIN = {
    "in.txt": "1\n",
    "dvc.yaml": """\
stages:
  c:
    cmd: cat b.txt b.txt > c.txt; echo c >> order
    deps: [b.txt]
    outs: [c.txt]
  b:
    cmd: cat a.txt a.txt > b.txt; echo b >> order
    deps: [a.txt]
    outs: [b.txt]
  a:
    cmd: cat in.txt in.txt > a.txt; echo a >> order
    deps: [in.txt]
    outs: [a.txt]
  side:
    cmd: cp in.txt side.txt; echo side >> order
    deps: [in.txt]
    outs: [side.txt]
""",
}


@pytest.fixture
def chain(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p", CHAIN)


def run(project: TestProject, *targets: str, recorder: Recorder | None = None, **options: object) -> dict[str, str]:
    """Reproduces and returns address -> action."""
    select = options.pop("select", SelectOptions())
    result = repro(
        ReproRequest(targets=targets, select=select, execute=ExecuteOptions(**options)),  # type: ignore[arg-type]
        project.session(recorder),
    )
    return {done.stage.address: "failed" if done.error else done.action.value for done in result.stages}


def order(project: TestProject) -> list[str]:
    text = project.read("order").split() if project.exists("order") else []
    (project.root / "order").unlink(missing_ok=True)
    return text


def test_dependencies_run_first_and_a_second_time_nothing_runs(chain: TestProject) -> None:
    run(chain)
    ran = order(chain)
    assert ran.index("a") < ran.index("b") < ran.index("c")
    assert set(run(chain).values()) == {"skip"}
    assert order(chain) == []
    assert status((), chain.session()) == ()


def test_a_change_runs_what_depends_on_it_and_no_more(chain: TestProject) -> None:
    run(chain)
    order(chain)
    chain.write("b.txt", "changed by hand\n")
    assert run(chain, "b") == {"a": "skip", "b": "checkout"}
    chain.write("in.txt", "2\n")
    assert run(chain, "c") == {"a": "run", "b": "run", "c": "run"}
    assert order(chain) == ["a", "b", "c"]


def test_results_that_were_there_before_come_from_the_run_cache(chain: TestProject) -> None:
    run(chain)
    chain.write("in.txt", "2\n")
    run(chain)
    order(chain)
    chain.write("in.txt", "1\n")
    assert set(run(chain).values()) == {"restore"}
    assert order(chain) == []
    assert chain.read("c.txt") == "1\n" * 8
    chain.write("in.txt", "2\n")
    assert set(run(chain, plan=PlanOptions(use_run_cache=False)).values()) == {"run"}


def test_selection_flags(chain: TestProject) -> None:
    run(chain)
    chain.write("in.txt", "2\n")
    assert run(chain, "b", select=SelectOptions(single_item=True)) == {"b": "skip"}
    assert run(chain, "b", select=SelectOptions(downstream=True), plan=PlanOptions(force=True)) == {
        "b": "run",
        "c": "run",
    }
    assert list(run(chain, "b")) == ["a", "b"]
    assert set(run(chain, "b", select=SelectOptions(pipeline=True))) == {"a", "b", "c", "side"} - {"side"}
    assert set(run(chain, select=SelectOptions(all_pipelines=True))) == {"a", "b", "c", "side"}
    assert list(run(chain, "s*", select=SelectOptions(glob=True))) == ["side"]
    with pytest.raises(NotFoundError) as caught:
        run(chain, "sied")
    assert caught.value.hint is not None
    assert "side" in caught.value.hint


def test_force_downstream_spreads(chain: TestProject) -> None:
    run(chain)
    order(chain)
    chain.write("dvc.yaml", chain.read("dvc.yaml").replace("cat in.txt in.txt > a.txt;", "cat in.txt in.txt >a.txt;"))
    assert run(chain, "c") == {"a": "run", "b": "skip", "c": "skip"}
    chain.write("dvc.yaml", chain.read("dvc.yaml").replace("in.txt >a.txt;", "in.txt  >a.txt;"))
    done = run(chain, "c", plan=PlanOptions(forced_after=True))
    assert done == {"a": "run", "b": "run", "c": "run"}


def fail_b(project: TestProject) -> None:
    project.write("dvc.yaml", project.read("dvc.yaml").replace("cat a.txt a.txt > b.txt;", "exit 5;"))


def test_a_failure_stops_or_not(chain: TestProject) -> None:
    fail_b(chain)
    recorder = Recorder()
    done = run(chain, recorder=recorder)
    assert done["a"] == "run"
    assert done["b"] == "failed"
    assert "side" not in done
    assert "b.txt" not in chain.read("dvc.lock").partition("stages:")[2].partition("b:")[2]
    recorder = Recorder()
    done = run(chain, recorder=recorder, on_failure=FailurePolicy.KEEP_GOING)
    assert (done["b"], done["side"]) == ("failed", "run")
    assert [event.address for event in recorder.of(StageLeftOut)] == ["c"]


def test_ignored_failures_run_what_can_run(chain: TestProject) -> None:
    run(chain)
    fail_b(chain)
    done = run(chain, on_failure=FailurePolicy.IGNORE)
    assert done["b"] == "failed"
    assert done["c"] == "failed"  # its dependency was removed before b ran


def test_a_missing_output_and_a_missing_dependency_are_named(tmp_path: Path) -> None:
    project = make_project(
        tmp_path / "p",
        {"dvc.yaml": "stages:\n  a:\n    cmd: 'true'\n    outs: [nothing]\n  b:\n    cmd: 'true'\n    deps: [nodep]\n"},
    )
    for target, word in (("a", "output 'nothing'"), ("b", "dependency 'nodep'")):
        result = repro(ReproRequest(targets=(target,)), project.session())
        assert isinstance(result.error, StageFailedError)
        assert word in result.error.message
    assert not project.exists("dvc.lock")


def test_an_output_tracked_by_git_is_refused(chain: TestProject) -> None:
    chain.write("side.txt", "tracked\n")
    chain.commit("track it")
    result = repro(ReproRequest(targets=("side",)), chain.session())
    assert result.error is not None
    assert "tracked by Git" in result.error.message
    assert chain.read("side.txt") == "tracked\n"


def test_gitignore_is_kept_up_and_not_written_twice(chain: TestProject) -> None:
    run(chain)
    lines = chain.read(".gitignore").split()
    assert sorted(lines) == ["/a.txt", "/b.txt", "/c.txt", "/side.txt"]
    chain.write(".gitignore", "*.txt\n!in.txt\n")
    chain.write("in.txt", "2\n")
    run(chain)
    assert chain.read(".gitignore") == "*.txt\n!in.txt\n"


def test_content_changed_by_hand_is_kept_in_the_cache_before_it_is_replaced(chain: TestProject) -> None:
    run(chain)
    chain.write("a.txt", "precious\n")
    chain.write("in.txt", "2\n")
    run(chain)
    cached = (chain.root / ".dvc/cache/files/md5").rglob("*")
    assert b"precious\n" in [path.read_bytes() for path in cached if path.is_file()]


def test_no_commit_records_hashes_only(chain: TestProject) -> None:
    run(chain, "a", commit=False)
    assert "md5:" in chain.read("dvc.lock")
    assert not (chain.root / ".dvc/cache/files").exists()
    assert not (chain.root / ".dvc/cache/runs").exists()


def test_the_plan_says_what_repro_then_does(chain: TestProject) -> None:
    run(chain)
    chain.write("in.txt", "2\n")
    planned = {step.stage.address: step.action for step in plan(ReproRequest(), chain.session()).steps}
    assert planned == {"a": Action.RUN, "b": Action.UNDECIDED, "c": Action.UNDECIDED, "side": Action.RUN}
    recorder = Recorder()
    run(chain, recorder=recorder)
    (first,) = [event for event in recorder.of(StageDecided) if event.address == "a"]
    assert first.reasons[0].text == "dependency in.txt changed"


def test_dvcs_lock_is_free_while_a_command_runs_and_paths_are_listed(chain: TestProject) -> None:
    chain.write(
        "dvc.yaml",
        "stages:\n  s:\n    cmd: cp .dvc/tmp/rwlock seen && flock -n .dvc/tmp/lock true && touch free\n"
        "    deps: [in.txt]\n    outs: [seen]\n",
    )
    run(chain)
    assert chain.exists("free") or not any(
        os.access(os.path.join(path, "flock"), os.X_OK) for path in os.environ["PATH"].split(os.pathsep)
    )
    seen = chain.read("seen")
    assert str(chain.root / "in.txt") in seen
    assert f'"pid": {os.getpid()}' in seen
    assert not is_locked(AbsPath(str(chain.root / ".dvc/tmp/lock")))
    assert chain.read(".dvc/tmp/rwlock") == "{}"


def test_a_path_in_use_by_a_live_process_is_refused(chain: TestProject) -> None:
    chain.write(".dvc/tmp/rwlock", f'{{"write": {{"{chain.root}/in.txt": {{"pid": 1, "cmd": "dvc repro"}}}}}}')
    result = repro(ReproRequest(targets=("a",)), chain.session())
    assert result.error is not None
    assert "in use by process 1 (dvc repro)" in result.error.message
    chain.write(".dvc/tmp/rwlock", f'{{"write": {{"{chain.root}/in.txt": {{"pid": 99999999, "cmd": "gone"}}}}}}')
    assert run(chain, "a") == {"a": "run"}


def test_path_locks_of_one_process_do_not_block_each_other(tmp_path: Path) -> None:
    place = AbsPath(str(tmp_path))
    with (
        PathLocks(place).hold(reads=(), writes=(AbsPath("/x"),)),
        PathLocks(place).hold(reads=(AbsPath("/x/y"),), writes=()),
    ):
        assert '"/x/y"' in (tmp_path / "rwlock").read_text()
    assert (tmp_path / "rwlock").read_text() == "{}"
