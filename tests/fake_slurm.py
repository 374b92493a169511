"""Stand-ins for sbatch, squeue, sacct, scancel and scontrol, for what a real SLURM cannot be made to do at will.

They are one script, found by PATH under each name, and keep what they know in `state.json` beside it: a test sets states of
elements there, and errors. What they print was recorded from SLURM 22.05, and tests/slurm/test_fake.py compares the two.
"""

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAMS = ("sbatch", "squeue", "sacct", "scancel", "scontrol")
WAITING = ("PENDING", "CONFIGURING", "REQUEUED")
LIVE = (*WAITING, "RUNNING", "COMPLETING", "SUSPENDED")
UNREACHABLE = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"


@dataclass
class FakeSlurm:
    """A fake in a directory, which is to be the first of PATH."""

    place: Path

    @property
    def path(self) -> str:
        return f"{self.place}{os.pathsep}{os.environ['PATH']}"

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads((self.place / "state.json").read_text()))

    def change(self, **changes: Any) -> None:
        (self.place / "state.json").write_text(json.dumps({**self.state, **changes}))

    def set_job(self, job: str, **values: Any) -> None:
        """Changes what is known of an element, e.g. its `state`, `reason`, `node`, `started`."""
        jobs = self.state["jobs"]
        jobs[job].update(values)
        self.change(jobs=jobs)

    def forget(self, job: str) -> None:
        """Lets SLURM forget an element, as it does some minutes after its end."""
        jobs = self.state["jobs"]
        del jobs[job]
        self.change(jobs=jobs)

    @property
    def calls(self) -> list[list[str]]:
        return list(self.state["calls"])


def make_fake(place: Path) -> FakeSlurm:
    place.mkdir()
    for name in PROGRAMS:
        program = place / name
        program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{Path(__file__).resolve()}' {name} \"$@\"\n")
        program.chmod(0o755)
    state = {"next_id": 1, "jobs": {}, "calls": [], "errors": {}, "accounts": None, "max_array_size": 1001}
    (place / "state.json").write_text(json.dumps(state))
    return FakeSlurm(place)


def _main(place: Path, program: str, words: list[str]) -> int:
    path = place / "state.json"
    state = json.loads(path.read_text())
    state["calls"].append([program, *words])
    if error := state["errors"].get(program):
        path.write_text(json.dumps(state))
        print(error, file=sys.stderr)
        return 1
    options = dict(word.removeprefix("--").partition("=")[::2] for word in words if word.startswith("--"))
    code: int = globals()[f"_{program}"](state, options, [word for word in words if not word.startswith("--")])
    path.write_text(json.dumps(state))
    return code


def _sbatch(state: dict[str, Any], options: dict[str, str], _: list[str]) -> int:
    found = re.fullmatch(r"0-(\d+)(%\d+)?", options["array"])
    assert found is not None
    if int(found[1]) >= state["max_array_size"]:
        print("sbatch: error: Batch job submission failed: Invalid job array specification", file=sys.stderr)
        return 1
    job, state["next_id"] = state["next_id"], state["next_id"] + int(found[1]) + 1
    is_held = "hold" in options
    for n in range(int(found[1]) + 1):
        state["jobs"][f"{job}_{n}"] = {
            "state": "PENDING",
            "reason": "JobHeldUser" if is_held else "None",
            "node": "",
            "started": "N/A",
            "comment": options.get("comment", "(null)"),
        }
    print(job)
    return 0


def _squeue(state: dict[str, Any], options: dict[str, str], _: list[str]) -> int:
    names = {"i": "job", "T": "state", "S": "started", "N": "node", "k": "comment", "r": "reason"}
    for job, about in state["jobs"].items():
        line = re.sub(
            "%(.)", lambda sign, job=job, about=about: {**about, "job": job}[names[sign[1]]], options["format"]
        )
        print(line)
    return 0


def _sacct(state: dict[str, Any], options: dict[str, str], _: list[str]) -> int:
    if state["accounts"] is None:
        print("Slurm accounting storage is disabled", file=sys.stderr)
        return 1
    for job, (ended, node, reason) in state["accounts"].items():
        if job.partition("_")[0] in options["jobs"].split(","):
            print(f"{job}|{ended}|{node}|{reason}")
    return 0


def _scancel(state: dict[str, Any], options: dict[str, str], jobs: list[str]) -> int:
    assert "state" not in options, "SLURM 22.05 would cancel the whole array"
    for job in jobs:
        about = state["jobs"].get(job)
        if about is None or about["state"] not in LIVE:
            continue
        if about["state"] in WAITING:
            del state["jobs"][job]  # it leaves no trace
        else:
            about["state"] = "CANCELLED"
    return 0


def _scontrol(state: dict[str, Any], options: dict[str, str], words: list[str]) -> int:
    assert words == ["show", "config"]
    print(f"Configuration data as of 2026-11-27T16:40:27\nMaxArraySize            = {state['max_array_size']}")
    return 0


if __name__ == "__main__":
    # Where the stand-in is, and not this file.
    where = next(each for each in os.environ["PATH"].split(os.pathsep) if (Path(each) / "state.json").exists())
    sys.exit(_main(Path(where), sys.argv[1], sys.argv[2:]))
