"""A self-check of the machine, the project, its cache and its data remotes. Changes nothing; what it tries out it removes."""

import os
import platform
from collections.abc import Callable, Iterator

from offbranch import __version__
from offbranch.api.finding import Finding, ok, problem, warning
from offbranch.api.queue_offer import found_devices
from offbranch.api.remotes import list_remotes
from offbranch.api.self_check_config import ProbeRemote, check_config, check_remotes
from offbranch.api.self_check_places import check_cache, check_links, check_locks, check_state
from offbranch.api.session import Session
from offbranch.base.errors import GitError, OffbranchError
from offbranch.base.paths import CONFIG_FILE, LOCAL_CONFIG_FILE, TMP_DIR, RepoPath, join, relative_to
from offbranch.base.plugins import load as load_by_name
from offbranch.experiments.loading import load
from offbranch.experiments.workbench import in_git
from offbranch.git.command import MINIMUM_VERSION, git_version
from offbranch.git.ignore import ignored_paths, tracked_paths
from offbranch.git.repository import GitRepo, head_commit, operation_in_progress
from offbranch.pipeline.graph import build_graph
from offbranch.project import Project, find_root, open_project_at
from offbranch.storage.remote_files import OPENERS

# Optional dependency set -> the modules that it brings and `ob` needs of it.
MODULES = {
    "s3": ("obstore", "botocore"),
    "gs": ("obstore",),
    "azure": ("obstore",),
    "ssh": ("asyncssh",),
    "http": ("requests",),
    "demo": ("numpy", "sklearn"),
}


def doctor(session: Session, *, probe_remote: ProbeRemote | None = None) -> tuple[Finding, ...]:
    """Examines everything that `ob` needs.

    Args:
        session: Where.
        probe_remote: Tries whether a data remote answers, and returns what is to be said of it, None if nothing; only called
            for one that this installation can reach.

    Returns:
        What was found, from the machine to the project; outside of a project only the former.
    """
    findings = [*_machine(session), *_gpus(session), *check_config(session)]
    root = find_root(session.start)
    if root is None:
        hint = "change into your project, or make one with 'ob init'"
        return (*findings, warning("project", f"'{session.start}' is not inside a project", hint))
    is_sound = not any(finding.area == "config" and finding.health.value == "problem" for finding in findings)
    try:
        project = open_project_at(root, session.environment)
    except OffbranchError as error:
        if is_sound:
            findings.append(_of_error("project", error))
        return tuple(findings)
    try:
        for check in (_project, _git, check_cache, check_links, check_state, check_locks, _pipelines):
            findings += _guarded(check, project)
        findings += check_remotes(project, list_remotes(session), missing=_missing, probe=probe_remote)
    finally:
        project.state.close()
    return tuple(findings)


def _guarded(check: Callable[[Project], Iterator[Finding]], project: Project) -> list[Finding]:
    """Runs one check; what it cannot read is a finding too, and does not keep the others from being made."""
    found: list[Finding] = []
    try:
        found.extend(check(project))
    except OffbranchError as error:
        found.append(_of_error(check.__name__.removeprefix("_").removeprefix("check_"), error))
    except OSError as error:
        area = check.__name__.removeprefix("_").removeprefix("check_")
        place = f"'{error.filename}': " if error.filename else ""
        found.append(problem(area, f"{place}{(error.strerror or str(error)).lower()}", "check its permissions"))
    return found


def _of_error(area: str, error: OffbranchError) -> Finding:
    return problem(area, error.message, error.hint or "see the message")


def _machine(session: Session) -> Iterator[Finding]:
    yield ok("version", f"ob {__version__}, Python {platform.python_version()}, {platform.platform()}")
    wanted = ".".join(map(str, MINIMUM_VERSION))
    try:
        version = git_version(session.start, session.environment.all)
    except (GitError, OSError):
        yield problem("version", "the program 'git' is not found", f"install Git {wanted} or newer")
    else:
        shown = ".".join(map(str, version))
        if version < MINIMUM_VERSION:
            yield problem("version", f"Git {shown} is too old", f"install Git {wanted} or newer")
        else:
            yield ok("version", f"Git {shown}")
    extras = dict.fromkeys([extra for _, extra in OPENERS.values() if extra is not None] + ["demo"])
    missing = [extra for extra in extras if _missing(extra)]
    there = [extra for extra in extras if extra not in missing]
    yield ok("optional", f"installed: {', '.join(there) or 'none'}; not installed: {', '.join(missing) or 'none'}")


def _gpus(session: Session) -> Iterator[Finding]:
    found = found_devices(session)
    if found.problem:
        yield warning("gpus", found.problem, "nvidia-smi")
    names = ", ".join(f"{device.label} {device.name}".strip() for device in found.devices)
    hidden = f" (as {found.hidden_by} says)" if found.hidden_by else ""
    if names or hidden:
        yield ok("gpus", f"{names or 'none'}{hidden}")


def _missing(extra: str) -> str | None:
    """Returns a module of an optional dependency set that is not installed."""
    find = load_by_name("importlib.util:find_spec")
    return next((module for module in MODULES.get(extra, ()) if find(module) is None), None)


def _project(project: Project) -> Iterator[Finding]:
    below = f", in '{project.prefix}' of its Git repository" if project.prefix else ""
    yield ok("project", f"'{project.root}'{below}")
    private = join(project.root, TMP_DIR)
    there = private if os.path.isdir(private) else os.path.dirname(private)
    if not os.access(there, os.W_OK):
        yield problem("project", f"'{there}' cannot be written to", "check its permissions")


def _git(project: Project) -> Iterator[Finding]:
    if project.repo is None:
        if project.config.get_bool("core", "no_scm"):
            yield ok("git", "not used (core.no_scm)")
        else:
            hint = "git init; or 'ob config core.no_scm true' to do without"
            yield warning(
                "git", "the project is not in a Git repository: pipelines and data work, experiments do not", hint
            )
        return
    repo = project.repo
    try:
        yield ok("git", f"HEAD is at {head_commit(repo)[:7]}")
    except OffbranchError as error:
        yield warning("git", error.message, error.hint or "git commit")
    if (operation := operation_in_progress(repo)) is not None:
        yield problem("git", f"a {operation} is in progress", f"finish it, or undo it: git {operation} --abort")
    yield from _private_files(project, repo)


def _private_files(project: Project, repo: GitRepo) -> Iterator[Finding]:
    config, local = (in_git(project, RepoPath(path)) for path in (CONFIG_FILE, LOCAL_CONFIG_FILE))
    if ignored_paths(repo, (config,)):
        yield problem("git", f"Git ignores '{config}'", f"git check-ignore -v {config} shows the rule; remove it")
    if tracked_paths(repo, (local,)):
        yield problem("git", f"'{local}' is tracked by Git, with whatever secrets it holds", f"git rm --cached {local}")
    inside = relative_to(project.cache.root, project.root)
    if inside and tracked_paths(repo, (in_git(project, inside),)):
        yield problem("git", f"the cache '{inside}' is tracked by Git", f"git rm -r --cached '{inside}'")


def _pipelines(project: Project) -> Iterator[Finding]:
    loaded = load(project)
    for error in loaded.broken.values():
        text = error.message if isinstance(error, OffbranchError) else str(error)
        hint = error.hint if isinstance(error, OffbranchError) else None
        yield problem("pipeline", text, hint or "mend the file, or restore it from Git")
    try:
        build_graph(loaded.stages)
    except OffbranchError as error:
        yield _of_error("pipeline", error)
    n_data = sum(stage.command is None for stage in loaded.stages)
    yield ok("pipeline", f"{_count(len(loaded.stages) - n_data, 'stage')}, {_count(n_data, '.dvc file')}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
