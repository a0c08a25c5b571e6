"""Looking at deliveries, sending one again, test events, figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from services.webhook import catalogue, errors, shown
from services.webhook.actions.context import Context
from services.webhook.audience import Side, view
from services.webhook.policy import reach
from services.webhook.schemas import TestEvent
from services.webhook.store import endpoints, log, replays
from shared.ids import new_id
from shared.web import Answer, Once, Principal


async def page(
    ctx: Context,
    caller: Principal,
    endpoint_id: UUID,
    after: UUID | None,
    most: int,
    *,
    state: str | None,
    event_type: str | None,
) -> list[dict[str, Any]]:
    organisation_id = reach(caller, "view")
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        if await endpoints.get(tx, endpoint_id, organisation_id) is None:
            raise errors.no_endpoint()
        return [shown.delivery(row) for row in await log.page(tx, endpoint_id, after, state, event_type, most)]


async def of_order(
    ctx: Context, caller: Principal, order_id: UUID, after: tuple[datetime, int, UUID] | None, most: int
) -> list[dict[str, Any]]:
    """An order's deliveries to the caller's own endpoints (an operator: to all), for its trail."""
    organisation_id = reach(caller, "view")
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        return [shown.delivery(row) for row in await log.of_order(tx, order_id, organisation_id, after, most)]


async def get(ctx: Context, caller: Principal, delivery_id: UUID) -> dict[str, Any]:
    """One delivery with its attempts and the payload that is sent: to an operator, of another organisation's endpoint,
    as much of it as is for operators.
    """
    organisation_id = reach(caller, "view")
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        row = await log.delivery(tx, delivery_id, organisation_id)
        if row is None:
            raise errors.no_delivery()
        attempts = [shown.attempt(a) for a in await log.attempts(tx, delivery_id, row["created_at"])]
        message = await log.message(tx, row["event_id"], row["message_at"])
    foreign = row["organisation_id"] != caller.organisation_id
    hidden = foreign and message is not None and message["audience"] and not message["audience"] & Side.OPERATOR
    payload = None
    if message is not None and not hidden:
        data = view(message["data"], Side(row["eyes"]), reader=Side.OPERATOR if foreign else None)
        at = shown.when(message["occurred_at"])
        payload = {"type": row["type"], "timestamp": at, "data": orjson.loads(data)}
    if hidden:
        # a receiver may have answered with what it was sent
        attempts = [{**a, "response_body": None, "response_truncated": False} for a in attempts]
    return {**shown.delivery(row), "payload": payload, "attempt_log": attempts}


async def retry(ctx: Context, caller: Principal, delivery_id: UUID, once: Once) -> Answer:
    """Send again now: a waiting delivery is brought forward, a finished one gets a new delivery of the same event."""
    organisation_id = reach(caller, "operate")
    now = ctx.clock()
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        row = await log.delivery(tx, delivery_id, organisation_id)
        if row is None:
            raise errors.no_delivery()
        endpoint = await endpoints.lock(tx, row["endpoint_id"], organisation_id)
        if endpoint is None or endpoint["status"] not in ("active", "paused"):
            raise errors.wrong_status(endpoint["status"] if endpoint else "deleted", "active or paused")
        made = delivery_id
        if row["state"] == "pending":
            await log.retry_now(tx, row["endpoint_id"], delivery_id, now)
        else:
            if await log.message(tx, row["event_id"], row["message_at"]) is None:
                raise errors.event_gone()
            queued = await replays.queue_again(tx, row["endpoint_id"], "retry", [row], now)
            made = queued[0] if queued else delivery_id
        if endpoint["status"] == "active":
            await endpoints.open_gate(tx, row["endpoint_id"], now)
        tx.after_commit(lambda: ctx.hints.add([row["endpoint_id"]]))
        found = await log.delivery(tx, made, organisation_id)
        return await once.keep(tx, Answer(202, orjson.dumps(shown.delivery(found or row))))


async def test(ctx: Context, caller: Principal, endpoint_id: UUID, body: TestEvent, once: Once) -> Answer:
    """Send the catalogue's example of a type to one endpoint, signed as everything is."""
    organisation_id = reach(caller, "operate")
    cls = catalogue.event_class(body.type)
    if cls is None:
        raise errors.no_event_type(body.type)
    now = ctx.clock()
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        row = await endpoints.lock(tx, endpoint_id, organisation_id)
        if row is None:
            raise errors.no_endpoint()
        if row["status"] != "active":
            raise errors.wrong_status(row["status"], "active")
        eyes = _eyes_of_test(caller, row)
        event = (new_id(), body.type, cls.VERSION, catalogue.example_data(body.type))
        delivery_id = await log.insert_test(tx, caller.marketplace_id, endpoint_id, event, eyes, now)
        tx.after_commit(lambda: ctx.hints.add([endpoint_id]))
        found = await log.delivery(tx, delivery_id, organisation_id)
        if found is None:
            raise errors.no_delivery()
        return await once.keep(tx, Answer(202, orjson.dumps(shown.delivery(found))))


def _eyes_of_test(caller: Principal, endpoint: shown.Columns) -> Side:
    """The side for which a test event is made: such that it has no more than a real one would have."""
    if endpoint["is_operator"]:
        return Side.OPERATOR
    own = caller.organisation_id == endpoint["organisation_id"]
    return Side.BUYER if own and caller.organisation_kind == "buyer" else Side.SELLER


async def stats(ctx: Context, caller: Principal, endpoint_id: UUID, hours: int) -> dict[str, Any]:
    """Attempts per hour, with how many succeeded and how long they took."""
    organisation_id = reach(caller, "view")
    since = (ctx.clock() - timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0)
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        row = await endpoints.get(tx, endpoint_id, organisation_id)
        if row is None:
            raise errors.no_endpoint()
        found = await log.stats(tx, endpoint_id, since)
        waiting = (await endpoints.queue_sizes(tx, [endpoint_id]))[endpoint_id]
    return {
        "endpoint_id": str(endpoint_id),
        "waiting": waiting,
        "total": _summed(found),
        "hours": [_hour(r) for r in found],
    }


def _hour(row: shown.Columns) -> dict[str, Any]:
    return {
        "hour": shown.when(row["hour"]),
        **_figures(row["succeeded"], row["failed"], row["total_ms"], row["latency"]),
    }


def _summed(rows: Sequence[shown.Columns]) -> dict[str, Any]:
    latency = [sum(counts) for counts in zip(*(r["latency"] for r in rows), strict=True)]
    succeeded, failed, total_ms = (sum(r[name] for r in rows) for name in ("succeeded", "failed", "total_ms"))
    return _figures(succeeded, failed, total_ms, latency)


def _figures(succeeded: int, failed: int, total_ms: int, latency: Sequence[int]) -> dict[str, Any]:
    attempts = succeeded + failed
    return {
        "attempts": attempts,
        "succeeded": succeeded,
        "failed": failed,
        "success_rate": round(succeeded / attempts, 4) if attempts else None,
        "mean_ms": round(total_ms / attempts, 1) if attempts else None,
        "p50_ms": quantile(latency, 0.5),
        "p95_ms": quantile(latency, 0.95),
        "p99_ms": quantile(latency, 0.99),
    }


def quantile(latency: Sequence[int], q: float) -> int | None:
    """An upper bound in ms of the quantile: the edge of the bucket that holds it (buckets double)."""
    total, seen = sum(latency), 0
    for bucket, n in enumerate(latency):
        seen += n
        if total and seen >= q * total:
            return int(2**bucket)
    return None
