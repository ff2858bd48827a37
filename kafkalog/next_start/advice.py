"""What to do before the restart, in order, where it is certain; what to move away is tried in the model first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.command_line import GIVES_EVERYTHING, quoted, salvage_command
from kafkalog.errors import UnreadableFile
from kafkalog.kafka.file_names import SWAP, parse_offset
from kafkalog.kafka.gone_offsets import AT_END
from kafkalog.kafka.overlay import open_disk
from kafkalog.next_start.cause import FALSE_MARKER, LOAD_FAILURE, STOPPING
from kafkalog.next_start.index_advice import why_kept
from kafkalog.next_start.loss import records_from
from kafkalog.next_start.partition import EPOCH_FILE, METADATA_FILE, Situation, predict_partition
from kafkalog.next_start.rescue_advice import SALVAGE, SEEK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.files.directory import Directory
    from kafkalog.kafka.overlay import Disk, DiskFile
    from kafkalog.next_start.outcome import ConsumerRead, Outcome

__all__ = ["remedy_for", "with_advice"]

_MOVE_MARKER = (
    "Before the broker starts, move `.kafka_cleanshutdown` out of the log dir: the broker then recovers the logs from their"
    " recovery points."
)
_KEEP_LINES = "Copy the checkpoint files first: the start writes the log's end over the lines that tell of these offsets."


class _Words(NamedTuple):
    """What to do, by whether the partition has another replica.

    Args:
        gone: For offsets that are gone already.
        lost: For records that the start takes.
        unread: For sound records that consumers do not get.
        skipped: For what they pass over, where nothing of it is sound.
        failed: For a log that does not load.
    """

    gone: str
    lost: tuple[str, ...]
    unread: str
    skipped: str
    failed: str


_LET_IT_LEAD = (
    "If another replica has these records, let it lead: do not let this one be elected (no unclean leader election), then start"
    " it, and it will fetch what it lost."
)
_READ_ON = f"take what can still be read out of the copy, with {GIVES_EVERYTHING}."
_LET_SOUND_LEAD = (
    "If another replica is sound, let it lead, and let this broker fetch the partition again: consumers of this one miss"
    " records."
)
_WITH_OTHERS = _Words(
    "Offsets that are gone come back from another replica only: if one has them, let it lead before this one does, and let this"
    " broker fetch the partition again.",
    (
        _LET_IT_LEAD,
        f"If no replica has them, {SALVAGE}",
    ),
    f"{_LET_SOUND_LEAD} If none is, {SALVAGE}",
    f"{_LET_SOUND_LEAD} If none is, {_READ_ON}",
    f"The log does not load. If another replica is sound, move this directory out of the log dir, and let the broker fetch the"
    f" partition again. If none is, {SALVAGE}",
)
_NO_OTHER = "By the metadata log the partition has no other replica"
_ALONE = _Words(
    f"{_NO_OTHER}: only a backup brings back the offsets that are gone.",
    (f"{_NO_OTHER}: {SALVAGE}",),
    f"{_NO_OTHER}, and consumers miss records: {SALVAGE}",
    f"{_NO_OTHER}, and consumers miss records: {_READ_ON}",
    f"{_NO_OTHER}, and the log does not load: {SALVAGE}",
)


def with_advice(outcome: Outcome, *, is_alone: bool = False) -> Outcome:
    """The outcome with its actions, and a reason for every field that is None.

    Args:
        outcome: The outcome.
        is_alone: Whether the controller knows no other replica of the partition.
    """
    actions = _actions(outcome, _ALONE if is_alone else _WITH_OTHERS)
    commands = (salvage_command(outcome.path),) if any(SALVAGE in action for action in actions) else ()
    return replace(outcome, why=outcome.explained, actions=tuple(actions), commands=commands)


def _actions(outcome: Outcome, words: _Words) -> list[str]:
    misled = next((cause for cause in outcome.causes if cause.kind == FALSE_MARKER), None)
    if outcome.is_unknown:
        return list(outcome.actions)
    if outcome.severity != "error":
        found = [] if misled is None else [_MOVE_MARKER]
        is_by_line = any(gone.place == AT_END for gone in outcome.already_gone or ())
        lines = [_KEEP_LINES] if is_by_line and outcome.assumed.recovery_point is not None else []
        return [*found, *(outcome.actions or (*lines, words.gone))] if outcome.has_lost else found
    steps = ["Do not start the broker yet. Copy the log dir with its checkpoint files while the broker is stopped."]
    if outcome.assumed.stop == "clean":
        steps.append("Keep `.kafka_cleanshutdown` in the copy: the first start deletes it, and the next one counts as unclean.")
    if misled is not None:
        steps.append(_MOVE_MARKER)
    if outcome.partition == "deleted":
        steps.append("Move the directory out of the log dir, or the broker deletes it a minute after its start.")
    if outcome.actions:
        # Tried in the model, or by the controller's word: nothing is lost then.
        return [*steps, *outcome.actions]
    if outcome.partition == "stray" or (outcome.partition == "failed" and _is_about_metadata(outcome)):
        steps.append(
            "Put `partition.metadata` right (two lines, `version: 0` and `topic_id: ` with the topic's id, which"
            " `kafka-topics.sh --describe` prints); only if the topic still exists, and has that id."
        )
    elif outcome.partition == "deleted":
        steps.append(
            "If the topic still exists and the partition belongs here, put its id into `partition.metadata` of the directory"
            " (`kafka-topics.sh --describe` prints it) and move it back while the broker is stopped."
        )
    elif outcome.partition == "failed" and _is_about_records(outcome):
        steps.append(words.failed)
    elif outcome.partition == "failed" and outcome.broker == "aborts":
        stopping = [cause for cause in outcome.causes if cause.kind in STOPPING] or outcome.causes
        steps.append(f"The start stops here until the cause is gone: {stopping[-1].text}.")
    if outcome.records_lost:
        steps += words.lost
    elif any(read is not None and read.aborted_visible for read in outcome.consumer or ()):
        steps.append(
            "If `kafkalog verify` finds the `.log` files sound, move the `.index` and `.timeindex` files out of the directory:"
            " the broker then recovers its segments, and lists the aborted transactions in `.txnindex` again."
        )
    elif any(read is not None and (read.error or read.stuck or _skips_sound(read)) for read in outcome.consumer or ()):
        steps.append(words.unread)
    elif any(read is not None and read.skipped for read in outcome.consumer or ()):
        steps.append(words.skipped)
    elif outcome.has_lost:
        steps.append(words.gone)
    if outcome.partition == "loaded" and outcome.records_lost is None:
        steps.append(SEEK)
    return steps


def _skips_sound(read: ConsumerRead) -> bool:
    return any(one.records for one in read.skipped)


def _is_about_records(outcome: Outcome) -> bool:
    """Whether loading fails on a log itself."""
    failed = [cause.file or "" for cause in outcome.causes if cause.kind == LOAD_FAILURE]
    return any(name.endswith(".log") and parse_offset(name) is not None for name in failed)


def _is_about_metadata(outcome: Outcome) -> bool:
    return any(cause.file == METADATA_FILE for cause in outcome.causes)


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
    started = _with_its_start(directory, situation)
    if started:
        return started
    for candidate in _candidates(directory, outcome, situation):
        try:
            kept = _why_kept(directory, candidate)
            if kept:
                return kept
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


def _with_its_start(directory: Directory, situation: Situation) -> str:
    """What to do about a line that has the log begin after its end; "" where there is none, or it does not help."""
    with open_disk(directory) as disk:
        first = min(_logs(disk), default=0)
        after = predict_partition(directory.path, disk, replace(situation, log_start=first)).outcome
    end = after.log_end_offset
    if not after.is_harmless or end is None or end >= situation.log_start:
        return ""
    return (
        f"The partition's line in `log-start-offset-checkpoint` says {situation.log_start}, and the log ends at offset {end}:"
        f" put {first} there, with which the log begins by its files. Nothing of what is there is lost then."
    )


def _why_kept(directory: Directory, candidate: _Candidate) -> str:
    """Why indexes are not to be moved away that a start stumbles over; "" when they may."""
    indexes = [name for name in candidate.names if name.endswith(".index")]
    with open_disk(directory) as disk:
        return next(filter(None, (why_kept(disk, name) for name in indexes)), "")


def _logs(disk: Disk) -> dict[int, DiskFile]:
    """The `.log` files by base offset."""
    return {
        offset: file
        for name, file in disk.files.items()
        if name.endswith(".log") and (offset := parse_offset(name)) is not None
    }


def _reaches_the_end(disk: Disk, log_end_offset: int) -> bool:
    """Whether no sound record of the last segment lies after the log's end."""
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
    blamed = {cause.file for cause in outcome.causes[-1:]}
    for name in names:
        if name not in blamed or name == METADATA_FILE:
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
