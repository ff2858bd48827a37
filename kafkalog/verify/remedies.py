"""What to do first, in general: remedies that many rules share. Nothing here loses a byte: files are moved, not deleted.

`verify.fitting` puts what is known of the partition in their place.
"""

from __future__ import annotations

from kafkalog.core.command_line import COMPARES, GIVES_EVERYTHING, KEEPS_SOUND
from kafkalog.next_start.rescue_advice import SEEK

__all__ = [
    "COMPARE",
    "FINISH_SWAP",
    "GENERAL",
    "LET_REBUILD",
    "LET_REPLAY",
    "READ_ON",
    "REBUILD",
    "REFETCH",
    "REPLAY",
    "RESTORE",
    "SEEK",
    "WRITE_TOPIC_ID",
]

#: The records of a log are damaged: in three parts, for not each fits everywhere.
REFETCH = (
    "If another replica is in sync and verifies clean: stop this broker, move the partition's directory out of the log dir and "
    "start it; it fetches the partition again. Keep the directory until then."
)
READ_ON = f"{GIVES_EVERYTHING} prints all that can still be read."
RESTORE = f"{REFETCH} If none is: {KEEPS_SOUND} writes the sound batches into a new directory that a broker serves. {READ_ON}"

#: Only another copy shows which of two contradicting bytes is right.
COMPARE = f"Compare it with another replica: {COMPARES}."

#: An index is wrong: the broker rebuilds it (LogLoader.loadSegmentFiles, LogSegment.recover; Kafka 0.10 to 4.4).
REBUILD = (
    "Where the segment's `.log` is sound: with the broker stopped, move its `.index` and `.timeindex` away; the broker "
    "rebuilds both and `.txnindex`. Where it is damaged, leave them: a rebuild cuts the log at the first bad batch. Nothing "
    "needs to be moved in `__cluster_metadata`: a node rebuilds the indexes of that log at every start."
)

#: A producer snapshot is wrong. Without any, a clean start makes an empty one (UnifiedLog.rebuildProducerState, Kafka 3.9).
REPLAY = (
    "Where the log is sound and an older snapshot is there: with the broker stopped, move the file away; the state is replayed "
    "from the older one. Without one, a broker that was stopped cleanly forgets its producers."
)

#: An index is missing, which the broker notices.
LET_REBUILD = (
    "Nothing where the log is sound: the next start rebuilds it. Where it is damaged, the rebuild cuts it: mend it first."
)

#: A producer snapshot is missing that others make up for.
LET_REPLAY = "Nothing where the log is sound: the state is replayed from it. Where it is damaged, mend it first."

#: A swap that the next start finishes.
FINISH_SWAP = (
    "Nothing where the file is whole: the next start finishes what was begun. Where it is damaged, move it away while the "
    "broker is stopped."
)

#: `partition.metadata` is missing or damaged; only the controller knows the topic's id.
WRITE_TOPIC_ID = (
    "With the broker stopped, write `version: 0` and `topic_id:` with the topic's id (`kafka-topics.sh --describe` prints it)."
)

GENERAL = (RESTORE, SEEK, COMPARE, REBUILD, REPLAY, LET_REBUILD, LET_REPLAY, FINISH_SWAP, WRITE_TOPIC_ID)
