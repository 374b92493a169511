"""Times what reads and makes chains of checkpoints: CPU seconds of the whole process tree, the least of several runs.

Chains are written by `git fast-import`, without data. Linux and macOS. Run with the directories `src` and `tests` on
PYTHONPATH.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from asking import training
from checkpoint_chains import FILES
from projects import TestProject, make_project

IDENTITY = {f"GIT_{role}_{what}": "bench" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
ROWS = "tmp/ob/rows.jsonl"
READING = (
    ("exp list", ("exp", "list")),
    ("exp show", ("exp", "show", "--no-pager")),
    ("exp show --checkpoints", ("exp", "show", "--no-pager", "--checkpoints")),
    ("exp show --json", ("exp", "show", "--json")),
)
MAKES = """
for step in range(21 if os.environ.get("MANY") else 1):
    open("model.bin", "w").write(f"{step}")
    metrics(acc=step)
    assert ask(step)["is_taken"]
    while state()["made"] <= step: time.sleep(0.002)
"""


def cost_of(project: TestProject, *words: str, runs: int = 1, **env: str) -> float:
    """Returns the CPU seconds of a command and what it starts."""
    found = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "offbranch", *words]
        subprocess.run(command, cwd=project.root, env={**os.environ, **env}, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def make_chains(project: TestProject, n_experiments: int, n_each: int) -> None:
    head = project.git("rev-parse", "HEAD")
    stream = []
    for experiment in range(n_experiments):
        ref = f"refs/exps/{head[:2]}/{head[2:]}/e{experiment}"
        for n in range(n_each):
            mark = json.dumps({"acc": n / n_each, "loss": experiment + n / 7, "step": n}) + "\n"
            stream.append(
                f"commit {ref}\ncommitter bench <b@example.com> {1_700_000_000 + experiment * n_each + n} +0000\n"
            )
            stream.append("data 1\nx\n" + (f"from {head}\n" if n == 0 else ""))
            stream.append(f"M 100644 inline metrics.json\ndata {len(mark)}\n{mark}\n")
    subprocess.run(["git", "fast-import", "--quiet"], cwd=project.root, input="".join(stream).encode(), check=True)


def read_chains(scratch: Path, n_experiments: int, n_each: int, runs: int) -> None:
    project = make_project(scratch / f"{n_experiments}x{n_each}", FILES)
    make_chains(project, n_experiments, n_each)
    print(f"{n_experiments} experiments of {n_each} commits{'':14}first    again")
    for label, words in READING:
        (project.root / ".dvc" / ROWS).unlink(missing_ok=True)
        first = cost_of(project, *words)
        print(f"  {label:38}{first:8.3f} {cost_of(project, *words, runs=runs):8.3f}", flush=True)


def make_checkpoints(scratch: Path, n_files: int, runs: int) -> None:
    files = {f"src/{n // 100}/{n}.txt": f"{n}\n" for n in range(n_files)}
    project = training(scratch / f"files{n_files}", MAKES, files)
    words = ("exp", "run", "-f", "-n", "x", "--keep-checkpoints", "all")
    one, many = cost_of(project, *words, runs=runs), cost_of(project, *words, runs=runs, MANY="1")
    print(f"{f'a checkpoint beside {n_files:,} files in Git':40}{(many - one) / 20:8.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="timed runs per case")
    runs = parser.parse_args().runs
    os.environ.update(IDENTITY)
    with tempfile.TemporaryDirectory(prefix="ob-bench-") as scratch:
        for n_experiments, n_each in ((100, 1), (20, 300), (100, 300), (1, 5000)):
            read_chains(Path(scratch), n_experiments, n_each, runs)
        for n_files in (10, 10_000):
            make_checkpoints(Path(scratch), n_files, runs)


if __name__ == "__main__":
    main()
