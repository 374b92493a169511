"""One project with everything `exp show` reads, rebuilt to the byte from nothing; `views/data/` holds what DVC says of it.

To record anew, with DVC 3.67.1: `TZ=UTC python tests/sample_project.py DIRECTORY DVC_COMMAND` (DIRECTORY must not
exist). Commits, and so all ids, are the same every time: names, dates and contents are fixed.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

DATA = Path(__file__).parent / "views" / "data"
RECORDED = {
    "show.json": ["exp", "show", "--json", "-n", "3"],
    "show.csv": ["exp", "show", "--csv", "-n", "3"],
    "show_all.csv": ["exp", "show", "--csv", "-A"],
    "show_sorted.csv": [
        "exp",
        "show",
        "--csv",
        "--sort-by",
        "params.yaml:lr",
        "--sort-order",
        "desc",
        "--only-changed",
    ],
    "show.md": ["exp", "show", "--md", "-n", "2"],
    "list.txt": ["exp", "list", "-n", "2"],
    "diff.json": ["exp", "diff", "--json", "first", "second"],
    "diff.txt": ["exp", "diff", "first", "second"],
    "diff_all.json": ["exp", "diff", "--json", "--all", "first", "HEAD"],
    "metrics_show.json": ["metrics", "show", "-T", "--json"],
    "metrics_show.txt": ["metrics", "show", "-T"],
    "metrics_show.md": ["metrics", "show", "-R", "eval", "more", "--md"],
    "metrics_diff.json": ["metrics", "diff", "--json", "v1", "second"],
    "metrics_diff.txt": ["metrics", "diff", "--precision", "3", "--targets", "metrics.json", "--", "first", "second"],
    "metrics_diff_all.json": ["metrics", "diff", "--json", "--all", "v1"],
    "params_diff.json": ["params", "diff", "--json", "v1", "second"],
    "params_diff.md": ["params", "diff", "--md", "--targets", "params.yaml", "--all", "--", "first", "second"],
    "params_diff_deps.json": ["params", "diff", "--json", "--deps", "--all", "first", "second"],
}
DVC_YAML = """\
params:
- extra.json
metrics:
- top.json
- more
stages:
  train:
    cmd: sh train.sh
    deps:
    - data.txt
    - train.sh
    params:
    - lr
    - net
    - other.yaml:
      - a
      - c.d
    outs:
    - model.bin
    - parts
    metrics:
    - metrics.json:
        cache: false
    plots:
    - loss.csv:
        cache: false
  each:
    foreach:
    - p
    - q
    do:
      cmd: cp model.bin ${item}.bin
      deps:
      - model.bin
      outs:
      - ${item}.bin
  inner:
    wdir: sub/w
    cmd: sh run.sh
    deps:
    - ../../train.sh
    params:
    - ../../params.yaml:
      - lr
    outs:
    - w.txt
    metrics:
    - w.json
  never:
    cmd: sh never.sh
    deps:
    - absent
    outs:
    - nothing
"""
EVAL_YAML = """\
stages:
  evaluate:
    cmd: sh evaluate.sh
    deps:
    - ../p.bin
    params:
    - alpha
    metrics:
    - scores.yaml:
        cache: false
"""


def build(root: Path) -> None:
    """Makes the project, its history and its experiments."""
    root.mkdir(parents=True)
    _git(root, "init", "-q", "-b", "main")
    _write(root, ".dvc/config", "")
    _write(root, ".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
    _write(root, ".dvcignore", "# nothing\nignored\n")
    _write(root, ".gitignore", "/data.txt\n/model.bin\n/parts\n/p.bin\n/q.bin\n/sub/w/w.txt\n/sub/w/w.json\n")
    _write(root, "ignored/dvc.yaml", "this: [is, no pipeline\n")
    _write(root, "train.sh", "true\n")
    _write(root, "extra.json", '{"top": 5}')
    _write(root, "other.yaml", "a: 1\nb: 2\nc: {d: 3, e: 4}\n")
    _write(root, "eval/params.yaml", "alpha: 1\nbeta: 2\n")
    _write(root, "top.json", '{"score": 9, "lr": 1}\n')
    _write(root, "more/one.json", '{"k": 1}\n')
    _write(root, "more/two.toml", "w = 2.5\n")
    _write(root, "dvc.yaml", DVC_YAML)
    _write(root, "eval/dvc.yaml", EVAL_YAML)
    _write(root, "data.txt.dvc", f"outs:\n- md5: {_md5('data')}\n  size: 4\n  hash: md5\n  path: data.txt\n")
    _values(root, "0.1", "0.5")
    _commit(root, "first", 1700000000)
    _git(root, "tag", "v1")
    first = _git(root, "rev-parse", "HEAD")
    _experiment(root, first, "early", 1700000100, ("0.05", "0.4"))
    _write(root, "more/one.json", '{"k": 2, "skipped": [1], "none": null, "flag": true, "text": "a, b"}\n')
    _commit(root, "second", 1700001000)
    second = _git(root, "rev-parse", "HEAD")
    _experiment(root, second, "first", 1700001100, ("0.2", "0.6"))
    _experiment(root, second, "second", 1700001300, ("0.3", "0.71234567"))
    _experiment(root, second, "steps", 1700001200, ("0.4", "0.8"), ("0.4", "0.85"))
    _git(root, "checkout", "-q", "-f", second)
    _write(root, "other.yaml", "a: [\n")
    _experiment(root, second, "broken", 1700001050, ("0.5", "0.1"))
    _git(root, "checkout", "-q", "-f", "main")
    _git(root, "clean", "-q", "-f", "-d")


def _values(root: Path, lr: str, acc: str) -> None:
    """Writes what a run with a learning rate leaves behind."""
    _write(root, "params.yaml", f"lr: {lr}\nnet:\n  depth: 3\n  sizes: [8, 16]\nname: null\nflag: true\n")
    _write(root, "metrics.json", f'{{"acc": {acc}, "deep": {{"x": 1, "empty": {{}}}}, "curve": [1, 2]}}\n')
    _write(root, "loss.csv", "step,loss\n0,1\n")
    _write(root, "eval/scores.yaml", f"v:\n  z: {acc}\n")
    inner = f'{{"wm": {lr}}}'
    _cache(root, inner)
    parts = f'[{{"md5": "{_md5("a" + lr)}", "relpath": "a"}}, {{"md5": "{_md5("b")}", "relpath": "b"}}]'
    params = f"    params:\n      params.yaml:\n        lr: {lr}\n"
    _write(
        root,
        "dvc.lock",
        "schema: '2.0'\nstages:\n  train:\n    cmd: sh train.sh\n    deps:\n"
        + _item("data.txt", "data")
        + _item("train.sh", "true\n")
        + params
        + "        net:\n          depth: 3\n          sizes:\n          - 8\n          - 16\n"
        + "      other.yaml:\n        a: 1\n        c.d: 3\n    outs:\n"
        + _item("loss.csv", "step,loss\n0,1\n")
        + _item("metrics.json", "unused")
        + _item("model.bin", f"model {lr}")
        + f"    - path: parts\n      hash: md5\n      md5: {_md5(parts)}.dir\n      size: 5\n      nfiles: 2\n"
        + "".join(
            f"  each@{name}:\n    cmd: cp model.bin {name}.bin\n    deps:\n"
            + _item("model.bin", f"model {lr}")
            + "    outs:\n"
            + _item(f"{name}.bin", f"model {lr}")
            for name in "pq"
        )
        + "  inner:\n    cmd: sh run.sh\n    deps:\n"
        + _item("../../train.sh", "true\n")
        + params.replace("params.yaml", "../../params.yaml")
        + "    outs:\n"
        + _item("w.json", inner)
        + _item("w.txt", "w"),
    )
    evaluate = "schema: '2.0'\nstages:\n  evaluate:\n    cmd: sh evaluate.sh\n    deps:\n"
    evaluate += _item("../p.bin", f"model {lr}") + "    params:\n      params.yaml:\n        alpha: 1\n    outs:\n"
    _write(root, "eval/dvc.lock", evaluate + _item("scores.yaml", "unused"))


def _experiment(root: Path, baseline: str, name: str, time_s: int, *steps: tuple[str, str]) -> None:
    """Commits one or several steps on top of a baseline, below the ref of an experiment."""
    keep = (root / "other.yaml").read_text()
    _git(root, "checkout", "-q", "-f", "--detach", baseline)
    _write(root, "other.yaml", keep)
    for n, (lr, acc) in enumerate(steps):
        _values(root, lr, acc)
        _commit(root, f"dvc: commit experiment {name}", time_s + n)
    _git(root, "update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}", "HEAD")
    _git(root, "checkout", "-q", "-f", "main")


def _item(path: str, content: str) -> str:
    return f"    - path: {path}\n      hash: md5\n      md5: {_md5(content)}\n      size: {len(content)}\n"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _cache(root: Path, content: str) -> None:
    md5 = _md5(content)
    where = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    if not where.exists():
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(content)
        where.chmod(0o444)


def _write(root: Path, path: str, text: str) -> None:
    where = root / path
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(text)


def _commit(root: Path, message: str, time_s: int) -> None:
    _git(root, "add", "-A")
    date = f"{time_s} +0000"
    _git(root, "commit", "-q", "-m", message, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)


def _git(root: Path, *args: str, **env: str) -> str:
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _WHO.items()}
    command = ["git", "-c", "core.autocrlf=false", "-c", "commit.gpgsign=false", *args]
    done = subprocess.run(command, cwd=root, env={**os.environ, **_ENV, **who, **env}, capture_output=True, check=True)
    return done.stdout.decode().strip()


# The settings of whoever builds it must not show.
_ENV = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
_WHO = {"NAME": "Ann Dev", "EMAIL": "ann@example.com"}


def record(root: Path, dvc: str) -> None:
    """Builds the project and writes what DVC prints of it."""
    build(root)
    DATA.mkdir(exist_ok=True)
    for name, args in RECORDED.items():
        done = subprocess.run([dvc, *args], cwd=root, env={**os.environ, "DVC_NO_ANALYTICS": "1"}, capture_output=True)
        print(name, done.returncode, done.stderr.decode())
        (DATA / name).write_bytes(done.stdout)


if __name__ == "__main__":
    record(Path(sys.argv[1]), sys.argv[2])
