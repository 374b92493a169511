"""Handing tasks to SLURM and judging how they stand, with stand-ins for its programs: what a real one does not do at will."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_slurm import UNREACHABLE, FakeSlurm, make_fake
from offbranch.api.queue_slurm_job import fate_of_error, fate_of_stop, reason_in, wait_for_reason
from offbranch.base.errors import StageFailedError, UsageError
from offbranch.base.paths import AbsPath
from offbranch.base.processes import ProcessInfo, this_process
from offbranch.base.records import replace
from offbranch.experiments.experiment import Attempt, AttemptState, ExperimentSpec, Where
from offbranch.git.ids import CommitId, TreeId
from offbranch.pipeline.options import ExecuteOptions, PlanOptions, RunOptions, SelectOptions
from offbranch.queue.resources import Resources
from offbranch.queue.slurm.jobs import Row, Slurm, read_ended, read_row, time_of
from offbranch.queue.slurm.look import glance_at_slurm
from offbranch.queue.slurm.options import split_words
from offbranch.queue.slurm.plan import plan_arrays
from offbranch.queue.slurm.records import (
    ElementNote,
    SlurmTask,
    Submission,
    beat_note,
    read_submission,
    read_submissions,
    write_note,
    write_submission_record,
)
from offbranch.queue.slurm.submit import plan_duties
from offbranch.queue.slurm.view import Element, Places, Seen, Standing, judge
from offbranch.queue.store import queue_order
from offbranch.queue.task import StoredTask, Task
from projects import TestProject, make_project

OPTIONS = RunOptions(select=SelectOptions(), execute=ExecuteOptions(plan=PlanOptions()))
ID = "20261127-170000-abcdef"


@pytest.fixture
def fake(tmp_path: Path) -> FakeSlurm:
    return make_fake(tmp_path / "fake")


@pytest.fixture
def project(tmp_path: Path, fake: FakeSlurm) -> TestProject:
    project = make_project(tmp_path / "p")
    project.env["PATH"] = fake.path
    return project


def start(project: TestProject, *words: str, code: int = 0) -> dict[str, Any]:
    done = project.ob("queue", "start", "--json", "--slurm", *words)
    assert done.code == code, done.err
    return dict(done.json)


def job_of(project: TestProject, name: str) -> dict[str, Any]:
    (project.root / ".dvc/tmp/ob/queue/slurm/answer").unlink(missing_ok=True)
    tasks = project.ob("queue", "status", "--json", name).json["tasks"]
    return dict(tasks[0]["job"])


def names_of(jobs: list[dict[str, Any]]) -> list[list[str]]:
    return [[task["name"] for task in job["tasks"]] for job in jobs]


# Which words are whose


@pytest.mark.parametrize(
    ("words", "ours", "theirs"),
    [
        ("-j 2 a", "-j 2 a", None),
        ("--slurm", "--slurm", ""),
        ("--slurm --partition=gpu --time=2:00:00", "--slurm", "--partition=gpu --time=2:00:00"),
        ("--slurm --partition gpu wide deep", "--slurm wide deep", "--partition gpu"),
        ("wide --slurm -p gpu -j 4 --exclusive deep", "wide --slurm -j 4 deep", "-p gpu --exclusive"),
        ("--slurm -j4 -pgpu --json", "--slurm -j4 --json", "-pgpu"),
        ("--slurm --gpus=2 --mem 8G -- --odd", "--slurm -- --odd", "--gpus=2 --mem 8G"),
        ("--slurm --requeue --foreground -vv", "--slurm --foreground -vv", "--requeue"),
        ("-- --slurm --x", "-- --slurm --x", None),
        ("--slurm --nice --hold x", "--slurm x", "--nice --hold"),
    ],
)
def test_which_words_are_whose(words: str, ours: str, theirs: str | None) -> None:
    found = split_words(words.split())
    assert found == (tuple(ours.split()), None if theirs is None else tuple(theirs.split()))


@pytest.mark.parametrize("option", ["--array=0-3", "-a 0-3", "-o x", "--output=x", "--wrap=x", "--comment x", "--wait"])
def test_what_sbatch_must_not_be_given(option: str) -> None:
    with pytest.raises(UsageError, match="cannot be given to sbatch"):
        split_words(["--slurm", *option.split()])


def test_options_of_workers_do_not_go_with_it(project: TestProject) -> None:
    done = project.ob("queue", "start", "--keep", "--slurm")
    assert done.code == 2 and "--slurm goes with none of these: --keep" in done.err
    done = project.ob("queue", "start", "-j", "0", "--slurm")
    assert done.code == 2 and "0 tasks at a time" in done.err
    done = project.ob("queue", "start", "--partition=gpu")
    assert done.code == 2 and "unknown option '--partition'" in done.err


# Arrays


def stored(n: int, **terms: Any) -> StoredTask:
    spec = ExperimentSpec(name=f"t{n}", baseline=CommitId("a" * 40))
    task = Task(id=f"20261127-170000-{n:06x}", spec=spec, options=OPTIONS, created_utc=0.0, order=1, **terms)
    return StoredTask(task=task, ref=f"refs/ob/tasks/{task.id}", commit=CommitId(f"{n:040x}"), tree=TreeId("b" * 40))


TERMS = st.fixed_dictionaries(
    {
        "priority": st.integers(-2, 2),
        "resources": st.builds(Resources, gpus=st.sampled_from([None, 1, 2]), cpus=st.sampled_from([None, 4])),
        "timeout_s": st.sampled_from([None, 90.0]),
    }
)


@given(terms=st.lists(TERMS, max_size=12), max_size=st.integers(1, 5), limit=st.none() | st.integers(1, 4))
def test_arrays_hold_every_task_once(terms: list[dict[str, Any]], max_size: int, limit: int | None) -> None:
    tasks = [stored(n, **each) for n, each in enumerate(terms)]
    arrays = plan_arrays(tasks, max_size=max_size, limit=limit)
    assert sorted(each.task.id for array in arrays for each in array.tasks) == [each.task.id for each in tasks]
    for array in arrays:
        assert 0 < len(array.tasks) <= max_size
        assert list(array.tasks) == sorted(array.tasks, key=queue_order)
        assert len({(each.task.resources, each.task.timeout_s) for each in array.tasks}) == 1
    # However many arrays: no more tasks at once than was said.
    if limit is not None:
        side_by_side = max([0, *(array.limit or len(array.tasks) for array in arrays)])
        assert side_by_side <= limit
        assert sum(not array.goes_after for array in arrays) <= 1 or len(tasks) <= limit


def test_needs_are_options_of_sbatch() -> None:
    needs = Resources(gpus=2, cpus=4, memory_bytes=(1 << 30) + 1)
    (array,) = plan_arrays([stored(1, resources=needs, timeout_s=90.0, retries=1)], max_size=10)
    assert array.options == ("--gres=gpu:2", "--cpus-per-task=4", "--mem=1025M", "--time=23")


# Reading


def test_rows_are_read() -> None:
    line = "12_3|RUNNING|2026-11-27T16:41:13|n1|offbranch x|a|b"
    started = time_of("2026-11-27T16:41:13")
    assert read_row(line) == Row(
        job="12_3", state="RUNNING", reason="a|b", node="n1", started_utc=started, comment="offbranch x"
    )
    assert started == 1795797673.0
    assert read_row("12_3|PENDING|2026-11-27T16:41:13||(null)|None") == Row(job="12_3", state="PENDING")
    for odd in ("", "CLUSTER: one", "12|RUNNING|N/A|n|c|r", "12_[1-3]|PENDING|N/A||c|r", "12_3|RUNNING"):
        assert read_row(odd) is None
    assert read_ended("12_3|CANCELLED by 1000|n1|None") == Row(job="12_3", state="CANCELLED", node="n1")
    assert read_ended("12_3.batch|COMPLETED|n1|") is None


def test_causes_are_words() -> None:
    assert Row(job="1_0", state="NODE_FAIL").cause == "its node failed"
    assert Row(job="1_0", state="FAILED", reason="JobLaunchFailure").cause.endswith("(JobLaunchFailure)")
    assert Row(job="1_0", state="ODD").cause == "SLURM says ODD"


# Judging


def seen(**values: Any) -> Seen:
    return Seen(
        **{
            "row": None,
            "note": None,
            "knows": True,
            "is_running": False,
            "is_there": False,
            "now_utc": 2000.0,
            **values,
        }
    )


def row(state: str, **values: Any) -> Row:
    return Row(**{"job": "1_0", "state": state, "started_utc": 1990.0, **values})


HERE = this_process()
GONE = ProcessInfo(pid=2**22 + 1, started="1", host=HERE.host, command="ob")
FAR = replace(GONE, host="elsewhere")


def note(process: ProcessInfo, **values: Any) -> ElementNote:
    return ElementNote(**{"job": "1_0", "process": process, "started_utc": 1995.0, **values})


@pytest.mark.parametrize(
    ("known", "standing"),
    [
        (seen(row=row("PENDING")), Standing.PENDING),
        (seen(row=row("RUNNING")), Standing.STARTING),
        (seen(row=row("RUNNING", started_utc=1000.0)), Standing.LOST),
        (seen(row=row("RUNNING"), note=note(HERE), is_there=True), Standing.STARTING),
        (seen(row=row("RUNNING"), note=note(GONE)), Standing.LOST),
        (seen(row=row("RUNNING"), note=note(FAR, task_id="t"), is_there=True), Standing.STARTING),
        (seen(row=row("RUNNING"), note=note(FAR, task_id="t")), Standing.LOST),
        (seen(row=row("RUNNING"), note=note(FAR, task_id="t"), is_running=True), Standing.RUNNING),
        (seen(row=None, note=note(FAR, task_id="t"), is_running=True), Standing.RUNNING),
        (seen(row=row("RUNNING"), note=note(GONE, end="succeeded")), Standing.ENDED),
        (seen(row=row("PENDING"), note=note(GONE, end="stopped")), Standing.PENDING),
        (seen(row=row("NODE_FAIL")), Standing.ENDED),
        (seen(row=None), Standing.ENDED),
        (seen(row=None, knows=False), Standing.PENDING),
    ],
)
def test_how_an_element_stands(known: Seen, standing: Standing) -> None:
    submission = Submission(id=ID, submitted_utc=0.0, by=HERE, tasks=(SlurmTask(id="t", round=1),), job_id="1")
    assert judge(submission, known)[0] is standing


@pytest.mark.parametrize(("silent_s", "state"), [(0, "starting"), (100, "starting"), (130, "lost")])
def test_an_element_on_another_machine_is_there_as_long_as_it_is_heard_of(
    project: TestProject, fake: FakeSlurm, silent_s: float, state: str
) -> None:
    (name,) = (task["name"] for task in project.ob("exp", "run", "--queue", "--json", "-S", "lr=1").json)
    (job,) = start(project)["jobs"]
    element = f"{job['job_id']}_0"
    fake.set_job(element, state="RUNNING", node="elsewhere", started="2026-11-27T16:41:13")
    (path,) = (project.root / ".dvc/tmp/ob/queue/slurm").glob("*.json")
    root = project.session().start
    write_note(root, path.stem, 0, replace(note(FAR, task_id=job["tasks"][0]["id"]), job=element, started_utc=2e9))
    beat_note(root, path.stem, 0)
    heard = path.with_name(f"{path.stem}-0.note")
    os.utime(heard, (0, heard.stat().st_mtime - silent_s))
    assert job_of(project, name)["state"] == state
    assert (start(project)["cancelled"] == [element]) is (state == "lost")


# Why a job was stopped, in the words that slurmstepd 22.05 wrote

SAID = "slurmstepd-vm: error: *** JOB 9 ON vm CANCELLED AT 2026-11-27T16:40:49{} ***\n"


@pytest.mark.parametrize(
    ("why", "state"),
    [
        ("", AttemptState.CANCELLED),
        (" DUE TO TIME LIMIT", AttemptState.FAILED),
        (" DUE TO JOB REQUEUE", None),
        (" DUE TO PREEMPTION", None),
        (" DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS", None),
    ],
)
def test_why_a_job_was_stopped(why: str, state: AttemptState | None) -> None:
    found = reason_in("start\n" + SAID.format(why) + "end\n")
    assert found is not None
    fate = fate_of_stop(found, "7_0")
    assert (fate.state, fate.keeps_task) == (state or AttemptState.CANCELLED, state is None)
    assert fate.cause.endswith("(job 7_0)")


@pytest.mark.parametrize("has_gained", [False, True])
def test_time_that_was_too_short_is_a_failure_unless_something_was_gained(has_gained: bool) -> None:
    printed = SAID.format(" DUE TO TIME LIMIT")
    error = StageFailedError("it failed", stage="train", exit_code_of_command=-15)
    fate = fate_of_error(error, "7_0", lambda: printed, has_gained=lambda: has_gained)
    assert fate is not None and fate.cause.startswith("its time limit in SLURM passed (job 7_0)")
    expected = AttemptState.CANCELLED if has_gained else AttemptState.FAILED
    assert (fate.state, fate.keeps_task) == (expected, has_gained)


@pytest.mark.parametrize(("n_begun", "is_given_up"), [(0, True), (1, False), (3, False)])
def test_jobs_that_came_to_nothing_count_since_a_task_last_began(n_begun: int, is_given_up: bool) -> None:
    submissions = [
        Submission(
            id=ID, submitted_utc=10.0 * n, by=HERE, tasks=(SlurmTask(id=stored(0).task.id, round=1),), job_id=f"{n}"
        )
        for n in range(1, 4)
    ]
    elements = [
        Element(submission=each, index=0, job=f"{each.job_id}_0", standing=Standing.LOST) for each in submissions
    ]
    attempts = [
        Attempt(
            id=f"a{n}", name="t0", baseline=CommitId("a" * 40), where=Where.QUEUE, state=AttemptState.INTERRUPTED,
            process=GONE, root="", log="", started_utc=10.0 * n + 1,
        )
        for n in range(1, n_begun + 1)
    ]  # fmt: skip
    task = replace(stored(0), attempts=tuple(reversed(attempts)))
    duties = plan_duties([task], [task], Places(elements=tuple(elements)), 100.0)
    assert (bool(duties.give_up), bool(duties.submit)) == (is_given_up, not is_given_up)


def test_a_reason_is_waited_for_but_not_for_ever() -> None:
    texts = iter(["", "", SAID.format(" DUE TO PREEMPTION")])
    assert wait_for_reason(lambda: next(texts), clock=lambda: 0.0, sleep=lambda s: None) == "PREEMPTION"
    times = iter(range(100))
    assert wait_for_reason(lambda: "", clock=lambda: float(next(times)), sleep=lambda s: None) is None


# The whole, with stand-ins


def test_of_those_submitted_in_the_same_second_the_oldest_is_the_first(tmp_path: Path) -> None:
    root = AbsPath(str(tmp_path))
    for random, moment in (("ffffff", 0.1), ("000000", 0.2), ("777777", 0.3)):
        id_ = f"20261127-170000-{random}"
        write_submission_record(root, Submission(id=id_, submitted_utc=1795798800 + moment, by=HERE, tasks=()))
    assert [each.id[-6:] for each in read_submissions(root)] == ["ffffff", "000000", "777777"]


def submissions_of(project: TestProject) -> list[Path]:
    """The records of what was handed to SLURM, without their suffix, oldest first."""
    place = project.root / ".dvc/tmp/ob/queue/slurm"
    return [place / each.id for each in read_submissions(AbsPath(str(project.root)))]


def test_a_job_that_comes_to_nothing_is_handed_over_again_until_it_has_failed(
    project: TestProject, fake: FakeSlurm
) -> None:
    (name,) = (task["name"] for task in project.ob("exp", "run", "--queue", "--json", "-S", "lr=1").json)
    for _ in range(3):
        (job,) = start(project)["jobs"]
        fake.set_job(f"{job['job_id']}_0", state="NODE_FAIL", reason="None", node="n7", started="2026-11-27T16:41:13")
        assert job_of(project, name)["cause"] == "its node failed"
    Path(f"{submissions_of(project)[-1]}-0.out").write_text("slurmstepd: error: no such node\n")
    given_up = start(project, code=1)
    assert (given_up["given_up"], given_up["jobs"]) == ([name], [])
    (task,) = project.ob("queue", "status", "--json").json["tasks"]
    assert task["state"] == "failed" and task["cause"].endswith(": its node failed")
    assert "no such node" in project.ob("queue", "logs", name).out
    assert project.git("for-each-ref", "refs/ob/tasks", "refs/ob/leases") == ""


def test_what_was_seen_to_fail_is_remembered_when_slurm_has_forgotten_it(project: TestProject, fake: FakeSlurm) -> None:
    (name,) = (task["name"] for task in project.ob("exp", "run", "--queue", "--json", "-S", "lr=1").json)
    for _ in range(3):
        (job,) = start(project)["jobs"]
        fake.set_job(f"{job['job_id']}_0", state="OUT_OF_MEMORY", started="2026-11-27T16:41:13")
        job_of(project, name)
    start(project, code=1)
    for job_id in list(fake.state["jobs"]):
        fake.forget(job_id)
    assert "more memory" in project.ob("queue", "status", "--json").json["tasks"][0]["cause"]


def test_accounts_tell_what_squeue_has_forgotten(project: TestProject, fake: FakeSlurm) -> None:
    (name,) = (task["name"] for task in project.ob("exp", "run", "--queue", "--json", "-S", "lr=1").json)
    (job,) = start(project)["jobs"]
    fake.forget(f"{job['job_id']}_0")
    fake.change(accounts={f"{job['job_id']}_0": ["TIMEOUT", "n1", "None"]})
    (again,) = start(project)["jobs"]
    assert names_of([again]) == [[name]]
    first, second = submissions_of(project)
    assert [end["state"] for end in json.loads(first.with_suffix(".json").read_text())["ends"]] == ["TIMEOUT"]
    assert json.loads(second.with_suffix(".json").read_text())["ends"] == []


def test_a_job_that_ends_is_left_to_slurm_for_a_moment(project: TestProject, fake: FakeSlurm) -> None:
    assert project.ob("exp", "run", "--queue", "-n", "a", "-S", "lr=5").code == 0
    start(project)
    fake.set_job("1_0", state="RUNNING", node="n1", started="2026-11-27T17:00:00")
    (path,) = (project.root / ".dvc/tmp/ob/queue/slurm").glob("*.json")
    note = ElementNote(job="1_0", process=this_process(), started_utc=time.time(), end="nothing")
    write_note(
        AbsPath(str(project.root)), path.stem, 0, replace(note, ended_utc=time.time() + 600)
    )  # slow as we may be
    assert start(project)["cancelled"] == []  # cancelled, it would not count as completed in the site's accounts
    write_note(AbsPath(str(project.root)), path.stem, 0, replace(note, ended_utc=time.time() - 30))
    assert start(project)["cancelled"] == ["1_0"]


def test_looking_asks_slurm_only_about_what_goes_on(project: TestProject, fake: FakeSlurm) -> None:
    assert project.ob("exp", "run", "--queue", "-n", "a", "-S", "lr=5").code == 0
    start(project)
    fake.forget("1_0")
    assert job_of(project, "a")["state"] == "ended"
    assert project.ob("exp", "run", "--run-all").code == 0  # here instead
    (project.root / ".dvc/tmp/ob/queue/slurm/answer").unlink()
    before = fake.calls
    assert project.ob("queue", "status").code == 0
    assert fake.calls == before
    assert project.ob("exp", "run", "--queue", "-n", "b", "-S", "lr=6").code == 0
    start(project)
    assert "sacct" not in [call[0] for call in fake.calls[len(before) :]]  # nobody waits for what became of 'a' there


def test_a_removed_task_gives_its_place_up(project: TestProject, fake: FakeSlurm) -> None:
    project.ob("exp", "run", "--queue", "-S", "lr=1,2", "-q")
    (job,) = start(project)["jobs"]
    gone = job["tasks"][0]["name"]
    assert project.ob("exp", "remove", gone).code == 0
    assert start(project)["cancelled"] == [f"{job['job_id']}_0"]
    assert list(fake.state["jobs"]) == [f"{job['job_id']}_1"]


def test_many_tasks_make_several_arrays(project: TestProject, fake: FakeSlurm) -> None:
    fake.change(max_array_size=2)
    project.ob("exp", "run", "--queue", "-S", "lr=1,2,3,4,5", "-q")
    jobs = start(project, "-j", "1", "--partition=gpu")["jobs"]
    assert [len(job["tasks"]) for job in jobs] == [2, 2, 1]
    calls = [call for call in fake.calls if call[0] == "sbatch"]
    assert [next(word for word in call if word.startswith("--array")) for call in calls] == [
        "--array=0-1%1",
        "--array=0-1%1",
        "--array=0-0",
    ]
    after = [[word for word in call if word.startswith("--dependency")] for call in calls]
    assert after == [[], [f"--dependency=afterany:{jobs[0]['job_id']}"], [f"--dependency=afterany:{jobs[1]['job_id']}"]]
    assert all("--partition=gpu" in call for call in calls)


def test_what_sbatch_takes_no_more_of_is_told(project: TestProject, fake: FakeSlurm) -> None:
    project.ob("exp", "run", "--queue", "-S", "lr=1", "-q")
    said = "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates policy"
    fake.change(errors={"sbatch": said})
    done = project.ob("queue", "start", "--slurm")
    assert done.code == 1 and "sbatch: QOSMaxSubmitJobPerUserLimit; Batch job submission failed" in done.err
    fake.change(errors={})
    assert len(start(project)["jobs"]) == 1


def test_killed_before_the_job_was_noted(project: TestProject, fake: FakeSlurm) -> None:
    (name,) = (task["name"] for task in project.ob("exp", "run", "--queue", "--json", "-S", "lr=1").json)
    (job,) = start(project)["jobs"]
    root = project.session().start
    (path,) = (project.root / ".dvc/tmp/ob/queue/slurm").glob("*.json")
    submission = read_submission(root, path.stem)
    assert submission is not None
    write_submission_record(root, replace(submission, job_id=None))
    assert start(project) == {"jobs": [], "n_there": 1, "given_up": [], "cancelled": [], "refusal": None}
    assert job_of(project, name)["id"] == f"{job['job_id']}_0"
    assert json.loads(path.read_text())["job_id"] == job["job_id"]


def test_another_slurm_with_the_same_ids(project: TestProject, fake: FakeSlurm) -> None:
    project.ob("exp", "run", "--queue", "-S", "lr=1", "-q")
    (job,) = start(project)["jobs"]
    fake.set_job(f"{job['job_id']}_0", comment="somebody else's")
    assert len(start(project)["jobs"]) == 1


def test_a_controller_that_does_not_answer(project: TestProject, fake: FakeSlurm) -> None:
    (name,) = (task["name"] for task in project.ob("exp", "run", "--queue", "--json", "-S", "lr=1").json)
    start(project)
    fake.change(errors=dict.fromkeys(("squeue", "sbatch", "scancel"), UNREACHABLE))
    done = project.ob("queue", "start", "--slurm")
    assert done.code == 1 and "Unable to contact slurm controller" in done.err and "sinfo" in done.err
    assert job_of(project, name)["state"] == "unknown"
    fake.change(errors={})
    assert job_of(project, name)["state"] == "pending"


def test_squeue_is_asked_every_few_seconds_only(project: TestProject, fake: FakeSlurm) -> None:
    project.ob("exp", "run", "--queue", "-S", "lr=1", "-q")
    (job,) = start(project)["jobs"]
    waiting = {task["id"] for task in job["tasks"]}
    root, answer = AbsPath(str(project.root)), project.root / ".dvc/tmp/ob/queue/slurm/answer"
    slurm = Slurm(environment={**os.environ, "PATH": fake.path}, directory=root)
    began = submissions_of(project)[0]
    now_utc = (read_submission(root, began.name) or pytest.fail()).submitted_utc + 1.0
    n = len(fake.calls)
    for after_s, n_calls in ((0.0, 1), (4.9, 1), (5.1, 2)):
        places = glance_at_slurm(slurm, root, (), waiting, (), clock=lambda now=now_utc + after_s: now)
        assert [each.standing for each in places.elements] == [Standing.PENDING] and places.problem is None
        os.utime(answer, (now_utc, now_utc + after_s))
        assert [call[0] for call in fake.calls[n:]] == ["squeue"] * n_calls


def test_the_answer_of_squeue_is_what_status_looks_at(project: TestProject, fake: FakeSlurm) -> None:
    project.ob("exp", "run", "--queue", "-S", "lr=1", "-q")
    (job,) = start(project)["jobs"]
    n = len(fake.calls)
    assert job_of(project, job["tasks"][0]["name"])["state"] == "pending"
    assert [call[0] for call in fake.calls[n:]] == ["squeue"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 9}', '{"version": 1, "tasks": 3}'])
def test_broken_records_are_as_none(project: TestProject, fake: FakeSlurm, text: str) -> None:
    project.ob("exp", "run", "--queue", "-S", "lr=1", "-q")
    start(project)
    (path,) = (project.root / ".dvc/tmp/ob/queue/slurm").glob("*.json")
    path.write_text(text)
    (project.root / ".dvc/tmp/ob/queue/slurm/answer").write_text(text)
    assert project.ob("queue", "status").code == 0
    assert len(start(project)["jobs"]) == 1


def test_the_internal_command_refuses_what_is_no_job(project: TestProject) -> None:
    done = project.ob("queue", "run-task", "--slurm", "../../x")
    assert done.code == 1 and "no job of SLURM" in done.err
    done = project.ob("queue", "run-task", "--slurm", "../../x", SLURM_ARRAY_JOB_ID="1", SLURM_ARRAY_TASK_ID="0")
    assert done.code == 1 and "no record of what job 1_0 is for" in done.err
