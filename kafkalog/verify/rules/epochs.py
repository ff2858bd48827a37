"""Rules about `leader-epoch-checkpoint` and the leader epochs of the batches."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.command_line import Command, quoted
from kafkalog.core.log import NEVER
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import COMPARE, RESTORE
from kafkalog.verify.rule import rule
from kafkalog.verify.rules.shared import beyond_end

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.checkpoint import Checkpoint, EpochEntry
    from kafkalog.files.log_dir import CheckpointLine
    from kafkalog.verify.rules.shared import EpochRun


class EpochFile(NamedTuple):
    """`leader-epoch-checkpoint` against the leader epochs of the batches.

    `runs` are those of batches at or above the log's start. `rebuilt` is the file that the batches ask for. `legacy`: there
    are messages of magic 0 or 1, the last of them at `last_legacy`. `log_start` is what the log dir says; `raised`: the log may
    have started higher when the file was written; `start_known`: the log dir's checkpoint of log starts is at hand.
    `end_confirmed`: the recovery point of a clean stop is the log's end.
    """

    path: str
    checkpoint: Checkpoint[EpochEntry] | None
    size: int
    runs: tuple[tuple[EpochRun, str], ...]
    log_end: int | None
    legacy: bool
    last_legacy: int
    clean: bool | None
    log_only: bool
    rebuilt: str
    mark: str
    log_start: int
    raised: bool
    start_known: bool
    canonical: bool
    log_start_path: str
    log_start_line: CheckpointLine | None
    end_confirmed: bool


REVIEW = (
    "By the batches alone the file has these lines: {rebuilt}. With the broker stopped, review them and put the file in place."
)


def _content(file: EpochFile) -> dict[str, Any]:
    """The lines that the batches ask for, and the command that writes them."""
    lines = file.rebuilt.splitlines()
    text = "".join(f"{line}\\n" for line in lines)
    return {
        "rebuilt": ", ".join(f"`{line}`" for line in lines),
        "commands": (Command(f"printf '{text}' > {quoted(file.path)}"),),
    }


def _entries(file: EpochFile) -> tuple[EpochEntry, ...]:
    return () if file.checkpoint is None else file.checkpoint.entries


def _is_dropped(file: EpochFile) -> bool:
    """Whether the directory waits to be deleted: brokers clear the epochs of such a log, at different moments."""
    return file.mark in ("delete", "stray")


def _sound(file: EpochFile) -> bool:
    """Whether the file can be taken at its word."""
    if file.checkpoint is None or file.checkpoint.damages or not file.checkpoint.entries:
        return False
    entries = file.checkpoint.entries
    return all(a.epoch < b.epoch and a.start_offset < b.start_offset for a, b in itertools.pairwise(entries)) and all(
        entry.epoch >= 0 and entry.start_offset >= 0 for entry in entries
    )


class WrongBatchEpoch(NamedTuple):
    """A batch whose leader epoch is not the `right` one: `by_neighbours` and by the epoch file `file` ("": not by that)."""

    path: str
    run: EpochRun
    right: int
    by_neighbours: bool
    file: str


@rule(
    "batch-epoch-wrong",
    Severity.WARNING,
    on=WrongBatchEpoch,
    message="the leader epoch of the batch at byte {position} is {epoch}, and {right} is right, by {witnesses}: {difference}",
    consequence="No record is damaged, and consumers do not look at the field. A recovery after an unclean stop takes an epoch "
    "that is too high into leader-epoch-checkpoint; followers then ask where it ended, and truncate at a wrong place.",
    remedy="{advice}The log is what is wrong. To mend it, let the broker fetch the partition again from another replica: with "
    "the broker stopped, move the directory out of the log dir, and start it. Without one, stop the broker cleanly only.",
    source="DefaultRecordBatch.partitionLeaderEpoch, LogSegment.recover (Kafka 3.9.1)",
    proof="batch-epoch-flipped",
    near_miss="epoch-rises-in-the-last-segment",
    invariants="C8 A24",
)
def batch_epoch_wrong(wrong: WrongBatchEpoch) -> Iterator[Hit]:
    """One batch has another leader epoch than both its neighbours, or breaks their order and the epoch file knows better.

    The checksum does not cover the field. What the epoch file should hold is told without such batches.
    """
    run = wrong.run
    witnesses = ["the batches before and after it"] if wrong.by_neighbours else []
    witnesses += [wrong.file] if wrong.file else []
    bits = ((run.epoch ^ wrong.right) & 0xFFFFFFFF).bit_count()
    yield Hit(
        BATCH_HEADER.span_of("partition_leader_epoch", run.position),
        (run.first_base, run.last_offset),
        position=run.position,
        epoch=run.epoch,
        right=wrong.right,
        witnesses=" and by ".join(witnesses),
        difference="one bit is flipped" if bits == 1 else f"{bits} bits differ",
        advice=f"Leave {wrong.file} as it is. " if wrong.file else "",
    )


@rule(
    "epoch-file-malformed",
    Severity.ERROR,
    on=EpochFile,
    message="{reason}",
    consequence="The broker takes the log dir offline or does not start.",
    remedy=REVIEW,
    source="CheckpointFile.read, LeaderEpochCheckpointFile (Kafka 3.9.1), KAFKA-16541",
    proof="epoch-file-nuls",
    near_miss="text-of-windows",
    invariants="I1",
)
def epoch_file_malformed(file: EpochFile) -> Iterator[Hit]:
    """The file cannot be parsed: a version other than 0, a wrong count, a line that is not two numbers.

    An empty file, or one with a version only, is legal.
    """
    if file.checkpoint is not None:
        for damage in file.checkpoint.damages:
            yield Hit(damage.span, None, reason=damage.reason, **_content(file))


@rule(
    "epoch-file-missing",
    Severity.WARNING,
    on=EpochFile,
    message="there is no leader-epoch-checkpoint, but the batches have leader epochs up to {epoch}",
    consequence="The broker starts with an empty epoch cache: followers fall back to truncating at the high watermark.",
    remedy=REVIEW,
    source="LeaderEpochCheckpointFile (Kafka 3.9.1)",
    proof="epoch-file-deleted",
    near_miss="old-format",
    invariants="I3 I6",
)
def epoch_file_missing(file: EpochFile) -> Iterator[Hit]:
    """The file is gone. Logs that hold messages of magic 0 or 1 need none."""
    if file.checkpoint is None and file.runs and not file.legacy and not file.log_only and not _is_dropped(file):
        yield Hit(None, None, epoch=max(run.epoch for run, _ in file.runs), **_content(file))


@rule(
    "epoch-file-empty",
    Severity.WARNING,
    on=EpochFile,
    message="the file has no entries, but the batches have leader epochs up to {epoch}",
    consequence="The broker starts with an empty epoch cache: followers fall back to truncating at the high watermark. A power "
    "loss leaves such files (KAFKA-15046).",
    remedy=REVIEW,
    source="LeaderEpochCheckpointFile (Kafka 3.9.1), KAFKA-16541",
    proof="epoch-file-emptied",
    near_miss="epoch-file-empty-beside-old-messages",
    invariants="I3 I6",
)
def epoch_file_empty(file: EpochFile) -> Iterator[Hit]:
    """The file is empty.

    An append of magic 0 or 1 empties it too, so such logs are left alone; so are directories marked `-delete` or `-stray`. When
    all records are deleted, a broker writes it without an entry: INFO where nothing shows the log's start.
    """
    found = file.checkpoint
    empty = found is not None and not found.entries and not found.damages
    if empty and file.runs and not file.legacy and not _is_dropped(file):
        severity = Severity.INFO if file.size and not file.start_known else None
        yield Hit(Span(0, file.size), None, severity=severity, epoch=max(run.epoch for run, _ in file.runs), **_content(file))


@rule(
    "epoch-file-edited",
    Severity.WARNING,
    on=EpochFile,
    message="the file can be read, but Kafka writes it otherwise: {size} bytes",
    consequence="None for the broker. Somebody or something else than a broker wrote it.",
    remedy="Compare its entries with the batches. " + REVIEW,
    source="CheckpointFile.write (Kafka 3.9.1)",
    proof="epoch-file-edited",
    near_miss="text-of-windows",
    invariants="I1",
)
def epoch_file_edited(file: EpochFile) -> Iterator[Hit]:
    """Line ends, blanks or a missing last line break show that no broker wrote the file."""
    if file.checkpoint is not None and not file.checkpoint.damages and not file.canonical:
        yield Hit(Span(0, file.size), None, size=file.size, **_content(file))


@rule(
    "epoch-entry-negative",
    Severity.ERROR,
    on=EpochFile,
    message="entry {number}: epoch {epoch}, start offset {start}",
    consequence="The broker does not start (2.1 and later).",
    remedy=REVIEW,
    source="LeaderEpochFileCache.assign (Kafka 3.9.1)",
    proof="epoch-entry-negative",
    near_miss="epoch-one-higher-one-later",
    invariants="I2",
)
def epoch_entry_negative(file: EpochFile) -> Iterator[Hit]:
    """An epoch or a start offset is negative."""
    for number, entry in enumerate(_entries(file)):
        if entry.epoch < 0 or entry.start_offset < 0:
            assert file.checkpoint is not None
            span = file.checkpoint.spans[number]
            yield Hit(span, None, number=number, epoch=entry.epoch, start=entry.start_offset, **_content(file))


@rule(
    "epoch-not-increasing",
    Severity.WARNING,
    on=EpochFile,
    message="entry {number} (epoch {epoch} from {start}) does not follow epoch {epoch_before} from {start_before}",
    consequence="The broker silently drops earlier entries when it loads the file.",
    remedy=REVIEW,
    source="LeaderEpochFileCache.truncateAndAppend (Kafka 3.9.1)",
    proof="epoch-lines-swapped",
    near_miss="epoch-one-higher-one-later",
    invariants="I2",
)
def epoch_not_increasing(file: EpochFile) -> Iterator[Hit]:
    """Epochs and start offsets must both grow from line to line; either of the two lines can be the wrong one."""
    entries = _entries(file)
    for number in range(1, len(entries)):
        before, entry = entries[number - 1], entries[number]
        if entry.epoch <= before.epoch or entry.start_offset <= before.start_offset:
            assert file.checkpoint is not None
            spans = file.checkpoint.spans
            yield Hit(
                Span(spans[number - 1].start, spans[number].end),
                None,
                number=number,
                epoch=entry.epoch,
                start=entry.start_offset,
                epoch_before=before.epoch,
                start_before=before.start_offset,
                **_content(file),
            )


@rule(
    "epoch-missing",
    Severity.WARNING,
    on=EpochFile,
    message="batches from offset {offset} on have leader epoch {epoch}, which {file} does not list",
    consequence="Followers that ask where epoch {epoch} ended get the answer for another one, and truncate at a wrong place.",
    remedy=f"{COMPARE} {REVIEW}",
    source="LeaderEpochFileCache.endOffsetFor (Kafka 3.9.1), KAFKA-10432",
    proof="epoch-entry-removed",
    near_miss="epoch-at-end",
    invariants="I3 I6",
)
def epoch_missing(file: EpochFile) -> Iterator[Hit]:
    """A leader epoch of the batches has no entry in the file."""
    if not _sound(file):
        return
    known = {entry.epoch for entry in _entries(file)}
    for run, log_path in file.runs:
        if run.epoch not in known and not file.legacy:
            yield Hit(
                BATCH_HEADER.span(run.position),
                (run.first_base, run.last_offset),
                path=log_path,
                offset=run.first_base,
                epoch=run.epoch,
                file=file.path,
                **_content(file),
            )


@rule(
    "epoch-start-mismatch",
    Severity.WARNING,
    on=EpochFile,
    message="epoch {epoch} is said to begin at {start}; {file} has batches of epoch {actual} at offsets {first} to {last}",
    consequence="Followers that ask where an epoch ended get {start} instead, and truncate too much or too little.",
    remedy=f"{COMPARE} {REVIEW}",
    source="LeaderEpochFileCache.assign (Kafka 3.9.1), KAFKA-7415",
    proof="epoch-start-changed",
    near_miss="epoch-rises-in-the-last-segment",
    invariants="I4 I8",
)
def epoch_start_mismatch(file: EpochFile) -> Iterator[Hit]:
    """The entry that covers the offsets of a batch is not the one of its epoch."""
    if not _sound(file):
        return
    entries = _entries(file)
    assert file.checkpoint is not None
    runs: dict[int, list[tuple[EpochRun, str]]] = {}
    for run, log_path in file.runs:
        runs.setdefault(run.epoch, []).append((run, log_path))
    for number, entry in enumerate(entries):
        following = entries[number + 1].start_offset if number + 1 < len(entries) else NEVER
        for run, log_path in runs.get(entry.epoch, ()):
            # An append of magic 0 or 1 drops the entries of all batches before it.
            if run.first_base <= file.last_legacy:
                continue
            late = run.last_offset >= following
            # The first entry is raised to the log's start, which may lie inside a batch.
            raised = number == 0 and (file.raised or entry.start_offset <= max(file.log_start, run.first_base))
            wrong = late or (run.first_base < entry.start_offset and not raised)
            if wrong:
                place = number + 1 if late else number
                yield Hit(
                    file.checkpoint.spans[place],
                    (run.first_base, run.last_offset),
                    epoch=entries[place].epoch,
                    start=entries[place].start_offset,
                    file=log_path,
                    actual=run.epoch,
                    first=run.first_base,
                    last=run.last_offset,
                    **_content(file),
                )


@rule(
    "log-start-without-trace",
    Severity.WARNING,
    on=EpochFile,
    message="the log start offset is {offset}, but the first epoch in {file} still begins at {start}",
    consequence="Records from {start} to {offset} are hidden at the next start, and their segments deleted.",
    remedy="Correct the line with the broker stopped, unless DeleteRecords was used up to {offset}.",
    source="LeaderEpochFileCache.truncateFromStart (Kafka 3.9.1)",
    proof="log-start-line-raised",
    near_miss="delete-records",
    invariants="K5 I8",
)
def log_start_without_trace(file: EpochFile) -> Iterator[Hit]:
    """The log start was moved without the epoch file being cut there, and the broker was stopped cleanly."""
    line = file.log_start_line
    if file.clean and line is not None and _sound(file) and not file.legacy and not file.mark and file.log_end is not None:
        start = _entries(file)[0].start_offset
        if start < line.offset <= file.log_end:
            yield Hit(line.span, (start, line.offset), path=line.path, offset=line.offset, file=file.path, start=start)


@rule(
    "log-start-lost",
    Severity.INFO,
    on=EpochFile,
    message="the first epoch begins at {start}, but by {file} the log starts at {log_start}",
    consequence="Records below {start} that were deleted are there again: after a crash soon after DeleteRecords, or "
    "because the line is gone.",
    remedy="If DeleteRecords was used: with the broker stopped, put the line with offset {start} back, and make the number in "
    "the second line that of the lines.",
    source="LeaderEpochFileCache.truncateFromStart, LogManager.checkpointLogStartOffsets (Kafka 3.9.1)",
    proof="log-start-line-removed",
    near_miss="delete-records",
    invariants="K5 I8",
)
def log_start_lost(file: EpochFile) -> Iterator[Hit]:
    """The epoch file was cut at a log start that the checkpoint does not know, after a clean stop.

    DeleteRecords cuts it at once. The checkpoint follows within a minute, and a crash in between leaves this.
    """
    if not _sound(file) or not file.log_start_path:
        return
    first = _entries(file)[0]
    below = [run for run, _ in file.runs if run.epoch == first.epoch and run.first_base < first.start_offset]
    if first.start_offset > file.log_start and below and not file.legacy:
        yield Hit(
            Span(0, file.size),
            (file.log_start, first.start_offset),
            start=first.start_offset,
            log_start=file.log_start,
            file=file.log_start_path,
        )


@rule(
    "epoch-beyond-end",
    Severity.ERROR,
    on=EpochFile,
    message="epoch {epoch} begins at {start}, after the end of the log at {end}",
    consequence="{effect} The broker drops the entry at the next start.",
    remedy="{advice}",
    source="LeaderEpochFileCache.truncateFromEnd (Kafka 3.9.1)",
    proof="epoch-beyond-end",
    near_miss="epoch-at-end",
    loses="gone",
    invariants="I5",
)
def epoch_beyond_end(file: EpochFile) -> Iterator[Hit]:
    """An entry begins after the end of the log. At the end itself is normal: a leader that wrote nothing yet.

    A crash can leave it too: the file is written before the log is flushed.
    """
    if file.log_end is None or file.checkpoint is None:
        return
    severity, effect = beyond_end(clean=file.clean, confirmed=file.end_confirmed)
    for entry, span in zip(file.checkpoint.entries, file.checkpoint.spans, strict=True):
        if entry.start_offset > file.log_end:
            yield Hit(
                span,
                None if file.end_confirmed else (file.log_end, entry.start_offset - 1),
                severity=severity,
                epoch=entry.epoch,
                start=entry.start_offset,
                end=file.log_end,
                effect=effect,
                advice=REVIEW.format(**_content(file)) if file.end_confirmed else RESTORE,
            )
