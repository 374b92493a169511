"""Data remotes that keep versions of files by name: what is sent, recorded and got back, and what goes wrong."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offbranch.api.transfer import push
from offbranch.base.errors import RemoteError
from offbranch.experiments.data_remotes import DataScope
from offbranch.experiments.move_data import Moved, TransferOptions
from offbranch.storage.remote_files import RemoteFiles, open_files
from offbranch.storage.remote_setting import RemoteSetting
from projects import TestProject, make_project
from servers import S3Server, azure_server, s3_server


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def remote_text(s3: S3Server, bucket: str, option: str = "version_aware", name: str = "r") -> str:
    lines = "".join(f"    {key} = {value}\n" for key, value in s3.options.items())
    return f"['remote \"{name}\"']\n    url = s3://{bucket}/p\n    {option} = true\n{lines}"


def files_of(s3: S3Server, bucket: str) -> RemoteFiles:
    return open_files(RemoteSetting(name="", scheme="s3", url=f"s3://{bucket}/p", options=s3.options))


def keys(files: RemoteFiles) -> list[str]:
    return sorted(file.key for file in files.iter_files(""))


@pytest.fixture
def bucket(s3: S3Server) -> str:
    return s3.bucket(versioned=True)


def project(root: Path, s3: S3Server, bucket: str, option: str = "version_aware") -> TestProject:
    made = make_project(root, {"x": "x"}, config="[core]\n    remote = r\n" + remote_text(s3, bucket, option))
    made.write("d/a", "a\n")
    made.write("d/sub/b", "b\n")
    made.write("c", "c\n")
    did(made, "add", "d", "c")
    return made


def did(made: TestProject, *args: str, code: int = 0, cwd: str = "") -> str:
    done = made.ob(*args, cwd=cwd)
    assert done.code == code, f"ob {args}: {done.code}\n{done.out}\n{done.err}"
    return done.out + done.err


def forget(made: TestProject) -> None:
    shutil.rmtree(made.root / "d", ignore_errors=True)
    shutil.rmtree(made.root / ".dvc" / "cache")
    (made.root / "c").unlink(missing_ok=True)


def object_of(made: TestProject, md5: str) -> Path:
    return made.root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]


def test_a_directory_becomes_a_list_of_files(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made, files = project(tmp_path / "p", s3, bucket), files_of(s3, bucket)
    assert "3 files pushed" in did(made, "push")
    assert keys(files) == ["c", "d/a", "d/sub/b"]
    assert files.read("d/sub/b") == b"b\n"
    versions = {key: getattr(files.find(key), "version", None) for key in keys(files)}
    assert made.read("c.dvc") == (
        "outs:\n- md5: 2cd6ee2c70b0bde53fbe6cac3c8b8bb1\n  size: 2\n  hash: md5\n  path: c\n  cloud:\n    r:\n"
        f"      etag: 2cd6ee2c70b0bde53fbe6cac3c8b8bb1\n      version_id: {versions['c']}\n"
    )
    assert made.read("d.dvc").startswith("outs:\n- hash: md5\n  path: d\n  files:\n  - relpath: a\n    md5: 60b725f1")
    for key in ("d/a", "d/sub/b"):
        assert f"        version_id: {versions[key]}\n" in made.read("d.dvc")
    text = made.read("d.dvc")
    assert "up to date" in did(made, "push")
    assert made.read("d.dvc") == text


def test_versions_are_fetched_when_newer_ones_hide_them(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made, files = project(tmp_path / "p", s3, bucket), files_of(s3, bucket)
    did(made, "push")
    files.write("d/a", b"of somebody else\n")
    files.remove(["c"])
    forget(made)
    did(made, "pull")
    assert (made.read("d/a"), made.read("d/sub/b"), made.read("c")) == ("a\n", "b\n", "c\n")
    assert "in sync" in did(made, "status", "-c")


def test_a_part_is_pulled_alone(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made = project(tmp_path / "p", s3, bucket)
    did(made, "push")
    forget(made)
    did(made, "fetch", "d/sub")
    assert object_of(made, "3b5d5c3712955042212316173ccf37be").exists()
    assert not object_of(made, "60b725f10c9c85c70d97880dfe8191b3").exists()


def test_a_changed_directory_keeps_the_versions_of_the_rest(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made = project(tmp_path / "p", s3, bucket)
    did(made, "push")
    rest = made.read("d.dvc").partition("  - relpath: sub/b")[2]
    made.write("d/a", "new\n")
    made.write("d/run", "#!/bin/sh\n").chmod(0o755)
    did(made, "add", "d")
    text = made.read("d.dvc")
    assert text.partition("  - relpath: sub/b")[2] == rest
    assert "  - relpath: run\n    md5: 3e2b31c72181b87149ff995e7202c0e3\n    size: 10\n    isexec: true\n" in text
    assert text.count("cloud:") == 1 and "nfiles" not in text
    assert "2 files pushed" in did(made, "push")
    assert made.read("d.dvc").count("version_id:") == 3 and "isexec: true" in made.read("d.dvc")


def test_a_bucket_without_versions_is_refused_and_left_as_it_was(tmp_path: Path, s3: S3Server) -> None:
    bucket = s3.bucket()
    made, files = project(tmp_path / "p", s3, bucket), files_of(s3, bucket)
    before = made.read("d.dvc"), made.read("c.dvc")
    told = did(made, "push", code=12)
    assert f"the bucket '{bucket}' of the data remote 'r' keeps no versions" in told
    assert "--unset version_aware" in told
    assert keys(files) == []
    files.write("c", b"precious")
    for key in ("d/a", "d/sub/b"):
        files.write(key, b"precious")
    did(made, "push", code=12)
    assert [files.read(key) for key in keys(files)] == [b"precious"] * 3
    assert (made.read("d.dvc"), made.read("c.dvc")) == before


def test_a_bucket_whose_versions_were_switched_off_loses_nothing(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    text = '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Suspended</Status>'
    s3.ask("PUT", f"/{bucket}?versioning", f"{text}</VersioningConfiguration>".encode())
    made, files = project(tmp_path / "p", s3, bucket), files_of(s3, bucket)
    for key in ("c", "d/a", "d/sub/b"):
        files.write(key, b"precious")
    assert "keeps no versions" in did(made, "push", code=12)
    assert {key: files.read(key) for key in keys(files)} == dict.fromkeys(("c", "d/a", "d/sub/b"), b"precious")


def test_a_container_of_azure_without_versions_is_refused(tmp_path: Path) -> None:
    with azure_server() as azure:
        lines = "".join(f"    {key} = {value}\n" for key, value in azure.options.items())
        url = f"azure://{azure.container()}/p"
        config = f"[core]\n    remote = r\n['remote \"r\"']\n    url = {url}\n    version_aware = true\n"
        made = make_project(tmp_path / "p", {"x": "x"}, config=config + lines)
        made.write("c", "c\n")
        did(made, "add", "c")
        assert "keeps no versions" in did(made, "push", code=12)
        assert "cloud" not in made.read("c.dvc")


def test_what_a_stage_needs_is_pulled_by_version(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made = project(tmp_path / "p", s3, bucket)
    made.write("dvc.yaml", "stages:\n  t:\n    cmd: mkdir o && cp d/a o/x\n    deps: [d]\n    outs: [o]\n")
    did(made, "repro")
    did(made, "push")
    lock = made.read("dvc.lock")
    forget(made)
    shutil.rmtree(made.root / "o")
    did(made, "repro", "--pull")
    assert made.read("o/x") == "a\n"
    assert made.read("dvc.lock") == lock
    did(made, "repro", "-f")
    assert made.read("dvc.lock") == lock
    made.write("d/a", "other\n")
    did(made, "repro")
    assert "cloud" not in made.read("dvc.lock") and "nfiles: 1" in made.read("dvc.lock")
    assert "cloud" in made.read("d.dvc")


def test_objects_of_dvc_2_have_versions_too(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made = make_project(tmp_path / "p", {"x": "x"}, config="[core]\n    remote = r\n" + remote_text(s3, bucket))
    md5 = "dd8c6a395b5dd36c56d23275028f526c"
    made.write("w.dvc", f"outs:\n- md5: {md5}\n  size: 6\n  path: w\n")
    made.write(f".dvc/cache/{md5[:2]}/{md5[2:]}", b"a\r\nb\r\n").chmod(0o444)
    did(made, "push")
    assert "version_id" in made.read("w.dvc")
    shutil.rmtree(made.root / ".dvc" / "cache")
    did(made, "pull")
    assert (made.root / "w").read_bytes() == b"a\r\nb\r\n"


@pytest.mark.parametrize("url", ["/tmp/nowhere", "ssh://host/p", "https://host/p", "gs://bucket/p"])
@pytest.mark.parametrize("option", ["version_aware", "worktree"])
def test_other_kinds_of_remotes_are_refused(tmp_path: Path, url: str, option: str) -> None:
    config = f"[core]\n    remote = r\n['remote \"r\"']\n    url = {url}\n    {option} = true\n"
    made = make_project(tmp_path / "p", {"x": "x"}, config=config)
    made.write("c", "c\n")
    did(made, "add", "c")
    for command in (("push",), ("fetch",), ("status", "-c")):
        assert f"cannot have '{option}'" in did(made, *command, code=2), command


def test_a_missing_version_is_named(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made = project(tmp_path / "p", s3, bucket)
    did(made, "push")
    text = made.read("c.dvc")
    version = text.rpartition("version_id: ")[2].strip()
    other = "00000000-0000-0000-0000-000000000000"
    made.write("c.dvc", text.replace(version, other))
    forget(made)
    assert f"version '{other}' of 'c' is not at the data remote 'r'" in did(made, "pull", code=1)
    assert made.read("d/a") == "a\n"
    assert "c" in did(made, "status", "-c")


def test_a_version_with_other_content_is_not_taken(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made, files = project(tmp_path / "p", s3, bucket), files_of(s3, bucket)
    did(made, "push")
    text = made.read("c.dvc")
    made.write(
        "c.dvc", text.replace(text.rpartition("version_id: ")[2].strip(), str(files.write("c", b"evil").version))
    )
    forget(made)
    assert "has not the content that is recorded" in did(made, "fetch", code=1)
    assert not object_of(made, "2cd6ee2c70b0bde53fbe6cac3c8b8bb1").exists()


def test_only_what_arrived_is_recorded(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made, files = project(tmp_path / "p", s3, bucket), files_of(s3, bucket)
    bad = object_of(made, "60b725f10c9c85c70d97880dfe8191b3")
    bad.chmod(0o644)
    bad.write_bytes(b"rotten\n")
    bad.chmod(0o444)
    object_of(made, "2cd6ee2c70b0bde53fbe6cac3c8b8bb1").unlink()
    told = did(made, "push", code=1)
    assert "'c' is neither in the cache nor at the data remote 'r'" in told and "is corrupt" in told
    assert keys(files) == ["d/sub/b"]
    text = made.read("d.dvc")
    assert text.count("cloud:") == 1 and "relpath: a\n    md5: 60b725f10c9c85c70d97880dfe8191b3\n" in text
    assert "cloud" not in made.read("c.dvc")
    did(made, "commit", "-f")
    assert "2 files pushed" in did(made, "push")
    assert made.read("d.dvc").count("version_id:") == 2


def test_a_push_whose_record_was_lost_sends_nothing_again(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made = project(tmp_path / "p", s3, bucket)
    before = {name: made.read(name) for name in ("d.dvc", "c.dvc")}
    did(made, "push")
    after = {name: made.read(name) for name in before}
    for name, text in before.items():
        made.write(name, text)
    assert "up to date" in did(made, "push")
    assert {name: made.read(name) for name in before} == after


def test_a_large_file_goes_in_parts(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made = project(tmp_path / "p", s3, bucket)
    made.write("big", os.urandom(1024) * (9 << 10))
    did(made, "add", "big")
    text = (made.root / "big").read_bytes()
    did(made, "push")
    assert "version_id" in made.read("big.dvc")
    (made.root / "big").unlink()
    shutil.rmtree(made.root / ".dvc" / "cache")
    did(made, "pull", "big")
    assert (made.root / "big").read_bytes() == text


def test_worktree_mirrors_deletions_and_leaves_what_is_foreign(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made, files = project(tmp_path / "p", s3, bucket, "worktree"), files_of(s3, bucket)
    files.write("d/foreign", b"not ours")
    did(made, "push")
    version = getattr(files.find("d/a"), "version", None)
    made.commit()
    (made.root / "d" / "a").unlink()
    did(made, "add", "d")
    did(made, "push")
    assert keys(files) == ["c", "d/foreign", "d/sub/b"]
    assert files.read("d/a", version=version) == b"a\n"
    # Somebody else's new content under a name of ours is theirs.
    files.write("d/sub/b", b"theirs")
    (made.root / "d" / "sub" / "b").unlink()
    made.write("d/n", "n\n")
    did(made, "add", "d")
    did(made, "push")
    assert keys(files) == ["c", "d/foreign", "d/n", "d/sub/b"]


def test_worktree_makes_an_older_revision_current_again(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made, files = project(tmp_path / "p", s3, bucket, "worktree"), files_of(s3, bucket)
    did(made, "push")
    made.commit()
    made.write("c", "second\n")
    did(made, "add", "c")
    did(made, "push")
    assert files.read("c") == b"second\n"
    made.git("checkout", "-q", "c.dvc")
    did(made, "checkout")
    assert "1 file pushed" in did(made, "push")
    assert files.read("c") == b"c\n"


def test_other_revisions_are_fetched_and_not_recorded(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made = project(tmp_path / "p", s3, bucket)
    did(made, "push")
    made.commit()
    made.git("checkout", "-qb", "other")
    made.write("c", "unpushed\n")
    did(made, "add", "c")
    made.commit()
    made.git("checkout", "-q", "main")
    did(made, "checkout")
    assert "'c' of another revision has no version" in did(made, "push", "-a", code=1)
    made.git("checkout", "-q", "other")
    did(made, "checkout")
    did(made, "push")
    made.commit()
    forget(made)
    did(made, "fetch", "-a")
    made.git("checkout", "-q", "main")
    did(made, "checkout")
    assert made.read("c") == "c\n"
    assert did(made, "diff", "other", "main", "--json").count('"c"') == 1


def test_status_tells_what_is_where(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made = project(tmp_path / "p", s3, bucket)
    assert json.loads(did(made, "status", "-c", "--json"))["c"] == "new"
    did(made, "push")
    forget(made)
    assert set(json.loads(did(made, "status", "-c", "--json")).values()) == {"deleted"}


def test_records_below_a_directory_and_with_comments_stay(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made = make_project(tmp_path / "p", {"sub/x": "x"}, config="[core]\n    remote = r\n" + remote_text(s3, bucket))
    made.write("sub/d/a", "a\n")
    did(made, "add", "d", cwd="sub")
    made.write("sub/d.dvc", "# mine\n" + made.read("sub/d.dvc"))
    did(made, "push")
    assert keys(files_of(s3, bucket)) == ["sub/d/a"]
    assert made.read("sub/d.dvc").startswith("# mine\n") and "version_id" in made.read("sub/d.dvc")
    shutil.rmtree(made.root / "sub" / "d")
    shutil.rmtree(made.root / ".dvc" / "cache")
    did(made, "pull")
    assert made.read("sub/d/a") == "a\n"


@pytest.mark.parametrize("name", ["../out", "/etc/x", "a/../../b", ""])
def test_a_list_that_leads_out_is_refused(tmp_path: Path, s3: S3Server, bucket: str, name: str) -> None:
    made = project(tmp_path / "p", s3, bucket)
    md5 = "60b725f10c9c85c70d97880dfe8191b3"
    made.write("d.dvc", f"outs:\n- hash: md5\n  path: d\n  files:\n  - relpath: '{name}'\n    md5: {md5}\n")
    for command in ("pull", "checkout", "status"):
        told = did(made, command, code=1)
        assert "d.dvc" in told and "outs[0].files" in told, command


def test_what_needs_objects_is_refused(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made = project(tmp_path / "p", s3, bucket)
    made.write("e", "e\n")
    assert "keeps files by their names" in did(made, "add", "--to-remote", "e", code=2)
    assert "no run-cache" in did(made, "push", "--run-cache")


class Breaking:
    """Files of a remote whose uploads fail as told: by number, from 1."""

    def __init__(self, files: RemoteFiles, failures: dict[int, BaseException]) -> None:
        self.files, self.failures, self.n_uploads = files, failures, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.files, name)

    def upload(self, *args: Any, **kwargs: Any) -> Any:
        self.n_uploads += 1
        if (error := self.failures.get(self.n_uploads)) is not None:
            raise error
        return self.files.upload(*args, **kwargs)


def break_uploads(monkeypatch: pytest.MonkeyPatch, failures: dict[int, BaseException]) -> list[Breaking]:
    made: list[Breaking] = []

    def opened(setting: RemoteSetting) -> Any:
        made.append(Breaking(open_files(setting), failures))
        return made[-1]

    monkeypatch.setattr("offbranch.storage.connections.open_files", opened)
    monkeypatch.setattr("offbranch.storage.parallel.Stop.sleep", lambda self, seconds: None)
    return made


def push_here(made: TestProject) -> Moved:
    return push(DataScope(), made.session(), TransferOptions(jobs=1))


def test_an_interrupted_push_records_what_has_arrived(
    tmp_path: Path, s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(tmp_path / "p", s3, bucket)
    break_uploads(monkeypatch, {3: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        push_here(made)
    monkeypatch.undo()
    texts = made.read("d.dvc") + made.read("c.dvc")
    assert texts.count("version_id:") == 2 and texts.count("md5: ") == 3
    assert "1 file pushed" in did(made, "push")
    assert (made.read("d.dvc") + made.read("c.dvc")).count("version_id:") == 3


def test_a_failure_that_goes_away_is_tried_again(
    tmp_path: Path, s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(tmp_path / "p", s3, bucket)
    busy = RemoteError("busy", is_transient=True)
    breaking = break_uploads(monkeypatch, {1: busy, 3: busy, 4: busy})
    moved = push_here(made)
    assert (moved.n_objects, moved.problems, breaking[0].n_uploads) == (3, (), 6)


def test_a_file_that_is_refused_is_not_recorded_and_the_rest_is(
    tmp_path: Path, s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(tmp_path / "p", s3, bucket)
    break_uploads(monkeypatch, {2: RemoteError("forbidden")})
    moved = push_here(made)
    assert (moved.n_objects, [one.paths for one in moved.problems]) == (2, [("d/a",)])
    assert made.read("d.dvc").count("md5: ") == 2 and made.read("d.dvc").count("cloud:") == 1


def test_a_record_that_changed_meanwhile_is_not_overwritten(
    tmp_path: Path, s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(tmp_path / "p", s3, bucket)
    other = made.read("c.dvc").replace("2cd6ee2c70b0bde53fbe6cac3c8b8bb1", "60b725f10c9c85c70d97880dfe8191b3")

    upload = Breaking.upload

    def editing(self: Breaking, *args: Any, **kwargs: Any) -> Any:
        made.write("c.dvc", other)
        return upload(self, *args, **kwargs)

    break_uploads(monkeypatch, {})
    monkeypatch.setattr(Breaking, "upload", editing)
    push_here(made)
    assert made.read("c.dvc") == other
    assert made.read("d.dvc").count("version_id:") == 2


def test_unused_data_is_removed_and_what_is_listed_stays(tmp_path: Path, s3: S3Server, bucket: str) -> None:
    made = project(tmp_path / "p", s3, bucket)
    did(made, "push")
    made.commit()
    made.write("d/a", "newer\n")
    did(made, "add", "d")
    did(made, "push")
    made.commit()
    for listing in (made.root / ".dvc" / "cache").rglob("*.dir"):
        listing.unlink()
    did(made, "gc", "-A", "-f")
    for md5 in ("60b725f10c9c85c70d97880dfe8191b3", "3b5d5c3712955042212316173ccf37be"):
        assert object_of(made, md5).exists()
    assert "mistake" not in did(made, "fsck")
    did(made, "gc", "-w", "-f")
    assert object_of(made, "3b5d5c3712955042212316173ccf37be").exists()
    assert "keeps files by their names" in did(made, "gc", "-w", "-c", "-f", code=2)
    assert json.loads(did(made, "data", "status", "--json")).get("not_in_cache") is None
