"""The levels of the feature `metadata.version` under the names that Kafka's tools take and print.

Source: MetadataVersion.java, Kafka 3.3 to 4.4.
"""

from __future__ import annotations

__all__ = ["METADATA_VERSIONS", "metadata_version_name"]

#: The names, ascending; the first has level 1. 4.5-IV0 is known to 4.4, and unstable there.
METADATA_VERSIONS = (
    "3.0-IV1", "3.1-IV0", "3.2-IV0", "3.3-IV0", "3.3-IV1", "3.3-IV2", "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2",
    "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0",
    "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0", "4.4-IV0", "4.4-IV1", "4.4-IV2",
    "4.5-IV0",
)  # fmt: skip


def metadata_version_name(level: int) -> str:
    """Kafka's name of a level, "" for one that no supported release knows."""
    return METADATA_VERSIONS[level - 1] if 1 <= level <= len(METADATA_VERSIONS) else ""
