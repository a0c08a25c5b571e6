"""The provisioning step beside the supervisor's loop: a process of its own, and a mark of what it last did."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time

from deploy.embedded.errors import SetupError
from deploy.embedded.installation import ROOT, Installation, named_database, write_private
from deploy.embedded.process import last_line

SECONDS = 180.0
# what decides whether there is anything to do
SOURCES = ("services/*/migrations/*.sql", "shared/postgres/mechanism.sql", "shared/postgres/migrate.py",
           "contracts/topics.py", "deploy/provision.py")  # fmt: skip


class Provisioning:
    """`python -m deploy.provision` against the installation's servers, as their administrator."""

    def __init__(self, installation: Installation, admin_url: str) -> None:
        self._installation = installation
        self._admin_url, self._database = named_database(admin_url)
        self._mark = installation.run / "provisioned"
        self._log = installation.logs / "provision.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline = 0.0

    @property
    def done_before(self) -> bool:
        """Whether this release was provisioned here already: then services need not wait for it."""
        return self._mark.exists() and self._mark.read_text() == fingerprint()

    def start(self) -> None:
        """Write the addresses that services and tools read, and start the process."""
        secrets = self._installation.secrets
        secrets.write_database_urls(self._admin_url.rpartition("@")[2].partition("/")[0], self._database)
        secrets.write("migrate", "ordertrail_admin_database_url", self._admin_url)
        secrets.write_role_passwords("migrate")
        self._installation.write_addresses(self._admin_url)
        environment = self._installation.service_environment("migrate")
        with self._log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deploy.provision"], cwd=ROOT, env=environment, stdout=file, stderr=file
            )
        self._deadline = time.monotonic() + SECONDS

    def finished(self) -> bool:
        """Whether it is over. Raises SetupError when it failed or takes too long."""
        if self._process is None:
            return False
        if self._process.poll() is None:
            if time.monotonic() > self._deadline:
                self.stop()
                raise SetupError(f"provisioning was not done after {SECONDS:.0f} s", f"see {self._log}")
            return False
        if self._process.returncode:
            raise SetupError(f"provisioning failed: {last_line(self._log)}", f"see {self._log}")
        write_private(self._mark, fingerprint())
        return True

    def stop(self) -> None:
        """Kill it; each migration is one transaction, so the next start goes on where it was."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def fingerprint() -> str:
    """A hash of everything that provisioning reads."""
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()
