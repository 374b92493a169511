"""Where a clone finds its shared queue: kept in its own `.git/config`, so that a password gets into no commit.

Nothing of it is in the project: which broker there is differs from place to place. The environment has the last word.
"""

import hashlib
import os
from collections.abc import Mapping

from offbranch.base.config_schema import without_password
from offbranch.base.environ import Environment
from offbranch.base.errors import BadInputError, OffbranchError, UsageError
from offbranch.base.records import record
from offbranch.git.command import finish_git, git_error
from offbranch.git.repository import GitRepo, is_shallow, repo_git
from offbranch.queue.remote.broker import check_url
from offbranch.queue.remote.shared_signs import SECTION, may_share

BROKER, REMOTE, NAME, TTL = "broker", "queueRemote", "queueName", "queueTtl"
_KEYS = (BROKER, REMOTE, NAME, TTL)
DEFAULT_REMOTE = "origin"
DEFAULT_TTL_S = 120.0
_SHORTEST_TTL_S = 2.0


@record
class QueueConfig:
    """Where the queue of a clone is.

    Attributes:
        broker: Url; None where all workers are on this machine.
        remote: Git remote that the queue is kept at.
        name: Name of the queue at the broker, where it is set.
        ttl_s: After so much silence a worker counts as lost.
        origins: Key -> `environment` or `config`, for what is set.
    """

    broker: str | None = None
    remote: str = DEFAULT_REMOTE
    name: str | None = None
    ttl_s: float = DEFAULT_TTL_S
    origins: Mapping[str, str]

    @property
    def shown_broker(self) -> str | None:
        """The url, without its password."""
        return None if self.broker is None else without_password(self.broker)


@record
class QueueChange:
    """What is to be set; None to leave it, the empty text to unset it."""

    broker: str | None = None
    remote: str | None = None
    name: str | None = None
    ttl: str | None = None


def read_queue_config(repo: GitRepo, environment: Environment) -> QueueConfig:
    """Returns where the queue of a clone is; without a process where nothing is said of it.

    Raises:
        BadInputError: A number is none.
    """
    said = _read(repo) if may_share(repo, environment) else {}
    origins = dict.fromkeys(said, "config")
    for key, value in ((BROKER, environment.broker), (REMOTE, environment.queue_remote)):
        if value is not None:
            said[key], origins[key] = value, "environment"
    return QueueConfig(
        broker=said.get(BROKER),
        remote=said.get(REMOTE, DEFAULT_REMOTE),
        name=said.get(NAME),
        ttl_s=_ttl(said[TTL]) if TTL in said else DEFAULT_TTL_S,
        origins=origins,
    )


def write_queue_config(repo: GitRepo, change: QueueChange) -> None:
    """Changes what this clone is told, all or nothing checked before.

    Raises:
        UsageError: A value makes no sense.
    """
    if change.broker:
        check_url(change.broker)
    if change.ttl:
        try:
            _ttl(change.ttl)
        except BadInputError as error:
            raise UsageError(error.reason, hint=f"seconds, at least {_SHORTEST_TTL_S:g}") from error
    for key, value in ((BROKER, change.broker), (REMOTE, change.remote), (NAME, change.name), (TTL, change.ttl)):
        if value is None:
            continue
        args = ["config", "--local"]
        args += ["--unset-all", f"{SECTION}.{key}"] if value == "" else [f"{SECTION}.{key}", value]
        done = finish_git(repo.root, *args, env=repo.env)
        if done.code not in ((0, 5) if value == "" else (0,)):
            raise _without(git_error(repo.root, args[:3], done), value)
    if change.broker and without_password(change.broker) != change.broker:
        _protect(repo)


def queue_name(repo: GitRepo, prefix: str, config: QueueConfig) -> str:
    """Returns the name of the queue at the broker: the same in every clone of a project, another one for others.

    Raises:
        OffbranchError: The clone has not all of the history, so nobody can tell.
    """
    if config.name is not None:
        return config.name
    if is_shallow(repo):
        raise OffbranchError(
            "the name of the queue comes from the first commit, which this shallow clone does not have",
            hint="git fetch --unshallow; or the same 'ob queue config --name NAME' in every clone",
        )
    roots = sorted(repo_git(repo, "rev-list", "--max-parents=0", "HEAD", "--").decode().split())
    inside = f"-{hashlib.sha256(prefix.encode()).hexdigest()[:6]}" if prefix else ""
    return f"offbranch-{roots[0][:16]}{inside}"


def _read(repo: GitRepo) -> dict[str, str]:
    args = ("config", "--local", "--includes", "--null", "--get-regexp", rf"^{SECTION}\.")
    done = finish_git(repo.root, *args, env=repo.env)
    if done.code not in (0, 1):
        raise git_error(repo.root, args, done)
    names = {f"{SECTION}.{key}".lower(): key for key in _KEYS}
    pairs = (item.partition("\n") for item in done.out.decode("utf-8", "surrogateescape").split("\0") if item)
    return {names[key]: value for key, _, value in pairs if key in names and value}


def _ttl(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not _SHORTEST_TTL_S <= value < 1e9:
        reason = f"'{text}' is no time after which a worker counts as lost"
        raise BadInputError(
            reason, path=".git/config", key=f"{SECTION}.{TTL}", hint=f"seconds, at least {_SHORTEST_TTL_S:g}"
        )
    return value


def _protect(repo: GitRepo) -> None:
    """Lets nobody else read a password."""
    path = os.path.join(repo.common_dir, "config")
    mode = os.stat(path).st_mode & 0o777
    if mode & 0o077:
        os.chmod(path, mode & 0o700)


def _without(error: OffbranchError, secret: str) -> OffbranchError:
    shown = without_password(secret)
    return OffbranchError(error.message.replace(secret, shown), hint=error.hint)
