"""Slots for real: workers, tasks and commands in processes of their own on a machine with GPUs (`gpus.py`).

Commands say what they see in files, and wait for each other by files.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gpus import UUIDS, fake_gpus
from offbranch.base.processes import start_time
from offbranch.queue.slots.limits import usable_processors
from projects import TestProject, make_project

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
    pytest.mark.timeout(300),
]
# Marks its GPUs as used, notes who saw them marked already, waits for company, then for the word to end.
USE = """\
for gpu in $(echo "$CUDA_VISIBLE_DEVICES" | tr , ' '); do
  mkdir "$TALLY/gpu-$gpu" || echo "$gpu" >> "$TALLY/shared"
done
echo "$OFFBRANCH_SLOT:$CUDA_VISIBLE_DEVICES:$CUDA_DEVICE_ORDER" >> "$TALLY/seen"
touch "$TALLY/here-$$"
n=0
until [ $(ls "$TALLY" | grep -c '^\\(here\\|was\\)-') -ge "${COMPANY:-1}" ] && [ ! -e "$TALLY/wait" ]; do
  n=$((n + 1)); [ $n -lt 2400 ] || exit 9
  sleep 0.05
done
mv "$TALLY/here-$$" "$TALLY/was-$$"
for gpu in $(echo "$CUDA_VISIBLE_DEVICES" | tr , ' '); do rmdir "$TALLY/gpu-$gpu"; done
"""
STAGES = "stages:\n  train:\n    cmd: sh use.sh\n    params: [lr]\n"


def needing(resources: str) -> str:
    return f"{STAGES}    meta:\n      resources: {resources}\n"


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., TestProject]:
    """Makes projects on one machine with 4 GPUs."""
    path, tally = fake_gpus(tmp_path / "bin", 4), tmp_path / "tally"
    tally.mkdir()

    def make(name: str = "p", pipeline: str = STAGES, **files: str) -> TestProject:
        contents = {"dvc.yaml": pipeline, "use.sh": USE, "params.yaml": "lr: 0\ngpus: 1\n", **files}
        project = make_project(tmp_path / name, contents)
        project.env = {"PATH": path, "TALLY": str(tally)}
        return project

    return make


@pytest.fixture
def tally(tmp_path: Path) -> Path:
    return tmp_path / "tally"


@pytest.fixture(autouse=True)
def workers_end(tmp_path: Path) -> Iterator[None]:
    yield
    (tmp_path / "tally" / "wait").unlink(missing_ok=True)
    for project in tmp_path.iterdir():
        if (project / ".dvc/tmp/ob/queue/workers").exists():
            TestProject(project).ob("queue", "stop", "--kill")


def enqueue(project: TestProject, n: int, name: str = "q", *more: str) -> None:
    done = project.ob("exp", "run", "--queue", "-n", name, "-S", f"lr=range(0,{n})", *more)
    assert done.code == 0, done.err


def until(is_so: Callable[[], bool]) -> None:
    for _ in range(2400):
        if is_so():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to be")


def seen(tally: Path) -> list[str]:
    return sorted((tally / "seen").read_text().split()) if (tally / "seen").exists() else []


def resources(project: TestProject) -> list[dict[str, Any]]:
    messages = project.git("for-each-ref", "--format=%(contents:body)%00", "refs/ob/tasks").split("\0")
    return [json.loads(text)["resources"] for text in messages if text.strip()]


def test_tasks_run_at_the_same_time_each_with_gpus_of_its_own(machine: Any, tally: Path) -> None:
    project = machine()
    enqueue(project, 6)
    done = project.ob("exp", "run", "--run-all", "--gpus", "all", "--per-task", "2", COMPANY="2")
    assert done.code == 0, done.err
    assert seen(tally) == ["1:0,1:PCI_BUS_ID"] * 3 + ["2:2,3:PCI_BUS_ID"] * 3
    assert not (tally / "shared").exists()
    assert sorted(project.exps()) == [f"q-{n}" for n in range(1, 7)]


def test_workers_in_the_background(machine: Any, tally: Path) -> None:
    project = machine()
    enqueue(project, 4)
    (tally / "wait").touch()
    started = project.ob("queue", "start", "--gpus", "1-2")
    assert started.out == "Started '2' new experiments task queue workers.\n"
    until(lambda: len(seen(tally)) == 2)
    assert project.ob("queue", "start", "--gpus", "1,2").out == "Started '0' new experiments task queue worker.\n"
    state = project.ob("queue", "slots", "--json").json
    assert [[holder["name"] for holder in gpu["holders"]] for gpu in state["gpus"]] == [[], ["q-1"], ["q-2"], []]
    assert state["gpus"][1]["holders"][0]["project"] == str(project.root)
    assert [slot["gpus"] for slot in state["workers"][0]["slots"]] == [["1"], ["2"]]
    shown = project.ob("queue", "slots", cwd="..").out  # outside of the project: what the machine has, without workers
    assert f"1      Fake A100    'q-1' of {project.root}\n" in shown and "Worker" not in shown
    more = project.ob("queue", "start", "--gpus", "0")
    assert "Started '1'" in more.out
    until(lambda: len(seen(tally)) == 3)
    (tally / "wait").unlink()
    until(lambda: len(project.exps()) == 4)
    assert not (tally / "shared").exists()
    assert {line.split(":")[1] for line in seen(tally)} <= {"0", "1", "2"}


def test_stages_side_by_side_of_one_task_see_what_the_task_has(machine: Any, tally: Path) -> None:
    two = "stages:\n" + "".join(
        f"  s{n}:\n    cmd: echo s{n}=$OFFBRANCH_SLOT:$CUDA_VISIBLE_DEVICES:$CUDA_DEVICE_ORDER >> $TALLY/seen\n"
        f"    params: [lr]\n    meta: {{resources: {{gpus: {n}}}}}\n"
        for n in (1, 2)
    )
    project = machine(pipeline=two)
    enqueue(project, 1, "q", "--stage-jobs", "2")
    assert resources(project) == [{"gpus": 2, "cpus": None, "memory_bytes": None}]  # the most, not the sum
    assert project.ob("exp", "run", "--run-all").code == 0
    assert seen(tally) == ["s1=1:0,1:PCI_BUS_ID", "s2=1:0,1:PCI_BUS_ID"]


def test_needs_of_stages_are_those_of_each_trial(machine: Any, tally: Path) -> None:
    project = machine(pipeline=needing("{gpus: '${gpus}', memory: 4G}"))
    done = project.ob("exp", "run", "--queue", "-n", "q", "-S", "gpus=0,3")
    assert done.code == 0, done.err
    assert sorted(each["gpus"] for each in resources(project)) == [0, 3]
    assert project.ob("exp", "run", "--run-all").code == 0
    assert seen(tally) == ["1:0,1,2:PCI_BUS_ID", "1::PCI_BUS_ID"]


def test_needs_that_mean_nothing_are_refused_before_anything_is_queued(machine: Any) -> None:
    project = machine(pipeline=needing("{gpu: 1}"))
    done = project.ob("exp", "run", "--queue")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "error: dvc.yaml:6:19: stages.train.meta.resources.gpu: unknown key\nhint: did you mean 'gpus'?\n"
    )
    assert resources(project) == []


def test_what_can_never_run_here_stays_and_says_so(machine: Any, tally: Path) -> None:
    project = machine(pipeline=needing("{gpus: '${gpus}'}"))
    done = project.ob("exp", "run", "--queue", "-n", "q", "-S", "gpus=9,1")
    assert done.code == 0
    all_of_it = project.ob("exp", "run", "--run-all", "--json")
    assert all_of_it.code == 1
    by_name = {each["name"]: each for each in all_of_it.json}
    assert by_name["q-1"]["state"] == "queued"
    assert by_name["q-1"]["cause"] == "needs 9 GPUs, and its worker may give 4"
    assert by_name["q-2"]["state"] == "succeeded"
    assert all_of_it.err.count("'q-1' stays in the queue: it needs 9 GPUs, and its worker may give 4") == 1
    assert project.ob("queue", "start", "--keep").code == 0
    until(lambda: bool(project.ob("queue", "slots", "--json").json["workers"][0]["unfit"]))
    (unfit,) = project.ob("queue", "slots", "--json").json["workers"][0]["unfit"].values()
    assert unfit == "needs 9 GPUs, and its worker may give 4"
    (waiting,) = [each for each in project.ob("queue", "status", "--json").json["tasks"] if each["state"] == "queued"]
    assert (waiting["name"], waiting["cause"]) == ("q-1", unfit)
    assert f"Queued {unfit}" in " ".join(project.ob("queue", "status").out.split())


def test_two_projects_do_not_share_a_gpu(machine: Any, tally: Path) -> None:
    one, other = machine("one"), machine("other")
    for project in (one, other):
        enqueue(project, 2)
    (tally / "wait").touch()
    for project in (one, other):
        assert project.ob("queue", "start", "--gpus", "3", "-j", "2").code == 0
    until(lambda: len(seen(tally)) == 1)
    (tally / "wait").unlink()
    until(lambda: len(one.exps()) == len(other.exps()) == 2)
    assert not (tally / "shared").exists()
    assert len(seen(tally)) == 4


def test_a_gpu_is_held_as_long_as_a_command_uses_it_whoever_was_killed(machine: Any, tally: Path) -> None:
    one, other = machine("one"), machine("other")
    enqueue(one, 1, "lost")
    enqueue(other, 1, "next")
    (tally / "wait").touch()
    assert one.ob("queue", "start", "--gpus", "0").code == 0
    until(lambda: bool([*tally.glob("here-*")]))
    (worker,) = one.ob("queue", "slots", "--json").json["workers"]
    command = int(next(path.name for path in tally.glob("here-*")).removeprefix("here-"))
    # The worker first stands still, so that it has no time to end what its child leaves. Not the child: of a group whose
    # last tie to the session goes while one of it stands still, the kernel ends all.
    os.kill(worker["pid"], signal.SIGSTOP)
    for pid in (worker["slots"][0]["pid"], worker["pid"]):
        os.kill(pid, signal.SIGKILL)
    until(lambda: start_time(worker["slots"][0]["pid"]) is None)
    assert start_time(command) is not None
    (holder,) = other.ob("queue", "slots", "--json").json["gpus"][0]["holders"]
    assert (holder["name"], holder["is_alive"]) == ("lost-1", False)
    assert "a command left behind by 'lost-1'" in other.ob("queue", "slots").out
    assert other.ob("queue", "start", "--gpus", "0").code == 0
    until(lambda: bool(other.ob("queue", "slots", "--json").json["workers"]))
    assert len(seen(tally)) == 1
    (tally / "wait").unlink()
    until(lambda: len(other.exps()) == 1)
    assert not (tally / "shared").exists()


def test_what_the_environment_leaves_is_all_there_is(machine: Any, tally: Path) -> None:
    project = machine()
    enqueue(project, 2)
    done = project.ob(
        "exp", "run", "--run-all", "--gpus", "all", CUDA_VISIBLE_DEVICES=f"{UUIDS[3][:16]},1", COMPANY="2"
    )
    assert done.code == 0, done.err
    assert seen(tally) == ["1:3:PCI_BUS_ID", "2:1:PCI_BUS_ID"]
    refused = project.ob("exp", "run", "--run-all", "--gpus", "0", CUDA_VISIBLE_DEVICES="3")
    assert refused.code == 2
    assert refused.err == (
        "error: there is no GPU '0' to use here: CUDA_VISIBLE_DEVICES leaves 3\n"
        "hint: unset CUDA_VISIBLE_DEVICES, or name those it leaves\n"
    )


def test_without_any_gpu_to_share_commands_are_left_alone(machine: Any, tally: Path) -> None:
    project = machine()
    enqueue(project, 1)
    assert project.ob("exp", "run", "--run-all", CUDA_VISIBLE_DEVICES="7").code == 0
    assert seen(tally) == ["1:7:"]


def test_a_limit_of_memory_is_kept_and_named(machine: Any) -> None:
    code = "x = bytearray(800 << 20)"
    pipeline = f"stages:\n  train:\n    cmd: \"'{sys.executable}' -c '{code}'\"\n    params: [lr]\n"
    project = machine(pipeline=f"{pipeline}    meta: {{resources: {{memory: 300M}}}}\n")
    enqueue(project, 1)
    done = project.ob("exp", "run", "--run-all", "--json")
    assert done.code == 1
    (end,) = done.json
    assert end["state"] == "failed"
    assert "used more than 300M" in end["cause"]
    row = project.ob("exp", "show", "--json").out
    assert "used more than 300M" in row


@pytest.mark.skipif(len(usable_processors()) < 2, reason="needs two processors")
def test_processors_are_shared_out(machine: Any, tally: Path) -> None:
    command = "grep Cpus_allowed_list /proc/self/status >> $TALLY/cpus; echo $OMP_NUM_THREADS >> $TALLY/threads"
    project = machine(pipeline=f"stages:\n  train:\n    cmd: {command}; sh use.sh\n    params: [lr]\n")
    enqueue(project, 2)
    assert project.ob("exp", "run", "--run-all", "-j", "2", "--cpus", "2", COMPANY="2").code == 0
    lines = (tally / "cpus").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 2
    assert all(line.split()[1].isdigit() for line in lines)
    assert (tally / "threads").read_text() == "1\n1\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--gpus", "x"), "'x' is no list of GPUs"),
        (("--gpus", "4"), "there is no GPU '4' to use here: there are 0, 1, 2, 3"),
        (("--gpus", "0,0"), "GPU '0' is named twice"),
        (("--gpus", "0", "--per-task", "2"), "no task would ever get 2 GPUs: there are 1"),
        (("--per-task", "2"), "--per-task is about the GPUs that are shared out"),
        (("--gpus", "none", "--per-gpu", "2"), "--per-gpu is about the GPUs that are shared out"),
        (("--gpus", "0", "--per-gpu", "0"), "--per-gpu 0 makes no sense"),
        (("--cpus", "0"), "--cpus 0 makes no sense"),
        (("--memory", "much"), "'much' is no amount of memory"),
        (("-j", "0"), "there cannot be 0"),
    ],
)
def test_options_that_make_no_sense(machine: Any, options: tuple[str, ...], message: str) -> None:
    project = machine()
    for command in (("queue", "start"), ("exp", "run", "--run-all")):
        done = project.ob(*command, *options)
        assert done.code == 2, (command, done.err)
        assert done.err.startswith("error: ") and message in done.err
        assert "\nhint: " in done.err


def test_more_than_there_is_cannot_be_shared_out(machine: Any, tally: Path) -> None:
    project = machine()
    enqueue(project, 1)
    done = project.ob("exp", "run", "--run-all", "--cpus", "9999", "--memory", "900P")
    assert done.code == 0, done.err
    assert f"--cpus 9999 is more than there is: {len(usable_processors())} is shared out" in done.err
    assert "--memory 900P is more than there is: " in done.err


def test_options_of_workers_are_refused_for_a_new_experiment(machine: Any) -> None:
    done = machine().ob("exp", "run", "--gpus", "0")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: --gpus is about queued experiments")


def test_a_machine_without_gpus(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    done = project.ob("exp", "run", "--run-all", "--gpus", "all", PATH=os.environ["PATH"])
    if b"GPU" in subprocess.run(["sh", "-c", "nvidia-smi -L"], capture_output=True, check=False).stdout:
        pytest.skip("this machine has some")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "error: there is no GPU to share out: none is found on this machine",
    )
    assert project.ob("queue", "slots").out.startswith("No GPU is found.\n")


def test_no_place_for_locks(machine: Any, tmp_path: Path) -> None:
    project = machine()
    (tmp_path / "file").touch()
    done = project.ob("queue", "start", "--gpus", "0", OFFBRANCH_SLOTS_DIR=str(tmp_path / "file" / "x"))
    assert done.code == 1
    assert "GPUs cannot be locked" in done.err and "OFFBRANCH_SLOTS_DIR" in done.err
