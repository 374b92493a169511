"""Talking to other repositories through Git: what it answers, what it may ask, and that it never waits in vain."""

import base64
import http.server
import os
import pty
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from git_repos import opened
from git_repos import run as git
from offbranch.base.errors import NotFoundError, RemoteError
from offbranch.base.events import Event, Notice, NullReporter, Progressed
from offbranch.base.paths import AbsPath
from offbranch.git.git_remotes import GitRemote, find_git_remote, resolve_git_remote
from offbranch.git.ids import CommitId
from offbranch.git.network import (
    PushState,
    RemoteUpdate,
    Talk,
    _Hearing,
    _parts,
    _push_answers,
    fetch_refs,
    list_remote,
    push_updates,
)
from offbranch.git.repository import GitRepo
from projects import Recorder
from servers import ssh_server

QUIET = Talk(reporter=NullReporter())
SOURCE = Path(__file__).resolve().parent.parent.parent / "src"


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    """A repository with three commits, and a bare one beside it as `origin`."""
    git(tmp_path, "init", "-q", "here")
    git(tmp_path, "init", "-q", "--bare", "there.git")
    for name in ("a", "b", "c"):
        git(tmp_path / "here", "commit", "-q", "--allow-empty", "-m", name)
    git(tmp_path / "here", "remote", "add", "origin", "../there.git")
    return opened(tmp_path / "here")


def commit(repo: GitRepo, name: str) -> CommitId:
    return CommitId(git(Path(repo.root), "rev-parse", name))


def origin(repo: GitRepo, text: str = "origin") -> GitRemote:
    return resolve_git_remote(repo, text, start=repo.root)


def push(repo: GitRepo, *updates: RemoteUpdate, text: str = "origin", talk: Talk = QUIET) -> dict[str, str]:
    answers = push_updates(repo, origin(repo, text), updates, talk)
    return {ref.rpartition("/")[2]: answer.state.value for ref, answer in answers.items()}


def test_push_list_fetch_and_delete(repo: GitRepo, tmp_path: Path) -> None:
    tip = commit(repo, "HEAD")
    made = [RemoteUpdate(ref=f"refs/x/{name}", new=tip, old=None) for name in "pq"]
    assert push(repo, *made) == {"p": "done", "q": "done"}
    assert push(repo, *made) == {"p": "done", "q": "done"}
    assert list_remote(repo, origin(repo), ("refs/x/*",), QUIET) == {"refs/x/p": tip, "refs/x/q": tip}
    assert push(repo, RemoteUpdate(ref="refs/x/p", new=None, old=tip)) == {"p": "done"}
    assert list_remote(repo, origin(repo), ("refs/x/*", "refs/y/*"), QUIET) == {"refs/x/q": tip}
    git(tmp_path, "init", "-q", "other")
    other = opened(tmp_path / "other")
    fetch_refs(other, origin(other, str(tmp_path / "there.git")), ["refs/x/q"], QUIET)
    assert git(tmp_path / "other", "cat-file", "-t", tip) == "commit"
    assert git(tmp_path / "other", "for-each-ref") == ""
    with pytest.raises(RemoteError, match="refs/x/p"):
        fetch_refs(other, origin(other, str(tmp_path / "there.git")), ["refs/x/p"], QUIET)


def test_only_descendants_go_without_force(repo: GitRepo) -> None:
    first, second, third = (commit(repo, name) for name in ("HEAD~2", "HEAD~1", "HEAD"))
    assert push(repo, RemoteUpdate(ref="refs/x/p", new=second, old=None)) == {"p": "done"}
    back = RemoteUpdate(ref="refs/x/p", new=first, old=second)
    assert push(repo, back, RemoteUpdate(ref="refs/x/q", new=third, old=None)) == {"p": "outdated", "q": "done"}
    assert push(repo, RemoteUpdate(ref="refs/x/p", new=third, old=second)) == {"p": "done"}
    wrong = RemoteUpdate(ref="refs/x/p", new=first, old=second, force=True)
    assert push(repo, wrong) == {"p": "outdated"}
    assert push(repo, RemoteUpdate(ref="refs/x/p", new=None, old=second)) == {"p": "outdated"}
    assert push(repo, RemoteUpdate(ref="refs/x/p", new=first, old=third, force=True)) == {"p": "done"}


def test_all_or_none(repo: GitRepo) -> None:
    first, third = commit(repo, "HEAD~2"), commit(repo, "HEAD")
    push(repo, RemoteUpdate(ref="refs/x/p", new=third, old=None))
    updates = (
        RemoteUpdate(ref="refs/x/p", new=first, old=third),
        RemoteUpdate(ref="refs/x/q", new=first, old=None),
    )
    answers = push_updates(repo, origin(repo), updates, QUIET, atomic=True)
    assert PushState.DONE not in {answer.state for answer in answers.values()}
    assert set(list_remote(repo, origin(repo), ("refs/x/*",), QUIET)) == {"refs/x/p"}


def test_a_remote_that_breaks_off_answers_for_nothing(repo: GitRepo) -> None:
    git(Path(repo.root), "config", "remote.origin.receivepack", "false")
    answers = push_updates(
        repo, origin(repo), [RemoteUpdate(ref="refs/x/p", new=commit(repo, "HEAD"), old=None)], QUIET
    )
    assert [answer.state for answer in answers.values()] == [PushState.REFUSED]
    assert answers["refs/x/p"].reason


@pytest.mark.parametrize(
    ("text", "name"),
    [("origin", "origin"), ("../there.git", "there.git"), ("../there", "there"), ("https://u:secret@h/x.git", "x.git")],
)
def test_what_a_text_means(repo: GitRepo, text: str, name: str) -> None:
    found = find_git_remote(repo, text, start=repo.root)
    assert found is not None
    assert found.name.endswith(name)
    assert "secret" not in found.label


@pytest.mark.parametrize("text", ["", "-x", "orign", "sub", "../nowhere", "."])
def test_what_is_no_remote(repo: GitRepo, text: str) -> None:
    (Path(repo.root) / "sub").mkdir()
    found = find_git_remote(repo, text, start=AbsPath(f"{repo.root}/sub"))
    assert found is None


def test_an_unknown_remote_gets_near_names(repo: GitRepo) -> None:
    with pytest.raises(NotFoundError) as raised:
        origin(repo, "orgin")
    assert raised.value.hint == "did you mean 'origin'?"


def test_a_push_goes_where_git_says(repo: GitRepo, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "second.git")
    git(Path(repo.root), "config", f"url.{tmp_path}/second.pushInsteadOf", "../there")
    found = origin(repo)
    assert found.pushed_to == f"{tmp_path}/second.git"
    push(repo, RemoteUpdate(ref="refs/x/p", new=commit(repo, "HEAD"), old=None))
    assert list_remote(repo, found, ("refs/x/*",), QUIET) == {}
    assert set(list_remote(repo, found, ("refs/x/*",), QUIET, for_push=True)) == {"refs/x/p"}


def test_several_places_to_push_to_must_all_take_it(repo: GitRepo, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "second.git")
    for name in ("there", "second"):
        git(Path(repo.root), "config", "--add", "remote.origin.pushurl", f"{tmp_path}/{name}.git")
    hook = tmp_path / "second.git/hooks/update"
    hook.write_text("#!/bin/sh\ncase $1 in */p) exit 1;; esac\n")
    hook.chmod(0o755)
    updates = [RemoteUpdate(ref=f"refs/x/{name}", new=commit(repo, "HEAD"), old=None) for name in "pq"]
    assert push(repo, *updates) == {"p": "refused", "q": "done"}


def test_answers_of_git() -> None:
    out = (
        "To host\n*\ta:refs/x/new\t[new reference]\n=\ta:refs/x/same\t[up to date]\n \ta:refs/x/on\t1..2\n"
        "+\ta:refs/x/forced\t1...2 (forced update)\n-\t:refs/x/gone\t[deleted]\n"
        "!\ta:refs/x/late\t[rejected] (fetch first)\n!\ta:refs/x/no\t[remote rejected] (hook declined)\n"
        "!\ta:refs/x/lost\t[remote failure] (remote failed to report status)\nDone\n"
    )
    answers = {ref.rpartition("/")[2]: (answer.state.value, answer.reason) for ref, answer in _push_answers(out)}
    assert answers.pop("late") == ("outdated", "fetch first")
    assert answers.pop("no") == ("refused", "hook declined")
    assert answers.pop("lost") == ("refused", "remote failed to report status")
    assert set(answers.values()) == {("done", "")}
    assert set(answers) == {"new", "same", "on", "forced", "gone"}


def test_many_refs_are_cut_into_parts() -> None:
    updates = [RemoteUpdate(ref=f"refs/exps/{'a' * 60}/{n}", new=CommitId("b" * 40), old=None) for n in range(10_000)]
    parts = list(_parts(updates))
    assert [update for part in parts for update in part] == updates
    assert 1 < len(parts) < 20
    assert list(_parts([])) == []


def test_what_git_says_is_passed_on() -> None:
    told = Recorder()
    hearing = _Hearing(told)
    for chunk in (
        b"Enumerating objects: 5, done.\nCounting objects:  20% (1/5)\rCounting obj",
        b"ects: 100% (5/5), done.\n",
        b"remote: Resolving deltas:  50% (1/2)\x1b[K\r",
        b"To ../x\nremote: hello https://u:secret@host/\x1b[K\nwarning: half a ",
        b"line\nUsername for 'x': ",
    ):
        hearing.take(chunk)
    assert [(e.what, e.done, e.total) for e in told.of(Progressed)] == [
        ("git: enumerating objects", 5, None),
        ("git: counting objects", 1, 5),
        ("git: counting objects", 5, 5),
        ("git: resolving deltas", 1, 2),
    ]
    assert [e.text for e in told.of(Notice)] == [
        "remote: hello https://host/",
        "warning: half a line",
        "Username for 'x':",
    ]
    events: list[Event] = told.events
    assert len(events) == 7


# Servers


def test_ssh_with_the_users_configuration(repo: GitRepo, tmp_path: Path, pinned_environment: Path) -> None:
    """A host of ~/.ssh/config with its key, port and name; ssh asks the user's files, not the home of the test."""
    keys = tmp_path / "sshd"
    keys.mkdir()
    with ssh_server(keys) as server:
        server.trust(pinned_environment)
        config = pinned_environment / ".ssh" / "config"
        known = pinned_environment / ".ssh" / "known_hosts"
        config.write_text(
            f"Host work\n  HostName 127.0.0.1\n  Port {server.port}\n  User {server.user}\n"
            f"  IdentityFile {server.keyfile}\n  IdentitiesOnly yes\n  UserKnownHostsFile {known}\n"
        )
        git(Path(repo.root), "config", "core.sshCommand", f"ssh -F {config}")
        url = f"work:{tmp_path}/there.git"
        assert push(repo, RemoteUpdate(ref="refs/x/p", new=commit(repo, "HEAD"), old=None), text=url) == {"p": "done"}
        assert list_remote(repo, origin(repo, url), ("refs/x/*",), QUIET) == {"refs/x/p": commit(repo, "HEAD")}
        config.write_text(config.read_text().replace(str(server.keyfile), str(keys / "host")))
        with pytest.raises(RemoteError, match="Permission denied"):
            list_remote(repo, origin(repo, url), ("refs/x/*",), QUIET)
        known.write_text("")  # it would ask whether the host is to be trusted
        with pytest.raises(RemoteError, match="Host key verification failed"):
            list_remote(repo, origin(repo, url), ("refs/x/*",), QUIET)


class _GitOverHttp(http.server.BaseHTTPRequestHandler):
    """`git http-backend` for user `ann` with password `hunter22`."""

    root: Path

    def do_GET(self) -> None:
        wanted = f"Basic {base64.b64encode(b'ann:hunter22').decode()}"
        length = int(self.headers["Content-Length"] or 0)
        body = self.rfile.read(length)
        if self.headers["Authorization"] != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        env = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers["Content-Type"] or "",
            "CONTENT_LENGTH": str(length),
            "REMOTE_USER": "ann",
            "HTTP_CONTENT_ENCODING": self.headers["Content-Encoding"] or "",
            "GIT_PROTOCOL": self.headers["Git-Protocol"] or "",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        self.send_response(200)
        for line in head.decode().splitlines():
            name, _, value = line.partition(": ")
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def git_over_http(root: Path) -> Iterator[str]:
    handler = type("Handler", (_GitOverHttp,), {"root": root})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/there.git"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def web_url(repo: GitRepo, tmp_path: Path) -> Iterator[str]:
    if not shutil.which("git-http-backend", path=git(tmp_path, "--exec-path")):
        pytest.skip("this Git has no http-backend")
    git(tmp_path / "there.git", "config", "http.receivepack", "true")
    with git_over_http(tmp_path) as url:
        git(Path(repo.root), "remote", "set-url", "origin", url)
        yield url


def test_web_server_with_a_credential_helper(repo: GitRepo, web_url: str, pinned_environment: Path) -> None:
    update = RemoteUpdate(ref="refs/x/p", new=commit(repo, "HEAD"), old=None)
    with pytest.raises(RemoteError, match="terminal prompts disabled") as raised:
        list_remote(repo, origin(repo), ("refs/x/*",), QUIET)
    assert "credential helper" in (raised.value.hint or "")
    helper = pinned_environment / "helper"
    helper.write_text("#!/bin/sh\n[ $1 = get ] && printf 'username=ann\\npassword=hunter22\\n'\n")
    helper.chmod(0o755)
    git(Path(repo.root), "config", "credential.helper", str(helper))
    assert push(repo, update) == {"p": "done"}
    assert list_remote(repo, origin(repo), ("refs/x/*",), QUIET) == {"refs/x/p": commit(repo, "HEAD")}
    git(Path(repo.root), "config", "credential.helper", "")
    wrong = web_url.replace("http://", "http://ann:secretive@")
    with pytest.raises(RemoteError) as refused:
        list_remote(repo, origin(repo, wrong), ("refs/x/*",), QUIET)
    assert "secretive" not in f"{refused.value.message} {refused.value.hint}"


def test_git_asks_on_the_terminal_where_somebody_is(repo: GitRepo, web_url: str) -> None:
    """Name and password are typed at a pseudo-terminal, while standard output goes elsewhere."""
    code = (
        "import os, sys\n"
        "from offbranch.base.events import NullReporter\n"
        "from offbranch.base.paths import AbsPath\n"
        "from offbranch.git.git_remotes import resolve_git_remote\n"
        "from offbranch.git.network import Talk, list_remote\n"
        "from offbranch.git.repository import find_repo\n"
        f"repo = find_repo(AbsPath({repo.root!r}), os.environ)\n"
        "remote = resolve_git_remote(repo, 'origin', start=repo.root)\n"
        "print('FOUND', list_remote(repo, remote, ('refs/x/*',), Talk(reporter=NullReporter(), may_ask=True)))\n"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-c", code], {**os.environ, "PYTHONPATH": str(SOURCE)})
    seen = b""
    answers = [(b"Username", b"ann\n"), (b"Password", b"hunter22\n")]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 1)
        if ready:
            try:
                chunk = os.read(terminal, 4096)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
        if answers and answers[0][0] in seen:
            os.write(terminal, answers.pop(0)[1])
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, seen
    assert b"FOUND {}" in seen
