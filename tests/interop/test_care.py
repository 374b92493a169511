"""`gc` beside DVC: of twin projects the same objects are left, less what only ours protects; DVC accepts what is repaired."""

from pathlib import Path

import pytest

from interop.peers import PeerProject, make_peer_project

pytestmark = pytest.mark.interop
STAGES = "stages:\n  t:\n    cmd: cat params.yaml > m.txt\n    params: [lr]\n    outs: [m.txt]\n"


def objects(project: PeerProject) -> set[str]:
    top = project.root / ".dvc/cache/files/md5"
    return {f"{path.parent.name}{path.name}" for path in top.glob("??/*") if path.is_file()}


def runs(project: PeerProject) -> set[str]:
    return {path.name for path in (project.root / ".dvc/cache/runs").rglob("*") if path.is_file()}


@pytest.fixture
def twins_with_history(tmp_path: Path, dvc: str) -> tuple[PeerProject, PeerProject]:
    """Two branches, a tag, a directory that changes, experiments of DVC; the workspace is as HEAD."""
    config = f"[core]\nremote = r\n['remote \"r\"']\nurl = {tmp_path / 'r'}\n"
    project = make_peer_project(tmp_path / "ob", dvc, {"dvc.yaml": STAGES, "params.yaml": "lr: 1\n"}, config=config)
    for version in ("1", "2", "3"):
        project.write("params.yaml", f"lr: {version}\n")
        project.write("d/same", "same")
        project.write("d/changes", version)
        project.dvc("add", "d")
        project.dvc("repro")
        project.commit(version)
        if version == "1":
            project.git("tag", "old")
            project.git("branch", "side")
    project.dvc("exp", "run", "-n", "e1", "-S", "lr=7")
    project.git("checkout", "-q", "-f", ".")
    project.dvc("checkout")
    project.did("push", "-A")
    return project, project.copy(tmp_path / "dvc")


@pytest.mark.parametrize(
    "options",
    [
        ("-w",),
        ("-a",),
        ("-T",),
        ("-A",),
        ("--all-experiments",),
        ("--rev", "HEAD~1"),
        ("--rev", "HEAD", "-n", "2"),
        ("-a", "-n", "2"),
        ("--date", "2000-01-01"),
        ("-A", "--all-experiments"),
        ("-w", "--not-in-remote"),
    ],
    ids=" ".join,
)
def test_same_objects_left(twins_with_history: tuple[PeerProject, PeerProject], options: tuple[str, ...]) -> None:
    ours, theirs = twins_with_history
    before = objects(ours)
    said = ours.did("gc", *options, "-f").out
    says = theirs.dvc("gc", *options, "-f").out
    assert objects(ours) == objects(theirs) and objects(ours) <= before
    assert runs(ours) == runs(theirs)
    for line in says.splitlines():
        assert line.replace(" 1 objects ", " 1 object ") in said
    ours.dvc("fetch")
    assert ours.dvc("status", "--json").json == {}


def test_the_data_remote(twins_with_history: tuple[PeerProject, PeerProject], tmp_path: Path) -> None:
    ours, theirs = twins_with_history
    left = []
    for project, gc in ((ours, ours.did), (theirs, theirs.dvc)):
        gc("gc", "-w", "-c", "-f")
        left.append({path.relative_to(tmp_path / "r") for path in (tmp_path / "r").rglob("*") if path.is_file()})
        assert project.dvc("status", "-c", "--json").json == {}
    assert left[0] == left[1]


def test_what_only_ours_protects(twins_with_history: tuple[PeerProject, PeerProject]) -> None:
    ours, theirs = twins_with_history
    for project in (ours, theirs):
        project.dvc("exp", "run", "--queue", "-n", "q", "-S", "lr=9")
        project.write("d/changes", "queued data")
        project.dvc("add", "d")
        project.dvc("exp", "run", "--queue", "-n", "q2", "-S", "lr=8")
        project.git("checkout", "-q", "-f", ".")
        project.dvc("checkout")
    ours.did("gc", "-w", "-f")
    theirs.dvc("gc", "-w", "-f")
    more = objects(ours) - objects(theirs)
    assert len(more) == 2 and objects(theirs) < objects(ours)  # the changed file of the queued task, and its list


def test_dvc_takes_what_was_repaired(twins_with_history: tuple[PeerProject, PeerProject]) -> None:
    ours, _ = twins_with_history
    before = objects(ours)
    for path in (ours.root / ".dvc/cache/files/md5").glob("??/*"):
        path.chmod(0o644)
        path.write_bytes(b"rotten")
        path.chmod(0o444)
    done = ours.did("fsck", "-A", code=1)
    assert "corrupt" in done.out
    ours.did("fsck", "-A", "--repair", code=1)  # the object of the experiment is at no remote
    assert ours.did("fsck", "-A").code == 0
    assert len(before - objects(ours)) == 1
    ours.dvc("checkout", "-f")
    assert ours.dvc("status", "--json").json == {}
    assert ours.dvc("gc", "-A", "-f").code == 0
