"""A project with a bare Git remote and a data remote beside it, all relative, so that the whole can be copied."""

import atexit
import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from git_repos import run as git
from projects import SIMPLE, TestProject, make_project

CONFIG = "[core]\n    remote = store\n['remote \"store\"']\n    url = ../../store\n"


@dataclass
class Place:
    """A directory with projects, `remote.git` and `store`."""

    base: Path

    @property
    def project(self) -> TestProject:
        return TestProject(self.base / "p")

    @property
    def remote(self) -> Path:
        return self.base / "remote.git"

    @property
    def store(self) -> Path:
        return self.base / "store"

    def clone(self, name: str = "c") -> TestProject:
        """Clones the remote: a project with nothing in its cache."""
        git(self.base, "clone", "-q", "remote.git", name)
        made = TestProject(self.base / name)
        made.git("remote", "set-url", "origin", "../remote.git")
        return made

    def copy(self, to: Path) -> "Place":
        shutil.copytree(self.base, to, symlinks=True)
        return Place(to)

    def there(self) -> dict[str, str]:
        """Ref -> object of everything private or of experiments that the Git remote has."""
        lines = git(self.remote, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return {ref: id for ref, id in (line.split() for line in lines) if not ref.startswith("refs/heads/")}

    def names_there(self) -> list[str]:
        return sorted(ref.split("/")[-1] for ref in self.there() if ref.startswith("refs/exps/"))

    def stored(self) -> set[str]:
        """The MD5 of every object at the data remote."""
        return {path.parent.name + path.name for path in self._objects()}

    def wrong_at_store(self) -> list[str]:
        """Objects at the data remote whose content is not what their name says."""
        return [
            str(path)
            for path in self._objects()
            if hashlib.md5(path.read_bytes()).hexdigest() != (path.parent.name + path.name).removesuffix(".dir")
        ]

    def _objects(self) -> list[Path]:
        """Without what is on its way in."""
        found = self.store.glob("files/md5/??/*")
        return [path for path in found if path.is_file() and not path.name.startswith(".")]


def make_place(base: Path, *, config: str = CONFIG, experiments: tuple[str, ...] = ("one", "two")) -> Place:
    """Makes a project with experiments, none of them pushed; its branch is. Each kind is made once and then copied."""
    key = (config, experiments)
    if key not in _made:
        _made[key] = _build(Path(tempfile.mkdtemp(dir=_scratch.name)), config, experiments)
    shutil.copytree(_made[key].base, base, symlinks=True, dirs_exist_ok=True)
    return Place(base)


_made: dict[tuple[str, tuple[str, ...]], Place] = {}
_scratch = tempfile.TemporaryDirectory(prefix="places-")
atexit.register(_scratch.cleanup)


def _build(base: Path, config: str, experiments: tuple[str, ...]) -> Place:
    project = make_project(base / "p", SIMPLE, config=config)
    git(base, "init", "-q", "--bare", "-b", "main", "remote.git")
    project.git("remote", "add", "origin", "../remote.git")
    project.git("push", "-q", "origin", "main")
    for n, name in enumerate(experiments):
        done = project.ob("exp", "run", "-q", "-n", name, "-S", f"lr=0.{n + 2}")
        assert done.code == 0, done.err
    project.git("checkout", "-q", "--", ".")
    return Place(base)


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def commit_on(project: TestProject, parent: str, ref: str, files: dict[str, str]) -> str:
    """Commits files on top of a commit, without touching index or workspace, and points a ref there."""
    index = {"GIT_INDEX_FILE": str(project.root / ".git" / "test-index")}
    git(project.root, "read-tree", parent, env=index)
    for path, text in files.items():
        blob = git(project.root, "hash-object", "-w", "--stdin", input=text.encode())
        git(project.root, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", env=index)
    tree = git(project.root, "write-tree", env=index)
    commit = git(project.root, "commit-tree", tree, "-p", parent, "-m", "made by a test")
    git(project.root, "update-ref", ref, commit)
    return commit


def labels_of(project: TestProject, name: str, text: str, *parents: str) -> str:
    """Writes labels of an experiment as a commit with the empty tree, and returns it."""
    baseline, _ = ref_of(project, name)
    tree = git(project.root, "hash-object", "-w", "-t", "tree", "--stdin", input=b"")
    args = [word for parent in parents for word in ("-p", parent)]
    commit = git(project.root, "commit-tree", tree, *args, "-m", f"labels\n\n{text}")
    git(project.root, "update-ref", f"refs/ob/labels/{baseline[:2]}/{baseline[2:]}/{name}", commit)
    return commit


def ref_of(project: TestProject, name: str) -> tuple[str, str]:
    """Returns baseline and ref of an experiment."""
    for ref in project.git("for-each-ref", "--format=%(refname)", "refs/exps").splitlines():
        parts = ref.split("/")
        if len(parts) == 5 and parts[4] == name:
            return parts[2] + parts[3], ref
    raise AssertionError(f"no experiment {name}")
