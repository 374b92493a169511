"""Git remotes: what a text means as one, by the configuration of the repository; nothing is asked over the network here."""

import os
from collections.abc import Mapping

from offbranch.base.errors import NotFoundError, UsageError, did_you_mean
from offbranch.base.paths import AbsPath
from offbranch.base.records import record
from offbranch.git.clones import is_git_url, local_path_of, without_credentials
from offbranch.git.command import finish_git, git_error
from offbranch.git.repository import GitRepo

_ASKED = r"^(remote\..*\.(url|pushurl|mirror)|url\..*\.pushinsteadof)$"


@record
class GitRemote:
    """Another repository.

    Attributes:
        name: What Git is told: the name of a configured remote, a url, or an absolute path.
        label: How messages name it, without credentials.
        pushed_to: What Git is told to list what is where a push goes; the same as `name` unless configured otherwise.
        is_mirror: It is configured to be pushed to as a whole.
    """

    name: str
    label: str
    pushed_to: str
    is_mirror: bool = False

    @property
    def text(self) -> str:
        """How a sentence names it."""
        return f"Git remote '{self.label}'"


def remote_names(repo: GitRepo) -> tuple[str, ...]:
    """Returns the names of the configured remotes, in the order of the configuration."""
    return _names(_settings(repo))


def find_git_remote(repo: GitRepo, text: str, *, start: AbsPath) -> GitRemote | None:
    """Returns what a text means as a remote; None if it is neither a configured one nor a url nor a repository here.

    Args:
        repo: Whose configuration counts.
        text: A name, a url, or a path.
        start: Directory that a path is relative to.
    """
    if not text or text.startswith("-"):
        return None
    settings = _settings(repo)
    if text in _names(settings):
        is_mirror = settings.get(f"remote.{text}.mirror", ("",))[-1].lower() in ("true", "yes", "on", "1")
        return GitRemote(name=text, label=text, pushed_to=_pushed_to(repo, text, settings), is_mirror=is_mirror)
    path = local_path_of(text, base=start)
    if path is None:
        return GitRemote(name=text, label=without_credentials(text), pushed_to=text)
    if not any(_is_repository(place) for place in (path, f"{path}.git")):
        return None
    place = text if text.startswith("file://") else path
    return GitRemote(name=place, label=text, pushed_to=place)


def resolve_git_remote(repo: GitRepo, text: str, *, start: AbsPath) -> GitRemote:
    """Returns what a text means as a remote.

    Raises:
        UsageError: It is empty.
        NotFoundError: It means none.
    """
    if not text:
        raise UsageError("a Git remote must be named", hint=known_remotes(repo))
    found = find_git_remote(repo, text, start=start)
    if found is not None:
        return found
    names = remote_names(repo)
    hint = did_you_mean(text, names) or known_remotes(repo)
    raise NotFoundError(f"'{without_credentials(text)}' is neither a Git remote nor a Git repository", hint=hint)


def known_remotes(repo: GitRepo) -> str:
    """Returns the hint that names the configured remotes."""
    names = remote_names(repo)
    if not names:
        return "git remote add origin URL makes one"
    return f"the Git remotes of this repository: {', '.join(names)}"


def _is_repository(path: str) -> bool:
    """Tells whether there is a repository at a path itself, not only around it."""
    git_dir = os.path.join(path, ".git")
    return os.path.isfile(git_dir) or any(os.path.isdir(os.path.join(each, "objects")) for each in (path, git_dir))


def _settings(repo: GitRepo) -> Mapping[str, tuple[str, ...]]:
    """Returns the values by key (its last part in lower case, as Git prints it), in the order of the configuration."""
    args = ("config", "--null", "--get-regexp", _ASKED)
    done = finish_git(repo.root, *args, env=repo.env)
    if done.code not in (0, 1):
        raise git_error(repo.root, args, done)
    found: dict[str, tuple[str, ...]] = {}
    for item in done.out.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = item.partition("\n")
        if key:
            found[key] = (*found.get(key, ()), value)
    return found


def _names(settings: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    found = (key[len("remote.") :].rpartition(".") for key in settings if key.startswith("remote."))
    return tuple(dict.fromkeys(name for name, _, option in found if name and option in ("url", "pushurl")))


def _pushed_to(repo: GitRepo, name: str, settings: Mapping[str, tuple[str, ...]]) -> str:
    has_other = f"remote.{name}.pushurl" in settings or any(key.endswith(".pushinsteadof") for key in settings)
    if not has_other or not is_plain_name(name):
        return name
    done = finish_git(repo.root, "remote", "get-url", "--push", name, env=repo.env)
    return done.out.decode("utf-8", "surrogateescape").strip() or name if done.code == 0 else name


def is_plain_name(text: str) -> bool:
    """Tells whether a text can be the name of a remote, rather than a url or a path."""
    return not is_git_url(text) and "/" not in text
