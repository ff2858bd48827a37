"""A KRaft broker of any release in a folder of its own: format, start, what it says of the logs it has loaded, kill."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.kafka.real_tool import class_path

_CLUSTER = "AAAAAAAAAAAAAAAAAAAAAQ"
_LOADED = re.compile(r"Completed load of Log\(dir=(\S+), topicId=.*?logStartOffset=(\d+), logEndOffset=(\d+)\)")
_LOG4J = """log4j.rootLogger=INFO, F
log4j.appender.F=org.apache.log4j.FileAppender
log4j.appender.F.File={log}
log4j.appender.F.layout=org.apache.log4j.PatternLayout
log4j.appender.F.layout.ConversionPattern=%p %m%n
"""
_LOG4J2 = """<Configuration><Appenders><File name="F" fileName="{log}"><PatternLayout pattern="%p %m%n"/></File></Appenders>
<Loggers><Root level="info"><AppenderRef ref="F"/></Root></Loggers></Configuration>"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Broker:
    """One broker and controller in one process; its log dir is `<folder>/logs`."""

    def __init__(self, release: str, folder: Path) -> None:
        self.release = release
        self.folder = folder
        self.log_dir = folder / "logs"
        self.log = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.port, controller = free_ports(2)
        settings = {
            "process.roles": "broker,controller", "node.id": 1, "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}", "controller.listener.names": "CONTROLLER",
            "log.dirs": self.log_dir, "metadata.log.dir": folder / "meta", "offsets.topic.replication.factor": 1,
            "log.cleaner.enable": "false", "log.retention.ms": -1, "log.segment.delete.delay.ms": 3600000,
            "log.flush.offset.checkpoint.interval.ms": 2000000000, "log.initial.task.delay.ms": 2000000000,
            "log.flush.start.offset.checkpoint.interval.ms": 2000000000, "num.recovery.threads.per.data.dir": 1,
        }  # fmt: skip
        folder.mkdir(parents=True)
        (folder / "server.properties").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        (folder / "log4j.properties").write_text(_LOG4J.format(log=self.log))
        (folder / "log4j2.xml").write_text(_LOG4J2.format(log=self.log))
        self.java("kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c", str(folder / "server.properties"))

    def _command(self, main: str, *arguments: str) -> list[str]:
        logging = [
            f"-Dlog4j.configuration=file:{self.folder}/log4j.properties",
            f"-Dlog4j2.configurationFile={self.folder}/log4j2.xml",
        ]
        return ["java", "-Xmx500m", *logging, "-cp", class_path(self.release), main, *arguments]

    def java(self, main: str, *arguments: str) -> None:
        """Run one of Kafka's tools to its end."""
        done = subprocess.run(self._command(main, *arguments), capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> bool:
        """Whether it came up."""
        self.log.unlink(missing_ok=True)
        command = self._command("kafka.Kafka", str(self.folder / "server.properties"))
        with (self.folder / "stdout.log").open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if "Kafka Server started" in self.said():
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.2)
        self.process.kill()
        self.process.wait()
        raise AssertionError("the broker does not come up")

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def errors(self) -> list[str]:
        """The lines that tell why it did not come up."""
        return [line for line in self.said().splitlines() if line.startswith(("ERROR There was", "ERROR Exiting", "FATAL"))]

    def loaded(self) -> dict[str, tuple[int, int]]:
        """Directory name → log start offset and log end offset, as the broker told when it had loaded them."""
        return {Path(path).name: (int(start), int(end)) for path, start, end in _LOADED.findall(self.said())}

    def create_topic(self, name: str, partitions: int, **settings: int) -> None:
        configs = [word for key, value in settings.items() for word in ("--config", f"{key.replace('_', '.')}={value}")]
        self.java(
            "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", f"127.0.0.1:{self.port}", "--create",
            "--topic", name, "--partitions", str(partitions), "--replication-factor", "1", *configs,
        )  # fmt: skip

    def stop(self, how: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)
