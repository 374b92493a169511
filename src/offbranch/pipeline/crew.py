"""Runs the commands of stages, one stage or several at a time, and holds what each reads and writes meanwhile.

A stage may have several commands, one after the other; who asks is only told when the last has ended, or one has failed.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from offbranch.base.errors import Interrupted, OffbranchError, StageFailedError
from offbranch.base.paths import AbsPath
from offbranch.base.records import record, replace
from offbranch.pipeline.carry_out import Commands
from offbranch.pipeline.events import CommandStarted
from offbranch.pipeline.path_locks import PathLocks
from offbranch.pipeline.runner import CommandPool, CommandRunner, Ended
from offbranch.pipeline.workbench import Workbench


@record
class Finished:
    """A stage whose commands are over.

    Attributes:
        error: Why they do not count.
    """

    address: str
    error: OffbranchError | Interrupted | None = None


@record
class _Running:
    commands: Commands
    command: str
    rest: Iterator[str]
    held: ExitStack


class Crew:
    """The stages whose commands run now; made by `open_crew`.

    Attributes:
        running: Addresses of these stages.
    """

    def __init__(self, pool: CommandPool, bench: Workbench, *, is_marked: bool) -> None:
        self._pool = pool
        self._bench = bench
        self._is_marked = is_marked
        self._path_locks = PathLocks(bench.tmp_dir)
        self.running: dict[str, _Running] = {}

    @property
    def stopped(self) -> Interrupted | None:
        """That the user wants everything to end, None while not."""
        return self._pool.stopped

    def start(self, address: str, commands: Commands) -> None:
        """Starts the first command of a stage; there is at least one.

        Raises:
            OffbranchError: Another process uses its paths, or the shell could not be started.
        """
        with ExitStack() as held:
            held.enter_context(self._path_locks.hold(reads=commands.reads, writes=commands.writes))
            rest = iter(commands.calls)
            running = _Running(commands=commands, command=next(rest), rest=rest, held=held)
            self._call(address, running)
            self.running[address] = replace(running, held=held.pop_all())

    def wait(self) -> Finished:
        """Returns the next stage whose commands are over; at least one runs."""
        while True:
            ended = self._pool.wait()
            running = self.running[ended.label]
            try:
                _raise_if_failed(ended, running.command)
                command = next(running.rest, None)
                if command is not None:
                    if self.stopped is not None:
                        raise Interrupted(f"stopped before '{command}'")
                    running = replace(running, command=command)
                    self._call(ended.label, running)
                    self.running[ended.label] = running
                    continue
            except (OffbranchError, Interrupted) as error:
                return self._finished(ended.label, error)
            return self._finished(ended.label, None)

    def _call(self, address: str, running: _Running) -> None:
        self._bench.reporter.emit(CommandStarted(address=address, command=running.command, is_marked=self._is_marked))
        self._pool.start(address, running.command, cwd=running.commands.cwd, env=running.commands.env)

    def _finished(self, address: str, error: OffbranchError | Interrupted | None) -> Finished:
        self.running.pop(address).held.close()
        return Finished(address=address, error=error)


@contextmanager
def open_crew(bench: Workbench, *, jobs: int) -> Iterator[Crew]:
    """Opens a crew for so many stages at a time; leaving it waits for what still runs."""
    opened: AbstractContextManager[CommandPool] = (
        nullcontext(_OneAtATime(bench.runner)) if jobs == 1 else bench.runner.open_pool()
    )
    left: dict[str, _Running] = {}
    try:
        with opened as pool:
            crew = Crew(pool, bench, is_marked=jobs > 1)
            left = crew.running
            yield crew
    finally:
        for running in left.values():  # only after a mistake of ours; their commands have ended by now
            running.held.close()


class _OneAtATime:
    """A `CommandPool` for one command, whose output is left untouched: it runs while it is waited for."""

    stopped = None

    def __init__(self, runner: CommandRunner) -> None:
        self._runner = runner
        self._next: list[tuple[str, str, AbsPath, Mapping[str, str]]] = []

    def start(self, label: str, command: str, *, cwd: AbsPath, env: Mapping[str, str]) -> None:
        self._next.append((label, command, cwd, env))

    def wait(self) -> Ended:
        label, command, cwd, env = self._next.pop()
        try:
            return Ended(label=label, code=self._runner.run(command, cwd=cwd, env=env))
        except (OffbranchError, Interrupted) as error:
            return Ended(label=label, code=-1, error=error)


def _raise_if_failed(ended: Ended, command: str) -> None:
    if ended.error is not None:
        raise ended.error
    if ended.code != 0:
        how = f"exited with {ended.code}" if ended.code > 0 else f"was ended by signal {-ended.code}"
        raise StageFailedError(
            f"'{ended.label}' failed: '{command}' {how}", stage=ended.label, exit_code_of_command=ended.code
        )
