"""Write `fixtures/broker-starts/releases.jsonl.xz`: what real loaders and brokers of many releases do with damaged partitions.

    KAFKALOG_JARS=… python -m tests.real_kafka.record [RELEASE...]    # only these anew, the others stay as they are

A line is the release, the base it is made from, what differs from it, the circumstances, and what became of it. Lines with
`reads` come from a broker and its consumers, the others from the release's loader.
"""

from __future__ import annotations

import base64
import hashlib
import json
import lzma
import random
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.next_start.broker_starts import PACKED, packed_starts
from tests.next_start.damage import harm
from tests.real_kafka.loads import Case, interval_of
from tests.real_kafka.real_broker import Broker
from tests.real_kafka.real_loader import Request, real_loads
from tests.real_kafka.starts import is_served, run_broker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LOADERS = (
    "0.11.0.3",
    "1.0.2",
    "1.1.1",
    "2.0.1",
    "2.1.1",
    "2.3.1",
    "2.7.2",
    "2.8.2",
    "3.0.2",
    "3.7.2",
    "4.0.0",
    "4.1.1",
    "4.3.1",
)
BROKERS = ("1.1.1", "2.8.2", "3.9.1", "4.3.1")
LOADED, STARTED = 60, 60
SEED = "recorded"


def bases() -> dict[str, dict[str, bytes]]:
    """The healthy partitions that everything is made from."""
    return {start.seen["base"]: start.files for start in packed_starts() if start.seen["kind"] == "none"}


def cases(seed: str, *, clean: bool | None = None) -> Iterator[Case]:
    rng = random.Random(seed)
    healthy = bases()
    while True:
        base = rng.choice(sorted(healthy))
        harmed = harm(healthy[base], rng, clean=clean)
        if not harmed.directories:
            yield Case(base, f"{base}-0", harmed, interval_of(healthy[base]))


def listing(files: Mapping[str, bytes]) -> dict[str, list[Any]]:
    """Name → size and digest."""
    return {name: [len(data), hashlib.sha256(data).hexdigest()[:16]] for name, data in sorted(files.items())}


def row_of(release: str, case: Case) -> dict[str, Any]:
    healthy, harmed = bases()[case.origin], case.harmed
    differs: dict[str, str | None] = {name: None for name in healthy if name not in harmed.files}
    for name, data in harmed.files.items():
        if healthy.get(name) != data:
            differs[name] = base64.b85encode(data).decode()
    return {
        "release": release, "base": case.origin, "files": differs, "clean": harmed.clean, "log_start": harmed.log_start,
        "recovery_point": harmed.recovery_point, "index_interval": case.index_interval, "said": harmed.said,
    }  # fmt: skip


def loader_rows(release: str) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as scratch:
        made, requests = [], []
        for number, case in zip(range(LOADED), cases(f"{SEED} {release}"), strict=False):
            folder = Path(scratch) / str(number) / case.name
            folder.mkdir(parents=True)
            for name, data in case.harmed.files.items():
                (folder / name).write_bytes(data)
            made.append(case)
            harmed = case.harmed
            requests.append(Request(folder, harmed.log_start, harmed.recovery_point, harmed.clean, case.index_interval))
        for case, request, real in zip(made, requests, real_loads(release, requests), strict=True):
            files = {path.name: path.read_bytes() for path in request.folder.iterdir() if path.is_file()}
            yield {
                **row_of(release, case), "effect": real.effect, "start": real.log_start, "end": real.log_end,
                "last_stable": real.last_stable, "epochs": real.epochs, "after": listing(files),
            }  # fmt: skip


def broker_rows(release: str) -> Iterator[dict[str, Any]]:
    for clean in (True, False):
        with tempfile.TemporaryDirectory() as scratch:
            broker = Broker(release, Path(scratch) / "b")
            try:
                served = (case for case in cases(f"{SEED} broker {release} {clean}", clean=clean) if is_served(release, case))
                chosen = [case for _, case in zip(range(STARTED), served, strict=False)]
                for one in run_broker(broker, chosen, clean=clean):
                    start, end = one.loaded
                    reads = {kind: list(read) for kind, read in one.reads.items()}
                    yield {
                        **row_of(release, one.case), "effect": "ok", "start": start, "end": end,
                        "after": listing(one.files), "reads": reads,
                    }  # fmt: skip
            finally:
                broker.end()


def main(*anew: str) -> None:
    packed = PACKED / "releases.jsonl.xz"
    wanted = anew or (*LOADERS, *BROKERS)
    kept: list[dict[str, Any]] = []
    if anew:
        with lzma.open(packed, "rt") as lines:
            kept = [row for row in map(json.loads, lines) if row["release"] not in anew]
    rows = [row for release in LOADERS if release in wanted for row in loader_rows(release)]
    rows += [row for release in BROKERS if release in wanted for row in broker_rows(release)]
    with lzma.open(packed, "wt", preset=9) as file:
        for row in (*kept, *rows):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
