"""Times `ob`, and DVC where it is installed, on the same work: CPU seconds of the whole process tree, medians.

Each case is a throw-away project built with plain git and file writes. Every tool gets a copy of its own and each command
runs once before it is timed, unless the case says cold. Linux and macOS; standard library only.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

TRAIN = """\
while IFS=': ' read -r k v; do case $k in lr) lr=$v;; esac; done < params.yaml
echo "{\\"acc\\": $lr}" > metrics.json
echo "model $lr" > model.txt
"""
PIPELINE = """\
stages:
  train:
    cmd: sh train.sh
    deps:
    - train.sh
    params:
    - lr
    outs:
    - model.txt
    metrics:
    - metrics.json:
        cache: false
"""
IDENTITY = {
    "GIT_AUTHOR_NAME": "bench",
    "GIT_AUTHOR_EMAIL": "bench@example.com",
    "GIT_COMMITTER_NAME": "bench",
    "GIT_COMMITTER_EMAIL": "bench@example.com",
}


@dataclass
class Place:
    """One tool's copy of a project."""

    root: Path
    home: Path
    tool: list[str]
    n: int = 0

    @property
    def env(self) -> dict[str, str]:
        path = os.pathsep.join((str(Path(self.tool[0]).parent), os.environ.get("PATH", os.defpath)))
        return {
            "PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1", "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.home / "site"), **IDENTITY,
        }  # fmt: skip

    def sh(self, script: str) -> None:
        subprocess.run(["sh", "-ec", script], cwd=self.root, env=self.env, check=True, capture_output=True)

    def run(self, *args: str) -> None:
        subprocess.run([*self.tool, *args], cwd=self.root, env=self.env, check=True, capture_output=True)

    def timed(self, argv: list[str]) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(argv, cwd=self.root, env=self.env, capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)} exited {done.returncode}: {done.stderr.decode()[-300:]}")
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@dataclass
class Case:
    """What is timed.

    Attributes:
        target_s: The promise, in CPU seconds; None when it is relative to the yardstick.
        alone: Without DVC, which takes minutes for it, or cannot do it.
        yard: Shell script of plain tools for the same job, and how many times as long we may take.
        above_s: How many seconds we may take beyond that.
    """

    name: str
    build: Callable[[Place], None]
    args: Callable[[Place], list[str]]
    target_s: float | None = None
    yard: tuple[str, float] | None = None
    above_s: float = 0
    runs: int = 5
    alone: bool = False
    warm: bool = True
    before: Callable[[Place], None] | None = None
    setup: list[list[str]] = field(default_factory=list)


def small(place: Place) -> None:
    for path, text in (("train.sh", TRAIN), ("dvc.yaml", PIPELINE), ("params.yaml", "lr: 0.1\n")):
        (place.root / path).write_text(text)
    init(place)


def composed(place: Place) -> None:
    """A project whose params.yaml is composed by Hydra, of a group with ten options."""
    (place.root / "conf/model").mkdir(parents=True)
    for number in range(10):
        (place.root / f"conf/model/m{number}.yaml").write_text(f"depth: {number}\n")
    (place.root / "conf/config.yaml").write_text("defaults:\n- model: m0\n- _self_\nlr: 0.1\n")
    small(place)
    with (place.root / ".dvc/config").open("a") as config:
        config.write("[hydra]\n    enabled = true\n")
    place.sh("git commit -qam composed")


def init(place: Place) -> None:
    place.sh("git init -q -b main && git config gc.auto 0")
    (place.root / ".dvc").mkdir()
    (place.root / ".dvc/config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    (place.root / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    place.sh("git add -A && git commit -qm base")


def stages(count: int, *, recorded: bool) -> Callable[[Place], None]:
    def build(place: Place) -> None:
        (place.root / "in").mkdir()
        (place.root / "out").mkdir()
        yaml, lock = ["stages:\n"], ["schema: '2.0'\nstages:\n"]
        for i in range(count):
            body = f"input {i}\n".encode()
            digest = hashlib.md5(body).hexdigest()
            (place.root / f"in/{i}").write_bytes(body)
            yaml.append(f"  s{i}:\n    cmd: cat in/{i} > out/{i}\n    deps:\n    - in/{i}\n    outs:\n    - out/{i}\n")
            if not recorded:
                continue
            (place.root / f"out/{i}").write_bytes(body)
            cached = place.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
            cached.parent.mkdir(parents=True, exist_ok=True)
            cached.write_bytes(body)
            cached.chmod(0o444)
            item = f"      hash: md5\n      md5: {digest}\n      size: {len(body)}\n"
            lock.append(
                f"  s{i}:\n    cmd: cat in/{i} > out/{i}\n    deps:\n    - path: in/{i}\n{item}"
                f"    outs:\n    - path: out/{i}\n{item}"
            )
        (place.root / "dvc.yaml").write_text("".join(yaml))
        (place.root / ".gitignore").write_text("/out\n")
        if recorded:
            (place.root / "dvc.lock").write_text("".join(lock))
        (place.root / ".dvc").mkdir(exist_ok=True)
        shutil.move(place.root / ".dvc", place.root / "kept")
        init(place)
        shutil.copytree(place.root / "kept", place.root / ".dvc", dirs_exist_ok=True)
        shutil.rmtree(place.root / "kept")

    return build


def experiments(count: int) -> Callable[[Place], None]:
    def build(place: Place) -> None:
        small(place)
        base = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=place.root, capture_output=True, text=True, check=True
        ).stdout.strip()
        stream = bytearray()
        for i in range(count):
            lr = f"0.{200000 + i}"
            metrics = f'{{"acc": {lr}}}\n'.encode()
            files = {"params.yaml": f"lr: {lr}\n".encode(), "metrics.json": metrics, "dvc.lock": lock_of(lr, metrics)}
            stream += f"commit refs/exps/{base[:2]}/{base[2:]}/exp-{i}\n".encode()
            stream += (
                f"committer bench <bench@example.com> {1700000100 + i} +0000\ndata 4\nexp\n\nfrom {base}\n".encode()
            )
            for path, content in files.items():
                stream += f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n"
        subprocess.run(
            ["git", "-c", "fastimport.unpackLimit=100000000", "fast-import", "--quiet"],
            cwd=place.root, input=bytes(stream), check=True,
        )  # fmt: skip

    return build


def lock_of(lr: str, metrics: bytes) -> bytes:
    model = f"model {lr}\n".encode()
    item = "    - path: {}\n      hash: md5\n      md5: {}\n      size: {}\n"
    parts = (("train.sh", TRAIN.encode()), ("metrics.json", metrics), ("model.txt", model))
    dep, *outs = (item.format(path, hashlib.md5(content).hexdigest(), len(content)) for path, content in parts)
    params = f"    params:\n      params.yaml:\n        lr: {lr}\n"
    head = "schema: '2.0'\nstages:\n  train:\n    cmd: sh train.sh\n    deps:\n"
    return f"{head}{dep}{params}    outs:\n{''.join(outs)}".encode()


def many_files(count: int) -> Callable[[Place], None]:
    def build(place: Place) -> None:
        init(place)
        for i in range(count):
            directory = place.root / f"data/d{i // 500:03}"
            directory.mkdir(parents=True, exist_ok=True)
            (directory / f"f{i}").write_bytes(os.urandom(1024))

    return build


def one_file(mib: int) -> Callable[[Place], None]:
    def build(place: Place) -> None:
        init(place)
        with (place.root / "data").open("wb") as file:
            for _ in range(mib):
                file.write(os.urandom(1 << 20))

    return build


def with_git_remote(count: int) -> Callable[[Place], None]:
    """Experiments whose outputs are in the cache, none of them pushed; a copy of all that is kept beside."""

    def build(place: Place) -> None:
        store, beside = place.root.parent / "store", place.root.parent
        experiments(count)(place)
        (place.root / ".dvc/config.local").write_text(
            f"[core]\n    remote = store\n['remote \"store\"']\n    url = {store}\n"
        )
        for i in range(count):
            body = f"model 0.{200000 + i}\n".encode()
            digest = hashlib.md5(body).hexdigest()
            cached = place.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
            cached.parent.mkdir(parents=True, exist_ok=True)
            cached.write_bytes(body)
            cached.chmod(0o444)
        place.sh(f"git init -q --bare {beside}/empty.git && git push -q {beside}/empty.git main")
        place.sh(
            f"cp -r {beside}/empty.git {beside}/full.git && git push -q {beside}/full.git 'refs/exps/*:refs/exps/*'"
        )
        place.sh(f"git remote add origin {beside}/remote.git && cp -r .dvc/cache/files {beside}/files")

    return build


def to_push(place: Place) -> None:
    place.sh("cd .. && rm -rf remote.git store && cp -r empty.git remote.git && mkdir store")


def to_pull(place: Place) -> None:
    to_push(place)
    place.sh("cd .. && rm -rf remote.git && cp -r full.git remote.git && cp -r files store/")
    place.sh("git for-each-ref --format='delete %(refname)' refs/exps | git update-ref --stdin")
    place.sh("rm -rf .dvc/cache .dvc/tmp && git reflog expire --expire=now --all && git prune")


def forget(place: Place) -> None:
    shutil.rmtree(place.root / ".dvc/cache", ignore_errors=True)
    shutil.rmtree(place.root / ".dvc/tmp", ignore_errors=True)
    (place.root / "data.dvc").unlink(missing_ok=True)
    shutil.rmtree(place.home, ignore_errors=True)
    place.home.mkdir()


def with_remote(count: int) -> Callable[[Place], None]:
    def build(place: Place) -> None:
        many_files(count)(place)
        store = place.root.parent / "store"
        with (place.root / ".dvc/config").open("a") as file:
            file.write(f"    remote = store\n['remote \"store\"']\n    url = {store}\n")

    return build


def empty_store(place: Place) -> None:
    shutil.rmtree(place.root.parent / "store", ignore_errors=True)


def lose_data(place: Place) -> None:
    shutil.rmtree(place.root / ".dvc/cache", ignore_errors=True)
    shutil.rmtree(place.root / "data", ignore_errors=True)


def wipe_stages(place: Place) -> None:
    shutil.rmtree(place.root / "out")
    (place.root / "out").mkdir()
    (place.root / "dvc.lock").unlink(missing_ok=True)


def empty_queue(place: Place) -> None:
    place.run("exp", "remove", "--queue")


def next_number(place: Place) -> int:
    place.n += 1
    return place.n


def next_lr(place: Place) -> str:
    next_number(place)
    return f"lr=0.{500000 + place.n}"


def next_experiment(place: Place) -> str:
    place.n += 1
    return f"exp-{place.n}"


def all_back(place: Place) -> None:
    """Brings back experiments that were removed."""
    place.sh(
        "test -f ../refs || git for-each-ref --format='update %(refname) %(objectname)' 'refs/exps/??/*/*' > ../refs"
    )
    place.sh("git update-ref --stdin < ../refs")


# DVC has no option for the code, and refuses the others where outputs of the workspace are not in the cache.
_OURS = ("diff --code", "apply", "save")


def keeping(n: int) -> list[Case]:
    """What is done with experiments that are there; each within 0.15 s above what plain Git needs for it."""
    names = "git for-each-ref --format='%(objectname)' 'refs/exps/??/*/*'"
    snapshot = 'cp .git/index .i; t=$(GIT_INDEX_FILE=.i sh -c "git add -u && git write-tree");'
    work: dict[str, tuple[Callable[[Place], list[str]], str]] = {
        "diff": (lambda _: ["exp", "diff", "exp-0", "exp-1"], f"git diff $({names} --count=2) >/dev/null"),
        "diff --code": (
            lambda _: ["exp", "diff", "exp-0", "exp-1", "--code"],
            f"git diff --numstat $({names} --count=2); git diff $({names} --count=2) >/dev/null",
        ),
        "apply": (lambda p: ["exp", "apply", next_experiment(p)], f"git restore --source=$({names} --count=1) ."),
        "branch": (lambda p: ["exp", "branch", next_experiment(p)], "git branch b$$ HEAD"),
        "save": (
            lambda _: ["exp", "save"],
            f"{snapshot} git update-ref refs/exps/y/$$ $(git commit-tree -p HEAD -m m $t)",
        ),
        "rename": (lambda p: ["exp", "rename", next_experiment(p), f"new{p.n}"], "git update-ref refs/exps/y/$$ HEAD"),
        "remove": (
            lambda p: ["exp", "remove", next_experiment(p)],
            "git update-ref refs/exps/y/1 HEAD; git update-ref -d refs/exps/y/1",
        ),
    }
    ten = [f"exp-{i}" for i in range(10)]
    return [
        Case(f"exp {verb}, {n} experiments", experiments(n), args, yard=(yard, 1), above_s=0.15, alone=verb in _OURS)
        for verb, (args, yard) in work.items()
    ] + [
        Case(f"exp remove -A, {n} experiments", experiments(n), lambda _: ["exp", "remove", "-A"], target_s=0.3, warm=False,
             before=all_back),
        Case(f"exp compare, 10 of {n} experiments", experiments(n), lambda _: ["exp", "compare", *ten],
             yard=(f"for c in $({names} --count=10); do git diff HEAD $c; done >/dev/null", 1), above_s=0.3, alone=True),
    ]  # fmt: skip


def cases(quick: bool) -> list[Case]:
    n, files, mib = (100, 1000, 64) if quick else (1000, 10000, 1024)
    data_yard = "find data -type f -print0 | xargs -0 md5sum >/dev/null; rm -rf .y; cp -r data .y"
    push_yard = "rm -rf ../y ../y.git; cp -r ../empty.git ../y.git; git push -q ../y.git 'refs/exps/*:refs/exps/*'"
    pull_yard = (
        "rm -rf ../y; mkdir ../y; git init -q ../y/g; git -C ../y/g fetch -q ../../full.git 'refs/exps/*:refs/exps/*'"
    )
    python = [sys.executable, "-c", "pass"]
    return [
        Case("--version", small, lambda _: ["--version"], yard=(" ".join(python[:2]) + " pass", 3), runs=15),
        Case("status, small project", small, lambda _: ["status"], target_s=0.12),
        Case("exp list, small project", small, lambda _: ["exp", "list"], target_s=0.12),
        Case("exp show --json, small project", small, lambda _: ["exp", "show", "--json"], target_s=0.12),
        Case("exp diff, small project", small, lambda _: ["exp", "diff"], target_s=0.12),
        Case("exp run (stage itself included)", small, lambda p: ["exp", "run", "-S", next_lr(p)], target_s=0.21),
        Case("exp run --temp", small, lambda p: ["exp", "run", "--temp", "-S", next_lr(p)], target_s=0.26),
        Case(f"exp run --queue, a sweep of {n} trials", small, lambda p: ["exp", "run", "--queue", "-S",
             f"lr=range({1 + n * next_number(p)},{1 + n * p.n + n})"], target_s=2, runs=3, warm=False, before=empty_queue),
        Case(f"exp run --queue, a sweep of {n} trials over a group and values of Hydra", composed, lambda p: ["exp", "run",
             "--queue", "-S", "model=glob(*)", "-S", f"lr=range({1 + n * next_number(p)},{1 + n * p.n + n // 10})"],
             target_s=4, runs=3, warm=False, before=empty_queue, alone=True),
        Case("exp run --queue, one", small, lambda p: ["exp", "run", "--queue", "-S", next_lr(p)], target_s=0.15,
             before=empty_queue),
        Case(f"queue status, {n} tasks", small, lambda _: ["queue", "status"], target_s=0.12, alone=n > 100,
             setup=[["exp", "run", "--queue", "-S", f"lr=range(1,{n + 1})"]]),
        Case(f"exp show, {n} tasks, warm", small, lambda _: ["exp", "show"], target_s=0.3, alone=n > 100,
             setup=[["exp", "run", "--queue", "-S", f"lr=range(1,{n + 1})"]]),
        Case(f"repro, {n} stages, nothing to do", stages(n, recorded=True), lambda _: ["repro"], target_s=0.4),
        Case("repro, 100 trivial stages run", stages(100, recorded=False), lambda _: ["repro", "--no-run-cache"],
             target_s=1.5, warm=False, before=wipe_stages, runs=3),
        Case(f"exp show --json, {n} experiments, cold", experiments(n), lambda _: ["exp", "show", "--json"],
             target_s=1.2, warm=False, before=forget, runs=3),
        Case(f"exp show --json, {n} experiments, warm", experiments(n), lambda _: ["exp", "show", "--json"], target_s=0.2),
        Case(f"exp show --json, {10 * n} experiments, warm", experiments(10 * n), lambda _: ["exp", "show", "--json"],
             target_s=2.0, runs=3, alone=True),
        Case(f"exp show, {10 * n} experiments, warm", experiments(10 * n), lambda _: ["exp", "show"], target_s=2.0, runs=3,
             alone=True),
        Case(f"exp list, {n} experiments", experiments(n), lambda _: ["exp", "list"], target_s=0.1),
        *keeping(100),
        Case(f"add, {files} files", many_files(files), lambda _: ["add", "data"], yard=(data_yard, 1.2), warm=False,
             before=forget, runs=5),
        Case(f"add again, {files} files", many_files(files), lambda _: ["add", "data"], target_s=0.2),
        Case(f"status, {files} files", many_files(files), lambda _: ["status"], target_s=0.2, setup=[["add", "data"]]),
        Case(f"status, {10 * files} files", many_files(10 * files), lambda _: ["status"], setup=[["add", "data"]],
             yard=("find data -printf '%p %s %T@ %i' >/dev/null", 3), runs=3),
        Case(f"push, {files} files, to a directory", with_remote(files), lambda _: ["push"], setup=[["add", "data"]],
             yard=("rm -rf ../y; cp -r data ../y", 1.3), warm=False, before=empty_store),
        Case(f"push again, {files} files", with_remote(files), lambda _: ["push"], target_s=0.3, setup=[["add", "data"]]),
        Case(f"pull, {files} files, cache and workspace", with_remote(files), lambda _: ["pull"],
             setup=[["add", "data"], ["push"]], yard=("rm -rf ../y ../z; cp -r data ../y; cp -r ../y ../z", 1.3), warm=False,
             before=lose_data),
        Case("exp push, 100 experiments", with_git_remote(100), lambda _: ["exp", "push", "-A", "origin"], warm=False,
             before=to_push, yard=(f"{push_yard}; cp -r .dvc/cache/files ../y", 1.5)),
        Case("exp push --no-cache, 100 experiments", with_git_remote(100),
             lambda _: ["exp", "push", "-A", "--no-cache", "origin"], warm=False, before=to_push, yard=(push_yard, 1.5)),
        Case("exp pull, 100 experiments", with_git_remote(100), lambda _: ["exp", "pull", "-A", "origin"], warm=False,
             before=to_pull, yard=(f"{pull_yard}; cp -r ../store/files ../y/f", 1.5)),
        Case(f"add, one file of {mib} MiB", one_file(mib), lambda _: ["add", "data"],
             yard=("md5sum data >/dev/null; rm -f .y; cp data .y", 1.2), warm=False, before=forget, runs=3),
    ]  # fmt: skip


def measure(case: Case, tools: dict[str, list[str]], base: Path, runs: int | None) -> dict[str, object]:
    """Returns the medians of one case: CPU seconds by tool, and of the yardstick; runs are interleaved."""
    places, figures = {}, {}
    for name, tool in tools.items():
        if case.alone and name == "dvc":
            continue
        place = Place(base / name / "project", base / name / "home", tool)
        place.root.mkdir(parents=True)
        place.home.mkdir()
        case.build(place)
        for args in case.setup:
            place.run(*args)
        if case.warm:
            place.run(*case.args(place))
        places[name], figures[name] = place, []
    figures["plain"] = []
    for _ in range(runs or case.runs):
        for name, place in places.items():
            if case.before:
                case.before(place)
            figures[name].append(place.timed([*place.tool, *case.args(place)]))
        if case.yard:
            figures["plain"].append(next(iter(places.values())).timed(["sh", "-c", case.yard[0]]))
    medians = {name: round(statistics.median(xs), 3) for name, xs in figures.items() if xs}
    target = case.target_s if case.target_s is not None else (case.yard or ("", 0))[1] * medians["plain"] + case.above_s
    return {"case": case.name, **medians, "target": round(target, 3), "met": medians["ob"] <= target}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--runs", type=int, help="timed runs per case")
    parser.add_argument("--case", action="append", default=[], metavar="TEXT", help="only cases whose name has this")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    options = parser.parse_args()
    ob = str(Path(sys.executable).with_name("ob"))
    dvc = os.environ.get("OFFBRANCH_TEST_DVC") or shutil.which("dvc")
    tools = {"ob": [ob], **({"dvc": [dvc]} if dvc else {})}
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rows = []
    print(f"{'CPU seconds, median':44} {'ob':>8} {'dvc':>8} {'plain':>8} {'target':>8}")
    for case in cases(options.quick):
        if options.case and not any(text in case.name for text in options.case):
            continue
        with tempfile.TemporaryDirectory(prefix="ob-bench-") as base:
            row = measure(case, tools, Path(base), options.runs)
        rows.append(row)
        cells = (f"{row[name]:8.3f}" if name in row else f"{'-':>8}" for name in ("ob", "dvc", "plain", "target"))
        print(f"{case.name:44} {' '.join(cells)} {'' if row['met'] else '  missed'}", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
