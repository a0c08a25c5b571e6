"""A real Apache Kafka (KRaft, one node) from its Maven jars, run by whatever Java there is.

Java keeps an archive of loaded classes next to the data after a clean stop; the next start takes half the time.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import uuid
from pathlib import Path
from string import Template

from deploy.embedded.cache import cache_directory
from deploy.embedded.errors import SetupError, explained
from deploy.embedded.jars import Report, class_path
from deploy.embedded.java import find_java
from deploy.embedded.process import Command, plain_environment

PROPERTIES = Path(__file__).parents[1] / "kafka" / "server.properties"
JVM_FLAGS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true",
             "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true")  # fmt: skip
FORMAT_TIMEOUT_SECONDS = 60
METADATA_REQUEST = 3
CLEAN_EXIT = 143  # the JVM's own exit code after SIGTERM


class KafkaServer:
    """Kafka with its data in `directory`/data, clients on 127.0.0.1:`port`, the controller on `controller_port`."""

    name = "Kafka"
    stop_signal = signal.SIGTERM
    start_seconds = 180.0
    stop_seconds = 60.0

    def __init__(
        self, directory: Path, port: int, controller_port: int, *, settings: dict[str, str] | None = None,
        report: Report = lambda _: None,
    ) -> None:  # fmt: skip
        self.directory = directory.absolute()
        self.port = port
        self.controller_port = controller_port
        self.settings = settings or {}
        self.data = self.directory / "data"
        self._properties = self.directory / "server.properties"
        self._java = find_java()
        self._jars = ":".join(str(path) for path in class_path(report))
        identity = f"{self._java.version}\n{self._jars}\n{JVM_FLAGS}"
        self._archive = cache_directory("classes") / f"{hashlib.sha256(identity.encode()).hexdigest()[:24]}.jsa"
        self._new_archive = self.directory / "classes.new"

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> None:
        with explained(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
            text = Template(PROPERTIES.read_text()).substitute(
                port=self.port, controller_port=self.controller_port, data=self.data
            )
            extra = "".join(f"{name}={value}\n" for name, value in self.settings.items())
            self._properties.write_text(text + extra)
            if not (self.data / "meta.properties").exists():
                shutil.rmtree(self.data, ignore_errors=True)
                self._format()

    def command(self) -> Command:
        self._new_archive.unlink(missing_ok=True)
        return Command(
            [str(self._java.path), *JVM_FLAGS, *self._archive_flags(), "-cp", self._jars, "kafka.Kafka",
             str(self._properties)],
            plain_environment(MALLOC_ARENA_MAX="2"),
        )  # fmt: skip

    def ready(self) -> bool:
        return answers("127.0.0.1", self.port)

    def stopped(self) -> None:
        """Keep the archive of classes that a clean exit wrote, for the next start of any checkout."""
        if self._new_archive.exists() and self._new_archive.stat().st_size:
            temporary = self._archive.with_suffix(f".{os.getpid()}")
            shutil.copyfile(self._new_archive, temporary)
            os.replace(temporary, self._archive)
        self._new_archive.unlink(missing_ok=True)

    def _archive_flags(self) -> list[str]:
        newer = self._java.major >= 25
        if self._archive.exists():
            return [f"-XX:{'AOTCache' if newer else 'SharedArchiveFile'}={self._archive}", "-Xlog:disable"]
        return [f"-XX:{'AOTCacheOutput' if newer else 'ArchiveClassesAtExit'}={self._new_archive}", "-Xlog:disable"]

    def _format(self) -> None:
        cluster_id = new_cluster_id()
        done = subprocess.run(
            [str(self._java.path), *JVM_FLAGS, "-cp", self._jars, "kafka.tools.StorageTool", "format", "-t", cluster_id,
             "-c", str(self._properties), "--ignore-formatted"],
            env=plain_environment(), capture_output=True, text=True, timeout=FORMAT_TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            shutil.rmtree(self.data, ignore_errors=True)
            raise SetupError(f"Kafka could not format its storage: {lines[-1][:300]}", f"see {self.directory}")


def new_cluster_id() -> str:
    """A random UUID in base64url, as Kafka writes it; like Kafka's own never with a dash in front, an option's mark."""
    while True:
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not made.startswith("-"):
            return made


def answers(host: str, port: int) -> bool:
    """Whether a metadata request names a live broker: only then can topics be created."""
    body = struct.pack("!hhih", METADATA_REQUEST, 1, 1, -1) + struct.pack("!i", 0)
    try:
        with socket.create_connection((host, port), timeout=2) as conn:
            conn.sendall(struct.pack("!i", len(body)) + body)
            answer = conn.makefile("rb").read(12)
    except OSError:
        return False
    return len(answer) == 12 and struct.unpack("!iii", answer)[2] >= 1
