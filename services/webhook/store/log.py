"""The log as it is read: deliveries, attempts, figures, the feed; and test events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from services.webhook.audience import Side
from shared.postgres import Queries, Transaction
from shared.postgres.database import Row

_q = Queries.load("services.webhook")
# States that are few among many: an index of their own serves them.
TROUBLED: Final = frozenset({"exhausted", "aborted", "held", "discarded"})
# The types that most events have; the others have an index too.
FREQUENT: Final = frozenset({"order.created", "order.updated"})


async def page(
    tx: Transaction, endpoint_id: UUID, after: UUID | None, state: str | None, event_type: str | None, most: int
) -> list[Row]:
    """One endpoint's deliveries, newest first."""
    sql = _q.list_deliveries
    if state in TROUBLED:
        sql = _q.list_troubled
    elif event_type is not None and event_type not in FREQUENT:
        sql = _q.list_of_rare_type
    return await tx.fetch(sql, endpoint_id, after, state, event_type, most)


async def of_order(
    tx: Transaction, order_id: UUID, organisation_id: UUID | None, after: tuple[datetime, int, UUID] | None, most: int
) -> list[Row]:
    """An order's deliveries to one organisation's endpoints (None: to all), oldest first."""
    place = after or (None, None, None)
    return await tx.fetch(_q.deliveries_of_order, order_id, organisation_id, most, [order_id], *place)


async def delivery(tx: Transaction, delivery_id: UUID, organisation_id: UUID | None) -> Row | None:
    return await tx.fetchrow(_q.delivery, delivery_id, organisation_id)


async def attempts(tx: Transaction, delivery_id: UUID, since: datetime) -> list[Row]:
    """Attempts of a delivery that was made at `since`, in order, at most 200."""
    return await tx.fetch(_q.attempts, delivery_id, since)


async def message(tx: Transaction, event_id: UUID, received_at: datetime) -> Row | None:
    return await tx.fetchrow(_q.message, event_id, received_at)


async def stats(tx: Transaction, endpoint_id: UUID, since: datetime) -> list[Row]:
    return await tx.fetch(_q.stats, endpoint_id, since)


async def retry_now(tx: Transaction, endpoint_id: UUID, delivery_id: UUID, now: datetime) -> None:
    """Bring a waiting retry forward, unless it is being sent or waits for another of its lane."""
    await tx.execute(_q.retry_now, endpoint_id, delivery_id, now)


async def insert_test(
    tx: Transaction,
    marketplace_id: UUID,
    endpoint_id: UUID,
    event: tuple[UUID, str, int, bytes],
    eyes: Side,
    now: datetime,
) -> UUID:
    """Queue an example for one endpoint; `event` is (id, type, version, data). The delivery's id is returned."""
    event_id, event_type, version, data = event
    delivery_id: UUID = await tx.fetchval(
        _q.insert_test, event_id, marketplace_id, event_type, version, 1, now, data, endpoint_id, int(eyes)
    )
    return delivery_id


async def feed(
    tx: Transaction,
    owner: tuple[UUID, UUID, bool],
    after: tuple[int, int],
    types: Sequence[str] | None,
    most: int,
) -> list[Row]:
    """Events after (transaction, ordinal); `owner` is (marketplace, organisation, whether it is the operator's)."""
    tx_id, ordinal = after
    return await tx.fetch(_q.feed, *owner, str(tx_id), ordinal, list(types) if types is not None else None, most)
