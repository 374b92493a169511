"""Frozen records: what `dataclasses.dataclass(frozen=True, slots=True, kw_only=True)` gives, without its start-up cost.

A standard dataclass is compiled when its module is imported: 0.8 ms each, 90 ms for the records of one `ob exp run`, where a
whole read command may take 120 ms (docs/decisions/0013-own-records.md). Here the constructor is compiled when the first
instance is made, and everything else is shared. Type checkers see a dataclass (PEP 681).
"""

import sys
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")
C = TypeVar("C", bound=type)
_set = object.__setattr__
_REQUIRED: Any = object()


class _Factory:
    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


@overload
def field(*, default_factory: Callable[[], T]) -> T: ...
@overload
def field(*, default: T) -> T: ...
def field(*, default: Any = _REQUIRED, default_factory: Callable[[], Any] | None = None) -> Any:
    """Gives an attribute of a record its default; a factory is called for each instance."""
    return default if default_factory is None else _Factory(default_factory)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(cls: C) -> C:
    """Makes a class of annotated attributes a frozen record whose values are given by keyword."""
    return _make(cls, keyword_only=True)


@dataclass_transform(frozen_default=True, kw_only_default=False, field_specifiers=(field,))
def positional_record(cls: C) -> C:
    """Makes a frozen record whose values may be given by position: for small ones made by the thousand."""
    return _make(cls, keyword_only=False)


def replace(instance: T, **changes: Any) -> T:
    """Returns a copy of a record with some values changed."""
    values = {name: getattr(instance, name) for name in fields_of(type(instance))}
    return type(instance)(**{**values, **changes})


def fields_of(cls: type) -> tuple[str, ...]:
    """Returns the names of a record's attributes, those of its bases first."""
    names: tuple[str, ...] = getattr(cls, "__record_fields__", ())
    return names


def as_dict(instance: Any) -> dict[str, Any]:
    """Returns the attributes of a record by name; values are not copied."""
    return {name: getattr(instance, name) for name in fields_of(type(instance))}


def _make(cls: C, *, keyword_only: bool) -> C:
    if sys.version_info >= (3, 14):
        own = tuple(cls.__annotations__)
    else:
        own = tuple(cls.__dict__.get("__annotations__", ()))  # noqa: RUF063 - inspect takes 10 ms to import
    inherited = fields_of(cls)
    defaults: dict[str, Any] = dict(getattr(cls, "__record_defaults__", {}))
    namespace = dict(cls.__dict__)
    for name in ("__dict__", "__weakref__"):
        namespace.pop(name, None)
    defaults.update((name, namespace.pop(name)) for name in own if name in namespace)
    fields = (*inherited, *(name for name in own if name not in inherited))

    def first_init(self: Any, *args: Any, **kwargs: Any) -> None:
        init = _compile_init(fields, defaults, keyword_only=keyword_only)
        made.__init__ = init
        init(self, *args, **kwargs)

    for name, shared in (("__eq__", _equal), ("__hash__", _hash), ("__repr__", _repr)):
        if namespace.get(name) is None:  # a class that defines __eq__ alone has a __hash__ of None
            namespace[name] = shared
    namespace.update(
        __slots__=tuple(name for name in own if name not in inherited),
        __record_fields__=fields,
        __record_defaults__=defaults,
        __init__=first_init,
        __setattr__=_refuse,
        __delattr__=_refuse,
        __replace__=replace,
    )
    made: Any = type(cls)(cls.__name__, cls.__bases__, namespace)
    made.__qualname__ = cls.__qualname__
    result: C = made
    return result


def _compile_init(fields: tuple[str, ...], defaults: dict[str, Any], *, keyword_only: bool) -> Callable[..., None]:
    known: dict[str, Any] = {"_set": _set, "_missing": _REQUIRED}
    parameters, body = [], []
    for name in fields:
        value = name
        if name not in defaults:
            parameters.append(name)
        elif isinstance(defaults[name], _Factory):
            known[f"_make_{name}"] = defaults[name].make
            parameters.append(f"{name}=_missing")
            value = f"_make_{name}() if {name} is _missing else {name}"
        else:
            known[f"_default_{name}"] = defaults[name]
            parameters.append(f"{name}=_default_{name}")
        body.append(f"    _set(self, '{name}', {value})")
    star = "*, " if keyword_only and parameters else ""
    source = f"def __init__(self, {star}{', '.join(parameters)}):\n" + ("\n".join(body) or "    pass")
    exec(source, known)
    init: Callable[..., None] = known["__init__"]
    return init


def _equal(self: Any, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return as_dict(self) == as_dict(other)


def _hash(self: Any) -> int:
    return hash(tuple(getattr(self, name) for name in self.__record_fields__))


def _repr(self: Any) -> str:
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__record_fields__)
    return f"{type(self).__qualname__}({values})"


def _refuse(self: Any, name: str, *_: object) -> None:
    raise AttributeError(f"{type(self).__name__} is frozen: '{name}' cannot be changed")
