"""Kafka's own loader, of any release, called on directories: one JVM for many of them."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.release import parse_release
from tests.real_kafka.real_tool import class_path

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Directories given to one JVM: each that fails to load leaves its files open.
_PER_JVM = 1500


class Request(NamedTuple):
    """A directory to load; its log dir (the folder around it) is its own."""

    folder: Path
    log_start: int
    recovery_point: int
    clean: bool
    index_interval: int


class Loaded(NamedTuple):
    """How it ended: `effect` is ok, offline or abort; offsets and epochs are None where the release does not tell."""

    effect: str
    error: str
    log_start: int | None
    log_end: int | None
    last_stable: str
    epochs: tuple[tuple[int, int], ...] | None


@cache
def _classes() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="kafkalog-loader-"))
    source = Path(__file__).with_name("Loader.java")
    subprocess.run(["javac", "-nowarn", "-d", str(folder), str(source)], check=True, stderr=subprocess.DEVNULL)
    return folder


def real_loads(release: str, requests: Sequence[Request]) -> list[Loaded]:
    """What the release's loader makes of each directory; the directories are changed."""
    found: list[Loaded] = []
    for at in range(0, len(requests), _PER_JVM):
        found += _run(release, requests[at : at + _PER_JVM])
    return found


def _run(release: str, requests: Sequence[Request]) -> list[Loaded]:
    lines = []
    for one in requests:
        settings = f"index.interval.bytes={one.index_interval},segment.index.bytes=1048576,file.delete.delay.ms=3600000"
        if parse_release(release) < (4,):
            settings += ",segment.bytes=2000000000"
        marker = one.folder.parent / ".kafka_cleanshutdown"
        if one.clean:
            # Before 2.8 the loader looks for the marker by itself.
            marker.write_bytes(b"")
        lines.append("\t".join(map(str, (one.folder, one.log_start, one.recovery_point, int(one.clean), settings))))
    with tempfile.TemporaryDirectory() as scratch:
        answer, noise = Path(scratch) / "answer", Path(scratch) / "noise"
        with noise.open("wb") as said:
            done = subprocess.run(
                ["java", "-Xmx700m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                 "-cp", f"{_classes()}:{class_path(release)}", "Loader", str(answer)],
                input="\n".join(lines).encode() + b"\n", stdout=said, stderr=said, check=False,
            )  # fmt: skip
        assert done.returncode == 0, noise.read_text(errors="replace")[-3000:]
        rows = answer.read_text(errors="replace").removesuffix("\n").split("\n")
    assert len(rows) == len(requests), (len(rows), len(requests))
    return [_loaded(release, row.split("\t")) for row in rows]


def _loaded(release: str, row: list[str]) -> Loaded:
    _, effect, error, log_start, log_end, last_stable, epochs = row
    if effect == "offline" and _is_uncaught(parse_release(release), error):
        effect = "abort"
    entries = None
    if epochs:
        pairs = [] if epochs == "-" else [one.split(":") for one in epochs.split(",")]
        entries = tuple((int(epoch), int(start)) for epoch, start in pairs)
    return Loaded(effect, error, int(log_start) if log_start else None, int(log_end) if log_end else None, last_stable, entries)


def _is_uncaught(release: tuple[int, ...], error: str) -> bool:
    """Whether nobody above the loader catches the exception, which then ends the broker: LogManager.loadLogs."""
    # Log dirs that fail by themselves came with KIP-112, in 1.0; what a checkpoint file throws is caught since KAFKA-13773.
    return release < (1,) or (release < (3, 2, 1) and "KafkaStorageException" in error)
