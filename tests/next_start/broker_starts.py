"""What real brokers did with damaged directories: the recorded starts, and how a prediction is held against them.

`fixtures/broker-starts` holds them packed. `KAFKALOG_BROKER_STARTS` names a folder with the recordings of 3.9.1 as they were
made; those of 4.4.0 are looked for beside it, under the same name with `-4.4.0` behind.
"""

from __future__ import annotations

import base64
import hashlib
import json
import lzma
import os
import pathlib
import tarfile
from functools import cache
from typing import Any, NamedTuple

import pytest

from kafkalog.core.log import BytesSource
from kafkalog.core.release import parse_release
from kafkalog.kafka.overlay import Disk
from kafkalog.next_start.partition import Situation, predict_partition
from tests.log_dirs import FIXTURES

PACKED = FIXTURES / "broker-starts"
RECORDED = os.environ.get("KAFKALOG_BROKER_STARTS", "")
STOPS = ("clean", "unclean", "unclean-active", "unclean-zero")
#: What comes at the end of the names of the recordings of a release.
RECORDINGS = {"3.9.1": "", "4.4.0": "-4.4.0"}
#: `index.interval.bytes` of the topics; no file of a log dir holds it.
INDEX_INTERVAL = {"plain": 500, "compact": 300}
OTHER_INDEX_INTERVAL = 400
#: Files that are not compared by name: the controller and the election write them.
NOT_COMPARED = ("leader-epoch-checkpoint", "partition.metadata")

#: Observations that no offline tool can predict, and why. (case, field) as `differences` names them; None: every field.
EXCEPTIONS = {
    "metadata-wrong-id@plain": "one directory alone: no metadata log and no other partition of the topic says otherwise",
    "dir-missing@plain": "there is no directory to look at, and no metadata log that says that there should be one",
}


class Start(NamedTuple):
    """One recorded start: the directory as the broker found it, and what it did."""

    files: dict[str, bytes]
    directories: tuple[str, ...]
    seen: dict[str, Any]

    @property
    def id(self) -> str:
        return f"{self.seen['id']}/{self.seen['shutdown']}"


def edited(files: dict[str, bytes], edits: list[dict[str, Any]]) -> tuple[dict[str, bytes], tuple[str, ...]] | None:
    """The files after the recorded edits and the directories made; None when the directory itself is gone."""
    files = dict(files)
    directories = []
    for edit in edits:
        kind, name = edit["op"], edit.get("file")
        data = files.get(name, b"")
        if kind == "delete-directory":
            return None
        if kind == "append":
            files[name] = data + (bytes.fromhex(edit["bytes"]) if edit["bytes"] else bytes(edit["zeros"] or 0))
        elif kind == "write":
            end = edit["pos"] + len(bytes.fromhex(edit["before"]))
            files[name] = data[: edit["pos"]] + bytes.fromhex(edit["after"]) + data[end:]
        elif kind == "truncate":
            files[name] = data[: edit["size_after"]]
        elif kind == "insert":
            files[name] = data[: edit["pos"]] + bytes.fromhex(edit["bytes"]) + data[edit["pos"] :]
        elif kind == "remove-range":
            files[name] = data[: edit["pos"]] + data[edit["pos"] + edit["length"] :]
        elif kind in ("replace", "create"):
            files[name] = bytes.fromhex(edit["bytes"])
        elif kind == "delete":
            files.pop(name, None)
        elif kind == "rename":
            files[edit["to"]] = files.pop(name)
        elif kind == "copy":
            files[edit["to"]] = data
        elif kind == "mkdir":
            files.pop(name, None)
            directories.append(name)
        else:
            assert kind == "checkpoint-line", kind
    return files, tuple(directories)


def _decoded(files: dict[str, str]) -> dict[str, bytes]:
    return {name: base64.b64decode(data) for name, data in files.items()}


@cache
def packed_starts(release: str = "3.9.1") -> tuple[Start, ...]:
    """The recorded starts of single partitions, from `fixtures/`."""
    with lzma.open(PACKED / f"bases{RECORDINGS[release]}.json.xz", "rt") as file:
        bases = {name: _decoded(files) for name, files in json.load(file).items()}
    starts = []
    with lzma.open(PACKED / f"cases{RECORDINGS[release]}.jsonl.xz", "rt") as lines:
        for line in lines:
            seen = json.loads(line)
            found = edited(bases[seen["base"]], seen["damage"])
            if found is not None:
                files = _decoded(seen.pop("files")) if "files" in seen else found[0]
                starts.append(Start(files, found[1], seen))
    return tuple(starts)


def recorded_starts(release: str = "3.9.1") -> tuple[Start, ...]:
    """The same from the recordings themselves; without them the calling test is skipped."""
    folder = pathlib.Path(f"{RECORDED}{RECORDINGS[release]}")
    if not RECORDED or not folder.is_dir():
        pytest.skip(f"KAFKALOG_BROKER_STARTS does not lead to the recordings of {release}")
    with lzma.open(folder / "cases.jsonl.xz", "rt") as lines:
        rows = [row for row in map(json.loads, lines) if not row["id"].startswith("level:")]
    starts = []
    for stop in STOPS:
        chosen = [row for row in rows if row["shutdown"] == stop]
        if not chosen:
            continue
        twins = {row["partition"]: row["base"] for row in chosen if row["kind"] == "none"}
        bases: dict[str, dict[str, bytes]] = {}
        for parts, data in members(folder / f"{stop}.group.before.tar.xz"):
            if len(parts) == 3 and parts[1] in twins:
                bases.setdefault(twins[parts[1]], {})[parts[2]] = data
        own: dict[tuple[str, str], dict[str, bytes]] = {}
        for parts, data in members(folder / f"{stop}.solo.tar.xz"):
            if len(parts) == 5 and parts[2] == "before":
                own.setdefault((parts[1], parts[3]), {})[parts[4]] = data
        for row in chosen:
            found = edited(bases[row["base"]], row["damage"])
            if found is not None:
                starts.append(Start(own.get((row["id"], row["partition"]), found[0]), found[1], row))
    return tuple(starts)


def members(archive: pathlib.Path):
    if archive.exists():
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile():
                    yield member.name.removeprefix("./").split("/"), tar.extractfile(member).read()


def error_kind(chain: Any) -> str | None:
    """The kind of a consumer's exception chain."""
    if not chain:
        return None
    text = " | ".join(chain) if isinstance(chain, list) else chain
    if "LOOP" in text:
        return "loop"
    if "is corrupt (stored crc" in text:
        return "crc"
    if "smaller than the minimum" in text:
        return "corrupt-batch"
    if any(
        word in text for word in ("InvalidRecordException", "NullPointerException", "error code 87", "Invalid negative offset")
    ):
        return "invalid-record"
    if "Unknown compression" in text:
        return "unsupported"
    if any(word in text for word in ("CorruptRecord", "corrupt message", "error code 2 ", "newLimit", "IndexOutOfBounds")):
        return "corrupt-batch"
    return "decompression"


def effect_of(seen: dict[str, Any]) -> str | None:
    """`abort`, `offline` or None: the partition loaded."""
    if seen.get("load_failure"):
        return seen["load_failure"]
    if seen.get("broker_started") is False:
        return "abort"
    return "offline" if any("Error while reading" in text for text in seen.get("broker_errors") or []) else None


def predict(start: Start, **changes: Any):
    """The prediction for a recorded start, and the overlay after it."""
    seen = start.seen
    disk = Disk({name: BytesSource(data) for name, data in start.files.items()}, frozenset(start.directories))
    assumed = {
        "clean": seen.get("clean_shutdown_file", False),
        "release": parse_release(seen["kafka"]),
        "recovery_point": seen.get("recovery_point") or 0,
        "log_start": seen.get("log_start_checkpoint") or 0,
        "index_interval_bytes": INDEX_INTERVAL.get(seen["base"], OTHER_INDEX_INTERVAL),
    }
    return predict_partition("P", disk, Situation(**{**assumed, **changes})).outcome, disk


def differences(start: Start) -> list[str]:
    """Every field in which the prediction is not what the broker did."""
    seen = start.seen
    outcome, disk = predict(start)
    found: list[str] = []

    def compare(field: str, real: Any, predicted: Any) -> None:
        if real != predicted:
            found.append(f"{field}: the broker {real}, predicted {predicted}")

    effect = effect_of(seen)
    predicted = "offline" if outcome.log_dir == "offline" else "abort" if outcome.broker == "aborts" else None
    compare("effect", effect, predicted)
    stray = any("-stray" in name for name in seen.get("dirs_after") or [])
    compare("stray", stray, outcome.partition == "stray")
    if not stray and outcome.partition != "stray":
        _compare_files(start, outcome, disk, compare)
        if effect is None:
            compare("log start", seen.get("log_start"), outcome.log_start_offset)
            compare("log end", seen.get("log_end"), outcome.log_end_offset)
            _compare_epochs(seen, outcome, compare)
    if effect is None and predicted is None:
        for name in ("uncommitted", "committed"):
            _compare_reading(name, seen.get(f"read_{name}"), getattr(outcome.consumer, name), compare)
    return found


def _compare_files(start: Start, outcome, disk: Disk, compare) -> None:
    seen = start.seen
    after = {name: tuple(file) for name, file in (seen.get("after") or {}).items() if "/" not in name}
    after = {name: file for name, file in after.items() if name not in (*NOT_COMPARED, *start.directories)}
    mine = {name: file for name, file in disk.files.items() if name not in NOT_COMPARED}
    compare("files that are gone", sorted(set(start.files) - set(after) - set(NOT_COMPARED)), _gone(start, mine))
    compare("files", sorted(after), sorted(mine))
    rebuilt = {path.removeprefix("P/") for path in outcome.rebuild}
    for name in sorted(set(after) & set(mine)):
        data = mine[name].read()
        same = (len(data), hashlib.sha256(data).hexdigest()) == after[name]
        if ".log" in name or name.endswith(".txnindex"):
            compare(f"content of {name}", real=True, predicted=same)
        elif name in rebuilt and len(data) == after[name][0]:
            compare(f"rebuilt {name}", real=True, predicted=same)
    for before, now in (seen.get("renamed") or {}).items():
        if now.endswith(".deleted"):
            compare(
                f"renamed {before}",
                ["P/" + before, "P/" + now],
                next(([*pair] for pair in outcome.rename if pair[1] == f"P/{now}"), None),
            )
    cut = {cut.path.removeprefix("P/"): cut.position for cut in outcome.truncate}
    kept = {name: log["after"] for name, log in (seen.get("logs") or {}).items() if log and name in cut}
    compare("cut at", kept, cut)


def _gone(start: Start, mine: dict[str, Any]) -> list[str]:
    return sorted(set(start.files) - set(mine) - set(NOT_COMPARED))


def _compare_epochs(seen: dict[str, Any], outcome, compare) -> None:
    """The file is from after the election, so that is applied to the prediction first."""
    text = seen.get("leader_epoch_checkpoint_after")
    if text is None or outcome.epochs_after is None:
        return
    real = [tuple(map(int, line.split())) for line in text.splitlines()[2:]]
    mine = list(outcome.epochs_after)
    if real:
        elected, end = real[-1][0], outcome.log_end_offset
        mine = [entry for entry in mine if entry[0] < elected and entry[1] < end] + [(elected, end)]
    compare("epochs", real, mine)


def _compare_reading(name: str, real: dict[str, Any] | None, mine, compare) -> None:
    if real is None or mine is None:
        compare(f"read {name}", real, mine)
        return
    kind = error_kind(real["error"])
    if kind == "loop":
        compare(f"read {name} loops", real=True, predicted=mine.stuck)
        return
    expected = (real["count"], real["position"], kind, real["stuck"])
    compare(f"read {name}", expected, (mine.records, mine.stops_at_offset, mine.error, mine.stuck))
