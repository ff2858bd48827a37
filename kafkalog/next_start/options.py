"""What a prediction is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.release import Release, parse_release
from kafkalog.errors import RequestError
from kafkalog.files.arguments import check_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkalog.kafka.scanned_log import ScannedLog

__all__ = ["CONSUMER_BYTES", "STOPS", "Options", "Scanned", "options_of"]

STOPS = ("clean", "unclean")

#: Bytes of logs in a log dir up to which consumers' reading is worked out unasked: it takes decoding every record.
CONSUMER_BYTES = 64 << 20
#: Beside a scan, which must not be held up: bytes of a directory's logs up to which consumers' reading and the recovery are
#: worked out although the scan has found nothing wrong.
BESIDE_SCAN_BYTES = 4 << 20
#: Beside a scan that has found damage in the directory: bytes of its logs up to which they are worked out.
DAMAGED_BYTES = 16 << 20


class Scanned(NamedTuple):
    """What a scan of a partition directory has found.

    `damaged`: anything in it is. `logs`: name of a `.log` → its sound part. `compacted`: its log was at any time, by what is
    said of it, or by its batches.
    """

    damaged: bool
    logs: Mapping[str, ScannedLog]
    compacted: bool = False


@dataclass(frozen=True)
class Options:
    """What is assumed instead of being looked up.

    Args:
        stop: `clean`, `unclean`, or None: by the marker in the log dir.
        recovery_point: An offset for every partition, or None: by the checkpoint.
        release: The release that starts, or None: by what the log dir shows.
        consumer: Whether to work out what consumers read; None: where the log is not too large.
        scanned: Path → what a scan has found in the directory, when the prediction goes along with one: large logs in
            which nothing is damaged are then left out. None: everything is worked out.
        reads_keys: Whether keys of records are read where they tell whether the log cleaner explains a hole.
    """

    stop: str | None = None
    recovery_point: int | None = None
    release: Release | None = None
    consumer: bool | None = None
    scanned: Mapping[str, Scanned] | None = None
    reads_keys: bool = True

    def consumer_limit(self, path: str) -> int:
        """Bytes of logs up to which consumers' reading is worked out when nothing is said about it."""
        if self.scanned is None:
            return CONSUMER_BYTES
        return DAMAGED_BYTES if self._is_damaged(path) else BESIDE_SCAN_BYTES

    def _is_damaged(self, path: str) -> bool:
        seen = None if self.scanned is None else self.scanned.get(path)
        return seen is not None and seen.damaged

    def is_compacted(self, path: str) -> bool:
        """Whether a scan has found that the log of a directory was compacted."""
        seen = None if self.scanned is None else self.scanned.get(path)
        return seen is not None and seen.compacted

    def replay_of(self, path: str) -> int | None:
        """Most bytes of the logs of a directory to be recovered in the model; None: all of them."""
        return None if self.scanned is None or self._is_damaged(path) else BESIDE_SCAN_BYTES

    def scanned_logs_of(self, path: str) -> Mapping[str, ScannedLog]:
        """What a scan has found in the logs of a directory."""
        seen = None if self.scanned is None else self.scanned.get(path)
        return {} if seen is None else seen.logs


def options_of(assume_stop: str, recovery_point: int | None, kafka_version: str, *, consumer: bool | None) -> Options:
    """The options as `next_start` takes them, checked.

    Raises:
        RequestError: one makes no sense.
    """
    if assume_stop not in ("auto", *STOPS):
        raise RequestError(f"{assume_stop!r} is no kind of stop; there are auto, clean, unclean")
    check_type("recovery_point", recovery_point, int, None)
    check_type("consumer", consumer, bool, None)
    if recovery_point is not None and not 0 <= recovery_point < 1 << 63:
        raise RequestError(f"a recovery point is an offset, 0 or more, not {recovery_point}")
    release = None if kafka_version == "auto" else parse_release(kafka_version)
    return Options(None if assume_stop == "auto" else assume_stop, recovery_point, release, consumer)
