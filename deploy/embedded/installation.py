"""One local installation: where its files are, which ports it uses, what its processes are told.

Ports and outside servers come from the environment or from `.env`: ORDERTRAIL_<NAME>_PORT, DATABASE_URL (an
administrator's), KAFKA_BOOTSTRAP_SERVERS. Everything that is written is written below `run`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from deploy.embedded.errors import SetupError, explained
from deploy.secrets import DATABASE, Secrets

ROOT = Path(__file__).parents[2]
LOOPBACK = "127.0.0.1"
SERVICE_PORTS = {
    "console": 8000,
    "order": 8001,
    "notification": 8002,
    "messaging": 8003,
    "reporting": 8004,
    "webhook": 8005,
    "identity": 8006,
}
# Below 32768, where outgoing connections get their ports from; not the usual ones, which are often taken.
OTHER_PORTS = {"postgres": 25432, "kafka": 29092, "kafka_controller": 29093, "smtp": 1025, "reply": 1026,
               "mailbox": 8025}  # fmt: skip
# A secret reaches a service as a file of its own folder, whatever the shell that called has in its environment.
NOT_PASSED_ON = ("ORDERTRAIL_DATABASE_URL", "ORDERTRAIL_WORKER_DATABASE_URL", "ORDERTRAIL_ADMIN_", "ORDERTRAIL_DB_",
                 "ORDERTRAIL_DEMO_", "ORDERTRAIL_TEST_")  # fmt: skip


@dataclass(frozen=True)
class Installation:
    """Paths, ports and outside servers of an installation; reading it touches nothing."""

    run: Path
    ports: Mapping[str, int]
    given_database_url: str | None = None
    given_kafka: str | None = None
    passed_on: Mapping[str, str] = field(default_factory=dict)
    services: tuple[str, ...] = tuple(SERVICE_PORTS)

    @classmethod
    def current(cls) -> Installation:
        """The one of this checkout, as the environment and `.env` describe it. Raises SetupError."""
        settings = {**read_env_file(ROOT / ".env"), **os.environ}
        return cls(
            run=Path(settings.get("ORDERTRAIL_RUN_DIR") or ROOT / ".run").absolute(),
            ports={name: _port(settings, name, default) for name, default in {**SERVICE_PORTS, **OTHER_PORTS}.items()},
            given_database_url=settings.get("DATABASE_URL") or None,
            given_kafka=settings.get("KAFKA_BOOTSTRAP_SERVERS") or None,
            services=_services(settings),
            passed_on={
                name: value
                for name, value in settings.items()
                if name.startswith(("ORDERTRAIL_", "OTEL_")) and not name.startswith(NOT_PASSED_ON)
            },
        )

    @property
    def secrets(self) -> Secrets:
        return Secrets(self.run / "secrets")

    @property
    def logs(self) -> Path:
        return self.run / "logs"

    @property
    def kafka(self) -> str:
        return self.given_kafka or f"{LOOPBACK}:{self.ports['kafka']}"

    def url(self, service: str) -> str:
        """Address of a service's HTTP API, of the console, or of the mailbox page."""
        return f"http://{LOOPBACK}:{self.ports[service]}"

    def public_url(self, service: str) -> str:
        """As the outside knows it: ORDERTRAIL_<SERVICE>_URL where a proxy stands in front, else the same as `url`."""
        return self.passed_on.get(f"ORDERTRAIL_{service.upper()}_URL") or self.url(service)

    @property
    def outside_only(self) -> bool:
        """Whether passwords count no longer, which those of the demo have."""
        return self.passed_on.get("ORDERTRAIL_OIDC_ONLY", "").strip().lower() in ("true", "1", "yes", "on", "t", "y")

    def make_directories(self) -> None:
        with explained(self.run):
            self.run.mkdir(parents=True, exist_ok=True, mode=0o711)
            self.logs.mkdir(exist_ok=True, mode=0o700)

    def write_addresses(self, admin_url: str) -> None:
        """`run`/stack.json, for tools that work on the running installation; it names the administrator: 0600."""
        described = {
            "services": {name: self.url(name) for name in SERVICE_PORTS},
            "mailbox": self.url("mailbox"),
            "smtp": f"{LOOPBACK}:{self.ports['smtp']}",
            "kafka": self.kafka,
            "admin_database_url": admin_url,
            "secrets": str(self.secrets.directory),
        }
        write_private(self.run / "stack.json", json.dumps(described, indent=2) + "\n")

    def service_environment(self, service: str) -> dict[str, str]:
        """The whole environment of a service's process, or of `migrate`: secrets are not in it, but files."""
        own = {
            "ORDERTRAIL_SECRETS_DIR": str(self.secrets.directory / service),
            "ORDERTRAIL_KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "ORDERTRAIL_HTTP_HOST": LOOPBACK,
            "ORDERTRAIL_HTTP_PORT": str(self.ports.get(service, 0)),
            # a name in tokens; the keys are fetched on this machine
            "ORDERTRAIL_IDENTITY_ISSUER": self.passed_on.get("ORDERTRAIL_IDENTITY_ISSUER") or self.url("identity"),
            "ORDERTRAIL_JWKS_URL": f"{self.url('identity')}/.well-known/jwks.json",
            "ORDERTRAIL_SMTP_HOST": LOOPBACK,
            "ORDERTRAIL_SMTP_PORT": str(self.ports["smtp"]),
            "ORDERTRAIL_REPLY_LISTEN": f"{LOOPBACK}:{self.ports['reply']}",
            "ORDERTRAIL_REPLY_DOMAIN": "reply.ordertrail.example",
            **{f"ORDERTRAIL_{name.upper()}_URL": self.url(name) for name in SERVICE_PORTS},
            "ORDERTRAIL_CONSOLE_URL": self.public_url("console"),
            # two arenas instead of eight per core: a fifth less memory, and these processes hardly use threads
            "MALLOC_ARENA_MAX": "2",
            "PYTHONUNBUFFERED": "1",
        }
        if service == "notification":
            # where one click in a mail leads; to the others it is an address to call
            own["ORDERTRAIL_NOTIFICATION_URL"] = self.public_url("notification")
        basics = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ", "TMPDIR") if name in os.environ}
        return {**basics, **self.passed_on, **own}


def named_database(url: str) -> tuple[str, str]:
    """`url` with the database that this installation uses (its own, if it names one), and that name."""
    parts = urlsplit(url)
    name = parts.path.lstrip("/")
    name = DATABASE if name in ("", "postgres") else name
    return urlunsplit(parts._replace(path=f"/{name}")), name


def read_env_file(path: Path) -> dict[str, str]:
    """NAME=value lines, as Compose reads them; comments and empty lines are skipped."""
    if not path.exists():
        return {}
    values = {}
    for line in path.read_text().splitlines():
        name, separator, value = line.strip().partition("=")
        if separator and not name.startswith("#"):
            values[name.strip()] = value.strip().strip("\"'")
    return values


def write_private(path: Path, text: str) -> None:
    """Replace `path` in one step by a file that only we may read."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with explained(path):
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        os.replace(temporary, path)


def _services(settings: Mapping[str, str]) -> tuple[str, ...]:
    """ORDERTRAIL_SERVICES, separated by commas or spaces: start only these; all when it is empty."""
    wanted = (settings.get("ORDERTRAIL_SERVICES") or "").replace(",", " ").split()
    unknown = sorted(set(wanted) - set(SERVICE_PORTS))
    if unknown:
        raise SetupError(f"ORDERTRAIL_SERVICES names {', '.join(unknown)}", f"there are {', '.join(SERVICE_PORTS)}")
    return tuple(name for name in SERVICE_PORTS if not wanted or name in wanted)


def _port(settings: Mapping[str, str], name: str, default: int) -> int:
    variable = f"ORDERTRAIL_{name.upper()}_PORT"
    value = settings.get(variable) or str(default)
    if not value.isdigit() or not 1 <= int(value) <= 65_535:
        raise SetupError(f"{variable} is {value!r}", "it has to be a port, 1 to 65535")
    return int(value)
