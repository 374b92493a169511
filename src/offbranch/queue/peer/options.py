"""What the command of a task of DVC was given, as ours: from `.dvc/tmp/repro.dat` of its commit to how a task is run."""

from collections.abc import Mapping
from typing import Any

from offbranch.base.paths import ROOT
from offbranch.base.records import record
from offbranch.pipeline.options import ExecuteOptions, FailurePolicy, PlanOptions, RunOptions, SelectOptions

FILE = ".dvc/tmp/repro.dat"
_SELECT = ("single_item", "pipeline", "all_pipelines", "downstream", "recursive", "glob")
_FLAGS = (*_SELECT, "force", "force_downstream", "pull", "allow_missing", "interactive", "dry")
_ON_ERROR = {
    "fail": FailurePolicy.STOP,
    "keep-going": FailurePolicy.KEEP_GOING,
    "ignore": FailurePolicy.IGNORE,
}
# Nobody is there to be asked when a task runs, and what DVC tells its commands in variables is told by us as well.
_WITHOUT_MEANING = frozenset(("run_env", "interactive"))


@record
class PeerOptions:
    """What a task of DVC shall do.

    Attributes:
        force: An experiment of the same name is replaced.
    """

    targets: tuple[str, ...]
    force: bool
    options: RunOptions


def read_options(data: Any) -> PeerOptions:
    """Returns what the content of the file says.

    Raises:
        ValueError: It is something else, or says what we do not know.
    """
    given = data.get("kwargs") if isinstance(data, dict) else None
    if not isinstance(given, dict) or data.get("args"):
        raise ValueError("it does not say what to run")
    _refuse_unknown(given)
    flags = {name: _flag(given, name) for name in _FLAGS}
    targets = given.get("targets") or []
    if not isinstance(targets, (list, tuple)) or not all(isinstance(each, str) for each in targets):
        raise ValueError("its targets are no texts")
    on_error = given.get("on_error", "fail")
    if not isinstance(on_error, str) or on_error not in _ON_ERROR:
        raise ValueError(f"it goes on after a failure in an unknown way ({on_error!r})")
    plan = PlanOptions(
        force=flags["force"], forced_after=flags["force_downstream"], allow_missing=flags["allow_missing"]
    )
    return PeerOptions(
        targets=tuple(targets),
        force=flags["force"],
        options=RunOptions(
            # DVC's worker runs at the top of the project, wherever the user was.
            select=SelectOptions(cwd=ROOT, **{name: flags[name] for name in _SELECT}),
            execute=ExecuteOptions(plan=plan, on_failure=_ON_ERROR[on_error], pull=flags["pull"]),
        ),
    )


def _refuse_unknown(given: Mapping[str, Any]) -> None:
    known = {*_FLAGS, *_WITHOUT_MEANING, "targets", "on_error"}
    unknown = sorted(name for name, value in given.items() if name not in known and value)
    if unknown or given.get("dry"):
        raise ValueError(f"it was queued with an option that is not known here: {', '.join(unknown) or 'dry'}")


def _flag(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is neither true nor false")
    return value
