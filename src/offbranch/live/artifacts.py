"""Artifacts: copies below the directory of Live, `ob add`, and what dvc.yaml says of them."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from offbranch.base.files import remove_tree
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.base.records import field, record
from offbranch.live.command import run_ob
from offbranch.live.faults import Faults, say
from offbranch.live.formats import temporary_number
from offbranch.live.surroundings import Inside


@record
class Artifact:
    """What a program says of a file or directory.

    Attributes:
        path: Where it is.
        kind: Its type, such as `model`; `name`, `desc`, `labels` and `meta` as in dvc.yaml. None where that is not said.
    """

    path: str
    kind: str | None = None
    name: str | None = None
    desc: str | None = None
    labels: Sequence[str] | None = None
    meta: Mapping[str, Any] | None = None


@record
class Tracked:
    """Files that `ob add` has made for Git."""

    paths: tuple[str, ...] = field(default=())


def copy_artifact(path: str, directory: str) -> str:
    """Copies a file or directory to a directory, in place of an earlier copy; returns where it is now.

    Raises:
        OSError: It is not there, or cannot be copied.
    """
    target = os.path.join(directory, os.path.basename(os.path.normpath(path)))
    os.makedirs(directory, exist_ok=True)
    temporary = f"{target}.ob-tmp-{temporary_number()}"
    if os.path.isdir(path):
        load("shutil").copytree(path, temporary, dirs_exist_ok=True)
        remove_tree(AbsPath(target))
    else:
        load("shutil").copyfile(path, temporary)
    os.replace(temporary, target)
    return target


def add_artifact(path: str, *, home: str, inside: Inside, faults: Faults) -> Tracked:
    """Puts an artifact under control by `ob add`; a failure is a warning.

    Args:
        path: Absolute.
        home: Directory it is named as seen from.
        inside: What runs the program: in a pipeline an artifact had better be an output.
        faults: Is told of a failure.

    Returns:
        The files that are for Git.
    """
    shown = os.path.relpath(path, home)
    if inside is not Inside.NOTHING:
        say("warning", f"'{shown}' is not an output of the pipeline; 'outs' of its stage would have it tracked")
    done = run_ob("add", "--quiet", shown, cwd=home)
    if done.code != 0:
        faults.tell(f"add '{shown}'", done.err or f"'ob add' ended with {done.code}")
        return Tracked()
    place = os.path.normpath(path)
    beside = os.path.join(os.path.dirname(place), ".gitignore")
    return Tracked(paths=(f"{place}.dvc", *((beside,) if os.path.exists(beside) else ())))


def entry_of(artifact: Artifact, base: str) -> tuple[str, dict[str, Any]] | None:
    """Returns name and entry of an artifact in dvc.yaml; None if nothing is said of it, or its name is no id.

    Args:
        artifact: What the program says.
        base: Directory of dvc.yaml.
    """
    said = {"type": artifact.kind, "desc": artifact.desc, "labels": artifact.labels, "meta": artifact.meta}
    if not artifact.name and not any(said.values()):
        return None
    name = artifact.name or os.path.splitext(os.path.basename(os.path.normpath(artifact.path)))[0]
    if not is_artifact_id(name):
        say("warning", f"Can't use '{name}' as artifact name (ID). It will not be included in the `artifacts` section.")
        return None
    path = os.path.relpath(artifact.path, base).replace(os.sep, "/")
    return name, {"path": path, **{key: value for key, value in said.items() if value}}


def is_artifact_id(name: str) -> bool:
    """Tells whether DVC takes a name for that of an artifact."""
    inner = name.replace("-", "a").replace("_", "a").replace("/", "a")
    edges = name[:1].isalnum() and name[-1:].isalnum()
    return bool(name) and name.isascii() and inner.isalnum() and edges
