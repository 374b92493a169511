"""What an error of asyncssh or of the system means to an SSH remote."""

import socket

import asyncssh

_LOGIN_HINT = "check user, keyfile and password of the remote; what ~/.ssh/config says of the host counts too"
_MISSING = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)
_BROKEN = (
    asyncssh.ConnectionLost,
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    ConnectionError,
    TimeoutError,
)
# Sessions of a closed connection say that they are closed.
LOST = (*_BROKEN, asyncssh.ChannelOpenError, BrokenPipeError)


def is_missing(error: BaseException) -> bool:
    """Tells whether an error says that a file is not there."""
    return isinstance(error, _MISSING)


def meaning(error: Exception, host: str, port: int | None) -> tuple[str, str | None, bool]:
    """Returns (reason, hint, whether it may pass)."""
    text = " ".join(str(error).split()).rstrip(".")
    reason = text[:1].lower() + text[1:300]
    place = f"[{host}]:{port}" if port and port != 22 else host
    match error:
        case asyncssh.HostKeyNotVerifiable():
            to = f"-p {port} {host}" if port else host
            return (
                f"the key of host '{place}' is not the one in ~/.ssh/known_hosts, or is not there",
                f"compare it, then add it: ssh {to} asks, as always (ssh-keyscan {to} prints it)",
                False,
            )
        case asyncssh.KeyImportError() | asyncssh.KeyEncryptionError():
            return f"the key cannot be used: {reason}", "set passphrase or ask_passphrase, or use an agent", False
        case asyncssh.PermissionDenied():
            return f"the server lets nobody in with these credentials: {reason}", _LOGIN_HINT, False
        case asyncssh.SFTPPermissionDenied():
            return "permission denied", "check who owns the directory on the server", False
        case asyncssh.SFTPNoSpaceOnFilesystem() | asyncssh.SFTPQuotaExceeded():
            return reason, "free some space there", False
        case asyncssh.SFTPError():
            return reason or "failure", None, isinstance(error, _BROKEN)
        case socket.gaierror():
            is_transient = error.errno == socket.EAI_AGAIN
            return f"cannot find host '{host}'", "check the url of the remote, or the network", is_transient
        case TimeoutError():
            return f"host '{place}' does not answer in time", "check the network, and the port of the remote", True
        case asyncssh.Error():
            return reason, None, isinstance(error, LOST)
        case OSError():
            return (error.strerror or reason).lower(), "check the network, and the port of the remote", True
    return reason, None, False
