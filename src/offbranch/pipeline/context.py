"""What `${}` may refer to: params.yaml, the files and maps under `vars`, and `item` and `key` of a group.

Maps of several sources are merged, but no source may say anew what an earlier one has said: a template means one thing.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from offbranch.base.errors import did_you_mean
from offbranch.base.files import FileReader, decode
from offbranch.base.paths import PARAMS_FILE, RepoPath, resolve_in
from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.base.yaml import load_yaml
from offbranch.pipeline.interpolate import Context, InterpolationError, ParsingOptions, Source, has_expression

_OTHER_FORMATS = (".json", ".toml", ".py")
RESERVED = ("item", "key")
_NOTHING: set[str] = set()

ReadParams = Callable[[RepoPath], Any]


def params_reader(reader: FileReader) -> ReadParams:
    """Returns a function that reads and parses a parameter file; each file is parsed once."""
    known: dict[RepoPath, Any] = {}

    def read(path: RepoPath) -> Any:
        if path not in known:
            content = reader.read_bytes(path)
            if path.endswith(_OTHER_FORMATS):
                known[path] = load("offbranch.params.files:parse_params")(content, path)
            else:
                known[path] = load_yaml(decode(content, path), path)
        return known[path]

    return read


def base_context(directory: RepoPath, read: ReadParams, options: ParsingOptions) -> Context:
    """Returns the context that every dvc.yaml starts with: the params.yaml beside it, where there is one."""
    path = RepoPath(f"{directory}/{PARAMS_FILE}" if directory else PARAMS_FILE)
    try:
        values = read(path)
    except FileNotFoundError:
        return Context(values={}, options=options)
    if not isinstance(values, dict):
        return Context(values={}, options=options)
    return Context(values=values, sources=(Source(name=path, values=values, is_file=True),), options=options)


def with_vars(context: Context, written: list[Any], *, base: RepoPath, label: str, read: ReadParams) -> Context:
    """Returns the context extended by a `vars` list.

    Args:
        context: What is known so far.
        written: The list, as in the file.
        base: The directory that its files are relative to.
        label: How a map of the list is called in messages, e.g. `vars` or `train.vars`.
        read: Reads a parameter file.

    Raises:
        InterpolationError: A file is missing, a key is defined twice, or an entry has an expression.
    """
    # Which parts of a file are loaded; None for the whole of it.
    loaded: dict[str, set[str] | None] = {source.name: None for source in context.sources if source.is_file}
    values = dict(context.values)
    sources = list(context.sources)
    for n, item in enumerate(written):
        if has_expression(item):
            raise InterpolationError(
                f"{label}[{n}] has a '${{}}', and none may stand in 'vars'", "write the value itself"
            )
        if isinstance(item, str):
            source = _from_file(item, base, loaded, read)
        else:
            source = Source(name=f"{label}[{n}]", values=item, is_file=False)
        if source is None:
            continue
        _merge(values, source.values, source.name, sources, ())
        sources.append(source)
    return replace(context, values=values, sources=tuple(sources))


def with_group(context: Context, item: Any, key: Any) -> Context:
    """Returns the context of one member of a group: `item`, and `key` unless it is None."""
    values = {**context.values, "item": item}
    if key is not None:
        values["key"] = key
    return replace(context, values=values)


def _from_file(written: str, base: RepoPath, loaded: dict[str, set[str] | None], read: ReadParams) -> Source | None:
    """Reads `file` or `file:key,key`; None when the whole file has been loaded before."""
    # A colon also follows a drive letter on Windows, but a path in dvc.yaml is relative.
    file, _, listed = written.partition(":")
    keys = [key.strip() for key in listed.split(",") if key.strip()]
    path = resolve_in(base, file)
    if path is None:
        raise InterpolationError(f"'{file}' in 'vars' is outside the project", "copy it into the project")
    before = loaded.get(path, _NOTHING)
    if before is None and not keys:
        return None
    if before is None or (before and not keys) or (before and set(keys) & before):
        raise InterpolationError(f"'{file}' in 'vars' is loaded twice, once as a whole or with the same key")
    try:
        values = read(path)
    except FileNotFoundError:
        raise InterpolationError(
            f"'{file}' in 'vars' does not exist", "paths are relative to the stage's directory"
        ) from None
    if not isinstance(values, dict):
        raise InterpolationError(f"'{file}' in 'vars' is no mapping")
    for key in keys:
        if key not in values:
            raise InterpolationError(f"'{file}' in 'vars' has no key '{key}'", did_you_mean(key, map(str, values)))
    loaded[path] = {*(before or ()), *keys} if keys else None
    wanted = {key: values[key] for key in keys} if keys else values
    return Source(name=path, values=wanted, is_file=True)


def _merge(
    into: dict[str, Any],
    addition: Mapping[str, Any],
    name: str,
    sources: Iterable[Source],
    above: tuple[str, ...],
) -> None:
    for key, value in addition.items():
        if key not in into:
            into[key] = value
        elif isinstance(into[key], dict) and isinstance(value, Mapping):
            # A copy: the map may belong to a parsed file that other stages share.
            into[key] = dict(into[key])
            _merge(into[key], value, name, sources, (*above, key))
        else:
            where = _first_with(sources, (*above, key))
            raise InterpolationError(
                f"'{'.'.join(map(str, (*above, key)))}' from '{name}' is already defined in '{where}'",
                "give one of the two another name",
            )


def _first_with(sources: Iterable[Source], path: tuple[str, ...]) -> str:
    for source in sources:
        value: Any = source.values
        for part in path:
            if not isinstance(value, Mapping) or part not in value:
                break
            value = value[part]
        else:
            return source.name
    return PARAMS_FILE
