"""What an answer of a web server or a broken connection means; urls are left out, for they may hold credentials."""

import socket
from collections.abc import Iterable, Iterator

import requests

from offbranch.base.errors import RemoteError
from offbranch.storage.remote_options import scrub

_LOGIN_HINT = "check auth, user and password of the remote (ob remote modify --local NAME password …)"
_HINTS = {
    401: _LOGIN_HINT,
    403: _LOGIN_HINT,
    404: "check the url of the remote: the server has no such place to write to",
    405: "the server allows no such request; method = PUT or POST says how files are sent",
    407: "the proxy wants credentials",
    413: "the server takes no files of this size",
    507: "free some space there",
}
_MAY_PASS = frozenset((408, 425, 429, 500, 502, 503, 504))


def answer_error(status: int, method: str, label: str) -> RemoteError:
    """Returns the error for a status that is no success."""
    name = requests.status_codes._codes.get(status, ("",))[0].replace("_", " ")
    reason = f"the server answered {status}{f' ({name})' if name else ''} to {method}"
    return RemoteError(f"{label} failed: {reason}", hint=_HINTS.get(status), is_transient=status in _MAY_PASS)


def connection_error(error: Exception, label: str, secrets: Iterable[str]) -> RemoteError:
    """Returns the error for a connection that did not come about or broke."""
    reason, hint, is_transient = _meaning(error)
    return RemoteError(f"{label} failed: {scrub(reason, secrets)}", hint=hint, is_transient=is_transient)


def _meaning(error: Exception) -> tuple[str, str | None, bool]:
    if isinstance(error, requests.exceptions.SSLError):
        said = next(
            (getattr(one, "verify_message", "") for one in _causes(error) if hasattr(one, "verify_message")), ""
        )
        reason = f"the certificate of the server is not trusted{f': {said}' if said else ''}"
        return reason, "ssl_verify names a file of certificates to trust", False
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "the server does not answer in time", "check the network, or set connect_timeout", True
    if isinstance(error, requests.exceptions.Timeout) or any(isinstance(one, TimeoutError) for one in _causes(error)):
        return "the server does not answer in time", "read_timeout says how long to wait", True
    for one in _causes(error):
        if isinstance(one, socket.gaierror):
            return "cannot find the host", "check the url of the remote, or the network", one.errno == socket.EAI_AGAIN
        if isinstance(one, OSError) and one.strerror:
            return one.strerror.lower(), "check the network, and the url of the remote", True
    if isinstance(error, requests.exceptions.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "the connection broke", None, True
    return f"the request cannot be sent ({type(error).__name__})", "check the url of the remote", False


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yields an error and what it was made from, outermost first; libraries put them in `args` and `reason` as well."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
        waiting.extend(cause for cause in inner if isinstance(cause, BaseException))
