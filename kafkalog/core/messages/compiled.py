"""Readers and JSON writers of messages, made as source text from a schema: one function for a version and a release.

`reader.py` and `json_form.py` say what is right; these do the same for messages that are perfectly regular, and leave all
others to them. What a generated reader raises says only that: nothing is known about why.
"""

from __future__ import annotations

import uuid
from functools import lru_cache
from itertools import count, groupby
from json.encoder import encode_basestring
from struct import Struct
from struct import error as struct_error
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.messages.schema import Field

    Fields = dict[int, tuple[tuple[Field, ...], dict[int, Field | None]]]

__all__ = ["NOT_REGULAR", "Unusual", "compile_reader", "compile_writer", "quoted"]

_CODES = {
    "bool": ("?", 1),
    "int8": ("b", 1),
    "int16": ("h", 2),
    "uint16": ("H", 2),
    "int32": ("i", 4),
    "int64": ("q", 8),
    "float64": ("d", 8),
}
_MAX_STRING = 0x7FFF
_MAX_ITEMS = 1_000_000


class Unusual(Exception):
    """The message is not perfectly regular."""


#: What a generated reader may raise.
NOT_REGULAR = (Unusual, IndexError, UnicodeDecodeError, struct_error)


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
    writer = _ReaderSource(form, flexible=flexible, known=known)
    message = writer.struct(1, fields)
    writer.flush(1)
    writer.add(1, f"return {message}, p")
    writer.names |= {"Unusual": Unusual, "varint": _varint, "uuid_of": _uuid_of}
    return writer.function("def made(d, p):\n    end = len(d)")


class _ReaderSource(_Source):
    def __init__(self, form: Fields, *, flexible: bool, known: bool) -> None:
        super().__init__()
        self._form = form
        self._flexible = flexible
        self._known = known
        #: Fixed fields that are read at once: their codes, their names.
        self._run: list[tuple[str, str]] = []

    def fixed(self, code: str) -> str:
        """The name of the number that comes next."""
        name = self.name()
        self._run.append((code, name))
        return name

    def flush(self, depth: int) -> None:
        """Read the fixed fields so far."""
        if self._run:
            shape = Struct(">" + "".join(code for code, _ in self._run))
            unpack = self.name(shape.unpack_from)
            self.add(depth, f"{', '.join(name for _, name in self._run)}, = {unpack}(d, p); p += {shape.size}")
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
        """An expression for a struct."""
        present, tagged = self._form[id(fields)]
        values = {field.name: self.value(depth, field) for field in present if field.tag is None}
        for field in present:
            if field.tag is not None:
                values[field.name] = self.name()
                self.add(depth, f"{values[field.name]} = {self.name([field.default])}[0]")
        if self._flexible:
            self.tags(depth, tagged, values)
        return "{" + ", ".join(f"{field.name!r}: {values[field.name]}" for field in present) + "}"

    def tags(self, depth: int, tagged: dict[int, Field | None], values: dict[str, str]) -> None:
        number = self.varint(depth)
        self.add(depth, f"for _ in range({number}):")
        tag = self.varint(depth + 1)
        self.varint(depth + 1)  # the size, which Kafka does not look at either
        self.add(depth + 1, "if 0: pass")
        for known, field in tagged.items():
            if field is not None:
                self.add(depth + 1, f"elif {tag} == {known}:")
                value = self.value(depth + 2, field)
                self.flush(depth + 2)
                self.add(depth + 2, f"{values[field.name]} = {value}")
        self.add(depth + 1, "else: raise Unusual")

    def value(self, depth: int, field: Field) -> str:
        """An expression for a field."""
        return self.array(depth, field) if field.array else self.one(depth, field, nullable=field.nullable)

    def array(self, depth: int, field: Field) -> str:
        size, items = self.length(depth, "i"), self.name()
        self.add(depth, f"if {size} < 0:")
        self.add(depth + 1, f"{items} = None" if field.nullable else "raise Unusual")
        self.add(depth, f"elif {size} > end - p or {size} > {_MAX_ITEMS}: raise Unusual")
        self.add(depth, "else:")
        add = self.name()
        self.add(depth + 1, f"{items} = []; {add} = {items}.append")
        self.add(depth + 1, f"for _ in range({size}):")
        item = self.children(depth + 2, field) if field.type == "struct" else self.one(depth + 2, field, nullable=False)
        self.flush(depth + 2)
        self.add(depth + 2, f"{add}({item})")
        return items

    def children(self, depth: int, field: Field) -> str:
        if not self._known and field.struct_name:
            self.flush(depth)
            self.add(depth, "raise Unusual")
        return self.struct(depth, field.fields)

    def one(self, depth: int, field: Field, *, nullable: bool) -> str:
        kind = field.type
        if kind in _CODES:
            return self.fixed(_CODES[kind][0])
        if kind == "uuid":
            self.flush(depth)
            value = self.name()
            self.add(depth, f"{value} = uuid_of(d[p:p + 16]); p += 16")
            return value
        if kind == "struct":
            return self.lone_struct(depth, field, nullable=nullable)
        size, value = self.length(depth, "h" if kind == "string" else "i"), self.name()
        self.add(depth, f"if {size} < 0:")
        self.add(depth + 1, f"{value} = None" if nullable else "raise Unusual")
        self.add(depth, f"elif {size} > end - p{f' or {size} > {_MAX_STRING}' if kind == 'string' else ''}: raise Unusual")
        self.add(depth, f"else: {value} = d[p:p + {size}]{'.decode()' if kind == 'string' else ''}; p += {size}")
        return value

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
        self.add(depth, f"if {marker} < 0: {value} = None")
        self.add(depth, "else:")
        children = self.children(depth + 1, field)
        self.flush(depth + 1)
        self.add(depth + 1, f"{value} = {children}")
        return value


# --- writing ----------------------------------------------------------------------------------------------------------


def quoted(text: str, escaped: Callable[[str], str]) -> str:
    """A JSON string; `escaped` makes those with control characters, which have several spellings."""
    found = encode_basestring(text)
    return escaped(text) if "\\u00" in found else found


def compile_writer(
    fields: tuple[Field, ...], present: Callable[[Field], bool], plain: Callable[[Any], str], escaped: Callable[[str], str]
) -> Callable[[dict[str, Any]], str]:
    """A function of a message, which gives its JSON text without the fields whose tag is absent.

    Args:
        fields: Those of the message.
        present: Whether the version has a field.
        plain: Makes the text of a value that is neither struct nor array.
        escaped: Makes that of a string with control characters.
    """
    source = _Source()
    source.names |= {"plain": plain, "quoted": lambda text: "null" if text is None else quoted(text, escaped)}
    source.add(1, f"return {_struct_text(source, fields, present, 'm')}")
    return source.function("def made(m):")


def _struct_text(source: _Source, fields: tuple[Field, ...], present: Callable[[Field], bool], name: str) -> str:
    """An expression for a struct: fields that are always there stand in one template, a tagged one is there or is not."""
    parts: list[str] = []
    for is_tagged, some in groupby((field for field in fields if present(field)), lambda field: field.tag is not None):
        if is_tagged:
            for field in some:
                one = _template(source, [field], present, name)
                parts.append(f"('' if {name}[{field.name!r}] == {source.name([field.default])}[0] else {one})")
        else:
            parts.append(_template(source, list(some), present, name))
    # Each field has a comma in front of it; which one is the first, a message may decide.
    if parts and parts[0].startswith("',"):
        return f"'{{' + {' + '.join((parts[0].replace(',', '', 1), *parts[1:], repr('}')))}"
    return f"'{{' + ({' + '.join(parts) or repr('')}).removeprefix(',') + '}}'"


def _template(source: _Source, fields: list[Field], present: Callable[[Field], bool], name: str) -> str:
    text = "".join(f',"{field.name}":%s' for field in fields)
    values = [_value_text(source, field, present, f"{name}[{field.name!r}]") for field in fields]
    return f"{text!r} % ({', '.join(values)},)"


def _value_text(source: _Source, field: Field, present: Callable[[Field], bool], value: str) -> str:
    if not field.array:
        return _one_text(source, field, present, value)
    item = source.name()
    one = _one_text(source, field, present, item)
    if one == item:
        one = f"str({item})"
    return f"('null' if {value} is None else '[' + ','.join([{one} for {item} in {value}]) + ']')"


def _one_text(source: _Source, field: Field, present: Callable[[Field], bool], value: str) -> str:
    if field.type == "struct":
        inner = source.name()
        text = _struct_text(source, field.fields, present, inner)
        return f"(lambda {inner}: 'null' if {inner} is None else {text})({value})"
    if field.type == "string":
        return f"quoted({value})"
    if field.type in ("int8", "int16", "uint16", "int32", "int64"):
        return value  # as it is, it has the text of a number
    return f"plain({value})"
