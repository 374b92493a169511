"""Why a sweep is not run, and the command that queues it instead."""

import shlex
from collections.abc import Iterator, Sequence

from offbranch.api.run_request import RunRequest
from offbranch.base.errors import UsageError
from offbranch.params.overrides import Override
from offbranch.params.sweep import grid_of
from offbranch.pipeline.options import FailurePolicy


def refusal(request: RunRequest, overrides: Sequence[Override]) -> UsageError:
    """Returns the error for a sweep that was not asked to be queued."""
    has_glob = any(override.glob is not None for override in overrides)
    n = grid_of(overrides).n_trials
    many = "several trials" if has_glob else "1 trial" if n == 1 else f"{n} trials"
    return UsageError(
        f"these overrides are a sweep of {many}, and a sweep can only be queued",
        hint=f"{queue_command(request)} && ob queue start",
    )


def queue_command(request: RunRequest) -> str:
    """Returns the command line that queues what a request would run, ready for a shell."""
    return shlex.join(("ob", "exp", "run", "--queue", *_options(request), *request.targets))


def _options(request: RunRequest) -> Iterator[str]:
    if request.resume is not None:
        yield from ("--resume", *filter(None, [request.resume]))
    if request.name is not None:
        yield from ("-n", request.name)
    for text in request.overrides:
        yield from ("-S", text)
    for path in request.copy_paths:
        yield from ("-C", path)
    if request.message is not None:
        yield from ("-m", request.message)
    select, execute = request.select, request.execute
    flags = {
        "-f": request.force,
        "-s": select.single_item,
        "-p": select.pipeline,
        "-P": select.all_pipelines,
        "-R": select.recursive,
        "--downstream": select.downstream,
        "--force-downstream": execute.plan.forced_after,
        "--pull": execute.pull,
        "--allow-missing": execute.plan.allow_missing,
        "--dry": request.dry,
        "-k": execute.on_failure is FailurePolicy.KEEP_GOING,
        "--ignore-errors": execute.on_failure is FailurePolicy.IGNORE,
        "--no-hydra": not request.use_hydra,
        "--checkpoint": request.checkpoint == "every",
        "--no-checkpoint": request.checkpoint == "off",
    }
    yield from (flag for flag, is_given in flags.items() if is_given)
    if request.keep_checkpoints is not None:
        yield from ("--keep-checkpoints", request.keep_checkpoints)
    if execute.jobs != 1:
        yield from ("--stage-jobs", str(execute.jobs))
