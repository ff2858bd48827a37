"""Features of a KRaft cluster: which levels of each a release knows, and what the levels of metadata.version are called.

Source: MetadataVersion, Feature, KRaftVersion, QuorumFeatures of Kafka 3.3.2 to 4.4.0, read out of the classes. Levels that a
release has for tests only (`unstable.feature.versions.enable`) are not counted.
"""

from __future__ import annotations

from typing import NamedTuple

from kafkalog.core.release import RELEASES, Release

__all__ = ["KRAFT_VERSION", "METADATA_VERSION", "Levels", "level_text", "levels_of", "releases_for"]

METADATA_VERSION = "metadata.version"
KRAFT_VERSION = "kraft.version"

_IV = {
    "3.0": (1,), "3.1": (0,), "3.2": (0,), "3.3": (0, 1, 2, 3), "3.4": (0,), "3.5": (0, 1, 2), "3.6": (0, 1, 2),
    "3.7": (0, 1, 2, 3, 4), "3.8": (0,), "3.9": (0,), "4.0": (0, 1, 2, 3), "4.1": (0, 1), "4.2": (0, 1), "4.3": (0,),
    "4.4": (0, 1, 2),
}  # fmt: skip
#: Name of each level of metadata.version, from level 1 on.
_NAMES = tuple(f"{line}-IV{number}" for line, numbers in _IV.items() for number in numbers)


class Levels(NamedTuple):
    """The levels of a feature that a release supports, both ends included; 0 stands for a feature that is not used."""

    lowest: int
    highest: int

    def __contains__(self, level: object) -> bool:
        return isinstance(level, int) and (level == 0 or self.lowest <= level <= self.highest)


#: Feature → the first release with these levels, and the levels. Before its first row a feature is not known.
_LEVELS: dict[str, tuple[tuple[Release, Levels], ...]] = {
    METADATA_VERSION: (
        ((3, 3), Levels(1, 7)),
        ((3, 4), Levels(1, 8)),
        ((3, 5), Levels(1, 11)),
        ((3, 6), Levels(1, 14)),
        ((3, 7), Levels(1, 19)),
        ((3, 8), Levels(1, 20)),
        ((3, 9), Levels(1, 21)),
        ((4, 0), Levels(7, 25)),
        ((4, 1), Levels(7, 27)),
        ((4, 2), Levels(7, 29)),
        ((4, 3), Levels(7, 30)),
        ((4, 4), Levels(7, 33)),
    ),
    KRAFT_VERSION: (((3, 9), Levels(0, 1)),),
    "transaction.version": (((4, 0), Levels(0, 2)),),
    "group.version": (((4, 0), Levels(0, 1)),),
    "eligible.leader.replicas.version": (((4, 0), Levels(0, 1)),),
    "share.version": (((4, 1), Levels(0, 1)), ((4, 4), Levels(0, 2))),
    "streams.version": (((4, 2), Levels(0, 1)),),
}


def levels_of(feature: str, release: Release) -> Levels:
    """The levels of a feature that a release supports; none but 0 when it does not know it."""
    known = [levels for since, levels in _LEVELS.get(feature, ()) if since <= release]
    return known[-1] if known else Levels(0, 0)


def releases_for(feature: str, level: int) -> list[Release]:
    """The supported releases that know a level, ascending."""
    return [release for release in RELEASES if level in levels_of(feature, release)]


def level_text(feature: str, level: int) -> str:
    """A level as people name it: `21 (3.9-IV0)`."""
    if feature == METADATA_VERSION and 1 <= level <= len(_NAMES):
        return f"{level} ({_NAMES[level - 1]})"
    return str(level)
