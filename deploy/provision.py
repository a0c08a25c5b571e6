"""Brings a PostgreSQL and a Kafka to what this release needs: database, roles, schemas, migrations, topics.

`python -m deploy.provision` is the one-shot step before the services start, in containers and without; running it
again changes nothing. From the environment: ORDERTRAIL_ADMIN_DATABASE_URL, ORDERTRAIL_KAFKA_BOOTSTRAP_SERVERS,
ORDERTRAIL_TOPIC_PREFIX, ORDERTRAIL_TOPIC_PARTITIONS, ORDERTRAIL_TOPIC_REPLICATION and
ORDERTRAIL_DB_PASSWORD_<role without its prefix>; each may also be a file of that name, in lower case, in
ORDERTRAIL_SECRETS_DIR.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from contracts.topics import TOPICS
from deploy.embedded.errors import SetupError
from shared.kafka import create_topics
from shared.kafka.topics import TopicError
from shared.postgres.migrate import SCHEMAS, MigrationError, app_role, bootstrap, migrate, worker_role

SERVICES = Path(__file__).parents[1] / "services"
ADMIN_URL = "ORDERTRAIL_ADMIN_DATABASE_URL"
KAFKA = "ORDERTRAIL_KAFKA_BOOTSTRAP_SERVERS"
# as many as processes of a role may share the work; each costs every fetch of every consumer a little
MOST_PARTITIONS = 100
MOST_REPLICAS = 9


async def provision(admin_url: str, passwords: dict[str, str], kafka: str, topic_prefix: str = "") -> list[str]:
    """Do all of it and return what was new, for the log. Raises SetupError, MigrationError or TopicError."""
    replication = _number("ORDERTRAIL_TOPIC_REPLICATION", MOST_REPLICAS) or 1
    partitions = _number("ORDERTRAIL_TOPIC_PARTITIONS", MOST_PARTITIONS)
    new = [f"database {name}" for name in await _create_database(admin_url)]
    await bootstrap(admin_url, passwords)
    for service, schema in SCHEMAS.items():
        directory = SERVICES / service / "migrations"
        new += [f"{schema}: {name}" for name in await migrate(admin_url, service, schema, directory)]
    created = await create_topics(kafka, TOPICS, prefix=topic_prefix, replication=replication, partitions=partitions)
    return new + [f"topic {name}" for name in created]


def _number(name: str, most: int) -> int | None:
    """A whole number from 1 to `most`; None where it is not set."""
    value = _setting(name, "")
    if value and not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= most):
        raise SetupError(f"{name} is {value[:40]!r}", f"give a whole number from 1 to {most}, or leave it out")
    return int(value) if value else None


async def _create_database(admin_url: str) -> list[str]:
    parts = urlsplit(admin_url)
    name = parts.path.lstrip("/")
    try:
        await (await asyncpg.connect(admin_url, timeout=10)).close()
    except asyncpg.InvalidCatalogNameError:
        server = await asyncpg.connect(urlunsplit(parts._replace(path="/postgres")), timeout=10)
        try:
            await server.execute(f"CREATE DATABASE {await server.fetchval('SELECT quote_ident($1)', name)}")
        finally:
            await server.close()
        return [name]
    except asyncpg.InvalidPasswordError as error:
        raise SetupError(f"PostgreSQL refuses the administrator: {error}", f"check {ADMIN_URL}") from error
    except (OSError, asyncpg.PostgresError) as error:
        where = f"{parts.hostname}:{parts.port or 5432}"
        raise SetupError(f"no PostgreSQL at {where}: {error}", f"start it, or check {ADMIN_URL}") from error
    return []


def _setting(name: str, default: str | None = None) -> str:
    """From the environment, else from the secrets folder; `default` None means it has to be there."""
    value = os.environ.get(name)
    folder = os.environ.get("ORDERTRAIL_SECRETS_DIR")
    if not value and folder and (file := Path(folder) / name.lower()).exists():
        value = file.read_text().strip()
    if not value and default is None:
        raise SetupError(
            f"{name} is not set", "set it, or put a file of that name, lower case, into the secrets folder"
        )
    return value or default or ""


def _passwords() -> dict[str, str]:
    roles = [role for service in SCHEMAS for role in (app_role(service), worker_role(service))]
    prefix = "ordertrail_"
    return {role: _setting(f"ORDERTRAIL_DB_PASSWORD_{role.removeprefix(prefix).upper()}") for role in roles}


def main() -> int:
    """Provision from the environment; one line per new thing, or one line of what is wrong."""
    try:
        new = asyncio.run(
            provision(_setting(ADMIN_URL), _passwords(), _setting(KAFKA), _setting("ORDERTRAIL_TOPIC_PREFIX", ""))
        )
    except (SetupError, MigrationError, TopicError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in new) or "everything was there already\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
