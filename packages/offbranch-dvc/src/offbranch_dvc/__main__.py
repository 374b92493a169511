"""`python -m offbranch_dvc`: what `dvc` and `dvclive` are in this environment. Exit code 1 if not all of them are ours."""

import importlib.metadata
import importlib.util
import sys

from offbranch_dvc import real_one


def main() -> int:
    """Prints a line for each, and returns the exit code."""
    real = {name: real_one(name) for name in ("dvc", "dvclive")}
    for name, place in real.items():
        spec = importlib.util.find_spec(name)
        where = place or (spec.origin if spec is not None else None)
        whose = "the real one" if place else "that of offbranch"
        sys.stdout.write(f"{name} {importlib.metadata.version(name)}: {whose}, {where}\n")
    found = [name for name, place in real.items() if place]
    if found:
        names = " ".join(found)
        sys.stderr.write(f"hint: keep one of them: pip uninstall offbranch-dvc, or pip uninstall {names}\n")
    return 1 if found else 0


sys.exit(main())
