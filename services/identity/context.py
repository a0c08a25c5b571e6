"""What identity's actions work with, put together once per process by `app`."""

from __future__ import annotations

from dataclasses import dataclass

from services.identity.passwords import Passwords
from services.identity.provider import Provider
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
    # the outside provider, where the installation names one
    provider: Provider | None

    @classmethod
    def of(cls, run: Runtime) -> Context:
        """Raises VaultError, with the remedy, where no usable identity key is set."""
        settings: Settings = run.settings
        vault = Vault(settings.identity_key.get_secret_value())
        ring = KeyRing(run.worker_db, vault, run.clock, settings.signing_key_days)
        provider = Provider(settings, run.clock) if settings.oidc_issuer else None
        return cls(run, settings, vault, Passwords(settings), ring, provider)

    async def signer(self) -> Signer:
        """The signer of now. Ask before a transaction is opened: it may need a connection of its own."""
        return Signer(await self.ring.signing(), self.settings.identity_issuer, self.run.clock)
