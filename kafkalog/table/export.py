"""Tables as files: Parquet, Arrow, CSV, JSON lines."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from kafkalog.errors import ExtraMissing, RequestError, UnreadableFile
from kafkalog.files.classify import classify
from kafkalog.files.cores import cores
from kafkalog.files.log_dir import LogDir
from kafkalog.files.output_file import check_apart, written_whole
from kafkalog.files.partition import Partition
from kafkalog.files.segment import Segment
from kafkalog.files.source import size_of
from kafkalog.files.urls import is_url
from kafkalog.files.workers import workers_or
from kafkalog.table.request import inputs_of
from kafkalog.table.text_files import csv_lines, json_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from kafkalog.core.batch import Damage
    from kafkalog.table.request import Input
    from kafkalog.table.table import Table

__all__ = ["FORMATS", "ROW_GROUP", "ExportOptions", "export", "format_of"]

FORMATS = ("parquet", "arrow", "csv", "jsonl")
#: Rows of a Parquet row group.
ROW_GROUP = 131_072
#: Damages that the footer of a file lists.
_MOST_DAMAGES = 1000
#: Bytes of logs from which on processes of their own write the files of a folder.
_PAYS = 64 << 20
_NO_TOPIC = "__HIVE_DEFAULT_PARTITION__"  # what Hive writes for null


class ExportOptions(NamedTuple):
    """How a table is written. Forms are those of `text_files.FORMS`; they count in CSV and JSON lines.

    `jobs`: how many processes write the files of a folder; None: as many as there are cores, one where that would not pay.
    """

    format: str
    key_form: str = "text"
    value_form: str = "text"
    row_group: int = ROW_GROUP
    replace: bool = False
    jobs: int | None = 1


def format_of(out: str, wanted: str | None) -> str:
    """The format of a file, by what the caller says or else by its suffix; that of a folder is Parquet.

    Raises:
        RequestError: neither tells.
    """
    found = wanted or ("parquet" if out.endswith("/") else os.path.splitext(out)[1].removeprefix(".").lower())
    if found in FORMATS:
        return found
    raise RequestError(f"{out} does not tell a format by its suffix, {', '.join(f'.{one}' for one in FORMATS)}: --format does")


def export(
    table: Table,
    out: str,
    options: ExportOptions,
    on_damage: Callable[[str, Damage], object],
    stdout: IO[bytes] | None = None,
    on_unreadable: Callable[[UnreadableFile], object] | None = None,
) -> list[str]:
    """Write a table.

    Args:
        table: What is written.
        out: A file; a folder with `/` at its end, for a file of each partition; or `-`.
        options: How it is written.
        on_damage: Called with the path of a file and what of it has no row.
        stdout: Where `-` goes.
        on_unreadable: Called with the reason why a folder has no file of a partition; the others are written. Without it the
            first of these ends the writing.

    Returns:
        The files that were written.

    Raises:
        RequestError: `out` is under an examined path, or there already; the format cannot go there.
        UnreadableFile: a file cannot be read.
        OSError: the system refuses to write.
    """
    if out == "-":
        if stdout is None or options.format == "parquet":
            raise RequestError("Parquet cannot be written to a pipe: csv, jsonl and arrow can")
        _write(table, stdout, options, on_damage, as_stream=True)
        return []
    check_apart(out, _paths_of(table))
    _check_there(table)
    if not out.endswith("/"):
        _write_file(table, out, options, on_damage)
        return [out]
    written: list[str] = []
    parts = list(_parts(table, out, options))
    waits: list[Callable[[], object]]
    with workers_or(None, _jobs_that_pay(parts) if options.jobs is None else options.jobs) as executor:
        if executor is None:
            waits = [partial(_write_file, part, path, options, on_damage) for path, part in parts]
        else:
            waits = [partial(_tell, executor.submit(_written, part, path, options), on_damage) for path, part in parts]
        for (path, _), wait in zip(parts, waits, strict=True):
            try:
                wait()
            except UnreadableFile as error:
                if on_unreadable is None:
                    raise
                on_unreadable(error)
            else:
                written.append(path)
    return written


def _jobs_that_pay(parts: list[tuple[str, Table]]) -> int:
    """A process for each core, where there is so much to read that their start does not count."""
    size = 0
    for _, part in parts:
        logs = (segment.paths.get(".log") for log in inputs_of(part.request.items) for segment in log.segments)
        size += sum(size_of(path) or 0 for path in logs)
        if size >= _PAYS:
            return min(cores(), len(parts))
    return 1


def _written(table: Table, path: str, options: ExportOptions) -> list[tuple[str, Damage]]:
    """Write a file in a process of its own; gives what of its log has no row."""
    damages: list[tuple[str, Damage]] = []
    _write_file(table, path, options, lambda *damage: damages.append(damage))
    return damages


def _tell(task: Future[list[tuple[str, Damage]]], on_damage: Callable[[str, Damage], object]) -> None:
    for path, damage in task.result():
        on_damage(path, damage)


def _write_file(table: Table, path: str, options: ExportOptions, on_damage: Callable[[str, Damage], object]) -> None:
    with written_whole(path, replace=options.replace) as file:
        _write(table, file, options, on_damage, as_stream=False)


def _check_there(table: Table) -> None:
    """Find out what is missing before anything is written; what is at a URL is asked for when it is read, and only then.

    Raises:
        UnreadableFile: a path is missing, may not be read, or holds nothing of Kafka.
    """
    for item in table.request.items:
        if isinstance(item, str | os.PathLike) and not is_url(path := os.fspath(item)):
            classify(path, tier=True)


def _paths_of(table: Table) -> list[str]:
    """The paths that a table is made of."""
    paths: list[str] = []
    for item in table.request.items:
        if isinstance(item, Segment):
            paths += item.paths.values()
        else:
            paths.append(item.path if isinstance(item, Partition | LogDir) else os.fspath(item))
    return paths


def _parts(table: Table, out: str, options: ExportOptions) -> Iterator[tuple[str, Table]]:
    """A file for each partition, called as Hive, Spark and DuckDB call them, and the table of what goes into it."""
    if table.name in ("transactions", "findings"):
        raise RequestError(f"the table {table.name} is about all that was given: it goes into one file")
    numbers: dict[str, int] = {}
    for one in inputs_of(table.request.items):
        topic = _NO_TOPIC if one.topic is None else _quoted(one.topic)
        number = _NO_TOPIC if one.number is None else one.number
        folder = f"{out}topic={topic}/partition={number}"
        count = numbers[folder] = numbers.get(folder, -1) + 1
        yield f"{folder}/part-{count}.{options.format}", table.of(replace(table.request, items=(_item(one),)))


def _quoted(topic: str) -> str:
    """A name of Kafka's as it is; of any other what readers of such folders take as the text that the column has."""
    return quote(topic.encode("utf-8", "backslashreplace"), safe="")


def _item(one: Input) -> Partition | Segment:
    return one.segments[0] if one.partition is None else one.partition


def _write(
    table: Table,
    file: IO[bytes],
    options: ExportOptions,
    on_damage: Callable[[str, Damage], object],
    *,
    as_stream: bool,
) -> None:
    damages: list[dict[str, Any]] = []

    def note(path: str, damage: Damage) -> None:
        if len(damages) < _MOST_DAMAGES:
            span = damage.span
            damages.append({"path": path, "start": span.start, "end": span.end, "batchPosition": span.space})
        on_damage(path, damage)

    told = table.reporting(note)
    if options.format in ("csv", "jsonl"):
        lines = csv_lines if options.format == "csv" else json_lines
        for part in lines(told, options.key_form, options.value_form):
            file.write(part)
        return
    try:
        files = import_module("kafkalog.table.arrow_files")
    except ModuleNotFoundError:
        raise ExtraMissing(f"export as {options.format}", "kafkalog[arrow]") from None
    metadata = _metadata(table)
    if options.format == "arrow":
        files.write_arrow(told, file, metadata, as_stream=as_stream)
    else:
        files.write_parquet(told, file, metadata, options.row_group, damages)


def _metadata(table: Table) -> dict[str, str]:
    request = table.request
    selected = {name: value for name, value in request.filters._asdict().items() if value is not None}
    if request.filters.key is not None:
        selected["key"] = request.filters.key.hex()
    return {
        "kafkalog.schema": f"kafkalog.{table.name}/1",
        "kafkalog.sources": json.dumps(_paths_of(table)),
        "kafkalog.options": json.dumps({**selected, "committed": request.committed, "control": request.control}),
    }
