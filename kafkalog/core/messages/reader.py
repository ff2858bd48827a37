"""The generic reader: bytes and a schema in, a dict of fields out, in Kafka's order of reading and with Kafka's checks."""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.cursor import Cursor
from kafkalog.core.messages.compiled import NOT_REGULAR, compile_part_reader, compile_reader
from kafkalog.core.messages.schema import NEWEST, Field, Release, Schema
from kafkalog.core.messages.text import decode_utf8
from kafkalog.errors import BadVarint, FormatError, MessageError, Truncated

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MAX_COLLECTION",
    "NOT_REGULAR",
    "UNKNOWN_TAGS",
    "Form",
    "Message",
    "bounds_collections",
    "form_of",
    "kafka_reason",
    "read_message",
    "regular_reader",
    "too_large",
]

Message = dict[str, Any]

#: The key under which a struct keeps tagged fields that nobody knows, as `[(tag, bytes), …]`.
UNKNOWN_TAGS = "unknownTaggedFields"

_MAX_STRING = 0x7FFF
#: The first release whose readers refuse more tagged fields, or a larger collection, than anyone needs.
_BOUNDED_SINCE: Release = (4, 4, 0)
_MAX_TAGS = 10_000
MAX_COLLECTION = 1_000_000


def read_message(cursor: Cursor, schema: Schema, version: int, release: Release = NEWEST) -> Message:
    """Read a message.

    Args:
        cursor: Where it begins; afterwards it is after its last byte.
        schema: What it is.
        version: Its version; beyond the highest known one it is read as far as the known fields go, as Kafka does.
        release: Read it as this release does.

    Returns:
        Its fields in declared order: int, float, bool, str, bytes, `uuid.UUID`, list, dict or None. Tagged fields that
        are absent have their default; unknown ones are kept under `UNKNOWN_TAGS`.

    Raises:
        FormatError: the bytes are not such a message; ``kafka_reason` has Kafka's text.
    """
    data = cursor.data
    if type(data) is bytes and cursor.end == len(data):
        try:
            message, cursor.at = regular_reader(schema, version, release)(data, cursor.at)
        except NOT_REGULAR:
            pass
        else:
            return message
    return _Reader(cursor, schema, version, release).struct(schema.fields)


@lru_cache(maxsize=1024)
def regular_reader(
    schema: Schema, version: int, release: Release, only: frozenset[str] | None = None
) -> Callable[[bytes, int], tuple[Message, int]]:
    """What reads regular messages: from bytes, and the place where one begins, the message and the place after it.

    Of others it raises one of `NOT_REGULAR`. With `only` the message has these of its fields, as far as its version has them.
    """
    form = form_of(schema, version, release)
    known = version <= form.highest
    if only is not None:
        return compile_part_reader(schema.fields, form.fields, only, flexible=form.flexible, known=known)
    return compile_reader(schema.fields, form.fields, flexible=form.flexible, known=known)


class Form(NamedTuple):
    """What a message looks like in one version, for one release.

    `fields` has for each struct, by the identity of its tuple of fields, those that are there, and those that may be tagged,
    by tag: None for one that this version must not have.
    """

    highest: int
    flexible: bool
    fields: dict[int, tuple[tuple[Field, ...], dict[int, Field | None]]]


@lru_cache(maxsize=1024)
def form_of(schema: Schema, version: int, release: Release) -> Form:
    """What a message looks like in a version, for a release."""
    form = Form(schema.highest(release), schema.is_flexible(version, release), {})
    _add_fields(form, schema.fields, version, release)
    return form


def _add_fields(form: Form, fields: tuple[Field, ...], version: int, release: Release) -> None:
    present = tuple(field for field in fields if field.present(version, release, form.highest))
    tagged = {
        field.tag: field if field in present else None
        for field in fields
        if field.tag is not None and (field in present or field.known(release, form.highest))
    }
    form.fields[id(fields)] = present, tagged
    for field in fields:
        if field.fields:
            _add_fields(form, field.fields, version, release)


class _Reader:
    """Reads the structs of one message."""

    def __init__(self, cursor: Cursor, schema: Schema, version: int, release: Release) -> None:
        self.cursor = cursor
        self.version = version
        self.highest, self.flexible, self.fields = form_of(schema, version, release)
        self.bounded = bounds_collections(release) and release is not NEWEST

    def struct(self, fields: tuple[Field, ...]) -> Message:
        present, tagged = self.fields[id(fields)]
        message: Message = {
            field.name: (self.array(field) if field.array else self.one(field)) if field.tag is None else field.default
            for field in present
        }
        if self.flexible:
            self.tags(message, tagged)
        return message

    def tags(self, message: Message, tagged: dict[int, Field | None]) -> None:
        for _ in range(self.tag_count()):
            tag = self.varint("tag")
            size = self.varint("tag size")
            if tag not in tagged:
                message.setdefault(UNKNOWN_TAGS, []).append((tag, self.take(size, f"tag {tag}")))
                continue
            field = tagged[tag]
            if field is None:
                raise MessageError(f"Tag {tag} is not valid for version {self.version}", f"tag {tag}")
            message[field.name] = self.array(field) if field.array else self.one(field)

    def tag_count(self) -> int:
        count, place = self.varint("tagged fields"), "tagged fields"
        if not self.bounded:
            return count
        if count < 0:
            raise MessageError(f"Invalid negative number of tagged fields {count}", place)
        left = self.cursor.remaining
        if count > left:
            raise MessageError(f"Tried to read {count} tagged fields, but there are only {left} bytes remaining.", place)
        if count > _MAX_TAGS:
            raise MessageError(
                f"Tried to read {count} tagged fields, which exceeds the maximum allowed count of {_MAX_TAGS}.", place
            )
        return count

    def varint(self, field: str) -> int:
        start = self.cursor.at
        try:
            return self.cursor.unsigned_varint(field)
        except BadVarint:
            groups = self.cursor.data[start : start + 5]
            number = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(groups)) & 0xFFFFFFFF
            raise MessageError(
                f"Varint is too long, the most significant bit in the 5th byte is set, converted value: {number:x}", field
            ) from None

    def length(self, field: Field) -> int:
        if self.flexible:
            return _wrap(self.varint(field.name) - 1)
        if field.array or field.type == "bytes":
            return self.cursor.int32(field.name)
        return self.cursor.int16(field.name)

    def array(self, field: Field) -> list[Any] | None:
        count = self.length(field)
        if count < 0:
            self.check_null(field)
            return None
        if count > self.cursor.remaining:
            raise MessageError(
                f"Tried to allocate a collection of size {count}, but there are only {self.cursor.remaining} bytes remaining.",
                field.name,
            )
        if self.bounded and count > MAX_COLLECTION:
            raise MessageError(too_large(count), field.name)
        read = self.element(field)
        return [read() for _ in range(count)]

    def element(self, field: Field) -> Callable[[], Any]:
        if field.type == "struct":
            return lambda: self.children(field)
        if field.type in ("string", "bytes"):
            element = Field(f"{field.name} element", field.type)
            return lambda: self.one(element)
        return lambda: self.one(field)

    def check_null(self, field: Field) -> None:
        if not field.nullable:
            raise MessageError(f"non-nullable field {field.name} was serialized as null", field.name)

    def children(self, field: Field) -> Message:
        if self.version > self.highest and field.struct_name:
            raise MessageError(f"Can't read version {self.version} of {field.struct_name}", field.name)
        return self.struct(field.fields)

    def one(self, field: Field) -> Any:
        kind = field.type
        if kind == "string":
            size = self.length(field)
            if size < 0:
                self.check_null(field)
                return None
            if size > _MAX_STRING:
                raise MessageError(f"string field {field.name} had invalid length {size}", field.name)
            return decode_utf8(self.take(size, field.name))
        if kind == "bytes":
            size = self.length(field)
            if size < 0:
                self.check_null(field)
                return None
            return self.take(size, field.name)
        if kind == "struct":
            # A tagged struct that may be null, and any other such struct, begins with a byte that says so.
            if field.nullable and self.marker(field) < 0:
                return None
            return self.children(field)
        return _FIXED[kind](self.cursor, field.name)

    def marker(self, field: Field) -> int:
        if field.tag is not None:
            return self.varint(field.name) - 1
        return self.cursor.int8(field.name)

    def take(self, size: int, field: str) -> bytes:
        if size < 0:
            raise MessageError(f"{size}", field)
        remaining = self.cursor.remaining
        if size > remaining:
            raise MessageError(f"Error reading byte array of {size} byte(s): only {remaining} byte(s) available", field)
        return self.cursor.take(size, field)


def bounds_collections(release: Release) -> bool:
    """Whether a release refuses collections of more than `MAX_COLLECTION` items."""
    return release >= _BOUNDED_SINCE


def too_large(count: int) -> str:
    """What Kafka's readers say of a collection beyond `MAX_COLLECTION`."""
    return f"Tried to read a collection of size {count}, which exceeds the maximum allowed size of {MAX_COLLECTION}."


def _wrap(number: int) -> int:
    return number if number >= -(1 << 31) else number + (1 << 32)


def _uuid(cursor: Cursor, field: str) -> uuid.UUID:
    return uuid.UUID(bytes=cursor.take(16, field))


_FIXED: dict[str, Callable[[Cursor, str], Any]] = {
    "bool": lambda cursor, field: cursor.int8(field) != 0,
    "int8": Cursor.int8,
    "int16": Cursor.int16,
    "uint16": Cursor.uint16,
    "int32": Cursor.int32,
    "int64": Cursor.int64,
    "float64": Cursor.float64,
    "uuid": _uuid,
}


def kafka_reason(error: FormatError) -> str:
    """What Kafka's own reader says of such bytes ("null" is what it says of a buffer that ends too early)."""
    if isinstance(error, MessageError):
        return error.problem
    if isinstance(error, Truncated):
        return "null"
    return str(error)
