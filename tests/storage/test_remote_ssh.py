"""A directory on an SSH server as data remote, against OpenSSH's sshd."""

import itertools
import os
import subprocess
from pathlib import Path

import pytest

from contracts.remote_files import RemoteFilesContract, downloaded, keys
from offbranch.base.errors import BadInputError, RemoteError
from offbranch.base.paths import AbsPath
from offbranch.storage.remote_files import RemoteFiles, open_files
from offbranch.storage.remote_setting import RemoteSetting
from servers import SshServer, relay, ssh_server

_serial = itertools.count()


def setting(url: str, **options: str) -> RemoteSetting:
    return RemoteSetting(name="store", scheme="ssh", url=url, options=options)


def opened(server: SshServer, url: str = "", **options: str) -> RemoteFiles:
    return open_files(setting(url or server.url(f"t{next(_serial)}/below"), **{**server.options, **options}))


class TestSshFiles(RemoteFilesContract):
    @pytest.fixture(autouse=True)
    def server(self, sshd: SshServer) -> None:
        self.sshd = sshd

    def make(self, tmp_path: Path) -> RemoteFiles:
        return opened(self.sshd)


class TestOneSession(TestSshFiles):
    def make(self, tmp_path: Path) -> RemoteFiles:
        return opened(self.sshd, max_sessions="1")


def test_a_server_may_allow_fewer_sessions(tmp_path: Path, pinned_environment: Path) -> None:
    with ssh_server(tmp_path, config="MaxSessions 2") as server:
        server.trust(pinned_environment)
        contract = TestSshFiles()
        contract.sshd = server
        files = contract.make(tmp_path)
        try:
            contract.test_threads(files, tmp_path)
        finally:
            files.close()


def test_files_are_plain_files_of_the_server(sshd: SshServer, tmp_path: Path) -> None:
    files = opened(sshd, sshd.url("plain"))
    source = tmp_path / "source"
    source.write_bytes(b"x" * 9_000_000)
    files.upload(AbsPath(str(source)), "files/md5/ab/cd")
    assert (sshd.root / "plain" / "files" / "md5" / "ab" / "cd").read_bytes() == source.read_bytes()
    assert [path.name for path in (sshd.root / "plain").rglob("*") if path.is_file()] == ["cd"]
    files.close()


def test_links_are_followed_and_unfinished_files_are_not_there(sshd: SshServer) -> None:
    root = sshd.root / "links"
    (root / "d").mkdir(parents=True)
    (root / "d" / "real").write_bytes(b"x")
    (root / ".ob-tmp-1-x").write_bytes(b"half")
    (root / "to-file").symlink_to("d/real")
    (root / "to-directory").symlink_to("d")
    (root / "to-nothing").symlink_to("gone")
    os.mkfifo(root / "fifo")
    files = opened(sshd, sshd.url("links"))
    assert keys(files, "") == ["d/real", "to-directory/real", "to-file"]
    assert files.find("to-nothing") is None
    files.close()


def test_an_upload_that_breaks_leaves_nothing(sshd: SshServer, tmp_path: Path) -> None:
    files = opened(sshd, sshd.url("broken"))
    files.write("a", b"old")
    source = tmp_path / "big"
    source.write_bytes(bytes(10_000_000))

    def stop(n_bytes: int) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        files.upload(AbsPath(str(source)), "a", on_bytes=stop)
    assert files.read("a") == b"old"
    assert [path.name for path in (sshd.root / "broken").iterdir()] == ["a"]
    files.close()


def test_a_path_may_count_from_the_home_of_the_user(sshd: SshServer) -> None:
    name = f"ob-test-{os.getpid()}"
    files = opened(sshd, f"{sshd.address}/~/{name}")
    home = Path(os.path.expanduser(f"~{sshd.address.partition('://')[2].partition('@')[0]}"))
    try:
        files.write("a/b", b"x")
        assert (home / name / "a" / "b").read_bytes() == b"x"
        above = opened(sshd, f"{sshd.address}/~")
        assert keys(above, name) == [f"{name}/a/b"]
        above.close()
    finally:
        files.close()
        subprocess.run(["rm", "-r", str(home / name)], check=False)


def test_a_connection_that_broke_is_made_again(sshd: SshServer, pinned_environment: Path) -> None:
    with relay(sshd.port) as between:
        (pinned_environment / ".ssh" / "known_hosts").write_text(
            sshd.known_hosts.replace(f":{sshd.port} ", f":{between.port} ")
        )
        files = opened(sshd, sshd.url("cut"), port=str(between.port))
        files.write("a", b"x")
        between.cut()
        with pytest.raises(RemoteError) as caught:
            files.read("a")
        assert caught.value.is_transient
        assert files.read("a") == b"x"
        between.cut()
        files.close()


def test_an_unknown_host_is_refused(sshd: SshServer, pinned_environment: Path) -> None:
    known = pinned_environment / ".ssh" / "known_hosts"
    other = sshd.keyfile.with_name("user.pub").read_text().split()[1]
    for text in ("", f"[127.0.0.1]:{sshd.port} ssh-ed25519 {other}\n", None):
        known.unlink() if text is None else known.write_text(text)
        files = opened(sshd)
        with pytest.raises(RemoteError, match=rf"the key of host '\[127.0.0.1\]:{sshd.port}' is not the one") as caught:
            files.find("a")
        assert not caught.value.is_transient
        assert f"ssh -p {sshd.port}" in str(caught.value.hint)
        files.close()


def test_the_ssh_config_of_the_user_counts(sshd: SshServer, pinned_environment: Path) -> None:
    (pinned_environment / ".ssh" / "config").write_text(
        f"Host box\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n  IdentityFile {sshd.keyfile}\n"
    )
    files = open_files(setting(f"ssh://box{sshd.root}/config"))
    files.write("a", b"x")
    assert (sshd.root / "config" / "a").read_bytes() == b"x"
    files.close()


def test_the_ciphers_of_the_ssh_config_count(sshd: SshServer, pinned_environment: Path) -> None:
    files = opened(sshd)
    files.write("a", b"x")
    files.close()
    (pinned_environment / ".ssh" / "config").write_text("Ciphers no-such-cipher\n")
    files = opened(sshd)
    # Whichever end notices first: ours says why, the server hangs up.
    with pytest.raises(RemoteError, match=r"no matching encryption algorithm|connection lost"):
        files.find("a")
    files.close()


def test_a_jump_host_is_used(sshd: SshServer, pinned_environment: Path) -> None:
    (pinned_environment / ".ssh" / "config").write_text(
        f"Host jump\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n  IdentityFile {sshd.keyfile}\n"
        f"Host inside\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n  IdentityFile {sshd.keyfile}\n"
        "  ProxyJump jump\n"
    )
    files = open_files(setting(f"ssh://inside{sshd.root}/jumped"))
    files.write("a", b"x")
    assert downloaded(files, "a") == b"x"
    files.close()


def test_options_win_over_the_url(sshd: SshServer) -> None:
    files = opened(sshd, f"ssh://nobody@127.0.0.1:1{sshd.root}/x", port=str(sshd.port), user=sshd.user)
    files.write("a", b"x")
    files.close()


def test_a_key_with_passphrase(sshd: SshServer, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(sshd.keyfile.read_bytes())
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(key)], check=True)
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "open sesame"

    for options in ({"passphrase": "open sesame"}, {"ask_passphrase": "true"}):
        files = open_files(setting(sshd.url("k"), keyfile=str(key), **options), ask=ask)
        files.write("a", b"x")
        files.close()
    assert asked == ["Passphrase for data remote 'store': "]
    for options in ({}, {"passphrase": "wrong wrong"}):
        files = open_files(setting(sshd.url("k"), keyfile=str(key), **options))
        with pytest.raises(RemoteError, match="the key cannot be used") as caught:
            files.find("a")
        assert "passphrase" in str(caught.value.hint)
        assert "wrong wrong" not in str(caught.value)
        assert not caught.value.is_transient
        files.close()


def test_wrong_credentials_are_refused_and_never_shown(sshd: SshServer, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    url = f"ssh://{sshd.user}:hunter22@127.0.0.1:{sshd.port}/x"
    for made in (setting(url, keyfile=str(key)), setting(url, keyfile=str(key), password="hunter23")):
        files = open_files(made)
        with pytest.raises(RemoteError, match="lets nobody in") as caught:
            files.find("a")
        assert "hunter2" not in f"{caught.value} {caught.value.hint}"
        assert not caught.value.is_transient
        files.close()


def test_nobody_there_is_transient(sshd: SshServer) -> None:
    files = open_files(setting("ssh://127.0.0.1:1/x", **sshd.options))
    with pytest.raises(RemoteError, match="failed") as caught:
        files.find("a")
    assert caught.value.is_transient
    files.close()


def test_a_file_in_the_way_is_an_error_of_the_remote(sshd: SshServer) -> None:
    (sshd.root / "in-the-way").write_text("no directory")
    files = opened(sshd, sshd.url("in-the-way"))
    with pytest.raises(RemoteError, match=r"'store' failed at '.*in-the-way") as caught:
        files.write("a/b", b"x")
    assert not caught.value.is_transient
    assert files.find("a") is None
    files.close()


def test_a_password_cannot_be_asked_for_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda descriptor: False)
    with pytest.raises(RemoteError, match="no terminal to ask at: Password for data remote 'store'") as caught:
        open_files(setting("ssh://h/x", ask_password="true"))
    assert "--local" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("ssh://h/x", {"prot": "1"}, r"remote\.store\.prot: ssh:// remotes have no such option"),
        ("ssh://h/x", {"port": "1.5"}, r"remote\.store\.port: expected a whole number"),
        ("ssh://h/x", {"max_sessions": "0"}, r"max_sessions: expected a whole number above 0"),
        ("ssh://h/x", {"timeout": "-1"}, r"timeout: expected seconds"),
        ("ssh://h/x", {"keyfile": "/no/such/key"}, r"keyfile: there is no file"),
        ("ssh://h/x", {"allow_agent": "sure"}, r"allow_agent: expected true or false"),
        ("ssh://h:ninety/x", {}, r"port is no number"),
        ("ssh:///x", {}, r"names no host"),
    ],
)
def test_options_that_make_no_sense_are_refused(url: str, options: dict[str, str], said: str) -> None:
    with pytest.raises((BadInputError, RemoteError), match=said):
        open_files(setting(url, **options))


@pytest.mark.parametrize("scheme", ["sftp", "gcs", "abfs"])
def test_another_name_of_a_scheme_is_said(scheme: str) -> None:
    with pytest.raises(RemoteError, match="which DVC does not know either") as caught:
        open_files(RemoteSetting(name="store", scheme=scheme, url=f"{scheme}://h/x"))
    assert "://" in str(caught.value.hint)
