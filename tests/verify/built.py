"""Log dirs made in memory with `tests.encode`: what a broker would have written around given batches."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from tests import encode
from tests.encode import P, R, batch, marker, message

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable, Sequence

__all__ = ["T0", "Producer", "built", "legacy", "plain", "replayed"]

#: Timestamp of the first record.
T0 = 1_700_000_000_000
CLUSTER, TOPIC_ID = "QVx0aGUtdGVzdC1jbHVzdA", "dGhlLXRlc3QtdG9waWMtaQ"


class Shape(NamedTuple):
    """What the files beside a log need to know of one of its batches."""

    size: int
    base: int
    last: int
    epoch: int
    timestamp: int


def _shape(data: bytes) -> Shape:
    if data[16] == 2:
        base, _, epoch = struct.unpack_from(">qii", data)
        delta, _, newest = struct.unpack_from(">iqq", data, 23)
        return Shape(len(data), base, base + delta, epoch, newest)
    offset = struct.unpack_from(">q", data)[0]
    return Shape(len(data), offset, offset, -1, struct.unpack_from(">q", data, 18)[0] if data[16] else -1)


def plain(offset: int, count: int = 3, **more) -> bytes:
    """A batch of `count` records at an offset; keys are unique."""
    step = more.pop("step", 1000)
    records = more.pop("records", None) or [
        R(n, f"k{offset + n}".encode(), f"v{offset + n}".encode(), timestamp_delta=n) for n in range(count)
    ]
    return batch(records, base_offset=offset, base_timestamp=more.pop("base_timestamp", T0 + step * offset), **more)


def legacy(offset: int, magic: int = 1, **more) -> bytes:
    """A message of an older format."""
    return message(offset, f"k{offset}".encode(), b"v", magic=magic, timestamp=T0 + offset, **more)


class Producer:
    """An idempotent or transactional producer: it numbers its batches.

    Args:
        sequence: The number of its first record.
    """

    def __init__(self, producer_id: int, epoch: int = 0, sequence: int = 0, *, transactional: bool = False) -> None:
        self.id, self.epoch, self.sequence, self.transactional = producer_id, epoch, sequence, transactional

    def send(self, offset: int, count: int = 3, **more) -> bytes:
        """Its next batch."""
        first = self.sequence
        self.sequence = (first + count) % (1 << 31)
        fields = {"producer_id": self.id, "producer_epoch": self.epoch, "base_sequence": first}
        return plain(offset, count, **({"attributes": 0x10 if self.transactional else 0} | fields | more))

    def end(self, offset: int, *, commit: bool = True, bump: int = 0, **more) -> bytes:
        """The marker of its transaction; `bump` raises its epoch, as transactions of version 2 do."""
        if bump:
            self.epoch, self.sequence = self.epoch + bump, 0
        fields = {"producer_id": self.id, "producer_epoch": self.epoch, "base_timestamp": T0 + 1000 * offset}
        return marker(commit=commit, offset=offset, **(fields | more))


def built(
    root: pathlib.Path,
    segments: Sequence[Iterable[bytes]],
    *,
    name: str = "built-0",
    bases: Sequence[int] | None = None,
    clean: bool = True,
    compacted: int | None = None,
    snapshots: dict[int, list[P]] | None = None,
    aborted: dict[int, list[tuple[int, int, int, int]]] | None = None,
    epochs: Sequence[tuple[int, int]] | None = None,
    log_start: int | None = None,
    kraft: bool = True,
    node: int = 1,
) -> pathlib.Path:
    """A log dir with one partition, and in it everything that a broker writes beside these batches.

    Args:
        segments: The batches of each segment.
        bases: The offsets in their names; by default those of their first batches.
        compacted: The cleaner's checkpoint.
        snapshots: Producer snapshots by offset; by default one at the end after a clean stop.
        aborted: Entries of `.txnindex` by base offset.
        epochs: The leader epochs; by default those of the batches.
    """
    parts = [[(data, _shape(data)) for data in batches] for batches in segments]
    bases = [shapes[0][1].base if shapes else 0 for shapes in parts] if bases is None else bases
    folder = root / name
    folder.mkdir(parents=True)
    for base, part in zip(bases, parts, strict=True):
        stem = folder / f"{base:020d}"
        stem.with_suffix(".log").write_bytes(b"".join(data for data, _ in part))
        index, times = _indexes(base, [shape for _, shape in part])
        stem.with_suffix(".index").write_bytes(encode.offset_index(index))
        stem.with_suffix(".timeindex").write_bytes(encode.time_index(times))
        if aborted and base in aborted:
            stem.with_suffix(".txnindex").write_bytes(encode.transaction_index(aborted[base]))
    shapes = [shape for part in parts for _, shape in part]
    end = shapes[-1].last + 1 if shapes else bases[-1]
    if snapshots is None and clean and any(shape.epoch >= 0 for shape in shapes):
        snapshots = {end: replayed(data for part in parts for data, _ in part)}
    for offset, entries in (snapshots or {}).items():
        (folder / f"{offset:020d}.snapshot").write_bytes(encode.snapshot(entries))
    if epochs is None:
        epochs = list({s.epoch: (s.epoch, s.base) for s in reversed(shapes) if s.epoch >= 0}.values())[::-1]
    _text(folder / "leader-epoch-checkpoint", [f"{epoch} {start}" for epoch, start in epochs])
    _around(root, folder, end, clean=clean, compacted=compacted, log_start=log_start, kraft=kraft, node=node)
    return root


def replayed(batches: Iterable[bytes]) -> list[P]:
    """The producers' state after some batches, as a broker of 2.x and later keeps it."""
    states: dict[int, P] = {}
    for data in batches:
        if data[16] != 2:
            continue
        base, attributes, delta = struct.unpack_from(">q13xhi", data)
        newest, producer, epoch, sequence = struct.unpack_from(">qqhi", data, 35)
        if producer < 0:
            continue
        state = states.get(producer) or P(producer, epoch)
        if attributes & 0x20:
            if epoch != state.producer_epoch:
                state = P(producer, epoch)
            state = state._replace(
                timestamp=newest, coordinator_epoch=struct.unpack_from(">i", data, -5)[0], current_txn_first_offset=-1
            )
        else:
            first = state.current_txn_first_offset
            state = state._replace(
                producer_epoch=epoch,
                last_sequence=(sequence + delta) % (1 << 31),
                last_offset=base + delta,
                offset_delta=delta,
                timestamp=newest,
                current_txn_first_offset=base if first < 0 and attributes & 0x10 else first,
            )
        states[producer] = state
    return list(states.values())


def _indexes(base: int, shapes: list[Shape]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    index, times, at, newest = [], [], 0, -1
    pending: tuple[int, int] | None = None
    for number, shape in enumerate(shapes):
        if shape.timestamp > newest:
            newest, pending = shape.timestamp, (shape.timestamp, shape.last - base)
        if number and number % 2 == 0:
            index.append((shape.last - base, at))
            if pending is not None:
                times.append(pending)
                pending = None
        at += shape.size
    if pending is not None:
        times.append(pending)
    return index, times


def _around(
    root: pathlib.Path,
    folder: pathlib.Path,
    end: int,
    *,
    clean: bool,
    compacted: int | None,
    log_start: int | None,
    kraft: bool,
    node: int,
) -> None:
    line = folder.name.replace("-", " ")
    _text(root / "recovery-point-offset-checkpoint", [f"{line} {end}"])
    _text(root / "replication-offset-checkpoint", [f"{line} {end}"])
    _text(root / "log-start-offset-checkpoint", [] if log_start is None else [f"{line} {log_start}"])
    _text(root / "cleaner-offset-checkpoint", [] if compacted is None else [f"{line} {compacted}"])
    ids = f"node.id={node}\nversion=1\n" if kraft else f"broker.id={node}\nversion=0\n"
    (root / "meta.properties").write_text(f"#\n#Tue Nov 14 22:13:20 UTC 2023\ncluster.id={CLUSTER}\n{ids}")
    if kraft:
        (folder / "partition.metadata").write_text(f"version: 0\ntopic_id: {TOPIC_ID}")
    if clean:
        (root / ".kafka_cleanshutdown").write_text("")


def _text(path: pathlib.Path, lines: list[str]) -> None:
    path.write_text(f"0\n{len(lines)}\n" + "".join(f"{line}\n" for line in lines))
