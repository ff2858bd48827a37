"""The one way to a table: from paths and a name."""

from __future__ import annotations

import os
from inspect import cleandoc
from typing import TYPE_CHECKING, Literal, get_args

from kafkalog.core.filters import Filters
from kafkalog.errors import RequestError
from kafkalog.files.arguments import check_type, items_of
from kafkalog.files.log_dir import LogDir
from kafkalog.files.partition import IsolationLevel, Partition
from kafkalog.files.segment import Segment
from kafkalog.table.batches import BATCHES, DAMAGE, SEGMENTS
from kafkalog.table.columns import select
from kafkalog.table.records import RECORDS
from kafkalog.table.replayed import FINDINGS, TRANSACTIONS
from kafkalog.table.request import Item, Request
from kafkalog.table.side_files import ABORTED_TRANSACTIONS, EPOCHS, INDEX_ENTRIES, PRODUCERS, TIME_INDEX_ENTRIES
from kafkalog.table.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kafkalog.table.columns import Definition

__all__ = ["TABLES", "table"]

#: Every table, by its name.
TABLES: dict[str, Definition] = {
    one.name: one
    for one in (
        RECORDS,
        BATCHES,
        SEGMENTS,
        INDEX_ENTRIES,
        TIME_INDEX_ENTRIES,
        ABORTED_TRANSACTIONS,
        EPOCHS,
        PRODUCERS,
        TRANSACTIONS,
        FINDINGS,
        DAMAGE,
    )
}


def table(
    paths: Item | Iterable[Item],
    name: str = "records",
    *,
    columns: str | Iterable[str] = "default",
    names: Literal["snake", "kafka"] = "snake",
    offsets: tuple[int | None, int | None] | None = None,
    since: int | None = None,
    until: int | None = None,
    isolation: IsolationLevel = "read_uncommitted",
    control: bool = False,
) -> Table:
    """A table of what logs hold: lazy, and each pass over it reads the files again.

    >>> rows = table("fixtures/broker/2.1.1/plain/twitter-status-0", columns="offset,key").rows()
    >>> next(rows)
    Row(offset=0, key=b'user_011')

    Args:
        paths: A partition directory, a log dir, a file of a segment, a `Partition`, `LogDir` or `Segment`; or several of them.
        name: `records`, `batches`, `segments`, `index_entries`, `time_index_entries`, `aborted_transactions`, `epochs`,
            `producers`, `transactions`, `findings` or `damage`.
        columns: "default", "all", or names, also in one text with commas between them; `+NAME` and `-NAME` change the default.
        names: "snake" for `timestamp_type`, "kafka" for `timestampType`, as Kafka and Spark spell it.
        offsets: Only records from the first offset up to, but not including, the second; either may be None.
        since: Only records of this time or later, milliseconds.
        until: Only records before this time, milliseconds.
        isolation: `read_committed`: only what a consumer of this isolation level gets.
        control: Whether to give control records too, such as transaction markers.

    Raises:
        RequestError: there is no such table or column, or a condition means nothing in it.
    """
    check_type("name", name, str)
    definition = TABLES.get(name)
    if definition is None:
        raise RequestError(f"there is no table {name!r}; there are {', '.join(TABLES)}")
    check_type("offsets", offsets, tuple, list, None)
    if offsets is not None and len(tuple(offsets)) != 2:
        raise RequestError(f"offsets is (FIRST, END), of which either may be None, not {offsets!r}")
    first, end = offsets or (None, None)
    for argument, value in (("since", since), ("until", until), ("an offset", first), ("an offset", end)):
        check_type(argument, value, int, None)
    check_type("control", control, bool)
    if isolation not in get_args(IsolationLevel):
        raise RequestError(f"{isolation!r} is no isolation level; there are {' and '.join(get_args(IsolationLevel))}")
    if names not in ("snake", "kafka"):
        raise RequestError(f"names is 'snake' or 'kafka', not {names!r}")
    return tabulate(
        definition,
        paths,
        columns,
        names,
        Filters(first_offset=first, end_offset=end, since=since, until=until),
        committed=isolation == "read_committed",
        control=control,
    )


def _described() -> Iterator[str]:
    """Each table and its columns, for `help`; what is not among the default columns has a star."""
    for definition in TABLES.values():
        yield f"\nTable {definition.name}: {definition.meaning}\n\n"
        for column in definition.columns:
            yield f"    {column.name}{'' if column.is_default else '*'} ({column.type}): {column.meaning}\n"


# Since 3.13 a compiler takes the indentation off; before, `help` does.
table.__doc__ = f"{cleandoc(table.__doc__ or '')}\n{''.join(_described())}\n(*: not a default column)\n"


def tabulate(
    definition: Definition,
    paths: Item | Iterable[Item],
    columns: str | Iterable[str],
    names: str,
    filters: Filters,
    *,
    committed: bool,
    control: bool,
) -> Table:
    """As `table`, with any filters.

    Raises:
        RequestError: there is no such column, or a condition means nothing in the table.
    """
    if not definition.selects and (filters.active or committed or control):
        raise RequestError(f"offsets, times, isolation and control select records; the table {definition.name} has none")
    items = []
    for item in items_of(paths, Partition, LogDir, Segment):
        if not isinstance(item, (str, os.PathLike, Partition, LogDir, Segment)):
            raise RequestError(f"a table is made of paths, partitions, log dirs and segments, not of a {type(item).__name__}")
        items.append(item)
    chosen = select(definition, columns)
    request = Request(
        items=tuple(items),
        filters=filters,
        committed=committed,
        control=control,
        with_transactions=any(column.name == "transaction" for column in chosen),
    )
    return Table(definition, chosen, names, request)
