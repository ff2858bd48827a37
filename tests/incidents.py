"""The pages of `docs/incidents/`: how each accident is made on a copy, and what is typed then."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["INCIDENTS", "Incident"]


class Incident(NamedTuple):
    """What a reader types to have the accident, and to look at it; all is on the page."""

    setup: str
    steps: tuple[str, ...]


INCIDENTS = {
    "torn-tail": Incident(
        """\
tar -xJf fixtures/packed/3.3.2/crash.tar.xz
truncate -s -30 crash/busy-0/00000000000000000830.log
""",
        (
            "kafkalog verify -q crash",
            "kafkalog verify --select log-tail-torn crash/busy-0 -v | head -16",
            "kafkalog next-start -q crash",
        ),
    ),
    "missing-segment": Incident(
        """\
cp -r fixtures/broker/2.1.1/plain data
rm data/twitter-status-0/00000000000000000147.*
""",
        ("kafkalog verify -q data", "kafkalog next-start -q data"),
    ),
    "stray": Incident(
        """\
cp -r fixtures/broker/4.3.1/edge data
mv data/e-idem-0 data/payments-0
""",
        ("kafkalog verify -q data", "kafkalog next-start -q data", "kafkalog rules controller-topic-name-differs"),
    ),
    "disk-full": Incident(
        """\
tar -xJf fixtures/packed/2.1.1/diskfull.tar.xz
""",
        ("kafkalog verify -q diskfull", "kafkalog next-start -q diskfull"),
    ),
    "hanging-transaction": Incident(
        """\
tar -xJf fixtures/packed/3.7.2/txn.tar.xz
""",
        ("kafkalog transactions txn | head -12", "kafkalog verify -q txn"),
    ),
    "meta-properties": Incident(
        """\
cp -r fixtures/broker/4.3.1/edge data && rm data/meta.properties
""",
        ("kafkalog verify -q data", "kafkalog next-start -q data"),
    ),
    "lost-voter": Incident(
        """\
cp -r fixtures/broker/4.1.1/meta-n1 node-1 && cp -r fixtures/broker/4.1.1/meta-n2 node-2
rm -r node-1/__cluster_metadata-0                                               # the voter's metadata are gone
""",
        ("kafkalog metadata node-1", "kafkalog metadata node-2 | head -20", "kafkalog verify -q node-2"),
    ),
}
