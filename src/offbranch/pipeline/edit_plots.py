"""Changing how a plot of a stage is drawn: the options of one output in dvc.yaml; comments and layout of the rest stay."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from offbranch.base.errors import NotFoundError, OffbranchError, did_you_mean
from offbranch.base.yaml import load_yaml
from offbranch.params.changes import Change, Put, Remove, apply_change, copy_of
from offbranch.params.edit_yaml import edit
from offbranch.pipeline.emit import render
from offbranch.pipeline.schema import PLOT_OPTIONS


def modify_plot_text(
    text: str, stage: str, written: str, *, changes: Mapping[str, Any], unset: Sequence[str], path: str = "dvc.yaml"
) -> str:
    """Returns the text of a dvc.yaml with other options of a plot.

    Args:
        text: The present text.
        stage: The stage, as written under `stages`.
        written: The output, as written there.
        changes: Options with new values.
        unset: Options to take away; those that `changes` names are given anew after that.
        path: The file, for messages.

    Raises:
        NotFoundError: The stage lists no such plot, or an option that is to be taken away is not there.
        BadInputError: The text is not YAML.
    """
    document = load_yaml(text, path)
    definition = document["stages"][stage]
    inside: tuple[str, ...] = ("do",) if "foreach" in definition else ()
    plots = (definition["do"] if inside else definition).get("plots") or []
    place, item = _find(plots, written, stage, path)
    options = item if isinstance(item, dict) else {}
    missing = [name for name in unset if name not in options]
    if missing:
        known = [name for name in options if name in PLOT_OPTIONS]
        raise NotFoundError(
            f"the plot '{written}' has no {', '.join(repr(name) for name in missing)} to unset",
            hint=did_you_mean(missing[0], known) or (f"it has: {', '.join(known)}" if known else "it has no options"),
        )
    where = ("stages", stage, *inside, "plots", *place)
    for change in _steps(where, written, item, changes, unset):
        wanted = copy_of(document)
        apply_change(wanted, change)
        if wanted == document:
            continue
        text, document = _as_block(text, written, change, wanted, path) or edit(text, change, wanted, path), wanted
    return text


def _as_block(text: str, written: str, change: Change, wanted: Any, path: str) -> str | None:
    """Returns the text in which the line of a path alone has become one with options below it; None if that is not it."""
    if not isinstance(change, Put) or not isinstance(change.value, dict):
        return None
    for line in re.finditer(
        rf"^( *)- ({re.escape(written)}|'{re.escape(written)}')([ ]*(?:#.*)?)$", text, re.MULTILINE
    ):
        margin = " " * (len(line[1]) + 4)
        options = "".join(f"{margin}{row}\n" for row in render(change.value[written]).splitlines())
        new = f"{text[: line.start()]}{line[1]}- {line[2]}:{line[3]}\n{options}{text[line.end() + 1 :]}"
        try:
            if load_yaml(new, path) == wanted:
                return new
        except OffbranchError:
            continue
    return None


def _find(plots: Sequence[Any], written: str, stage: str, path: str) -> tuple[tuple[Any, ...], Any]:
    """Returns where a plot is in the list of a stage, and its options; None for the path alone."""
    for n, item in enumerate(plots):
        if item == written:
            return (n,), None
        if isinstance(item, dict) and written in item:
            if isinstance(item[written], list):
                raise OffbranchError(
                    f"the plot '{written}' of stage '{stage}' is drawn in several ways", hint=f"edit '{path}' by hand"
                )
            return (n, written), item[written]
    raise NotFoundError(
        f"stage '{stage}' in '{path}' does not list '{written}' under 'plots' like this",
        hint=f"its path is made by a template, or it is no plot: edit '{path}' by hand",
    )


def _steps(
    where: tuple[Any, ...], written: str, item: Any, changes: Mapping[str, Any], unset: Sequence[str]
) -> list[Change]:
    if not isinstance(item, dict):
        return [Put(path=where, value={written: dict(changes)})] if changes else []
    left = [name for name in item if name not in unset or name in changes]
    if not left and not changes:
        return [Put(path=where[:-1], value=written)]
    gone: list[Change] = [Remove(path=(*where, name)) for name in unset if name not in changes]
    return [*gone, *(Put(path=(*where, name), value=value) for name, value in changes.items())]
