"""The installation's secrets: random, made once, files that only their reader may read.

`SERVICE_KEYS` says what each service needs besides its database addresses. Containers make them with
`python -m deploy.secrets DIRECTORY`; there each service has a user of its own, and its folder belongs to that group.
`--put` writes a secret that somebody else has made, `--rotate` and `--retire` exchange one that is ours.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from deploy.embedded.errors import SetupError, explained
from shared.postgres.migrate import SCHEMAS, app_role, worker_role

KEY_BYTES = 32


def _key_ring() -> str:
    """A ring of one new key, `id:base64`; keys that are added later go before it."""
    return f"k1:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


# by service: file name (the setting's environment variable in lower case) and what makes its value
SERVICE_KEYS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "webhook": {"ordertrail_webhook_secret_keys": _key_ring},
    "identity": {"ordertrail_identity_key": lambda: secrets.token_urlsafe(KEY_BYTES)},
    "console": {"ordertrail_console_session_keys": _key_ring},
}
# rings that several services have: notification writes reply addresses, messaging reads them
SHARED_KEYS: Mapping[str, tuple[str, ...]] = {"ordertrail_reply_keys": ("notification", "messaging")}
# the rings, newest key first, by the folders that they are in
RINGS: Mapping[str, tuple[str, ...]] = {
    **{name: (service,) for service, made in SERVICE_KEYS.items() for name in made},
    **SHARED_KEYS,
}
PASSWORDS = "database-passwords"
PASSWORD_BYTES = 24
DATABASE = "ordertrail"


class Secrets:
    """The secrets below `directory`: roles/<role>, <service>/<setting>, demo/password.

    `groups` maps a folder's name to the group that may read it; without it only the owner may read anything.
    """

    def __init__(self, directory: Path, groups: Mapping[str, int] | None = None) -> None:
        self.directory = directory
        self._groups = groups or {}

    def ensure(self) -> None:
        """Make what is missing, keep what is there. Raises SetupError where the disk refuses."""
        with explained(self.directory):
            self.make_folder()
            for role in self._roles():
                self.keep("roles", role, secrets.token_urlsafe(PASSWORD_BYTES))
            for service, made in SERVICE_KEYS.items():
                for name, make in made.items():
                    self.keep(service, name, make())
            for name, services in SHARED_KEYS.items():
                self.keep(services[0], name, _key_ring())
                for service in services[1:]:
                    self.write(service, name, self.read(services[0], name))
            self.keep("demo", "password", secrets.token_urlsafe(9))

    def make_folder(self) -> None:
        """The folder of all folders, where there is none yet."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o711 if self._groups else 0o700)

    def keep(self, folder: str, name: str, value: str) -> None:
        """Write a secret unless it exists."""
        if not (self.directory / folder / name).exists():
            self.write(folder, name, value)

    def write(self, folder: str, name: str, value: str) -> None:
        """Write a secret in one step, under its final mode and group."""
        group = self._groups.get(folder)
        place = self.directory / folder
        place.mkdir(exist_ok=True, mode=0o700)
        temporary = place / f".{name}.{os.getpid()}"
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(value)
        if group is not None:
            os.chown(place, -1, group)
            place.chmod(0o750)
            os.chown(temporary, -1, group)
            temporary.chmod(0o440)
        os.replace(temporary, place / name)

    def read(self, folder: str, name: str) -> str:
        return (self.directory / folder / name).read_text().strip()

    def rotate(self, what: str) -> None:
        """A new key before the others of a ring, which go on opening; or new passwords for every database role."""
        if what == PASSWORDS:
            for role in self._roles():
                self.write("roles", role, secrets.token_urlsafe(PASSWORD_BYTES))
            return
        keys = self._ring(what)
        new = _key_ring().partition(":")[2] if ":" in keys[0] else secrets.token_urlsafe(KEY_BYTES)
        # an id is not used again: what a retired key has sealed would be taken for the new one's
        last = max((int(n) for key in keys if (n := key.partition(":")[0][1:]).isdigit()), default=0)
        self._write_ring(what, [f"k{last + 1}:{new}" if ":" in keys[0] else new, *keys])

    def retire(self, what: str) -> None:
        """Keep the newest key of a ring alone: what the others have sealed does not open any more."""
        self._write_ring(what, self._ring(what)[:1])

    def _ring(self, name: str) -> list[str]:
        folder = RINGS[name][0]
        try:
            return self.read(folder, name).split(",")
        except FileNotFoundError:
            raise SetupError(
                f"there is no {folder}/{name} in {self.directory}", "it is made at the first start; check the folder"
            ) from None

    def _write_ring(self, name: str, keys: list[str]) -> None:
        for folder in RINGS[name]:
            self.write(folder, name, ",".join(keys))

    def write_database_urls(self, address: str, database: str = DATABASE) -> None:
        """Give each service the addresses of its two roles; `address` is host:port, optionally with ?options."""
        host, _, options = address.partition("?")
        for service in SCHEMAS:
            for role, setting in ((app_role(service), "database_url"), (worker_role(service), "worker_database_url")):
                url = f"postgresql://{role}:{quote(self.read('roles', role))}@{host}/{database}"
                self.write(service, f"ordertrail_{setting}", f"{url}?{options}" if options else url)

    def write_role_passwords(self, folder: str) -> None:
        """Copies for whoever makes the roles, each named like its environment variable."""
        for role, password in self.role_passwords().items():
            self.write(folder, f"ordertrail_db_password_{role.removeprefix('ordertrail_')}", password)

    def role_passwords(self) -> dict[str, str]:
        """Password by role name, as `shared.postgres.migrate.bootstrap` wants them."""
        return {role: self.read("roles", role) for role in self._roles()}

    @staticmethod
    def _roles() -> list[str]:
        return [role for service in SCHEMAS for role in (app_role(service), worker_role(service))]


def _put(secrets_: Secrets, place: str, value: str) -> None:
    folder, _, name = place.partition("/")
    if folder not in (*SCHEMAS, "console") or not re.fullmatch(r"ordertrail_[a-z0-9_]+", name):
        sys.exit(f"--put takes SERVICE/ordertrail_<setting>, not {place}")
    if not value:
        sys.exit(f"there is nothing on standard input to be {place}")
    # before the first start too: half a provider would stop it
    secrets_.make_folder()
    secrets_.write(folder, name, value)


def main() -> None:
    """Make all secrets of a container installation, the administrator's included."""
    parser = argparse.ArgumentParser(prog="python -m deploy.secrets", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--database", default="postgres:5432", help="host:port of PostgreSQL")
    parser.add_argument("--group", action="append", default=[], metavar="FOLDER=GID", help="who may read a folder")
    parser.add_argument("--put", metavar="FOLDER/NAME", help="write one secret, read from standard input, and no other")
    parser.add_argument("--rotate", choices=[*RINGS, PASSWORDS], help="a new key before the others, or new passwords")
    parser.add_argument("--retire", choices=list(RINGS), help="drop all keys but the newest")
    asked = parser.parse_args()
    groups = {folder: int(gid) for folder, _, gid in (pair.partition("=") for pair in asked.group)}
    made = Secrets(asked.directory, groups)
    if asked.put:
        _put(made, asked.put, sys.stdin.read().strip())
        return
    try:
        if asked.rotate or asked.retire:
            made.rotate(asked.rotate) if asked.rotate else made.retire(asked.retire)
            return
        _make(made, asked.database)
    except SetupError as error:
        sys.exit(str(error))


def _make(made: Secrets, database: str) -> None:
    made.ensure()
    made.keep("postgres", "password", secrets.token_urlsafe(PASSWORD_BYTES))
    administrator = f"postgresql://postgres:{quote(made.read('postgres', 'password'))}@{database}/{DATABASE}"
    made.write("migrate", "ordertrail_admin_database_url", administrator)
    made.write_role_passwords("migrate")
    made.write_database_urls(database)


if __name__ == "__main__":
    main()
