"""What a reader of `docs/tour.md` types."""

from __future__ import annotations

__all__ = ["COLUMNS", "SETUP", "STEPS"]

COLUMNS = 120
#: What comes first; shown on the page as it is.
SETUP = """\
cp -r fixtures/broker/2.1.1/plain/twitter-status-0 case-0
printf '#' | dd of=case-0/00000000000000000147.log bs=1 seek=8116 conv=notrunc status=none
"""
#: Name of the part → the command that a reader types.
STEPS = {
    "tour-verify": "kafkalog verify --now 2027-01-01 --kafka-version 2.8 case-0",
    "tour-dump": "kafkalog dump --kafka-version 2.1 --offsets 185:187 --print-data-log case-0",
    "tour-next-start": "kafkalog next-start --assume-stop unclean --kafka-version 2.8 case-0",
    "tour-lines": "kafkalog verify --now 2027-01-01 --quick --format jsonl --kafka-version 2.8 --select 'batch-*' case-0",
}
