"""The tables of `docs/format/internal-topics.md`, made from the schema tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kafkalog
from kafkalog.carve.values import Carved, FoundGroup, Run, Stitch
from kafkalog.core.messages.cluster_metadata import METADATA_RECORDS
from kafkalog.core.messages.consumer_protocol import ASSIGNMENT, SUBSCRIPTION
from kafkalog.core.messages.group import GROUP_RECORDS
from kafkalog.core.messages.remote_log import REMOTE_LOG_RECORDS
from kafkalog.core.messages.schema import NEWEST
from kafkalog.core.messages.share_group import SHARE_GROUP_RECORDS
from kafkalog.core.messages.transaction import TRANSACTION_RECORDS
from kafkalog.diff.values import NotCompared, Unpaired
from kafkalog.render.json_carve import carve_lines
from kafkalog.render.json_diff import diff_lines
from kafkalog.render.json_info import info_lines
from kafkalog.render.json_replay import aborted_line, change_lines, group_lines, metadata_lines, transaction_lines
from kafkalog.render.json_show import part_lines
from kafkalog.replay.logs import Note
from kafkalog.show.parts import parts_of
from kafkalog.show.values import Wanted
from tests.json_line_meanings import MEANINGS
from tests.log_dirs import fixture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kafkalog.core.messages.schema import Field, Release, Schema

__all__ = ["MESSAGE_PARTS"]

_HIGHEST = 1 << 15


def _release(release: Release) -> str:
    return ".".join(map(str, release))


def _fields(fields: Iterable[Field], indent: str = "") -> Iterator[str]:
    for field in fields:
        words = [f"{'[]' if field.array else ''}{field.type}{'?' if field.nullable else ''}"]
        low, high = field.versions
        if (low, high) != (0, _HIGHEST):
            words.append(
                f"version {low}" if low == high else f"versions {low}+" if high == _HIGHEST else f"versions {low}-{high}"
            )
        if field.tag is not None:
            words.append(f"tag {field.tag}")
        since, until = field.releases
        if since:
            words.append(f"since {_release(since)}")
        if until is not NEWEST:
            words.append(f"before {_release(until)}")
        yield f"{indent}{field.name}: {', '.join(words)}"
        yield from _fields(field.fields, indent + "  ")


def _message(schema: Schema, heading: str) -> Iterator[str]:
    versions = ", ".join(f"{version} since {_release(since)}" for version, since in schema.versions)
    flexible = "" if schema.flexible is None else f"; compact and tagged from version {schema.flexible} on"
    yield f"**{heading}**: versions {versions}{flexible}. Source: `{schema.source}`."
    yield ""
    lines = list(_fields(schema.fields))
    if lines:
        yield "```text"
        yield from lines
        yield "```"
        yield ""


def _coordinator(types: tuple) -> str:
    lines: list[str] = []
    for item in types:
        until = "" if item.until is NEWEST else f", before {_release(item.until)}"
        for schema in (item.key, item.value):
            lines += _message(schema, f"{item.number} {schema.name}{until}")
    return "\n".join(lines) + "\n"


def _metadata() -> str:
    lines: list[str] = []
    for schema, _, until in METADATA_RECORDS:
        lines += _message(schema, f"{schema.key} {schema.name}{'' if until is NEWEST else f', before {_release(until)}'}")
    return "\n".join(lines) + "\n"


def _plain(schemas: Iterable[Schema]) -> str:
    lines: list[str] = []
    for schema in schemas:
        lines += _message(schema, schema.name if schema.key is None else f"{schema.key} {schema.name}")
    return "\n".join(lines) + "\n"


MESSAGE_PARTS: dict[str, Callable[[], str]] = {
    "group-records": lambda: _coordinator(GROUP_RECORDS),
    "consumer-protocol": lambda: _plain((SUBSCRIPTION, ASSIGNMENT)),
    "transaction-records": lambda: _coordinator(TRANSACTION_RECORDS),
    "share-group-records": lambda: _coordinator(SHARE_GROUP_RECORDS),
    "metadata-records": _metadata,
    "remote-log-records": lambda: _plain(REMOTE_LOG_RECORDS.values()),
}


# --- the lines of --format jsonl ---------------------------------------------------------------------------------------


def json_line_keys() -> dict[str, dict[str, list[str]]]:
    """Command → type of line → its names, from real lines."""
    note = Note("path", 1, "message")
    groups = kafkalog.read_groups(fixture("2.8.2", "groups").path())
    groups = groups._replace(notes=[note], problems=(note,), pending=[(7, groups.offsets[0])])
    transactions = kafkalog.read_transactions(fixture("2.1.1", "txn").path())._replace(notes=[note], problems=(note,))
    directory = f"{fixture('4.3.1', 'meta-n1').path()}/__cluster_metadata-0"
    metadata = kafkalog.read_metadata(directory)._replace(notes=[note], problems=(note,))
    before = kafkalog.read_metadata(directory, kafkalog.Until(offset=229))
    return {
        "groups": _keys(group_lines(groups)),
        "transactions": _keys((*map(aborted_line, transactions.aborted), *transaction_lines(transactions))),
        "metadata": _keys(metadata_lines(metadata)),
        "metadata --diff": _keys(change_lines(before, metadata)),
    }


def _keys(lines: Iterable[dict]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in lines:
        found.setdefault(line["type"], [name for name in line if name not in ("schema", "type")])
    return found


def _json_lines() -> str:
    parts = []
    for command, kinds in json_line_keys().items():
        if command != "groups":  # the same in all of them
            kinds = {kind: names for kind, names in kinds.items() if kind not in ("note", "not_read")}  # noqa: PLW2901
        parts += _tables(command, kinds)
    return "\n".join(parts)


def _tables(command: str, kinds: dict[str, list[str]]) -> Iterator[str]:
    """A table for each type of line."""
    for kind, names in kinds.items():
        heading = ["`note` and `not_read` are the same in all three commands.", ""] if kind == "note" else []
        rows = [f"| `{name}` | {meaning_of(command, kind, name)} |" for name in names]
        yield "\n".join([*heading, f"| {command} `{kind}` | |", "|---|---|", *rows, ""])


def _info_lines() -> str:
    found = kafkalog.describe(fixture("4.3.1", "meta-n1").path())
    return "\n".join(_tables("info", _keys(info_lines([found], (), with_segments=True))))


def _show_lines() -> str:
    path = f"{fixture('2.1.1', 'plain').path()}/many-0/00000000000000000000.log"
    lines = (line for part in parts_of(path, Wanted(records=0)) for line in part_lines(path, part, 0))
    return "\n".join(_tables("show", _keys(lines)))


def _diff_lines() -> str:
    paths = [f"{fixture('3.9.1', f'cluster-{name}').path()}" for name in ("n2-divergent", "n3-divergent")]
    found = kafkalog.diff(*paths, show=1)
    pair = next(pair for pair in found.pairs if pair.records)
    missing = NotCompared("path", "reason")
    return "\n".join(_tables("diff", _keys(diff_lines([missing, Unpaired("A", "path"), pair], "hex"))))


def _carve_lines() -> str:
    run = Run(0, 0, 0, 0, 2, 0)
    stitch = Stitch(0, 0, 1, 2, 3, 4, 5, 6)
    found = Carved(("image",), "out", [FoundGroup("unknown-0001-0", [[run, stitch, run]])])
    return "\n".join(_tables("carve", _keys(carve_lines(found))))


def meaning_of(command: str, kind: str, name: str) -> str:
    """What a field of a line means: by command and type where it needs that, else by its name."""
    keys = ((command, kind, name), ("", kind, name), (command, "", name), ("", "", name))
    return next(MEANINGS[key] for key in keys if key in MEANINGS)


MESSAGE_PARTS["json-lines"] = _json_lines
MESSAGE_PARTS["info-lines"] = _info_lines
MESSAGE_PARTS["carve-lines"] = _carve_lines
MESSAGE_PARTS["diff-lines"] = _diff_lines
MESSAGE_PARTS["show-lines"] = _show_lines
