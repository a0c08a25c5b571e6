"""Replays: what was asked for, how far it has come, and the rows that it queues."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.postgres import Queries, Transaction
from shared.postgres.database import Row

_q = Queries.load("services.webhook.upkeep")


async def insert(
    tx: Transaction,
    replay_id: UUID,
    endpoint: Row,
    scope: str,
    chosen: tuple[Sequence[str] | None, UUID | None, datetime, datetime],
    by: str,
    now: datetime,
    *,
    then_resume: bool = False,
) -> None:
    """Ask for a replay; `chosen` is (event types, order, received from, received to)."""
    types, order_id, since, until = chosen
    await tx.execute(
        _q.insert_replay, replay_id, endpoint["marketplace_id"], endpoint["endpoint_id"], scope,
        list(types) if types is not None else None, order_id, since, until, then_resume, by, now,
    )  # fmt: skip


async def running(tx: Transaction, organisation_id: UUID) -> int:
    """How many are under way for the endpoints of an organisation."""
    return int(await tx.fetchval(_q.count_running, organisation_id))


async def get(tx: Transaction, replay_id: UUID, organisation_id: UUID | None) -> Row | None:
    return await tx.fetchrow(_q.replay, replay_id, organisation_id)


async def page(
    tx: Transaction, organisation_id: UUID | None, endpoint_id: UUID | None, after: UUID | None, most: int
) -> list[Row]:
    return await tx.fetch(_q.list_replays, organisation_id, endpoint_id, after, most)


async def cancel(tx: Transaction, replay_id: UUID, now: datetime) -> None:
    await tx.execute(_q.cancel_replay, replay_id, now)


async def queue_again(
    tx: Transaction, endpoint_id: UUID, origin: str, rows: Sequence[Any], now: datetime
) -> list[UUID]:
    """Queue these events (rows of messages or deliveries) for an endpoint, or try again now those that wait there.

    Returns the ids of the deliveries that are new or were brought forward.
    """
    if not rows:
        return []
    await tx.fetch(_q.hold_streams, sorted({row["stream_id"] for row in rows}))
    made = await tx.fetch(
        _q.queue_again,
        endpoint_id,
        origin,
        [row["event_id"] for row in rows],
        [row["message_at"] for row in rows],
        [row["type"] for row in rows],
        [row["stream_id"] for row in rows],
        [row["sequence"] for row in rows],
        [row["order_id"] for row in rows],
        [row["eyes"] for row in rows],
        now,
    )
    return [row["delivery_id"] for row in made]


async def next_running(tx: Transaction, most_waiting: int, after: UUID, held: Sequence[UUID]) -> Row | None:
    """The replay whose turn it is after that of `after`: its endpoint has room in its queue, and it is none of `held`.

    Locked until the transaction ends.
    """
    return await tx.fetchrow(_q.next_replay, most_waiting, after, list(held))


async def advance(tx: Transaction, replay: Row, now: datetime, most: int) -> tuple[int, int]:
    """Queue the next page of a replay. Returns how many events were looked at and queued; (0, 0) at the end."""
    where = (replay["marketplace_id"], replay["received_from"], replay["received_to"])
    after = (replay["after_tx"], replay["after_ordinal"])
    rows = await tx.fetch(
        _q.replay_page, replay["endpoint_id"], *where, *after, replay["event_types"], replay["order_id"],
        replay["scope"], most,
    )  # fmt: skip
    if not rows:
        return 0, 0
    queued = await queue_again(tx, replay["endpoint_id"], "replay", [row for row in rows if row["wanted"]], now)
    last = rows[-1]
    # how much goes on between others is no affair of who asked
    own = sum(1 for row in rows if row["eyes"])
    await tx.execute(_q.replay_advanced, replay["replay_id"], last["tx"], last["ordinal"], own, len(queued))
    return len(rows), len(queued)


async def has_more(tx: Transaction, replay: Row) -> bool:
    """Whether events are left that a transaction still open holds back."""
    return bool(
        await tx.fetchval(
            _q.replay_has_more, replay["marketplace_id"], replay["received_from"], replay["received_to"],
            replay["after_tx"], replay["after_ordinal"],
        )
    )  # fmt: skip


async def finish(tx: Transaction, replay: Row, now: datetime) -> None:
    """Done; an endpoint that was enabled with it goes on now."""
    await tx.execute(_q.replay_done, replay["replay_id"], now)
    if replay["then_resume"]:
        await tx.execute(_q.resume_endpoint, replay["endpoint_id"], now)
