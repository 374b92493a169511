"""The example project: a copy of `offbranch/demo/project`, put under Git and made a project."""

import gzip
import os

import offbranch
from offbranch.api.data import add
from offbranch.api.project import init
from offbranch.api.session import Session
from offbranch.base.errors import ConflictError
from offbranch.base.files import atomic_write
from offbranch.base.paths import AbsPath
from offbranch.base.records import record, replace
from offbranch.git.command import clean_environment, run_git

_PACKED = "data/digits.csv.gz"
# The experiments that `ob demo --run` makes: one name and its overrides each, best understood in this order.
EXPERIMENTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("faster", ("train.lr=0.01",)),
    ("wider", ("train.lr=0.01", "train.hidden=96")),
    ("too-fast", ("train.lr=0.3", "train.hidden=32")),
)


@record
class Demo:
    """Attributes:
    root: The new project.
    experiments: What to run in it, as (name, overrides).
    """

    root: AbsPath
    experiments: tuple[tuple[str, tuple[str, ...]], ...]


def create_demo(directory: AbsPath, session: Session) -> Demo:
    """Makes the example project in a new directory: files, Git repository with one commit, data in the cache.

    Raises:
        ConflictError: The directory exists and is not empty.
    """
    if os.path.isdir(directory) and os.listdir(directory):
        raise ConflictError(f"'{directory}' exists and is not empty", hint="give another directory, or remove this one")
    _copy_files(directory)
    env = _with_identity(session)
    run_git(directory, "init", "--quiet", "--initial-branch=main", env=env)
    inside = replace(session, start=directory)
    init(inside)
    add(["data/digits.csv"], inside)
    run_git(directory, "add", "--all", env=env)
    run_git(directory, "commit", "--quiet", "--message", "Reading handwritten digits: data, code, pipeline", env=env)
    return Demo(root=directory, experiments=EXPERIMENTS)


def commit_results(demo: Demo, session: Session) -> None:
    """Commits what the pipeline has made, so that experiments have a baseline with numbers to compare with."""
    env = _with_identity(session)
    run_git(demo.root, "add", "--all", env=env)
    run_git(demo.root, "commit", "--quiet", "--message", "First results", env=env)


def _copy_files(directory: AbsPath) -> None:
    source = os.path.join(os.path.dirname(offbranch.__file__), "demo", "project")
    for where, directories, names in os.walk(source):
        directories[:] = [name for name in directories if name != "__pycache__"]
        inside = os.path.relpath(where, source)
        os.makedirs(os.path.join(directory, inside), exist_ok=True)
        for name in names:
            path = os.path.normpath(os.path.join(inside, name))
            with open(os.path.join(where, name), "rb") as file:
                content = file.read()
            if path.replace(os.sep, "/") == _PACKED:
                path, content = path.removesuffix(".gz"), gzip.decompress(content)
            elif name == "gitignore":
                path = os.path.join(inside, ".gitignore")
            atomic_write(AbsPath(os.path.join(directory, path)), content)


def _with_identity(session: Session) -> dict[str, str]:
    """Returns the environment for Git, with an identity for the first commit where the user has none yet."""
    env = clean_environment(session.environment.all)
    known = run_git(session.start, "config", "--get", "user.email", env=env, ok=(0, 1)).strip()
    if not known and not env.get("GIT_AUTHOR_EMAIL") and not env.get("EMAIL"):
        for who in ("AUTHOR", "COMMITTER"):
            env[f"GIT_{who}_NAME"], env[f"GIT_{who}_EMAIL"] = "ob demo", "demo@localhost"
    return env
