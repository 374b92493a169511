"""Which file an override means: seen from the user's directory, otherwise from the top of the project.

From here on an override names its file by the path in the project, in its text too, so that it means the same wherever it is
read again: in the record of an experiment, of an attempt, of a task.
"""

from collections.abc import Iterable

from offbranch.base.errors import UsageError
from offbranch.base.files import FileReader
from offbranch.base.paths import PARAMS_FILE, ROOT, AbsPath, RepoPath, absolute, join, parent, relative_to, resolve_in
from offbranch.base.records import replace
from offbranch.params.overrides import Override, parse_override, text_for_hydra


def placed_overrides(
    texts: Iterable[str], cwd: RepoPath, *, reader: FileReader, root: AbsPath, is_composed: bool
) -> tuple[Override, ...]:
    """Returns overrides whose files are paths of the project.

    Args:
        texts: As the user wrote them.
        cwd: The directory of the project that the user is in.
        reader: Tells which files there are.
        root: Of the project.
        is_composed: Whether Hydra composes the params.yaml of the project, which is then meant where no file is named.

    Raises:
        UsageError: A text is not in the grammar, or a file cannot be named in one.
    """
    parsed = (parse_override(text) for text in texts)
    # Where Hydra composes params.yaml that of the project is meant, wherever the user is.
    return tuple(
        override if not _names_file(override) and (is_composed or not cwd) else _placed(override, cwd, reader, root)
        for override in parsed
    )


def _placed(override: Override, cwd: RepoPath, reader: FileReader, root: AbsPath) -> Override:
    here = relative_to(absolute(override.file, base=join(root, cwd)), root)
    at_top = resolve_in(ROOT, override.file)
    places = [path for path in (here, at_top) if path]
    where = next(filter(reader.is_file, places), None)
    if where is None:  # a new one: where it can be made, unless it is the default
        where = at_top if not _names_file(override) else next((p for p in places if reader.is_dir(parent(p))), here)
    if not where or where == override.file:
        return override  # one that leads out of the project is refused where it is read
    change = text_for_hydra(override)
    named = f"./{where}" if where[0] in "+~" else where  # not the sign of a key
    text = change if where == PARAMS_FILE else f"{named}:{change}"
    if "=" in where:
        raise UsageError(
            f"no override can change '{where}': its path has '=' in it", hint="give it another name, or edit the file"
        )
    return replace(override, file=where, text=text)


def _names_file(override: Override) -> bool:
    return text_for_hydra(override) != override.text
