"""The language of `exp show --where`: conditions on parameters, metrics and what is known of an experiment.

`acc > 0.9 and lr < 0.01`, `0.1 <= lr < 1`, `opt in ('adam', 'sgd')`, `params.yaml:lr == 0.1`, `` `odd-name` == 1 ``,
`tag == 'best'`. Words are parsed with `ast` and only what is listed here is carried out: nothing of Python can be reached.
A comparison with a value that an experiment does not have is false; `x is None` asks for that.
"""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from offbranch.base.errors import OffbranchError, UsageError
from offbranch.base.records import record
from offbranch.views.where_values import MISSING, Unusable, arithmetic, compare, negative, truth

_MAX_LENGTH = 4_000
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*")
      | `(?P<quoted>[^`]+)`
      | (?P<qualified>[\w./-]*\w:[^\W\d][\w.]*)
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?!\w))
      | (?P<name>[^\W\d]\w*(?:\.\w+)*)
      | (?P<sign>==|!=|<=|>=|//|\*\*|&&|\|\||.)""",
    re.VERBOSE | re.DOTALL,
)
_WORDS: Final = {"and": "and", "or": "or", "not": "not", "in": "in", "is": "is"}
_CONSTANTS: Final[Mapping[str, Any]] = {
    "True": True,
    "true": True,
    "False": False,
    "false": False,
    "None": None,
    "null": None,
}
_NOT_OURS: Final = {"&&": "and", "||": "or", "!": "not", "=": "=="}
_Evaluate = Callable[[Mapping[str, Any]], Any]


@record
class Expression:
    """A condition that was understood.

    Attributes:
        text: As the user wrote it.
        names: The names it uses, in order of appearance.
        holds: Tells whether it holds for the values of these names; a name that is not there is missing. Raises
            UsageError when values of such types cannot be compared.
    """

    text: str
    names: tuple[str, ...]
    holds: Callable[[Mapping[str, Any]], bool]


def parse_where(text: str) -> Expression:
    """Reads a condition.

    Raises:
        UsageError: It is not one.
    """
    if len(text) > _MAX_LENGTH:
        raise _refused(text[:50] + "…", "it is too long")
    source, symbols = _translate(text)
    try:
        tree = ast.parse(source.strip(), mode="eval")
        evaluate = _Compiler(symbols).compile(tree.body)
    except Unusable as error:
        raise _refused(text, error.reason, hint=error.hint) from error
    except (SyntaxError, ValueError) as error:
        raise _refused(text, "it is not a condition") from error
    except (RecursionError, MemoryError) as error:
        raise _refused(text, "it is nested too deeply") from error
    names = tuple(dict.fromkeys(value for is_name, value in symbols.values() if is_name))

    def holds(values: Mapping[str, Any]) -> bool:
        try:
            return truth(evaluate(values))
        except Unusable as error:
            raise _refused(text, error.reason, hint=error.hint) from error

    return Expression(text=text, names=names, holds=holds)


def _translate(text: str) -> tuple[str, dict[str, tuple[bool, Any]]]:
    """Returns the text with every name and value replaced by a symbol, and what the symbols stand for."""
    symbols: dict[str, tuple[bool, Any]] = {}
    parts = []

    def symbol(is_name: bool, value: Any) -> None:
        key = f"v{len(symbols)}"
        symbols[key] = (is_name, value)
        parts.append(f" {key} ")

    for found in _TOKEN.finditer(text):
        token, kind = found[0], found.lastgroup
        if kind == "string":
            symbol(False, re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL))
        elif kind == "quoted":
            symbol(True, found["quoted"])
        elif kind == "number":
            symbol(False, _number(token))
        elif kind == "name" and token in _WORDS:
            parts.append(f" {token} ")
        elif kind == "name" and token in _CONSTANTS:
            symbol(False, _CONSTANTS[token])
        elif kind in ("name", "qualified"):
            symbol(True, token)
        elif token in _NOT_OURS:
            raise _refused(text, f"'{token}' means nothing here", hint=f"write '{_NOT_OURS[token]}'")
        else:
            parts.append(" " if kind == "space" else token)
    return "".join(parts), symbols


def _number(token: str) -> int | float:
    return int(token) if token.isdecimal() else float(token)


class _Compiler:
    """Turns the nodes that are allowed into functions; everything else is refused."""

    def __init__(self, symbols: Mapping[str, tuple[bool, Any]]) -> None:
        self._symbols = symbols

    def compile(self, node: ast.expr) -> _Evaluate:
        match node:
            case ast.Name(id=key) if key in self._symbols:
                return _value(*self._symbols[key])
            case ast.BoolOp(op=op, values=values):
                return _bool(isinstance(op, ast.And), [self.compile(value) for value in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.compile(operand)
                return lambda env: not truth(inner(env))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.compile(operand)
                return lambda env: negative(inner(env))
            case ast.BinOp(left=left, op=op, right=right):
                a, b, sign = self.compile(left), self.compile(right), type(op).__name__
                return lambda env: arithmetic(sign, a(env), b(env))
            case ast.Compare(left=left, ops=ops, comparators=rights):
                signs = [type(op).__name__ for op in ops]
                return _chain(signs, [self.compile(each) for each in (left, *rights)])
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                parts = [self.compile(element) for element in elements]
                return lambda env: [part(env) for part in parts]
        raise Unusable("it uses what conditions do not have")


def _value(is_name: bool, value: Any) -> _Evaluate:
    return (lambda env: env.get(value, MISSING)) if is_name else (lambda _: value)


def _bool(is_and: bool, parts: Sequence[_Evaluate]) -> _Evaluate:
    if is_and:
        return lambda env: all(truth(part(env)) for part in parts)
    return lambda env: any(truth(part(env)) for part in parts)


def _chain(signs: Sequence[str], parts: Sequence[_Evaluate]) -> _Evaluate:
    def evaluate(env: Mapping[str, Any]) -> bool:
        left = parts[0](env)
        for sign, part in zip(signs, parts[1:], strict=True):
            right = part(env)
            if not compare(sign, left, right):
                return False
            left = right
        return True

    return evaluate


def _refused(text: str, reason: str, *, hint: str | None = None) -> OffbranchError:
    return UsageError(f"cannot use the condition {text!r}: {reason}", hint=hint or "e.g. 'acc > 0.9 and lr < 0.01'")
