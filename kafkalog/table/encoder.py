"""Columns as Arrow types, and rows that come one by one as record batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kafkalog.table.columns import LARGE, weight_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkalog.core.lanes import Ints
    from kafkalog.table.columns import Column, ColumnType
    from kafkalog.table.table import Table

__all__ = ["TYPES", "Encoder", "in_files", "schema_of"]

#: The type of each kind of column; keys and values are views of the bytes they were read from.
TYPES: dict[ColumnType, Any] = {
    "binary": pa.binary_view(),
    "string": pa.string(),
    "category": pa.dictionary(pa.int8(), pa.string()),
    "name": pa.dictionary(pa.int32(), pa.string()),
    "bool": pa.bool_(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "timestamp": pa.timestamp("ms", tz="UTC"),
    "headers": pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())])),
}
#: Rows, and bytes of keys and values in them, that make a batch of those that are read one by one.
_ROWS = 8192
_BYTES = 4 << 20


def schema_of(table: Table) -> Any:
    """The Arrow schema of a table."""
    return pa.schema([(name, TYPES[column.type]) for name, column in zip(table.names, table.columns, strict=True)])


def in_files(schema: Any) -> Any:
    """A schema as files have it, which know no views."""
    return pa.schema([field.with_type(pa.binary()) if field.type == pa.binary_view() else field for field in schema])


class Encoder:
    """Makes record batches; its dictionaries only grow, so that those of later batches begin with those of earlier ones."""

    def __init__(self, table: Table) -> None:
        self.columns = table.columns
        self._schema = schema_of(table)
        self._dictionaries: dict[str, dict[str, int]] = {column.name: {} for column in table.columns}
        self._heavy = [number for number, column in enumerate(table.columns) if column.type in LARGE]

    def batch(self, arrays: Sequence[Any]) -> Any:
        """The record batch of all columns."""
        return pa.RecordBatch.from_arrays(list(arrays), schema=self._schema)

    def batches(self, subjects: Iterable[Any]) -> Iterator[Any]:
        """The record batches of rows that are made one by one."""
        getters = [column.get for column in self.columns]
        rows: list[list[Any]] = []
        weight = 0
        for subject in subjects:
            row = [get(subject) for get in getters]
            rows.append(row)
            weight += sum(weight_of(row[number]) for number in self._heavy)
            if len(rows) >= _ROWS or weight >= _BYTES:
                yield self._of_rows(rows)
                rows, weight = [], 0
        if rows:
            yield self._of_rows(rows)

    def _of_rows(self, rows: list[list[Any]]) -> Any:
        values = zip(*rows, strict=True)
        return self.batch(
            [self._array(column, list(of_column)) for column, of_column in zip(self.columns, values, strict=True)]
        )

    def _array(self, column: Column, values: list[Any]) -> Any:
        if column.type in ("category", "name"):
            return self.dictionary(column, values)
        if column.type == "string":
            values = [None if value is None else _utf8(value) for value in values]
        return pa.array(values, TYPES[column.type])

    def codes(self, column: Column, values: Iterable[str | None]) -> list[int]:
        """The place of each value in the column's dictionary, which gets those that are new; -1 for None."""
        known = self._dictionaries[column.name]
        return [-1 if value is None else known.setdefault(value, len(known)) for value in values]

    def dictionary(self, column: Column, values: Iterable[str | None]) -> Any:
        """A dictionary column."""
        return self.coded(column, np.array(self.codes(column, values), np.int64))

    def coded(self, column: Column, codes: Ints) -> Any:
        """A dictionary column of places in its dictionary, -1 for None."""
        kind = TYPES[column.type]
        indices = pa.array(codes.astype(kind.index_type.to_pandas_dtype()), mask=codes < 0)
        texts = pa.array(map(_utf8, self._dictionaries[column.name]), pa.string())
        return pa.DictionaryArray.from_arrays(indices, texts)


def _utf8(text: str) -> str:
    """A text that Arrow can hold: a path may have bytes that are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()
