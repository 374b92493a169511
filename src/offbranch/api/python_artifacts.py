"""Artifacts and datasets of a project by name: `artifacts_show` and `get_dataset` with the signatures of `dvc.api`.

Versions and stages of artifacts are tags of Git, in the form of GTO 1: `[directory=]name@v1.2.3`, `[directory=]name#stage[#4]`.
"""

import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from offbranch.api.python_place import Where, git_repo_of, project_of, where_is
from offbranch.base.errors import NotFoundError, OffbranchError, UsageError, did_you_mean
from offbranch.base.paths import PIPELINE_FILE, GitPath, RepoPath, parent
from offbranch.base.records import record
from offbranch.experiments.loading import load
from offbranch.experiments.revision_pipelines import PipelineMemory
from offbranch.experiments.source_repo import project_in
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import TAGS
from offbranch.git.repository import GitRepo, repo_git
from offbranch.pipeline.stage import Dataset, Pipelines

_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
# What a version of an object is in the url of each store.
_VERSION_IN_URL: Final = {"s3": "?versionId=", "azure": "?versionid=", "gs": "#"}


@record
class _Tag:
    """A tag that says something of an artifact.

    Attributes:
        text: What follows the name of the artifact: `@v1.0.0`, `#prod#3`.
        made: When, in seconds.
    """

    text: str
    commit: CommitId
    made: int


def artifacts_show(
    name: str, version: str | None = None, stage: str | None = None, repo: str | os.PathLike[str] | None = None
) -> dict[str, str]:
    """Returns where an artifact is: the commit `rev` and the `path`, which `open`, `read` and `get_url` take.

    Args:
        name: Of the artifact; one that is not in the dvc.yaml at the top with its directory: `models:name`.
        version: As its tag says: `v1.2.3`. Without version and stage the newest is meant.
        stage: What is in this stage, such as `prod`.
        repo: Directory or Git url of the project; by default the one around the current directory.

    Raises:
        NotFoundError: There is no such artifact, or no such version or stage of it.
        UsageError: Both a version and a stage are given.
    """
    if version is not None and stage is not None:
        raise UsageError("an artifact is looked for by version or by stage", hint="leave one of the two out")
    where = where_is(repo)
    git = git_repo_of(where)
    top = project_of(where).prefix if where.root is not None else GitPath("")
    directory, _, short = name.rpartition(":")
    directory = posixpath.normpath(directory.removesuffix(PIPELINE_FILE) or ".").strip("/")
    places = dict.fromkeys(posixpath.normpath(posixpath.join(above, directory)) for above in ("", top))
    tags: tuple[_Tag, ...] = ()
    for place in places:
        tags = tuple(_tags_of(git, short if place == "." else f"{place}={short}"))
        chosen = _chosen(tags, version, stage)
        if chosen is not None:
            return {"rev": chosen.commit, "path": _path_at(where, git, chosen.commit, place, short)}
    wanted = version or stage
    shown = name if wanted is None else f"{name} @ {wanted}"
    hint = ", ".join(tag.text for tag in tags) or "a tag of Git such as 'name@v1.0.0' makes a version"
    raise NotFoundError(f"there is no artifact '{shown}'", hint=hint)


def get_dataset(name: str) -> dict[str, Any]:
    """Returns which version of a dataset of the project is recorded: an entry of `datasets` in dvc.yaml and dvc.lock.

    Args:
        name: Of the dataset.

    Returns:
        Its `type`, and of `dvc`: `url`, `path` and the commit `sha`; of `url`: `path` and the urls of its `files`; of `dc`:
        `name` and `version`.

    Raises:
        NotFoundError: There is no such dataset.
        UsageError: No version of it is recorded.
    """
    project = project_of(where_is(None))
    try:
        datasets = load(project).datasets
    finally:
        project.state.close()
    dataset = datasets.get(name)
    if dataset is None:
        raise NotFoundError(f"there is no dataset '{name}'", hint=did_you_mean(name, datasets))
    if not dataset.is_in_sync or dataset.locked is None:
        raise UsageError(
            f"no version of the dataset '{name}' is recorded as it is in '{dataset.file}'",
            hint=f"dvc dataset update {name} records the newest one",
        )
    return _recorded(dataset, dataset.locked)


def _recorded(dataset: Dataset, locked: Mapping[str, Any]) -> dict[str, Any]:
    url = str(locked["url"])
    match dataset.fields.get("type"):
        case "dvc":
            return {"type": "dvc", "url": url, "path": locked.get("path"), "sha": locked["rev_lock"]}
        case "url":
            url = url if "://" in url else f"local://{url}"
            files = locked.get("files") or ({"meta": locked["meta"]},)
            return {"type": "url", "files": [_file_url(url, file) for file in files], "path": url}
        case _:
            return {"type": "dc", "name": url.removeprefix("dc://"), "version": locked["version"]}


def _file_url(url: str, file: Mapping[str, Any]) -> str:
    path = f"{url.rstrip('/')}/{file['relpath']}" if "relpath" in file else url
    version = (file.get("meta") or {}).get("version_id")
    mark = _VERSION_IN_URL.get(url.partition("://")[0])
    return path if version is None or mark is None else f"{path}{mark}{version}"


def _tags_of(repo: GitRepo, name: str) -> Iterator[_Tag]:
    form = "%(refname)%00%(objectname)%00%(*objectname)%00%(creatordate:unix)"
    for line in repo_git(repo, "for-each-ref", f"--format={form}", TAGS).decode().splitlines():
        ref, id, peeled, made = line.split("\0")
        text = ref.removeprefix(TAGS)
        if text.startswith((f"{name}@", f"{name}#")):
            yield _Tag(text=text.removeprefix(name), commit=CommitId(peeled or id), made=int(made or 0))


def _chosen(tags: tuple[_Tag, ...], version: str | None, stage: str | None) -> _Tag | None:
    if stage is not None:
        form = re.compile(rf"#{re.escape(stage)}(?:#(\d+))?")
        staged = [(tag.made, int(found[1] or 0), tag) for tag in tags if (found := form.fullmatch(tag.text))]
        return max(staged, key=lambda one: one[:2])[2] if staged else None
    if version is not None:
        return next((tag for tag in tags if tag.text == f"@{version}"), None)
    numbered = [(order, tag) for tag in tags if (order := _order(tag.text.removeprefix("@"))) is not None]
    return max(numbered, key=lambda one: one[0])[1] if numbered else None


def _order(version: str) -> tuple[Any, ...] | None:
    """Returns what versions are compared by (semver.org 2.0, 11); None for what is none."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return None
    major, minor, patch, before = found.groups()
    parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in (before or "").split(".") if part)
    return (int(major), int(minor), int(patch), before is None, parts)


def _path_at(where: Where, repo: GitRepo, commit: CommitId, directory: str, name: str) -> str:
    """Returns the path of an artifact, below the project that is meant, or the top of a repository elsewhere."""
    below = "" if directory == "." else directory
    with ObjectReader(repo) as objects:
        prefix = project_in(objects, commit, RepoPath(below))
        pipelines = PipelineMemory(objects, prefix, understand=_as_it_is).wanted(objects.commit(commit).tree)
    if isinstance(pipelines, OffbranchError):
        raise pipelines
    inside = posixpath.relpath(below or ".", prefix or ".")
    file = PIPELINE_FILE if inside == "." else f"{inside}/{PIPELINE_FILE}"
    artifact = pipelines.artifacts.get(name if file == PIPELINE_FILE else f"{file}:{name}")
    if artifact is None:
        raise NotFoundError(
            f"there is no artifact '{name}' in '{file}' of the commit {commit[:7]}, at which its tag is",
            hint=did_you_mean(name, pipelines.artifacts),
        )
    path = posixpath.normpath(posixpath.join(parent(RepoPath(file)), str(artifact["path"])))
    return path if where.root is not None else posixpath.join(prefix, path)


def _as_it_is(pipelines: Pipelines) -> Pipelines:
    return pipelines
