"""The scan of a segment as JSON, and back: by the types of its fields, so that there is nothing to keep in step.

A value with fields is a list of them, in their order. What comes back is of the declared types all through, or refused: no
class is named by what is read.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from kafkalog.core.command_line import Command
from kafkalog.core.log_digests import LogDigests
from kafkalog.core.remote_manifest import Part
from kafkalog.files.aiven import BadChunk
from kafkalog.replay.producer_events import Event
from kafkalog.span import Span
from kafkalog.verify.effects import Effect
from kafkalog.verify.finding import Cause, Finding, Severity
from kafkalog.verify.rules.compaction import Horizons, Large
from kafkalog.verify.rules.shared import BatchSpot, EpochRun
from kafkalog.verify.scan.results import SegmentScan

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["scan_from_json", "scan_to_json"]

#: Names that stand in annotations, where their modules import them for types alone.
_NAMED: dict[str, Any] = {
    "BadChunk": BadChunk,
    "BatchSpot": BatchSpot,
    "Cause": Cause,
    "Command": Command,
    "Effect": Effect,
    "EpochRun": EpochRun,
    "Event": Event,
    "Finding": Finding,
    "Horizons": Horizons,
    "Large": Large,
    "LogDigests": LogDigests,
    "Part": Part,
    "Span": Span,
}


def scan_to_json(scan: SegmentScan) -> Any:
    """A scan as what `json` writes.

    Raises:
        ValueError: it holds what JSON cannot say.
    """
    return _form(SegmentScan).write(scan)


def scan_from_json(data: Any) -> SegmentScan:
    """A scan out of what `scan_to_json` gave.

    Raises:
        ValueError: it is none.
    """
    scan = _form(SegmentScan).read(data)
    assert isinstance(scan, SegmentScan)
    return scan


class _Form(NamedTuple):
    """How values of a type become JSON, and back."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


@cache
def _form(kind: Any) -> _Form:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return _Form(_write_fact, _read_fact)
    if kind in (int, str, bool, NoneType):
        return _exactly(kind)
    if kind is Severity:
        return _Form(int, Severity)
    if origin in (Union, UnionType):
        return _one_of([one for one in arguments if one is not NoneType], or_none=NoneType in arguments)
    if origin is dict:
        return _pairs(_form(arguments[0]), _form(arguments[1]))
    if origin in (tuple, frozenset):
        is_row = origin is tuple and arguments[-1] is not Ellipsis
        return _in_order([_form(one) for one in arguments], tuple) if is_row else _many(_form(arguments[0]), origin)
    names = [field.name for field in fields(kind)] if is_dataclass(kind) else list(kind._fields)
    hints = get_type_hints(kind, localns=_NAMED)
    row = _in_order([_form(hints[name]) for name in names], lambda values: kind(**dict(zip(names, values, strict=True))))
    return _Form(lambda value: row.write([getattr(value, name) for name in names]), row.read)


def _exactly(kind: type) -> _Form:
    def checked(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{value!r} is no {kind.__name__}")
        return value

    return _Form(checked, checked)


def _in_order(forms: list[_Form], make: Callable[[Any], Any]) -> _Form:
    def read(data: Any) -> Any:
        return make(tuple(form.read(one) for form, one in zip(forms, _list(data), strict=True)))

    return _Form(lambda values: [form.write(one) for form, one in zip(forms, values, strict=True)], read)


def _many(form: _Form, make: Callable[[Any], Any]) -> _Form:
    return _Form(lambda values: [form.write(one) for one in values], lambda data: make(form.read(one) for one in _list(data)))


def _pairs(keys: _Form, values: _Form) -> _Form:
    pair = _in_order([keys, values], tuple)
    return _Form(lambda held: [pair.write(item) for item in held.items()], lambda data: dict(map(pair.read, _list(data))))


def _one_of(kinds: list[Any], *, or_none: bool) -> _Form:
    """One of several kinds of value, with its name before it where there are more than one; or None."""
    forms = [_form(kind) for kind in kinds]

    def write(value: Any) -> Any:
        if value is None and or_none:
            return None
        number = 0 if len(kinds) == 1 else kinds.index(type(value))
        return forms[0].write(value) if len(kinds) == 1 else [kinds[number].__name__, forms[number].write(value)]

    def read(data: Any) -> Any:
        if data is None and or_none:
            return None
        if len(kinds) == 1:
            return forms[0].read(data)
        name, content = _list(data)
        return forms[[kind.__name__ for kind in kinds].index(name)].read(content)

    return _Form(write, read)


def _list(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise ValueError(f"{data!r} is no list")  # noqa: TRY004 - refused like all else that is read
    return data


def _write_fact(value: Any) -> Any:
    """What a rule says of a finding: numbers, text, and lists of them; a tuple is none of JSON's lists."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) in (list, tuple):
        return {type(value).__name__: [_write_fact(one) for one in value]}
    if type(value) is dict:
        return {"dict": [[_write_fact(key), _write_fact(held)] for key, held in value.items()]}
    raise ValueError(f"{value!r} cannot be written as JSON")


def _read_fact(data: Any) -> Any:
    if data is None or isinstance(data, bool | int | str):
        return data
    if not isinstance(data, dict):
        raise ValueError(f"{data!r} is no fact")  # noqa: TRY004 - refused like all else that is read
    ((name, held),) = data.items()
    if name == "dict":
        return {_read_fact(key): _read_fact(one) for key, one in map(_list, _list(held))}
    if name not in ("list", "tuple"):
        raise ValueError(f"no fact is a {name}")
    items = [_read_fact(one) for one in _list(held)]
    return items if name == "list" else tuple(items)
