"""The queue in a real SLURM: handed over, carried out, stopped, lost, and told of truthfully."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from programs import need
from projects import DVC_YAML, SOURCE, TestProject, make_project
from slurm_site import SlurmSite

pytestmark = pytest.mark.timeout(300)

# Goes on until `go` has its learning rate, or for ever; says what it is told.
TRAIN = """\
while IFS=': ' read -r k v; do case $k in lr) lr=$v;; fail) fail=$v;; esac; done < params.yaml
echo "start $lr in slot $OFFBRANCH_SLOT gpus <$CUDA_VISIBLE_DEVICES> threads <$OMP_NUM_THREADS>"
echo "{\\"acc\\": $lr}" > metrics.json
case $fail in
  trap) trap 'echo told to stop; exit 9' TERM; while true; do sleep 0.1; done;;
  slow) sleep 0.7;;
  wait) while [ ! -e "$DVC_ROOT/go-$lr" ]; do sleep 0.1; done;;
  0) ;;
  *) exit $fail;;
esac
echo "model $lr" > model.txt
"""
FILES = {
    "data.txt": "hello\n",
    "train.sh": TRAIN,
    "params.yaml": "lr: 0.1\nfail: 0\n",
    "dvc.yaml": DVC_YAML,
    ".gitignore": "/go-*\n",
}


@pytest.fixture
def project(tmp_path: Path, slurm: SlurmSite) -> TestProject:
    # A directory with what sbatch's patterns and shells stumble over.
    return make_project(tmp_path / "a %a project's", FILES)


def queue(project: TestProject, *words: str) -> list[str]:
    done = project.ob("exp", "run", "--queue", "--json", *words)
    assert done.code == 0, done.err
    return [task["name"] for task in done.json]


def start(project: TestProject, *words: str) -> dict[str, Any]:
    done = project.ob("queue", "start", "--json", "--slurm", *words)
    assert done.code == 0, done.err
    return dict(done.json)


def status(project: TestProject) -> dict[str, dict[str, Any]]:
    done = project.ob("queue", "status", "--json")
    assert done.code == 0, done.err
    return {task["name"]: task for task in done.json["tasks"]}


def states(project: TestProject) -> dict[str, str]:
    return {name: task["state"] for name, task in status(project).items()}


def n_tasks(project: TestProject) -> int:
    return len(project.git("for-each-ref", "refs/ob/tasks").splitlines())


def kill(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # those that belonged to one that is gone
            os.kill(pid, signal.SIGKILL)


def wait_until_running(slurm: SlurmSite, project: TestProject, *names: str) -> None:
    def run() -> bool:
        return all(
            states(project)[name] == "running" and "start" in project.ob("queue", "logs", name).out for name in names
        )

    slurm.wait_for(f"{names} run", run)


def go(project: TestProject, *rates: str) -> None:
    for rate in rates:
        project.write(f"go-{rate}", "")


def test_what_is_queued_becomes_experiments(project: TestProject, slurm: SlurmSite) -> None:
    names = queue(project, "-S", "lr=1,2,3,4")
    names += queue(project, "-n", "bad", "-S", "fail=7")
    head, staged = project.git("rev-parse", "HEAD"), project.git("ls-files", "-s")
    (job,) = start(project)["jobs"]
    assert [task["name"] for task in job["tasks"]] == names
    slurm.wait_for("all end", lambda: n_tasks(project) == 0)
    assert set(project.exps()) == set(names) - {"bad"}
    tasks = status(project)
    assert {name: tasks[name]["state"] for name in names} == {**dict.fromkeys(names, "succeeded"), "bad": "failed"}
    assert tasks["bad"]["exit_code"] == 7 and "'train' failed" in tasks["bad"]["cause"]
    log = project.ob("queue", "logs", names[0])
    assert f"start 1 in slot {job['job_id']}_0" in log.out
    slurm.wait_for("SLURM says the same", lambda: slurm.states()[f"{job['job_id']}_4"] == "FAILED")
    assert (project.git("rev-parse", "HEAD"), project.git("ls-files", "-s")) == (head, staged)
    assert "No experiments in the queue." in project.ob("queue", "start", "--slurm").out


def test_what_slurm_has_is_not_handed_over_again(project: TestProject, slurm: SlurmSite) -> None:
    names = queue(project, "-S", "lr=1,2", "-S", "fail=wait")
    assert len(start(project, "-j", "1")["jobs"]) == 1
    assert start(project)["jobs"] == []
    wait_until_running(slurm, project, names[0])
    waiting = status(project)[names[1]]
    assert (waiting["state"], waiting["job"]["state"]) == ("queued", "pending")
    more = queue(project, "-n", "more", "-S", "lr=3")
    (job,) = start(project)["jobs"]
    assert [task["name"] for task in job["tasks"]] == more
    shown = project.ob("queue", "status").out
    assert re.search(rf"{names[0]} .*Running .*SLURM \d+_0 on ", shown)
    assert re.search(rf"{names[1]} .*Queued .*SLURM \d+_1 pending: JobArrayTaskLimit", shown)
    go(project, "1", "2")
    slurm.wait_for("all end", lambda: n_tasks(project) == 0)
    assert set(project.exps()) == {*names, "more"}


def test_records_lost_cost_nothing_but_a_job_for_nothing(project: TestProject, slurm: SlurmSite) -> None:
    (name,) = queue(project, "-S", "lr=1", "-S", "fail=wait")
    start(project)
    wait_until_running(slurm, project, name)
    for path in (project.root / ".dvc/tmp/ob/queue/slurm").iterdir():
        if path.suffix != ".out":
            path.unlink()
    assert start(project)["jobs"] == []  # it runs: that is said by its lease
    go(project, "1")
    slurm.wait_for("it ends", lambda: n_tasks(project) == 0)
    assert list(project.exps()) == [name]


def test_a_running_task_is_killed(project: TestProject, slurm: SlurmSite) -> None:
    names = queue(project, "-S", "lr=1,2", "-S", "fail=wait")
    (job,) = start(project)["jobs"]
    wait_until_running(slurm, project, *names)
    done = project.ob("queue", "kill", names[0])
    assert done.code == 0, done.err
    slurm.wait_for("the job ends", lambda: slurm.states()[f"{job['job_id']}_0"] not in ("RUNNING", "COMPLETING"))
    assert states(project) == {names[0]: "cancelled", names[1]: "running"}
    go(project, "2")
    slurm.wait_for("the other ends", lambda: n_tasks(project) == 0)
    assert list(project.exps()) == [names[1]]


@pytest.mark.parametrize("manner", ["wait", "trap"])
def test_scancel_of_a_running_job_cancels_its_task(project: TestProject, slurm: SlurmSite, manner: str) -> None:
    (name,) = queue(project, "-S", "lr=1", "-S", f"fail={manner}")
    (job,) = start(project)["jobs"]
    wait_until_running(slurm, project, name)
    slurm.ask("scancel", f"{job['job_id']}_0")
    slurm.wait_for("it ends", lambda: n_tasks(project) == 0)
    task = status(project)[name]
    assert task["cause"] == f"cancelled in SLURM (job {job['job_id']}_0)"
    assert "start 1" in project.ob("queue", "logs", name).out
    assert project.exps() == {} and n_tasks(project) == 0


def test_scancel_of_a_pending_job_leaves_its_task_in_the_queue(project: TestProject, slurm: SlurmSite) -> None:
    (name,) = queue(project, "-S", "lr=1")
    (job,) = start(project, "--hold")["jobs"]
    assert "--hold" in job["options"]
    slurm.ask("scancel", f"{job['job_id']}_0")
    task = status_of_ended(project, slurm, name)
    assert (task["state"], task["job"]["cause"]) == ("queued", "SLURM does not have it any more")
    assert len(start(project)["jobs"]) == 1
    slurm.wait_for("it ends", lambda: list(project.exps()) == [name])


def test_waiting_for_a_task_whose_job_is_over_says_what_to_do(project: TestProject, slurm: SlurmSite) -> None:
    (name,) = queue(project, "-S", "lr=1")
    (job,) = start(project, "--hold")["jobs"]
    assert status(project)[name]["job"]["state"] == "pending"  # at once, and so is what follows
    done = project.ob("queue", "wait", "--timeout", "0")
    assert done.code == 1 and "warning" not in done.err, done.err
    slurm.ask("scancel", job["job_id"])
    status_of_ended(project, slurm, name)
    done = project.ob("queue", "wait", "--timeout", "0")
    assert f"'{name}' waits, but its job {job['job_id']}_0 in SLURM is over" in done.err
    assert "hint: ob queue start --slurm" in done.err and "no worker runs" not in done.err


def status_of_ended(project: TestProject, slurm: SlurmSite, name: str) -> dict[str, Any]:
    """The status of a task once SLURM, asked anew each time, says that its job has ended."""
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        (project.root / ".dvc/tmp/ob/queue/slurm/answer").unlink(missing_ok=True)
        found.update(status(project)[name])
        return bool(found["job"]) and found["job"]["state"] == "ended"

    slurm.wait_for("its job is seen to have ended", has_ended)
    return found


def test_requeue_puts_the_task_back_and_runs_it_again(project: TestProject, slurm: SlurmSite) -> None:
    (name,) = queue(project, "-S", "lr=1", "-S", "fail=wait")
    (job,) = start(project)["jobs"]
    element = f"{job['job_id']}_0"
    wait_until_running(slurm, project, name)
    slurm.ask("scontrol", "requeue", element)
    slurm.wait_for("it waits again", lambda: slurm.states()[element] == "PENDING")
    task = status(project)[name]
    assert (task["state"], [each["state"] for each in task["attempts"]]) == ("queued", ["cancelled"])
    assert start(project)["jobs"] == []  # SLURM will start it again

    def is_started() -> bool:
        slurm.hurry()
        return slurm.states()[element] == "RUNNING"

    slurm.wait_for("it is started again", is_started)
    wait_until_running(slurm, project, name)
    assert start(project)["jobs"] == []
    assert status(project)[name]["job"]["id"] == element
    go(project, "1")
    slurm.wait_for("it ends", lambda: n_tasks(project) == 0)
    assert list(project.exps()) == [name]


def test_preemption_puts_the_task_back(project: TestProject, slurm: SlurmSite) -> None:
    (name,) = queue(project, "-S", "lr=1", "-S", "fail=wait")
    (job,) = start(project, "--cpus-per-task=8")["jobs"]
    element = f"{job['job_id']}_0"
    wait_until_running(slurm, project, name)
    urgent = project.write("urgent.sh", "#!/bin/sh\nsleep 1000\n")
    slurm.ask("sbatch", "--partition=urgent", "--cpus-per-task=8", "--output=/dev/null", str(urgent))
    slurm.wait_for("it makes room", lambda: slurm.states()[element] != "RUNNING" and states(project)[name] != "running")
    task = status(project)[name]
    assert (task["state"], [each["state"] for each in task["attempts"]]) == ("queued", ["cancelled"])
    assert project.exps() == {}


def test_a_killed_job_is_lost_and_handed_over_again(project: TestProject, slurm: SlurmSite) -> None:
    (name,) = queue(project, "-S", "lr=1", "-S", "fail=wait")
    (job,) = start(project)["jobs"]
    element = f"{job['job_id']}_0"
    wait_until_running(slurm, project, name)
    kill(*slurm.step_daemons(slurm.internal_id(element)), *slurm.processes())
    assert slurm.states()[element] == "RUNNING", "SLURM has not noticed it"
    slurm.wait_for("it is queued", lambda: states(project)[name] == "queued")
    slurm.wait_for("its job is seen to be lost", lambda: status(project)[name]["job"]["state"] == "lost")
    assert status(project)[name]["n_lost"] == 1
    again = start(project)
    assert again["cancelled"] == [element] and len(again["jobs"]) == 1
    wait_until_running(slurm, project, name)
    assert status(project)[name]["job"]["id"] == f"{again['jobs'][0]['job_id']}_0"
    go(project, "1")
    slurm.wait_for("it ends", lambda: n_tasks(project) == 0)
    assert list(project.exps()) == [name]


# Loaded by every Python of a job: its machine has another name than that of who looks.
FAR = """\
import os
if "SLURM_JOB_ID" in os.environ:
    real = os.uname()
    os.uname = lambda: os.uname_result((real.sysname, "far", real.release, real.version, real.machine))
"""


def test_on_another_machine_silence_is_the_end(project: TestProject, slurm: SlurmSite, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "sitecustomize.py").write_text(FAR)
    project.env["PYTHONPATH"] = f"{tmp_path / 'far'}{os.pathsep}{SOURCE}"
    (name,) = queue(project, "-S", "lr=1", "-S", "fail=wait")
    (job,) = start(project)["jobs"]
    element = f"{job['job_id']}_0"
    wait_until_running(slurm, project, name)
    task = status(project)[name]
    assert (task["host"], task["job"]["id"], task["job"]["state"]) == ("far", element, "running")
    kill(*slurm.step_daemons(slurm.internal_id(element)), *slurm.processes())
    assert states(project)[name] == "running" and start(project)["jobs"] == []  # nobody can know it yet
    files = project.root / ".dvc/tmp/ob/queue"
    for path in (*files.glob("leases/*.lock"), *files.glob("slurm/*.note")):
        os.utime(path, (0, path.stat().st_mtime - 200))
    assert states(project)[name] == "queued"
    again = start(project)
    assert again["cancelled"] == [element] and len(again["jobs"]) == 1
    wait_until_running(slurm, project, name)
    go(project, "1")
    slurm.wait_for("it ends", lambda: n_tasks(project) == 0)
    assert list(project.exps()) == [name]


def test_a_killed_slurmstepd_does_not_disturb_the_task(project: TestProject, slurm: SlurmSite) -> None:
    (name,) = queue(project, "-S", "lr=1", "-S", "fail=wait")
    (job,) = start(project)["jobs"]
    element = f"{job['job_id']}_0"
    wait_until_running(slurm, project, name)
    for pid in slurm.step_daemons(slurm.internal_id(element)):
        os.kill(pid, signal.SIGKILL)
    assert states(project)[name] == "running"
    assert start(project)["jobs"] == []
    go(project, "1")
    slurm.wait_for("it ends", lambda: n_tasks(project) == 0)
    assert list(project.exps()) == [name]
    slurm.wait_for("its end is noted", lambda: start(project)["cancelled"] == [element])


def test_stop_takes_back_what_has_not_started(project: TestProject, slurm: SlurmSite) -> None:
    names = queue(project, "-S", "lr=1,2,3", "-S", "fail=wait")
    (job,) = start(project, "-j", "1")["jobs"]
    wait_until_running(slurm, project, names[0])
    done = project.ob("queue", "stop")
    assert done.code == 0, done.err
    taken = f"{job['job_id']}_1, {job['job_id']}_2"
    assert f"Taken back from SLURM, which had not started them: {taken}" in done.err
    left = slurm.states()
    assert {f"{job['job_id']}_1", f"{job['job_id']}_2"} & {each for each in left if left[each] == "PENDING"} == set()
    go(project, "1")
    slurm.wait_for("the first ends", lambda: states(project)[names[0]] == "succeeded")
    assert [states(project)[name] for name in names[1:]] == ["queued", "queued"]
    assert status(project)[names[1]]["job"]["cause"] == "it was taken back"
    assert project.ob("queue", "stop", "--kill").code == 0


def test_stop_kill_ends_what_runs(project: TestProject, slurm: SlurmSite) -> None:
    names = queue(project, "-S", "lr=1,2", "-S", "fail=wait")
    start(project, "-j", "1")
    wait_until_running(slurm, project, names[0])
    done = project.ob("queue", "stop", "--kill")
    assert done.code == 0, done.err
    slurm.wait_for("it ends", lambda: states(project) == {names[0]: "cancelled", names[1]: "queued"})
    slurm.wait_for(
        "SLURM has nothing more", lambda: not {"PENDING", "RUNNING", "COMPLETING"} & set(slurm.states().values())
    )


def test_a_removed_task_is_taken_back_at_once(project: TestProject, slurm: SlurmSite) -> None:
    names = queue(project, "-S", "lr=1,2")
    (job,) = start(project, "--hold")["jobs"]
    done = project.ob("queue", "remove", names[0])
    assert done.code == 0, done.err
    waiting = {element for element, state in slurm.states().items() if state == "PENDING"}
    assert waiting == {f"{job['job_id']}_1"}
    assert states(project) == {names[1]: "queued"}


def test_failed_once_and_tried_again_in_the_same_job(project: TestProject, slurm: SlurmSite) -> None:
    (name,) = queue(project, "-S", "lr=1", "-S", "fail=5", "--retries", "1")
    start(project)
    slurm.wait_for("it ends", lambda: n_tasks(project) == 0)
    task = status(project)[name]
    assert (task["state"], task["exit_code"], len(task["attempts"])) == ("failed", 5, 2)
    assert project.ob("queue", "retry", name).code == 0
    assert len(start(project)["jobs"]) == 1
    slurm.wait_for("it ends again", lambda: n_tasks(project) == 0)


def test_a_held_task_is_not_run(project: TestProject, slurm: SlurmSite) -> None:
    names = queue(project, "-S", "lr=1,2")
    assert project.ob("queue", "hold", names[0]).code == 0
    (job,) = start(project)["jobs"]
    assert [task["name"] for task in job["tasks"]] == names[1:]
    slurm.wait_for("the other ends", lambda: list(project.exps()) == names[1:])
    assert project.ob("queue", "release", names[0]).code == 0
    assert len(start(project)["jobs"]) == 1
    slurm.wait_for("it ends", lambda: n_tasks(project) == 0)


@pytest.mark.fault
@pytest.mark.timeout(600)
def test_killed_at_random_points_every_task_is_one_experiment(project: TestProject, slurm: SlurmSite) -> None:
    """Daemons of steps, workers, their children and commands are killed, jobs requeued, while tasks are carried out."""
    n_kills = int(os.environ.get("OFFBRANCH_SOAK", "3"))
    rng = random.Random(32)
    n = 6 + n_kills // 4
    names = queue(project, "-n", "soak", "-S", f"lr=range(1,{n + 1})", "-S", "fail=slow")
    start(project, "-j", "4")
    killed = 0

    def harm() -> None:
        nonlocal killed
        running = [element for element, state in slurm.states().items() if state == "RUNNING"]
        victims = [
            *slurm.processes(),
            *(pid for each in running for pid in slurm.step_daemons(slurm.internal_id(each))),
        ]
        if not victims:
            return
        if rng.random() < 0.2 and running:
            subprocess.run(["scontrol", "requeue", rng.choice(running)], capture_output=True, check=False)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(rng.choice(victims), signal.SIGKILL)
        killed += 1

    def all_done() -> bool:
        if killed < n_kills:
            harm()
        slurm.hurry()
        done = project.ob("queue", "start", "--slurm", "-j", "4", "--json")
        assert done.code in (0, 1) and "mistake of ob" not in done.err, done.err
        return n_tasks(project) == 0

    slurm.wait_for("all end", all_done, timeout_s=400)
    # A command that is killed is a failure of its task, as anywhere; all others are experiments, each once.
    found = {name: task["state"] for name, task in status(project).items()}
    assert sorted(found) == sorted(names)
    assert {name for name, state in found.items() if state == "succeeded"} == set(project.exps())
    assert set(found.values()) <= {"succeeded", "failed"}
    made = [project.git("cat-file", "-p", commit) for commit in project.exps().values()]
    tasks = [re.findall(r"^ob-task (\S+)$", text, re.MULTILINE) for text in made]
    assert all(len(each) == 1 for each in tasks) and len({each[0] for each in tasks}) == len(tasks)
    assert project.git("for-each-ref", "refs/ob/leases") == ""


def test_foreground_stays_until_all_have_ended(project: TestProject, slurm: SlurmSite) -> None:
    names = queue(project, "-S", "lr=1,2")
    done = project.ob("queue", "start", "--slurm", "--foreground", "--json", timeout=120)
    assert done.code == 0, done.err
    assert done.json["all_succeeded"] and set(project.exps()) == set(names)
    queue(project, "-n", "bad", "-S", "fail=3")
    done = project.ob("queue", "start", "--slurm", "--foreground", timeout=120)
    assert done.code == 1 and "Submitted 1 experiment to SLURM" in done.out


def test_those_that_start_at_the_same_time_hand_over_once(project: TestProject, slurm: SlurmSite) -> None:
    names = queue(project, "-S", "lr=1,2,3")
    command = [sys.executable, "-m", "offbranch", "queue", "start", "--json", "--slurm", "--hold"]
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    many = [subprocess.Popen(command, cwd=project.root, env=env, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    jobs = [job for each in many for job in json.loads(each.communicate(timeout=60)[0])["jobs"]]
    assert len(jobs) == 1 and [task["name"] for task in jobs[0]["tasks"]] == names
    assert [each.returncode for each in many] == [0, 0, 0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--partition=nowhere",), "invalid partition specified: nowhere"),
        (("--no-such-option",), "unrecognized option '--no-such-option'"),
        (("--time", "soon"), "Invalid --time specification"),
        (("--mem=99G",), "Memory specification can not be satisfied"),
        (("--gres=gpu:9",), "Requested node configuration is not available"),
    ],
)
def test_what_sbatch_refuses_is_said_and_nothing_is_left(
    project: TestProject, slurm: SlurmSite, options: tuple[str, ...], said: str
) -> None:
    (name,) = queue(project, "-S", "lr=1")
    done = project.ob("queue", "start", "--slurm", *options)
    assert done.code == 1 and said in done.err and "Traceback" not in done.err
    assert [path.name for path in (project.root / ".dvc/tmp/ob/queue/slurm").glob("2*")] == []
    assert states(project) == {name: "queued"}


def test_needs_become_options(project: TestProject, slurm: SlurmSite) -> None:
    queue(project, "-S", "lr=1", "--resources", "gpus=1,cpus=2,memory=300MiB", "--timeout", "90")
    (job,) = start(project, "--hold")["jobs"]
    assert job["options"][:4] == ["--gres=gpu:1", "--cpus-per-task=2", "--mem=300M", "--time=12"]
    lines = slurm.ask("scontrol", "show", "job", "-o", f"{job['job_id']}_0")
    for part in ("TimeLimit=00:12:00", "CPUs/Task=2", "MinMemoryNode=300M", "TresPerNode=gres:gpu:1"):
        assert part in lines


def test_what_a_job_has_is_the_matter_of_slurm_alone(project: TestProject, slurm: SlurmSite) -> None:
    """Nothing is looked for, locked or limited by the job: it would wait for ever for what only SLURM's node has."""
    many = min(4, (os.cpu_count() or 1) + 1)  # of the 8 that SLURM says the node has
    needs = f"gpus=1,cpus={many},memory=300M"
    names = queue(project, "-S", "lr=1,2", "-S", "fail=wait", "--resources", needs)
    start(project)
    wait_until_running(slurm, project, *names)  # side by side
    logs = [project.ob("queue", "logs", name).out for name in names]
    assert sorted(re.findall(r"gpus <(.*?)>", "".join(logs))) == ["0", "1"]
    assert all(f"threads <{many}>" in log for log in logs)
    go(project, "1", "2")
    slurm.wait_for("both end", lambda: n_tasks(project) == 0)
    (other,) = queue(project, "-n", "other", "-S", "lr=3", "--resources", needs)
    start(project, "--gres=gpu:0", "--cpus-per-task=1")  # what the user says wins, also in the job
    slurm.wait_for("it ends", lambda: n_tasks(project) == 0)
    assert set(project.exps()) == {*names, other}
    assert "threads <1>" in project.ob("queue", "logs", other).out


def test_a_task_that_takes_too_long_has_failed(project: TestProject, slurm: SlurmSite) -> None:
    (name,) = queue(project, "-S", "lr=1", "-S", "fail=wait", "--timeout", "2")
    start(project)
    slurm.wait_for("it ends", lambda: n_tasks(project) == 0)
    task = status(project)[name]
    assert (task["state"], task["cause"]) == ("failed", "it took longer than 2 s")


def test_a_slurm_that_does_not_answer(project: TestProject, tmp_path: Path) -> None:
    (name,) = queue(project, "-S", "lr=1")
    start(project, "--hold")
    nowhere = tmp_path / "slurm.conf"
    text = Path(os.environ["SLURM_CONF"]).read_text()
    nowhere.write_text(re.sub("SlurmctldPort=.*", "SlurmctldPort=1", text) + "MessageTimeout=1\n")
    done = project.ob("queue", "start", "--slurm", SLURM_CONF=str(nowhere))
    assert done.code == 1 and "Unable to contact slurm controller" in done.err and "Traceback" not in done.err
    (project.root / ".dvc/tmp/ob/queue/slurm/answer").unlink(missing_ok=True)
    done = project.ob("queue", "status", SLURM_CONF=str(nowhere))
    assert done.code == 0 and re.search(rf"{name} .*Queued .*SLURM \d+_0 unknown", done.out)
    done = project.ob("queue", "stop", SLURM_CONF=str(nowhere))
    assert done.code == 0 and "could not be cancelled" in done.err


def test_a_machine_without_slurm(project: TestProject, tmp_path: Path) -> None:
    queue(project, "-S", "lr=1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(need("git"))
    start(project, "--hold")
    done = project.ob("queue", "start", "--slurm", PATH=str(tmp_path / "bin"))
    assert done.code == 1 and "'squeue' is not there" in done.err and "login node" in done.err
