"""How what came of a transfer of data is told. Light: sharing experiments without their outputs loads no transfers."""

from offbranch.cli.console import Console
from offbranch.experiments.moved import Moved

_SHOWN_PATHS = 3


def moved_data(moved: Moved, verb: str) -> dict[str, object]:
    """Returns what `--json` prints."""
    return {
        verb: moved.n_objects,
        "bytes": moved.size_bytes,
        "run_cache": moved.n_runs,
        "problems": [
            {
                "object": one.id,
                "paths": list(one.paths),
                "remote": one.remote,
                "kind": type(one.error).__name__,
                "message": one.error.message,
            }
            for one in moved.problems
        ],
    }


def warn_of_problems(moved: Moved, console: Console) -> None:
    """Prints what did not arrive, and why."""
    for problem in moved.problems:
        paths = [*problem.paths[:_SHOWN_PATHS], *(["…"] if len(problem.paths) > _SHOWN_PATHS else [])]
        of = f" ({', '.join(paths)})" if paths else ""
        console.warn(f"{problem.error.message}{of}", problem.error.hint)


def counted(number: int, noun: str, verb: str) -> str:
    """Returns `3 files pushed`."""
    return f"{number} {noun if number == 1 else f'{noun}s'} {verb}"
