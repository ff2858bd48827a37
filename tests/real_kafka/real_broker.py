"""A broker of any release in a folder of its own: its topics, what it says of the logs it loads, its readers."""

from __future__ import annotations

import random
import re
import signal
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.release import parse_release
from tests.real_kafka.real_tool import class_path

if TYPE_CHECKING:
    from collections.abc import Iterable

_CLUSTER = "AAAAAAAAAAAAAAAAAAAAAQ"
_LOADED = re.compile(r"Completed load of Log\(dir=(\S+?),.*?logStartOffset=(\d+), logEndOffset=(\d+)\)")
_LOADED_BEFORE = re.compile(
    r"(?:\[Log partition=(\S+), dir=\S+\] )?Completed load of log(?: (\S+))? with .*?"
    r"log start offset (-?\d+) and log end offset (-?\d+)"
)
_UP = re.compile(r"Kafka Server started|\[KafkaServer id=\d+\] started|\[Kafka Server \d+\], started")
_ERROR = ("ERROR There was", "ERROR Exiting", "ERROR Encountered fatal", "FATAL")
_EXCEPTION = re.compile(r"(Caused by: )?[\w.$]+(Exception|Error)\b")
_LOG4J = """log4j.rootLogger=INFO, F
log4j.appender.F=org.apache.log4j.FileAppender
log4j.appender.F.File={log}
log4j.appender.F.layout=org.apache.log4j.PatternLayout
log4j.appender.F.layout.ConversionPattern=%p %m%n
"""
_LOG4J2 = """<Configuration><Appenders><File name="F" fileName="{log}"><PatternLayout pattern="%p %m%n"/></File></Appenders>
<Loggers><Root level="info"><AppenderRef ref="F"/></Root></Loggers></Configuration>"""
_SESSION_MS = 6000
_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class Read(NamedTuple):
    """What a consumer got that began at the earliest offset; `error` is its exceptions, the outermost first.

    `handed` are the offsets of the records, as stretches without a gap (first, last).
    """

    earliest: int
    end: int
    records: int
    position: int
    stuck: bool
    error: str | None
    handed: tuple[tuple[int, int], ...] = ()


#: From the first of these on the system gives ports to outgoing connections: they may hold the port of a broker that is down
#: between two starts.
_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """Ports on which nobody listens and that no outgoing connection is given."""
    end = int(_OUTGOING.read_text().split()[0]) if _OUTGOING.exists() else 32768
    found: list[int] = []
    candidates = range(min(10_000, end // 2), end)
    while len(found) < count:
        port = random.SystemRandom().choice(candidates)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        if port not in found:
            found.append(port)
    return found


@cache
def _client_classes(release: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="kafkalog-client-"))
    source = Path(__file__).with_name("Client.java")
    subprocess.run(
        ["javac", "-nowarn", "-d", str(folder), "-cp", class_path(release), str(source)],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return folder


class Broker:
    """One broker, with its controller in the same process (or a ZooKeeper beside it); its log dirs are `<folder>/logs*`.

    Nothing happens in the background: no cleaner, no retention, no checkpoints, no deletion of `.deleted` files.
    """

    def __init__(self, release: str, folder: Path, *, log_dirs: int = 1) -> None:
        self.release = release
        self.folder = folder
        self.log_dirs = [folder / f"logs{number or ''}" for number in range(log_dirs)]
        self.log_dir = self.log_dirs[0]
        self.log = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.zookeeper: subprocess.Popen[bytes] | None = None
        self._was_killed = False
        self.kraft = parse_release(release) >= (3,)
        self.port, self._other_port = free_ports(2)
        folder.mkdir(parents=True)
        settings = {**self._settings(), **(self._kraft_settings() if self.kraft else self._zookeeper_settings())}
        (folder / "server.properties").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        (folder / "log4j.properties").write_text(_LOG4J.format(log=self.log))
        (folder / "log4j2.xml").write_text(_LOG4J2.format(log=self.log))
        if self.kraft:
            self.java("kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c", str(folder / "server.properties"))

    def _settings(self) -> dict[str, object]:
        settings: dict[str, object] = {
            "log.dirs": ",".join(map(str, self.log_dirs)), "offsets.topic.replication.factor": 1,
            "log.cleaner.enable": "false", "log.retention.ms": -1, "log.segment.delete.delay.ms": 3600000,
            "log.flush.offset.checkpoint.interval.ms": 2000000000, "num.recovery.threads.per.data.dir": 1,
            "log.flush.start.offset.checkpoint.interval.ms": 2000000000, "auto.create.topics.enable": "false",
            "replica.high.watermark.checkpoint.interval.ms": 2000000000,
        }  # fmt: skip
        if parse_release(self.release) >= (3, 8):
            settings["log.initial.task.delay.ms"] = 2000000000
        return settings

    def _kraft_settings(self) -> dict[str, object]:
        return {
            "process.roles": "broker,controller", "node.id": 1, "controller.quorum.voters": f"1@127.0.0.1:{self._other_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self._other_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}", "controller.listener.names": "CONTROLLER",
            "metadata.log.dir": self.folder / "meta",
        }  # fmt: skip

    def _zookeeper_settings(self) -> dict[str, object]:
        (self.folder / "zookeeper.properties").write_text(
            f"tickTime=2000\ndataDir={self.folder}/zookeeper\nclientPort={self._other_port}\n"
            "clientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n"
        )
        return {
            "broker.id": 1, "zookeeper.connect": f"127.0.0.1:{self._other_port}", "zookeeper.session.timeout.ms": _SESSION_MS,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port}", "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
        }  # fmt: skip

    def _command(self, main: str, *arguments: str, classes: str = "") -> list[str]:
        logging = [
            f"-Dlog4j.configuration=file:{self.folder}/log4j.properties",
            f"-Dlog4j2.configurationFile={self.folder}/log4j2.xml",
        ]
        return ["java", "-Xmx500m", *_JVM, *logging, "-cp", classes + class_path(self.release), main, *arguments]

    def java(self, main: str, *arguments: str) -> None:
        """Run one of Kafka's tools to its end."""
        done = subprocess.run(self._command(main, *arguments), capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> bool:
        """Whether it came up."""
        if not self.kraft and self.zookeeper is None:
            self._start_zookeeper()
        elif not self.kraft and self._was_killed:
            # ZooKeeper must have forgotten the one that was killed.
            time.sleep(1.5 * _SESSION_MS / 1000)
        self.log.unlink(missing_ok=True)
        command = self._command("kafka.Kafka", str(self.folder / "server.properties"))
        with (self.folder / "stdout.log").open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            if _UP.search(self.said()):
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.2)
        self.process.kill()
        self.process.wait()
        raise AssertionError("the broker does not come up")

    def _start_zookeeper(self) -> None:
        main = "org.apache.zookeeper.server.ZooKeeperServerMain"
        command = ["java", "-Xmx200m", *_JVM, "-cp", class_path(self.release), main, str(self.folder / "zookeeper.properties")]
        with (self.folder / "zookeeper.log").open("wb") as output:
            self.zookeeper = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self._other_port)).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("ZooKeeper does not come up")

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def errors(self) -> list[str]:
        """The lines that tell why it did not come up: each error with the exceptions that follow it."""
        lines = self.said().splitlines()
        errors = [number for number, line in enumerate(lines) if line.startswith(_ERROR)]
        exceptions = [number for number, line in enumerate(lines) if errors and number > errors[0] and _EXCEPTION.match(line)]
        return [lines[number] for number in sorted(errors + exceptions)]

    def loaded(self) -> dict[str, tuple[int, int]]:
        """Directory name → log start offset and log end offset, as the broker told when it had loaded them."""
        found = {Path(path).name: (int(start), int(end)) for path, start, end in _LOADED.findall(self.said())}
        for name, other, start, end in _LOADED_BEFORE.findall(self.said()):
            found[name or other] = (int(start), int(end))
        return found

    def _client(self, lines: Iterable[tuple[object, ...]], *words: str) -> None:
        classes = f"{_client_classes(self.release)}:"
        text = "".join("\t".join(map(str, line)) + "\n" for line in lines)
        # Its logger must not write into the broker's log.
        command = [word for word in self._command("Client", *words, classes=classes) if not word.startswith("-Dlog4j")]
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=False, timeout=900)
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]

    def create_topics(self, topics: Iterable[tuple[str, int, dict[str, int]]]) -> None:
        """Make topics: name, partitions, settings."""
        lines = [(name, count, ",".join(f"{key}={value}" for key, value in more.items())) for name, count, more in topics]
        self._client(lines, "create", f"127.0.0.1:{self.port}")

    def read(self, partitions: Iterable[tuple[str, int, int]]) -> dict[tuple[str, str], Read]:
        """Have consumers read partitions (topic, partition, records they can hold at most), by (directory, isolation)."""
        with tempfile.TemporaryDirectory() as scratch:
            answer = Path(scratch) / "answer"
            lines = [(topic, partition, 3 * most + 3000) for topic, partition, most in partitions]
            self._client(lines, "read", f"127.0.0.1:{self.port}", "8", str(answer))
            rows = [line.split("\t") for line in answer.read_text(errors="replace").splitlines()]
        found = {}
        for topic, partition, isolation, *told, error in rows:
            numbers = [int(one) if one else -1 for one in told[:4]]
            handed = tuple(
                (int(first), int(last)) for first, _, last in (one.partition("-") for one in told[5].split(",") if one)
            )
            read = Read(*numbers, told[4] == "true", error or None, handed)
            found[f"{topic}-{partition}", isolation.removeprefix("read_")] = read
        return found

    def stop(self, how: signal.Signals) -> None:
        """End the broker with a signal."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)
            self._was_killed = how == signal.SIGKILL

    def end(self) -> None:
        """Kill everything."""
        self.stop(signal.SIGKILL)
        if self.zookeeper is not None:
            self.zookeeper.kill()
            self.zookeeper.wait()
