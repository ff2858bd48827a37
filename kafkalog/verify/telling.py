"""What a run of verify tells of what it has looked at (`verify.told`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.core.filename import METADATA_TOPICS
from kafkalog.errors import UnreadableFile
from kafkalog.files.replicas import placed_batches
from kafkalog.replay.image import Image
from kafkalog.replay.image_records import NEXT_PRODUCER_ID
from kafkalog.replay.metadata import Metadata, Written
from kafkalog.verify.told import NO_HEADS, BatchHeads, Told, ToldLogDir, ToldMetadataLog, ToldPartition

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kafkalog.verify.checks.brokers import Logs
    from kafkalog.verify.checks.controller import Controllers
    from kafkalog.verify.checks.log_dir import LogDirCheck
    from kafkalog.verify.verified import Verified

__all__ = ["told_of"]

#: What of a registration is compared.
_OF_BROKERS = ("brokerEpoch", "logDirs")


def told_of(verified: Sequence[Verified], log_dirs: Iterable[LogDirCheck], controllers: Controllers, logs: Logs) -> Told:
    """What a run tells.

    Args:
        verified: The partitions.
        log_dirs: The log dirs.
        controllers: What the controllers among them say.
        logs: The logs of the partitions.
    """
    known = {
        one.path: ToldMetadataLog(one.path, None if one.log_dir is None else one.log_dir.path, _comparable(one.metadata))
        for one in controllers.metadata_logs
    }
    for number, one in enumerate(verified):
        if one.topic in METADATA_TOPICS and not one.is_file:
            told = known.setdefault(one.directory, ToldMetadataLog(one.directory, _home_of(one), None))
            known[one.directory] = replace(told, quorum=logs.quorum(number), heads=_heads(one))
    return Told(
        tuple(_log_dir(log_dir) for log_dir in log_dirs),
        tuple(_partition(one) for one in verified if not one.is_file),
        tuple(known.values()),
    )


def _home_of(one: Verified) -> str | None:
    return None if one.owner is None else one.owner.path


def _log_dir(log_dir: LogDirCheck) -> ToldLogDir:
    names = tuple(log_dir.partition_names)
    return ToldLogDir(log_dir.path, log_dir.identity, log_dir.clean, log_dir.registration, names, log_dir.files)


def _partition(one: Verified) -> ToldPartition:
    claim = one.claim
    if claim is None:
        return ToldPartition(one.directory, _home_of(one))
    return ToldPartition(one.directory, _home_of(one), claim.claim.epoch, claim.epoch_path, claim.epoch_span, claim.producers)


def _comparable(metadata: Metadata) -> Metadata:
    """The metadata, as far as partitions are compared with it."""
    image = metadata.image
    return Metadata(
        image=Image(
            topics=image.topics,
            brokers={number: {name: row[name] for name in _OF_BROKERS if name in row} for number, row in image.brokers.items()},
            others={key: value for key, value in image.others.items() if key == NEXT_PRODUCER_ID},
            last_offset=image.last_offset,
        ),
        snapshot=None,
        notes=metadata.notes,
        problems=metadata.problems,
        records=metadata.records,
        history=metadata.history,
        written=Written({}, {}),
    )


def _heads(one: Verified) -> BatchHeads:
    """The heads of the batches of a log; none where it cannot be read, which the checks of the log say."""
    try:
        return BatchHeads.of(placed_batches(one.partition))
    except UnreadableFile:
        return NO_HEADS
