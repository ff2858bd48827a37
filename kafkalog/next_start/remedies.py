"""What to move out of a partition directory before a start: tried in the model, and said only where it helps there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.command_line import quoted
from kafkalog.errors import UnreadableFile
from kafkalog.kafka.file_names import SWAP, parse_offset
from kafkalog.kafka.overlay import open_disk
from kafkalog.next_start.loss import records_from
from kafkalog.next_start.partition import EPOCH_FILE, METADATA_FILE, Situation, predict_partition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.files.directory import Directory
    from kafkalog.kafka.overlay import Disk, DiskFile
    from kafkalog.next_start.outcome import Outcome

__all__ = ["remedy_for"]


class _Candidate(NamedTuple):
    """Files to move away, and what happens to them then."""

    names: tuple[str, ...]
    then: str


def remedy_for(directory: Directory, outcome: Outcome, situation: Situation) -> str | None:
    """What to move away so that the partition loads and nothing is lost; None: nothing is known to help.

    Args:
        directory: The partition directory.
        outcome: What happens without it: the partition fails, or records are lost.
        situation: What it is loaded with.
    """
    if outcome.partition != "failed" and not outcome.records_lost:
        return None
    # Whether it helps does not depend on what consumers make of it, and must be known however large the log is.
    situation = replace(situation, consumer=False, replay=None)
    for candidate in _candidates(directory, outcome, situation):
        try:
            with open_disk(directory) as disk:
                disk.leave_out(candidate.names)
                after = predict_partition(directory.path, disk, situation).outcome
                if not after.is_harmless or not _reaches_the_end(disk, after.log_end_offset or 0):
                    continue
        except UnreadableFile:
            continue
        them = "it" if len(candidate.names) == 1 else "them"
        end = f"the log ends at offset {after.log_end_offset} and nothing of what is there is lost"
        names = " and ".join(quoted(name) for name in candidate.names)
        return f"Move {names} out of the directory, and keep {them}: {candidate.then}, {end}."
    return None


def _logs(disk: Disk) -> dict[int, DiskFile]:
    """The `.log` files by base offset."""
    return {
        offset: file
        for name, file in disk.files.items()
        if name.endswith(".log") and (offset := parse_offset(name)) is not None
    }


def _reaches_the_end(disk: Disk, log_end_offset: int) -> bool:
    """Whether no sound record of the last segment stands behind the log's end."""
    logs = _logs(disk)
    return not logs or not records_from(logs[max(logs)], log_end_offset)


def _are_copies(disk: Disk) -> bool:
    """Whether each `.log.swap` holds nothing but what a segment holds that is still there."""
    logs = _logs(disk)
    for name in disk.names():
        swap, base_offset = disk[name], parse_offset(name)
        if not name.endswith(f".log{SWAP}") or base_offset is None or not swap.size:
            continue
        original = logs.get(base_offset)
        following = min((offset for offset in logs if offset > base_offset), default=None)
        if original is None or original.size < swap.size:
            return False
        if following is not None and records_from(swap, following):
            return False
    return True


def _candidates(directory: Directory, outcome: Outcome, situation: Situation) -> Iterator[_Candidate]:
    with open_disk(directory) as disk:
        names = [*disk.names(), *sorted(disk.directories)]
        empty = {name for name in disk.names() if not disk[name].size}
        swaps = tuple(name for name in names if name.endswith(SWAP)) if _are_copies(disk) else ()
    cause = outcome.reason.rpartition("; ")[2]
    for name in names:
        if name not in cause or name == METADATA_FILE:
            continue
        if name == EPOCH_FILE:
            yield _Candidate((name,), "an empty one is made (or put what `kafkalog verify` shows in its place)")
        elif name.endswith(".txnindex"):
            index = f"{name.removesuffix('.txnindex')}.index"
            yield _Candidate((name, *((index,) if index in names else ())), "the indexes of the segment are rebuilt")
        elif parse_offset(name) is None and (".log" not in name or name in empty):
            yield _Candidate((name,), "nothing needs it")
    if swaps:
        yield _Candidate(swaps, "the segments stay as they are")
    logs = [name for name in names if name.endswith(".log") and parse_offset(name) is not None]
    if situation.clean and logs:
        active = max(logs, key=lambda name: parse_offset(name) or 0)
        index = f"{active.removesuffix('.log')}.index"
        if index in names:
            yield _Candidate((index,), "the segment is recovered and the index rebuilt")
