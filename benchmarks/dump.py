"""`kafkalog dump` beside the real tool, in turn, on the same bytes; and beside its own ordinary text.

    python -m benchmarks.dump [--rounds 5] [--jars DIR] [--work DIR] [--only TEXT]
    python -m benchmarks.dump --forms [--rounds 3] [--mib 16] [--work DIR] [--only SHAPE]

Whole processes, output to /dev/null; each pair runs in turn (A B A B …) and the median of the ratios counts, of the time on
the clock and of the CPU time; that both print the same is looked at first, where they should. `--only` takes the cases with
this text in their names. DIR holds the jars of 3.9.1, a folder beside it those of 4.3.1; without --jars they are fetched by
Maven. `--forms`: every way to print records and every filter, of every shape, beside the text of the same records.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.generate import SHAPES

ROOT = Path(__file__).resolve().parent.parent
RELEASE = "3.9.1"
SEGMENT = "00000000000000000000.log"


class Case(NamedTuple):
    """What is compared: options of both, options of kafkalog alone, the ratio that is wanted, the release of the real tool."""

    name: str
    shape: str
    mib: int
    common: list[str]
    own: list[str]
    wanted: float
    release: str = RELEASE


_TEXT = ["--print-data-log"]
#: Decoders of the shapes that are internal topics.
_DECODERS = {"offsets": "offsets", "transactions": "transaction-log", "metadata": "cluster-metadata"}
CASES = (
    Case("record lines, 100 B values, 512 MiB, one process", "values100", 512, _TEXT, [], 3.3),
    Case("record lines, 100 B values, 512 MiB, --jobs 2", "values100", 512, _TEXT, ["--jobs", "2"], 6.0),
    Case("record lines, 1 KiB values, 128 MiB", "values1k", 128, _TEXT, [], 3.0),
    Case("batch lines, 512 MiB", "values100", 512, [], [], 3.0),
    *(
        Case(f"record lines, {shape}, 64 MiB", shape, 64, _TEXT, [], 2.0)
        for shape in SHAPES
        if shape not in ("values100", "values1k", "offsets", "transactions", "metadata")
    ),
    Case("record lines without keys and values, 64 MiB", "values100", 64, ["--deep-iteration"], [], 2.0),
    Case("keys and values alone, 64 MiB", "values100", 64, [*_TEXT, "--skip-record-metadata"], [], 2.0),
    Case("JSON lines, 100 B values, 64 MiB", "values100", 64, _TEXT, ["--format", "jsonl"], 2.0),
    Case("JSON lines, headers, 64 MiB", "headers", 64, _TEXT, ["--format", "jsonl"], 2.0),
    *(
        Case(f"{topic} decoded, {release}", topic, 32, [f"--{option}-decoder"], [], 2.0, release)
        for topic, option in _DECODERS.items()
        for release in (RELEASE, "4.3.1")
    ),
)

#: Ways to print records, and filters, with how much of the speed of text is wanted.
FORMS = {
    "text": (_TEXT, 1.0),
    "no payload": (["--deep-iteration"], 1.0),
    **{form: ([*_TEXT, "--payload", form], 0.5) for form in ("hex", "base64", "length", "sha256", "none")},
    "bare": ([*_TEXT, "--skip-record-metadata"], 0.7),
    "jsonl": ([*_TEXT, "--format", "jsonl"], 0.7),
    "jsonl text": ([*_TEXT, "--format", "jsonl", "--payload", "text"], 0.7),
    "jsonl none": ([*_TEXT, "--format", "jsonl", "--payload", "none"], 0.7),
    "--offsets": ([*_TEXT, "--offsets", "100:"], 0.7),
    "--since": ([*_TEXT, "--since", "1700000000100"], 0.7),
    "--producer-id": ([*_TEXT, "--producer-id", "3"], 0.7),
    "--key": ([*_TEXT, "--key", "key00005"], 0.7),
    "jsonl --offsets": ([*_TEXT, "--format", "jsonl", "--offsets", "100:"], 0.6),
    "jsonl --key": ([*_TEXT, "--format", "jsonl", "--key", "key00005"], 0.7),
}


def jars(given: str | None, work: Path, release: str) -> str:
    """Class path of the real tool."""
    if given:
        return f"{given if release == RELEASE else Path(given).parent / release}/*"
    target = work / f"jars-{release}"
    if not target.exists():
        project = work / "pom.xml"
        names = ("kafka_2.13", "kafka-tools")
        wanted = "".join(
            f"<dependency><groupId>org.apache.kafka</groupId><artifactId>{name}</artifactId><version>{release}</version></dependency>"
            for name in names
        )
        project.write_text(
            '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>b</groupId>'
            f"<artifactId>b</artifactId><version>1</version><dependencies>{wanted}</dependencies></project>"
        )
        subprocess.run(
            ["mvn", "-q", "-B", "-f", str(project), "dependency:copy-dependencies", f"-DoutputDirectory={target}"], check=True
        )
    return f"{target}/*"


def timed(command: list[str], cwd: Path) -> tuple[float, float, float, float]:
    """Seconds, seconds to the first line, peak MiB and CPU seconds of a command."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())
    assert process.stdout is not None
    os.read(process.stdout.fileno(), 1)
    first = time.perf_counter() - start
    process.stdout.close()
    process.kill()
    process.wait()
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return time.perf_counter() - start, first, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def environment() -> dict[str, str]:
    """The environment of both tools."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}


def output(command: list[str], cwd: Path) -> str:
    """The hash of what a command prints."""
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())
    assert process.stdout is not None
    found = hashlib.file_digest(process.stdout, "sha256").hexdigest()
    process.wait()
    return found


def segment(work: Path, shape: str, mib: int) -> Path:
    """The folder with a segment of that shape."""
    folder = work / f"{shape}-{mib}"
    folder.mkdir(exist_ok=True)
    if not (folder / SEGMENT).exists():
        command = [sys.executable, "-m", "benchmarks.generate", shape, str(mib), str(folder / SEGMENT)]
        subprocess.run(command, check=True, cwd=ROOT, env=environment())
    return folder


def beside_the_real_tool(given: argparse.Namespace, work: Path) -> None:
    """Run all cases and print a table."""
    print("| case | real tool s | kafkalog s | ratio | ratio of CPU | wanted | first line, ours / theirs | peak MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for name, shape, mib, common, own, wanted, release in (case for case in CASES if given.only in case.name):
        folder = segment(work, shape, mib)
        files = ["--files", SEGMENT, *common]
        main_class = ("org.apache." if release >= "4" else "") + "kafka.tools.DumpLogSegments"
        theirs = ["java", "-Xmx512m", "-cp", jars(given.jars, work, release), main_class, *files]
        ours = [sys.executable, "-m", "kafkalog", "dump", "--kafka-version", release, *files, *own]
        assert own[:1] == ["--format"] or output(ours, folder) == output(theirs, folder), f"{name}: the outputs differ"
        rows = [(timed(theirs, folder), timed(ours, folder)) for _ in range(given.rounds)]
        ratio = statistics.median(their[0] / mine[0] for their, mine in rows)
        cpu = statistics.median(their[3] / mine[3] for their, mine in rows)
        first = statistics.median(mine[1] / their[1] for their, mine in rows)
        them, us = (statistics.median(row[side][0] for row in rows) for side in (0, 1))
        peak = max(mine[2] for _, mine in rows)
        print(
            f"| {name} | {them:.2f} | {us:.2f} | {ratio:.2f} | {cpu:.2f} | {wanted:.1f} | {first:.2f} | {peak:.0f} |",
            flush=True,
        )


def beside_text(given: argparse.Namespace, work: Path) -> None:
    """Every form of every shape: its speed as a part of that of text, pairs in turn."""
    print("| shape | form | µs/record | beside text | wanted |")
    print("|---|---|---|---|---|")
    for shape in (shape for shape in SHAPES if given.only in shape):
        folder = segment(work, shape, given.mib)
        records = count_records(folder / SEGMENT)
        ways = {shape: ("--no-decode", list(FORMS))}
        if shape in _DECODERS:
            ways[f"{shape}, decoded"] = (f"--{_DECODERS[shape]}-decoder", ["text", "jsonl", "jsonl text"])
        for name, (how, forms) in ways.items():
            ours = [sys.executable, "-m", "kafkalog", "dump", how, SEGMENT]
            for form in forms:
                options, wanted = FORMS[form]
                rows = [(timed([*ours, *_TEXT], folder)[3], timed([*ours, *options], folder)[3]) for _ in range(given.rounds)]
                ratio = statistics.median(text / mine for text, mine in rows)
                each = min(mine for _, mine in rows) / records * 1e6
                print(f"| {name} | {form} | {each:.2f} | {ratio:.2f} | {wanted:.1f} |", flush=True)


def count_records(path: Path) -> int:
    """How many records a segment has."""
    from kafkalog.core.log import walk
    from kafkalog.files.source import FileSource

    with FileSource(str(path)) as source:
        return sum(batch.header.records_count for batch in walk(source))


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jars")
    parser.add_argument("--work", default=os.path.join(tempfile.gettempdir(), "kafkalog-benchmarks"))
    parser.add_argument("--only", default="")
    parser.add_argument("--forms", action="store_true")
    parser.add_argument("--mib", type=int, default=16)
    given = parser.parse_args()
    work = Path(given.work)
    work.mkdir(parents=True, exist_ok=True)
    (beside_text if given.forms else beside_the_real_tool)(given, work)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


if __name__ == "__main__":
    main()
