"""A table: lazy, re-iterable, of bounded memory."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import replace
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

from kafkalog.errors import ExtraMissing, RequestError
from kafkalog.files.arguments import check_type
from kafkalog.services import service
from kafkalog.table.columns import select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from kafkalog.core.batch import Damage
    from kafkalog.errors import KafkalogError
    from kafkalog.table.columns import Column, Definition
    from kafkalog.table.request import Request

__all__ = ["Table"]


class Table:
    """A table of what logs hold. Nothing is read before it is asked for, and each pass reads the files again.

    `kafkalog.table` makes it, and its help lists all tables and columns. What cannot be read has no row; the table `damage`
    lists it.

    Args:
        definition: What it is a table of.
        columns: Those it has.
        names: How they are spelled: "snake" or "kafka".
        request: What it is made of.
    """

    def __init__(self, definition: Definition, columns: tuple[Column, ...], names: str, request: Request) -> None:
        self.definition = definition
        self.columns = columns
        self.names = tuple(column.spelled(names) for column in columns)
        self.request = request

    @property
    def name(self) -> str:
        """Which table it is."""
        return self.definition.name

    def rows(self) -> Iterator[Any]:
        """The rows as named tuples, without anything that is not installed with kafkalog.

        Keys and values are bytes or None, timestamps milliseconds in UTC, headers lists of pairs.

        Raises:
            UnreadableFile: a file cannot be read.
        """
        new, row = tuple.__new__, _row_class(self.names)
        getters = tuple(column.get for column in self.columns)
        return (new(row, [get(subject) for get in getters]) for subject in self.definition.subjects(self.request))

    def __iter__(self) -> Iterator[Any]:
        return self.rows()

    # --- as Arrow ---

    @property
    def schema(self) -> Any:
        """The `pyarrow.Schema`.

        Raises:
            ExtraMissing: numpy or pyarrow is not installed.
        """
        return _arrow("schema").schema_of(self)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """A new pass as an Arrow stream, for whatever takes one: DuckDB, polars, pandas, pyarrow.

        Keys and values are views of the bytes they were read from: as long as one of them is kept, so is its window of 2 MiB.
        """
        return _arrow("an Arrow stream").reader_of(self).__arrow_c_stream__(requested_schema)

    def batches(self) -> Iterator[Any]:
        """A new pass as `pyarrow.RecordBatch`es, each of a few thousand rows.

        Raises:
            ExtraMissing: numpy or pyarrow is not installed.
            UnreadableFile: a file cannot be read.
        """
        return iter(_arrow("batches").reader_of(self))

    def to_arrow(self, *, compact: bool = True) -> Any:
        """All of it as a `pyarrow.Table`.

        Args:
            compact: Copy keys and values out of what was read. False leaves them as views of it: that is faster, keeps all
                of it in memory, and pyarrow itself cannot filter or sort such columns yet.

        Raises:
            ExtraMissing: numpy or pyarrow is not installed.
            UnreadableFile: a file cannot be read.
        """
        arrow = _arrow("to_arrow")
        reader = arrow.compact_reader_of(self) if compact else arrow.reader_of(self)
        return reader.read_all().unify_dictionaries()

    def to_pandas(self) -> Any:
        """All of it as a `pandas.DataFrame` with Arrow types; texts are texts there, which pandas can search and sort.

        Raises:
            ExtraMissing: pandas, numpy or pyarrow is not installed.
            UnreadableFile: a file cannot be read.
        """
        arrow, pandas = _arrow("to_pandas"), _installed("pandas", "to_pandas", "pandas")
        found = arrow.with_plain_texts(arrow.compact_reader_of(self).read_all())
        return found.to_pandas(types_mapper=pandas.ArrowDtype)

    def to_polars(self) -> Any:
        """All of it as a `polars.DataFrame`.

        Raises:
            ExtraMissing: polars, numpy or pyarrow is not installed.
            UnreadableFile: a file cannot be read.
        """
        arrow, polars = _arrow("to_polars"), _installed("polars", "to_polars", "polars")
        errors: list[KafkalogError] = []
        try:
            return polars.DataFrame(arrow.reader_of(self, errors.append))
        except polars.exceptions.PolarsError:
            for error in errors:
                raise error from None
            raise

    def head(self, count: int = 10) -> list[Any]:
        """The first rows.

        Raises:
            RequestError: `count` is no number, or less than 0.
            UnreadableFile: a file cannot be read.
        """
        check_type("count", count, int)
        if count < 0:
            raise RequestError(f"head gives the first rows: {count} is no number of them")
        return list(islice(self.rows(), count))

    def reporting(self, on_damage: Callable[[str, Damage], object]) -> Table:
        """The same table, which tells what it cannot read.

        Args:
            on_damage: Called with the path of a file and what of it has no row, in each pass.
        """
        return self.of(replace(self.request, on_damage=on_damage))

    def of(self, request: Request) -> Table:
        """The same columns of something else."""
        other = Table.__new__(Table)
        other.__dict__.update(self.__dict__, request=request)
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        # What a column gets of a row is no pickle: definition and columns go by their names.
        return _restored, (self.name, [column.name for column in self.columns], self.names, self.request)

    def _repr_html_(self) -> str:
        return str(service("html")(self))

    def __repr__(self) -> str:
        names = ", ".join(self.names)
        return f"Table({self.name}: {names})"


def _restored(name: str, columns: list[str], names: tuple[str, ...], request: Request) -> Table:
    definition = import_module("kafkalog.table.api").TABLES[name]
    table = Table(definition, select(definition, columns), "snake", request)
    table.names = names
    return table


def _installed(module: str, what: str, package: str) -> ModuleType:
    """A module that is not installed with kafkalog itself."""
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise ExtraMissing(what, package) from None


def _arrow(what: str) -> ModuleType:
    return _installed("kafkalog.table.arrow", what, "kafkalog[arrow]")


def _row_class(names: tuple[str, ...]) -> type[tuple[Any, ...]]:
    row: type[tuple[Any, ...]] = namedtuple("Row", names)  # type: ignore[misc]  # noqa: PYI024 - the columns are the caller's
    return row
