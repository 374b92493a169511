"""Each command once or twice from its words to what it prints, in a real project."""

import json
import os
import shlex
from pathlib import Path

import pytest

from cli_runs import Ob, Ran
from golden_files import check_golden
from offbranch.cli.commands.checkout import summary
from offbranch.cli.commands.stage_add import command_text, params
from offbranch.cli.next_steps import quoted
from projects import TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


@pytest.fixture
def run(ob: Ob, project: TestProject) -> Ob:
    """Runs `ob` in the project; the words are one text."""

    def call(line: str, cwd: str = "") -> Ran:
        return ob(*shlex.split(line), cwd=project.root / cwd)

    return call


# Pipelines


def test_repro(run: Ob, project: TestProject) -> None:
    first = run("repro")
    assert (first.code, first.err) == (0, "")
    assert first.out.splitlines() == [
        "Running stage 'train':",
        "  because it has not run yet",
        "> sh train.sh",
        "Generating lock file 'dvc.lock'",
        "",
        "To track the changes with git, run:",
        "",
        "\tgit add .gitignore dvc.lock",
        "",
    ]
    again = run("repro")
    assert again.out == "Stage 'train' didn't change, skipping\nData and pipelines are up to date.\n"
    project.write("params.yaml", "lr: 0.2\nfail: 0\n")
    changed = run("repro -q")
    assert (changed.code, changed.out, changed.err) == (0, "", "")
    project.write("params.yaml", "lr: 0.1\nfail: 0\n")
    restored = run("repro").out
    assert "Stage 'train' is cached - skipping run" in restored
    assert "  because parameter lr changed 0.2 -> 0.1" in restored


def test_repro_dry(run: Ob, project: TestProject) -> None:
    dry = run("repro --dry")
    assert dry.out.splitlines() == [
        "  1. run  train",
        "          because it has not run yet",
        "          > sh train.sh",
    ]
    assert dry.err == "nothing was run (--dry)\n" and not project.exists("dvc.lock")
    assert run("repro --dry --json").json == [
        {
            "stage": "train",
            "action": "run",
            "reasons": [{"code": "never-run", "text": "it has not run yet"}],
            "commands": ["sh train.sh"],
        }
    ]


def test_repro_json_keeps_stdout_clean(run: Ob, project: TestProject) -> None:
    project.write("train.sh", project.read("train.sh") + "echo from the command\n")
    ended = run("repro --json")
    assert [(done["stage"], done["action"], done["error"]) for done in ended.json] == [("train", "run", None)]
    assert "from the command" in ended.err and "Running stage 'train':" in ended.err


def test_repro_fails(run: Ob, project: TestProject) -> None:
    project.write("params.yaml", "lr: 1\nfail: 3\n")
    ended = run("repro")
    assert ended.code == 1 and ended.err.startswith("error: ") and "train" in ended.err and "3" in ended.err
    assert run("repro --ignore-errors").code == 0
    assert run("repro --keep-going").code == 1
    assert run("repro -k --ignore-errors").code == 2


def test_questions_need_somebody_to_answer(run: Ob) -> None:
    ended = run("repro -i")
    assert ended.code == 2 and "no terminal" in ended.err


def test_status(run: Ob, project: TestProject) -> None:
    run("repro")
    fine = run("status")
    assert (fine.code, fine.out) == (0, "Data and pipelines are up to date.\n")
    assert (run("status --json").json, run("status -q").code) == ({}, 0)
    project.write("params.yaml", "lr: 2\n")
    os.unlink(project.root / "model.txt")
    changed = run("status")
    assert changed.code == 0
    assert changed.out == (
        "train:\n"
        "\tchanged deps:\n"
        "\t\tparams.yaml:\n"
        "\t\t\tmodified:           lr\n"
        "\t\t\tdeleted:            fail\n"
        "\tchanged outs:\n"
        "\t\tdeleted:            model.txt\n"
    )
    assert run("status --json").json == {
        "train": [
            {"changed deps": {"params.yaml": {"lr": "modified", "fail": "deleted"}}},
            {"changed outs": {"model.txt": "deleted"}},
        ]
    }
    assert "\tbecause parameter lr changed 0.1 -> 2\n" in run("status -v").out
    quiet = run("status -q")
    assert (quiet.code, quiet.out, quiet.err) == (1, "", "")
    no_remote = run("status --cloud")
    assert no_remote.code == 2 and "no data remote" in no_remote.err


def test_status_of_what_never_ran_is_as_with_dvc(run: Ob, project: TestProject) -> None:
    project.write("dvc.yaml", project.read("dvc.yaml") + "  idle:\n    cmd: 'true'\n    always_changed: true\n")
    assert run("status --json").json == {
        "train": [
            {"changed deps": {"data.txt": "modified", "train.sh": "modified", "params.yaml": "new"}},
            {"changed outs": {"model.txt": "deleted", "metrics.json": "deleted"}},
        ],
        "idle": ["always changed"],
    }


def test_stage_add_and_list(run: Ob, project: TestProject) -> None:
    words = "stage add -n eval -d model.txt -p lr,fail -p c.json: -M r.json --plots p.csv --desc 'looks' sh eval.sh --x 'a b'"
    added = run(words)
    assert added.code == 0 and added.out.startswith("Added stage 'eval' in 'dvc.yaml'.\n")
    assert project.read("dvc.yaml").endswith(
        "  eval:\n"
        "    desc: looks\n"
        '    cmd: sh eval.sh --x "a b"\n'
        "    deps:\n    - model.txt\n"
        "    params:\n    - fail\n    - lr\n    - c.json:\n"
        "    metrics:\n    - r.json:\n        cache: false\n"
        "    plots:\n    - p.csv\n"
    )
    assert run(words).code == 1
    assert run(words.replace("add", "add -f")).code == 0
    assert run("stage list").out == "train  Outputs model.txt; Reports metrics.json\neval   looks\n"
    assert run("stage list --name-only").out == "train\neval\n"
    assert [stage["stage"] for stage in run("stage list --json").json] == ["train", "eval"]
    before = project.read("dvc.yaml")
    clash = run("stage add -n other -o model.txt sh x.sh")
    assert clash.code == 1 and "model.txt" in clash.err and project.read("dvc.yaml") == before
    assert run("stage add -n a/b sh x.sh").code == 2


def test_stage_add_in_a_new_file(run: Ob, project: TestProject) -> None:
    (project.root / "sub").mkdir()
    assert run("stage add -n one -o out --run 'echo hi > out'", cwd="sub").code == 0
    assert project.read("sub/out") == "hi\n"
    bad = run("stage add -n two -o out x", cwd="sub")
    assert bad.code == 1
    assert "two" not in project.read("sub/dvc.yaml")


def test_words_of_a_stage() -> None:
    assert command_text(["python x.py > y"]) == "python x.py > y"
    assert command_text(["python", "x.py", "a b", "", "$HOME", 'c "d']) == 'python x.py "a b" "" $HOME "c \\"d"'
    assert params(["b,a", "x.json:k", "params.yaml:c", "y.yaml:"]) == [
        "a",
        "b",
        "c",
        {"x.json": ["k"]},
        {"y.yaml": None},
    ]


def test_dag(run: Ob, project: TestProject) -> None:
    project.write(
        "dvc.yaml",
        "stages:\n"
        "  get:\n    cmd: a\n    outs: [raw]\n"
        "  left:\n    cmd: b\n    deps: [raw]\n    outs: [l]\n"
        "  right:\n    cmd: c\n    deps: [raw]\n    outs: [r]\n"
        "  join:\n    cmd: d\n    deps: [l, r]\n    outs: [j]\n"
        "  fe:\n    foreach: [x, y]\n    do:\n      cmd: e ${item}\n      deps: [j]\n",
    )
    assert run("dag").out == (
        "get\n├── left\n│   └── join\n│       ├── fe@x\n│       └── fe@y\n└── right\n    └── join (see above)\n"
    )
    assert run("dag left").out == "get\n└── left\n"
    assert "fe" in run("dag left --full").out
    assert run("dag join --dot").out == (
        'strict digraph {\n"get";\n"left";\n"right";\n"join";\n'
        '"get" -> "left";\n"get" -> "right";\n"left" -> "join";\n"right" -> "join";\n}\n'
    )
    assert run("dag left -o --mermaid").out == 'flowchart TD\n\tnode1["raw"]\n\tnode2["l"]\n\tnode1-->node2\n'
    assert run("dag left --md").out.startswith("```mermaid\nflowchart TD\n")
    assert run("dag --collapse-foreach-matrix --json").json == {
        "nodes": ["get", "left", "right", "join", "fe"],
        "edges": [["get", "left"], ["get", "right"], ["left", "join"], ["right", "join"], ["join", "fe"]],
    }
    assert run("dag nowhere").code == 1


# Data


def test_init(ob: Ob, tmp_path: Path) -> None:
    outside = ob("init")
    assert outside.code == 10 and "hint: " in outside.err
    ended = ob("init", "--no-scm")
    assert ended.code == 0 and (tmp_path / ".dvc" / "config").exists()
    assert ob("init", "--no-scm").code == 1
    assert ob("init", "nowhere").code == 1


def test_add_commit_checkout(run: Ob, project: TestProject) -> None:
    project.write("d/a", "1")
    project.write("d/b", "2")
    added = run("add d")
    assert added.out == "Added 'd' as 'd.dvc'.\n\nTo track the changes with git, run:\n\n\tgit add .gitignore d.dvc\n\n"
    project.write("d/a", "other")
    refused = run("checkout")
    assert refused.code == 1 and "d/a" in refused.err and "hint: " in refused.err
    assert run("checkout -f").out == "M\td/\n"
    assert project.read("d/a") == "1"
    project.write("d/a", "new")
    assert "git add d.dvc" in run("commit d.dvc").out
    assert run("commit d.dvc").code == 0
    (project.root / "d" / "a").unlink()
    assert run("checkout --summary").out == "1 file added\n"
    nothing = {"modified": [], "added": [], "deleted": [], "missing": [], "corrupt": []}
    assert run("checkout --json").json == nothing
    assert run("add nothing").code == 1
    assert [one["path"] for one in run("add d --json").json] == ["d"]


def test_data_status(run: Ob, project: TestProject) -> None:
    project.write("d/a", "1")
    run("add d")
    project.commit("data")
    fine = run("data status")
    assert (fine.code, fine.out, fine.err) == (0, "No changes.\n", "")
    assert run("data status --json").json == {}
    project.write("d/b", "2")
    project.write("new.txt", "n")
    project.write("params.yaml", "lr: 3\nfail: 0\n")
    changed = run("data status --granular --unchanged --untracked-files")
    assert changed.out == (
        "Uncommitted changes:\n"
        "  (ob commit <target>... records them)\n"
        "  (ob checkout <target>... discards them)\n"
        "\tmodified: d/\n"
        "\tadded: d/b\n"
        "\n"
        "Untracked files:\n"
        "  (git add <file>... or ob add <file>... tracks them)\n"
        "\tnew.txt\n"
        "\n"
        "Unchanged:\n"
        "\td/a\n"
    )
    assert changed.err == "there are other changes of files that Git tracks: git status\n"
    assert run("data status --json").json == {"uncommitted": {"modified": ["d/"]}}
    assert run("data status --untracked-files some").code == 2
    assert run("data status nosuch").code == 1
    assert run("data status --not-in-remote").code == 2


def test_diff(run: Ob, project: TestProject) -> None:
    project.write("d/a", "1")
    run("add d")
    project.commit("data")
    assert run("diff").out == "" and run("diff --json").json == {}
    os.rename(project.root / "d/a", project.root / "d/b")
    project.write("d/c", "2")
    assert run("diff").out == (
        "Added:\n    d/c\n\nRenamed:\n    d/a -> d/b\n\nModified:\n    d/\n\nfiles summary: 1 added, 1 renamed\n"
    )
    assert run("diff --md --targets d/c").out.splitlines()[2] == "| added    | d/c    |"
    assert run("diff --show-hash").out.splitlines()[1] == "    c81e728d  d/c"
    assert (run("diff --json --md").code, run("diff nosuch").code, run("diff --targets nosuch").code) == (2, 1, 1)


def test_ls_and_du(run: Ob, project: TestProject) -> None:
    project.write("d/a", "1")
    project.write("d/s/b", "22")
    run("add d")
    project.commit("data")
    assert run("ls . d").out == "a\ns\n" and run("list . d -R --size").out == "1  a\n2  s/b\n"
    assert run("ls . d -T").out == "d\n├── a\n└── s\n    └── b\n"
    assert run("ls . d -T -L 1").out == "d\n├── a\n└── s\n"
    assert run("ls --dvc-only").out == "d\n" and "train.sh" in run("ls").out.splitlines()
    (entry,) = run("ls . d/a --json").json
    assert entry == {
        "isout": True,
        "isdir": False,
        "isexec": False,
        "size": 1,
        "md5": "c4ca4238a0b923820dcc509a6f75849b",
        "path": "a",
    }
    assert run("du . d").out == "1  d/a\n2  d/s\n3  d\n" and run("du . d -s").out == "3  d\n"
    assert run("du . d --json").json == {
        "path": "d",
        "size": 3,
        "entries": [{"path": "d/a", "size": 1}, {"path": "d/s", "size": 2}],
    }
    for words, code in (("ls . nosuch", 1), ("ls nosuch", 1), ("ls -T --json", 2), ("ls -L 0", 2), ("du . nosuch", 1)):
        assert run(words).code == code, words
    listing = next((project.root / ".dvc/cache/files/md5").rglob("*.dir"))
    listing.unlink()
    partly = run("ls -R --rev HEAD")
    assert partly.code == 1 and "what 'd' holds is not known" in partly.err and "train.sh" in partly.out
    assert run("ls . d --rev HEAD").code == 1


def test_checkout_goes_on_and_tells_at_the_end(run: Ob, project: TestProject) -> None:
    project.write("d/a", "1")
    project.write("d/b", "2")
    project.write("e.bin", "3")
    run("add d e.bin")
    bad = project.root / ".dvc/cache/files/md5/c4/ca4238a0b923820dcc509a6f75849b"
    bad.chmod(0o644)
    bad.write_text("X")
    bad.chmod(0o444)
    for name in ("d/a", "e.bin"):
        (project.root / name).unlink()
    done = run("checkout")
    assert (done.code, done.out) == (1, "A\te.bin\n")
    assert "corrupt in the cache: 'c4ca4238a0b923820dcc509a6f75849b', needed by 'd/a'" in done.err
    assert "hint: " in done.err and "Traceback" not in done.err
    again = run("checkout --json")
    assert again.code == 1 and again.json["missing"] == ["d/a"] and "not in the cache: 'd/a'" in again.err
    assert run("checkout --allow-missing").code == 0
    assert run("checkout --relink d/b --summary").out == "No changes.\nRelinked 1 file.\n"


def test_summaries() -> None:
    assert summary({"modified": 2, "added": 1, "deleted": 1}) == "2 files modified, 1 file added and 1 file deleted"
    assert summary({"modified": 0, "added": 1, "deleted": 0}) == "1 file added"
    assert summary({"modified": 0, "added": 0, "deleted": 0}) == "No changes."


# Experiments


def test_exp_run(run: Ob, project: TestProject) -> None:
    head = project.git("rev-parse", "HEAD")
    ended = run("exp run -n one -S lr=0.5")
    assert ended.code == 0
    assert ended.out.splitlines()[:5] == [
        "Reproducing experiment 'one'",
        "Running stage 'train':",
        "  because it has not run yet",
        "> sh train.sh",
        "Generating lock file 'dvc.lock'",
    ]
    assert ended.out.endswith("\nRan experiment(s): one\nExperiment results have been applied to your workspace.\n")
    assert "lr: 0.5" in project.read("params.yaml")
    made = run("exp run --temp --json -n two -S lr=0.7").json
    assert made == {"name": "two", "rev": project.exps()["two"], "baseline": head}
    assert "lr: 0.5" in project.read("params.yaml")
    taken = run("exp run -n one")
    assert taken.code == 1 and "one" in taken.err and "hint: " in taken.err


def test_exp_run_dry(run: Ob, project: TestProject) -> None:
    ended = run("exp run --dry -S lr=9")
    assert "1. run  train" in ended.out and "no experiment was made" in ended.err
    assert project.exps() == {} and "lr: 0.1" in project.read("params.yaml")


def test_exp_run_fails(run: Ob, project: TestProject) -> None:
    ended = run("exp run -n bad -S fail=3")
    assert ended.code == 1
    assert "the workspace is as it was before 'bad'" in ended.err
    assert "'ob exp show' lists the attempt" in ended.err
    assert "error: " in ended.err and "train" in ended.err.partition("error: ")[2]
    assert project.exps() == {} and "fail: 0" in project.read("params.yaml")


def test_exp_run_copy_paths_need_temp(run: Ob) -> None:
    assert run("exp run -C x").code == 2


def test_exp_list_show_diff(run: Ob, project: TestProject) -> None:
    assert "'ob exp list -A'" in run("exp list").err
    run("exp run --temp -n one -S lr=0.5")
    run("exp run --temp -n two -S lr=0.7")
    assert run("exp list --name-only").out == "one\ntwo\n"
    assert sorted(run("exp list --sha-only").out.split()) == sorted(project.exps().values())
    assert run("exp list").out.startswith("main:\n\t")
    assert [each["name"] for each in run("exp list -A --json").json[0]["experiments"]] == ["one", "two"]
    states = run("exp show --json").json
    assert [state["rev"] for state in states] == ["workspace", project.git("rev-parse", "HEAD")]
    assert {each["name"] for each in states[1]["experiments"]} == {"one", "two"}
    assert "[one]" in run("exp show --no-pager").out or "one" in run("exp show").out
    assert run("exp show --csv").out.startswith("Experiment,rev,typ,Created")
    assert run("exp show --md").out.startswith("|")
    assert run("exp show --csv --md").code == 2
    diff = run("exp diff one two --json").json
    assert diff["metrics"]["metrics.json"]["acc"]["old"] == 0.5
    assert "params.yaml" in run("exp diff one two").out
    assert run("exp diff one one").err == "no parameter or metric differs between one and one\n"
    assert run("exp diff one nothing").code == 1


def test_exp_apply_branch_rename_remove(run: Ob, project: TestProject) -> None:
    run("exp run --temp -n one -S lr=0.5")
    project.write("params.yaml", "lr: 8\nfail: 0\n")
    applied = run("exp apply one")
    assert applied.out == "Changes for experiment 'one' have been applied to your current workspace.\n"
    kept = project.git("rev-parse", "--short=10", "refs/exps/apply/stash")
    assert f"to go back: ob exp apply {kept}\n" in applied.err
    assert "lr: 0.5" in project.read("params.yaml")
    assert run(f"exp apply {kept}").code == 0
    assert "lr: 8" in project.read("params.yaml")
    assert run("exp apply --json one").json["commit"] == project.exps()["one"]
    branch = run("exp branch one")
    assert branch.out.startswith("Git branch 'one-branch' has been created from experiment 'one'.\n")
    assert run("exp branch one").code == 1
    assert run("exp rename one best").out == "Experiment 'one' is now 'best'.\n"
    assert run("exp rename best best").out.startswith("No experiments to rename")
    assert run("exp remove best --dry").out == "Would remove experiments: 'best'\n"
    assert run("exp remove one").code == 1
    assert run("exp remove best").out == "Removed experiments: 'best'\n"
    assert run("exp remove -A").out == "No experiments to remove.\n"
    assert run("exp remove --queue").out == "No experiments to remove.\n"


def test_exp_apply_of_another_baseline(run: Ob, project: TestProject) -> None:
    run("exp run --temp -n one -S lr=0.5")
    before = project.git("rev-parse", "HEAD")
    project.write("more", "x")
    now = project.commit()
    warned = run("exp apply one")
    assert warned.code == 0 and f"started from {before[:7]}, and HEAD is {now[:7]}" in warned.err
    refused = run("exp apply --strict-baseline one")
    assert refused.code == 1 and before[:7] in refused.err and now[:7] in refused.err


def test_exp_save(run: Ob, project: TestProject) -> None:
    project.write("params.yaml", "lr: 4\nfail: 0\n")
    project.write("notes.txt", "mine")
    saved = run("exp save -n mine -I notes.txt")
    assert saved.out == "Experiment has been saved as: mine\n" and "ob exp apply mine" in saved.err
    assert project.file_at(project.exps()["mine"], "notes.txt") == "mine"
    data = run("exp save --json -n other").json
    assert data["ref"] == data["rev"] == project.exps()["other"]


def test_exp_save_prints_nothing_but_json(project: TestProject) -> None:
    assert project.ob("repro").code == 0
    project.write("model.txt", "made by hand\n")
    saved = project.ob("exp", "save", "--json", "-n", "mine")
    assert saved.json["name"] == "mine"
    assert "dvc.lock" in saved.err


def test_exp_branch_and_rename_tell_programs(run: Ob, project: TestProject) -> None:
    run("exp run --temp -n one -S lr=0.5")
    run("exp run --temp -n two -S lr=0.6")
    one, two = (project.exps()[name] for name in ("one", "two"))
    assert run(f"exp branch {one[:9]} --json").json == {"branch": "one-branch", "commit": one, "experiment": "one"}
    assert run("exp branch HEAD~0").err.endswith("ob exp branch HEAD~0 NAME\n")
    dry = run("exp rename --dry-run -f one two")
    assert dry.out == "Experiment 'one' would be 'two'.\n"
    assert f"it would replace the commit {two[:10]}; to keep that: ob exp branch {two[:10]} NAME" in dry.err
    assert project.exps() == {"one": one, "two": two}
    done = run(f"exp rename {one[:8]} two -f --json").json
    base = project.git("rev-parse", "HEAD")
    assert done == {"old": "one", "new": "two", "rev": one, "baseline": base, "replaced": two}
    assert project.exps() == {"two": one}
    assert run(f"exp branch {two[:10]} rescued").code == 0
    assert run("exp remove two -v").out == f"two: {one}\nRemoved experiments: 'two'\n"


def test_exp_compare_and_diff_of_many_kinds(run: Ob, project: TestProject) -> None:
    run("exp run --temp -n one -S lr=0.5")
    assert run("exp compare --only nosuch").code == 2
    assert run("exp compare --json --md").code == 2
    assert run("exp compare").out.startswith("Param    HEAD    one\nlr       0.1     0.5\n")
    assert run("exp compare one --only params --csv").out == (
        "section,path,name,HEAD,one,differs\r\nparams,params.yaml,lr,0.1,0.5,yes\r\n"
    )
    assert run("exp compare HEAD one --only params --md").err == "1 value is the same in all; --all lists it\n"
    assert run("exp diff HEAD HEAD --full").err == "nothing that was asked for differs between HEAD and HEAD\n"
    assert run("exp diff workspace workspace --code").out == ""


# The rest


def test_root_and_version(run: Ob, project: TestProject) -> None:
    project.write("a/b/x", "")
    assert run("root").out == ".\n"
    assert run("root", cwd="a/b").out == "../..\n"
    facts = run("version --json").json
    assert facts["project"] == str(project.root) and facts["git"]
    assert len(run("version").out.splitlines()) == len(facts)


def test_completion(run: Ob, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "complete -o default -F _ob_complete ob" in run("completion bash").out
    assert run("completion -s zsh").out.startswith("#compdef ob\n")
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert "complete -c ob" in run("completion").out
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert run("completion").code == 2
    assert run("completion tcsh").code == 2


def test_demo(ob: Ob, tmp_path: Path) -> None:
    ended = ob("demo", "my demo")
    assert ended.code == 0 and "\tcd 'my demo'\n" in ended.out
    assert (tmp_path / "my demo" / "dvc.yaml").exists()
    assert ob("status", "--json", cwd=tmp_path / "my demo").code == 0
    again = ob("demo", "my demo")
    assert again.code == 1 and "not empty" in again.err


def test_quoting() -> None:
    assert [quoted(word) for word in ("a/b.c", "", "a b", "it's")] == ["a/b.c", "''", "'a b'", "'it'\"'\"'s'"]
    assert shlex.split(" ".join(map(quoted, ("a b", "it's", "$x")))) == ["a b", "it's", "$x"]


def test_messages_of_failures(run: Ob, project: TestProject) -> None:
    """What a newcomer's mistakes are answered with, to be read as a whole."""
    project.write("broken/dvc.yaml", "stages:\n  a:\n    cmd: x\n    dep: y\n")
    lines = []
    for line in (
        "exp apply nothing",
        "exp branch nothing",
        "exp rename nothing x",
        "exp remove nothing",
        "exp diff nothing",
        "exp show --rev nothing",
        "exp run -S lr",
        "exp run -S nope=1",
        "exp run -n a/b",
        "exp run nothing",
        "repro nothing",
        "dag nothing",
        "add nothing",
        "checkout nothing",
        "repro broken/dvc.yaml",
    ):
        ended = run(line)
        assert ended.code != 0 and ended.out == ""
        lines.append(f"$ ob {line}\n{ended.err}[{ended.code}]\n")
    check_golden("errors/newcomer.txt", "\n".join(lines))
    assert json.dumps(lines).count("hint: ") == len(lines)


def test_freeze_and_unfreeze(run: Ob, project: TestProject) -> None:
    project.write("raw.csv", "1\n")
    run("add raw.csv")
    before = project.read("dvc.yaml")
    frozen = run("freeze train raw.csv.dvc")
    assert frozen.code == 0
    assert frozen.out.splitlines()[:2] == ["'train' is frozen now.", "'raw.csv.dvc' is frozen now."]
    assert "git add dvc.yaml raw.csv.dvc" in frozen.out
    assert project.read("dvc.yaml") == before + "    frozen: true\n"
    assert project.read("raw.csv.dvc").endswith("frozen: true\n")
    assert run("freeze train").out == "'train' was frozen already.\n"
    assert run("unfreeze train raw.csv.dvc").code == 0
    assert project.read("dvc.yaml") == before
    assert run("unfreeze train").out == "'train' was not frozen.\n"


def test_groups_are_frozen_as_a_whole(run: Ob, project: TestProject) -> None:
    group = "stages:\n  g:\n    foreach: [u, v]\n    do:\n      cmd: echo ${item}\n"
    project.write("sub/dvc.yaml", group)
    refused = run("freeze sub/dvc.yaml:g@u")
    assert refused.code == 2
    assert "name the group: g" in refused.err
    assert project.read("sub/dvc.yaml") == group
    assert run("freeze g", cwd="sub").code == 0
    assert project.read("sub/dvc.yaml") == group + "      frozen: true\n"
    assert run("unfreeze sub/dvc.yaml").code == 0
    assert project.read("sub/dvc.yaml") == group
    unknown = run("freeze tarin")
    assert unknown.code == 1
    assert "did you mean 'train'" in unknown.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("-n s -o o -O o echo", 2, "'o' is given by two options"),
        ("-n s -d data.txt -d ./data.txt echo", 2, "'data.txt' is a dependency twice"),
        ("-n s -o /tmp/nowhere/o echo", 2, "outside of the project"),
        ("-n s -o data.txt echo", 1, "tracked by Git"),
        ("-n s.b echo", 2, "invalid stage name 's.b'"),
        ("-n ' ' echo", 2, "invalid stage name ' '"),
    ],
)
def test_stage_add_refuses_what_could_only_fail_later(
    run: Ob, project: TestProject, words: str, code: int, message: str
) -> None:
    before = project.read("dvc.yaml")
    refused = run(f"stage add {words}")
    assert refused.code == code
    assert message in refused.err
    assert project.read("dvc.yaml") == before
    assert not project.exists(".gitignore")


def test_stage_names_may_have_blanks(run: Ob, project: TestProject) -> None:
    assert run("stage add -n 'my stage' -O o 'echo 1 > o'").code == 0
    assert run("repro 'my stage'").code == 0
    assert project.read("o") == "1\n"
