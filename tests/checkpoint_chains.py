"""Chains of checkpoints made by Git alone, in the form of docs/formats/checkpoints.md, for tests of who reads them."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from git_repos import run
from projects import TestProject

STAGE = "train"
_LOCK = """\
schema: '2.0'
stages:
  train:
    cmd: {cmd}
    params:
      params.yaml:
        lr: {lr}
    outs:
    - path: metrics.json
      hash: md5
      md5: {metrics_md5}
      size: {metrics_size}
    - path: model.txt
      hash: md5
      md5: {model_md5}
      size: {model_size}
"""
DVC_YAML = """\
stages:
  train:
    cmd: sh train.sh
    params:
    - lr
    outs:
    - model.txt
    metrics:
    - metrics.json:
        cache: false
"""
FILES = {
    "train.sh": "echo '{\"acc\": 1}' > metrics.json; echo model > model.txt\n",
    "params.yaml": "lr: 0.1\n",
    "metrics.json": '{"acc": 0.0}\n',
    "dvc.yaml": DVC_YAML,
    ".gitignore": "/model.txt\n",
}
START_S = 1_700_000_000


def make_chain(
    project: TestProject,
    name: str,
    accs: Sequence[float],
    *,
    above: str | None = None,
    is_finished: bool = False,
    says_numbers: bool = True,
    keep: str = "",
    task: str | None = None,
    start_s: int = START_S,
) -> list[str]:
    """Makes an experiment of a chain of commits from HEAD on and returns them, the oldest first.

    Args:
        accs: The metric of each commit.
        above: The commit of another chain that this one goes on from.
        is_finished: The last one is the end of the run, no checkpoint.
        says_numbers: As ours; else as DVC 2 made them.
        keep: The policy that the checkpoints carry.
        task: Id of the queued task.
    """
    baseline = project.git("rev-parse", "HEAD")
    parent, first = above or baseline, 1 if above is None else len(_commits(project, baseline, above)) + 1
    made = []
    for n, acc in enumerate(accs):
        is_end = is_finished and n + 1 == len(accs)
        number = first + n
        tree = _tree(project, baseline, acc, None if is_end else number)
        headers = [] if is_end or not says_numbers else [_mark(number, keep)]
        headers += [f"ob-task {task}"] if task is not None else []
        parent = _commit(project, tree, parent, start_s + n, headers)
        made.append(parent)
    project.git("update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}", made[-1])
    return made


def model_of(acc: float) -> str:
    """What the model of a commit holds."""
    return f"model {acc}\n"


def drop_model(project: TestProject, acc: float) -> None:
    """Removes the data of a commit from the cache."""
    path = _cached(project, _md5(model_of(acc)))
    path.chmod(0o644)
    path.unlink()


def _commits(project: TestProject, baseline: str, tip: str) -> list[str]:
    return project.git("rev-list", "--first-parent", tip, f"^{baseline}").split()


def _mark(number: int, keep: str) -> str:
    mark = {"version": 1, "number": number, "step": number * 10, "stage": STAGE, "keep": keep}
    return f"ob-checkpoint {json.dumps(mark)}"


def _tree(project: TestProject, baseline: str, acc: float, number: int | None) -> str:
    metrics, model = json.dumps({"acc": acc}) + "\n", model_of(acc)
    cached = _cached(project, _md5(model))
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_text(model)
        cached.chmod(0o444)
    lock = _LOCK.format(
        cmd="sh train.sh" if number is None else f"'sh train.sh # checkpoint {number}'",
        lr=0.1,
        metrics_md5=_md5(metrics),
        metrics_size=len(metrics),
        model_md5=_md5(model),
        model_size=len(model),
    )
    lines = [
        line
        for line in project.git("ls-tree", baseline).splitlines()
        if line.partition("\t")[2] not in ("metrics.json", "dvc.lock")
    ]
    for path, text in (("metrics.json", metrics), ("dvc.lock", lock)):
        blob = run(project.root, "hash-object", "-w", "--stdin", input=text.encode())
        lines.append(f"100644 blob {blob}\t{path}")
    return run(project.root, "mktree", input="".join(f"{line}\n" for line in lines).encode())


def _commit(project: TestProject, tree: str, parent: str, time_s: int, headers: Sequence[str]) -> str:
    who = f"Ann Dev <ann@example.com> {time_s} +0000"
    head = [f"tree {tree}", f"parent {parent}", f"author {who}", f"committer {who}", *headers]
    text = "\n".join(head) + f"\n\ndvc: commit experiment {tree}\n"
    return run(project.root, "hash-object", "-t", "commit", "-w", "--stdin", input=text.encode())


def _cached(project: TestProject, md5: str) -> Path:
    return project.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
