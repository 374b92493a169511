"""What must be right before the command of a stage runs: its inputs are there, and its outputs may be where they are."""

import os

from offbranch.base.errors import StageFailedError
from offbranch.base.paths import overlap
from offbranch.params.lookup import MISSING
from offbranch.pipeline.facts import Facts, OutOfSync, is_at_url, place_on_disk
from offbranch.pipeline.stage import DATASET_PREFIX, Stage, item_key
from offbranch.pipeline.status import param_values
from offbranch.pipeline.workbench import Workbench


def check_inputs(stage: Stage, facts: Facts) -> None:
    for dependency in stage.deps:
        if facts.contents[item_key(stage, dependency)] is None:
            raise StageFailedError(
                f"'{stage.address}' cannot run: its dependency '{dependency.written}' does not exist",
                stage=stage.address,
                hint="create it, or put it back with 'ob checkout'",
            )
        if isinstance(facts.contents[item_key(stage, dependency)], OutOfSync):
            raise StageFailedError(
                f"'{stage.address}' cannot run: dvc.lock records no version of the dataset '{dependency.written}'"
                " as dvc.yaml has it",
                stage=stage.address,
                hint=f"record one with DVC: dvc dataset update {dependency.written.removeprefix(DATASET_PREFIX)}",
            )
    for group in stage.params:
        data = facts.params[item_key(stage, group)]
        if data is None:
            raise StageFailedError(
                f"'{stage.address}' cannot run: its parameter file '{group.written}' does not exist",
                stage=stage.address,
                hint=f"create '{group.written}', or change 'params' in {stage.file}",
            )
        missing = [key for key, value in param_values(group, data).items() if value is MISSING]
        if missing:
            names = ", ".join(repr(key) for key in missing)
            raise StageFailedError(
                f"'{stage.address}' cannot run: parameter {names} is missing from '{group.written}'",
                stage=stage.address,
                hint=f"add it to '{group.written}', or remove it from 'params' in {stage.file}",
            )


def check_places(stage: Stage, bench: Workbench, *, commit: bool) -> None:
    """Refuses outputs outside of the project that the cache cannot take, or that would take the project with them."""
    for out in stage.outs:
        if out.path is not None:
            continue
        if out.cache and commit:
            raise StageFailedError(
                f"output '{out.written}' of '{stage.address}' is outside of the project, so it cannot be cached",
                stage=stage.address,
                hint=f"set 'cache: false' for it in {stage.file}, or move it into the project",
            )
        if not is_at_url(stage, out) and overlap(
            os.path.realpath(place_on_disk(bench.root, stage, out)), os.path.realpath(bench.root)
        ):
            raise StageFailedError(
                f"output '{out.written}' of '{stage.address}' holds the project, or leads back into it",
                stage=stage.address,
                hint=f"write it relative to '{stage.wdir or '.'}' in {stage.file}",
            )


def check_not_tracked(stage: Stage, bench: Workbench) -> None:
    paths = [out.path for out in stage.outs if out.cache and out.path is not None]
    for path in sorted(bench.source_control.tracked(paths)):
        raise StageFailedError(
            f"output '{path}' of '{stage.address}' is tracked by Git, so it cannot be kept in the cache as well",
            stage=stage.address,
            hint=f"git rm -r --cached '{path}', or set 'cache: false' for it in {stage.file}",
        )
