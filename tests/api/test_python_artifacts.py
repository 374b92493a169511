"""`artifacts_show` and `get_dataset`."""

from pathlib import Path

import pytest

from offbranch.api import artifacts_show, get_dataset
from offbranch.base.errors import NotFoundError, UsageError
from projects import TestProject, make_project

FILES = {
    "dvc.yaml": """\
artifacts:
  model:
    path: out/model.bin
datasets:
  - {name: registry, type: dvc, url: ../registry, path: data, rev: main}
  - {name: bucket, type: url, url: "s3://bucket/x"}
  - {name: single, type: url, url: /data/x.csv}
  - {name: chain, type: dc, url: chain}
  - {name: changed, type: dvc, url: ../other, path: data}
  - {name: new, type: dvc, url: ../registry, path: new}
""",
    "dvc.lock": """\
schema: '2.0'
datasets:
  - {name: registry, type: dvc, url: ../registry, path: data, rev: main, rev_lock: abc}
  - name: bucket
    type: url
    url: s3://bucket/x
    meta: {isdir: true}
    files:
      - {relpath: f, meta: {version_id: v7}}
      - {relpath: g, meta: {}}
  - {name: single, type: url, url: /data/x.csv, meta: {size: 2}}
  - {name: chain, type: dc, url: chain, version: 3, created_at: "2026-01-01"}
  - {name: changed, type: dvc, url: ../registry, path: data, rev_lock: abc}
""",
    "models/dvc.yaml": "artifacts:\n  small:\n    path: small.bin\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestProject:
    made = make_project(tmp_path / "p", FILES)
    monkeypatch.chdir(made.root)
    return made


def tag(project: TestProject, *names: str) -> str:
    """Tags a new commit, and returns its id."""
    project.git("commit", "-q", "--allow-empty", "-m", names[0])
    for name in names:
        project.git("tag", "-a", name, "-m", name)
    return project.git("rev-parse", "HEAD").strip()


def test_an_artifact_is_found_by_version_stage_or_as_the_newest(project: TestProject) -> None:
    first = tag(project, "model@v1.2.0", "model#prod#1", "model#dev#2")
    newest = tag(project, "model@v1.10.0", "model#dev#3", "models=small@v0.1.0")
    tag(project, "model@v1.10.0-rc.1", "model@v1.3.0", "model@nonsense", "other@v9.0.0", "model#prod!#4")
    assert artifacts_show("model") == {"rev": newest, "path": "out/model.bin"}
    assert artifacts_show("dvc.yaml:model", version="v1.2.0") == {"rev": first, "path": "out/model.bin"}
    assert artifacts_show("model", stage="prod")["rev"] == first
    assert artifacts_show("model", stage="dev")["rev"] == newest
    expected = {"rev": newest, "path": "models/small.bin"}
    assert artifacts_show("models:small") == artifacts_show("models/dvc.yaml:small") == expected
    assert artifacts_show("models:small", repo=f"file://{project.root}") == expected


@pytest.mark.parametrize(
    ("order"),
    [
        [
            "v1.0.0-1",
            "v1.0.0-alpha",
            "v1.0.0-alpha.1",
            "v1.0.0-beta.2",
            "v1.0.0-beta.11",
            "v1.0.0-rc.1",
            "v1.0.0",
            "v1.0.1",
        ]
    ],
)
def test_versions_are_ordered_as_semver_says(project: TestProject, order: list[str]) -> None:
    commits = {version: tag(project, f"model@{version}") for version in reversed(order)}
    for version in reversed(order):
        assert artifacts_show("model")["rev"] == commits[version]
        project.git("tag", "-d", f"model@{version}")


def test_what_there_is_not_is_said_with_what_there_is(project: TestProject) -> None:
    with pytest.raises(NotFoundError, match="no artifact 'model'"):
        artifacts_show("model")
    tag(project, "model@v1.0.0", "gone@v1.0.0")
    with pytest.raises(NotFoundError, match=r"'model @ v2\.0\.0'") as raised:
        artifacts_show("model", "v2.0.0")
    assert raised.value.hint == "@v1.0.0"
    with pytest.raises(NotFoundError, match="no artifact 'gone' in"):
        artifacts_show("gone")
    with pytest.raises(UsageError):
        artifacts_show("model", "v1.0.0", "prod")


def test_a_project_further_down_in_its_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_project(tmp_path / "p", {"a.txt": "a", "inner/dvc.yaml": "artifacts:\n  m:\n    path: x.bin\n"})
    inner = made.root / "inner"
    (inner / ".dvc").mkdir()
    (inner / ".dvc/config").write_text("")
    made.commit("a project in it")
    commit = tag(made, "inner=m@v1.0.0")
    monkeypatch.chdir(inner)
    assert artifacts_show("m") == artifacts_show("inner:m") == {"rev": commit, "path": "x.bin"}
    assert artifacts_show("inner:m", repo=f"file://{made.root}") == {"rev": commit, "path": "inner/x.bin"}


def test_what_is_recorded_of_datasets(project: TestProject) -> None:
    assert get_dataset("registry") == {"type": "dvc", "url": "../registry", "path": "data", "sha": "abc"}
    assert get_dataset("bucket") == {
        "type": "url",
        "files": ["s3://bucket/x/f?versionId=v7", "s3://bucket/x/g"],
        "path": "s3://bucket/x",
    }
    assert get_dataset("single") == {"type": "url", "files": ["local:///data/x.csv"], "path": "local:///data/x.csv"}
    assert get_dataset("chain") == {"type": "dc", "name": "chain", "version": 3}
    for name in ("changed", "new"):
        with pytest.raises(UsageError, match=f"no version of the dataset '{name}'"):
            get_dataset(name)
    with pytest.raises(NotFoundError, match="no dataset 'regis'"):
        get_dataset("regis")
