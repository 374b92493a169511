"""What a run that goes on is asked for: what the user says, and else what the run before was asked for."""

import os

from offbranch.api.run_request import RunRequest
from offbranch.base.paths import AbsPath, RepoPath, join
from offbranch.base.records import replace
from offbranch.experiments.go_on import Beginning
from offbranch.pipeline.options import SelectOptions


def as_before(request: RunRequest, begun: Beginning, cwd: RepoPath, root: AbsPath) -> RunRequest:
    """Returns a request with what it does not say itself as the run before was asked for it; its directory is in it.

    Targets and the options that choose stages belong together.
    """
    is_chosen = bool(request.targets) or request.select != SelectOptions()
    asked = begun.mark.asked if begun.mark is not None else None
    targets, select, mode = request.targets, replace(request.select, cwd=cwd), request.checkpoint
    copies = request.copy_paths
    if asked is not None:
        mode = mode or asked.mode.value
        # What is not here, as on another machine, a stage will ask for where it needs it.
        copies = copies or tuple(path for each in asked.copy_paths if os.path.lexists(path := join(root, each)))
        if not is_chosen:
            targets, select = asked.targets, asked.select
    keep = request.keep_checkpoints
    if keep is None and begun.mark is not None:
        keep = begun.mark.keep or None
    message = begun.message if request.message is None else request.message
    return replace(
        request,
        targets=targets,
        select=select,
        copy_paths=copies,
        checkpoint=mode,
        keep_checkpoints=keep,
        message=message,
    )
