"""Checkpoints that commands ask for: what is in each, and how the chain of them becomes an experiment."""

import hashlib
import json
from pathlib import Path

import pytest

from asking import ASK, PIPELINE, THREE, chain, mark, output_at, training
from git_repos import run as git
from offbranch.api.exp import RunRequest, run
from offbranch.base.errors import Interrupted
from offbranch.experiments.checkpointer import Checkpointer
from projects import TestProject, make_project

EVERY = "--keep-checkpoints=all"


@pytest.mark.parametrize("where", [(), ("--temp",)])
def test_each_is_a_commit_on_the_chain_of_the_experiment(tmp_path: Path, where: tuple[str, ...]) -> None:
    project = training(tmp_path / "p")
    head = project.git("rev-parse", "HEAD")
    done = project.ob("exp", "run", "-n", "x", "-S", "lr=2", EVERY, *where)
    assert done.code == 0, done.err
    commits = chain(project, "x")
    marks = [mark(project, commit) for commit in commits]
    assert marks == [
        *({"version": 1, "number": n, "step": n - 1, "stage": "train", "keep": "all", "run": {}} for n in (1, 2, 3)),
        None,
    ]
    assert project.git("rev-parse", f"{commits[0]}^") == head
    for step, commit in enumerate(commits[:3]):
        assert output_at(project, commit) == f"model {step}".encode()
        assert json.loads(project.file_at(commit, "metrics.json")) == {"acc": step / 10}
        assert project.file_at(commit, "params.yaml") == "lr: 2"
        assert f"cmd: 'python3 train.py # checkpoint {step + 1}'" in project.file_at(commit, "dvc.lock")
        assert project.file_at(commit, ".gitignore") == "/model.bin"
    assert "cmd: python3 train.py\n" in project.file_at(commits[3], "dvc.lock")
    assert project.git("for-each-ref", "refs/ob") == ""
    assert [f"Checkpoint experiment iteration '{commit[:7]}'." in done.out for commit in commits] == [True] * 3 + [
        False
    ]
    assert "made 3 checkpoints of 'x'" in done.out
    assert list(project.root.rglob(".dvc/tmp/ob/handoff/*")) == []


def test_a_stop_while_the_first_is_prepared_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without checkpoints a run goes on if they fail; not if it is told to stop at that moment."""

    def told(self: object) -> None:
        raise Interrupted("stopped by SIGTERM")

    monkeypatch.setattr(Checkpointer, "_open", told)
    project = training(tmp_path / "p")
    with pytest.raises(Interrupted):
        run(RunRequest(name="x"), project.session())
    assert project.exps() == {}
    (attempt,) = project.git("for-each-ref", "--format=%(refname)", "refs/ob/attempts").split()
    assert '"state": "cancelled"' in project.git("log", "-1", "--format=%B", attempt)


# Each of these writes 3 MB, so that it is held by a lease and not read at once.
MANNERS = {
    "in place": "open('model.bin', 'r+b' if step else 'wb').write(content)",
    "anew": "open('model.bin', 'wb').write(content)",
    "renamed": "open('model.new', 'wb').write(content); os.rename('model.new', 'model.bin')",
    "held open": "f = globals().setdefault('f', open('model.bin', 'wb')); f.seek(0); f.write(content); f.flush()",
    "mapped": """
import mmap
if not step: open('model.bin', 'wb').write(content)
kept = globals().setdefault('kept', open('model.bin', 'r+b'))
mapped = globals().setdefault('mapped', mmap.mmap(kept.fileno(), 0))
mapped[:] = content""",
}
FAST = """
for step in range(13):
    content = bytes([step]) * 3_000_000
{write}
    if step < 12:
        metrics(acc=step)
        assert ask(step, "every")["is_taken"]
"""


@pytest.mark.parametrize("manner", list(MANNERS))
@pytest.mark.parametrize("leases", [True, False])
def test_a_loop_that_goes_on_at_once_does_not_get_into_its_checkpoints(
    tmp_path: Path, manner: str, leases: bool
) -> None:
    write = "".join(f"    {line}\n" for line in MANNERS[manner].splitlines())
    project = training(tmp_path / "p", FAST.format(write=write))
    if not leases:
        site = project.root.parent / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(
            "import fcntl\nreal = fcntl.fcntl\n"
            "def refuse(fd, cmd, *args):\n"
            "    if cmd == fcntl.F_SETLEASE: raise OSError(11, 'no leases here')\n"
            "    return real(fd, cmd, *args)\n"
            "fcntl.fcntl = refuse\n"
        )
        project.env["PYTHONPATH"] = f"{site}:{Path(__file__).parents[2] / 'src'}"
    done = project.ob("exp", "run", "-n", "x", EVERY)
    assert done.code == 0, done.err
    assert "could not be made" not in done.err
    commits = chain(project, "x")
    assert len(commits) == 13
    for step, commit in enumerate(commits[:12]):
        assert output_at(project, commit) == bytes([step]) * 3_000_000
        assert json.loads(project.file_at(commit, "metrics.json")) == {"acc": step}


@pytest.mark.parametrize("size", [1_000, 1_500_000])
def test_memory_that_is_written_to_changes_without_a_time_stamp(tmp_path: Path, size: int) -> None:
    script = f"""
import mmap
os.mkdir("d")
maps = []
for name in ("model.bin", "d/f"):
    with open(name, "w+b") as file:
        file.truncate({size})
        maps.append(mmap.mmap(file.fileno(), {size}))
for step in range(4):
    for each in maps: each[:] = bytes([step]) * {size}
    metrics(acc=step)
    assert ask(step)["is_taken"]
for each in maps: each[:] = b"e" * {size}
"""
    pipeline = PIPELINE.replace("[model.bin]", "[model.bin, d]")
    project = training(tmp_path / "p", script, {"dvc.yaml": pipeline})
    assert project.ob("exp", "run", "-n", "x", EVERY).code == 0
    for content, commit in zip([b"\0", b"\1", b"\2", b"\3", b"e"], chain(project, "x"), strict=True):
        assert output_at(project, commit) == content * size
        (entry,) = json.loads(output_at(project, commit, "d") or b"")
        assert entry["md5"] == hashlib.md5(content * size).hexdigest()


def test_a_directory_file_by_file(tmp_path: Path) -> None:
    script = """
os.makedirs("model.bin/deep")
for step in range(3):
    open(f"model.bin/{step}", "w").write(f"{step}")
    open("model.bin/deep/large", "wb").write(bytes([step]) * 2_000_000)
    metrics(acc=step)
    assert ask(step)["is_taken"]
    open("model.bin/deep/large", "r+b").write(b"later")
    open(f"model.bin/{step}", "w").write("later")
"""
    project = training(tmp_path / "p", script)
    assert project.ob("exp", "run", "-n", "x", EVERY).code == 0
    for n, commit in enumerate(chain(project, "x")[:3]):
        listing = json.loads(output_at(project, commit) or b"")
        assert [each["relpath"] for each in listing] == [*map(str, range(n + 1)), "deep/large"]
        for each in listing:
            content = (project.root / ".dvc/cache/files/md5" / each["md5"][:2] / each["md5"][2:]).read_bytes()
            if each["relpath"] == "deep/large":
                assert content == bytes([n]) * 2_000_000
            else:
                assert content == (b"later" if each["relpath"] != str(n) else str(n).encode())


def test_the_signal_file_of_dvc_2(tmp_path: Path) -> None:
    script = """\
for step in 1 2; do
  echo $step > model.txt
  touch $DVC_ROOT/.dvc/tmp/DVC_CHECKPOINT
  while [ -e $DVC_ROOT/.dvc/tmp/DVC_CHECKPOINT ]; do sleep 0.01; done
done
"""
    pipeline = "stages: {train: {cmd: sh train.sh, outs: [model.txt: {checkpoint: true}]}}\n"
    for where in ((), ("--temp",)):
        project = make_project(tmp_path / f"p{len(where)}", {"train.sh": script, "dvc.yaml": pipeline})
        done = project.ob("exp", "run", "-n", "x", EVERY, *where)
        assert done.code == 0, done.err
        assert [output_at(project, each, "model.txt") for each in chain(project, "x")] == [b"1\n", b"2\n", b"2\n"]


def test_the_signal_file_of_two_runs_is_of_nobody(tmp_path: Path) -> None:
    script = """
import pathlib, shutil
root = pathlib.Path(os.environ["DVC_ROOT"])
(record,) = root.glob(".dvc/tmp/ob/runs/*/attempt.json")
other = root / ".dvc/tmp/ob/runs/20260101-000000-aaaaaa"
other.mkdir()
(other / "attempt.json").write_text(json.dumps({**json.loads(record.read_text()), "id": other.name}))
for step in range(2):
    open("model.bin", "w").write(f"model {step}")
    metrics(acc=step)
    signal = root / ".dvc/tmp/DVC_CHECKPOINT"
    signal.touch()
    while signal.exists(): time.sleep(0.01)
    shutil.rmtree(other, ignore_errors=True)
"""
    project = training(tmp_path / "p", script)
    done = project.ob("exp", "run", "-n", "x", EVERY)
    assert done.code == 0, done.err
    assert done.err.count("nobody knows whose it is") == 1, done.err
    assert [output_at(project, each) for each in chain(project, "x")] == [b"model 1", b"model 1"]


def test_modes_and_variables(tmp_path: Path) -> None:
    script = """
names = ("OFFBRANCH_CHECKPOINT", "DVC_CHECKPOINT", "DVCLIVE_RESUME")
open("model.bin", "w").write(json.dumps([{n: os.environ.get(n) for n in names}, state()["mode"], ask(0)["is_taken"]]))
metrics(acc=1)
"""
    project = training(tmp_path / "p", script)

    def said(*options: str, config: str = "") -> list[object]:
        project.write(".dvc/config", config)
        done = project.ob("exp", "run", "-f", "-n", "x", *options)
        assert done.code == 0, done.err
        found: list[object] = json.loads(project.read("model.bin"))
        return found

    def variables(mode: str, every: str | None = None) -> dict[str, str | None]:
        return {"OFFBRANCH_CHECKPOINT": mode, "DVC_CHECKPOINT": every, "DVCLIVE_RESUME": None}

    assert said() == [variables("auto"), "auto", True]
    assert said("--checkpoint") == [variables("every", "1"), "every", True]
    assert said("--no-checkpoint") == [variables("off"), "off", False]
    assert said(config="[exp]\n    checkpoint = off\n") == [variables("off"), "off", False]
    assert said("--checkpoint", config="[exp]\n    checkpoint = off\n") == [variables("every", "1"), "every", True]
    project.write("dvc.yaml", PIPELINE.replace("[model.bin]", "[model.bin: {checkpoint: true}]"))
    assert said() == [variables("every", "1"), "auto", True]
    assert said("--no-checkpoint") == [variables("off"), "off", False]


def test_by_itself_it_asks_for_no_more_than_its_share(tmp_path: Path) -> None:
    script = """
open("model.bin", "w").write("0")
metrics(acc=0)
assert state()["next_at"] == 0
assert ask(0, "auto")["is_taken"]
assert not ask(1, "auto")["is_taken"]
while (now := state())["next_at"] > 1e17: time.sleep(0.01)
said = ask(2, "auto")
assert now["made"] == 1 and now["cost_s"] > 0, now
assert not said["is_taken"] and said["reason"] == "too early", said
assert ask(3, "explicit")["is_taken"]
"""
    project = training(tmp_path / "p", script)
    done = project.ob("exp", "run", "-n", "x")
    assert done.code == 0, done.err
    assert [(mark(project, each) or {}).get("step") for each in chain(project, "x")] == [0, 3, None]
    assert done.out.count("Checkpoint experiment iteration") == 1


def test_what_live_writes_comes_into_each_and_into_the_experiment(tmp_path: Path) -> None:
    script = """
os.makedirs("dvclive/plots")
for step in range(2):
    open("dvclive/metrics.json", "w").write(json.dumps({"step": step}))
    open("dvclive/plots/acc.tsv", "a").write(f"{step}\\n")
    open("dvclive/ignored", "w").write("no")
    open("model.bin", "w").write(f"{step}")
    metrics(acc=step)
    live("dvclive", "../outside", "/etc/passwd", ".git/config", "dvc.yaml")
    assert ask(step)["is_taken"]
"""
    project = training(tmp_path / "p", script, {".gitignore": "ignored\n"})
    done = project.ob("exp", "run", "-n", "x", "--temp")
    assert done.code == 0, done.err
    for step, commit in enumerate(chain(project, "x")):
        files = set(project.git("ls-tree", "-r", "--name-only", commit).split())
        assert {f for f in files if f.startswith("dvclive")} == {"dvclive/metrics.json", "dvclive/plots/acc.tsv"}
        assert json.loads(project.file_at(commit, "dvclive/metrics.json")) == {"step": min(step, 1)}
        assert not any("passwd" in each or each.startswith(".git/") for each in files)


def test_a_run_that_fails_leaves_its_experiment_at_the_last_one(tmp_path: Path) -> None:
    project = training(tmp_path / "p", THREE + "sys.exit(3)\n")
    before = project.git("status", "--porcelain")
    done = project.ob("exp", "run", "-n", "x")
    assert done.code == 1
    commits = chain(project, "x")
    assert [(mark(project, each) or {}).get("number") for each in commits] == [1, 2, 3]
    assert project.git("status", "--porcelain") == before
    (attempt,) = project.git("for-each-ref", "--format=%(objectname)", "refs/ob/attempts").split()
    assert project.git("rev-parse", f"{attempt}^2") == commits[-1]
    record = json.loads(project.git("log", "-1", "--format=%B", attempt).partition("\n\n")[2])
    assert (record["state"], record["checkpoints"], record["checkpoint"]) == ("failed", 3, commits[-1])


def test_force_replaces_with_the_first_and_gives_back_after_a_failure(tmp_path: Path) -> None:
    project = training(tmp_path / "p")
    assert project.ob("exp", "run", "-n", "x").code == 0
    old = project.exps()["x"]
    project.write("train.py", ASK + THREE + "sys.exit(1)\n")
    refused = project.ob("exp", "run", "-n", "x")
    assert refused.code == 1 and "x" in refused.err
    assert project.ob("exp", "run", "-f", "-n", "x").code == 1
    assert project.exps()["x"] == old
    (attempt,) = project.git("for-each-ref", "--format=%(objectname)", "refs/ob/attempts").split()
    assert (mark(project, f"{attempt}^2") or {}).get("number") == 3
    project.write("train.py", ASK + THREE)
    # Within one second the same content would be the same commits.
    assert project.ob("exp", "run", "-f", "-n", "x", "-S", "lr=2").code == 0
    assert len(chain(project, "x")) == 4 and project.exps()["x"] != old


CHANGED_BY_OTHERS = """
import subprocess
for step in range(3):
    open("model.bin", "w").write(f"model {step}")
    metrics(acc=step)
    assert ask(step)["is_taken"]
    while state()["made"] <= step: time.sleep(0.005)
    if step == 0:
        ref, = subprocess.run(
            ["git", "for-each-ref", "--format=%(refname)", "refs/exps/*/*/x"], capture_output=True, text=True, check=True
        ).stdout.split()
        subprocess.run(CHANGE(ref), check=True)
"""


def test_an_experiment_that_is_removed_while_it_runs_is_published_at_the_end(tmp_path: Path) -> None:
    change = 'CHANGE = lambda ref: ["git", "update-ref", "-d", ref]\n'
    project = training(tmp_path / "p", change + CHANGED_BY_OTHERS)
    done = project.ob("exp", "run", "-n", "x", EVERY)
    assert done.code == 0, done.err
    assert "has been removed or renamed while it runs" in done.err
    assert [output_at(project, each) for each in chain(project, "x")] == [
        b"model 0",
        b"model 1",
        b"model 2",
        b"model 2",
    ]


def test_one_that_somebody_else_has_moved_is_left_alone_and_nothing_is_lost(tmp_path: Path) -> None:
    change = 'CHANGE = lambda ref: ["git", "update-ref", ref, "HEAD"]\n'
    project = training(tmp_path / "p", change + CHANGED_BY_OTHERS)
    done = project.ob("exp", "run", "-n", "x", EVERY)
    assert done.code == 1
    assert "has been changed by somebody else while it runs" in done.err
    assert "came into being while this one ran" in done.err
    assert project.exps()["x"] == project.git("rev-parse", "HEAD")
    (attempt,) = project.git("for-each-ref", "--format=%(objectname)", "refs/ob/attempts").split()
    assert [(mark(project, f"{attempt}^2{up}") or {}).get("number") for up in ("", "^", "^^")] == [3, 2, 1]


def test_a_queued_task(tmp_path: Path) -> None:
    project = training(tmp_path / "p")
    assert (
        project.ob(
            "exp", "run", "--queue", "-n", "x", "-S", "lr=3", "--keep-checkpoints", "last=9", "--checkpoint"
        ).code
        == 0
    )
    done = project.ob("exp", "run", "--run-all")
    assert done.code == 0, done.err
    commits = chain(project, "x")
    assert [(mark(project, each) or {}).get("keep") for each in commits] == ["last=9"] * 3 + [None]
    assert all("ob-task " in project.git("cat-file", "commit", each) for each in commits)
    assert project.git("for-each-ref", "refs/ob") == ""


def test_a_queued_task_that_fails_and_runs_again_goes_on_with_its_chain(tmp_path: Path) -> None:
    script = (
        """
first = not os.path.exists(os.path.join(os.environ["DVC_ROOT"], "tried"))
open(os.path.join(os.environ["DVC_ROOT"], "tried"), "w").close()
"""
        + THREE
        + "if first: sys.exit(1)\n"
    )
    project = training(tmp_path / "p", script)
    assert project.ob("exp", "run", "--queue", "-n", "x", "--retries", "1").code == 0
    done = project.ob("exp", "run", "--run-all")
    assert done.code == 0, done.err
    assert [(mark(project, each) or {}).get("number") for each in chain(project, "x")] == [1, 2, 3, 4, 5, 6, None]
    status = project.ob("queue", "status", "--json").json
    assert json.dumps(status).count("succeeded") + json.dumps(status).count("Success") >= 1


def test_stages_side_by_side_and_those_that_ended_before(tmp_path: Path) -> None:
    script = """
import pathlib
name = sys.argv[1]
for step in range(2):
    open(f"{name}.bin", "w").write(f"{name} {step}")
    open(f"{name}.json", "w").write(json.dumps({"acc": step}))
    assert ask(step)["is_taken"]
    pathlib.Path(f"{os.environ['DVC_ROOT']}/.dvc/tmp/{name}{step}").touch()
    other = {"a": "b", "b": "a"}[name]
    while not os.path.exists(f"{os.environ['DVC_ROOT']}/.dvc/tmp/{other}{step}"): time.sleep(0.01)
"""
    pipeline = """\
stages:
  before: {cmd: echo 1 > first.txt, outs: [first.txt: {cache: false}]}
  side:
    foreach: [a, b]
    do:
      cmd: python3 train.py ${item}
      deps: [first.txt]
      outs: ["${item}.bin"]
      metrics: ["${item}.json": {cache: false}]
"""
    project = make_project(tmp_path / "p", {"train.py": ASK + script, "dvc.yaml": pipeline})
    done = project.ob("exp", "run", "-n", "x", "--stage-jobs", "2", EVERY)
    assert done.code == 0, done.err
    # Who ends first may be in a commit of its own, while the other one still runs.
    marked = [(commit, mark(project, commit) or {}) for commit in chain(project, "x")]
    commits, marks = zip(*((commit, each) for commit, each in marked if each.get("step") is not None), strict=True)
    assert sorted(str(each["stage"]) for each in marks) == ["side@a"] * 2 + ["side@b"] * 2
    seen: dict[str, int] = {}
    for commit, each in zip(commits, marks, strict=True):
        stage = str(each["stage"])
        seen[stage] = int(str(each["step"]))
        assert project.file_at(commit, "first.txt") == "1"
        for address, step in seen.items():
            name = address[-1]
            assert output_at(project, commit, f"{name}.bin") == f"{name} {step}".encode()
            assert json.loads(project.file_at(commit, f"{name}.json")) == {"acc": step}


MEANWHILE = """\
stages:
  first:
    cmd: python3 first.py
    outs: [model.bin, many]
  second:
    cmd: python3 second.py
    outs: [other.bin]
"""
FIRST = """
import pathlib
open("model.bin", "w").write("model 0")
assert ask(0)["is_taken"]
open("asked", "w").close()
pathlib.Path("many").mkdir()
for n in range(1500):
    pathlib.Path(f"many/{n}").write_text(f"{n} of many")
"""
SECOND = """
while not os.path.exists("asked"):
    time.sleep(0.001)
n_after = 0
for n in range(100_000):
    open("other.bin", "w").write(f"other {n}")
    assert ask(n)["is_taken"]
    n_after += os.path.exists("dvc.lock")
    if n > 3 and n_after >= 2:
        break
"""


def test_a_stage_that_has_ended_and_is_not_recorded_yet_stays_in_the_checkpoints(tmp_path: Path) -> None:
    files = {"first.py": ASK + FIRST, "second.py": ASK + SECOND, "dvc.yaml": MEANWHILE}
    project = make_project(tmp_path / "p", files)
    done = project.ob("exp", "run", "-n", "x", "--stage-jobs", "2", EVERY)
    assert done.code == 0, done.err
    commits = chain(project, "x")
    assert len(commits) > 6
    for commit in commits:
        assert output_at(project, commit) == b"model 0"
    assert "cmd: python3 first.py\n" in project.file_at(commits[-2], "dvc.lock")


@pytest.mark.parametrize("hash_name", ["sha1", "sha256"])
def test_a_project_below_the_top_of_its_repository(tmp_path: Path, hash_name: str) -> None:
    top = tmp_path / "top"
    top.mkdir()
    git(top, "init", "-q", "-b", "main", f"--object-format={hash_name}")
    (top / "sub").mkdir()
    inner = TestProject(top / "sub")
    assert inner.ob("init", "--subdir").code == 0
    for path, text in {"train.py": ASK + THREE, "params.yaml": "lr: 1\n", "dvc.yaml": PIPELINE}.items():
        inner.write(path, text)
    inner.commit("base")
    for name, where in (("x", ()), ("y", ("--temp",))):
        done = inner.ob("exp", "run", "-n", name, EVERY, *where, "-S", f"lr={len(where)}")
        assert done.code == 0, done.err
        for step, commit in enumerate(chain(inner, name)[:3]):
            assert json.loads(git(top, "show", f"{commit}:sub/metrics.json")) == {"acc": step / 10}
            assert f"lr: {len(where)}" in git(top, "show", f"{commit}:sub/params.yaml")
            assert f"# checkpoint {step + 1}" in git(top, "show", f"{commit}:sub/dvc.lock")
            assert git(top, "show", f"{commit}:sub/.gitignore") == "/model.bin"


def test_bad_requests_are_dropped(tmp_path: Path) -> None:
    script = """
open("model.bin", "w").write("m")
metrics(acc=1)
bad = ["{", "[]", '{"version": 1}', '{"version": 9, "id": "request"}', '{"version": 1, "id": "../x", "step": "a"}']
for n, text in enumerate(bad):
    open(f"{HANDOFF}/request-{n}.json", "w").write(text)
assert ask(1, stage="nowhere")["is_taken"]
while [each for each in os.listdir(HANDOFF) if each.startswith("request-")]:
    time.sleep(0.01)  # its own goes after the reply
"""
    project = training(tmp_path / "p", script)
    done = project.ob("exp", "run", "-n", "x")
    assert done.code == 0, done.err
    assert len(chain(project, "x")) == 2


def test_what_lies_in_the_directory_stops_nobody(tmp_path: Path) -> None:
    script = """
def put(name, text):
    with open(os.path.join(HANDOFF, name), "w") as file: file.write(text)
put("request-deep.json", "[" * 200_000)
put("request-far.json", '{"version": 1, "id": "far", "step": Infinity}')
os.mkdir(os.path.join(HANDOFF, "request-directory.json"))
os.mkfifo(os.path.join(HANDOFF, "request-fifo.json"))
os.symlink("/dev/zero", os.path.join(HANDOFF, "request-link.json"))
os.mkfifo(os.path.join(HANDOFF, "live.json"))
os.mkdir(os.path.join(os.environ["DVC_ROOT"], ".dvc/tmp/DVC_CHECKPOINT"))
open("model.bin", "w").write("model")
metrics(acc=1)
assert ask(1)["is_taken"]
"""
    project = training(tmp_path / "p", script)
    done = project.ob("exp", "run", "-n", "x")
    assert done.code == 0, done.err
    assert "no more checkpoints" not in done.err
    assert [(mark(project, each) or {}).get("step") for each in chain(project, "x")] == [1, None]


def test_a_run_ends_though_nothing_can_be_said_any_more(tmp_path: Path) -> None:
    script = """
for name in ("state.json", "reply-0.json"):  # a full disk does the same
    path = os.path.join(HANDOFF, name)
    if os.path.exists(path): os.unlink(path)
    os.mkdir(path)
    open(path + "/x", "w").close()
open("model.bin", "w").write("model")
metrics(acc=1)
with open(os.path.join(HANDOFF, "request-0.json.new"), "w") as file:
    json.dump({"version": 1, "id": "0", "step": 1}, file)
os.rename(file.name, file.name[:-4])
while os.path.exists(file.name[:-4]): time.sleep(0.001)
assert ask(2)["is_taken"]
"""
    project = training(tmp_path / "p", script)
    done = project.ob("exp", "run", "-n", "x")
    assert done.code == 0, done.err
    assert [(mark(project, each) or {}).get("step") for each in chain(project, "x")] == [1, 2, None]


def test_applying_one_removes_outputs_that_came_later(tmp_path: Path) -> None:
    script = """
for step in range(2):
    open("model.bin", "w").write(f"model {step}")
    metrics(acc=step)
    if step:
        open("extra.bin", "w").write("later")
        os.mkdir("d")
        open("d/f", "w").write("later")
    assert ask(step)["is_taken"]
"""
    project = training(
        tmp_path / "p", script, {"dvc.yaml": PIPELINE.replace("[model.bin]", "[model.bin, extra.bin, d]")}
    )
    assert project.ob("exp", "run", "-n", "x").code == 0
    foreseen = project.ob("exp", "apply", "--dry-run", "--json", "x@1").json
    assert project.exists("extra.bin")
    assert project.ob("exp", "apply", "x@1").code == 0
    assert (project.exists("extra.bin"), project.exists("d")) == (False, False)
    assert {"extra.bin", "d/", "model.bin"} <= set(foreseen["outputs"])
    assert project.ob("exp", "apply", "x").code == 0
    assert (project.read("extra.bin"), project.read("d/f")) == ("later", "later")
    project.write("extra.bin", "by hand")
    assert project.ob("exp", "apply", "x@1").code == 0
    assert (project.read("extra.bin"), project.exists("d")) == ("by hand", False)


def test_the_run_cache_gets_nothing_of_them(tmp_path: Path) -> None:
    project = training(tmp_path / "p", THREE + "sys.exit(1)\n")
    assert project.ob("exp", "run", "-n", "x").code == 1
    assert not (project.root / ".dvc/cache/runs").exists()
    assert project.ob("exp", "apply", "x").code == 0
    assert "train" in project.ob("status").out
