"""What a start makes of the metadata log, and so what the controller knows afterwards.

The log is opened as after an unclean stop, from offset 0, whatever the kind of stop: it is cut at the first bad batch. If it
ends before the latest snapshot then, it is dropped, and begins again at that snapshot's end. The controller knows what the
latest snapshot and the rest of the log say; what a voter lacks it gets from the leader, if there is another one that has it.

Source: KafkaMetadataLog.apply, recoverSnapshots, truncateToLatestSnapshot (Kafka 3.9.1), KafkaRaftLog (4.3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import CLUSTER_METADATA_TOPIC
from kafkalog.errors import LimitExceeded, UnreadableFile
from kafkalog.kafka.overlay import open_disk
from kafkalog.next_start.partition import Situation, load_partition
from kafkalog.replay.metadata import read_metadata_part
from kafkalog.replay.metadata_snapshots import snapshot_damage
from kafkalog.replay.quorum import role_in_quorum

if TYPE_CHECKING:
    from kafkalog.core.release import Release
    from kafkalog.files.log_dir import Identity
    from kafkalog.files.partition import Partition
    from kafkalog.replay.image import Image
    from kafkalog.replay.metadata import Metadata
    from kafkalog.replay.quorum import Role

__all__ = ["METADATA_LOG", "MetadataStart", "metadata_start"]

METADATA_LOG = f"{CLUSTER_METADATA_TOPIC}-0"


class _Snapshot(NamedTuple):
    """A `.checkpoint`, in the order in which Kafka takes the latest: by epoch, then by the offset after what it holds."""

    epoch: int
    offset: int
    path: str


class BadSnapshot(NamedTuple):
    """A damaged snapshot: its path, why it cannot be read, and whether an older one, or the log, says all that it said."""

    path: str
    damage: str
    is_replaceable: bool


@dataclass(frozen=True)
class MetadataStart:
    """The metadata log after a start, as long as no other voter adds to it.

    Args:
        metadata: What its records say then.
        end: The offset at which it ends.
        text: What happens to it, in words, as the end of "the metadata log, which …".
        was_whole: Whether all of it could be read before.
        gone: Offsets after its end that it had before, by the snapshot that a clean stop leaves there; None: none are known.
        role: How the node takes part in the quorum.
        bad_snapshot: The latest snapshot, when it is damaged; no node starts with that.
        lacks_before: The offset at which the log begins, when no snapshot has what was before; no node starts with that.
    """

    metadata: Metadata
    end: int
    text: str
    was_whole: bool
    gone: tuple[int, int] | None
    role: Role
    bad_snapshot: BadSnapshot | None = None
    lacks_before: int | None = None

    @property
    def image(self) -> Image:
        """What its records add up to then."""
        return self.metadata.image

    @property
    def is_changed(self) -> bool:
        """Whether the controller knows less afterwards, by this log alone."""
        return bool(self.text)


def metadata_start(partition: Partition, before: Metadata, identity: Identity, release: Release) -> MetadataStart | None:
    """What becomes of a metadata log; None: it cannot be worked out, or the start fails at it.

    Args:
        partition: Its directory.
        before: What it says now, as far as it can be read.
        identity: Whose log dir it is in.
        release: The release that starts.
    """
    snapshots = sorted(
        _Snapshot(name.epoch or 0, name.base_offset, path) for name, path in partition.checkpoints if not name.pending
    )
    latest = snapshots[-1] if snapshots else None
    situation = Situation(clean=False, release=release, recovery_point=0, kraft=False, consumer=False)
    try:
        with open_disk(partition.directory) as disk:
            load = load_partition(disk, situation)
        if load.failure is not None or load.log is None:
            return None
        start, end = load.log.log_start_offset, load.log.log_end_offset
        last_epoch = load.epochs.entries[-1].epoch if load.epochs is not None and load.epochs.entries else 0
        is_anew = latest is not None and (latest.epoch, latest.offset) > (last_epoch, end)
        text = _what_happens(partition, before, latest if is_anew else None, end)
        cut_at = end
        if latest is not None and is_anew:
            end = latest.offset
        begin = start if latest is None else max(start, latest.offset)
        # Where nothing is lost it is what it was, and need not be replayed again.
        after = read_metadata_part(partition, None if latest is None else latest.path, begin, end) if text else before
        return MetadataStart(
            metadata=after,
            end=end,
            text=text,
            was_whole=before.damage is None and not before.problems,
            gone=_gone(max(cut_at, before.image.last_offset + 1), _reached(partition)),
            role=role_in_quorum(partition, identity.number),
            bad_snapshot=_bad_snapshot(snapshots, end if is_anew else start),
            lacks_before=start if start and not snapshots else None,
        )
    except (UnreadableFile, LimitExceeded):
        return None


def _bad_snapshot(snapshots: list[_Snapshot], start: int) -> BadSnapshot | None:
    """The latest snapshot when it is damaged, beside a log that begins at an offset."""
    damages = {snapshot: snapshot_damage(snapshot.path, headed=True) for snapshot in snapshots[-1:]}
    if not snapshots or not damages[snapshots[-1]]:
        return None
    older = (one.offset >= start and not snapshot_damage(one.path, headed=True) for one in snapshots[:-1])
    return BadSnapshot(snapshots[-1].path, damages[snapshots[-1]], start == 0 or any(older))


def _what_happens(partition: Partition, before: Metadata, anew: _Snapshot | None, end: int) -> str:
    """What becomes of the log, as the end of "the metadata log, which …"; "" when it stays as it is."""
    known = before.image.last_offset + 1
    has_log = any(".log" in segment.paths for segment in partition.segments)
    if anew is not None:
        how = (
            "is missing"
            if not has_log
            else f"ends at offset {end}"
            if before.damage is None
            else f"the start cuts at offset {end}"
        )
        is_less = anew.offset < known or before.damage is not None or not has_log
        return f"{how} and begins again at the end of its snapshot {anew.offset}" if is_less else ""
    if not has_log or not end:
        return "is missing" if not has_log else "is empty"
    if end < known or before.damage is not None:
        return f"the start cuts at offset {end}"
    reached = _reached(partition)
    return f"ends at offset {end}, though it reached {reached} before" if reached > end else ""


def _gone(end: int, reached: int) -> tuple[int, int] | None:
    """What a log has lost that ends at an offset, and once reached another one."""
    return (end, reached - 1) if end < reached else None


def _reached(partition: Partition) -> int:
    """How far a log went once: a clean stop leaves a producer snapshot at its end."""
    return max(partition.snapshots, default=0)
