"""A queue as DVC 3.67 keeps it, made by hand: the same files, commits and entries, for tests where DVC itself is not there."""

import base64
import json
import os
import pickle
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from git_repos import run as git
from projects import TestProject

STASH = "refs/exps/celery/stash"
_KIND = "dvc.repo.experiments.queue.tasks.run_exp"
_FLAGS = (
    "single_item force dry interactive pipeline all_pipelines downstream recursive force_downstream pull allow_missing"
)


def exps(project: TestProject) -> Path:
    return project.root / ".dvc/tmp/exps"


def options(project: TestProject, name: str, **more: Any) -> dict[str, Any]:
    """What DVC pickles for a task."""
    env = {"DVC_EXP_NAME": name, "DVC_EXP_BASELINE_REV": "x", "DVC_ROOT": str(project.root)}
    flags = dict.fromkeys(_FLAGS.split(), False)
    return {"args": (), "kwargs": {"run_env": env, "targets": [], **flags, "on_error": "fail", **more}}


def put(
    project: TestProject,
    name: str,
    *,
    params: str | None = None,
    pickled: bytes | None = None,
    entry: dict[str, Any] | None = None,
    kwargs: dict[str, Any] | None = None,
    stamp: int | None = None,
    where: str = "in",
    **more: Any,
) -> str:
    """Queues a task; returns its stash commit. `more` are options of its command, the others replace parts of it."""
    commit = _stash(project, name, params, pickle.dumps(options(project, name, **more)) if pickled is None else pickled)
    head = project.git("rev-parse", "HEAD")
    full = {
        "dvc_root": str(project.root),
        "scm_root": str(project.root),
        "stash_ref": STASH,
        "stash_rev": commit,
        "baseline_rev": head,
        "branch": None,
        "name": name,
        "head_rev": head,
        **(entry or {}),
    }
    message(project, full, {"copy_paths": [], "message": None, **(kwargs or {})}, stamp=stamp, where=where)
    return commit


def message(
    project: TestProject, entry: Any, kwargs: Any, *, stamp: int | None = None, where: str = "in", **headers: Any
) -> Path:
    """Writes the message of a task."""
    broker = exps(project) / "celery/broker"
    for directory in ("in", "processed", "control", "../result"):
        (broker / directory).mkdir(parents=True, exist_ok=True)
    n = sum(1 for _ in broker.glob("*/*.msg"))
    body = json.dumps([[entry], kwargs, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    task_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{n} {body}"))
    data = {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": _KIND, "id": task_id, "root_id": task_id, **headers},
        "properties": {
            "correlation_id": task_id,
            "delivery_info": {"exchange": "", "routing_key": "celery"},
            "body_encoding": "base64",
        },
    }
    path = broker / where / f"{1000 + n if stamp is None else stamp}_{task_id}.celery.msg"
    path.write_text(json.dumps(data))
    os.utime(path, (1_700_000_000 + n, 1_700_000_000 + n))
    return path


def take(project: TestProject, name: str, *, status: str | None = None, run: Any = None, process: Any = None) -> str:
    """Does what a worker of DVC does to a task; returns its stash commit."""
    for path in (exps(project) / "celery/broker/in").glob("*.celery.msg"):
        data = json.loads(path.read_text())
        entry = json.loads(base64.b64decode(data["body"]))[0][0]
        if entry["name"] == name:
            break
    else:
        raise AssertionError(f"{name} is not queued")
    path.rename(path.parent.parent / "processed" / path.name)
    commit = str(entry["stash_rev"])
    directory = exps(project) / "run" / commit
    directory.mkdir(parents=True, exist_ok=True)
    for kind, what in (("run", run), ("json", process)):
        if what is not None:
            (directory / f"{commit}.{kind}").write_text(json.dumps(what))
    if status is not None:
        result = exps(project) / f"celery/result/celery-task-meta-{data['headers']['id']}"
        result.write_text(json.dumps({"status": status, "result": None}))
    return commit


def queued_of_dvc(project: TestProject) -> list[str]:
    """Names of what a worker of DVC would take next, in its order."""
    found = []
    for path in sorted((exps(project) / "celery/broker/in").glob("*.celery.msg")):
        with suppress(FileNotFoundError):  # a worker has just taken it
            found.append(json.loads(base64.b64decode(json.loads(path.read_text())["body"]))[0][0]["name"])
    return found


def stashed(project: TestProject) -> list[str]:
    """Commits of DVC's stash, newest first."""
    if not project.git("for-each-ref", STASH):
        return []
    return project.git("log", "-g", "--format=%H", STASH).splitlines()


def _stash(project: TestProject, name: str, params: str | None, pickled: bytes) -> str:
    head = project.git("rev-parse", "HEAD")
    index = project.root / ".git/peer-index"
    env = {"GIT_INDEX_FILE": str(index)}
    git(project.root, "read-tree", "HEAD", env=env)
    files = {".dvc/tmp/repro.dat": pickled, **({} if params is None else {"params.yaml": params.encode()})}
    for path, content in files.items():
        scratch = project.root / ".git/peer-blob"
        scratch.write_bytes(content)
        blob = git(project.root, "hash-object", "-w", str(scratch))
        git(project.root, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", env=env)
    tree = git(project.root, "write-tree", env=env)
    for scratch in (index, project.root / ".git/peer-blob"):
        scratch.unlink()
    other = git(project.root, "commit-tree", "-p", head, "-m", "Index stash", f"{head}^{{tree}}")
    subject = f"dvc-exp:{head}:{head}:{name}"
    commit = git(project.root, "commit-tree", "-p", head, "-p", other, "-m", subject, tree)
    git(project.root, "update-ref", "--create-reflog", "-m", f"commit: {subject}", STASH, commit)
    return commit
