"""The full YAML reader and writer: ruamel.yaml behind three functions, loaded by name and only when it is needed.

Reading uses its C parser with YAML 1.2 rules. Texts that would expand to something huge, or nest deeper than the
parser's stack, are refused before they are built.
"""

import io
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, MarkedYAMLWarning, YAMLError
from ruamel.yaml.events import MappingEndEvent, MappingStartEvent, SequenceEndEvent, SequenceStartEvent
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from offbranch.base.errors import BadInputError

# The largest real dvc.lock we know has some 200,000 nodes; a "billion laughs" text reaches these within nine lines.
MAX_EXPANDED_NODES = 2_000_000
# The composer is recursive in C: a text of 100,000 brackets would end the process instead of raising.
MAX_DEPTH = 200
_MANY_OPENERS = re.compile(r"[\[{]|[-?:] ")


def read(text: str, path: str) -> Any:
    """Returns the value of a YAML text.

    Raises:
        BadInputError: See `base/yaml.py`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MarkedYAMLWarning)
            return _read(text, path)
    except DuplicateKeyError as error:
        raise _duplicate(error, path) from error
    except MarkedYAMLError as error:
        raise _marked(error, text, path) from error
    except YAMLError as error:
        raise BadInputError(_one_line(str(error)), path=path, line=_reader_line(text, error)) from error
    except (ValueError, OverflowError, TypeError, AttributeError, LookupError, RecursionError) as error:
        # Wrong dates, integers of thousands of digits, unhashable keys: ruamel lets the built-in error through.
        raise BadInputError(f"not valid YAML: {_one_line(str(error))}", path=path) from error


def _read(text: str, path: str) -> Any:
    try:
        return _read_by(YAML(typ="safe"), text, path)
    except MarkedYAMLError as error:
        # The C parser keeps to YAML 1.1 inside brackets, where a plain text may not hold a colon: `[s3://bucket/data]`.
        if "://" not in text or isinstance(error, DuplicateKeyError):
            raise
        try:
            return _read_by(YAML(typ="safe", pure=True), text, path)
        except MarkedYAMLError:
            raise error from None


def _read_by(yaml: YAML, text: str, path: str) -> Any:
    _refuse_deep(yaml, text, path)
    if "&" in text and "*" in text:
        _refuse_bomb(yaml, text, path)
    return yaml.load(text)


def locator(text: str) -> Callable[[Sequence[str | int]], tuple[int, int] | None]:
    """Returns a function that finds line and column, from 1, of the entry that a path of keys leads to."""
    root = _composed(YAML(typ="safe"), text)
    if root is None and "://" in text:
        root = _composed(YAML(typ="safe", pure=True), text)

    def locate(key_path: Sequence[str | int]) -> tuple[int, int] | None:
        node, mark = root, None
        for part in key_path:
            found = _entry(node, part)
            if found is None:
                break
            mark, node = found
        return None if mark is None else (mark.line + 1, mark.column + 1)

    return locate


def _composed(yaml: YAML, text: str) -> Any:
    try:
        return yaml.compose(text)
    except (YAMLError, ValueError, RecursionError):
        return None


def dump(value: Any) -> str:
    """Returns plain data as YAML in the style of DVC's files: block style, width 80, no aliases to speak of."""
    yaml = YAML()
    yaml.default_flow_style = False
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def edit(text: str, change: Callable[[Any], None]) -> str:
    """Returns a text after a change to its document, with comments, quotes and the order of keys kept.

    Args:
        text: Valid YAML.
        change: Alters the loaded document in place; its maps and lists are ruamel's, with comments attached.
    """
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.preserve_quotes = True
    document = yaml.load(text)
    change(document)
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _entry(node: Any, part: str | int) -> tuple[Any, Any] | None:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value == str(part):
                return key.start_mark, value
    elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark, node.value[part]
    return None


def _refuse_deep(yaml: YAML, text: str, path: str) -> None:
    """Counts nesting with the event parser, which does not recurse; only for texts that could nest that deep."""
    if sum(1 for _ in _MANY_OPENERS.finditer(text)) < MAX_DEPTH:
        return
    longest = max((len(_MANY_OPENERS.findall(line)) for line in text.split("\n")), default=0)
    if longest < MAX_DEPTH // 4 and text.count("[") + text.count("{") < MAX_DEPTH:
        # Block collections alone nest by indentation: this deep, the lines would be long first.
        widest = max(len(line) - len(line.lstrip(" ")) for line in text.split("\n"))
        if widest + longest < MAX_DEPTH:
            return
    depth = 0
    for event in yaml.parse(text):
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                mark = event.start_mark
                raise BadInputError(
                    f"nested deeper than {MAX_DEPTH} levels", path=path, line=mark.line + 1, column=mark.column + 1
                )
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            depth -= 1


def _refuse_bomb(yaml: YAML, text: str, path: str) -> None:
    """Adds up what aliases stand for, on the graph of nodes, before values are built from it."""
    node = yaml.compose(text)
    if node is not None and _weight(node, {}) > MAX_EXPANDED_NODES:
        raise BadInputError(
            "its aliases stand for more than two million values",
            path=path,
            hint="write the values out, or use fewer aliases",
        )


def _weight(node: Any, known: dict[int, int]) -> int:
    weight = known.get(id(node))
    if weight is not None:
        return weight
    # A node that contains itself weighs too much from the start.
    known[id(node)] = MAX_EXPANDED_NODES + 1
    weight = 1
    if isinstance(node, MappingNode):
        weight += sum(_weight(key, known) + _weight(value, known) for key, value in node.value)
    elif isinstance(node, SequenceNode):
        weight += sum(_weight(item, known) for item in node.value)
    known[id(node)] = weight
    return weight


def _duplicate(error: DuplicateKeyError, path: str) -> BadInputError:
    mark = error.problem_mark
    named = re.match(r'found duplicate key "?(.*?)"? with value', error.problem or "", re.DOTALL)
    name = f"'{_one_line(named[1])}' " if named else ""
    return BadInputError(
        f"the key {name}appears twice in one mapping",
        path=path,
        line=mark.line + 1 if mark else None,
        column=mark.column + 1 if mark else None,
        hint="remove or rename one of the two",
    )


def _marked(error: MarkedYAMLError, text: str, path: str) -> BadInputError:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "cannot be read"
    context = f" ({error.context})" if error.context and error.problem else ""
    hint = None
    if mark and "\t" in "".join(text.split("\n")[mark.line : mark.line + 1])[: mark.column + 1]:
        hint = "a tab cannot indent in YAML: use spaces"
    return BadInputError(
        f"not valid YAML: {_one_line(problem + context)}",
        path=path,
        line=mark.line + 1 if mark else None,
        column=mark.column + 1 if mark else None,
        hint=hint,
    )


def _reader_line(text: str, error: YAMLError) -> int | None:
    position = getattr(error, "position", None)
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300].rstrip(".")
