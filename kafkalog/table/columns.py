"""What a column and a table are, apart from any of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kafkalog.core.layout import kafka_name
from kafkalog.errors import RequestError
from kafkalog.files.arguments import check_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkalog.table.request import Request

__all__ = ["LARGE", "OF_LOG", "Column", "ColumnType", "Definition", "columns_of_log", "select", "weight_of"]

#: `category` is text of few values, `name` text that repeats; `timestamp` is milliseconds in UTC; `headers` is a list of
#: pairs of a text and bytes or None. In Arrow: `table.arrow.TYPES`.
ColumnType = Literal["binary", "string", "category", "name", "bool", "int8", "int16", "int32", "int64", "timestamp", "headers"]

#: Of these a value can be as large as it likes.
LARGE: tuple[ColumnType, ...] = ("binary", "headers", "string")


def weight_of(value: Any) -> int:
    """About how much memory a value of a large type takes, bytes."""
    if isinstance(value, list):
        return sum(len(key) + len(data or b"") for key, data in value)
    return len(value or "")


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Args:
        name: In snake case.
        type: Of its values; each may be None.
        meaning: One sentence, with the unit and what None says.
        get: Its value of the subject that a row is made of.
        is_default: Whether it is in a table that asks for no columns by name.
    """

    name: str
    type: ColumnType
    meaning: str
    get: Callable[[Any], Any]
    is_default: bool = True

    @property
    def kafka_name(self) -> str:
        """The name as Kafka and Spark spell it: `timestampType` for `timestamp_type`."""
        return kafka_name(self.name)

    def spelled(self, names: str) -> str:
        """The name, in `names`: "snake" or "kafka"."""
        return self.kafka_name if names == "kafka" else self.name


def columns_of_log(log_of: Callable[[Any], Any]) -> tuple[Column, Column]:
    """The columns that say which partition a row is of; `log_of` gives the `Input` of its subject."""
    return (
        Column("topic", "name", "The topic; None when the directory's name tells none.", lambda row: log_of(row).topic),
        Column(
            "partition", "int32", "The partition; None when the directory's name tells none.", lambda row: log_of(row).number
        ),
    )


#: The same where a row has its log as `log`.
OF_LOG = columns_of_log(lambda row: row.log)


@dataclass(frozen=True, slots=True)
class Definition:
    """A table: its columns, and the subjects of its rows, in the order of the logs.

    `selects`: whether conditions on records (offsets, times, isolation level, control records) mean something in it.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    subjects: Callable[[Request], Iterator[Any]]
    selects: bool = False


def select(definition: Definition, wanted: str | Iterable[str]) -> tuple[Column, ...]:
    """The columns that are asked for, in the order of the declaration, or in the caller's where all are named.

    Args:
        definition: The table.
        wanted: "default", "all", or names; `+NAME` and `-NAME` add to the default ones and take away from them.

    Raises:
        RequestError: there is no such column, or none is left.
    """
    words: list[str] = []
    if not isinstance(wanted, str | Iterable):
        raise RequestError(f"columns is a text, or several, not {type(wanted).__name__}")
    for word in wanted.split(",") if isinstance(wanted, str) else wanted:
        check_type("a column", word, str)
        words.append(word.strip())
    by_name = {column.name: column for column in definition.columns}
    by_name.update((column.kafka_name, column) for column in definition.columns)
    chosen: list[Column] = []
    if not words or words[0][:1] in ("+", "-"):
        words.insert(0, "default")
    for word in words:
        if word in ("default", "all"):
            chosen += [one for one in definition.columns if (word == "all" or one.is_default) and one not in chosen]
            continue
        column = by_name.get(word.lstrip("+-"))
        if column is None:
            names = ", ".join(one.name for one in definition.columns)
            raise RequestError(f"the table {definition.name} has no column {word.lstrip('+-')!r}; it has {names}")
        if word.startswith("-"):
            chosen = [one for one in chosen if one is not column]
        elif column not in chosen:
            chosen.append(column)
    if not chosen:
        raise RequestError("no column is left")
    return tuple(chosen)
