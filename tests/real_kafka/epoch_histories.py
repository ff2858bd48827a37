"""Random leader epoch histories, and what Kafka's own LeaderEpochFileCache has a follower truncate in them.

python -m tests.real_kafka.epoch_histories   # records fixtures/cases/epoch-histories.json
"""

from __future__ import annotations

import json
import random
import subprocess
import tempfile
from pathlib import Path

from tests.log_dirs import FIXTURES
from tests.real_kafka.real_tool import class_path

RECORDED = FIXTURES / "cases" / "epoch-histories.json"
RELEASES = ("3.9.1", "4.4.0")


def history(seed):
    """The epochs and ends of a follower and of a leader that was elected just now, with a beginning in common or without."""
    rnd = random.Random(seed)
    common = grown([], 0, rnd.randrange(4), rnd)
    sides = []
    for _ in range(2):
        entries, end = grown(list(common[0]), common[1], rnd.randrange(4), rnd)
        if entries and rnd.random() < 0.2:
            # The beginning has been deleted.
            start = rnd.randrange(end + 1)
            below = [entry for entry in entries if entry[1] <= start]
            entries = [(below[-1][0], start)] * bool(below) + [entry for entry in entries if entry[1] > start]
        sides.append((entries, end))
    (follower, end), (leader, leader_end) = sides
    new = max((epoch for entries, _ in sides for epoch, _ in entries), default=-1) + 1
    return follower, end, leader, leader_end, new


def grown(given, end, elections, rnd):
    entries = list(given[0]) if isinstance(given, tuple) else given
    for _ in range(elections):
        epoch = (entries[-1][0] if entries else -1) + rnd.choice((1, 1, 2, 3))
        if entries and entries[-1][1] == end:
            entries.pop()
        entries.append((epoch, end))
        end += rnd.choice((0, 1, 5, 20, 100))
    return entries, end


def elected(leader, leader_end, new):
    """The leader's epochs after its election."""
    return [entry for entry in leader if entry[1] < leader_end] + [(new, leader_end)]


def real_truncations(release, histories):
    """Of each history the follower's log end and its questions, with the answers."""
    folder = Path(tempfile.mkdtemp(prefix="kafkalog-epochs-"))
    source = Path(__file__).with_name("EpochHistories.java")
    path = class_path(release)
    subprocess.run(["javac", "-nowarn", "-cp", path, "-d", str(folder), str(source)], check=True, stderr=subprocess.DEVNULL)
    lines = []
    for follower, end, leader, leader_end, new in histories:
        lines.append(f"{_text(follower)}\t{end}\t{_text(elected(leader, leader_end, new))}\t{leader_end}\n")
    answer = folder / "answer"
    subprocess.run(
        ["java", "-Xmx256m", "-cp", f"{folder}:{path}", "EpochHistories", str(answer)],
        input="".join(lines).encode(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    rows = [row.split("\t") for row in answer.read_text().splitlines()]
    return [
        [int(end) if end else None, [list(map(int, step.split(":"))) for step in steps.split(",") if step]]
        for end, steps in rows
    ]


def _text(entries):
    return ",".join(f"{epoch}:{offset}" for epoch, offset in entries)


def record():
    histories = [history(seed) for seed in range(60)]
    found = [real_truncations(release, histories) for release in RELEASES]
    assert all(one == found[0] for one in found)
    rows = [json.dumps([*one, *result]) for one, result in zip(histories, found[0], strict=True)]
    RECORDED.write_text("[\n" + ",\n".join(rows) + "\n]\n")


if __name__ == "__main__":
    record()
