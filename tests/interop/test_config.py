"""Configuration: the same commands by `ob` and by DVC leave the same files, and each reads what the other wrote."""

import os
import re
import shlex
from pathlib import Path

import pytest

from interop.peers import PeerProject, assert_same, make_peer_project, twins

pytestmark = pytest.mark.interop

FILES = {"sub/keep.txt": "x\n"}
# (directory, command line, whether it is refused); `ob` and DVC differ in exit codes of failures.
Steps = list[tuple[str, str, bool]]
SCENARIOS: dict[str, Steps] = {
    "remotes": [
        ("", "remote add -d r1 ../store", False),
        ("", "remote add r1 /abs/x", True),
        ("", "remote add -f r1 /abs/x", False),
        ("sub", "remote add MyRem ../../other", False),
        ("", "remote modify r1 jobs 4", False),
        ("sub", "remote modify MyRem url foo/bar", False),
        ("", "remote modify r1 bogus 4", True),
        ("", "remote modify nope url x", True),
        ("", "remote modify r1 jobs 0", True),
        ("", "remote modify r1 jobs abc", True),
        ("", "remote modify -u r1 jobs", False),
        ("", "remote modify -u r1 jobs", False),
        ("", "remote rename r1 second", False),
        ("", "remote rename nope x", True),
        ("", "remote rename second myrem", True),
        ("", "remote default myrem", False),
        ("", "remote default nope", True),
        ("", "remote remove nope", True),
    ],
    "removed": [
        ("", "remote add -d a x", False),
        ("", "remote add b 'a, b'", False),
        ("", "remote add c 'x#y'", False),
        ("", "remote remove a", False),
    ],
    "kinds of urls": [
        ("", "remote add s3r s3://bucket/p", False),
        ("", "remote add sshr ssh://u@h:22/p", False),
        ("", "remote add scp user@host:/path", False),
        ("", "remote add below remote://s3r/x", False),
        ("", "remote add home '~/x'", False),
        ("", "remote add file file:///x/y", False),
        ("", "remote add odd bogus://x", True),
        ("", "remote add rel file://x", True),
        ("", "remote add here .", False),
    ],
    "options of schemes": [
        ("", "remote add s s3://b", False),
        ("sub", "remote modify s credentialpath cred", False),
        ("", "remote modify s configpath '~/c'", False),
        ("", "remote modify s endpointurl http://x", False),
        ("", "remote modify s ssl_verify certs/ca.pem", False),
        ("", "remote modify s user u", True),
        ("", "remote modify s read_timeout x", True),
        ("", "remote add h ssh://x", False),
        ("sub", "remote modify h keyfile kf", False),
        ("", "remote modify h port 22", False),
        ("", "remote modify h port x", True),
        ("", "remote modify h ask_password true", False),
        ("", "remote add w webdavs://h/p", False),
        ("", "remote modify w cert_path certs/x", False),
        ("", "remote add g gs://b", False),
        ("", "remote modify g credentialpath k.json", False),
        ("", "remote add d gdrive://id", False),
        ("", "remote modify d gdrive_service_account_json_file_path k.json", False),
        ("", "remote modify d gdrive_foo x", True),
        ("", "remote add l x", False),
        ("", "remote modify l type symlink", False),
        ("", "remote modify l shared group", False),
        ("", "remote modify l verify maybe", True),
        ("", "remote modify l url s3://x", True),
    ],
    "config": [
        ("", "config core.autostage true", False),
        ("", "config core.autostage maybe", True),
        ("", "config core.bogus 1", True),
        ("", "config bogus.x 1", True),
        ("", "config core 1", True),
        ("", "config cache.type hardlink,symlink", False),
        ("", "config cache.type bogus", True),
        ("", "config cache.shared group", False),
        ("", "config cache.shared other", True),
        ("sub", "config cache.dir x", False),
        ("", "config plots.html_template t.html", False),
        ("", "config hydra.config_dir hd", False),
        ("", "config parsing.bool foo", True),
        ("", "config parsing.list append", False),
        ("", "config exp.git_remote origin", False),
        ("", "config CORE.Check_Update False", False),
        ("", "config -u core.autostage", False),
        ("", "config -u core.autostage", True),
        ("", "config core.site_cache_dir rel", False),
    ],
    "levels": [
        ("", "remote add x /a", False),
        ("", "remote add y /b", False),
        ("", "remote default --local x", False),
        ("", "remote default y", False),
        ("", "remote rename x z", False),
        ("", "remote add --local l s3://b", False),
        ("", "remote modify l region x", True),
        ("", "remote modify --local l region x", False),
        ("", "remote modify --local z jobs 3", False),
        ("", "remote default --global y", True),
        ("sub", "cache dir --local ../elsewhere", False),
        ("", "cache dir --local -u", False),
        ("", "cache dir --local -u", True),
        ("", "remote remove --local l", False),
        ("", "remote remove --local l", True),
    ],
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_files_after_every_step(name: str, tmp_path: Path, dvc: str) -> None:
    ours, theirs = twins(tmp_path, dvc, FILES)
    for directory, line, is_refused in SCENARIOS[name]:
        words = shlex.split(line)
        did = ours.ob(*words, cwd=directory)
        done = theirs.dvc(*words, cwd=directory, code=None)
        assert (did.code != 0, done.code != 0) == (is_refused, is_refused), (line, did, done)
        for file in (".dvc/config", ".dvc/config.local"):
            assert sections_of(ours, file) == sections_of(theirs, file), line


def sections_of(project: PeerProject, file: str) -> list[str]:
    """The sections of a config file; in any order, for DVC puts a renamed one last and `ob` leaves it where it was."""
    text = project.read(file).strip("\n") if project.exists(file) else ""
    return sorted(part.strip("\n") for part in re.split(r"^(?=\[)", text, flags=re.MULTILINE))


def test_global_config(tmp_path: Path, dvc: str) -> None:
    ours, theirs = twins(tmp_path, dvc, FILES)
    for name, project in (("a", ours), ("b", theirs)):
        project.env["DVC_GLOBAL_CONFIG_DIR"] = str(tmp_path / name / "deep")
    for line in ("remote add --global q x", "config --global core.autostage true", "remote default --global q"):
        ours.did(*line.split())
        theirs.dvc(*line.split())
    left, right = ((tmp_path / name / "deep" / "config").read_text() for name in ("a", "b"))
    assert left.replace("/ob/", "/dvc/") == right
    assert "url = ../../" in left


def test_dvc_reads_what_ob_wrote_and_the_other_way_round(tmp_path: Path, dvc: str) -> None:
    project = make_peer_project(tmp_path / "p", dvc, FILES)
    for value in ("plain", "a, b", "x#y", " blank ", "it's", 'a"b', 'it\'s "q"', "x=y", "[x]", "a;b", ""):
        project.did("config", "plots.html_template", value)
        assert project.dvc("config", "plots.html_template").out.removesuffix("\n") == value
        project.dvc("config", "plots.out_dir", value)
        assert project.did("config", "plots.out_dir").out.removesuffix("\n") == value


@pytest.mark.parametrize(
    "text",
    [
        "[core]\nremote = a#b\n",
        "[core]\nremote = a #b\n",
        '[core]\nremote = "a" # junk\n',
        "[core]\nremote = '''a'b\"c'''\n",
        "[core]\nremote = '''a\nb'''\nautostage = true\n",
        "[core]\nremote = a = b\n",
        '[core]\n"remote" = x\n',
        "[ core ] # c\r\nremote = a\r\n",
        "['REMOTE \"X\"']\nURL = a\n[core]\nremote = X\n",
    ],
)
def test_files_of_others_are_read_alike(text: str, tmp_path: Path, dvc: str) -> None:
    project = make_peer_project(tmp_path / "p", dvc, FILES)
    project.write(".dvc/config", text)
    for name in ("core.remote", "core.autostage", "remote.x.url"):
        assert project.did("config", name).out == project.dvc("config", name).out
    left, right = project.did("config", "--list").out, project.dvc("config", "--list").out
    assert sorted(left.splitlines()) == sorted(right.splitlines())


def test_lists_are_alike(tmp_path: Path, dvc: str) -> None:
    ours, theirs = twins(tmp_path, dvc, FILES)
    for project in (ours, theirs):
        project.write(
            ".dvc/config",
            "[core]\n    remote = b\n['remote \"a\"']\n    url = /x\n['remote \"b\"']\n    url = s3://y\n",
        )
    left, right = ours.did("remote", "list").out, theirs.dvc("remote", "list").out
    assert [line.split() for line in left.splitlines()] == [line.split() for line in right.splitlines()]
    assert ours.did("remote", "default").out == theirs.dvc("remote", "default").out
    assert ours.did("cache", "dir").out.replace(str(ours.root), "") == theirs.dvc("cache", "dir").out.replace(
        str(theirs.root), ""
    )
    origin = ("config", "--show-origin", "core.remote")
    assert ours.did(*origin).out.replace("\\", "/") == theirs.dvc(*origin).out
    assert os.path.exists(ours.root / ".dvc/config")
    assert_same(ours, theirs)
