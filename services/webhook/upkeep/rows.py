"""Rows that upkeep moves, wakes and forgets."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID

from services.webhook.vault import Sealed, Vault
from shared.postgres import Queries, Transaction

_q = Queries.load(__package__)


async def next_shelving(tx: Transaction) -> tuple[UUID, str, str] | None:
    """An endpoint whose queue is to be set aside: (endpoint, state for its rows, why)."""
    row = await tx.fetchrow(_q.next_shelving)
    if row is None:
        return None
    if row["status"] == "deleted":
        return row["endpoint_id"], "discarded", "the endpoint was deleted"
    return row["endpoint_id"], "held", "the endpoint was disabled"


async def shelve(tx: Transaction, endpoint_id: UUID, state: str, why: str, now: datetime, most: int) -> int:
    done = await tx.execute(_q.shelve, endpoint_id, now, most, state, why)
    return int(done.rpartition(" ")[2])


async def shelved(tx: Transaction, endpoint_id: UUID) -> None:
    await tx.execute(_q.shelved, endpoint_id)


async def wake_if_active(tx: Transaction, endpoint_id: UUID, now: datetime) -> None:
    await tx.execute(_q.wake_if_active, endpoint_id, now)


async def wake_forgotten(tx: Transaction, now: datetime) -> list[UUID]:
    return [row["endpoint_id"] for row in await tx.fetch(_q.wake_forgotten, now)]


async def forget_pending(tx: Transaction, before: UUID, most: int) -> list[UUID]:
    """Delete what was queued before the UUIDv7 `before`; the streams of what went are returned."""
    return [row["stream_id"] for row in await tx.fetch(_q.forget_pending, before, most)]


async def forget_streams(tx: Transaction, before: datetime, most: int) -> int:
    return int((await tx.execute(_q.forget_streams, before, most)).rpartition(" ")[2])


async def forget_hours(tx: Transaction, before: datetime) -> None:
    await tx.execute(_q.forget_hours, before)


async def make_partitions(tx: Transaction, first: date, last: date) -> int:
    return int(await tx.fetchval(_q.make_partitions, first, last))


async def drop_partitions(tx: Transaction, before: date) -> list[str]:
    """Drop whole days before `before`. A lock that cannot be had at once raises; the next round tries again."""
    return list(await tx.fetchval(_q.drop_partitions, before))


async def reseal(tx: Transaction, vault: Vault, most: int) -> int:
    """Seal secrets and headers anew that are under an older key of the ring; how many were."""
    secrets = await tx.fetch(_q.stale_secrets, vault.current, most)
    for row in secrets:
        bound = (row["marketplace_id"], row["secret_id"], "secret")
        fresh = vault.seal(vault.open(Sealed(row["key_id"], row["box"]), *bound), *bound)
        await tx.execute(_q.reseal_secret, row["secret_id"], fresh.key_id, fresh.box)
    endpoints = await tx.fetch(_q.stale_headers, vault.current, most)
    for row in endpoints:
        bound = (row["marketplace_id"], row["endpoint_id"], "headers")
        fresh = vault.seal(vault.open(Sealed(row["headers_key_id"], row["headers_box"]), *bound), *bound)
        await tx.execute(_q.reseal_headers, row["endpoint_id"], fresh.key_id, fresh.box)
    return len(secrets) + len(endpoints)


async def forget_secrets(tx: Transaction, now: datetime) -> None:
    await tx.execute(_q.delete_expired_secrets, now)


async def handshakes_due(tx: Transaction, most: int, but: Collection[tuple[UUID, int]]) -> list[UUID]:
    """Endpoints whose receivers are to be asked, but for these (endpoint, version of its settings)."""
    known = [[i for i, _ in but], [version for _, version in but]]
    return [row["endpoint_id"] for row in await tx.fetch(_q.handshakes_due, most, *known)]


async def handshake_done(tx: Transaction, endpoint_id: UUID, version: int, rate: float | None, now: datetime) -> None:
    await tx.execute(_q.handshake_done, endpoint_id, now, rate, version)


async def handshake_failed(tx: Transaction, endpoint_id: UUID, why: str) -> None:
    await tx.execute(_q.handshake_failed, endpoint_id, why[:500])
