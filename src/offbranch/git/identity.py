"""Who is named as author and committer of a commit we make.

Git decides, by its variables and configuration. Where it refuses because nothing is configured, the login name and
`login@host` stand in, each only for what is missing, as the experiments of DVC have it.
"""

import os

from offbranch.base.plugins import load
from offbranch.base.processes import host_name
from offbranch.git.repository import GitRepo, repo_git, settings_in


def fallback_identity(repo: GitRepo) -> dict[str, str]:
    """Returns the variables that complete the user's identity so that Git accepts it."""
    login = _login_name()
    configured = _configured(repo)
    variables = {}
    for role in ("author", "committer"):
        for field, default in (("name", login), ("email", f"{login}@{host_name()}")):
            value = (
                repo.env.get(f"GIT_{role.upper()}_{field.upper()}")
                or configured.get(f"{role}.{field}")
                or configured.get(f"user.{field}")
                or (repo.env.get("EMAIL") if field == "email" else None)
                or default
            )
            variables[f"GIT_{role.upper()}_{field.upper()}"] = value
    return variables


def unknown_identity(repo: GitRepo) -> tuple[str, ...]:
    """Returns what Git is not told of the user: `user.name`, `user.email`, both, or nothing when it knows whom to name."""
    variables = [
        (key, f"GIT_{role}_{key.upper()}", role.lower())
        for role in ("AUTHOR", "COMMITTER")
        for key in ("name", "email")
    ]
    asked = [(key, role) for key, variable, role in variables if not repo.env.get(variable)]
    if not asked:
        return ()
    known = _plainly_configured(repo)
    if not {"user.name", "user.email"} <= known:
        known = frozenset(_configured(repo))
    missing = {key for key, role in asked if f"{role}.{key}" not in known and f"user.{key}" not in known}
    if repo.env.get("EMAIL"):
        missing.discard("email")
    return tuple(f"user.{key}" for key in ("name", "email") if key in missing)


def _plainly_configured(repo: GitRepo) -> frozenset[str]:
    """Returns what the files that Git always reads say for sure; what they include, and more, only Git knows."""
    home = repo.env.get("HOME", "")
    of_user = os.path.join(repo.env.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "git", "config")
    files = [] if not home or "GIT_CONFIG_GLOBAL" in repo.env else [os.path.join(home, ".gitconfig"), of_user]
    found: set[str] = set()
    for path in (*files, os.path.join(repo.common_dir, "config")):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        if "\\\n" not in text:  # no line goes on in the next
            settings = settings_in(text, "user")
            found.update(key for key, value in settings.items() if value and value[0] not in '#;"')
    return frozenset(found)


def _configured(repo: GitRepo) -> dict[str, str]:
    out = repo_git(repo, "config", "-z", "--get-regexp", r"^(user|author|committer)\.(name|email)$", ok=(0, 1))
    pairs = (item.partition(b"\n") for item in out.split(b"\0") if item)
    return {os.fsdecode(key): os.fsdecode(value) for key, _, value in pairs if value.strip()}


def _login_name() -> str:
    try:
        return str(load("pwd").getpwuid(os.getuid()).pw_name)
    except (ImportError, AttributeError, KeyError):  # no such table, or a container's user without an entry
        return f"user{os.getuid()}" if hasattr(os, "getuid") else "user"
