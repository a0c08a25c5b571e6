"""Endpoints, their keys and their standing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.webhook.signing import SigningKey
from services.webhook.vault import Sealed
from shared.postgres import Queries, Transaction
from shared.postgres.database import Row

_q = Queries.load("services.webhook")


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """What an endpoint is set to, as columns; `sealed_headers` hold the custom headers' values."""

    url: str
    description: str
    event_types: Sequence[str]
    channels: Sequence[str] | None
    sellers: Sequence[UUID] | None
    actions: Sequence[str] | None
    phases: Sequence[str] | None
    sealed_headers: Sealed | None
    header_names: Sequence[str]
    format: str
    signature: str
    http_signature: bool
    ordered: bool
    retry_schedule: Sequence[int]
    timeout_ms: int
    max_in_flight: int
    rate_limit: float | None
    handshake: str

    def columns(self) -> tuple[Any, ...]:
        box = self.sealed_headers
        return (
            self.url, self.description, list(self.event_types), *map(_array, (self.channels, self.sellers, self.actions,
            self.phases)), box.key_id if box else None, box.box if box else None, list(self.header_names), self.format,
            self.signature, self.http_signature, self.ordered, list(self.retry_schedule), self.timeout_ms,
            self.max_in_flight, self.rate_limit, self.handshake,
        )  # fmt: skip


def _array(values: Sequence[Any] | None) -> list[Any] | None:
    return None if values is None else list(values)


async def count(tx: Transaction, organisation_id: UUID) -> int:
    """How many the organisation has; nobody else makes one of them until the transaction ends."""
    await tx.execute(_q.one_endpoint_at_a_time, organisation_id)
    return int(await tx.fetchval(_q.count_endpoints, organisation_id))


async def insert(
    tx: Transaction,
    endpoint_id: UUID,
    owner: tuple[UUID, UUID, bool],
    row: EndpointRow,
    created_by: str,
    now: datetime,
) -> None:
    """Add an endpoint; `owner` is (marketplace, organisation, whether it is the operator's)."""
    await tx.execute(_q.insert_endpoint, endpoint_id, *owner, *row.columns(), created_by, now)


async def get(tx: Transaction, endpoint_id: UUID, organisation_id: UUID | None) -> Row | None:
    return await tx.fetchrow(_q.endpoint, endpoint_id, organisation_id)


async def lock(tx: Transaction, endpoint_id: UUID, organisation_id: UUID | None) -> Row | None:
    return await tx.fetchrow(_q.lock_endpoint, endpoint_id, organisation_id)


async def page(tx: Transaction, organisation_id: UUID | None, after: UUID | None, most: int) -> list[Row]:
    return await tx.fetch(_q.list_endpoints, organisation_id, after, most)


async def update(tx: Transaction, endpoint_id: UUID, row: EndpointRow, now: datetime) -> None:
    await tx.execute(_q.update_endpoint, endpoint_id, *row.columns(), now)


async def set_status(
    tx: Transaction, endpoint_id: UUID, status: str, now: datetime, reason: str | None = None, detail: str | None = None
) -> None:
    await tx.execute(_q.set_status, endpoint_id, status, reason, detail, now)


async def wake(tx: Transaction, endpoint_id: UUID, now: datetime) -> None:
    """Let the drain look at the queue."""
    await tx.execute(_q.wake_drain, endpoint_id, now)


async def start_afresh(tx: Transaction, endpoint_id: UUID, now: datetime) -> None:
    """Forget failures and open the gate, also for what the receiver asked to have later."""
    await tx.execute(_q.send_sooner, endpoint_id, now)
    await tx.execute(_q.enable_drain, endpoint_id, now)


async def open_gate(tx: Transaction, endpoint_id: UUID, now: datetime) -> None:
    """Let the drain send at once, whatever a receiver or an open breaker asked for: a person wants it."""
    await tx.execute(_q.open_gate, endpoint_id, now)


async def kept_since(tx: Transaction, endpoint_id: UUID) -> datetime | None:
    """When the oldest event was received that is kept for an endpoint as `held`; None where there is none."""
    found: datetime | None = await tx.fetchval(_q.kept_since, endpoint_id)
    return found


async def add_key(
    tx: Transaction, secret_id: UUID, endpoint: tuple[UUID, UUID], key: SigningKey, sealed: Sealed, now: datetime
) -> None:
    """Add a live key; `endpoint` is (marketplace, endpoint)."""
    marketplace_id, endpoint_id = endpoint
    box = (key.kind, sealed.key_id, sealed.box, key.public_text)
    await tx.execute(_q.insert_secret, secret_id, endpoint_id, marketplace_id, *box, now)


async def expire_keys(tx: Transaction, endpoint_id: UUID, kind: str, at: datetime) -> None:
    await tx.execute(_q.expire_secrets, endpoint_id, kind, at)


async def live_keys(tx: Transaction, endpoint_id: UUID, now: datetime) -> list[Row]:
    return await tx.fetch(_q.live_keys, endpoint_id, now)


async def forget(tx: Transaction, endpoint_id: UUID, now: datetime) -> None:
    """Delete: keys and headers go at once, waiting rows in the background, the log with its days."""
    await tx.execute(_q.delete_secrets, endpoint_id)
    await tx.execute(_q.forget_headers, endpoint_id)
    await tx.execute(_q.set_status, endpoint_id, "deleted", None, None, now)
    await tx.execute(_q.shelve_drain, [endpoint_id])


async def disable(
    tx: Transaction, endpoint_ids: Sequence[UUID], reasons: Sequence[str], details: Sequence[str], now: datetime
) -> list[Row]:
    """Disable those that are not yet; what is returned was."""
    return await tx.fetch(_q.disable_endpoints, list(endpoint_ids), list(reasons), list(details), now)


async def failing(tx: Transaction, warned: datetime, disabled: datetime, most: int) -> list[Row]:
    """Active ones that have been failing since before the one moment without a warning, or since before the other."""
    return await tx.fetch(_q.failing_endpoints, warned, most, disabled)


async def note_warned(tx: Transaction, endpoint_ids: Sequence[UUID], now: datetime) -> None:
    await tx.execute(_q.note_warned, list(endpoint_ids), now)


async def queue_sizes(tx: Transaction, endpoint_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Waiting deliveries of each endpoint, counted up to 10,000."""
    return {row[0]: row[1] for row in await tx.fetch(_q.queue_sizes, list(endpoint_ids))}


async def networks(tx: Transaction) -> list[Row]:
    return await tx.fetch(_q.allowed_networks)


async def allow(tx: Transaction, marketplace_id: UUID, network: str, reason: str, by: str, now: datetime) -> None:
    await tx.execute(_q.allow_network, marketplace_id, network, reason, by, now)


async def disallow(tx: Transaction, network: str) -> bool:
    return await tx.fetchval(_q.disallow_network, network) is not None
