"""A pickle of DVC read without running anything of it: containers, texts, numbers, None and truth values, or not at all.

DVC keeps in a task, as `.dvc/tmp/repro.dat`, what its command was given. A pickle is a program for a small machine; ours
knows the instructions that build plain values, and refuses the whole when there is any other: no name
is looked up, nothing called.
Source: Python 3.11, module pickletools, which describes the instructions; protocols 0 to 5.
"""

import pickletools
from collections.abc import Callable, Mapping
from typing import Any

# A few hundred bytes are usual; a list of targets may be long.
MAX_BYTES = 1_000_000
_MARK = object()


def read_plain_pickle(content: bytes) -> Any:
    """Returns the value that a pickle describes.

    Raises:
        ValueError: It is malformed, or made of more than plain values.
    """
    if len(content) > MAX_BYTES:
        raise ValueError("it is larger than any that DVC writes")
    machine = _Machine()
    end = 0
    try:
        for instruction, argument, at in pickletools.genops(content):
            end = (at or 0) + 1
            if instruction.name == "STOP":
                break
            machine.do(instruction.name, argument)
        (value,) = machine.stack
    except (IndexError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError("it is damaged") from error
    if end != len(content) or value is _MARK:
        raise ValueError("it is damaged")
    return value


class _Machine:
    """The stack and the memory of the small machine."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def do(self, name: str, argument: Any) -> None:
        """Carries out one instruction."""
        if name in _SCALARS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        else:
            raise ValueError(f"it holds more than plain values (instruction {name})")

    def pop_to_mark(self) -> list[Any]:
        """Takes what was put on the stack since the last mark, and the mark."""
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise IndexError
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def pop(self) -> Any:
        """Takes the topmost value."""
        value = self.stack.pop()
        if value is _MARK:
            raise IndexError
        return value

    def put_items(self, items: list[Any]) -> None:
        """Adds keys and values, in turn, to the dictionary on top; keys are texts."""
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2 or not all(type(key) is str for key in items[::2]):
            raise TypeError
        target.update(zip(items[::2], items[1::2], strict=True))

    def extend(self, items: list[Any]) -> None:
        """Adds to the list on top."""
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError
        target.extend(items)


_SCALARS = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8".split()
)
_CONSTANTS: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "MARK": lambda: _MARK,
}


def _nothing(_machine: _Machine, _: Any) -> None:
    """The version, and the length of what follows: of no meaning to who has it all."""


def _memoize(machine: _Machine, _: Any) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _put(machine: _Machine, argument: Any) -> None:
    machine.memo[int(argument)] = machine.stack[-1]


def _get(machine: _Machine, argument: Any) -> None:
    machine.stack.append(machine.memo[int(argument)])


def _tuple_of(n: int) -> Callable[[_Machine, Any], None]:
    def do(machine: _Machine, _: Any) -> None:
        items = [machine.pop() for _i in range(n)]
        machine.stack.append(tuple(reversed(items)))

    return do


def _dict(machine: _Machine, _: Any) -> None:
    items = machine.pop_to_mark()
    machine.stack.append({})
    machine.put_items(items)


def _set_item(machine: _Machine, _: Any) -> None:
    value, key = machine.pop(), machine.pop()
    machine.put_items([key, value])


_ACTIONS: Mapping[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _nothing,
    "FRAME": _nothing,
    "MEMOIZE": _memoize,
    "PUT": _put,
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "GET": _get,
    "BINGET": _get,
    "LONG_BINGET": _get,
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_to_mark())),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "LIST": lambda machine, _: machine.stack.append(machine.pop_to_mark()),
    "DICT": _dict,
    "SETITEM": _set_item,
    "SETITEMS": lambda machine, _: machine.put_items(machine.pop_to_mark()),
    "APPEND": lambda machine, _: machine.extend([machine.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.pop_to_mark()),
}
