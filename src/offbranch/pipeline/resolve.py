"""One dvc.yaml document -> finished stages, with every `${}` filled in and every path placed in the project.

A stage that cannot be resolved does not take the others along: its error is kept under its address. The document must
have passed `pipeline/schema.py`.
"""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from offbranch.base.errors import BadInputError, OffbranchError
from offbranch.base.paths import (
    PARAMS_FILE,
    ROOT,
    AbsPath,
    RepoPath,
    is_external,
    is_private,
    parent,
    relative_to,
    resolve_in,
)
from offbranch.base.records import field, record
from offbranch.base.yaml import Locate, locator
from offbranch.pipeline.context import ReadParams, base_context, with_vars
from offbranch.pipeline.expand import Member, expand, refuse_reserved
from offbranch.pipeline.interpolate import (
    Context,
    InterpolationError,
    ParsingOptions,
    as_text,
    fill,
    fill_command,
    has_expression,
)
from offbranch.pipeline.schema import OUT_OPTIONS
from offbranch.pipeline.schema_faults import Key, key_text
from offbranch.pipeline.stage import Dependency, Output, OutputKind, ParamsDependency, PlotDefinition, Stage

_ANNOTATIONS = ("desc", "type", "labels", "meta")
_KINDS = (("outs", OutputKind.OUT), ("metrics", OutputKind.METRIC), ("plots", OutputKind.PLOT))


@record
class ResolvedFile:
    """What one dvc.yaml says.

    Attributes:
        stages: In file order, members of a group in their order.
        broken: Address of a stage or group, or the file itself, -> why it could not be resolved.
        top_params: Parameter files of the top level, then those that expressions have read.
        template_params: Of the latter, the dotted keys that were read.
    """

    stages: tuple[Stage, ...] = ()
    broken: Mapping[str, OffbranchError] = field(default_factory=dict)
    top_params: tuple[RepoPath, ...] = ()
    top_metrics: tuple[RepoPath, ...] = ()
    top_plots: tuple[PlotDefinition, ...] = ()
    artifacts: Mapping[str, Any] = field(default_factory=dict)
    datasets: tuple[Mapping[str, Any], ...] = ()
    template_params: Mapping[RepoPath, tuple[str, ...]] = field(default_factory=dict)


@record
class _File:
    """The file being resolved."""

    path: RepoPath
    directory: RepoPath
    read: ReadParams
    locate: Locate
    has_templates: bool
    root: AbsPath | None = None

    def address(self, name: str) -> str:
        return name if self.path == "dvc.yaml" else f"{self.path}:{name}"

    def error(self, reason: str, key: Key, hint: str | None = None) -> BadInputError:
        place = self.locate(key) or (None, None)
        return BadInputError(
            reason, path=self.path, line=place[0], column=place[1], key=key_text(key) or None, hint=hint
        )


class _StageError(Exception):
    """What is wrong inside a stage, at a place below it; becomes a BadInputError where the file is known."""

    def __init__(self, reason: str, key: Key, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.key = key
        self.hint = hint


def resolve_document(
    document: Any,
    *,
    text: str,
    path: RepoPath,
    read: ReadParams,
    options: ParsingOptions,
    root: AbsPath | None = None,
) -> ResolvedFile:
    """Resolves a valid dvc.yaml document.

    Args:
        document: The parsed file; None when it is empty.
        text: Its text, for lines of errors, and to see whether it has expressions at all.
        path: Where it is in the project.
        read: Reads a parameter file.
        options: How maps in commands are written.
        root: Where the project is on disk, to know absolute paths that lead into it; None if it is nowhere.
    """
    if not document:
        return ResolvedFile()
    file = _File(
        path=path, directory=parent(path), read=read, locate=locator(text), has_templates="${" in text, root=root
    )
    context = Context(values={}, options=options)
    broken: dict[str, OffbranchError] = {}
    if file.has_templates or "vars" in text:
        try:
            context = base_context(file.directory, read, options)
            context = with_vars(context, document.get("vars") or [], base=file.directory, label="vars", read=read)
        except InterpolationError as error:
            return ResolvedFile(broken={path: file.error(error.reason, ("vars",), error.hint)})
        except OffbranchError as error:
            return ResolvedFile(broken={path: error})
    stages = tuple(_stages(document.get("stages") or {}, file, context, broken))
    top = _top_level(document, file, context, broken)
    named = tuple(_paths(top.get("params"), file))
    used = {RepoPath(name): tuple(keys) for name, keys in sorted(context.used.items()) if name not in named}
    return ResolvedFile(
        stages=stages,
        broken=broken,
        top_params=tuple(dict.fromkeys((*named, *used))),
        top_metrics=tuple(_paths(top.get("metrics"), file)),
        top_plots=tuple(_plot_definitions(top.get("plots"), file)),
        artifacts=top.get("artifacts") or {},
        datasets=tuple(top.get("datasets") or ()),
        template_params=used,
    )


def _stages(
    entries: Mapping[str, Any], file: _File, context: Context, broken: dict[str, OffbranchError]
) -> Iterator[Stage]:
    seen: set[str] = set()
    for name, definition in entries.items():
        try:
            members = list(expand(name, definition, context))
        except InterpolationError as error:
            part = "foreach" if "foreach" in definition else "matrix"
            broken[file.address(name)] = file.error(error.reason, ("stages", name, part), error.hint)
            continue
        inner: Key = ("do",) if "foreach" in definition else ()
        for member in members:
            address = file.address(member.name)
            key: Key = ("stages", name)
            try:
                if member.name in seen:
                    raise _StageError(f"the stage name '{member.name}' is taken twice", (), "rename one of the two")
                seen.add(member.name)
                yield _stage(member, file)
            except _StageError as error:
                spoken = f"'{member.name}': {error.reason}" if member.is_grouped else error.reason
                broken[address] = file.error(spoken, (*key, *inner, *error.key), error.hint)
            except OffbranchError as error:
                broken[address] = error


def _stage(member: Member, file: _File) -> Stage:
    definition, context = member.definition, member.context
    templated = file.has_templates and has_expression(definition)
    wdir = file.directory
    if "wdir" in definition:
        written = _fill(definition["wdir"], context, ("wdir",)) if templated else definition["wdir"]
        wdir = _working_directory(as_text(written), file)
    if definition.get("vars"):
        context = _stage_context(member, wdir, file)
    if templated:
        definition = {
            key: value if key in ("cmd", "vars") else _fill(value, context, (key,)) for key, value in definition.items()
        }
    return Stage(
        name=member.name,
        file=file.path,
        wdir=wdir,
        command=_command(definition["cmd"], context) if templated else _tuple_or_text(definition["cmd"]),
        deps=tuple(_dependency(as_text(item), wdir, file.root) for item in definition.get("deps", ())),
        params=_params(definition["params"], wdir, file.root) if "params" in definition else (),
        outs=_outputs(definition, wdir, file.root),
        frozen=definition.get("frozen", False),
        always_changed=definition.get("always_changed", False),
        desc=definition.get("desc"),
        meta=definition.get("meta"),
    )


def _stage_context(member: Member, wdir: RepoPath, file: _File) -> Context:
    written = member.definition["vars"]
    try:
        if member.is_grouped:
            refuse_reserved(written)
        return with_vars(member.context, written, base=wdir, label=f"{member.name}.vars", read=file.read)
    except InterpolationError as error:
        raise _StageError(error.reason, ("vars",), error.hint) from error


def _fill(value: Any, context: Context, key: Key) -> Any:
    try:
        return fill(value, context)
    except InterpolationError as error:
        raise _StageError(error.reason, key, error.hint) from error


def _command(written: Any, context: Context) -> str | tuple[str, ...]:
    try:
        if isinstance(written, list):
            filled: Any = tuple(fill_command(item, context) for item in written)
        else:
            filled = fill_command(written, context)
    except InterpolationError as error:
        raise _StageError(error.reason, ("cmd",), error.hint) from error
    if not all(item.strip() for item in (filled if isinstance(filled, tuple) else (filled,))):
        raise _StageError("the command is empty once it is filled in", ("cmd",))
    return filled  # type: ignore[no-any-return]


def _tuple_or_text(written: Any) -> str | tuple[str, ...]:
    return tuple(written) if isinstance(written, list) else written


def _working_directory(written: str, file: _File) -> RepoPath:
    """Returns where a stage runs, seen from the project; outside of it (`../..`) if the user wrote that."""
    if "://" in written or (is_external(written) and file.root is None):
        raise _StageError(f"'{written}' is no directory of this machine", ("wdir",))
    if is_external(written):
        inside = posixpath.relpath(written, str(file.root))
        return ROOT if inside == "." else RepoPath(inside)
    place = resolve_in(file.directory, written)
    return place if place is not None else RepoPath(posixpath.normpath(posixpath.join(file.directory, written)))


def _dependency(written: str, wdir: RepoPath, root: AbsPath | None) -> Dependency:
    written = _as_recorded(written, wdir, root)
    return Dependency(written=written, path=_place(written, wdir, root))


def _as_recorded(written: str, wdir: RepoPath, root: AbsPath | None) -> str:
    """Returns an absolute path that leads into the project as seen from the stage, as DVC records it; others as they are."""
    if root is None or "://" in written or not is_external(written):
        return written
    inside = relative_to(AbsPath(posixpath.normpath(written)), root)
    return written if inside is None else posixpath.relpath(inside or ".", wdir or ".")


def _place(written: str, wdir: RepoPath, root: AbsPath | None) -> RepoPath | None:
    if is_external(written):
        return None
    if root is not None and f"{wdir}/".startswith("../"):
        # Seen from outside, what leads into the project goes by the name of its directory.
        return relative_to(AbsPath(posixpath.normpath(f"{root}/{wdir}/{written}")), root)
    return resolve_in(wdir, written)


def _params(written: list[Any], wdir: RepoPath, root: AbsPath | None) -> tuple[ParamsDependency, ...]:
    """Groups the keys by file, in the order of first mention; a file without keys means the whole of it."""
    files: dict[str, dict[str, None]] = {}
    whole: set[str] = set()
    for item in written:
        if not isinstance(item, dict):
            files.setdefault(PARAMS_FILE, {})[as_text(item)] = None
            continue
        for file, keys in item.items():
            name = _as_recorded(as_text(file), wdir, root)
            files.setdefault(name, {}).update(dict.fromkeys(as_text(key) for key in keys or ()))
            if not keys:
                whole.add(name)
    return tuple(
        ParamsDependency(written=file, path=_place(file, wdir, root), keys=() if file in whole else tuple(keys))
        for file, keys in files.items()
    )


def _outputs(definition: Mapping[str, Any], wdir: RepoPath, root: AbsPath | None) -> tuple[Output, ...]:
    outs: list[Output] = []
    for section, kind in _KINDS:
        for position, item in enumerate(definition.get(section, ())):
            options = item if isinstance(item, dict) else {item: None}
            for written, given in options.items():
                try:
                    outs.append(_output(as_text(written), given, kind, wdir, root))
                except InterpolationError as error:
                    raise _StageError(error.reason, (section, position), error.hint) from error
    if len(outs) > 1:
        _refuse_repeated(outs)
    return tuple(outs)


def _output(written: str, options: Any, kind: OutputKind, wdir: RepoPath, root: AbsPath | None) -> Output:
    written = _as_recorded(written, wdir, root)
    path = _place(written, wdir, root)
    if path is not None and is_private(path):
        place = "lies where Git or the project has its own files" if path else "is the project itself"
        raise InterpolationError(f"the output '{written}' {place}", "choose another path")
    if not options:
        return Output(written=written, path=path, kind=kind)
    several = options if isinstance(options, list) else [options]
    merged: dict[str, Any] = {}
    for each in several:
        merged.update(each or {})
    plots = tuple({k: v for k, v in (each or {}).items() if k not in OUT_OPTIONS} for each in several)
    return Output(
        written=written,
        path=path,
        kind=kind,
        cache=merged.get("cache", True),
        persist=merged.get("persist", False),
        push=merged.get("push", True),
        checkpoint=merged.get("checkpoint", False),
        remote=merged.get("remote"),
        plot=tuple(plot for plot in plots if plot),
        annotations={name: merged[name] for name in _ANNOTATIONS if name in merged},
    )


def _refuse_repeated(outs: list[Output]) -> None:
    seen: set[str] = set()
    for out in outs:
        place = out.written if out.path is None else out.path
        if place in seen:
            raise _StageError(f"the output '{place}' is listed twice", (), "remove one of the two lines")
        seen.add(place)


def _top_level(
    document: Mapping[str, Any], file: _File, context: Context, broken: dict[str, OffbranchError]
) -> dict[str, Any]:
    top = {}
    for name in ("params", "metrics", "plots", "artifacts", "datasets"):
        try:
            top[name] = fill(document.get(name), context)
        except InterpolationError as error:
            broken[file.path] = file.error(error.reason, (name,), error.hint)
    return top


def _paths(written: Any, file: _File) -> Iterator[RepoPath]:
    for item in written or ():
        path = _place(_as_recorded(as_text(item), file.directory, file.root), file.directory, file.root)
        if path is not None:
            yield path


def _plot_definitions(written: Any, file: _File) -> Iterator[PlotDefinition]:
    for item in written or ():
        for name, options in item.items() if isinstance(item, dict) else ((item, None),):
            yield PlotDefinition(id=as_text(name), options=options or {}, file=file.path)
