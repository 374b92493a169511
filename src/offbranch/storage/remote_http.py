"""Files of a web server as `RemoteFiles`: `https://host/path`, by GET, HEAD, POST (or PUT) and DELETE; nothing can be listed.

Whether a reader may see half of an upload is up to the server. Credentials go to the host of the remote only, never to where
it redirects.
"""

import os
import threading
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import requests
import requests.auth

from offbranch.base.errors import MissingDataError, OffbranchError, RemoteError
from offbranch.base.paths import AbsPath
from offbranch.base.records import record
from offbranch.storage.hashing import READ_FLAGS
from offbranch.storage.remote_files import RemoteFile, RemoteFiles, Write
from offbranch.storage.remote_http_errors import answer_error, connection_error
from offbranch.storage.remote_http_file import file_of
from offbranch.storage.remote_options import (
    check_options,
    get_choice,
    get_timeout,
    get_trust,
    host_of,
    joined,
    option_error,
    secrets_of,
)
from offbranch.storage.remote_setting import RemoteSetting

_TIMEOUT_S = 60.0
_PIECE_BYTES = 1 << 20
_MAX_REDIRECTS = 10
OPTIONS = frozenset(
    (
        "auth", "custom_auth_header", "user", "password", "ask_password", "ssl_verify", "method", "connect_timeout",
        "read_timeout",
    )
)  # fmt: skip
# Some servers know no HEAD.
_NO_SUCH_METHOD = frozenset((405, 501))
_GONE = frozenset((404, 410))
_REDIRECTS = frozenset((301, 302, 303, 307, 308))


@record
class Credentials:
    """What shows who asks: an object of requests, a header, both or none."""

    auth: Any
    headers: Mapping[str, str]


def open_http(setting: RemoteSetting) -> RemoteFiles:
    """Opens a place on a web server.

    Raises:
        BadInputError: An option makes no sense.
    """
    check_options(setting, OPTIONS, {})
    if not host_of(setting.url):
        raise RemoteError(f"{setting.label} names no host", hint=f"its url is {setting.scheme}://HOST[:PORT]/PATH")
    return HttpFiles(setting)


class HttpFiles:
    """Implements `RemoteFiles`; each thread keeps connections of its own."""

    can_list = False
    can_write = True
    jobs = 16

    def __init__(self, setting: RemoteSetting) -> None:
        self.setting = setting
        self._secrets = secrets_of(setting)
        self._credentials = _credentials(setting)
        self._method = get_choice(setting, "method", ("POST", "PUT", "PATCH"), "POST")
        self._verify = get_trust(setting)
        self._timeout = (
            get_timeout(setting, "connect_timeout", _TIMEOUT_S),
            get_timeout(setting, "read_timeout", _TIMEOUT_S),
        )
        self._own = threading.local()
        self._guard = threading.Lock()
        self._sessions: list[Any] = []

    def find(self, key: str, *, version: str | None = None) -> RemoteFile | None:
        with self._ask("HEAD", key, accepted=_GONE | _NO_SUCH_METHOD) as answer:
            self._finish(answer)
            if answer.status_code not in _NO_SUCH_METHOD:
                return None if answer.status_code in _GONE else file_of(key, answer)
        with self._ask("GET", key, accepted=_GONE) as answer:
            return None if answer.status_code in _GONE else file_of(key, answer)

    def iter_files(self, prefix: str) -> Iterator[RemoteFile]:
        raise RemoteError(f"{self.setting.label} cannot be listed, as no web server can")

    def read(self, key: str, *, version: str | None = None) -> bytes:
        parts: list[bytes] = []
        self.download(key, parts.append)
        return b"".join(parts)

    def download(self, key: str, write: Write, *, version: str | None = None) -> None:
        with self._ask("GET", key, accepted=_GONE) as answer:
            if answer.status_code in _GONE:
                self._finish(answer)
                raise MissingDataError(f"'{key}' is not in {self.setting.label}")
            pieces = answer.iter_content(_PIECE_BYTES)
            while True:
                try:
                    piece = next(pieces, None)
                except (requests.RequestException, OSError) as error:
                    raise connection_error(error, self.setting.label, self._secrets) from error
                if piece is None:
                    return
                write(piece)

    def upload(self, source: AbsPath, key: str, *, on_bytes: Callable[[int], object] | None = None) -> RemoteFile:
        try:
            descriptor = os.open(source, READ_FLAGS)
        except OSError as error:
            raise OffbranchError(f"cannot read '{source}': {(error.strerror or str(error)).lower()}") from error
        try:
            body = _Body(descriptor, on_bytes)
            return self._send(key, body if len(body) else b"", len(body))
        finally:
            os.close(descriptor)

    def write(self, key: str, data: bytes) -> RemoteFile:
        return self._send(key, data, len(data))

    def remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            with self._ask("DELETE", key, accepted=_GONE) as answer:
                self._finish(answer)

    def close(self) -> None:
        with self._guard:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.close()

    def _send(self, key: str, body: Any, size: int) -> RemoteFile:
        with self._ask(self._method, key, body=body) as answer:
            self._finish(answer)
        return RemoteFile(key, size)

    def _finish(self, answer: Any) -> None:
        """Reads what else a server says, so that the connection can be used again."""
        try:
            next(answer.iter_content(_PIECE_BYTES), None)
        except (requests.RequestException, OSError) as error:
            raise connection_error(error, self.setting.label, self._secrets) from error

    def _ask(self, method: str, key: str, *, body: Any = None, accepted: frozenset[int] = frozenset()) -> Any:
        """Returns an answer that is a success or has one of the accepted statuses."""
        url = place = _url_of(self.setting.url, key)
        for _ in range(_MAX_REDIRECTS):
            answer = self._request(method, url, body, is_at_home=_may_know(place, url))
            if answer.status_code not in _REDIRECTS or "location" not in answer.headers:
                break
            answer.close()
            if body is not None and answer.status_code not in (307, 308):
                raise RemoteError(f"{self.setting.label} failed: the server redirects what is sent to it")
            url = joined(url, answer.headers["location"])
            if not host_of(url) or urllib.parse.urlsplit(url).scheme not in ("http", "https"):
                raise RemoteError(
                    f"{self.setting.label} failed: the server redirects to something that is no web server"
                )
            if isinstance(body, _Body):
                body.seek(0)
        if (answer.ok and answer.status_code not in _REDIRECTS) or answer.status_code in accepted:
            return answer
        answer.close()
        raise answer_error(answer.status_code, method, self.setting.label)

    def _request(self, method: str, url: str, body: Any, *, is_at_home: bool) -> Any:
        # What is sent compressed cannot be compared with a size or hash.
        headers = {"Accept-Encoding": "identity"}
        if body is not None:
            headers["Content-Type"] = "application/octet-stream"
        if is_at_home:
            headers.update(self._credentials.headers)
        try:
            return self._session().request(
                method,
                url,
                data=body,
                headers=headers,
                auth=self._credentials.auth if is_at_home else None,
                timeout=self._timeout,
                verify=self._verify,
                stream=True,
                allow_redirects=False,
            )
        except (requests.RequestException, OSError, ValueError) as error:  # requests looks at redirects by itself
            raise connection_error(error, self.setting.label, self._secrets) from error

    def _session(self) -> Any:
        session = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = requests.Session()
            with self._guard:
                self._sessions.append(session)
        return session


class _Body:
    """A file as requests sends it: read piece by piece, and again from its start after a 401; what is sent is reported once."""

    def __init__(self, descriptor: int, on_bytes: Callable[[int], object] | None) -> None:
        self._descriptor = descriptor
        self._on_bytes = on_bytes
        self._size = os.fstat(descriptor).st_size
        self._position = self._reported = 0

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        left = self._size - self._position
        data = os.pread(self._descriptor, left if size < 0 else min(max(size, _PIECE_BYTES), left), self._position)
        self._position += len(data)
        if self._on_bytes is not None and self._position > self._reported:
            self._on_bytes(self._position - self._reported)
            self._reported = self._position
        return data

    def tell(self) -> int:
        return self._position

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        self._position = position + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        return self._position


def _credentials(setting: RemoteSetting) -> Credentials:
    options = setting.options
    url = urllib.parse.urlsplit(setting.url)
    user = options.get("user") or urllib.parse.unquote(url.username or "")
    password = options.get("password") or urllib.parse.unquote(url.password or "")
    header = options.get("custom_auth_header")
    kind = get_choice(setting, "auth", ("basic", "digest", "custom"), "basic") if user or password or header else ""
    if "auth" in options and not kind:
        raise option_error(setting, "auth", "it needs user and password (custom: custom_auth_header and password)")
    if kind == "custom":
        if not header or not password:
            missing = "password" if header else "custom_auth_header"
            raise option_error(setting, missing, "auth = custom needs custom_auth_header and password")
        return Credentials(auth=None, headers={header: password})
    if not kind:
        return Credentials(auth=None, headers={})
    make = requests.auth.HTTPDigestAuth if kind == "digest" else requests.auth.HTTPBasicAuth
    # requests would write text as Latin-1.
    return Credentials(
        auth=make(user.encode(), password.encode()) if kind == "basic" else make(user, password), headers={}
    )


def _url_of(base: str, key: str) -> str:
    """Returns the url of a key, without credentials; the url itself is taken as it was written."""
    scheme, _, rest = base.partition("://")
    rest = rest.partition("#")[0]
    authority, slash, path = rest.partition("/")
    base = f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
    if not key:
        return base
    place, mark, query = base.partition("?")
    return f"{place.rstrip('/')}/{urllib.parse.quote(key, safe='/~')}{mark}{query}"


def _may_know(home: str, url: str) -> bool:
    """Tells whether a url is where the remote is, or the same host with TLS."""
    a, b = urllib.parse.urlsplit(home), urllib.parse.urlsplit(url)
    if a.hostname != b.hostname:
        return False
    if (a.scheme, b.scheme) == ("http", "https"):
        return (a.port or 80, b.port or 443) == (80, 443)
    return a.scheme == b.scheme and a.port == b.port
