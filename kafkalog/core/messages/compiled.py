"""Readers of messages, made as source text from a schema, one function for a version and a release.

Some give a message as a dict, others give it at once as JSON, which takes a third of the time of both steps.
`reader.py` and `json_form.py` say what is right; these do the same for messages that are perfectly regular, and leave all
others to them. What a generated function raises says only that: nothing is known about why.
"""

from __future__ import annotations

import uuid
from functools import lru_cache, partial
from itertools import count
from struct import Struct
from struct import error as struct_error
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.messages.schema import Field

    Fields = dict[int, tuple[tuple[Field, ...], dict[int, Field | None]]]

__all__ = ["NOT_REGULAR", "Told", "Unusual", "compile_part_reader", "compile_reader", "compile_teller"]

_CODES = {
    "bool": ("?", 1),
    "int8": ("b", 1),
    "int16": ("h", 2),
    "uint16": ("H", 2),
    "int32": ("i", 4),
    "int64": ("q", 8),
    "float64": ("d", 8),
}
#: Sizes of types that have one.
_WIDTHS = {"uuid": 16, **{name: size for name, (_, size) in _CODES.items()}}
_MAX_STRING = 0x7FFF
_MAX_ITEMS = 1_000_000


class Unusual(Exception):
    """The message is not perfectly regular."""


#: What a generated reader may raise.
NOT_REGULAR = (Unusual, IndexError, KeyError, UnicodeDecodeError, struct_error)

_shape = lru_cache(maxsize=256)(Struct)


@lru_cache(maxsize=4096)
def _uuid_of(data: bytes) -> uuid.UUID:
    if len(data) != 16:
        raise Unusual
    return uuid.UUID(bytes=data)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned varint of several bytes, and the place after it."""
    value = shift = 0
    while shift < 28:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise Unusual


class _Source:
    """Lines of a function that is being written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {}
        self._numbers = count()

    def name(self, value: Any = None) -> str:
        """A new local name, or one for a value."""
        name = f"v{next(self._numbers)}"
        if value is not None:
            self.names[name] = value
        return name

    def add(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def function(self, head: str) -> Callable[..., Any]:
        source = "\n".join([head, *self.lines])
        exec(compile(source, "<kafkalog message>", "exec"), self.names)  # noqa: S102 - the text is all ours
        made: Callable[..., Any] = self.names["made"]
        return made


# --- reading ----------------------------------------------------------------------------------------------------------


def compile_reader(
    fields: tuple[Field, ...], form: Fields, *, flexible: bool, known: bool
) -> Callable[[bytes, int], tuple[dict[str, Any], int]]:
    """A function of bytes and a place in them, which gives the message that begins there and the place after it.

    Args:
        fields: Those of the message.
        form: Which are there, for each struct.
        flexible: Lengths are compact, and there are tagged fields.
        known: The version is no higher than the highest one known.
    """
    return _ReaderSource(form, flexible=flexible, known=known).message(fields)


class _ReaderSource(_Source):
    """That of a reader. Values are handed around as expressions; what they are, a few methods at the end say."""

    def __init__(self, form: Fields, *, flexible: bool, known: bool) -> None:
        super().__init__()
        self._form = form
        self._flexible = flexible
        self._known = known
        #: Fixed fields that are read at once: their codes, their names; "" are those that nobody asks for.
        self._run: list[tuple[str, str]] = []
        self.names |= {"Unusual": Unusual, "varint": _varint, "uuid_of": _uuid_of, "shape": _shape}

    def message(self, fields: tuple[Field, ...]) -> Callable[..., Any]:
        """The function that reads a message."""
        message = self.struct(1, fields)
        self.flush(1)
        self.add(1, f"return {self.made(f'{self.before}{message}{self.after}')}, p")
        return self.function("def made(d, p):\n    end = len(d)")

    def fixed(self, code: str) -> str:
        """The name of the number that comes next."""
        name = self.name()
        self._run.append((code, name))
        return name

    def flush(self, depth: int) -> None:
        """Read the fixed fields so far."""
        if self._run:
            shape = Struct(">" + "".join(code for code, _ in self._run))
            names = [name for _, name in self._run if name]
            values = f"{', '.join(names)}, = {self.name(shape.unpack_from)}(d, p); " if names else ""
            self.add(depth, f"{values}p += {shape.size}")
            self._run.clear()

    def length(self, depth: int, code: str) -> str:
        """The name of a length; -1 is null."""
        if not self._flexible:
            size = self.fixed(code)
            self.flush(depth)
            return size
        size = self.varint(depth)
        self.add(depth, f"{size} -= 1")
        return size

    def varint(self, depth: int) -> str:
        self.flush(depth)
        number = self.name()
        self.add(depth, f"{number} = d[p]; p += 1")
        self.add(depth, f"if {number} > 127: {number}, p = varint(d, p - 1)")
        return number

    def struct(self, depth: int, fields: tuple[Field, ...]) -> str:
        present, tagged = self._form[id(fields)]
        values = {field.name: self.value(depth, field) for field in present if field.tag is None}
        for field in present:
            if field.tag is not None:
                name = self.name()
                values[field.name] = self.named(name)
                self.add(depth, f"{name} = {self.absent(field)}")
        if self._flexible:
            self.tags(depth, tagged, values)
        return self.struct_of(depth, present, values)

    def tags(self, depth: int, tagged: dict[int, Field | None], values: dict[str, str]) -> None:
        number = self.varint(depth)
        self.add(depth, f"if {number}:")
        self.add(depth + 1, f"for _ in range({number}):")
        tag = self.varint(depth + 2)
        self.varint(depth + 2)  # the size, which Kafka does not look at either
        self.add(depth + 2, "if 0: pass")
        for known, field in tagged.items():
            if field is not None:
                self.add(depth + 2, f"elif {tag} == {known}:")
                value = self.value(depth + 3, field)
                self.flush(depth + 3)
                self.set_tagged(depth + 3, field, values[field.name], value)
        self.add(depth + 2, "else: raise Unusual")

    def value(self, depth: int, field: Field) -> str:
        return self.array(depth, field) if field.array else self.one(depth, field, nullable=field.nullable)

    def array(self, depth: int, field: Field) -> str:
        size, items = self.length(depth, "i"), self.name()
        width = self.width_at_once(field)
        self.add(depth, f"if {size} < 0:")
        self.add(depth + 1, f"{items} = {self.null}" if field.nullable else "raise Unusual")
        self.add(depth, f"elif {size} > (end - p) // {width or 1} or {size} > {_MAX_ITEMS}: raise Unusual")
        self.add(depth, "else:")
        if width:
            self.add(depth + 1, f"{items} = {self.at_once(field, size, width)}; p += {size} * {width}")
            return self.named(items)
        add = self.begin_list(depth + 1, items)
        self.add(depth + 1, f"for _ in range({size}):")
        item = self.children(depth + 2, field) if field.type == "struct" else self.one(depth + 2, field, nullable=False)
        self.flush(depth + 2)
        if add:
            self.add(depth + 2, f"{add}({self.made(item)})")
        self.end_list(depth + 1, items)
        return self.named(items)

    def children(self, depth: int, field: Field) -> str:
        if not self._known and field.struct_name:
            self.flush(depth)
            self.add(depth, "raise Unusual")
        return self.struct(depth, field.fields)

    def one(self, depth: int, field: Field, *, nullable: bool) -> str:
        kind = field.type
        if kind in _CODES:
            return self.number(field, self.fixed(_CODES[kind][0]))
        if kind == "struct":
            return self.lone_struct(depth, field, nullable=nullable)
        value = self.name()
        if kind == "uuid":
            self.flush(depth)
            self.add(depth, f"{value} = {self.taken(kind, 'd[p:p + 16]')}; p += 16")
            return self.named(value)
        size = self.length(depth, "h" if kind == "string" else "i")
        self.add(depth, f"if {size} < 0:")
        self.add(depth + 1, f"{value} = {self.null}" if nullable else "raise Unusual")
        self.add(depth, f"elif {size} > end - p{f' or {size} > {_MAX_STRING}' if kind == 'string' else ''}: raise Unusual")
        self.add(depth, f"{self.otherwise(size)}: {value} = {self.taken(kind, f'd[p:p + {size}]')}; p += {size}")
        return self.named(value)

    def lone_struct(self, depth: int, field: Field, *, nullable: bool) -> str:
        if not nullable:
            return self.children(depth, field)
        value = self.name()
        if field.tag is None:
            marker = self.fixed("b")
            self.flush(depth)
        else:
            marker = self.varint(depth)
            self.add(depth, f"{marker} -= 1")
        self.add(depth, f"if {marker} < 0: {value} = {self.null}")
        self.add(depth, "else:")
        children = self.children(depth + 1, field)
        self.flush(depth + 1)
        self.add(depth + 1, f"{value} = {self.made(children)}")
        return self.named(value)

    # What the values are.

    null = "None"
    before = after = ""

    def named(self, name: str) -> str:
        """The value that a local name has."""
        return name

    def made(self, value: str) -> str:
        """An expression for a value."""
        return value

    def number(self, field: Field, name: str) -> str:
        """The value of a field, of which a local name has the number."""
        del field
        return name

    def otherwise(self, size: str) -> str:
        """What stands before the taking of a string or bytes, of a regular size."""
        del size
        return "else"

    def taken(self, kind: str, data: str) -> str:
        """An expression for a string, bytes or a UUID, by that for its bytes."""
        return {"uuid": f"uuid_of({data})", "string": f"{data}.decode()", "bytes": data}[kind]

    def width_at_once(self, field: Field) -> int:
        """The size of an array's items, where these are read at once; else 0."""
        return 0 if field.type == "uuid" else _WIDTHS.get(field.type, 0)

    def at_once(self, field: Field, size: str, width: int) -> str:
        """An expression for such an array."""
        del width
        return f"list(shape(f'>{{{size}}}{_CODES[field.type][0]}').unpack_from(d, p))"

    def begin_list(self, depth: int, items: str) -> str:
        """A list begins; an expression for what adds an item, "" where nothing does."""
        add = self.name()
        self.add(depth, f"{items} = []; {add} = {items}.append")
        return add

    def end_list(self, depth: int, items: str) -> None:
        """A list has all its items."""

    def struct_of(self, depth: int, present: tuple[Field, ...], values: dict[str, str]) -> str:
        """A struct of these fields."""
        del depth
        return "{" + ", ".join(f"{field.name!r}: {values[field.name]}" for field in present) + "}"

    def absent(self, field: Field) -> str:
        """An expression for a tagged field that is not there."""
        return f"{self.name([field.default])}[0]"

    def set_tagged(self, depth: int, field: Field, target: str, value: str) -> None:
        """A tagged field is there."""
        del field
        self.add(depth, f"{target} = {value}")


# --- some of the fields -----------------------------------------------------------------------------------------------


def compile_part_reader(
    fields: tuple[Field, ...], form: Fields, only: frozenset[str], *, flexible: bool, known: bool
) -> Callable[[bytes, int], tuple[dict[str, Any], int]]:
    """The same as `compile_reader` makes, but that the message has these of its fields alone; all others are checked too."""
    return _PartSource(form, only, flexible=flexible, known=known).message(fields)


class _PartSource(_ReaderSource):
    """That of a reader of some fields: nothing is made of the others."""

    def __init__(self, form: Fields, only: frozenset[str], *, flexible: bool, known: bool) -> None:
        super().__init__(form, flexible=flexible, known=known)
        self._only = only
        self._within = 0
        self._passes_over = False

    def value(self, depth: int, field: Field) -> str:
        outer = self._passes_over
        self._passes_over = outer or (not self._within and field.name not in self._only)
        self._within += 1
        value = super().value(depth, field)
        self._within -= 1
        self._passes_over = outer
        return value

    def one(self, depth: int, field: Field, *, nullable: bool) -> str:
        if not self._passes_over or field.type not in _CODES:
            return super().one(depth, field, nullable=nullable)
        self._run.append((f"{_WIDTHS[field.type]}x", ""))
        return self.null

    def otherwise(self, size: str) -> str:
        return f"elif {size}" if self._passes_over else super().otherwise(size)

    def taken(self, kind: str, data: str) -> str:
        if not self._passes_over:
            return super().taken(kind, data)
        return f"{data}.isascii() or {data}.decode()" if kind == "string" else self.null

    def at_once(self, field: Field, size: str, width: int) -> str:
        return self.null if self._passes_over else super().at_once(field, size, width)

    def begin_list(self, depth: int, items: str) -> str:
        if not self._passes_over:
            return super().begin_list(depth, items)
        self.add(depth, f"{items} = {self.null}")
        return ""

    def struct_of(self, depth: int, present: tuple[Field, ...], values: dict[str, str]) -> str:
        if self._passes_over:
            return self.null
        return super().struct_of(depth, present if self._within else tuple(f for f in present if f.name in self._only), values)


# --- JSON -------------------------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """How a message is written.

    `text` gives the JSON of a value that is neither struct nor array, `default` that of a tagged field that is absent. `names`:
    of a field, what its numbers are shown as. `before` and `after` stand around the message. `complete`: tagged fields that
    hold their default are there, too.
    """

    text: Callable[[Any], str]
    default: Callable[[Field], str]
    names: dict[str, dict[int, str]]
    before: str
    after: str
    complete: bool = False


class _Seen(dict[bytes, str]):
    """Texts by the bytes of which they are made: the same come again and again. So many are kept, of few bytes."""

    most, short = 4096, 128

    def __init__(self, make: Callable[[bytes], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, data: bytes) -> str:
        text = self._make(data)
        if len(data) <= self.short:
            if len(self) >= self.most:
                self.clear()
            self[data] = text
        return text


def compile_teller(
    fields: tuple[Field, ...], form: Fields, told: Told, *, flexible: bool, known: bool
) -> Callable[[bytes, int], tuple[str, int]]:
    """The same as `compile_reader` makes, but that it gives JSON."""
    return _TellerSource(form, told, flexible=flexible, known=known).message(fields)


class _TellerSource(_ReaderSource):
    """That of a function which gives text. Values are handed around as what stands for them in an f-string."""

    def __init__(self, form: Fields, told: Told, *, flexible: bool, known: bool) -> None:
        super().__init__(form, flexible=flexible, known=known)
        self._told = told
        self._seen: dict[str, str] = {}
        self.names |= {"bools": ("false", "true"), "text": told.text}
        self.before, self.after = _literal(told.before), _literal(told.after)

    null = "'null'"

    def named(self, name: str) -> str:
        return f"{{{name}}}"

    def made(self, value: str) -> str:
        return "f" + repr(value)

    def number(self, field: Field, name: str) -> str:
        if field.name in self._told.names:
            return f"{{{self.name(self._told.names[field.name])}[{name}]}}"
        return {"bool": f"{{bools[{name}]}}", "float64": f"{{text({name})}}"}.get(field.type, f"{{{name}}}")

    def taken(self, kind: str, data: str) -> str:
        return f"{self._texts(kind, _MAKE[kind])}[{data}]"

    def width_at_once(self, field: Field) -> int:
        return _WIDTHS.get(field.type, 0)

    def at_once(self, field: Field, size: str, width: int) -> str:
        make = partial(_items, field.type)
        return f"{self._texts('[]' + field.type, make)}[d[p:p + {size} * {width}]]"

    def _texts(self, kind: str, make: Callable[[bytes], Any]) -> str:
        """The name of the texts of the values that `make` makes of bytes."""
        if kind not in self._seen:
            text = self._told.text
            self._seen[kind] = self.name(_Seen(lambda data: text(make(data))))
        return self._seen[kind]

    def end_list(self, depth: int, items: str) -> None:
        self.add(depth, f"{items} = '[' + ','.join({items}) + ']'")

    def struct_of(self, depth: int, present: tuple[Field, ...], values: dict[str, str]) -> str:
        text = "".join(
            values[field.name] if field.tag is not None else f',"{field.name}":{values[field.name]}' for field in present
        )
        if present and present[0].tag is not None:
            # Which of its fields is the first, the message decides.
            self.flush(depth)
            name = self.name()
            self.add(depth, f"{name} = {self.made(text)}[1:]")
            text = f",{self.named(name)}"
        return f"{{{{{text[1:]}}}}}"

    def absent(self, field: Field) -> str:
        return repr(f',"{field.name}":{self._told.default(field)}' if self._told.complete else "")

    def set_tagged(self, depth: int, field: Field, target: str, value: str) -> None:
        name, front = target[1:-1], f',"{field.name}":'
        self.add(depth, f"{name} = {self.made(front + value)}")
        if not self._told.complete:
            self.add(depth, f"if {name} == {front + self._told.default(field)!r}: raise Unusual")


def _literal(text: str) -> str:
    """A text as an f-string has it."""
    return text.replace("{", "{{").replace("}", "}}")


def _items(kind: str, data: bytes) -> list[Any]:
    """The items of an array of numbers or UUIDs."""
    width = _WIDTHS[kind]
    if kind == "uuid":
        return [_uuid_of(data[at : at + width]) for at in range(0, len(data), width)]
    return list(_shape(f">{len(data) // width}{_CODES[kind][0]}").unpack(data))


_MAKE: dict[str, Callable[[bytes], Any]] = {"uuid": _uuid_of, "string": bytes.decode, "bytes": bytes}
