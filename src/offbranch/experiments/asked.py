"""What a run was asked for beyond its files, as its checkpoints say it: so one that goes on does the same, in any clone.

Pure; part of the header of a checkpoint (docs/formats/checkpoints.md).
"""

from collections.abc import Mapping
from typing import Any

from offbranch.base.paths import ROOT, RepoPath, resolve_in
from offbranch.base.records import as_dict, field, fields_of, record
from offbranch.experiments.checkpoint_policy import CheckpointMode
from offbranch.pipeline.options import SelectOptions


@record
class Asked:
    """What a run was asked for.

    Attributes:
        targets: Stages; empty means the pipeline file of the directory.
        select: How the stages are chosen.
        mode: When checkpoints are made.
        copy_paths: Paths of the workspace that its copy had too.
    """

    targets: tuple[str, ...] = ()
    select: SelectOptions = field(default_factory=SelectOptions)
    mode: CheckpointMode = CheckpointMode.AUTO
    copy_paths: tuple[RepoPath, ...] = ()


def asked_to_json(asked: Asked) -> dict[str, Any]:
    """Returns the stored form, without what is usual."""
    data: dict[str, Any] = {name: value for name, value in as_dict(asked.select).items() if value}
    if asked.targets:
        data["targets"] = list(asked.targets)
    if asked.mode is not CheckpointMode.AUTO:
        data["mode"] = asked.mode.value
    if asked.copy_paths:
        data["copy_paths"] = list(asked.copy_paths)
    return data


def asked_from_json(data: Mapping[str, Any]) -> Asked:
    """Reads the stored form.

    Raises:
        ValueError: It is not one.
    """
    cwd = resolve_in(ROOT, str(data["cwd"])) if data.get("cwd") else ROOT
    if cwd is None:
        raise ValueError(f"the path {data['cwd']!r} leads out of the project")
    flags = {name: bool(data.get(name)) for name in fields_of(SelectOptions) if name != "cwd"}
    return Asked(
        targets=tuple(map(str, data.get("targets") or ())),
        select=SelectOptions(cwd=cwd, **flags),
        mode=CheckpointMode(data.get("mode", CheckpointMode.AUTO.value)),
        copy_paths=tuple(path for each in data.get("copy_paths") or () if (path := resolve_in(ROOT, str(each)))),
    )
