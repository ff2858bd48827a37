"""What the texts of groups, transactions and metadata have in common: sections, sentences, notes, loads that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.release import OLDEST, release_text
from kafkalog.core.spoken import listed
from kafkalog.render.items import Line, Table
from kafkalog.replay.logs import Notes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kafkalog.core.release import Release
    from kafkalog.render.items import Item, Rows
    from kafkalog.replay.coordinator_loads import Load
    from kafkalog.replay.logs import Note

__all__ = ["NAMES", "loads_text", "notes_text", "paragraph", "section"]


#: What the heading of a column of times ends with; these are not shortened.
UTC = " (UTC)"


def section(title: str, headings: Iterable[str], rows: Rows) -> Iterator[Item]:
    """A table with its title, and an empty line after it; nothing without rows."""
    names = tuple(headings)
    if len(rows):
        yield Line(0, f"{title} ({len(rows):,})", "", style="title")
        yield Table(names, rows, whole=tuple(at for at, name in enumerate(names) if name.endswith(UTC)))
        yield ""


def paragraph(lines: list[str]) -> Iterator[Item]:
    """Sentences above the tables, and an empty line."""
    for line in lines:
        text = line.lstrip(" ")
        yield Line(len(line) - len(text), "", text, prose=True)
    yield from [""] if lines else []


def notes_text(notes: Iterable[Note]) -> Iterator[Item]:
    """What was noticed while the topics were read; what could not be read is said on stderr."""
    for note in notes:
        place = [*([note.path] if note.path else []), *([f"offset {note.offset}"] if note.offset is not None else [])]
        yield Line(0, "note:", f"{', '.join(place)}{': ' if place else ''}{note.message}", prose=True, style="label")
    if isinstance(notes, Notes) and notes.dropped:
        yield Line(0, "note:", f"and {notes.dropped:,} more like these", style="label")


#: Names in one line; all are in the JSON lines.
NAMES = 10


def loads_text(loads: Iterable[Load], release_of: Callable[[str], Release], *, release_is_named: bool) -> Iterator[Item]:
    """What the coordinators do not load. A load that never ends is reported for older releases, too, unless one is named."""
    lines = []
    for load in loads:
        release = release_of(load.path)
        failure = load.failure(release)
        where = f"{load.path}: the coordinator of Kafka {release_text(release)}"
        if failure is not None and failure.ends:
            lines.append(f"{where} fails to load it at offset {failure.offset}: {failure.reason}.")
        elif failure is not None:
            lines.append(f"{where} never finishes loading it: {failure.reason}.")
        elif not release_is_named and (older := next((item for item in load.failures if not item.ends), None)) is not None:
            where = f"{load.path}: the coordinator of a broker before Kafka {release_text(older.until)}"
            lines.append(f"{where} never finishes loading it: {older.reason}.")
            failure, release = older, OLDEST
        if failure is not None:
            lines.append(f"  {load.outcome(failure, release)}")
            lost = load.lost(failure)
            lines += [f"  This concerns {listed(lost, NAMES)}."] if lost else []
    yield from paragraph(lines)
