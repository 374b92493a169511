"""Names of experiments that users choose: what may be one. Automatic ones are those of base/made_up_names.py."""

from offbranch.base.errors import UsageError

# What git check-ref-format forbids, and `]`, which the message of a stash entry of DVC cannot carry.
_FORBIDDEN = set(" ~^:?*[]\\/\x7f") | {chr(code) for code in range(32)}


def check_name(name: str) -> None:
    """Makes sure that a name can be part of a ref.

    Raises:
        UsageError: It cannot; the message says why.
    """
    problem = _problem(name)
    if problem:
        raise UsageError(
            f"invalid experiment name '{name if name.isprintable() else ascii(name)[1:-1]}': {problem}",
            hint="use letters, digits, '-', '_' and '.', as in 'lr-0.1'",
        )


def _problem(name: str) -> str | None:
    if not name:
        return "it is empty"
    bad = next((char for char in name if char in _FORBIDDEN), None)
    if bad is not None:
        return f"it contains {bad!r}"
    if name.startswith((".", "-")):
        return f"it starts with '{name[0]}'"
    if name.endswith((".", ".lock")):
        return f"it ends with '{'.lock' if name.endswith('.lock') else '.'}'"
    return (
        "it contains '..'"
        if ".." in name
        else "it contains '@{'"
        if "@{" in name
        else "it is '@'"
        if name == "@"
        else None
    )
