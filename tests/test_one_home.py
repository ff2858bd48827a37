"""One fact, one home: sizes and places of the format stand in `core` alone, and what a release does in the tables alone."""

from __future__ import annotations

import ast
import pathlib

import pytest

import kafkalog
from kafkalog.core.release import RELEASES
from kafkalog.dump.dialects import dialect_of
from kafkalog.kafka.behaviours import LAST_OFFSETS_INDEXED, WIDE_TXN_INDEX_VERSION
from kafkalog.kafka.hash_orders import SCALA_2_13
from kafkalog.kafka.reading_rules import reading_rules

ROOT = pathlib.Path(kafkalog.__file__).parent
MODULES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}
OUTSIDE_CORE = [name for name in MODULES if not name.startswith("core/")]

#: Places and sizes of the format that stand for nothing else: CRC and attributes of a batch, its header, a `.txnindex` entry.
UNMISTAKABLE = {17, 21, 61, 34}
#: Those that are the format's where something is added to them, multiplied by them, or cut out there.
SIZES = UNMISTAKABLE | {8, 12, 14, 16, 18, 20, 22, 26}
#: The codec, and the flags of the attributes.
ATTRIBUTE_MASKS = {7, 8, 0x10, 0x20, 0x40}
STRUCT_CODES = set("xbBhHiIqQ0123456789s")

#: What looks like a literal of the format and is none.
ALLOWED = {
    ("dump/payload.py", "'>q'"),  # what LongDecoder reads: a value of the user's
    ("dump/payload.py", "'>i'"),  # what IntegerDecoder reads
    ("files/workers.py", "'>Q'"),  # kafkalog's own frames between its processes
}


def _number(node):
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None


def _is_of_the_format(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        codes = node.value[1:] if node.value.startswith(">") else ""
        return bool(codes) and set(codes) <= STRUCT_CODES and not codes.isdigit()
    if isinstance(node, ast.BinOp):
        sides = {_number(node.left), _number(node.right)}
        if isinstance(node.op, ast.BitAnd):
            return bool(sides & ATTRIBUTE_MASKS)
        return isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.FloorDiv | ast.Mod) and bool(sides & SIZES)
    if isinstance(node, ast.Slice):
        return bool({_number(side) for side in (node.lower, node.upper) if side is not None} & SIZES)
    return _number(node) in UNMISTAKABLE


def literals_of_the_format(source):
    return [ast.unparse(node) for node in ast.walk(ast.parse(source)) if _is_of_the_format(node)]


@pytest.mark.parametrize("name", OUTSIDE_CORE)
def test_sizes_places_and_shapes_of_the_format_are_named_not_repeated(name):
    found = [text for text in literals_of_the_format(MODULES[name].read_text(encoding="utf-8")) if (name, text) not in ALLOWED]
    assert not found, f"{name}: {found}; take it from the Layout in kafkalog.core"


@pytest.mark.parametrize(
    "source",
    ["at + 12", "number * 8", "head[8:12]", "x = 61", "attributes & 7", "attributes & 0x20", "Struct('>8xi4xb')", "head[:17]"],
)
def test_a_literal_of_the_format_is_recognised(source):
    assert literals_of_the_format(source)


def test_every_exception_is_still_there():
    for name, text in ALLOWED:
        assert text in literals_of_the_format(MODULES[name].read_text(encoding="utf-8")), (name, text)


#: Where releases are compared: the tables, and what looks a row up in one.
TABLES = {
    "core/messages/cluster_metadata.py",  # record types
    "core/messages/reader.py",
    "core/messages/record_types.py",
    "core/messages/schema.py",  # fields and versions
    "core/features.py",
    "cli/dump.py",  # options by the release they came with
    "dump/dialects.py",
    "kafka/behaviours.py",
    "replay/coordinator_loads.py",  # what ends the loading of a coordinator
}


def compared_releases(source):
    def is_release(node):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        literal = isinstance(node, ast.Tuple) and len(node.elts) > 1 and all(_number(item) is not None for item in node.elts)
        return name == "release" or name.endswith("_release") or literal

    orders = ast.Lt | ast.LtE | ast.Gt | ast.GtE
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and any(isinstance(op, orders) for op in node.ops)
        and any(map(is_release, (node.left, *node.comparators)))
    ]


@pytest.mark.parametrize("name", [name for name in MODULES if name not in TABLES])
def test_releases_are_compared_in_the_tables_alone(name):
    found = compared_releases(MODULES[name].read_text(encoding="utf-8"))
    assert not found, (
        f"{name}: {found}; make it a Behaviour in kafkalog/kafka/behaviours.py, or a row of the table it belongs to"
    )


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_table_still_compares_releases(name):
    assert compared_releases(MODULES[name].read_text(encoding="utf-8"))


def test_a_comparison_of_releases_is_recognised():
    assert compared_releases("if self.release >= (2, 4, 1): pass")
    assert compared_releases("newer = SINCE <= release")
    assert not compared_releases("if release in RELEASES: pass")


def test_a_dialect_reads_as_each_of_its_releases_does():
    for release in RELEASES:
        since = dialect_of(release).since
        assert reading_rules(release) == reading_rules(since), release
        for behaviour in (LAST_OFFSETS_INDEXED, WIDE_TXN_INDEX_VERSION, SCALA_2_13):
            assert behaviour.applies_to(release) == behaviour.applies_to(since), (release, behaviour.name)
