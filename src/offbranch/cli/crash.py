"""The file that is written when ob itself has a mistake: everything a report needs, nothing of the user's data.

And what is no such mistake: a full disk, a file that may not be written, wherever that came to light.
"""

import errno
import os
import platform
import sys
import time
import traceback

from offbranch.base.environ import Environment
from offbranch.base.errors import OffbranchError

_WAY_OUT = {
    errno.ENOSPC: "free some disk space and repeat the command",
    errno.EDQUOT: "free some of your disk quota and repeat the command",
    errno.EROFS: "the file system is mounted read-only",
    errno.EACCES: "check the permissions of the file and of its directory",
    errno.EPERM: "check the permissions of the file and of its directory",
    errno.EFBIG: "the file system, or 'ulimit -f', allows no file of this size",
    errno.EMFILE: "too many files are open: raise 'ulimit -n' and repeat the command",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EIO: "the disk or the network drive reports an error; see the messages of the system",
    errno.ENOTDIR: "a file stands where a directory should be: move it away",
    errno.EISDIR: "a directory stands where a file should be: move it away",
}


def explain_system(error: BaseException) -> OffbranchError | None:
    """Returns what to tell about an error of the operating system that the user can do something about."""
    if not isinstance(error, OSError) or error.errno not in _WAY_OUT:
        return None
    reason = (error.strerror or str(error)).lower()
    where = f"cannot read or write '{error.filename}'" if error.filename else "cannot write a file"
    return OffbranchError(f"{where}: {reason}", hint=_WAY_OUT[error.errno])


def write_crash_log(
    error: BaseException, environment: Environment, *, version: str, now_utc: float | None = None
) -> str | None:
    """Writes version, platform, command line and traceback under the user's cache directory; returns the path.

    Returns None when nothing can be written there: the failure to report must not hide what is reported.
    """
    seconds = time.time() if now_utc is None else now_utc
    directory = os.path.join(environment.cache_dir, "crashes")
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(seconds))
    path = os.path.join(directory, f"{stamp}-{os.getpid()}.log")
    text = (
        f"ob {version}\n"
        f"Python {platform.python_version()} on {platform.platform()}\n"
        f"command: {sys.argv}\n\n"
        f"{''.join(traceback.format_exception(error))}"
    )
    try:
        os.makedirs(directory, exist_ok=True)
        with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return None
    return path
