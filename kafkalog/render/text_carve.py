"""What `carve` found, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.command_line import command_on, quoted
from kafkalog.render.items import Line, Table
from kafkalog.render.quantities import count_text, offsets_text, size_text, when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.carve.values import Carved, FoundGroup
    from kafkalog.render.items import Item

__all__ = ["carve_items"]

#: Groups of which more than their row is shown.
_MOST = 20
#: The part of a sample that must look encrypted or compressed before this is said to be so.
_FLAT = 0.9
#: Why bytes were not looked through.
_SKIPPED = {"budget": "too much of it looks like batches and is none", "unreadable": "the device gives errors"}


def carve_items(found: Carved) -> Iterator[Item]:
    """What was found in each directory, and what was looked through."""
    if found.groups:
        yield Table(
            ("directory", "records", "size", "offsets", "missing", "from", "to"),
            [_row(group) for group in found.groups],
            whole=(0, 5, 6),
        )
        for group in found.groups[:_MOST]:
            yield ""
            yield from _group(group)
        if len(found.groups) > _MOST:
            yield Line(0, "", f"and {count_text(len(found.groups) - _MOST, 'more directory')}", prose=True)
        yield ""
    yield from _searched(found)
    if found.groups:
        first = f"{found.out}/{found.groups[0].name}"
        yield ""
        yield Line(
            0, "", f"Written to {found.out}; {found.out}.carve.jsonl says where in the images each batch was.", prose=True
        )
        yield Line(0, "next:", command_on(("kafkalog", "verify"), first).line)
        yield Line(6, "", command_on(("kafkalog", "dump", "--print-data-log"), first).line)
        yield Line(6, "", command_on(("kafkalog", "salvage", "-o", quoted(f"{found.out}-salvaged")), first).line)


def _row(group: FoundGroup) -> list[object]:
    times = group.time_range
    offsets = group.offsets
    missing = sum(last - first + 1 for first, last in group.missing)
    return [
        group.name,
        group.records,
        size_text(group.size),
        f"{offsets[0][0]}..{offsets[-1][1]}",
        missing or None,
        *((None, None) if times is None else map(_to_the_minute, times)),
    ]


def _to_the_minute(timestamp: int) -> str:
    return when(timestamp).rpartition(":")[0] or when(timestamp)


def _group(group: FoundGroup) -> Iterator[Item]:
    if group.guess is not None:
        yield Line(0, group.name, f"may be {group.guess}: {'; '.join(group.guess_why)}", prose=True, style="label")
    elif len(group.chains) > 1:
        yield Line(
            0, group.name, f"{count_text(len(group.chains), 'log')} that may be of one partition", prose=True, style="label"
        )
    else:
        yield Line(0, group.name, "one log without a gap", style="label")
    if group.why and group.guess is None:
        yield Line(2, "", f"In it: {'; '.join(group.why)}", prose=True)
    if group.missing:
        yield Line(2, "", f"Missing: {offsets_text(group.missing)}", prose=True)


def _searched(found: Carved) -> Iterator[Item]:
    text = f"{size_text(found.searched_bytes)} looked through: {count_text(found.batches, 'batch')} with the right checksum"
    text += f", {count_text(found.records, 'record')}, {size_text(found.found_bytes)}, in {count_text(found.runs, 'run')}"
    yield Line(0, "", f"{text}.", prose=True)
    if found.cut:
        left = found.cut - found.stitched
        rest = f"; of {left:,} the rest was not found" if left else ""
        yield Line(
            0, "", f"{found.cut:,} were cut by the file system: {found.stitched:,} were put together again{rest}.", prose=True
        )
    if found.copies:
        yield Line(0, "", f"{count_text(found.copies, 'run')} left out: the same bytes are in another one.", prose=True)
    if found.live_batches:
        yield Line(
            0, "", f"{count_text(found.live_batches, 'batch')} left out: they are in what was given by --live.", prose=True
        )
    for kind, words in (
        ("budget", "too much of it looks like batches and is none"),
        ("unreadable", "the device gives errors"),
    ):
        skipped = [one for one in found.skipped if one.kind == kind]
        if skipped:
            size = sum(one.end - one.start for one in skipped)
            where = f"the first at {skipped[0].start} of {found.images[skipped[0].image]}"
            yield Line(0, "", f"{size_text(size)} not looked through, {where}: {words}.", prose=True)
    if not found.groups:
        yield Line(0, "", "No batch was found, and nothing is written.", prose=True)
        if found.sampled_bytes and found.flat_bytes >= _FLAT * found.sampled_bytes:
            text = "Nearly all of it looks encrypted or compressed: unlock or unpack the disk, and carve what that gives."
            yield Line(0, "", text, prose=True)
