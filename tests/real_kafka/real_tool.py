"""Kafka of any release, by Maven, and its DumpLogSegments."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kafkalog.core.release import Release


_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>kafkalog</groupId>
<artifactId>tests</artifactId><version>1</version><dependencies>{dependencies}</dependencies></project>"""


def numbers(release: str) -> Release:
    """A release as numbers, whether kafkalog knows it or not: the tests are asked about new ones."""
    return tuple(map(int, release.split(".")))


@cache
def class_path(release: str) -> str:
    """The jars of a release; fetched once, kept in KAFKALOG_JARS or the temporary folder."""
    if not (shutil.which("java") and shutil.which("mvn")):
        pytest.skip("java and mvn are needed")
    number = numbers(release)
    scala = "2.13" if number >= (3, 0) else "2.12" if number >= (1, 1) else "2.11"
    folder = Path(os.environ.get("KAFKALOG_JARS") or Path(tempfile.gettempdir()) / "kafkalog-jars") / release
    wanted = [("org.apache.kafka", f"kafka_{scala}", release)]
    if number < (2, 8):
        # Before, a binding for the logs was not among the dependencies, and ZooKeeper does not come up without.
        wanted.append(("org.slf4j", "slf4j-log4j12", "1.7.25"))
    if number < (1,):
        wanted.append(("javax.xml.bind", "jaxb-api", "2.3.1"))
    if (2, 0) <= number < (2, 5):
        # The one that these came with cannot find its server with a Java from 14 on.
        wanted.append(("org.apache.zookeeper", "zookeeper", "3.4.10" if number < (2, 4) else "3.5.9"))
    if number >= (2, 6):
        wanted.append(("org.apache.kafka", "kafka-tools", release))
    if number >= (4, 0):
        # Since 4.0 a binding for the logs is not among the dependencies, and a broker tells its state there.
        wanted += [("org.apache.logging.log4j", name, "2.25.1") for name in ("log4j-slf4j-impl", "log4j-core")]
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
        for group, name, version in wanted
    )
    _fetch(folder, _POM.format(dependencies=dependencies))
    return f"{folder}/*"


def _fetch(folder: Path, text: str) -> None:
    """Bring the jars of a project into a folder, unless they are there; one process of the test run at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    project = folder / "pom.xml"
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stale = project.exists() and project.read_text() != text
        if stale or not list(folder.glob("kafka_*.jar")):
            project.write_text(text)
            subprocess.run(
                ["mvn", "-q", "-B", "-f", str(project), "dependency:copy-dependencies", f"-DoutputDirectory={folder}",
                 "-DincludeScope=runtime"],
                check=True, stdin=subprocess.DEVNULL,
            )  # fmt: skip


def real_dump(release: str, arguments: list[str], directory: str) -> tuple[int, bytes, str]:
    """Exit status, stdout and stderr of the real tool, logger lines left out."""
    name = "org.apache.kafka.tools.DumpLogSegments" if numbers(release) >= (4, 3) else "kafka.tools.DumpLogSegments"
    environment = {**os.environ, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    done = subprocess.run(
        ["java", "-Xmx700m", "-Dfile.encoding=UTF-8", "-cp", class_path(release), name, *arguments],
        cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    noise = ("SLF4J", "log4j:", "WARNING:", "StatusLogger", "ERROR StatusLogger")
    said = [
        line
        for line in done.stderr.decode().splitlines(keepends=True)
        if not line.startswith(noise) and "StatusLogger" not in line
    ]
    return done.returncode, done.stdout, "".join(said)
