"""Real Git repositories for tests: make one, change it, ask Git what is in it."""

import hashlib
import os
import subprocess
from pathlib import Path

from offbranch.base.paths import AbsPath, GitPath
from offbranch.git.objects import ObjectReader, TreeId
from offbranch.git.repository import GitRepo, find_repo


def run(cwd: Path, *args: str, input: bytes = b"", env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        ["git", *args], cwd=cwd, input=input, env={**os.environ, **(env or {})}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return os.fsdecode(done.stdout).rstrip("\n")


def write(root: Path, path: str, content: bytes | str) -> Path:
    where = root / path
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_bytes(content.encode() if isinstance(content, str) else content)
    return where


def opened(path: Path) -> GitRepo:
    repo = find_repo(AbsPath(str(path)), os.environ)
    assert repo is not None
    return repo


def files_of(repo: GitRepo, tree: TreeId) -> dict[str, bytes]:
    """All files of a tree with their content, by Git itself."""
    out = run(Path(repo.root), "ls-tree", "-r", "-z", tree)
    found = {}
    with ObjectReader(repo) as objects:
        for line in out.split("\0"):
            if line:
                meta, _, path = line.partition("\t")
                kind, name = meta.split(" ")[1:]
                found[path] = objects.read(name)[1] if kind == "blob" else name.encode()
    return found


def state_of_user(path: Path) -> tuple[object, ...]:
    """What must never change: index, HEAD, refs, stash, and the files of the Git directory apart from objects."""
    git_dir = Path(run(path, "rev-parse", "--absolute-git-dir"))
    names = sorted(
        str(p.relative_to(git_dir))
        for p in git_dir.rglob("*")
        if p.is_file() and not str(p.relative_to(git_dir)).startswith(("objects", "modules"))
    )
    index = git_dir / "index"
    return (
        hashlib.sha256(index.read_bytes()).hexdigest() if index.exists() else None,
        (git_dir / "HEAD").read_text(),
        run(path, "for-each-ref"),
        names,
    )


def make_repo(path: Path, *init: str) -> Path:
    path.mkdir()
    run(path, "init", "--quiet", "-b", "main", *init)
    write(path, "README", "hello\n")
    commit_all(path, "first")
    return path


def commit_all(path: Path, message: str = "more") -> str:
    run(path, "add", "--all")
    run(path, "commit", "--quiet", "--allow-empty", "-m", message)
    return run(path, "rev-parse", "HEAD")


def gp(*paths: str) -> tuple[GitPath, ...]:
    return tuple(GitPath(path) for path in paths)
