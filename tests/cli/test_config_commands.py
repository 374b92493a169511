"""`ob config`, `ob cache dir` and `ob remote`: what they print and write, and whom they show secrets."""

import shlex
import stat
from pathlib import Path

import pytest

from cli_runs import Ob, Ran
from projects import TestProject, make_project

SECRET = "hunter2"


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p", {"sub/keep": ""})


@pytest.fixture
def run(ob: Ob, project: TestProject) -> Ob:
    """Runs `ob` in the project; the words are one text."""

    def call(line: str, cwd: str = "") -> Ran:
        return ob(*shlex.split(line), cwd=project.root / cwd)

    return call


def done(ran: Ran) -> str:
    assert ran.code == 0, ran.err
    return ran.out


# Reading


def test_reading_merges_the_levels_and_shows_their_origin(
    run: Ob, project: TestProject, pinned_environment: Path
) -> None:
    done(run("config --global core.autostage true"))
    done(run("config core.checksum_jobs 2"))
    done(run("config --local core.autostage false"))
    assert done(run("config core.autostage")) == "false\n"
    assert done(run("config --global core.autostage")) == "true\n"
    assert done(run("config --show-origin core.autostage")) == ".dvc/config.local\tfalse\n"
    origin = pinned_environment / ".config/dvc/config"
    assert done(run("config --list --show-origin")).splitlines() == [
        f"{origin}\tcore.autostage=true",
        ".dvc/config\tcore.checksum_jobs=2",
        ".dvc/config.local\tcore.autostage=false",
    ]
    assert run("config --json core.autostage").json == {
        "name": "core.autostage",
        "value": "false",
        "level": "local",
        "origin": ".dvc/config.local",
    }


def test_an_option_that_is_not_set(run: Ob) -> None:
    assert done(run("config core.remote")) == ""
    assert run("config --json core.remote").json is None
    at_level = run("config --local core.remote")
    assert at_level.code == 1 and "'.dvc/config.local' does not set 'core.remote'" in at_level.err


@pytest.mark.parametrize(
    ("line", "code", "message", "hint"),
    [
        ("config core.remot", 1, "core.remot: unknown option", "did you mean 'remote'?"),
        ("config cor.remote x", 1, "unknown section 'cor'", "did you mean 'core'?"),
        ("config core x", 2, "'core' is no name of an option", "write section.option"),
        ("config remote.url x", 2, "'remote.url' is no name", "write section.option"),
        ("config", 2, "the name of an option is missing", "ob config --list"),
        ("config -l core.remote", 2, "--list takes no name", "ob config --help"),
        ("config -u core.remote x", 2, "--unset takes no value", "ob config --unset core.remote"),
        ("config --local --global core.remote", 2, "--global and --local exclude each other", "leave out"),
        ("config core.autostage perhaps", 2, "core.autostage: expected true or false, found 'perhaps'", ""),
        ("config cache.type hardlnk", 2, "'hardlnk' is not a kind of link", "did you mean 'hardlink'?"),
        ("config core.checksum_jobs 0", 2, "expected at least 1, found 0", ""),
        ("config remote.nope.jobs 3", 1, "there is no data remote 'nope'", "ob remote add nope URL"),
        ("config --unset core.remote", 1, "'.dvc/config' does not set 'core.remote'", ""),
        ("remote add 'a\"b' x", 2, "cannot be the name of a data remote", "no quotes"),
        ("remote add odd s4://x", 2, "'s4://' are not known", "did you mean"),
        ("remote add empty ''", 2, "a data remote needs a url", "a path"),
        ("remote modify nope url x", 1, "there is no data remote 'nope'", "ob remote add"),
        ("remote remove nope", 1, "there is no data remote 'nope' in '.dvc/config'", "ob remote list"),
        ("remote default nope", 1, "there is no data remote 'nope'", "ob remote add"),
        ("remote default -u x", 2, "--unset takes no name", ""),
        ("cache dir -u x", 2, "--unset takes no path", ""),
    ],
)
def test_refusals_write_nothing(line: str, code: int, message: str, hint: str, run: Ob, project: TestProject) -> None:
    before = project.read(".dvc/config")
    ran = run(line)
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err and hint in ran.err
    assert project.read(".dvc/config") == before and not project.exists(".dvc/config.local")


def test_outside_of_a_project(ob: Ob, tmp_path: Path) -> None:
    assert ob("config", "--global", "core.autostage", "true").code == 0
    assert ob("config", "core.autostage").out == "true\n"
    for words in (("config", "core.autostage", "false"), ("remote", "add", "a", "x"), ("cache", "dir")):
        refused = ob(*words)
        assert refused.code == 10 and "is not inside a project" in refused.err and "--global" in refused.err


# Writing


def test_everything_else_of_the_file_stays(run: Ob, project: TestProject) -> None:
    text = "# mine\n[core]\n\tautostage = 'true'   # yes\n\n['remote \"Store\"'] # s\n  URL=../x\n; old\n"
    project.write(".dvc/config", text)
    done(run("remote modify store jobs 3"))
    assert project.read(".dvc/config") == text.replace("  URL=../x\n", "  URL=../x\n  jobs = 3\n")
    done(run("remote modify -u store jobs"))
    assert project.read(".dvc/config") == text
    done(run("config core.autostage false"))
    assert project.read(".dvc/config") == text.replace("'true'", "false")


def test_paths_count_from_where_they_are_typed(run: Ob, project: TestProject) -> None:
    done(run("remote add -d store ../data", cwd="sub"))
    assert "url = ../data\n" in project.read(".dvc/config")
    assert done(run("remote list")).split() == ["store", str(project.root / "data"), "(default)"]
    done(run("cache dir --local elsewhere", cwd="sub"))
    assert "dir = ../sub/elsewhere\n" in project.read(".dvc/config.local")
    assert done(run("cache dir")) == f"{project.root}/sub/elsewhere\n"
    assert run("cache dir --json").json == {"path": f"{project.root}/sub/elsewhere"}


def test_a_broken_file_can_be_mended(run: Ob, project: TestProject) -> None:
    project.write(".dvc/config", "[core]\n    bogus = 1\n    autostage = true\n")
    assert run("status").code == 1
    assert "core.bogus: unknown option" in run("config --list").err
    done(run("config core.autostage false"))
    done(run("config --unset core.bogus"))
    assert project.read(".dvc/config") == "[core]\n    autostage = false\n"


def test_a_mark_at_the_beginning_stays(run: Ob, project: TestProject) -> None:
    project.write(".dvc/config", b"\xef\xbb\xbf[core]\n    autostage = true\n")
    done(run("config core.autostage false"))
    assert (project.root / ".dvc/config").read_bytes() == b"\xef\xbb\xbf[core]\n    autostage = false\n"


def test_options_must_fit_the_scheme(run: Ob) -> None:
    done(run("remote add store s3://bucket"))
    near = run("remote modify store regoin x")
    assert near.code == 2 and "did you mean 'region'?" in near.err
    other = run("remote modify store keyfile x")
    assert "it is an option of ssh, not of s3" in other.err
    done(run("remote modify store region x"))
    assert "cannot set 'region'" in run("remote modify store url /local").err
    done(run("remote add below remote://store/sub"))
    done(run("remote modify below profile x"))
    assert run("remote modify below keyfile x").code == 2
    done(run("remote add dangling remote://nobody/x"))
    done(run("remote modify dangling keyfile x"))


def test_levels_see_the_weaker_ones(run: Ob, project: TestProject) -> None:
    done(run("remote add store s3://bucket"))
    done(run("remote modify --local store access_key_id K"))
    assert done(run("remote list --local")) == ""
    done(run("remote add --local mine s3://other"))
    refused = run("remote modify mine region x")
    assert refused.code == 1 and "use --local" in refused.err
    assert "use --local" in run("remote remove mine").err
    assert "in '.dvc/config.local'" in run("remote rename store mine").err


def test_the_default_remote(run: Ob, project: TestProject) -> None:
    none = run("remote default")
    assert (none.code, none.out) == (1, "No default remote set\n")
    assert run("remote default --json").json == {"name": None}
    assert "Setting 'a' as a default remote." in done(run("remote add -d A /x"))
    done(run("remote default --local a"))
    done(run("remote rename a b"))
    assert "remote = b" in project.read(".dvc/config") and "remote = b" in project.read(".dvc/config.local")
    done(run("remote remove b"))
    assert "remote" not in project.read(".dvc/config") + project.read(".dvc/config.local")


def test_the_default_stays_while_another_file_has_the_remote(run: Ob) -> None:
    done(run("remote add -d a /x"))
    done(run("remote add --local a /y"))
    done(run("remote remove --local a"))
    assert done(run("remote default")) == "a\n"


# Secrets


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_in_the_file_of_the_project_is_warned_of(run: Ob, project: TestProject) -> None:
    done(run("remote add store s3://bucket"))
    ran = run(f"remote modify store secret_access_key {SECRET}")
    assert ran.code == 0 and "is kept in Git" in ran.err and "--local" in ran.err and SECRET not in ran.err
    with_password = run(f"remote add web https://me:{SECRET}@host/p")
    assert "is kept in Git" in with_password.err and SECRET not in with_password.err


def test_a_local_file_with_a_secret_is_private(run: Ob, project: TestProject) -> None:
    done(run("remote add store s3://bucket"))
    done(run("config --local core.autostage true"))
    local = project.root / ".dvc/config.local"
    local.chmod(0o644)
    done(run("config --local core.autostage false"))
    assert mode(local) == 0o644
    ran = run(f"remote modify --local store secret_access_key {SECRET}")
    assert (ran.code, ran.err) == (0, "") and mode(local) == 0o600
    done(run("config --local core.autostage true"))
    assert mode(local) == 0o600
    local.unlink()
    done(run(f"config --local remote.store.session_token {SECRET}"))
    assert mode(local) == 0o600


def test_secrets_are_not_listed_unasked(run: Ob) -> None:
    done(run("remote add --local store s3://bucket"))
    done(run(f"remote modify --local store secret_access_key {SECRET}"))
    done(run(f"remote add --local web https://me:{SECRET}@host/p"))
    done(run(f"config --local studio.token {SECRET}"))
    for line in (
        "config --list",
        "config --list --json",
        "remote list",
        "remote list --json",
        "doctor",
        "doctor --json",
    ):
        ran = run(line)
        assert (SECRET not in ran.out + ran.err and "host/p" in ran.out) or line.startswith("doctor")
    assert "studio.token=***" in run("config --list").out
    assert "https://me:***@host/p" in run("remote list").out
    assert run("config --list --show-secrets").out.count(SECRET) == 3
    assert done(run("config studio.token")) == f"{SECRET}\n"


def test_a_secret_that_git_would_take_is_warned_of(run: Ob, project: TestProject) -> None:
    project.write(".dvc/.gitignore", "/tmp\n")
    ran = run(f"config --local studio.token {SECRET}")
    assert ran.code == 0 and "does not keep it out of Git" in ran.err and "echo /config.local" in ran.err
