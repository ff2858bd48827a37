"""What the release that starts makes of the cluster's metadata: levels, record types and settings it does not support."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from kafkalog.core.features import METADATA_VERSION, level_text, levels_of, releases_for
from kafkalog.core.filename import BOOTSTRAP_CHECKPOINT
from kafkalog.core.messages.cluster_metadata import find_metadata_type
from kafkalog.core.release import release_text
from kafkalog.core.spoken import count_text
from kafkalog.errors import UnreadableFile
from kafkalog.kafka.behaviours import BOOTSTRAP_FOR_EMPTY_LOG, BOOTSTRAP_READ, LEAST_SEGMENT_BYTES
from kafkalog.next_start.obstacle import Obstacle
from kafkalog.replay.metadata import Place, read_metadata, read_metadata_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.release import Release
    from kafkalog.files.log_dir import LogDir
    from kafkalog.next_start.metadata_start import MetadataStart
    from kafkalog.replay.image import Image
    from kafkalog.replay.metadata import Metadata

__all__ = ["SEGMENT_BYTES_REMEDY", "ClusterMetadata", "obstacles_in_metadata", "small_segments"]

#: Largest metadata log that is replayed for a prediction, in bytes.
METADATA_BYTES = 64 << 20
#: A metadata log up to this size is loaded in the model although nothing in it looks damaged, in bytes.
_ALWAYS_LOADED = 16 << 20
_LEAST_SEGMENT = 1 << 20
SEGMENT_BYTES_REMEDY = (
    "With the release that wrote this running, set segment.bytes of these topics to 1048576 or more"
    " (`kafka-configs.sh --alter --entity-type topics`), then start this release."
)


class ClusterMetadata:
    """What a log dir holds of the cluster's metadata: each file is replayed once, when it is first asked for.

    Args:
        log_dir: The log dir.
    """

    def __init__(self, log_dir: LogDir) -> None:
        self._log_dir = log_dir
        self._replayed: dict[str, Metadata] = {}
        self._starts: dict[tuple[str, Release], MetadataStart | None] = {}

    def replayed(self, name: str) -> Metadata:
        """What the metadata log in a directory of the log dir says, and what is wrong with it."""
        if name not in self._replayed:
            path = self._log_dir.directory.path_of(name)
            try:
                self._replayed[name] = read_metadata(self._log_dir.partition(name))
            except UnreadableFile:
                self._replayed[name] = read_metadata(path)  # has a problem for what cannot be read
        return self._replayed[name]

    def of_small_log(self, name: str) -> Metadata | None:
        """What a metadata log says that is whole and not too large; else None."""
        if self._size_of(name) > METADATA_BYTES:
            return None
        metadata = self.replayed(name)
        return None if metadata.problems or not metadata.records else metadata

    def start_of(self, name: str, release: Release) -> MetadataStart | None:
        """What a start makes of a metadata log that is not too large; None: it stays as it is, or that is not known."""
        key = (name, release)
        if key not in self._starts:
            from kafkalog.next_start.metadata_start import metadata_start  # the model of a start, which an era does without

            size = self._size_of(name)
            before = None if size > METADATA_BYTES else self.replayed(name)
            is_odd = before is not None and (before.damage is not None or bool(before.problems) or size <= _ALWAYS_LOADED)
            self._starts[key] = (
                metadata_start(self._log_dir.partition(name), before, self._log_dir.identity, release)
                if before is not None and is_odd
                else None
            )
        return self._starts[key]

    def _size_of(self, name: str) -> int:
        """Bytes of the logs and snapshots of a directory; more than is ever read where it cannot be listed."""
        try:
            entries = self._log_dir.partition(name).directory.entries
        except UnreadableFile:
            return METADATA_BYTES + 1
        return sum(entry.size or 0 for entry in entries if entry.name.endswith((".log", ".checkpoint")))

    @property
    def bootstrap_path(self) -> str:
        """Where its `bootstrap.checkpoint` is, if there is one."""
        return self._log_dir.directory.path_of(BOOTSTRAP_CHECKPOINT)

    @cached_property
    def bootstrap_level(self) -> int | None:
        """The level of metadata.version in `bootstrap.checkpoint`; None: there is none, or it cannot be read."""
        if BOOTSTRAP_CHECKPOINT not in self._log_dir.files:
            return None
        try:
            data = self._log_dir.directory.read(BOOTSTRAP_CHECKPOINT)
        except UnreadableFile:
            return None
        return read_metadata_file(self.bootstrap_path, data).image.features.get(METADATA_VERSION)


def small_segments(image: Image, release: Release) -> str:
    """Why topics' segment.bytes keep a release from starting, "" when they do not. Source: LogConfig (Kafka 4.1.1, 4.4.0)."""
    if not LEAST_SEGMENT_BYTES.applies_to(release):
        return ""
    small = sorted(
        (name, settings["segment.bytes"])
        for (kind, name), settings in image.configs.items()
        if kind == "topic" and settings.get("segment.bytes", "").isdecimal() and int(settings["segment.bytes"]) < _LEAST_SEGMENT
    )
    if not small:
        return ""
    name, value = small[0]
    text = f"segment.bytes of topic {name} is {value}, at least {_LEAST_SEGMENT} is allowed since 4.1"
    return f"{text}; so it is of {count_text(len(small) - 1, 'other topic')}" if len(small) > 1 else text


def obstacles_in_metadata(held: ClusterMetadata, release: Release, metadata: Metadata | None) -> Iterator[Obstacle]:
    """What in the cluster's metadata keeps a KRaft node of a release from starting: the first cause, and no consequence of it.

    Args:
        held: What the log dir holds of it.
        release: The release that starts.
        metadata: What its metadata log says; None: it has none, or that was not read.

    Source: BootstrapDirectory.read, FeatureControlManager.replay, MetadataLoader (Kafka 3.9.1); MetadataVersion (3.3 to 4.4).
    """
    bootstrap = held.bootstrap_path
    level = held.bootstrap_level if BOOTSTRAP_READ.applies_to(release) else None
    if metadata is not None and BOOTSTRAP_FOR_EMPTY_LOG.applies_to(release):
        level = None
    levels = {} if level is None else {(METADATA_VERSION, level): Place(bootstrap, 0)}
    for key, place in {} if metadata is None else metadata.written.levels.items():
        levels.setdefault(key, place)
    unknown = [(name, level, place) for (name, level), place in levels.items() if level not in levels_of(name, release)]
    unknown.sort(key=lambda one: one[0] != METADATA_VERSION)
    if unknown:
        others = [name for name, _, _ in unknown[1:]]
        yield _unsupported_level(release, *unknown[0], others, has_bootstrap=level is not None)
    elif metadata is not None:
        yield from _unknown_record(release, metadata)


def _unsupported_level(
    release: Release, feature: str, level: int, place: Place, others: list[str], *, has_bootstrap: bool
) -> Obstacle:
    known, own, text = levels_of(feature, release), release_text(release), level_text(feature, level)
    if level < known.lowest:
        reason = f"{feature} {text} is too low for Kafka {own}: the lowest it takes is {level_text(feature, known.lowest)}"
    elif known.highest:
        reason = f"{feature} {text} is not known to Kafka {own}: the highest it knows is {level_text(feature, known.highest)}"
    else:
        reason = f"{feature} {text} is not known to Kafka {own}: it has no such feature"
    also = [name for name in dict.fromkeys(others) if name != feature]
    if also:
        reason += f", nor does it take the level of {' and '.join(also)}"
    if not place.path.endswith(BOOTSTRAP_CHECKPOINT):
        reason += f" (record {place.offset} of {os.path.basename(place.path)})"
    return Obstacle(
        place.path,
        "aborts",
        f"IllegalArgumentException: {reason}",
        _way_out(release, feature, level, has_bootstrap=has_bootstrap),
    )


def _way_out(release: Release, feature: str, level: int, *, has_bootstrap: bool) -> str:
    known, own, fitting = levels_of(feature, release), release_text(release), releases_for(feature, level)
    if not fitting:
        return f"Start the release that wrote this, or a later one: no release up to now knows {feature} {level}."
    tool = "kafka-features.sh --bootstrap-server HOST:PORT"
    if level < known.lowest:
        raised = f"`{tool} upgrade --feature {feature}={known.lowest}`"
        return f"First start Kafka {release_text(fitting[-1])} and raise the level there ({raised}), then start this release."
    text = f"Start Kafka {release_text(fitting[0])} or a later release that knows level {level}."
    if feature == METADATA_VERSION and not known.highest:
        return text
    text = (
        f"{text} To go back to {own}, first lower the level with that release running"
        f" (`{tool} downgrade --feature {feature}={known.highest}`) and wait until the metadata log has a newer snapshot"
    )
    if BOOTSTRAP_FOR_EMPTY_LOG.applies_to(release) or not has_bootstrap:
        return f"{text}."
    return f"{text}; then move {BOOTSTRAP_CHECKPOINT}, which keeps the old level, out of the log dir."


def _unknown_record(release: Release, metadata: Metadata) -> Iterator[Obstacle]:
    """The first record of a type or version that the release does not know."""
    for (key, version), (name, place) in metadata.written.kinds.items():
        known = find_metadata_type(key, release)
        if known is not None and version <= known.highest(release):
            continue
        what = f"{name or f'a record of type {key}'} of version {version}"
        text = f"{what} at offset {place.offset} is not known to Kafka {release_text(release)}"
        text += f": the highest version it knows is {known.highest(release)}" if known is not None else ""
        remedy = "Start the release that wrote it, or a later one."
        yield Obstacle(place.path, "aborts", f"UnsupportedVersionException: {text}", remedy)
        return
