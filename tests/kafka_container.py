"""testcontainers' Kafka container for the `apache/kafka` image, which it does not know."""

from __future__ import annotations

import shlex
from typing import Any

from testcontainers.core.container import DockerContainer

from deploy.embedded.kafka import answers
from deploy.embedded.process import wait_until

CLIENT_PORT = 9092
START_SECONDS = 60


class ApacheKafkaContainer(DockerContainer):
    """One KRaft node that advertises the host port Docker chose for it.

    The port is known only once the container runs, so the container first waits for a file that says it.
    """

    def __init__(self, image: str, host_port: Any) -> None:
        super().__init__(image)
        self.ports[str(CLIENT_PORT)] = host_port
        script = "until [ -f /tmp/env ]; do sleep 0.1; done; . /tmp/env; exec /etc/kafka/docker/run"
        self.with_command(["bash", "-c", script])
        for name, value in {
            "KAFKA_NODE_ID": "1",
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
            "KAFKA_LISTENERS": f"PLAINTEXT://0.0.0.0:{CLIENT_PORT},CONTROLLER://localhost:9093",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "3",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "3",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
            "KAFKA_HEAP_OPTS": "-Xmx256m",
        }.items():
            self.with_env(name, value)

    def get_bootstrap_server(self) -> str:
        return f"{self.get_container_host_ip()}:{self.get_exposed_port(CLIENT_PORT)}"

    def start(self) -> ApacheKafkaContainer:
        super().start()
        export = f"export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://{self.get_bootstrap_server()}"
        self.exec(["bash", "-c", f"echo {shlex.quote(export)} > /tmp/env.new && mv /tmp/env.new /tmp/env"])
        host, port = self.get_container_host_ip(), int(self.get_exposed_port(CLIENT_PORT))
        if not wait_until(lambda: answers(host, port), START_SECONDS):
            raise TimeoutError(f"Kafka did not answer in its container within {START_SECONDS} s")
        return self
