"""Why a stage must run: what differs about it, each in a sentence. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from offbranch.base.records import record, replace
from offbranch.params.lookup import flatten
from offbranch.pipeline.stage import Stage
from offbranch.pipeline.status import Change, ChangeKind, StageStatus, same_value


@record
class Reason:
    """Why a stage must run, in one sentence.

    Attributes:
        code: For programs: `command`, `never-run`, `always`, `dependency`, `parameter`, `output`, `forced`, ...
        text: For people.
    """

    code: str
    text: str


def reasons(stage: Stage, status: StageStatus) -> Iterator[Reason]:
    """Yields why a stage is not up to date, the most telling reason first."""
    if status.never_ran:
        yield Reason(code="never-run", text="it has not run yet")
        yield from (_reason_of_dependency(change) for change in status.deps if change.kind is not ChangeKind.NEW)
        return
    if status.checkpoint is not None:
        yield Reason(code="checkpoint", text=f"its last run was at checkpoint {status.checkpoint}, not finished")
    elif status.command:
        yield Reason(code="command", text="its command changed")
    for change in status.deps:
        for leaf in _leaves(change):
            yield _reason_of_dependency(leaf)
    if status.always:
        goes_on = next((out.written for out in stage.outs if out.checkpoint), None)
        what = "it is marked always_changed" if stage.always_changed else "it has neither dependencies nor outputs"
        what = what if goes_on is None else f"it goes on from its checkpoint '{goes_on}'"
        yield Reason(code="always", text=f"{what}, so it always runs")
    if status.is_edited:
        yield Reason(code="checksum", text="its .dvc file was edited, or its import never carried out")
    for change in status.outs:
        yield _reason_of_output(change)


def _leaves(change: Change) -> Iterator[Change]:
    """Yields what differs inside a changed map of parameters, each leaf by its full key."""
    if change.key is None or not (isinstance(change.old, Mapping) and isinstance(change.new, Mapping)):
        yield change
        return
    old, new = dict(flatten(change.old, change.key)), dict(flatten(change.new, change.key))
    for key in dict.fromkeys((*new, *old)):
        if key not in new:
            yield replace(change, kind=ChangeKind.DELETED, key=key, old=old[key], new=None)
        elif key not in old:
            yield replace(change, kind=ChangeKind.NEW, key=key, old=None, new=new[key])
        elif not same_value(old[key], new[key]):
            yield replace(change, key=key, old=old[key], new=new[key])


def _reason_of_dependency(change: Change) -> Reason:
    match change.kind:
        case ChangeKind.PENDING:
            return Reason(
                code="pending", text=f"dependency {change.item} is made by '{change.maker}', which runs first"
            )
        case ChangeKind.UPDATE:
            return Reason(code="update", text=f"there is a newer version of {change.item}")
        case ChangeKind.DELETED if change.key is None:
            return Reason(code="dependency", text=f"dependency {change.item} missing")
        case ChangeKind.OUT_OF_SYNC:
            return Reason(code="dependency", text=f"no version of {change.item} as dvc.yaml has it is recorded")
        case ChangeKind.NEW if change.key is None:
            return Reason(code="dependency", text=f"dependency {change.item} is new")
        case ChangeKind.MODIFIED if change.key is None:
            return Reason(code="dependency", text=f"dependency {change.item} changed")
        case _:
            return Reason(code="parameter", text=_parameter_text(change))


def _parameter_text(change: Change) -> str:
    name = change.key if change.item.rpartition("/")[2] == "params.yaml" else f"{change.item}:{change.key}"
    match change.kind:
        case ChangeKind.DELETED:
            return f"parameter {name} missing"
        case ChangeKind.NEW:
            return f"parameter {name} is new, {show_value(change.new)}"
        case _:
            return f"parameter {name} changed {show_value(change.old)} -> {show_value(change.new)}"


def show_value(value: Any) -> str:
    """Returns a parameter value as short text for a sentence."""
    text = (
        {True: "true", False: "false", None: "null"}.get(value)
        if value is None or value is True or value is False
        else None
    )
    text = text or (value if isinstance(value, str) and value else repr(value))
    return text if len(text) <= 60 else text[:57] + "..."


def _reason_of_output(change: Change) -> Reason:
    words = {
        ChangeKind.DELETED: "missing",
        ChangeKind.NEW: "was not recorded",
        ChangeKind.MODIFIED: "changed",
        ChangeKind.NOT_IN_CACHE: "not in the cache",
        ChangeKind.PENDING: "will be made anew",
    }
    return Reason(code="output", text=f"output {change.item} {words[change.kind]}")
