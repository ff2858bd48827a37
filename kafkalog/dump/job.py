"""A whole dump: its options, the files one after the other, the reports at the end."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import PENDING_SUFFIXES, TEXT_FILES, parse_remote_file_name
from kafkalog.core.filters import Filters
from kafkalog.core.release import NEWEST, Release
from kafkalog.dump.dialects import dialect_of
from kafkalog.dump.index_options import IndexOptions
from kafkalog.dump.output import HeldOutput, Output
from kafkalog.dump.reports import ConsecutiveOffsets, Reports
from kafkalog.dump.tool_died import ToolDied, base_of, base_offset_of, no_offset
from kafkalog.errors import FileChanged, UnreadableFile
from kafkalog.files.cores import may_fork
from kafkalog.files.source import FileSource, read_file, small_or_in_windows
from kafkalog.kafka.file_names import parse_kraft_snapshot_name
from kafkalog.kafka.java import absolute_path, file_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkalog.core.source import Bytes
    from kafkalog.dump.index_checks import LogChain
    from kafkalog.dump.index_text import IndexPrinter
    from kafkalog.dump.inputs import Listing
    from kafkalog.dump.log_text import LogPrinter
    from kafkalog.dump.passed_over import PassedOver, Search
    from kafkalog.dump.payload import Payload

    PrintInTurn = Callable[
        [int, Callable[[], Iterable[tuple[int, int]]], Callable[[tuple[int, int], Callable[[], bool]], "PartSummary"]],
        list["PartSummary"],
    ]

__all__ = ["NO_LIMIT", "DumpJob", "DumpOptions"]

#: The default of --max-bytes.
NO_LIMIT = 0x7FFFFFFF

_BOOTSTRAP = "bootstrap.checkpoint"


class PartSummary(NamedTuple):
    """What is kept of a part of a log: its first and last record offset, the gaps between, where it began and ended.

    `right_at` and `lost_at` are those of its `Way`; `passed` are the batches that the real tool passed over between.
    """

    first: int | None
    last: int
    pairs: list[tuple[int, int]]
    start: int
    stop: int
    died: bool
    right_at: int | None
    lost_at: int | None
    passed: PassedOver


class DumpOptions(NamedTuple):
    """What is asked for.

    `directory` is the working directory, for the absolute paths in reports. `payload` None: keys and values are not
    printed. `notices`: lines that the tool prints after each `Dumping` line of a log. `no_decoder`: why the release has
    no decoder of the name given. `read_on`: what is sound and the real tool passes over is printed, too. `jobs` processes,
    run by `print_in_turn`, print the record lines of large logs.
    """

    directory: str
    release: Release = NEWEST
    deep: bool = False
    payload: Payload | None = None
    skip_metadata: bool = False
    indexes: IndexOptions = IndexOptions()
    max_bytes: int = NO_LIMIT
    filters: Filters = Filters()
    notices: tuple[str, ...] = ()
    no_decoder: ToolDied | None = None
    read_on: bool = False
    jobs: int = 1
    print_in_turn: PrintInTurn | None = None


#: Files whose base offset the tool reads off their names.
_NAMED_BY_OFFSET = (".log", ".index", ".timeindex", ".txnindex")


class DumpJob:
    """Prints files in the text of a release.

    Args:
        options: What is asked for.
        output: Where it goes.
    """

    def __init__(self, options: DumpOptions, output: Output) -> None:
        self._options = options
        self._dialect = dialect_of(options.release)
        self._output = output
        self._reports = Reports()
        self._stack = ExitStack()
        self._own_payload: Payload | None = None
        self._listing: Listing | None = None

    def tool_file(self, text: str) -> None:
        """An element of `--files`: what the real tool does with it."""
        self._own_payload = None
        self._listing = None
        path = file_path(text)
        self._output.line(f"Dumping {path}")
        name = path.rpartition("/")[2]
        dot = name.rfind(".")
        if dot < 0 and self._dialect.dotless_names_kill:
            self._output.die(path, ToolDied("the name has no dot"))
            return
        suffix = name[dot:] if dot >= 0 else ""
        if suffix in _NAMED_BY_OFFSET and parse_remote_file_name(name) is not None:
            self._output.die(path, no_offset(name, "; give it as a PATH"))
            return
        self._dispatch(path, name, suffix)

    def path_file(self, text: str, payload: Payload | None = None, listing: Listing | None = None) -> None:
        """A file given as a PATH or found in a directory: also those that the real tool cannot print.

        Args:
            text: Its path.
            payload: How keys and values of this file are printed, if not as those of the others.
            listing: That of its directory: what has gone since is no failure.
        """
        self._own_payload = payload
        self._listing = listing
        path = file_path(text)
        if self._has_gone(path):
            return
        name = path.rpartition("/")[2]
        self._output.line(f"Dumping {path}")
        if name in TEXT_FILES:
            self._guarded(path, lambda: self._text_file(path, name))
            return
        for pending in (*PENDING_SUFFIXES, ".part"):
            name = name.removesuffix(pending)
        dot = name.rfind(".")
        self._dispatch(path, name, name[dot:] if dot >= 0 else "")

    def _dispatch(self, path: str, name: str, suffix: str) -> None:
        if suffix == ".log" or (suffix == ".checkpoint" and self._dialect.checkpoints):
            self._guarded(path, lambda: self._log(path, name))
        elif suffix == ".index":
            self._guarded(path, lambda: self._offset_index(path, name))
        elif suffix == ".timeindex":
            self._guarded(path, lambda: self._time_index(path, name))
        elif suffix == ".txnindex":
            self._guarded(path, lambda: self._transaction_index(path, name))
        elif suffix == ".snapshot":
            self._guarded(path, lambda: self._snapshot(path))
        else:
            self._output.say(f"Ignoring unknown file {path}")

    def _guarded(self, path: str, action: Callable[[], None]) -> None:
        """Run a file's action; what ends it is reported, and the next file follows."""
        with ExitStack() as self._stack:
            try:
                action()
            except ToolDied as death:
                self._output.die(path, death)
            except UnreadableFile as error:
                self._unreadable(error.path, error.path, ToolDied(error.reason))

    def _has_gone(self, path: str) -> bool:
        return self._listing is not None and self._listing.has_lost(path)

    def _unreadable(self, path: str, missing: str, death: ToolDied) -> None:
        """The real tool would die, unless what it misses was there when its directory was listed."""
        if not self._has_gone(missing):
            self._output.die(path, death)

    def _open(self, path: str) -> FileSource:
        return self._stack.enter_context(FileSource(path))

    def _absolute(self, path: str) -> str:
        return absolute_path(path, self._options.directory)

    # --- logs ---

    def _log(self, path: str, name: str) -> None:
        # An index has no records.
        from kafkalog.dump.log_text import LogPrinter
        from kafkalog.dump.passed_over import Search

        options, output = self._options, self._output
        if options.no_decoder is not None:
            raise options.no_decoder
        for notice in options.notices:
            output.line(notice)
        output.line(self._heading(name))
        source = self._open(path)
        end = source.size
        if end > NO_LIMIT:
            output.die(path, ToolDied(f"{end} bytes, the real tool opens at most {NO_LIMIT}"))
        if options.max_bytes < 0:
            raise ToolDied(f"--max-bytes {options.max_bytes}")
        if options.max_bytes != NO_LIMIT:
            end = min(end, options.max_bytes)
        printer = LogPrinter(
            self._dialect,
            output,
            path=path,
            deep=options.deep,
            payload=self._own_payload or options.payload,
            skip_metadata=options.skip_metadata,
            filters=options.filters,
            read_on=options.read_on,
        )
        start = 0
        if options.filters.active:
            from kafkalog.dump.seek import start_position

            start = start_position(path, options.filters, source)
        found = partial(printer.passed_over, source) if options.read_on else None
        search = Search(source, options.filters, found)
        try:
            stop, lost_at = self._run(printer, search, source, start, end)
            if stop < end and options.max_bytes == NO_LIMIT:
                output.line(f"Found {end - stop} invalid bytes at the end of {path.rpartition('/')[2]}")
            search.look_at_end(stop if lost_at is None else lost_at, end)
            self._tell_passed_over(path, search.passed)
        finally:
            if printer.consecutive.pairs and not options.filters.active:
                self._reports.non_consecutive.setdefault(self._absolute(path), []).extend(printer.consecutive.pairs)
        self._tell_growth(source)

    def _run(self, printer: LogPrinter, search: Search, source: FileSource, start: int, end: int) -> tuple[int, int | None]:
        """Print a log; returns where its last batch ends, and where the tool was lost then (None: it was not)."""
        from kafkalog.dump.passed_over import Way
        from kafkalog.dump.ranges import RANGE, split

        options = self._options
        jobs = options.jobs if may_fork() else 1
        if jobs == 1 or options.print_in_turn is None or options.read_on or not options.deep or end - start < 2 * RANGE:
            way = Way(search.look, right_at=start)
            return printer.run(source, start, end, end, way), way.lost_at
        self._output.flush()
        path = source.path

        def print_range(part: tuple[int, int], turn: Callable[[], bool]) -> PartSummary:
            return self._print_part(printer, own_source(path), part, end, turn)

        own_source = cache(FileSource)  # a worker's own, so that windows are not shared
        parts = options.print_in_turn(options.jobs, lambda: split(own_source(path), start, end, RANGE), print_range)
        lost_at: int | None = None
        for part in parts:
            printer.consecutive.add(part.first, part.last, part.pairs)
            self._output.died |= part.died
            lost_at = part.start if lost_at is None else lost_at
            if part.right_at is not None:
                search.look(lost_at, part.right_at)
                search.passed = search.passed.then(part.passed)
                lost_at = part.lost_at
        return parts[-1].stop, lost_at

    def _print_part(
        self, printer: LogPrinter, source: FileSource, part: tuple[int, int], end: int, turn: Callable[[], bool]
    ) -> PartSummary:
        """Print a part of a log when it has its turn; until then, as much as may be held in memory."""
        from kafkalog.dump.passed_over import Search, Way

        first, stop = part
        held = HeldOutput(self._output, turn)
        own = Output(held.put, held.say)
        consecutive = ConsecutiveOffsets(first_is_compared=False)
        search = Search(source, self._options.filters)
        way = Way(search.look)
        last = printer.redirected(own, consecutive).run(source, first, stop, end, way)
        own.flush()
        held.release()
        self._output.flush()
        return PartSummary(
            *(consecutive.first, consecutive.last, consecutive.pairs),
            *(first, last, own.died),
            *(way.right_at, way.lost_at, search.passed),
        )

    def _tell_passed_over(self, path: str, passed: PassedOver) -> None:
        if not passed.batches:
            return
        self._output.died = True
        where = f"{passed}, from position {passed.position} on"
        way = f"goes wrong at position {passed.lost_at} and does not get there"
        if self._options.read_on:
            text = f"printed, though Kafka's own tool {way}: {where}"
        else:
            text = f"not printed: {where}; Kafka's own tool {way}; --read-on prints what it misses"
        self._output.say(f"kafkalog: {path}: {text}")

    def _tell_growth(self, source: FileSource) -> None:
        change: FileChanged | None = source.grown
        if change is not None:
            self._output.say(f"kafkalog: {change}")

    def _heading(self, name: str) -> str:
        if name.endswith(".log"):
            return f"{self._dialect.heading}{base_offset_of(name)}"
        if name == _BOOTSTRAP:
            return "KRaft bootstrap snapshot"
        snapshot = parse_kraft_snapshot_name(name)
        if snapshot is None:
            raise ToolDied("not named like a snapshot, 20 digits, a dash and 10 digits")
        return f"Snapshot end offset: {snapshot.offset}, epoch: {snapshot.epoch}"

    # --- indexes ---

    def _entries(self, path: str) -> Bytes:
        return self._stack.enter_context(small_or_in_windows(path))

    def _sibling(self, path: str, name: str, suffix: str) -> str:
        directory, slash, _ = path.rpartition("/")
        return f"{directory}{slash}{base_of(name)}{suffix}"

    def _chain(self, path: str, name: str) -> LogChain | None:
        """The `.log` beside an index; without it the real tool dies and kafkalog compares nothing."""
        try:
            source = self._open(self._sibling(path, name, ".log"))
        except UnreadableFile as error:
            self._unreadable(path, error.path, ToolDied(f"its log cannot be read: {error}"))
            return None
        from kafkalog.dump.index_checks import LogChain

        return LogChain(source, self._dialect)

    def _index_printer(self, path: str, name: str) -> IndexPrinter:
        from kafkalog.dump.index_text import IndexPrinter

        return IndexPrinter(
            path=path,
            key=self._absolute(path),
            base_offset=base_offset_of(name),
            chain=self._chain(path, name),
            dialect=self._dialect,
            options=self._options.indexes,
            read_on=self._options.read_on,
            output=self._output,
            reports=self._reports,
        )

    def _offset_index(self, path: str, name: str) -> None:
        self._index_printer(path, name).offset_index(self._entries(path))

    def _time_index(self, path: str, name: str) -> None:
        from kafkalog.dump.index_checks import offset_index_of

        printer = self._index_printer(path, name)
        index: Bytes = b""
        try:
            index = self._entries(self._sibling(path, name, ".index"))
        except UnreadableFile as error:
            if printer.chain is not None:
                self._unreadable(path, error.path, ToolDied(f"its index cannot be read: {error}"))
        printer.time_index(self._entries(path), offset_index_of(index, printer.base_offset, self._dialect))

    def _text_file(self, path: str, name: str) -> None:
        from kafkalog.dump.state_text import print_text_file

        print_text_file(name, read_file(path), path, self._output)

    def _snapshot(self, path: str) -> None:
        from kafkalog.dump.state_text import print_snapshot

        print_snapshot(read_file(path), self._dialect, self._output)

    def _transaction_index(self, path: str, name: str) -> None:
        from kafkalog.dump.state_text import print_transaction_index

        base_offset_of(name)
        try:
            data = self._entries(path)
        except UnreadableFile as error:
            if error.is_missing:
                return  # the real tool takes a missing one for empty
            raise
        print_transaction_index(data, path, self._dialect, self._output)

    def finish(self) -> bool:
        """Print the reports; returns whether the real tool would have died on the way."""
        for line in self._reports.lines(self._dialect):
            self._output.say(line)
        self._output.flush()
        return self._output.died
