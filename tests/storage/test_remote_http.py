"""Files of a web server as data remote, against a server in this process."""

import base64
import hashlib
import os
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.remote_files import RemoteFilesContract, downloaded
from offbranch.base.errors import BadInputError, RemoteError
from offbranch.base.paths import AbsPath
from offbranch.storage.remote_files import RemoteFiles, open_files
from offbranch.storage.remote_setting import RemoteSetting
from programs import need
from servers import WebServer, http_server

PASSWORD = "hunter22"


def opened(url: str, **options: str) -> RemoteFiles:
    scheme = url.partition("://")[0]
    return open_files(RemoteSetting(name="store", scheme=scheme, url=url, options=options))


@pytest.fixture
def away() -> Iterator[WebServer]:
    """Another server: another port is another place."""
    with http_server() as server:
        yield server


class TestHttpFiles(RemoteFilesContract):
    options: dict[str, str] = {}  # noqa: RUF012
    auth = ""

    @pytest.fixture(autouse=True)
    def server(self, web: WebServer) -> None:
        web.auth = self.auth
        self.web = web

    def make(self, tmp_path: Path) -> RemoteFiles:
        return opened(f"{self.web.address}/some/where", **self.options)


class TestPut(TestHttpFiles):
    options = {"method": "put"}  # noqa: RUF012


class TestBasic(TestHttpFiles):
    auth = "basic"
    options = {"auth": "basic", "user": "ann", "password": PASSWORD}  # noqa: RUF012


class TestDigest(TestHttpFiles):
    auth = "digest"
    options = {"auth": "digest", "user": "ann", "password": PASSWORD}  # noqa: RUF012


class TestCustom(TestHttpFiles):
    auth = "custom"
    options = {"auth": "custom", "custom_auth_header": "X-Token", "password": PASSWORD}  # noqa: RUF012


def test_files_are_sent_as_the_remote_says(web: WebServer, tmp_path: Path) -> None:
    source = tmp_path / "f"
    source.write_bytes(b"x" * 3_000_000)
    for method in ("POST", "PUT"):
        files = opened(f"{web.address}/d?token=t", method=method)
        files.upload(AbsPath(str(source)), "a b/#c")
        sent = web.requests.pop()
        assert sent[:2] == (method, "/d/a%20b/%23c?token=t")
        assert sent[2]["Content-Length"] == "3000000"
        assert web.files.pop("/d/a b/#c") == source.read_bytes()
        files.close()


def test_an_etag_is_kept_as_the_server_writes_it(web: WebServer) -> None:
    web.files["/a"] = b"hello"
    files = opened(f"{web.address}/a")
    web.headers = lambda content: {"ETag": 'W/"tag"', "Content-MD5": "md5"}
    found = files.find("")
    assert found is not None
    assert (found.size, found.etag, found.is_checksum) == (5, 'W/"tag"', False)
    checksum = base64.b64encode(hashlib.md5(b"hello").digest()).decode()
    web.headers = lambda content: {"ETag": "", "Content-MD5": checksum}
    found = files.find("")
    assert found is not None
    assert (found.etag, found.is_checksum) == (checksum, True)
    web.headers = lambda content: {"ETag": ""}
    found = files.find("")
    assert found is not None
    assert (found.etag, found.is_checksum) == (None, False)
    files.close()


def test_a_server_may_know_no_head(web: WebServer) -> None:
    web.files["/a"] = b"hello"
    files = opened(web.address)
    web.answers = [405]
    found = files.find("a")
    assert found is not None and found.size == 5
    web.answers = [501]
    assert files.find("b") is None
    files.close()


def test_connections_are_used_again(web: WebServer) -> None:
    files = opened(web.address)
    for n in range(5):
        files.write(f"{n}", b"x")
        files.read(f"{n}")
        files.find("none")
    assert len({headers["X-Port"] for _, _, headers in web.requests}) == 1
    files.close()


@pytest.mark.parametrize(
    ("status", "is_transient", "hint"),
    [
        (500, True, None),
        (503, True, None),
        (429, True, None),
        (403, False, "password"),
        (405, False, "method"),
        (507, False, "space"),
    ],
)
def test_what_a_server_answers_is_said(web: WebServer, status: int, is_transient: bool, hint: str | None) -> None:
    files = opened(web.address)
    web.answers = [status]
    with pytest.raises(RemoteError, match=rf"'store' failed: the server answered {status} \(.*\) to POST") as caught:
        files.write("a", b"x")
    assert caught.value.is_transient == is_transient
    assert hint is None or hint in str(caught.value.hint)
    files.write("a", b"x")
    assert files.read("a") == b"x"
    files.close()


@pytest.mark.parametrize("kind", ["basic", "digest", "custom"])
def test_wrong_credentials_are_refused_and_never_shown(web: WebServer, kind: str) -> None:
    web.auth = kind
    files = opened(web.address, auth=kind, user="ann", password="wrong-one", custom_auth_header="X-Token")
    for call in (lambda: files.find("a"), lambda: files.read("a"), lambda: files.write("a", b"x")):
        with pytest.raises(RemoteError, match="the server answered 401") as caught:
            call()
        assert not caught.value.is_transient
        assert "password" in str(caught.value.hint)
        assert "wrong-one" not in f"{caught.value} {caught.value.hint}"
    files.close()


def test_credentials_may_be_in_the_url_or_asked_for(web: WebServer) -> None:
    web.auth = "basic"
    files = opened(f"{web.address.replace('://', '://ann:hunter22@')}/x")
    files.write("a", b"x")
    files.close()
    setting = RemoteSetting(
        name="store", scheme="http", url=web.address, options={"user": "ann", "ask_password": "true"}
    )
    files = open_files(setting, ask=lambda prompt: PASSWORD)
    files.write("a", b"x")
    files.close()
    assert "hunter22" not in str([path for _, path, _ in web.requests])


@pytest.mark.parametrize("kind", ["basic", "digest", "custom"])
def test_credentials_never_go_to_another_host(web: WebServer, away: WebServer, kind: str) -> None:
    away.files["/moved"] = b"there"
    files = opened(web.address, auth=kind, user="ann", password=PASSWORD, custom_auth_header="X-Token")
    web.auth = "basic" if kind == "basic" else ""
    web.answers = [f"{away.address}/moved"]
    assert files.read("a") == b"there"
    web.answers = [f"{away.address}/sent"]
    files.write("a", b"x")
    assert away.files["/sent"] == b"x"
    assert len(away.requests) == 2
    for _, path, headers in away.requests:
        assert PASSWORD not in f"{path} {headers}"
        assert "Authorization" not in headers and "X-Token" not in headers
    files.close()


def test_credentials_stay_on_the_same_host(web: WebServer) -> None:
    web.auth = "custom"
    web.files["/moved"] = b"here"
    files = opened(web.address, auth="custom", password=PASSWORD, custom_auth_header="X-Token")
    web.answers = ["/moved"]
    assert files.read("a") == b"here"
    files.close()


def test_a_file_is_sent_again_where_the_server_redirects(web: WebServer, tmp_path: Path) -> None:
    source = tmp_path / "f"
    source.write_bytes(bytes(3_000_000))
    sent: list[int] = []
    files = opened(web.address)
    web.answers = [f"{web.address}/other"]
    files.upload(AbsPath(str(source)), "a", on_bytes=sent.append)
    assert web.files["/other"] == source.read_bytes()
    assert sum(sent) == 3_000_000
    files.close()


def test_redirects_in_circles_end(web: WebServer) -> None:
    files = opened(web.address)
    web.answers = ["/a"] * 30
    with pytest.raises(RemoteError, match="answered 307"):
        files.read("a")
    files.close()


@pytest.mark.parametrize("place", ["file:///etc/passwd", "http://[::bad", "http://127.0.0.1:99999/"])
def test_a_redirect_leads_to_a_web_server_only(web: WebServer, place: str) -> None:
    files = opened(web.address)
    web.answers = [place]
    with pytest.raises(RemoteError, match=r"no web server|cannot be sent"):
        files.read("a")
    files.close()


def test_an_answer_that_breaks_off_is_transient(web: WebServer) -> None:
    web.files["/a"] = b"hello"
    web.headers = lambda content: {"Content-Length": "100", "Connection": "close"}
    files = opened(web.address)
    with pytest.raises(RemoteError, match="the connection broke") as caught:
        files.read("a")
    assert caught.value.is_transient
    files.close()


def test_a_server_that_does_not_answer_is_transient(web: WebServer) -> None:
    files = opened(web.address, read_timeout="0.2")
    web.hold.clear()
    with pytest.raises(RemoteError, match="does not answer in time") as caught:
        files.find("a")
    assert caught.value.is_transient
    assert "read_timeout" in str(caught.value.hint)
    web.hold.set()
    files.close()


def test_nobody_there_is_transient() -> None:
    files = opened("http://ann:hunter22@127.0.0.1:1/x")
    with pytest.raises(RemoteError, match="'store' failed: connection refused") as caught:
        files.find("a")
    assert caught.value.is_transient
    assert "hunter22" not in str(caught.value)
    files.close()


def test_certificates_are_checked(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    make = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run([need("openssl"), *make, *subject], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with http_server(tls=context) as web:
        files = opened(web.address)
        with pytest.raises(RemoteError, match=r"the certificate of the server is not trusted: self.signed") as caught:
            files.find("a")
        assert not caught.value.is_transient
        assert "ssl_verify" in str(caught.value.hint)
        files.close()
        files = opened(web.address, ssl_verify=str(certificate))
        files.write("a", b"x")
        assert downloaded(files, "a") == b"x"
        files.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"methud": "PUT"}, r"remote\.store\.methud: http:// remotes have no such option"),
        ({"method": "SEND"}, r"remote\.store\.method: expected POST or PUT"),
        ({"auth": "kerberos", "user": "a"}, r"remote\.store\.auth: expected basic or digest or custom"),
        ({"auth": "basic"}, r"remote\.store\.auth: it needs user and password"),
        ({"auth": "custom", "password": "x"}, r"custom_auth_header: auth = custom needs"),
        ({"auth": "custom", "custom_auth_header": "X"}, r"password: auth = custom needs"),
        ({"ssl_verify": "no/such.pem"}, r"ssl_verify: expected true, false or a file"),
        ({"read_timeout": "0"}, r"read_timeout: expected seconds"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, str], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        opened("http://h/x", **options)


def test_a_password_cannot_be_asked_for_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda descriptor: False)
    with pytest.raises(RemoteError, match="no terminal to ask at"):
        opened("https://h/x", user="ann", ask_password="true")


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/x", "http://[::bad/x", "http:///x"])
def test_a_url_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(RemoteError, match="names no host"):
        opened(url)
