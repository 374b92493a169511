"""The experiment that a training program leaves: alone, in a repository without a project, inside of runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from git_repos import run as git
from projects import SOURCE, Ended, TestProject, make_project

TWO_STEPS = """
    for i in range(2):
        live.log_metric("acc", i / 2)
        live.next_step()
"""


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p", {"train.py": "pass\n"})


def train(project: TestProject, body: str, arguments: str = "", **env: str) -> Ended:
    return run_python(
        project, "-c", f"from offbranch import Live\nwith Live({arguments}) as live:\n    pass\n{body}", **env
    )


def run_python(project: TestProject, *words: str, **env: str) -> Ended:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(SOURCE), **env},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def tree(project: TestProject, name: str) -> set[str]:
    return set(project.git("ls-tree", "-r", "--name-only", project.exps()[name]).splitlines())


def test_what_a_project_has_of_its_own_stays_where_it_is_the_directory_of_live(project: TestProject) -> None:
    project.write("params.yaml", "lr: 1\n")
    project.write("dvc.yaml", "stages:\n  a:\n    cmd: echo hi\n")
    assert train(project, TWO_STEPS + "    live.log_param('more', 2)\n", 'dir="."').code == 0
    assert (project.read("params.yaml"), "cmd: echo hi" in project.read("dvc.yaml")) == ("lr: 1\nmore: 2\n", True)
    (name,) = project.ob("exp", "list", "--name-only").out.split()
    assert tree(project, name) >= {"params.yaml", "dvc.yaml", "metrics.json", "plots/metrics/acc.tsv"}


def test_a_program_becomes_an_experiment(project: TestProject) -> None:
    body = (
        TWO_STEPS
        + """
    import json, os
    print(json.dumps({n: json.load(open(f".dvc/tmp/exps/run/{n}")) for n in os.listdir(".dvc/tmp/exps/run")}))
    open("model.pt", "w").write("m")
    open("untracked.txt", "w").write("u")
    live.log_artifact("model.pt", type="model", name="best", meta={"k": 1})
"""
    )
    before = project.git("rev-parse", "HEAD")
    done = train(project, body, 'exp_name="mine", exp_message="two steps"')
    assert (done.code, done.err) == (0, "offbranch: untracked files are not part of the experiment: 'untracked.txt'\n")
    signals = json.loads(done.out)
    assert signals["DVCLIVE_ONLY"]["exp_name"] == "mine"
    assert signals["DVCLIVE_STEP_COMPLETED"] == {"pid": signals["DVCLIVE_ONLY"]["pid"], "step": 1}
    assert os.listdir(project.root / ".dvc/tmp/exps/run") == []
    assert tree(project, "mine") >= {
        ".gitignore",
        "dvc.yaml",
        "dvclive/metrics.json",
        "dvclive/plots/metrics/acc.tsv",
        "model.pt.dvc",
        "train.py",
    }
    assert "untracked.txt" not in tree(project, "mine") and "model.pt" not in tree(project, "mine")
    assert project.git("log", "-1", "--format=%B", project.exps()["mine"]).strip() == "two steps"
    assert project.git("rev-parse", "HEAD") == before
    shown = project.ob("exp", "show", "--csv").out
    assert "mine" in shown and "0.5" in shown


def test_names_that_are_taken_or_none(project: TestProject) -> None:
    assert train(project, TWO_STEPS, DVC_EXP_NAME="taken").err == ""
    done = train(project, TWO_STEPS, 'exp_name="taken"')
    assert "there is an experiment 'taken' already" in done.err
    done = train(project, TWO_STEPS, 'exp_name="bad name"')
    assert "could not be saved as 'bad name'" in done.err
    assert done.code == 0 and len(project.exps()) == 3


def test_a_name_that_is_made_up_is_there_from_the_start(project: TestProject) -> None:
    body = "    print(open('.dvc/tmp/exps/run/DVCLIVE_ONLY').read())\n"
    said = {json.loads(train(project, body).out)["exp_name"] for _ in range(2)}
    assert len(said) == 2 and project.exps().keys() == said


def test_the_directory_of_the_whole_project(project: TestProject) -> None:
    done = train(project, TWO_STEPS, "'.', exp_name='mine'")
    assert (done.code, done.err) == (0, "")
    assert tree(project, "mine") >= {"metrics.json", "plots/metrics/acc.tsv", "dvc.yaml", "train.py"}


def test_a_directory_outside_of_the_project_is_no_part_of_the_experiment(project: TestProject, tmp_path: Path) -> None:
    done = train(project, TWO_STEPS, f"{str(tmp_path / 'live')!r}, exp_name='mine'")
    assert "no part of the experiment, because it is outside of the project" in done.err
    assert "dvc.yaml" in tree(project, "mine")


def test_a_program_that_fails_leaves_no_experiment(project: TestProject) -> None:
    done = train(project, TWO_STEPS + "    1 / 0\n", 'exp_name="x"')
    assert done.code == 1 and "no experiment is saved, because of ZeroDivisionError" in done.err
    assert project.exps() == {}
    assert json.loads(project.read("dvclive/metrics.json")) == {"acc": 0.5, "step": 1}
    assert os.listdir(project.root / ".dvc/tmp/exps/run") == []


@pytest.mark.parametrize(
    ("end", "code"), [("sys.exit()", 0), ("sys.exit(0)", 0), ("sys.exit(2)", 2), ("sys.exit('no')", 1)]
)
def test_a_program_that_exits_within_has_failed_only_if_it_says_so(project: TestProject, end: str, code: int) -> None:
    done = train(project, f"    import sys\n    {end}\n", 'exp_name="mine"')
    assert done.code == code
    assert list(project.exps()) == ([] if code else ["mine"])
    assert ("because of SystemExit" in done.err) == (code != 0)


def test_a_name_like_an_option_is_a_name(project: TestProject) -> None:
    done = train(project, TWO_STEPS, 'exp_name="-x", exp_message="-y"')
    assert "(invalid experiment name '-x': it starts with '-'): it gets another name" in done.err
    (commit,) = project.exps().values()
    assert project.git("log", "-1", "--format=%B", commit).strip() == "-y"


def test_signals_of_a_program_that_was_killed_go_with_the_next(project: TestProject) -> None:
    train(project, TWO_STEPS + "    import os; os.kill(os.getpid(), 9)\n")
    signals = project.root / ".dvc/tmp/exps/run"
    assert {path.name for path in signals.iterdir()} == {"DVCLIVE_ONLY", "DVCLIVE_STEP_COMPLETED"}
    train(project, "    live.log_metric('acc', 1)\n")
    assert list(signals.iterdir()) == []
    signals.joinpath("DVCLIVE_STEP_COMPLETED").write_text(json.dumps({"pid": os.getpid(), "step": 3}))
    train(project, "    live.log_metric('acc', 1)\n")
    assert [path.name for path in signals.iterdir()] == ["DVCLIVE_STEP_COMPLETED"]


def test_a_second_end_replaces_its_own_experiment(project: TestProject) -> None:
    code = "from offbranch import Live\nlive = Live(exp_name='x')\nlive.log_metric('m', 1)\nlive.end()\nlive.end()\n"
    done = train(project, "", "save_dvc_exp=False")
    project.write("train.py", code + "live.log_metric('m', 2)\nlive.end()\n")
    done = run_python(project, "train.py")
    assert (done.code, done.err) == (0, "")
    assert json.loads(project.file_at(project.exps()["x"], "dvclive/metrics.json")) == {"m": 2}


def test_a_repository_without_a_project_becomes_one(tmp_path: Path) -> None:
    root = tmp_path / "r"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    project = TestProject(root)
    assert "without a commit" in train(project, TWO_STEPS).err
    project.write("a", "a")
    project.commit()
    done = train(project, TWO_STEPS, 'exp_name="first"')
    assert (done.code, done.err) == (0, "")
    assert project.exps().keys() == {"first"} and project.exists(".dvc/config")


def test_without_git_nothing_is_saved(tmp_path: Path) -> None:
    done = train(TestProject(tmp_path), TWO_STEPS + "    live.log_artifact('x')\n")
    assert done.code == 0
    assert "without a Git repository" in done.err and "no project here" in done.err
    assert (tmp_path / "dvclive/metrics.json").exists()


def test_images_go_into_the_cache(project: TestProject) -> None:
    body = """
    import os
    open("in.png", "wb").write(b"x")
    live.log_image("a.png", "in.png")
    os.unlink("in.png")
"""
    for name in ("one", "two"):
        done = train(project, body, f'cache_images=True, exp_name="{name}"')
        assert (done.code, done.err) == (0, "")
        assert "dvclive/plots/images.dvc" in tree(project, name)
        assert "dvclive/plots/images/a.png" not in tree(project, name)


PIPELINE = """\
stages:
  train:
    cmd: {python} train.py
    deps: [train.py]
    outs: [model.pt, dvclive/plots]
    metrics:
    - dvclive/metrics.json: {{cache: false}}
"""
TRAIN = """\
from offbranch import Live
open("model.pt", "w").write("m")
with Live(exp_name="ignored") as live:
    for i in range(2):
        live.log_metric("acc", i / 2)
        live.next_step()
    live.log_param("lr", 1)
    live.log_artifact("model.pt", type="model")
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> TestProject:
    files = {"train.py": TRAIN, "dvc.yaml": PIPELINE.format(python=sys.executable)}
    return make_project(tmp_path / "q", files)


def test_files_of_live_are_a_part_of_a_temporary_run(pipeline: TestProject) -> None:
    done = pipeline.ob("exp", "run", "--temp", "-n", "x")
    assert done.code == 0 and "not part of the experiment" not in done.out + done.err
    assert "dvclive/params.yaml" in tree(pipeline, "x")


def test_repro_is_told_that_nothing_is_saved(pipeline: TestProject) -> None:
    done = pipeline.ob("repro")
    assert done.code == 0 and "nothing is saved as an experiment" in done.out + done.err
    assert pipeline.exps() == {}
    assert not pipeline.exists("model.pt.dvc")


def test_inside_of_a_run_of_dvc_files_are_handed_to_git(pipeline: TestProject) -> None:
    head = pipeline.git("rev-parse", "HEAD")
    done = run_python(pipeline, "train.py", DVC_ROOT=str(pipeline.root), DVC_EXP_BASELINE_REV=head, DVC_STAGE="train")
    assert (done.code, done.err) == (0, "")
    staged = set(pipeline.git("diff", "--cached", "--name-only").splitlines())
    assert staged == {"dvc.yaml", "dvclive/params.yaml"}
    assert pipeline.exps() == {}


def test_programs_that_end_side_by_side_are_all_saved(project: TestProject) -> None:
    code = "import sys\nfrom offbranch import Live\n"
    code += "with Live(f'live-{sys.argv[1]}', exp_name=f'x{sys.argv[1]}', dvcyaml=None) as live:\n    live.log_metric('m', 1)\n"
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "OFFBRANCH_LOCK_WAIT": "0.1"}
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(n)], cwd=project.root, env=env, stderr=subprocess.PIPE)
        for n in range(4)
    ]
    said = [process.communicate(timeout=100)[1] for process in running]
    assert not any(b"cannot" in text for text in said)  # of the others' files, yes
    assert project.exps().keys() == {f"x{n}" for n in range(4)}


def test_a_temporary_current_directory_does_not_matter(project: TestProject) -> None:
    body = "    import os\n    os.chdir('/')\n" + TWO_STEPS
    done = train(project, body, 'exp_name="x"')
    assert (done.code, done.err) == (0, "")
    assert "dvclive/metrics.json" in tree(project, "x")
