"""What to do first, in general: remedies that many rules share. Nothing here loses a byte: files are moved, not deleted.

`verify.fitting` puts what is known of the partition in their place.
"""

from __future__ import annotations

from kafkalog.core.command_line import GIVES_EVERYTHING

__all__ = ["GENERAL", "LET_REBUILD", "REBUILD", "REPLAY", "RESTORE", "SEEK"]

#: The records of a log are damaged.
RESTORE = (
    "If another replica is in sync and verifies clean: stop this broker, move the partition's directory out of the log dir and "
    "start it; it fetches the partition again. Keep the directory until then. "
    f"{GIVES_EVERYTHING} prints all that can still be read."
)

#: An index is wrong: the broker rebuilds it (LogLoader.loadSegmentFiles, LogSegment.recover; Kafka 0.10 to 4.4).
REBUILD = (
    "If no finding is about the segment's `.log`: with the broker stopped, move its `.index` and `.timeindex` away; the broker "
    "rebuilds both and `.txnindex`. In a damaged log it would cut the log at the first bad batch. Nothing needs to be moved "
    "in `__cluster_metadata`: a node rebuilds the indexes of that log at every start."
)

#: A producer snapshot is wrong. Without any, a clean start makes an empty one (UnifiedLog.rebuildProducerState, Kafka 3.9).
REPLAY = (
    "If the log is sound and an older snapshot is there: with the broker stopped, move the file away; the state is replayed "
    "from the older one. Without one, a broker that was stopped cleanly forgets its producers."
)

#: An index is missing, which the broker notices.
LET_REBUILD = "Nothing to do if the log is sound; let the broker rebuild it, or copy it again."

#: Files are gone, not damaged.
SEEK = (
    "If nobody has a copy: what was deleted may still be on the disk. Write nothing more to it; `kafkalog carve` finds batches "
    "in an image of it."
)

GENERAL = (RESTORE, REBUILD, REPLAY, LET_REBUILD)
