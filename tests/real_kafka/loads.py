"""Damaged directories, given to the model and to a release's own loader, and what they differ in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.log import BytesSource
from kafkalog.core.release import parse_release
from kafkalog.kafka.consumer import last_stable_offset
from kafkalog.kafka.failure import LogDirOffline
from kafkalog.kafka.file_names import parse_offset
from kafkalog.kafka.index_interval import infer_index_interval
from kafkalog.kafka.overlay import Disk
from kafkalog.next_start.partition import Situation, load_partition
from tests.real_kafka.real_loader import Loaded, Request, real_loads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from tests.next_start.damage import Harmed

__all__ = ["Case", "compare_files", "differences_of_release", "interval_of"]


#: An index of the active segment is larger: the setting is 1 MiB, no case has so many entries.
PREALLOCATED = 1_000_000
#: Written behind the loader's back, some time later.
NOT_COMPARED = ("leader-epoch-checkpoint", "leader-epoch-checkpoint.tmp", "partition.metadata")


class Case(NamedTuple):
    """A damaged partition: where it comes from, its directory's name, what is in it, `index.interval.bytes`."""

    origin: str
    name: str
    harmed: Harmed
    index_interval: int

    def situation(self, release: str, *, consumer: bool) -> Situation:
        """What the model is given of it."""
        harmed = self.harmed
        return Situation(
            clean=harmed.clean,
            release=parse_release(release),
            recovery_point=harmed.recovery_point,
            log_start=harmed.log_start,
            kraft=False,
            index_interval_bytes=self.index_interval,
            consumer=consumer,
        )


def interval_of(files: dict[str, bytes]) -> int:
    """`index.interval.bytes`, read off the undamaged indexes."""
    return infer_index_interval(Disk({name: BytesSource(data) for name, data in files.items()}))


def differences_of_release(release: str, cases: Sequence[Case], scratch: Path) -> list[list[str]]:
    """For each case, the fields in which the model is not what the release's loader does."""
    requests = []
    for number, case in enumerate(cases):
        folder = scratch / str(number) / case.name
        folder.mkdir(parents=True)
        for name, data in case.harmed.files.items():
            (folder / name).write_bytes(data)
        for name in case.harmed.directories:
            (folder / name).mkdir()
        harmed = case.harmed
        requests.append(Request(folder, harmed.log_start, harmed.recovery_point, harmed.clean, case.index_interval))
    loaded = real_loads(release, requests)
    return [_differences(release, case, one.folder, real) for case, one, real in zip(cases, requests, loaded, strict=True)]


def _differences(release: str, case: Case, folder: Path, real: Loaded) -> list[str]:
    harmed = case.harmed
    disk = Disk({name: BytesSource(data) for name, data in harmed.files.items()}, frozenset(harmed.directories))
    load = load_partition(disk, case.situation(release, consumer=False))
    found: list[str] = []

    def compare(field: str, theirs: object, ours: object) -> None:
        if theirs != ours:
            found.append(f"{field}: Kafka {theirs}, predicted {ours}")

    effect = "ok" if load.failure is None else "offline" if isinstance(load.failure, LogDirOffline) else "abort"
    if real.effect != effect:
        return [f"effect: Kafka {real.effect} {real.error}, predicted {effect} {load.failure}"]
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    compare_files(files, disk, load.context.rebuilt, compare)
    if load.log is not None and real.effect == "ok":
        compare("log start", real.log_start, load.log.log_start_offset)
        compare("log end", real.log_end, load.log.log_end_offset)
        # Before 2.4 the loader tells what is not replicated yet too.
        if not real.last_stable.startswith("!") and parse_release(release) >= (2, 4):
            compare("last stable offset", real.last_stable, str(last_stable_offset(load.log)))
        if real.epochs is not None and load.epochs is not None:
            compare("epochs", real.epochs, tuple((entry.epoch, entry.start_offset) for entry in load.epochs.entries))
    return found


def compare_files(files: Mapping[str, bytes], disk: Disk, rebuilt: AbstractSet[int | None], compare) -> None:
    """Names of all files, content of the logs and of what was rebuilt: as they are, and as they were predicted."""
    theirs = {name for name in files if name not in NOT_COMPARED}
    ours = {name for name in disk.files if name not in NOT_COMPARED}
    compare("files", sorted(theirs - ours), [] if theirs == ours else sorted(ours - theirs))
    for name in sorted(theirs & ours):
        real, mine = files[name], disk[name].read()
        if name.endswith((".index", ".timeindex")):
            # The active segment's are as long as they may get, and hold old entries behind the new ones.
            if parse_offset(name) in rebuilt and real[: len(mine) if len(real) > PREALLOCATED else None] != mine:
                compare(f"entries of {name}", real.rstrip(b"\0"), mine)
        elif name.endswith((".log", ".txnindex", ".log.deleted", ".log.swap")) and real != mine:
            compare(f"content of {name}", len(real), f"{len(mine)}, other bytes")
