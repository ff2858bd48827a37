"""A pass over a table as Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kafkalog.core.batch import Damage
from kafkalog.core.record_walk import Irregular
from kafkalog.errors import KafkalogError
from kafkalog.span import Padding
from kafkalog.table.encoder import Encoder, in_files, schema_of
from kafkalog.table.record_arrays import RecordArrays
from kafkalog.table.records import RECORDS, EndOfCommitted, logs_of
from kafkalog.table.windows import Group, groups_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkalog.core.log import Batch
    from kafkalog.table.records import LogWalk
    from kafkalog.table.table import Table

__all__ = ["batches_of", "compact_reader_of", "reader_of", "schema_of", "with_plain_texts"]


def reader_of(table: Table, on_error: Callable[[KafkalogError], object] | None = None) -> Any:
    """A new pass over a table; `on_error` is told what it ends with, which those who take it make an error of theirs of."""
    batches = batches_of(table) if on_error is None else _telling(batches_of(table), on_error)
    return pa.RecordBatchReader.from_batches(schema_of(table), batches)


def _telling(batches: Iterator[Any], on_error: Callable[[KafkalogError], object]) -> Iterator[Any]:
    try:
        yield from batches
    except KafkalogError as error:
        on_error(error)
        raise


def compact_reader_of(table: Table) -> Any:
    """A new pass over a table whose keys and values are copied out of what was read."""
    schema = in_files(schema_of(table))
    return pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in batches_of(table)))


def with_plain_texts(table: Any) -> Any:
    """A `pyarrow.Table` with texts where it has dictionaries of them: in those, pandas can neither search nor sort."""
    fields = [field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field for field in table.schema]
    return table.cast(pa.schema(fields))


def batches_of(table: Table) -> Iterator[Any]:
    """The record batches of a table."""
    encoder = Encoder(table)
    if table.definition is not RECORDS:
        yield from encoder.batches(table.definition.subjects(table.request))
        return
    for log in logs_of(table.request):
        try:
            for source in log.sources():
                for item in groups_of(log, source):
                    yield from _of_item(encoder, log, item)
        except EndOfCommitted:
            continue


def _of_item(encoder: Encoder, log: LogWalk, item: Group | Batch | Damage | Padding) -> Iterator[Any]:
    if isinstance(item, Damage):
        log.request.on_damage(log.path, item)
    elif isinstance(item, Group):
        try:
            found = RecordArrays(log, item)
        except Irregular:
            yield from encoder.batches(row for batch in item.batches() for row in log.rows(batch))
            return
        if len(found):
            yield encoder.batch([found.column(column, encoder) for column in encoder.columns])
    elif not isinstance(item, Padding):
        yield from encoder.batches(log.rows(item))
