"""A training program for tests that asks for checkpoints as docs/formats/checkpoints.md says; standard library only."""

import json
from collections.abc import Mapping
from pathlib import Path

from projects import TestProject, make_project

ASK = '''\
import json, os, sys, time

HANDOFF = os.environ["OFFBRANCH_HANDOFF"]


def ask(step=None, kind="explicit", stage=None):
    """Asks and waits; returns the reply, or None if nobody is there."""
    own = os.urandom(8).hex()
    data = {"version": 1, "id": own, "pid": os.getpid(), "stage": stage or os.environ["DVC_STAGE"], "step": step, "kind": kind}
    path = os.path.join(HANDOFF, f"request-{own}.json")
    with open(path + ".new", "w") as file:
        json.dump(data, file)
    os.rename(path + ".new", path)
    try:
        bell = os.open(os.path.join(HANDOFF, "wake"), os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None
    os.write(bell, b"x")
    os.close(bell)
    reply = os.path.join(HANDOFF, f"reply-{own}.json")
    while not os.path.exists(reply):
        time.sleep(0.001)
        try:
            os.close(os.open(os.path.join(HANDOFF, "wake"), os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # ob is gone
            if not os.path.exists(reply):
                return None
    with open(reply) as file:
        said = json.load(file)
    os.unlink(reply)
    return said


def state():
    with open(os.path.join(HANDOFF, "state.json")) as file:
        return json.load(file)


def live(*paths):
    path = os.path.join(HANDOFF, "live.json")
    with open(path + ".new", "w") as file:
        json.dump({"version": 1, "paths": paths}, file)
    os.rename(path + ".new", path)


def metrics(**values):
    with open("metrics.json.new", "w") as file:
        json.dump(values, file)
    os.rename("metrics.json.new", "metrics.json")
'''
PIPELINE = """\
stages:
  train:
    cmd: python3 train.py
    deps: [train.py]
    params: [lr]
    outs: [model.bin]
    metrics:
    - metrics.json: {cache: false}
"""
# What most tests run: three checkpoints with other models and metrics.
THREE = """
for step in range(3):
    open("model.bin", "w").write(f"model {step}")
    metrics(acc=step / 10)
    assert ask(step)["is_taken"]
    open("model.bin", "w").write(f"model {step} and on")
"""


def training(root: Path, script: str = THREE, more: Mapping[str, str] = {}, config: str = "") -> TestProject:
    """Makes a project whose only stage runs a script that can `ask`."""
    files = {"train.py": ASK + script, "params.yaml": "lr: 1\n", "dvc.yaml": PIPELINE, **more}
    return make_project(root, files, config=config)


def chain(project: TestProject, name: str) -> list[str]:
    """The commits of an experiment, oldest first, without its baseline."""
    ref = next(
        ref
        for ref in project.git("for-each-ref", "--format=%(refname)", "refs/exps").split()
        if ref.endswith(f"/{name}")
    )
    baseline = "".join(ref.split("/")[2:4])
    return project.git("rev-list", "--reverse", "--first-parent", f"{baseline}..{ref}").split()


def mark(project: TestProject, commit: str) -> dict[str, object] | None:
    """What a commit says of the checkpoint that it is."""
    for line in project.git("cat-file", "commit", commit).split("\n\n")[0].splitlines():
        if line.startswith("ob-checkpoint "):
            found: dict[str, object] = json.loads(line.partition(" ")[2])
            return found
    return None


def output_at(project: TestProject, commit: str, path: str = "model.bin") -> bytes | None:
    """The content of a cached output as a commit records it; None where the cache does not have it any more."""
    lines = project.file_at(commit, "dvc.lock").splitlines()
    md5 = lines[lines.index(f"    - path: {path}") + 2].split()[1]
    place = project.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    return place.read_bytes() if place.exists() else None
