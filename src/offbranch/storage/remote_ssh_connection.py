"""The connection of an SSH remote: options as arguments of asyncssh, the thread of the event loop, sessions.

One connection per remote, with as many sessions as work at the same time. Everything of asyncssh happens in one background
thread; `Connection.run` is called from any other.
"""

import asyncio
import os
import posixpath
import threading
import urllib.parse
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncssh

from offbranch.base.errors import RemoteError
from offbranch.base.records import record
from offbranch.storage.remote_options import (
    check_options,
    get_path,
    get_timeout,
    option_error,
    scrub,
    secrets_of,
)
from offbranch.storage.remote_setting import RemoteSetting
from offbranch.storage.remote_ssh_errors import LOST, meaning

T = TypeVar("T")
# OpenSSH allows 10 on a connection by default (MaxSessions).
MAX_SESSIONS = 10
_TIMEOUT_S = 60.0
_KEEPALIVE_S = 15
OPTIONS = frozenset(
    (
        "port", "user", "password", "ask_password", "passphrase", "ask_passphrase", "keyfile", "timeout", "gss_auth",
        "allow_agent", "max_sessions",
        # Of DVC 1: how the remote's own cache would be linked. There is none.
        "type",
    )
)  # fmt: skip


@record
class SshTarget:
    """Where and how to connect.

    Attributes:
        host: Name or address, or an alias of ~/.ssh/config.
        port: None if only ~/.ssh/config or the protocol says.
        path: On the server; a relative one counts from the user's home.
        n_sessions: How many sessions at most.
        arguments: Of `asyncssh.connect`, beside host and port.
    """

    host: str
    port: int | None
    path: str
    n_sessions: int
    arguments: Mapping[str, Any]


def read_target(setting: RemoteSetting) -> SshTarget:
    """Returns what a remote says.

    Raises:
        BadInputError: An option makes no sense.
        RemoteError: The url does.
    """
    check_options(setting, OPTIONS, {})
    authority, _, path = setting.url.partition("://")[2].partition("/")
    url = urllib.parse.urlsplit(f"//{authority}")
    try:
        port = url.port
    except ValueError as error:
        raise RemoteError(f"{setting.label} has a url whose port is no number") from error
    if not url.hostname:
        raise RemoteError(f"{setting.label} names no host", hint="its url is ssh://[USER@]HOST[:PORT]/PATH")
    timeout_s = get_timeout(setting, "timeout", _TIMEOUT_S)
    return SshTarget(
        host=url.hostname,
        port=_whole(setting, "port", port),
        path=_remote_path(path),
        n_sessions=_whole(setting, "max_sessions", MAX_SESSIONS) or MAX_SESSIONS,
        arguments={
            **_login(setting, url),
            "connect_timeout": timeout_s,
            "login_timeout": timeout_s,
            "keepalive_interval": _KEEPALIVE_S,
            **_ciphers(),
        },
    )


def _login(setting: RemoteSetting, url: urllib.parse.SplitResult) -> dict[str, Any]:
    options = setting.options
    login: dict[str, Any] = {}
    if user := options.get("user") or urllib.parse.unquote(url.username or ""):
        login["username"] = user
    if keyfile := get_path(setting, "keyfile"):
        if not os.path.isfile(keyfile):
            raise option_error(setting, "keyfile", f"there is no file '{keyfile}'")
        login["client_keys"] = [keyfile]
    password = options.get("password") or urllib.parse.unquote(url.password or "")
    if password:
        login["password"] = password
    if passphrase := options.get("passphrase"):
        login["passphrase"] = passphrase
    if not setting.get_bool("allow_agent", True):
        login["agent_path"] = None
    # asyncssh would leave GSSAPI out without a word where its library is missing.
    if setting.get_bool("gss_auth"):
        if not asyncssh.gss.gss_available:
            raise option_error(setting, "gss_auth", "it needs the Python package 'gssapi'", hint="pip install gssapi")
        login["gss_auth"] = True
    else:
        login.update(gss_auth=False, gss_kex=False)
    return login


def _ciphers() -> dict[str, str]:
    """Returns what is preferred where ~/.ssh/config has no wish: these halve the processor time of small files."""
    try:
        with open(os.path.expanduser("~/.ssh/config"), encoding="utf-8", errors="replace") as file:
            text = file.read().lower()
    except OSError:
        text = ""
    wishes = "ciphers" in text or "include" in text
    return {} if wishes else {"encryption_algs": "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"}


def _whole(setting: RemoteSetting, option: str, default: int | None) -> int | None:
    value = setting.get_number(option)
    if value is None:
        return default
    if value != int(value) or value < 1:
        raise option_error(setting, option, f"expected a whole number above 0, found '{setting.options[option]}'")
    return int(value)


def _remote_path(path: str) -> str:
    """Returns the path on the server: absolute, or below the home after `/~`, as Git has it."""
    if not path or path == "~":
        return "."
    if path.startswith("~/"):
        return posixpath.normpath(path[2:])
    return posixpath.normpath(f"/{path}")


class Connection:
    """A connection with its sessions, made when first used and again after it broke."""

    def __init__(self, setting: RemoteSetting, target: SshTarget) -> None:
        self.setting = setting
        self.target = target
        self._secrets = secrets_of(setting)
        self._start = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._open: asyncio.Lock | None = None
        self._connection: Any = None
        self._sessions: list[list[Any]] = []
        self._n_sessions = target.n_sessions

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Carries out work in the background thread and waits for it."""
        future = asyncio.run_coroutine_threadsafe(work, self._running_loop())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        """Yields an SFTP session: a new one while all are busy and more are allowed, else the one with the least to do."""
        entry = await self._least_busy()
        entry[1] += 1
        try:
            yield entry[0]
        except LOST:
            self._forget(entry)
            raise
        finally:
            entry[1] -= 1

    def close(self) -> None:
        """Ends the connection and the thread."""
        with self._start:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._disconnect(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def error(self, error: Exception, what: str = "") -> RemoteError:
        """Returns the error to raise for one of asyncssh or the system."""
        reason, hint, is_transient = meaning(error, self.target.host, self.target.port)
        place = f" at '{what}'" if what else ""
        return RemoteError(
            f"{self.setting.label} failed{place}: {scrub(reason, self._secrets)}", hint=hint, is_transient=is_transient
        )

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._start:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._open = asyncio.Lock()
                self._thread = threading.Thread(target=self._loop.run_forever, name="ob-ssh", daemon=True)
                self._thread.start()
            return self._loop

    async def _least_busy(self) -> list[Any]:
        assert self._open is not None
        if found := self._idle():
            return found
        async with self._open:
            if found := self._idle():  # another task has opened one, or finished
                return found
            if self._connection is None:
                self._connection = await asyncssh.connect(
                    self.target.host, self.target.port or (), **self.target.arguments
                )
            try:
                entry = [await self._connection.start_sftp_client(), 0]
            except asyncssh.ChannelOpenError:
                if not self._sessions:
                    raise
                self._n_sessions = len(self._sessions)  # the server allows no more
                return min(self._sessions, key=lambda one: one[1])
            self._sessions.append(entry)
            return entry

    def _idle(self) -> list[Any] | None:
        if not self._sessions:
            return None
        best = min(self._sessions, key=lambda entry: entry[1])
        return best if not best[1] or len(self._sessions) >= self._n_sessions else None

    def _forget(self, entry: list[Any]) -> None:
        """Drops a connection that broke, unless that was done already."""
        if any(entry is one for one in self._sessions):
            self._sessions = []
            if self._connection is not None:
                self._connection.abort()
            self._connection = None

    async def _disconnect(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for sftp, _ in self._sessions:
            sftp.exit()
        if self._connection is not None:
            self._connection.close()
            await self._connection.wait_closed()
        self._sessions, self._connection = [], None
