"""Tables as Parquet and Arrow files."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kafkalog.table.arrow import compact_reader_of
from kafkalog.table.request import inputs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.table.table import Table

__all__ = ["write_arrow", "write_parquet"]

#: Bytes of a row group, at most, unless its first rows have more.
_GROUP_BYTES = 64 << 20
#: Columns that are too large, or too many-valued, for statistics to be of use.
_NO_STATISTICS = ("binary", "headers")
#: How a column is stored that has no dictionary: numbers as differences, keys and values without what they share with the one
#: before, so that zstd has less to find. Its level 6 takes another 5 % off for a sixth of the whole time.
_ENCODINGS = {
    **dict.fromkeys(("int8", "int16", "int32", "int64", "timestamp"), "DELTA_BINARY_PACKED"),
    "binary": "DELTA_BYTE_ARRAY",
}
_LEVEL, _PAGE_BYTES = 6, 512 << 10


class _NotAscending(Exception):
    """The offsets do not ascend, although they were said to."""


def write_arrow(table: Table, file: IO[bytes], metadata: dict[str, str], *, as_stream: bool) -> None:
    """An Arrow IPC file, or stream: dictionaries grow from batch to batch."""
    reader = compact_reader_of(table)
    options = pa.ipc.IpcWriteOptions(compression="zstd", emit_dictionary_deltas=True)
    make = pa.ipc.new_stream if as_stream else pa.ipc.new_file
    with make(file, reader.schema.with_metadata(metadata), options=options) as writer:
        for batch in reader:
            writer.write_batch(batch.replace_schema_metadata(metadata))


def write_parquet(table: Table, file: IO[bytes], metadata: dict[str, str], rows: int, damage: list[dict[str, Any]]) -> None:
    """A Parquet file.

    Args:
        table: What is written.
        file: Where to.
        metadata: For the footer.
        rows: In a row group.
        damage: What has no rows: filled during the pass, and written to the footer at its end.
    """
    if _may_ascend(table):
        try:
            return _write_parquet(table, file, metadata, rows, damage, ascending=True)
        except _NotAscending:
            file.seek(0)
            file.truncate()
            damage.clear()
    return _write_parquet(table, file, metadata, rows, damage, ascending=False)


def _may_ascend(table: Table) -> bool:
    """Whether offsets are those of one log."""
    inputs = inputs_of(table.request.items)
    return table.name == "records" and any(one.name == "offset" for one in table.columns) and sum(1 for _ in inputs) == 1


def _write_parquet(
    table: Table, file: IO[bytes], metadata: dict[str, str], rows: int, damage: list[dict[str, Any]], *, ascending: bool
) -> None:
    reader = compact_reader_of(table)
    named = list(zip(table.names, table.columns, strict=True))
    offset = next((number for number, column in enumerate(table.columns) if column.name == "offset"), -1)
    with pq.ParquetWriter(
        file,
        reader.schema,
        compression="zstd",
        compression_level=_LEVEL,
        data_page_size=_PAGE_BYTES,
        use_dictionary=[name for name, column in named if column.type in ("category", "name")],
        column_encoding={name: _ENCODINGS[column.type] for name, column in named if column.type in _ENCODINGS},
        write_statistics=[name for name, column in named if column.type not in _NO_STATISTICS],
        write_page_index=True,
        sorting_columns=[pq.SortingColumn(offset)] if ascending else None,
    ) as writer:
        batches = _ascending(reader, offset) if ascending else iter(reader)
        for group in _groups(batches, rows):
            writer.write_table(group, row_group_size=max(1, group.num_rows))
        writer.add_key_value_metadata({**metadata, "kafkalog.damage": json.dumps(damage)})


def _ascending(batches: Any, offset: int) -> Iterator[Any]:
    """The same batches.

    Raises:
        _NotAscending: an offset does not follow the one before.
    """
    last = np.array([], np.int64)
    for batch in batches:
        offsets = np.concatenate([last, batch.column(offset).to_numpy()])
        if (offsets[1:] <= offsets[:-1]).any():
            raise _NotAscending
        last = offsets[-1:]
        yield batch


def _groups(batches: Iterator[Any], rows: int) -> Iterator[Any]:
    """Tables of so many rows, fewer where they are large."""
    held: list[Any] = []
    count = size = 0
    for batch in batches:
        held.append(batch)
        count, size = count + batch.num_rows, size + batch.nbytes
        if count >= rows or size >= _GROUP_BYTES:
            whole = pa.Table.from_batches(held).unify_dictionaries()
            for at in range(0, count - rows + 1, rows) if size < _GROUP_BYTES else (0,):
                yield whole.slice(at, rows)
            done = min(count, rows) if size >= _GROUP_BYTES else count - count % rows
            held = whole.slice(done).to_batches()
            count, size = count - done, sum(one.nbytes for one in held)
    if count:
        yield pa.Table.from_batches(held).unify_dictionaries()
