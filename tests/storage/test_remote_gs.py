"""Google Cloud Storage as data remote, against a server of its XML dialect."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.remote_files import RemoteFilesContract
from offbranch.base.errors import BadInputError, OffbranchError, RemoteError
from offbranch.storage.remote_files import RemoteFiles, open_files
from offbranch.storage.remote_setting import RemoteSetting
from servers import S3Server, WebServer

TOKEN = json.dumps({"access_token": "token-of-ann", "expires_in": 3600}).encode()


def setting(url: str, **options: str) -> RemoteSetting:
    return RemoteSetting(name="store", scheme="gs", url=url, options=options)


@pytest.fixture(autouse=True)
def no_google_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)


def account(tmp_path: Path, web: WebServer) -> str:
    """Writes a file of credentials whose tokens come from a server of the test."""
    code = (
        "from cryptography.hazmat.primitives.asymmetric import rsa\n"
        "from cryptography.hazmat.primitives import serialization as s\n"
        "key = rsa.generate_private_key(public_exponent=65537, key_size=2048)\n"
        "print(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()).decode())"
    )
    key = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    path = tmp_path / "account.json"
    values = {
        "type": "service_account",
        "client_email": "ann@tests.iam.gserviceaccount.com",
        "private_key": key,
        "token_uri": f"{web.address}/token",
    }
    path.write_text(json.dumps(values))
    return str(path)


class TestGsFiles(RemoteFilesContract):
    """obstore speaks the XML dialect of Google Cloud Storage, which is that of S3; the token only has to be there."""

    @pytest.fixture(autouse=True)
    def server(self, s3: S3Server, web: WebServer) -> None:
        self.s3, self.web = s3, web

    def make(self, tmp_path: Path) -> RemoteFiles:
        return opened(self.s3, f"gs://{self.s3.bucket()}/some/where", tmp_path, self.web)


def opened(server: S3Server, url: str, tmp_path: Path, web: WebServer) -> RemoteFiles:
    web.replies["/token"] = TOKEN
    return open_files(setting(url, endpointurl=server.address, credentialpath=account(tmp_path, web)))


def test_a_bucket_that_is_not_there_is_said(s3: S3Server, tmp_path: Path, web: WebServer) -> None:
    files = opened(s3, "gs://no-such-bucket/x", tmp_path, web)
    for call in (lambda: files.write("a", b"x"), lambda: files.read("a"), lambda: files.find("a")):
        with pytest.raises(RemoteError, match="there is no bucket 'no-such-bucket'"):
            call()


def test_nobody_signs_in_to_an_emulator(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", web.address.partition("://")[2])
    web.files["/b/x/a"] = b"x"
    assert open_files(setting("gs://b/x")).read("a") == b"x"
    assert "Authorization" not in web.requests[0][2]


def test_anybody_may_read_what_is_public(web: WebServer) -> None:
    web.files["/b/x/a"] = b"x"
    assert open_files(setting("gs://b/x", endpointurl=web.address, allow_anonymous_login="true")).read("a") == b"x"
    assert "Authorization" not in web.requests[0][2]


def test_a_token_is_asked_for_and_sent(tmp_path: Path, web: WebServer) -> None:
    web.replies["/token"] = TOKEN
    files = open_files(setting("gs://b/x", endpointurl=web.address, credentialpath=account(tmp_path, web)))
    with pytest.raises(OffbranchError):
        files.read("a")
    sent = [headers.get("Authorization") for method, path, headers in web.requests if not path.startswith("/token")]
    assert sent and set(sent) == {"Bearer token-of-ann"}
    assert [path for _, path, _ in web.requests].count("/token") == 1


def test_a_refused_account_is_said(tmp_path: Path, web: WebServer) -> None:
    web.answers = [400] * 10
    files = open_files(setting("gs://b/x", endpointurl=web.address, credentialpath=account(tmp_path, web)))
    with pytest.raises(RemoteError, match="no token") as caught:
        files.read("a")
    assert "credentialpath" in str(caught.value.hint)
    assert "PRIVATE KEY" not in str(caught.value)


@pytest.mark.parametrize("text", [None, "{}", "no json", '{"type": "external_account"}'])
def test_a_file_without_credentials_is_said(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "f.json").write_text(text)
    with pytest.raises(RemoteError, match="credentials") as caught:
        open_files(setting("gs://b/x", credentialpath=str(tmp_path / "f.json"))).find("a")
    assert "credentialpath" in str(caught.value.hint)


def test_no_credentials_at_all_is_said() -> None:
    with pytest.raises(RemoteError, match="there are no credentials") as caught:
        open_files(setting("gs://b/x")).find("a")
    assert "gcloud" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("gs://b/x", {"projectnam": "p"}, r"remote\.store\.projectnam: gs:// remotes have no such option"),
        ("gs://b/x", {"allow_anonymous_login": "si"}, r"allow_anonymous_login: expected true or false"),
        ("gs://b/x", {"endpointurl": "host"}, r"endpointurl: expected a url"),
        ("gs://", {}, r"names no bucket"),
    ],
)
def test_options_that_make_no_sense_are_refused(url: str, options: dict[str, str], said: str) -> None:
    with pytest.raises((BadInputError, RemoteError), match=said):
        open_files(setting(url, **options))
