"""What identity's actions work with, put together once per process by `app`."""

from __future__ import annotations

from dataclasses import dataclass

from services.identity.passwords import Passwords
from services.identity.settings import Settings
from services.identity.signing import KeyRing, Signer
from services.identity.vault import Vault
from shared.process import Runtime


@dataclass(frozen=True, slots=True)
class Context:
    """The runtime and identity's own instruments."""

    run: Runtime
    settings: Settings
    vault: Vault
    passwords: Passwords
    ring: KeyRing

    @classmethod
    def of(cls, run: Runtime) -> Context:
        """Raises VaultError, with the remedy, where no usable identity key is set."""
        settings: Settings = run.settings
        vault = Vault(settings.identity_key.get_secret_value())
        ring = KeyRing(run.worker_db, vault, run.clock, settings.signing_key_days)
        return cls(run, settings, vault, Passwords(settings), ring)

    async def signer(self) -> Signer:
        """The signer of now. Ask before a transaction is opened: it may need a connection of its own."""
        return Signer(await self.ring.signing(), self.settings.identity_issuer, self.run.clock)
