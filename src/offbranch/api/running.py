"""The runner that commands of a project are run with: chosen here, handed down."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from offbranch.api.session import Session
from offbranch.base.paths import AbsPath
from offbranch.base.records import replace
from offbranch.pipeline.runner import CommandRunner, SubprocessRunner


@contextmanager
def open_runner(
    session: Session,
    *,
    log: AbsPath | None,
    keep_open: tuple[int, ...],
    root: AbsPath | None,
    hands_on_signals: bool = True,
) -> Iterator[CommandRunner]:
    """Gives the runner for commands of a project.

    Args:
        session: Whose environment and shell the commands get.
        log: A file that their output is appended to; None keeps no copy.
        keep_open: Descriptors they inherit, so that a lock lives as long as they do.
        root: The project that is held while they run, None if none is.
        hands_on_signals: False where a signal is sent to our whole process group.
    """
    env = {name: value for name, value in session.environment.all.items() if name != "OFFBRANCH_RUN_ROOT"}
    if root is not None:
        env["OFFBRANCH_RUN_ROOT"] = root
    runner = SubprocessRunner(
        env=env, shell=session.environment.shell, keep_open=keep_open, hands_on_signals=hands_on_signals
    )
    if log is None:
        yield runner
        return
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "ab") as file:
        yield replace(runner, log=file)
