"""Transcripts of `kafkalog show`: one for each message format version, codec, control type and kind of file.

    python -m tests.show.transcripts

writes `tests/show/transcripts.md` again. Each is run in the log dir of its fixture.
"""

from __future__ import annotations

import contextlib
import pathlib

from click.testing import CliRunner

from kafkalog.cli.main import main
from tests.log_dirs import fixture

FILE = pathlib.Path(__file__).with_name("transcripts.md")

#: Title, release, workload, arguments.
CASES = (
    ("magic 0", "0.10.2.2", "old", "v0-none-0/00000000000000000000.log"),
    ("magic 0, gzip", "0.10.2.2", "old", "v0-gzip-0/00000000000000000000.log"),
    ("magic 0, snappy", "2.1.1", "old", "--all v0-snappy-0/00000000000000000000.log"),
    ("magic 0, lz4", "0.10.2.2", "old", "--entry 10 v0-lz4-0/00000000000000000000.log"),
    ("magic 1, with what each field is for", "0.10.2.2", "old", "-v v1-none-0/00000000000000000000.log"),
    ("magic 1, gzip", "0.10.2.2", "codec", "--entry 4 java-gzip-0/00000000000000000135.log"),
    ("magic 1, snappy", "0.10.2.2", "codec", "--entry 1 java-snappy-0/00000000000000000241.log"),
    ("magic 1, lz4", "0.10.2.2", "codec", "--entry 2 java-lz4-0/00000000000000000240.log"),
    ("magic 2, with what each field is for", "2.1.1", "plain", "-v --offset 1 append-time-0"),
    ("magic 2, the record of an offset", "2.1.1", "plain", "--offset 3 twitter-status-0"),
    ("magic 2, the record at a position", "2.1.1", "plain", "--at 0x123 --records 1 twitter-status-0/00000000000000000000.log"),
    ("magic 2, a batch without records", "0.11.0.3", "compact", "--entry 3 txn-compact-0/00000000000000000105.log"),
    ("magic 2, gzip", "2.1.1", "codec", "--entry 5 java-gzip-0/00000000000000000149.log"),
    ("magic 2, snappy", "2.1.1", "codec", "--entry 1 java-snappy-0/00000000000000000241.log"),
    ("magic 2, lz4", "2.1.1", "codec", "--entry 3 java-lz4-0/00000000000000000223.log"),
    ("magic 2, zstd", "2.1.1", "codec", "--entry 5 java-zstd-0/00000000000000000150.log"),
    ("an ABORT marker", "0.11.0.3", "compact", "txn-compact-0/00000000000000000000.log"),
    (
        "a COMMIT marker, and what is around it",
        "0.11.0.3",
        "compact",
        "--entry 1 --context 1 txn-compact-0/00000000000000000000.log",
    ),
    ("a control batch that the cleaner emptied", "4.3.1", "edge", "e-txn-0/00000000000000000000.log"),
    ("LEADER_CHANGE", "3.3.2", "compact-2", "__cluster_metadata-0/00000000000000000000.log"),
    ("SNAPSHOT_HEADER, in a .checkpoint", "3.3.2", "cluster-n1-lagging", "bootstrap.checkpoint"),
    ("SNAPSHOT_FOOTER", "3.3.2", "cluster-n1-lagging", "--entry 2 bootstrap.checkpoint"),
    ("KRAFT_VOTERS", "3.9.1", "meta-n1", "--entry 1 __cluster_metadata-0/00000000000000000156.log"),
    (".index", "2.1.1", "plain", "--entry 3 --context 1 append-time-0/00000000000000000000.index"),
    (".index, the entry for an offset", "2.1.1", "plain", "--offset 30 append-time-0/00000000000000000000.index"),
    (".timeindex", "2.1.1", "plain", "--records 2 append-time-0/00000000000000000000.timeindex"),
    (".txnindex", "0.11.0.3", "repl-b0", "-v orders-0/00000000000000000000.txnindex"),
    (".snapshot", "4.3.1", "crash", "txn-crash-0/00000000000000000008.snapshot"),
    ("leader-epoch-checkpoint", "4.3.1", "meta-n1", "kept-1/leader-epoch-checkpoint"),
    ("recovery-point-offset-checkpoint", "2.1.1", "plain", "--entry 2 recovery-point-offset-checkpoint"),
    ("partition.metadata", "4.3.1", "meta-n1", "-v kept-1/partition.metadata"),
    ("meta.properties", "4.3.1", "meta-n1", "meta.properties"),
    ("quorum-state", "4.3.1", "meta-n1", "__cluster_metadata-0/quorum-state"),
    (".kafka_cleanshutdown", "3.9.1", "txn", ".kafka_cleanshutdown"),
    ("bytes that are no batch", "2.1.1", "diskfull", "--entry 8 logs-0/00000000000000001107.log"),
    ("preallocated space", "4.3.1", "crash", "--entry 22 prealloc-0/00000000000000000000.log"),
    ("bytes alone", "0.10.2.2", "old", "--raw v1-none-0/00000000000000000000.log"),
)


def run_in(folder: str, arguments: list[str]) -> str:
    """What the command prints there."""
    with contextlib.chdir(folder):
        done = CliRunner().invoke(main, ["show", *arguments], standalone_mode=False)
    assert done.exception is None, done.exception
    assert done.return_value == 0, done.output
    return done.stdout


def transcript(title: str, release: str, workload: str, arguments: str) -> str:
    """One of the transcripts."""
    text = run_in(fixture(release, workload).path(), arguments.split())
    return f"## {title} ({release}, {workload})\n\n```console\n$ kafkalog show {arguments}\n{text}```\n"


def page() -> str:
    """All of them."""
    return "# What `kafkalog show` prints\n\n" + "\n".join(transcript(*case) for case in CASES)


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
