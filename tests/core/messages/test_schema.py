"""The schema table: how it is written, and what it must hold."""

from __future__ import annotations

import pytest

from kafkalog.core.messages.cluster_metadata import METADATA_RECORDS, find_metadata_type, type_name
from kafkalog.core.messages.group import GROUP_RECORDS, OFFSET_COMMIT_VALUE
from kafkalog.core.messages.record_types import find_record_type
from kafkalog.core.messages.remote_log import REMOTE_LOG_RECORDS
from kafkalog.core.messages.schema import NEWEST, schema
from kafkalog.core.messages.share_group import SHARE_GROUP_RECORDS
from kafkalog.core.messages.transaction import TRANSACTION_RECORDS

TYPES = (*GROUP_RECORDS, *SHARE_GROUP_RECORDS, *TRANSACTION_RECORDS)
SCHEMAS = [
    *(item.key for item in TYPES),
    *(item.value for item in TYPES),
    *(item[0] for item in METADATA_RECORDS),
    *REMOTE_LOG_RECORDS.values(),
]


def all_fields(fields):
    for field in fields:
        yield field
        yield from all_fields(field.fields)


def test_a_line_says_name_type_versions_and_options():
    built = schema(
        "Thing",
        "members []struct? 2+ default=null\n  id uuid 3-4 tag=7 since=4.1.0",
        versions="0=2.8.0 3=4.0.0",
        source="{}.json",
    )
    outer = built.fields[0]
    inner = outer.fields[0]
    assert (outer.name, outer.array, outer.nullable, outer.versions[0], outer.default) == ("members", True, True, 2, None)
    assert (inner.type, inner.versions, inner.tag, inner.releases[0]) == ("uuid", (3, 4), 7, (4, 1, 0))
    assert built.source == "Thing.json"
    assert [built.highest(release) for release in ((2, 7, 0), (2, 8, 0), (4, 0, 0), NEWEST)] == [-1, 0, 3, 3]


@pytest.mark.parametrize(
    "table", ["a text", "a struct", "a int8\n  b int8", "a int8 color=red", "a int8\n  \n    b int8\n  c int8"]
)
def test_a_table_that_says_nonsense_is_refused(table):
    with pytest.raises(ValueError, match=r"bad|indented"):
        schema("Thing", table, versions="0=2.8.0", source="")


@pytest.mark.parametrize("built", SCHEMAS, ids=lambda built: built.name)
def test_every_schema_has_a_source_and_tags_only_where_they_can_be(built):
    assert built.source.endswith(f"/{built.name}.json")
    tags = [field for field in all_fields(built.fields) if field.tag is not None]
    assert not tags or built.flexible is not None


@pytest.mark.parametrize("release", [(0, 11, 0, 3), (2, 8, 2), (3, 9, 1), (4, 0, 0), (4, 1, 1), (4, 2, 0), (4, 3, 1)])
def test_a_release_knows_a_record_type_once(release):
    for types in (GROUP_RECORDS, SHARE_GROUP_RECORDS, TRANSACTION_RECORDS):
        numbers = [item.number for item in types if item.since <= release < item.until]
        assert len(numbers) == len(set(numbers))
    keys = [built.key for built, since, until in METADATA_RECORDS if since <= release < until]
    assert len(keys) == len(set(keys))


def test_a_release_does_not_know_what_came_later():
    assert OFFSET_COMMIT_VALUE.highest((3, 3, 2)) == 3
    assert OFFSET_COMMIT_VALUE.highest((3, 4, 1)) == 4
    assert find_record_type(GROUP_RECORDS, 17, (4, 0, 0)) is None
    assert find_record_type(GROUP_RECORDS, 17, (4, 1, 0)).name == "StreamsGroupMetadata"
    assert find_metadata_type(28, (3, 9, 1)) is None


def test_the_newest_form_also_knows_what_is_gone():
    assert find_record_type(GROUP_RECORDS, 9, (4, 1, 0)) is None
    assert find_record_type(GROUP_RECORDS, 9).name == "ShareGroupPartitionMetadata"
    assert find_metadata_type(6).name == "AccessControlRecord"


def test_type_names_are_those_of_kafkas_enum():
    names = {type_name(built) for built, _, _ in METADATA_RECORDS}
    assert {"NO_OP_RECORD", "ZK_MIGRATION_STATE_RECORD", "USER_SCRAM_CREDENTIAL_RECORD", "CLEAR_ELR_RECORD"} <= names
