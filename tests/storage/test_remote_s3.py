"""S3 as data remote, against a server of S3."""

import base64
import urllib.parse
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.remote_files import RemoteFilesContract, downloaded, keys
from offbranch.base.errors import BadInputError, MissingDataError, OffbranchError, RemoteError
from offbranch.base.paths import AbsPath
from offbranch.storage.remote_files import RemoteFiles, open_files
from offbranch.storage.remote_setting import RemoteSetting
from servers import S3Server, WebServer, s3_server

SECRET = "wJalrXUtnFEMI-SECRET"


def setting(url: str, **options: str) -> RemoteSetting:
    return RemoteSetting(name="store", scheme="s3", url=url, options=options)


def opened(server: S3Server, url: str = "", **options: str) -> RemoteFiles:
    return open_files(setting(url or f"s3://{server.bucket()}/some/where", **{**server.options, **options}))


@pytest.fixture(autouse=True)
def no_aws_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


class TestS3Files(RemoteFilesContract):
    @pytest.fixture(autouse=True)
    def server(self, s3: S3Server) -> None:
        self.s3 = s3

    def make(self, tmp_path: Path) -> RemoteFiles:
        return opened(self.s3)


class TestWholeBucket(TestS3Files):
    def make(self, tmp_path: Path) -> RemoteFiles:
        return opened(self.s3, f"s3://{self.s3.bucket()}")


def test_versions_are_named_and_read(s3: S3Server) -> None:
    files = opened(s3, f"s3://{s3.bucket(versioned=True)}/data")
    first = files.write("a", b"one")
    second = files.write("a", b"three")
    assert first.version and second.version and first.version != second.version
    assert files.find("a") == second
    assert files.find("a", version=first.version) == first
    assert files.read("a") == b"three"
    assert files.read("a", version=first.version) == b"one"
    parts: list[bytes] = []
    files.download("a", parts.append, version=first.version)
    assert parts == [b"one"]
    files.remove(["a"])
    assert files.find("a") is None
    assert files.read("a", version=second.version) == b"three"


def test_a_url_may_be_one_file(s3: S3Server) -> None:
    bucket = s3.bucket()
    opened(s3, f"s3://{bucket}").write("some/file", b"x")
    files = opened(s3, f"s3://{bucket}/some/file")
    found = files.find("")
    assert found is not None and found.size == 1
    assert files.read("") == b"x"
    assert opened(s3, f"s3://{bucket}").find("") is None


def test_marks_of_folders_are_no_files(s3: S3Server) -> None:
    bucket = s3.bucket()
    for key in ("top/", "top/d/", "top/d/e/f"):
        s3.ask("PUT", f"/{bucket}/{key}", b"x" if key.endswith("f") else b"")
    assert keys(opened(s3, f"s3://{bucket}/top"), "") == ["d/e/f"]
    assert keys(opened(s3, f"s3://{bucket}/top"), "d") == ["d/e/f"]


def test_more_files_than_a_page_are_listed_and_removed(s3: S3Server) -> None:
    bucket = s3.bucket()
    for n in range(1100):
        s3.ask("PUT", f"/{bucket}/d/{n}", b"")
    files = opened(s3, f"s3://{bucket}")
    found = keys(files, "d")
    assert len(found) == 1100
    files.remove(found)
    assert keys(files, "") == []


def test_an_upload_that_breaks_leaves_nothing(s3: S3Server, tmp_path: Path) -> None:
    bucket = s3.bucket()
    files = opened(s3, f"s3://{bucket}")
    source = tmp_path / "big"
    source.write_bytes(bytes(20_000_000))

    def stop(n_bytes: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.upload(AbsPath(str(source)), "big", on_bytes=stop)
    assert files.find("big") is None
    uploads = ElementTree.fromstring(s3.ask("GET", f"/{bucket}?uploads")[1])
    assert [part for part in uploads.iter() if part.tag.endswith("UploadId")] == []


def test_a_bucket_that_is_not_there_is_said(s3: S3Server, tmp_path: Path) -> None:
    source = tmp_path / "f"
    source.write_bytes(b"x")
    calls = (
        lambda files: files.find("a"),
        lambda files: files.read("a"),
        lambda files: files.write("a", b"x"),
        lambda files: files.upload(AbsPath(str(source)), "a"),
        lambda files: list(files.iter_files("")),
    )
    for call in calls:
        with pytest.raises(RemoteError, match="there is no bucket 'no-such-bucket'") as caught:
            call(opened(s3, "s3://no-such-bucket/x"))
        assert not caught.value.is_transient
        assert "endpointurl" in str(caught.value.hint)


def test_names_that_cannot_be_kept_are_refused(s3: S3Server) -> None:
    with pytest.raises(RemoteError, match="failed"):
        opened(s3).write("a//b", b"x")


def test_nobody_there_is_transient() -> None:
    files = open_files(
        setting("s3://b/x", endpointurl="http://127.0.0.1:1", access_key_id="AKID", secret_access_key=SECRET)
    )
    with pytest.raises(RemoteError, match="'store' failed: connection refused") as caught:
        files.find("a")
    assert caught.value.is_transient
    assert "endpointurl" in str(caught.value.hint)


@pytest.fixture(scope="module")
def strict() -> Iterator[tuple[S3Server, dict[str, str]]]:
    """A server that checks signatures, and a user whose key it knows."""

    def iam(server: S3Server, **values: str) -> str:
        data = urllib.parse.urlencode({"Version": "2010-05-08", **values}).encode()
        auth = S3Server.SIGNED.format("iam")
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return server.ask("POST", "/", data, Authorization=auth, **kind)[1].decode()

    with s3_server() as server:
        iam(server, Action="CreateUser", UserName="ann")
        policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
        iam(server, Action="PutUserPolicy", UserName="ann", PolicyName="all", PolicyDocument=policy)
        made = iam(server, Action="CreateAccessKey", UserName="ann")
        key = made.split("<AccessKeyId>")[1].split("<")[0]
        secret = made.split("<SecretAccessKey>")[1].split("<")[0]
        server.bucket_name = server.bucket()  # type: ignore[attr-defined]
        server.ask("POST", "/moto-api/reset-auth", b"0")
        yield server, {"access_key_id": key, "secret_access_key": secret}


def at(strict: tuple[S3Server, dict[str, str]], **options: str) -> RemoteFiles:
    server, _ = strict
    url = f"s3://{server.bucket_name}/x"  # type: ignore[attr-defined]
    return open_files(setting(url, endpointurl=server.address, region="us-east-1", **options))


def test_signatures_are_right(strict: tuple[S3Server, dict[str, str]]) -> None:
    files = at(strict, **strict[1])
    # For odd names and for listing moto computes another signature than S3; the contract has them, unchecked.
    files.write("a/b-c.txt", b"x")
    assert downloaded(files, "a/b-c.txt") == b"x"


@pytest.mark.parametrize("wrong", ["key", "secret"])
def test_wrong_credentials_are_refused_and_never_shown(strict: tuple[S3Server, dict[str, str]], wrong: str) -> None:
    options: dict[str, Any] = {
        "key": {"access_key_id": "AKIAWRONGWRONGWRONG0", "secret_access_key": SECRET},
        "secret": {**strict[1], "secret_access_key": SECRET},
    }[wrong]
    files = at(strict, **options)
    for call in (
        lambda: files.write("a", b"x"),
        lambda: files.read("a"),
        lambda: list(files.iter_files("")),
        lambda: files.find("a"),
    ):
        with pytest.raises(RemoteError, match="'store' failed: the server answered 403") as caught:
            call()
        assert not caught.value.is_transient
        assert "access_key_id" in str(caught.value.hint)
        shown = f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
        assert SECRET not in shown
        assert not any(len(value) > 8 and value in shown for value in options.values())


def test_a_profile_is_found_as_the_aws_tools_do(
    strict: tuple[S3Server, dict[str, str]], tmp_path: Path, pinned_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, secret = strict[1]["access_key_id"], strict[1]["secret_access_key"]
    lines = f"aws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
    (pinned_environment / ".aws").mkdir()
    (pinned_environment / ".aws" / "credentials").write_text(f"[default]\n{lines}[other]\n{lines}")
    (tmp_path / "mine").write_text(f"[mine]\n{lines}")
    at(strict).write("a", b"x")
    at(strict, profile="other").write("a", b"x")
    at(strict, profile="mine", credentialpath=str(tmp_path / "mine")).write("a", b"x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    (pinned_environment / ".aws" / "credentials").unlink()
    at(strict).write("a", b"x")
    with pytest.raises(RemoteError, match=r"no credentials.*nobody") as caught:
        at(strict, profile="nobody").write("a", b"x")
    assert "profile" in str(caught.value.hint)


def test_a_profile_may_say_where_the_service_is(s3: S3Server, tmp_path: Path, pinned_environment: Path) -> None:
    (pinned_environment / ".aws").mkdir()
    (pinned_environment / ".aws" / "config").write_text(
        "[profile p]\naws_access_key_id = AKID\naws_secret_access_key = x\nregion = eu-west-1\n"
        f"endpoint_url = {s3.address}\n"
    )
    files = open_files(setting(f"s3://{s3.bucket()}/x", profile="p"))
    files.write("a", b"x")
    assert keys(files, "") == ["a"]


def test_no_credentials_at_all_is_said() -> None:
    with pytest.raises(RemoteError, match="there are no credentials") as caught:
        open_files(setting("s3://b/x", endpointurl="http://127.0.0.1:1")).find("a")
    assert "access_key_id" in str(caught.value.hint)


def test_a_session_token_of_the_environment_belongs_to_its_key_only(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of another key")
    files = opened(s3)
    files.write("a", b"x")
    assert files.read("a") == b"x"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"acl": "public-read"}, r"remote\.store\.acl: access control lists cannot be set"),
        ({"grant_read": "id=1"}, r"remote\.store\.grant_read: access control"),
        ({"regoin": "x"}, r"remote\.store\.regoin: s3:// remotes have no such option"),
        ({"sse": "rot13"}, r"remote\.store\.sse: expected AES256 or"),
        ({"sse_customer_key": "short"}, r"expected a key of 32 bytes"),
        ({"sse_customer_algorithm": "AES256"}, r"needs sse_customer_key"),
        ({"sse_customer_key": "k" * 32, "sse": "AES256"}, r"excludes sse"),
        ({"sse_customer_key": "k" * 32, "sse_customer_algorithm": "DES"}, r"expected AES256"),
        ({"ssl_verify": "/no/such/file.pem"}, r"ssl_verify: expected true, false or a file"),
        ({"read_timeout": "soon"}, r"read_timeout: expected a number"),
        ({"connect_timeout": "0"}, r"connect_timeout: expected seconds"),
        ({"use_ssl": "perhaps"}, r"use_ssl: expected true or false"),
        ({"endpointurl": "http://"}, r"endpointurl: expected a url"),
        ({"endpointurl": "http://[::bad"}, r"endpointurl: expected a url"),
    ],
)
def test_options_that_cannot_be_honoured_are_refused_when_opened(options: dict[str, str], said: str) -> None:
    with pytest.raises(BadInputError, match=said) as caught:
        open_files(setting("s3://b/x", **options))
    assert "k" * 32 not in str(caught.value)


def test_half_a_key_is_refused() -> None:
    with pytest.raises(BadInputError, match="secret_access_key: access_key_id and secret_access_key go together"):
        open_files(setting("s3://b/x", access_key_id="a")).find("a")


def test_a_url_without_bucket_is_refused() -> None:
    with pytest.raises(OffbranchError, match="names no bucket"):
        open_files(setting("s3://"))


@pytest.mark.parametrize("key", ["k" * 32, base64.b64encode(b"k" * 32).decode()])
def test_a_customer_key_is_taken_as_it_is_or_in_base64(s3: S3Server, key: str) -> None:
    files = opened(s3, sse_customer_key=key, sse_customer_algorithm="AES256")
    files.write("a", b"x")
    assert files.read("a") == b"x"


def test_encryption_is_asked_for(s3: S3Server) -> None:
    bucket = s3.bucket()
    opened(s3, f"s3://{bucket}", sse="AES256").write("a", b"x")
    opened(s3, f"s3://{bucket}", sse="aws:kms", sse_kms_key_id="key-of-tests").write("b", b"x")
    found = {}
    for name in ("a", "b"):
        headers, _ = s3.ask("HEAD", f"/{bucket}/{name}", Authorization=S3Server.SIGNED.format("s3"))
        kind = "x-amz-server-side-encryption"
        found[name] = (headers.get(kind), headers.get(f"{kind}-aws-kms-key-id"))
    assert found == {"a": ("AES256", None), "b": ("aws:kms", "key-of-tests")}


def test_a_missing_version_is_missing_data(s3: S3Server) -> None:
    files = opened(s3, f"s3://{s3.bucket(versioned=True)}")
    files.write("a", b"x")
    with pytest.raises((MissingDataError, RemoteError)):
        files.read("a", version="0" * 32)


@pytest.mark.parametrize("status", [301, 400])
def test_the_region_of_a_bucket_is_found_out(web: WebServer, status: int) -> None:
    web.files.update({"/b": b"", "/b/x/a": b"data"})
    web.headers = lambda content: {"x-amz-bucket-region": "eu-west-3"}
    files = open_files(setting("s3://b/x", endpointurl=web.address, access_key_id="AKID", secret_access_key=SECRET))
    web.answers = [status]
    found = files.find("a")
    assert found is not None and found.size == 4
    assert files.read("a") == b"data"
    regions = [headers.get("Authorization", "").split("/")[2:3] for _, _, headers in web.requests]
    assert regions == [["us-east-1"], [], ["eu-west-3"], ["eu-west-3"]]


def test_a_bucket_without_region_says_what_to_set(web: WebServer) -> None:
    files = open_files(setting("s3://b/x", endpointurl=web.address, access_key_id="AKID", secret_access_key=SECRET))
    web.answers = [301]
    with pytest.raises(RemoteError) as caught:
        files.find("a")
    assert caught.value.hint == "set region"


def test_nobody_signs_where_everybody_may_read(web: WebServer) -> None:
    web.files["/b/x/a"] = b"data"
    files = open_files(setting("s3://b/x", endpointurl=web.address, allow_anonymous_login="true"))
    assert files.read("a") == b"data"
    assert "Authorization" not in web.requests[0][2]


@pytest.mark.parametrize(
    ("status", "is_transient"), [(503, True), (429, True), (500, True), (403, False), (501, False)]
)
def test_a_busy_server_is_transient_and_asked_once(web: WebServer, status: int, is_transient: bool) -> None:
    web.files["/b/x/a"] = b"data"
    files = open_files(setting("s3://b/x", endpointurl=web.address, access_key_id="AKID", secret_access_key=SECRET))
    web.answers = [status]
    with pytest.raises(RemoteError, match=f"the server answered {status}") as caught:
        files.read("a")
    assert caught.value.is_transient == is_transient
    assert len(web.requests) == 1
    assert files.read("a") == b"data"


def test_a_server_that_does_not_answer_is_transient(web: WebServer) -> None:
    options = {"endpointurl": web.address, "access_key_id": "AKID", "secret_access_key": SECRET, "read_timeout": "0.2"}
    files = open_files(setting("s3://b/x", **options))
    web.hold.clear()
    with pytest.raises(RemoteError, match="timed out") as caught:
        files.read("a")
    assert caught.value.is_transient
    web.hold.set()


def test_an_answer_that_breaks_off_is_transient(web: WebServer) -> None:
    web.files["/b/x/a"] = b"data"
    web.headers = lambda content: {"Content-Length": "100", "Connection": "close"}
    files = open_files(setting("s3://b/x", endpointurl=web.address, access_key_id="AKID", secret_access_key=SECRET))
    with pytest.raises(RemoteError) as caught:
        files.read("a")
    assert caught.value.is_transient
