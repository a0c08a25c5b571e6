"""Rows of the signing keys (worker role)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.identity.store import q
from shared.postgres import Transaction
from shared.postgres.database import Row


async def lock_signing_keys(tx: Transaction) -> None:
    """Processes that would make a key wait for each other, until the transaction ends."""
    await tx.execute(q.lock_signing_keys)


async def signing_keys(tx: Transaction, now: datetime) -> list[Row]:
    """Keys whose tokens may still be about, the one that is active last first."""
    return await tx.fetch(q.signing_keys, now)


async def insert_signing_key(
    tx: Transaction, kid: str, public: dict[str, Any], sealed: bytes, now: datetime, active_at: datetime
) -> None:
    await tx.execute(q.insert_signing_key, kid, public, sealed, now, active_at)


async def withdraw_others(tx: Transaction, kid: str, at: datetime) -> None:
    """No key but this one is published after `at`."""
    await tx.execute(q.withdraw_signing_keys, kid, at)


async def prune_signing_keys(tx: Transaction, before: datetime) -> None:
    await tx.execute(q.prune_signing_keys, before)
