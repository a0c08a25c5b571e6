"""What the use cases are given: the runtime's parts, the vault, the policy of the installation."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network

from services.webhook.addresses import Policy
from services.webhook.hints import Hints
from services.webhook.settings import Settings
from services.webhook.store import endpoints
from services.webhook.vault import Vault
from shared.clock import Clock
from shared.outbox import Outbox
from shared.postgres import Database, Transaction
from shared.stop import Wakes


@dataclass(frozen=True, slots=True)
class Context:
    db: Database
    outbox: Outbox
    clock: Clock
    wakes: Wakes
    settings: Settings
    vault: Vault
    hints: Hints

    async def policy(self, tx: Transaction) -> Policy:
        """Where the endpoints of the transaction's marketplace may send to."""
        rows = await endpoints.networks(tx)
        return self.settings.policy().with_allowed(ip_network(row["network"]) for row in rows)
