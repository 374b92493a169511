"""Every kind of bad input: one error line with the way out, a non-zero exit, no traceback, and nothing changed."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli_runs import Ob, Ran
from projects import DVC_YAML, SIMPLE, TestProject, make_project

RUN = ("exp", "run", "-n", "new", "-S", "lr=0.5")
REPRO = ("repro",)
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 10)}]\n" for i in range(8)
)
EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
STAGE = "stages:\n  one:\n    cmd: echo\n"


PRIVATE = (".dvc/tmp", ".git/objects", ".git/offbranch")


def listing(root: Path) -> dict[str, object]:
    """Everything there is, with contents; of Git all but its objects, of `.dvc/tmp` nothing."""
    found: dict[str, object] = {}
    for directory, names, files in os.walk(root):
        inside = os.path.relpath(directory, root)
        names[:] = [name for name in names if not f"{inside}/{name}".endswith(PRIVATE)]
        for name in (*files, *(name for name in names if os.path.islink(os.path.join(directory, name)))):
            path = os.path.join(directory, name)
            found[os.path.join(inside, name)] = os.readlink(path) if os.path.islink(path) else Path(path).read_bytes()
    return found


def check_refused(ran: Ran, *parts: str, code: int | None = None) -> None:
    """One error line that names what is asked for, at most one hint, nothing on stdout."""
    lines = ran.err.splitlines()
    assert ran.code != 0, ran
    assert code is None or ran.code == code, ran
    assert [line.split(":")[0] for line in lines if line.startswith(("error:", "hint:"))] in (
        ["error"],
        ["error", "hint"],
    ), ran.err
    assert len(lines) <= 2, ran.err
    assert "Traceback" not in ran.err
    assert "mistake of ob" not in ran.err
    assert ran.out == ""
    for part in parts:
        assert part in lines[0], lines[0]


@dataclass(frozen=True)
class Bad:
    """One kind of bad input.

    Attributes:
        files: Written over the simple project.
        says: Parts of the error line.
        words: Command lines that must refuse it.
    """

    files: dict[str, str | bytes]
    says: tuple[str, ...]
    words: tuple[tuple[str, ...], ...] = (RUN, REPRO)


BAD = {
    "yaml-syntax": Bad({"dvc.yaml": "stages:\n  train:\n    cmd: [\n"}, ("dvc.yaml:",)),
    "yaml-tab": Bad({"dvc.yaml": "stages:\n\ttrain:\n    cmd: x\n"}, ("dvc.yaml:2",)),
    "duplicate-key": Bad({"dvc.yaml": "stages:\n  a:\n    cmd: x\n  a:\n    cmd: y\n"}, ("dvc.yaml:4",)),
    "top-level-list": Bad({"dvc.yaml": "- a\n- b\n"}, ("dvc.yaml",)),
    "stages-is-text": Bad({"dvc.yaml": "stages: hello\n"}, ("dvc.yaml:1", "stages")),
    "no-command": Bad({"dvc.yaml": "stages:\n  one:\n    deps:\n    - a\n"}, ("dvc.yaml:2", "stages.one", "cmd")),
    "unknown-key": Bad({"dvc.yaml": STAGE + "    dpes:\n    - a\n"}, ("dvc.yaml:4", "stages.one", "dpes")),
    "deps-is-map": Bad({"dvc.yaml": STAGE + "    deps:\n      a: 1\n"}, ("dvc.yaml:", "stages.one.deps")),
    "cmd-is-number": Bad({"dvc.yaml": "stages:\n  one:\n    cmd: 3\n"}, ("dvc.yaml:3", "stages.one.cmd")),
    "foreach-without-do": Bad({"dvc.yaml": "stages:\n  one:\n    foreach: [1]\n"}, ("dvc.yaml:", "stages.one", "do")),
    "undefined-variable": Bad({"dvc.yaml": "stages:\n  one:\n    cmd: echo ${nosuch.key}\n"}, ("dvc.yaml:3", "nosuch")),
    "vars-file-missing": Bad({"dvc.yaml": "vars:\n- nosuch.yaml\n" + STAGE}, ("nosuch.yaml",)),
    "cycle": Bad(
        {"dvc.yaml": "stages:\n  a: {cmd: x, deps: [q], outs: [p]}\n  b: {cmd: x, deps: [p], outs: [q]}\n"},
        ("a", "b"),
    ),
    "own-output": Bad({"dvc.yaml": "stages:\n  a:\n    cmd: x\n    deps: [p]\n    outs: [p]\n"}, ("p",)),
    "same-output-twice": Bad(
        {"dvc.yaml": "stages:\n  a:\n    cmd: x\n    outs: [p]\n  b:\n    cmd: x\n    outs: [p]\n"}, ("p", "a", "b")
    ),
    "output-in-output": Bad(
        {"dvc.yaml": "stages:\n  a:\n    cmd: x\n    outs: [p]\n  b:\n    cmd: x\n    outs: [p/q]\n"}, ("p/q",)
    ),
    "output-in-git": Bad({"dvc.yaml": "stages:\n  a:\n    cmd: x\n    outs: [.git/p]\n"}, (".git/p",)),
    "output-in-dvc": Bad({"dvc.yaml": "stages:\n  a:\n    cmd: x\n    outs: [.dvc/p]\n"}, (".dvc/p",)),
    "output-is-root": Bad({"dvc.yaml": "stages:\n  a:\n    cmd: x\n    outs: ['.']\n"}, ("dvc.yaml",)),
    "alias-bomb": Bad({"dvc.yaml": BOMB + STAGE}, ("dvc.yaml",)),
    "alias-bomb-params": Bad({"params.yaml": "lr: 1\nfail: 0\n" + BOMB}, ("params.yaml",)),
    "not-utf8": Bad({"dvc.yaml": b"stages:\n  one:\n    cmd: echo \xff\xfe\n"}, ("dvc.yaml:3", "UTF-8")),
    "params-not-utf8": Bad({"params.yaml": b"lr: 1\nname: \xff\n"}, ("params.yaml:2", "UTF-8")),
    "nul-byte": Bad({"dvc.yaml": b"stages:\n  one:\n    cmd: a\0b\n"}, ("dvc.yaml:3",)),
    "nul-escaped": Bad({"dvc.yaml": 'stages:\n  one:\n    cmd: echo\n    outs: ["a\\0b"]\n'}, ("dvc.yaml:4", "NUL")),
    "params-syntax": Bad({"params.yaml": "lr: [1\nfail: 0\n"}, ("params.yaml:",)),
    "params-is-list": Bad({"params.yaml": "- 1\n- 2\n"}, ("params.yaml",)),
    "lock-syntax": Bad({"dvc.lock": "schema: '2.0'\nstages: [\n"}, ("dvc.lock:",)),
    "lock-schema": Bad({"dvc.lock": "schema: '99.0'\nstages: {}\n"}, ("dvc.lock:1", "schema")),
    "lock-shape": Bad({"dvc.lock": "schema: '2.0'\nstages:\n  train: 3\n"}, ("dvc.lock:3", "train")),
    "lock-conflict": Bad({"dvc.lock": "<<<<<<< HEAD\nschema: '2.0'\n=======\n>>>>>>> x\n"}, ("dvc.lock:",)),
    "data-file-syntax": Bad({"x.dvc": "outs: [\n"}, ("x.dvc:",)),
    "data-file-shape": Bad({"x.dvc": "outs:\n- pth: x\n"}, ("x.dvc:2",)),
    "data-in-git": Bad(
        {"x.dvc": f"outs:\n- path: .git/hooks\n  md5: {EMPTY}.dir\n"},
        ("x.dvc", ".git/hooks"),
        (RUN, REPRO, ("checkout",)),
    ),
    "data-is-root": Bad({"x.dvc": f"outs:\n- path: .\n  md5: {EMPTY}.dir\n"}, ("x.dvc",), (RUN, REPRO, ("checkout", "-f"))),
    "config-syntax": Bad({".dvc/config": "[core\nremote = x\n"}, (".dvc/config:1",)),
    "config-unknown-option": Bad({".dvc/config": "[core]\n    bogus = 1\n"}, (".dvc/config:2", "bogus")),
    "config-link-type": Bad({".dvc/config": "[cache]\n    type = warp\n"}, (".dvc/config:2", "warp")),
    "config-not-utf8": Bad({".dvc/config": b"[core]\n    remote = \xff\n"}, (".dvc/config:2", "UTF-8")),
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


@pytest.mark.parametrize("name", BAD)
def test_malformed_files(name: str, ob: Ob, tmp_path: Path) -> None:
    bad = BAD[name]
    project = make_project(tmp_path / "p")
    for path, content in bad.files.items():
        project.write(path, content)
    project.commit(name)
    project.write("train.sh", SIMPLE["train.sh"] + "# edited\n")
    before = listing(tmp_path)
    for words in bad.words:
        check_refused(ob(*words, cwd=project.root), *bad.says)
        assert listing(tmp_path) == before


REQUESTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "unknown-stage": (("repro", "trian"), ("'trian'",)),
    "unknown-stage-run": (("exp", "run", "trian"), ("'trian'",)),
    "unknown-parameter": (("exp", "run", "-S", "learning_rate=1"), ("learning_rate",)),
    "unknown-parameter-file": (("exp", "run", "-S", "nosuch.yaml:lr=1"), ("nosuch.yaml",)),
    "override-without-value": (("exp", "run", "-S", "lr"), ("lr",)),
    "override-bad-yaml": (("exp", "run", "-S", "lr=[1,"), ("lr=[1,",)),
    "override-outside": (("exp", "run", "-S", "../x.yaml:lr=1"), ("../x.yaml",)),
    "name-with-slash": (("exp", "run", "-n", "a/b"), ("'a/b'",)),
    "name-with-blank": (("exp", "run", "-n", "a b"), ("'a b'",)),
    "name-with-newline": (("exp", "run", "-n", "a\nb"), ("name",)),
    "name-empty": (("exp", "run", "-n", ""), ("name",)),
    "name-dash": (("exp", "run", "-n=-x"), ("name",)),
    "name-lock": (("exp", "run", "-n", "x.lock"), ("'x.lock'",)),
    "name-dots": (("exp", "run", "-n", "a..b"), ("'a..b'",)),
    "copy-missing": (("exp", "run", "--temp", "-C", "nosuch"), ("nosuch'",)),
    "apply-unknown": (("exp", "apply", "nosuch"), ("'nosuch'",)),
    "apply-option": (("exp", "apply", "--", "--output=x"), ("'--output=x'",)),
    "branch-unknown": (("exp", "branch", "nosuch"), ("'nosuch'",)),
    "rename-unknown": (("exp", "rename", "nosuch", "x"), ("'nosuch'",)),
    "remove-unknown": (("exp", "remove", "nosuch"), ("'nosuch'",)),
    "remove-nothing": (("exp", "remove"), ()),
    "save-missing-include": (("exp", "save", "-I", "nosuch"), ("nosuch",)),
    "add-missing": (("add", "nosuch"), ("'nosuch'",)),
    "add-tracked": (("add", "data.txt"), ("'data.txt'",)),
    "add-output": (("add", "model.txt"), ("model.txt",)),
    "add-outside": (("add", "/etc/hostname"), ("/etc/hostname",)),
    "add-git": (("add", ".git"), (".git",)),
    "checkout-unknown": (("checkout", "nosuch"), ("'nosuch'",)),
    "commit-unknown": (("commit", "nosuch"), ("'nosuch'",)),
    "show-unknown-rev": (("exp", "show", "--rev", "nosuch"), ("'nosuch'",)),
    "diff-unknown-rev": (("exp", "diff", "nosuch"), ("'nosuch'",)),
    "cd-missing": (("--cd", "nosuch", "status"), ("'nosuch'",)),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_that_make_no_sense(name: str, ob: Ob, project: TestProject) -> None:
    words, says = REQUESTS[name]
    if name == "add-output":
        project.write("model.txt", "made by hand\n")
    before = listing(project.root)
    check_refused(ob(*words, cwd=project.root), *says)
    assert listing(project.root) == before


def no_dependency(project: TestProject) -> None:
    (project.root / "data.txt").unlink()


def no_parameter_file(project: TestProject) -> None:
    (project.root / "params.yaml").unlink()


def no_working_directory(project: TestProject) -> None:
    project.write("dvc.yaml", "stages:\n  a:\n    cmd: x\n    wdir: nosuch\n")


def output_outside(project: TestProject) -> None:
    project.write("dvc.yaml", "stages:\n  a:\n    cmd: echo x > ../beside\n    outs: [../beside]\n")


def output_around_the_project(project: TestProject) -> None:
    project.write(
        "dvc.yaml", f"stages:\n  a:\n    cmd: x\n    outs:\n    - ../{project.root.name}:\n        cache: false\n"
    )


def output_above_the_project(project: TestProject) -> None:
    project.write("dvc.yaml", "stages:\n  a:\n    cmd: x\n    outs:\n    - ..:\n        cache: false\n")


def no_parameter(project: TestProject) -> None:
    project.write("params.yaml", "lr: 1\n")


MISSING: dict[str, tuple[Callable[[TestProject], None], str]] = {
    "dependency": (no_dependency, "'data.txt'"),
    "parameter-file": (no_parameter_file, "'params.yaml'"),
    "parameter": (no_parameter, "'fail'"),
    "working-directory": (no_working_directory, "'nosuch'"),
    "place-for-an-output": (output_outside, "'../beside'"),
    "place-around-the-project": (output_around_the_project, "holds the project"),
    "place-above-the-project": (output_above_the_project, "holds the project"),
}


@pytest.mark.parametrize("name", MISSING)
def test_what_a_stage_needs_is_missing(name: str, project: TestProject) -> None:
    remove, says = MISSING[name]
    remove(project)
    before = listing(project.root)
    for words in (("exp", "run", "-n", "new"), ("repro",)):
        ended = project.ob(*words)
        assert ended.code == 1
        assert ended.err.count("error:") == 1
        assert says in ended.err
        assert "hint:" in ended.err
        own = (".git/ob-", "refs/ob/")
        after = {path: text for path, text in listing(project.root).items() if not any(each in path for each in own)}
        assert after == before
    assert project.exps() == {}
    assert not (project.root.parent / "beside").exists()


def test_a_data_file_that_leads_outside_is_not_followed(ob: Ob, project: TestProject) -> None:
    project.write("mine.txt", "content\n")
    assert ob("add", "mine.txt", cwd=project.root).code == 0
    project.write("x.dvc", project.read("mine.txt.dvc").replace("mine.txt", "../../stolen.txt"))
    before = listing(project.root)
    ob("checkout", cwd=project.root)
    ob("checkout", "-f", "x.dvc", cwd=project.root)
    assert not (project.root.parent.parent / "stolen.txt").exists()
    assert listing(project.root) == before


def test_outside_of_a_project_and_of_git(ob: Ob, tmp_path: Path) -> None:
    for words in (RUN, REPRO, ("status",), ("exp", "show"), ("add", "x"), ("checkout",)):
        check_refused(ob(*words, cwd=tmp_path), "not inside a project", code=10)
    assert list(tmp_path.iterdir()) == []
    assert ob("init", "--no-scm", cwd=tmp_path).code == 0
    before = listing(tmp_path)
    check_refused(ob(*RUN, cwd=tmp_path), "Git repository", code=10)
    assert listing(tmp_path) == before


def test_the_git_directory_was_deleted(ob: Ob, project: TestProject) -> None:
    os.rename(project.root / ".git", project.root / "gone")
    check_refused(ob(*RUN, cwd=project.root), "Git repository", code=10)
    assert ob(*REPRO, cwd=project.root).code == 0


def test_no_commit_yet(ob: Ob, tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", committed=False)
    before = listing(project.root)
    looking = (("exp", "show"), ("exp", "diff"), ("exp", "compare"), ("exp", "apply", "x"), ("exp", "branch", "x"))
    for words in (RUN, ("exp", "run", "--temp"), ("exp", "save"), *looking):
        check_refused(ob(*words, cwd=project.root), "no commit yet")
    assert listing(project.root) == before


def test_a_rebase_or_merge_in_progress(ob: Ob, project: TestProject) -> None:
    project.git("switch", "-qc", "other")
    project.write("params.yaml", "lr: 3\nfail: 0\n")
    project.commit("theirs")
    project.git("switch", "-q", "main")
    project.write("params.yaml", "lr: 4\nfail: 0\n")
    project.commit("ours")
    for words, name in (
        (("rebase", "other"), "rebase"),
        (("merge", "other"), "merge"),
        (("cherry-pick", "other"), "cherry-pick"),
    ):
        with pytest.raises(AssertionError):
            project.git(*words)
        project.write("params.yaml", "lr: 4\nfail: 0\n")
        before = listing(project.root)
        for command in (("exp", "run"), ("exp", "save")):
            check_refused(ob(*command, cwd=project.root), name)
        assert listing(project.root) == before
        project.git(name, "--abort")


def test_conflict_marks_in_the_pipeline(ob: Ob, project: TestProject) -> None:
    project.write("dvc.yaml", "<<<<<<< HEAD\n" + DVC_YAML + "=======\n>>>>>>> other\n")
    check_refused(ob(*RUN, cwd=project.root), "dvc.yaml:")


def test_a_directory_where_a_file_should_be(ob: Ob, project: TestProject) -> None:
    for path in ("params.yaml", "dvc.yaml"):
        os.unlink(project.root / path)
        (project.root / path).mkdir()
        ran = ob(*RUN, cwd=project.root)
        assert ran.code in (1, 2)
        assert ran.err.count("error:") == 1
        assert "mistake of ob" not in ran.err
