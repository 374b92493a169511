"""`Project`: the opened handles of one project as a frozen record, and the one function that opens them.

No other method, ever. A function takes a `Project` only if it needs three or more of its fields; below `experiments`
nobody may take it.
"""

import os
from collections.abc import Mapping

from offbranch.base.config import Config, Setting, merge_configs, parse_config
from offbranch.base.environ import Environment
from offbranch.base.errors import BadInputError, NoProjectError, UsageError
from offbranch.base.files import DirectoryReader, decode
from offbranch.base.hashes import sha256
from offbranch.base.paths import CONFIG_FILE, DVC_DIR, LOCAL_CONFIG_FILE, TMP_DIR, AbsPath, GitPath, join, relative_to
from offbranch.base.records import record
from offbranch.git.repository import GitRepo, find_repo
from offbranch.storage.ignore import IgnoreRules, load_ignore_rules
from offbranch.storage.links import LinkKind, parse_link_kinds
from offbranch.storage.local import LocalCache
from offbranch.storage.state import StateDb


@record
class Project:
    """One project, opened.

    Attributes:
        root: The directory that holds `.dvc`.
        repo: The Git repository around it; None without one (`core.no_scm`).
        prefix: Path of `root` in the repository, empty at its top.
        tmp_dir: `.dvc/tmp` of the root.
        reader: The workspace as files.
        cache: The object cache.
        state: Hashes of unchanged files.
        ignore: .dvcignore.
    """

    root: AbsPath
    repo: GitRepo | None
    prefix: GitPath
    tmp_dir: AbsPath
    reader: DirectoryReader
    config: Config
    cache: LocalCache
    state: StateDb
    ignore: IgnoreRules
    environment: Environment


def open_project(start: AbsPath, environment: Environment) -> Project:
    """Opens the project that a directory belongs to.

    Raises:
        NoProjectError: No directory upwards holds `.dvc`.
        BadInputError: A config file is malformed.
    """
    root = find_root(start)
    if root is None:
        raise NoProjectError(
            f"'{start}' is not inside a project (no '{DVC_DIR}' directory here or above)",
            hint="make one with 'ob init', or change into your project",
        )
    return open_project_at(root, environment)


def open_project_at(
    root: AbsPath,
    environment: Environment,
    *,
    cache_dir: AbsPath | None = None,
    more_settings: Mapping[tuple[str, str], Setting] | None = None,
) -> Project:
    """Opens the project whose `.dvc` lies in `root`.

    Args:
        root: Where.
        environment: Variables of the process.
        cache_dir: Replaces the configured cache.
        more_settings: Laid over the configuration.
    """
    config = read_config(root, environment)
    if more_settings:
        config = merge_configs((config.settings, more_settings))
    repo = None if config.get_bool("core", "no_scm") else find_repo(root, environment.all)
    inside = relative_to(root, repo.root) if repo else None
    cache_root = cache_dir or cache_root_of(root, config)
    return Project(
        root=root,
        repo=repo,
        prefix=GitPath(inside or ""),
        tmp_dir=join(root, TMP_DIR),
        reader=DirectoryReader(root),
        config=config,
        cache=LocalCache(
            cache_root,
            link_kinds=_link_kinds(config),
            shared_group=config.get("cache", "shared") == "group",
        ),
        state=StateDb(state_file(cache_root, environment)),
        ignore=load_ignore_rules(root),
        environment=environment,
    )


def find_root(start: AbsPath) -> AbsPath | None:
    """Returns the nearest directory upwards that holds `.dvc`."""
    directory = start
    while True:
        if os.path.isdir(os.path.join(directory, DVC_DIR)):
            return directory
        above = AbsPath(os.path.dirname(directory))
        if above == directory:
            return None
        directory = above


def read_config(root: AbsPath | None, environment: Environment, *, project_text: str | None = None) -> Config:
    """Returns the merged configuration: machine, user, project, project-local; the later wins.

    Args:
        root: Of the project; None outside of any.
        environment: Says where the files of the machine and the user are.
        project_text: In place of the project's own file, e.g. as it is in another revision.
    """
    files: list[tuple[str, str | None]] = [
        (os.path.join(environment.system_config_dir, "config"), None),
        (os.path.join(environment.global_config_dir, "config"), None),
    ]
    if root is not None:
        files += [(join(root, CONFIG_FILE), CONFIG_FILE), (join(root, LOCAL_CONFIG_FILE), LOCAL_CONFIG_FILE)]
    elif project_text is not None:
        files.append(("", CONFIG_FILE))
    return merge_configs(
        parse_config(project_text, origin=CONFIG_FILE)
        if project_text is not None and origin == CONFIG_FILE
        else _read_level(path, origin or path)
        for path, origin in files
    )


def cache_root_of(root: AbsPath, config: Config) -> AbsPath:
    """Returns where the cache is: `cache.dir`, relative to the directory of the file that sets it."""
    setting = config.settings.get(("cache", "dir"))
    if setting is None:
        return join(root, ".dvc/cache")
    base = os.path.dirname(setting.origin) if os.path.isabs(setting.origin) else join(root, DVC_DIR)
    return AbsPath(os.path.normpath(os.path.join(base, os.path.expanduser(setting.value))))


def state_file(cache_root: AbsPath, environment: Environment) -> AbsPath:
    """Returns the state database of a cache: one for every project and temporary copy that shares it."""
    name = sha256(os.path.realpath(cache_root).encode())[:16]
    return AbsPath(os.path.join(environment.cache_dir, "state", f"{name}.db"))


def _read_level(path: str, origin: str) -> Mapping[tuple[str, str], Setting]:
    try:
        with open(path, "rb") as file:
            return parse_config(decode(file.read(), origin), origin=origin)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}


def _link_kinds(config: Config) -> tuple[LinkKind, ...]:
    setting = config.settings.get(("cache", "type"))
    if setting is None:
        return parse_link_kinds("reflink,copy")
    try:
        return parse_link_kinds(setting.value)
    except UsageError as error:
        raise BadInputError(
            error.message, path=setting.origin, line=setting.line, key="cache.type", hint=error.hint
        ) from error
