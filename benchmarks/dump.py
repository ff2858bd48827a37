"""`kafkalog dump` beside the real tool, in turn, on the same bytes.

    python -m benchmarks.dump [--rounds 5] [--jars DIR] [--work DIR] [--only TEXT]

Whole processes, output to /dev/null; each pair runs in turn (A B A B …) and the median of the ratios counts, of the time on
the clock and of the CPU time. `--only` takes the cases with this text in their names. DIR holds the jars of Kafka 3.9.1;
without --jars they are fetched by Maven.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RELEASE = "3.9.1"
SEGMENT = "00000000000000000000.log"

#: name, shape, MiB, options of both, options of kafkalog, the ratio that is wanted
CASES = (
    ("record lines, 100 B values, 512 MiB, one process", "values100", 512, ["--print-data-log"], [], 2.0),
    ("record lines, 100 B values, 512 MiB, --jobs 2", "values100", 512, ["--print-data-log"], ["--jobs", "2"], 4.0),
    ("record lines, 1 KiB values, 128 MiB", "values1k", 128, ["--print-data-log"], [], 3.0),
    ("record lines, zstd, 128 MiB raw", "zstd", 128, ["--print-data-log"], [], 2.0),
    ("batch lines, 512 MiB", "values100", 512, [], [], 3.0),
    ("two headers a record, 64 MiB", "headers", 64, ["--print-data-log"], [], 2.0),
    ("two headers a record, 64 MiB, as JSON lines", "headers", 64, ["--print-data-log"], ["--format", "jsonl"], 2.0),
    ("two headers a record, some nulls, 64 MiB", "nulls", 64, ["--print-data-log"], [], 2.0),
)


def jars(given: str | None, work: Path) -> str:
    """Class path of the real tool."""
    if given:
        return f"{given}/*"
    target = work / "jars"
    if not target.exists():
        project = work / "pom.xml"
        names = ("kafka_2.13", "kafka-tools")
        wanted = "".join(
            f"<dependency><groupId>org.apache.kafka</groupId><artifactId>{name}</artifactId><version>{RELEASE}</version></dependency>"
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


def main() -> None:
    """Run all cases and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jars")
    parser.add_argument("--work", default=os.path.join(tempfile.gettempdir(), "kafkalog-benchmarks"))
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    work = Path(given.work)
    work.mkdir(parents=True, exist_ok=True)
    java = ["java", "-Xmx512m", "-cp", jars(given.jars, work), "kafka.tools.DumpLogSegments"]
    ours = [sys.executable, "-m", "kafkalog", "dump", "--kafka-version", RELEASE]
    print("| case | real tool s | kafkalog s | ratio | ratio of CPU | wanted | first line, ours / theirs | peak MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for name, shape, mib, common, own, wanted in (case for case in CASES if given.only in case[0]):
        folder = work / f"{shape}-{mib}"
        folder.mkdir(exist_ok=True)
        if not (folder / SEGMENT).exists():
            subprocess.run(
                [sys.executable, "-m", "benchmarks.generate", shape, str(mib), str(folder / SEGMENT)],
                check=True, cwd=ROOT, env=environment(),
            )  # fmt: skip
        rows = []
        for _ in range(given.rounds):
            rows.append(
                (timed([*java, "--files", SEGMENT, *common], folder), timed([*ours, "--files", SEGMENT, *common, *own], folder))
            )
        ratio = statistics.median(theirs[0] / mine[0] for theirs, mine in rows)
        cpu = statistics.median(theirs[3] / mine[3] for theirs, mine in rows)
        first = statistics.median(mine[1] / theirs[1] for theirs, mine in rows)
        them, us = (statistics.median(row[side][0] for row in rows) for side in (0, 1))
        peak = max(mine[2] for _, mine in rows)
        print(
            f"| {name} | {them:.2f} | {us:.2f} | {ratio:.2f} | {cpu:.2f} | {wanted:.1f} | {first:.2f} | {peak:.0f} |",
            flush=True,
        )
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


if __name__ == "__main__":
    main()
