"""`ob doctor`: what it finds in sound and in broken projects, and that it leaves nothing behind."""

import os
import shlex
from pathlib import Path

import pytest

from cli_runs import Ob, Ran
from interop.peers import snapshot
from offbranch.api import self_check
from offbranch.api.finding import Finding, Health, warning
from offbranch.api.self_check import doctor
from offbranch.api.session import lock_files, make_session
from offbranch.base.locks import hold_lock
from offbranch.project import open_project
from offbranch.storage.remote_files import OPENERS
from offbranch.storage.remote_setting import RemoteSetting
from projects import TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


@pytest.fixture
def run(ob: Ob, project: TestProject) -> Ob:
    """Runs `ob` in the project; the words are one text."""

    def call(line: str) -> Ran:
        return ob(*shlex.split(line), cwd=project.root)

    return call


def of(ran: Ran, area: str, health: str) -> list[str]:
    return [f"{one['text']} -> {one['hint']}" for one in ran.json if (one["area"], one["health"]) == (area, health)]


def test_a_sound_project(run: Ob, project: TestProject) -> None:
    assert run("repro").code == 0
    before = snapshot(project)
    ran = run("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("\nAll is well.\n")
    areas = [line.split()[1] for line in ran.out.splitlines()[:-2]]
    assert list(dict.fromkeys(areas)) == (
        "version optional config project git cache links state locks pipeline remotes".split()
    )
    assert snapshot(project) == before
    assert "1 stage, 0 .dvc files" in ran.out
    assert run("doctor -q").out == ""
    assert all(one["health"] == "ok" and one["hint"] is None for one in run("doctor --json").json)


def test_outside_of_a_project(ob: Ob) -> None:
    ran = ob("doctor", "--json")
    assert ran.code == 0
    (said,) = of(ran, "project", "warning")
    assert "is not inside a project" in said and "ob init" in said


def test_broken_files_are_all_told(run: Ob, project: TestProject) -> None:
    project.write("dvc.yaml", "stages:\n  a:\n    cmd: 3\n")
    project.write("x.dvc", "outs: 3\n")
    ran = run("doctor --json")
    assert ran.code == 1
    told = of(ran, "pipeline", "problem")
    assert len(told) == 2 and any("dvc.yaml" in one for one in told) and any("x.dvc" in one for one in told)


def test_a_broken_config_file(run: Ob, project: TestProject) -> None:
    project.write(".dvc/config", "[core]\n    bogus = 1\n")
    ran = run("doctor --json")
    assert ran.code == 1
    assert (
        of(ran, "config", "problem")[0].startswith(".dvc/config:1: ") or "core.bogus" in of(ran, "config", "problem")[0]
    )


def test_remotes(run: Ob, project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(self_check.MODULES, "s3", ("no_such_module_of_s3",))
    monkeypatch.setitem(self_check.MODULES, "ssh", ("json",))
    for scheme in ("s3", "ssh"):
        monkeypatch.setitem(OPENERS, scheme, (f"of_{scheme}:open", scheme))  # type: ignore[misc]
    (project.root / "store").mkdir()
    project.write(
        ".dvc/config",
        "[core]\n    remote = nope\n"
        "['remote \"here\"']\n    url = ../store\n['remote \"gone\"']\n    url = ../nowhere\n"
        "['remote \"cloud\"']\n    url = s3://b\n['remote \"far\"']\n    url = ssh://h/p\n    region = x\n"
        "['remote \"lost\"']\n    url = remote://nobody/x\n['remote \"drive\"']\n    url = gdrive://id\n",
    )
    ran = run("doctor --json")
    assert ran.code == 1
    assert "core.remote names 'nope'" in of(ran, "config", "problem")[0]
    assert f"'here': local, {project.root}/store -> None" in of(ran, "remotes", "ok")
    warnings, problems = of(ran, "remotes", "warning"), of(ran, "remotes", "problem")
    assert any("'gone': there is no directory" in one for one in warnings)
    assert any("cannot use 'region' of the data remote 'far'" in one for one in warnings)
    assert any("'cloud': s3 needs 'no_such_module_of_s3'" in one and "offbranch[s3]" in one for one in problems)
    assert any("'drive': gdrive, gdrive://id, which this ob does not reach" in one for one in warnings)
    assert any("'lost'" in one for one in problems) and "'far': ssh, ssh://h/p -> None" in of(ran, "remotes", "ok")


def test_the_probe_is_asked_about_what_can_be_reached(project: TestProject) -> None:
    (project.root / "store").mkdir()
    project.write(".dvc/config", "['remote \"here\"']\n    url = ../store\n['remote \"gone\"']\n    url = ../nowhere\n")
    asked: list[str] = []

    def probe(remote: RemoteSetting) -> Finding | None:
        asked.append(remote.name)
        return warning("remotes", f"'{remote.name}' is slow", "wait")

    findings = doctor(make_session(str(project.root)), probe_remote=probe)
    assert asked == ["here"]
    assert [one.text for one in findings if one.hint == "wait"] == ["'here' is slow"]


def test_links(run: Ob, project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "copy" in of(run("doctor --json"), "links", "ok")[0]

    def refuse(*_: object) -> None:
        raise PermissionError(1, "not permitted")

    project.write(".dvc/config", "[cache]\n    type = hardlink\n")
    monkeypatch.setattr(os, "link", refuse)
    ran = run("doctor --json")
    (said,) = of(ran, "links", "problem")
    assert "nothing of it works here" in said and "ob config cache.type reflink,copy" in said
    assert not list(project.root.rglob(".ob-tmp-*"))


def test_the_cache(run: Ob, project: TestProject) -> None:
    project.write("file", "x")
    project.write(".dvc/config", "[cache]\n    dir = ../file\n")
    ran = run("doctor --json")
    assert ran.code == 1 and "is not a directory" in of(ran, "cache", "problem")[0]
    project.write(".dvc/config", "")
    project.write(".dvc/cache/60/b725f10c9c85c70d97880dfe8191b3", "a\n")
    assert any("1 objects of DVC 2" in one for one in of(run("doctor --json"), "cache", "ok"))


def test_locks(run: Ob, project: TestProject) -> None:
    session = make_session(str(project.root))
    opened = open_project(session.start, session.environment)
    with hold_lock(lock_files(opened)[0]):
        (said,) = of(run("doctor --json"), "locks", "warning")
    assert f"held by process {os.getpid()}" in said
    project.write(".dvc/tmp/rwlock", f'{{"write": {{"/p/m": {{"pid": {os.getpid()}, "cmd": "dvc repro"}}}}}}')
    (said,) = of(run("doctor --json"), "locks", "warning")
    assert f"'/p/m' is in use by process {os.getpid()} (dvc repro)" in said
    project.write(".dvc/tmp/rwlock", '{"write": {"/p/m": {"pid": 999999999, "cmd": "dvc repro"}}}')
    assert of(run("doctor --json"), "locks", "ok") == ["nothing is held -> None"]


def test_the_state_database(run: Ob, project: TestProject) -> None:
    session = make_session(str(project.root))
    path = open_project(session.start, session.environment).state.path
    assert f"no state database yet ('{path}')" in of(run("doctor --json"), "state", "ok")[0]
    Path(path).parent.mkdir(parents=True)
    Path(path).write_bytes(b"no database at all" * 100)
    (said,) = of(run("doctor --json"), "state", "warning")
    assert "cannot be read" in said and f"rm '{path}'" in said


def test_git(run: Ob, project: TestProject, tmp_path: Path, ob: Ob) -> None:
    project.write(".dvc/config.local", "[studio]\n    token = x\n")
    project.git("add", "-f", ".dvc/config.local")
    project.write(".git/MERGE_HEAD", project.git("rev-parse", "HEAD") + "\n")
    ran = run("doctor --json")
    problems = of(ran, "git", "problem")
    assert ran.code == 1 and any("merge is in progress" in one for one in problems)
    assert any("'.dvc/config.local' is tracked by Git" in one for one in problems)
    assert any("others may read it" in one and "chmod 600" in one for one in of(ran, "config", "warning"))
    assert ob("init", "--no-scm", str(tmp_path), cwd=tmp_path).code == 0
    assert of(ob("doctor", "--json", cwd=tmp_path), "git", "ok") == ["not used (core.no_scm) -> None"]


def test_health_has_three_grades() -> None:
    assert [health.value for health in Health] == ["ok", "warning", "problem"]
