"""Data from elsewhere through the API: what goes wrong, what a stranger's repository may not do, and what is kept."""

import json
import os
import shutil
from pathlib import Path

import pytest

from git_repos import run as git
from offbranch.api.getting import get, get_url, list_url
from offbranch.api.imports import ImportRequest, UpdateRequest, import_path, import_url, update
from offbranch.api.stages import status
from offbranch.api.transfer import fetch, pull, push
from offbranch.base.errors import BadInputError, ConflictError, GitError, NotFoundError, OffbranchError, UsageError
from offbranch.base.events import Warned
from offbranch.experiments.data_remotes import DataScope
from offbranch.experiments.move_data import TransferOptions
from offbranch.experiments.source_repo import RepoSource
from offbranch.storage.hashing import hash_bytes
from projects import Recorder, TestProject, make_project
from servers import http_server

REQUEST = ImportRequest()
ALL, SIMPLY = DataScope(), TransferOptions()


@pytest.fixture
def source(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "source", {"git/a": "g\n", "code.py": "1\n"})
    made.write("data/x", "x\n")
    made.write("data/s/y", "y\n")
    assert made.ob("add", "data").code == 0
    made.commit("data")
    return made


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "project", {})


def place(source: TestProject, rev: str | None = None) -> RepoSource:
    return RepoSource(url=str(source.root), rev=rev)


def test_what_is_in_the_way_stays(project: TestProject, source: TestProject) -> None:
    project.write("data", "mine\n")
    with pytest.raises(ConflictError, match="exists already"):
        import_path(place(source), "data", project.session(), REQUEST)
    assert project.read("data") == "mine\n"
    assert not project.exists("data.dvc")
    import_path(place(source), "data", project.session(), ImportRequest(force=True))
    assert project.read("data/s/y") == "y\n"


def test_no_such_path_revision_repository(project: TestProject, source: TestProject, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as wrong:
        import_path(place(source), "dota", project.session(), REQUEST)
    assert "data" in (wrong.value.hint or "")
    with pytest.raises(NotFoundError):
        import_path(place(source), "dota", project.session(), ImportRequest(download=False))
    with pytest.raises(NotFoundError, match="no revision 'v9'"):
        import_path(place(source, "v9"), "data", project.session(), REQUEST)
    with pytest.raises(GitError):
        import_path(RepoSource(url=f"file://{tmp_path}/nothing"), "data", project.session(), REQUEST)
    with pytest.raises(NotFoundError, match="outside"):
        import_path(place(source), "../secret", project.session(), ImportRequest(out="s"))
    assert not list(project.root.glob("?*.dvc"))


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "nowhere", "git"])
def test_a_link_out_of_a_source_is_not_followed(
    project: TestProject, source: TestProject, tmp_path: Path, target: str
) -> None:
    (tmp_path / "secret").write_text("secret\n")
    (source.root / "git" / "link").symlink_to(target)
    source.commit("link")
    with pytest.raises(BadInputError, match="symbolic link"):
        import_path(place(source), "git", project.session(), REQUEST)
    assert not project.exists("git")


def test_a_link_inside_a_source_is_its_file(project: TestProject, source: TestProject) -> None:
    (source.root / "git" / "link").symlink_to("../data/x")
    (source.root / "git" / "other").symlink_to("a")
    source.commit("link")
    import_path(place(source), "git", project.session(), REQUEST)
    assert (project.root / "git" / "link").read_bytes() == b"x\n"
    assert not (project.root / "git" / "link").is_symlink()
    assert project.read("git/other") == "g\n"


def test_a_listing_of_a_source_that_leads_out_is_refused(project: TestProject, source: TestProject) -> None:
    listing = json.dumps([{"md5": hash_bytes(b"x\n"), "relpath": "../../evil"}]).encode()
    id = f"{hash_bytes(listing)}.dir"
    source.write(f".dvc/cache/files/md5/{id[:2]}/{id[2:]}", listing)
    source.write("bad.dvc", f"outs:\n- md5: {id}\n  hash: md5\n  path: bad\n")
    source.commit("bad")
    with pytest.raises(OffbranchError):
        import_path(place(source), "bad", project.session(), REQUEST)
    assert not project.exists("bad")
    assert not (project.root.parent / "evil").exists()


def test_urls_that_look_like_options_or_programs_are_refused(project: TestProject) -> None:
    for url in ("--upload-pack=touch evil", "ext::sh -c touch% evil"):
        with pytest.raises(OffbranchError):
            import_path(RepoSource(url=url), "data", project.session(), REQUEST)
    assert not project.exists("evil")


def test_imports_are_fetched_from_their_source_and_never_pushed(
    project: TestProject, source: TestProject, tmp_path: Path
) -> None:
    import_path(place(source), "data", project.session(), REQUEST)
    import_path(place(source), "git", project.session(), ImportRequest(download=False))
    shutil.rmtree(project.root / ".dvc" / "cache")
    shutil.rmtree(project.root / "data")
    assert fetch(ALL, project.session(), SIMPLY).n_objects == 3 + 2
    moved = pull(ALL, project.session(), SIMPLY)
    assert not moved.problems
    assert project.read("data/s/y") == "y\n"
    assert project.read("git/a") == "g\n"
    project.write(".dvc/config", f"[core]\n    remote = r\n['remote \"r\"']\n    url = {tmp_path}/store\n")
    assert push(ALL, project.session(), SIMPLY).n_objects == 0


def test_what_a_source_has_lost_is_a_problem_by_name(project: TestProject, source: TestProject) -> None:
    import_path(place(source), "data", project.session(), REQUEST)
    for made in (project, source):
        shutil.rmtree(made.root / ".dvc" / "cache")
    shutil.rmtree(project.root / "data")
    (problem,) = fetch(ALL, project.session(), SIMPLY).problems
    assert problem.paths == ("data",)
    assert "neither in a cache of this machine nor" in problem.error.message


def test_status_of_a_source_that_is_gone_is_a_warning(project: TestProject, source: TestProject) -> None:
    import_path(place(source), "data", project.session(), REQUEST)
    shutil.rmtree(source.root)
    recorder = Recorder()
    assert status([], project.session(recorder), updates=True) == ()
    assert any("cannot tell whether 'data.dvc'" in event.text for event in recorder.of(Warned))


def test_update_of_what_is_no_import(project: TestProject, source: TestProject) -> None:
    project.write("own", "own\n")
    assert project.ob("add", "own").code == 0
    with pytest.raises(UsageError, match="imports nothing"):
        update(["own.dvc"], project.session(), UpdateRequest())
    assert update(["."], project.session(), UpdateRequest(recursive=True)) == ()


def test_update_keeps_comments(project: TestProject, source: TestProject) -> None:
    import_path(place(source), "git", project.session(), REQUEST)
    project.write("git.dvc", "# ours\n" + project.read("git.dvc"))
    source.write("git/b", "new\n")
    commit = source.commit("more")
    (done,) = update(["git.dvc"], project.session(), UpdateRequest())
    assert done.changed
    assert project.read("git.dvc").startswith("# ours\n")
    assert commit in project.read("git.dvc")
    assert project.read("git/b") == "new\n"
    assert not update(["git.dvc"], project.session(), UpdateRequest())[0].changed


def test_a_url_import_comes_back_from_the_url_when_there_is_no_remote(project: TestProject, tmp_path: Path) -> None:
    (tmp_path / "ext").mkdir()
    (tmp_path / "ext" / "f").write_text("f\n")
    import_url("../ext", project.session(), REQUEST)
    shutil.rmtree(project.root / ".dvc" / "cache")
    shutil.rmtree(project.root / "ext")
    assert not pull(ALL, project.session(), SIMPLY).problems
    assert project.read("ext/f") == "f\n"
    shutil.rmtree(project.root / ".dvc" / "cache")
    (tmp_path / "ext" / "f").write_text("other\n")
    (problem,) = fetch(ALL, project.session(), SIMPLY).problems
    assert "no longer what 'ext.dvc' records" in problem.error.message


def test_urls_of_web_servers(project: TestProject) -> None:
    with http_server() as web:
        web.files["/d/a.txt"] = b"hello\n"
        import_url(f"{web.address}/d/a.txt", project.session(), REQUEST)
        assert project.read("a.txt") == "hello\n"
        with pytest.raises(NotFoundError, match="nothing at"):
            import_url(f"{web.address}/d/none", project.session(), REQUEST)
        with pytest.raises(UsageError, match="no name"):
            import_url(web.address, project.session(), REQUEST)
        assert [entry.path for entry in list_url(f"{web.address}/d/a.txt", project.session())] == ["a.txt"]
        got = get_url(f"{web.address}/d/a.txt", project.session(), out="copy")
        assert project.read("copy") == "hello\n"
        assert got.content.size == 6
    assert not list(project.root.glob(".ob-tmp-*"))


def test_get_needs_no_project(source: TestProject, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    plain = TestProject(tmp_path / "plain")
    get(place(source), "data", plain.session())
    get(place(source), "code.py", plain.session(), out="mine.py")
    assert plain.read("data/s/y") == "y\n"
    assert plain.read("mine.py") == "1\n"
    assert os.access(plain.root / "data" / "x", os.W_OK)
    with pytest.raises(ConflictError):
        get(place(source), "data", plain.session())
    assert sorted(path.name for path in plain.root.iterdir()) == ["data", "mine.py"]


def test_get_of_a_bare_repository(source: TestProject, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(source.root), "bare.git")
    plain = TestProject(tmp_path)
    get(RepoSource(url=str(tmp_path / "bare.git")), "git", plain.session())
    assert plain.read("git/a") == "g\n"
    with pytest.raises(OffbranchError, match="neither in a cache"):
        get(RepoSource(url=str(tmp_path / "bare.git")), "data", plain.session())


def test_list_url_of_a_directory(tmp_path: Path, project: TestProject) -> None:
    (tmp_path / "ext" / "s" / "t").mkdir(parents=True)
    (tmp_path / "ext" / "s" / "t" / "x").write_text("x\n")
    (tmp_path / "ext" / "f").write_text("f\n")
    session = project.session()
    assert [(one.path, one.is_dir) for one in list_url("../ext", session)] == [("f", False), ("s", True)]
    assert [one.path for one in list_url("../ext", session, recursive=True)] == ["f", "s/t/x"]
    assert [one.path for one in list_url("../ext", session, recursive=True, depth=2)] == ["f", "s/t"]
    done = project.ob("list-url", "../ext", "--json")
    assert [one["path"] for one in done.json] == ["f", "s"]
