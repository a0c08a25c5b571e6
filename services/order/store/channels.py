"""What a marketplace has set for its channels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.order.schemas import ChannelConfig
from services.order.store.orders import q
from shared.postgres import Transaction
from shared.postgres.database import Row


async def all_of(tx: Transaction, marketplace_id: UUID) -> Sequence[Row]:
    return await tx.fetch(q.channels, marketplace_id)


async def lock(tx: Transaction, marketplace_id: UUID, name: str) -> Row | None:
    return await tx.fetchrow(q.lock_channel, marketplace_id, name)


async def put(tx: Transaction, marketplace_id: UUID, name: str, config: ChannelConfig, now: datetime) -> Row:
    """The channel as it then is; its version counts up."""
    row = await tx.fetchrow(q.put_channel, marketplace_id, name, config.model_dump(mode="json"), now)
    assert row is not None
    return row


async def organisations(tx: Transaction, marketplace_id: UUID, names: Sequence[str]) -> Sequence[Row]:
    """Organisations by id, slug or external id: alias, id, slug, name, kind."""
    return await tx.fetch(q.organisations_by_alias, marketplace_id, list(names))
