"""`python -m deploy.embedded --state DIR`: a pair for tests and experiments, until it is told to stop.

Prints one JSON line with `admin_dsn` and `kafka_bootstrap` when both answer. Stops both, cleanly, on SIGTERM, on
SIGINT, and with --until-eof as soon as standard input ends: a caller that dies takes its pair with it.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
from pathlib import Path

from deploy.embedded.errors import SetupError
from deploy.embedded.kafka import KafkaServer
from deploy.embedded.postgres import PostgresServer
from deploy.embedded.process import Running, free_port


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.embedded", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="directory for data and logs, made when missing")
    parser.add_argument("--postgres-port", type=int, default=0, help="0: any free port")
    parser.add_argument("--kafka-port", type=int, default=0, help="0: any free port")
    parser.add_argument("--controller-port", type=int, default=0, help="0: any free port")
    parser.add_argument("--unsynced", action="store_true", help="PostgreSQL waits for no disk: for data of minutes")
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    asked = parser.parse_args()

    wake_read, wake_write = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(wake_write, b"x") and None)
    watched = [wake_read, sys.stdin.fileno()] if asked.until_eof else [wake_read]
    try:
        run_pair(asked, watched)
    except SetupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def run_pair(asked: argparse.Namespace, watched: list[int]) -> None:
    """Start both, announce them, wait until one of the `watched` descriptors has news or a server dies, stop both."""
    asked.state.mkdir(parents=True, exist_ok=True)
    settings = {"fsync": "off"} if asked.unsynced else {}
    postgres = PostgresServer(asked.state / "postgres", asked.postgres_port or free_port(), settings=settings)
    kafka = KafkaServer(
        asked.state / "kafka", asked.kafka_port or free_port(), asked.controller_port or free_port(),
        report=lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    running: list[Running] = []
    try:
        for server in (kafka, postgres):
            server.prepare()
            running.append(Running(server, asked.state / f"{server.name.lower()}.log"))
        for process in running:
            process.wait_ready()
        sys.stdout.write(json.dumps({"admin_dsn": postgres.url(), "kafka_bootstrap": kafka.bootstrap}) + "\n")
        sys.stdout.flush()
        while not select.select(watched, [], [], 1.0)[0]:
            dead = next((one for one in running if one.process.poll() is not None), None)
            if dead:
                raise SetupError(f"{dead.server.name} died", f"see {dead.log_file}")
    finally:
        for process in running:
            process.stop()


if __name__ == "__main__":
    sys.exit(main())
