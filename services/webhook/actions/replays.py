"""Replays, the feed, and the networks that a marketplace allows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from services.webhook import catalogue, errors, shown
from services.webhook.actions.context import Context
from services.webhook.audience import Side, view
from services.webhook.policy import reach, require
from services.webhook.schemas import AllowedNetwork, NewReplay
from services.webhook.signing import webhook_id
from services.webhook.store import endpoints, log, replays
from shared.errors import Forbidden, NotFound
from shared.ids import new_id
from shared.web import Answer, Once, Principal

# Replays take turns: who asks for many takes as many turns as all others together.
RUNNING_MOST: Final = 10


async def create(ctx: Context, caller: Principal, body: NewReplay, once: Once) -> Answer:
    """Ask for a replay; it is worked through in the background, in the order in which events came."""
    organisation_id = reach(caller, "operate")
    now = ctx.clock()
    if body.received_from >= now:
        raise errors.nothing_received_yet()
    since = max(body.received_from, now - timedelta(days=ctx.settings.webhook_retention_days + 1))
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        row = await endpoints.lock(tx, body.endpoint_id, organisation_id)
        if row is None:
            raise errors.no_endpoint()
        if row["status"] == "disabled":
            raise errors.wrong_status("disabled", "active or paused")
        if body.event_types is not None and not _types(body.event_types) & _types(row["event_types"]):
            raise errors.types_not_taken(row["event_types"])
        if await replays.running(tx, row["organisation_id"]) >= RUNNING_MOST:
            raise errors.too_many_replays(RUNNING_MOST)
        replay_id = new_id()
        chosen = (body.event_types, body.order_id, since, min(body.received_to or now, now))
        await replays.insert(tx, replay_id, row, body.scope, chosen, caller.name, now)
        if row["status"] == "active":
            await endpoints.open_gate(tx, body.endpoint_id, now)
        tx.after_commit(ctx.wakes.get("upkeep").set)
        made = await replays.get(tx, replay_id, organisation_id)
        if made is None:
            raise errors.no_replay()
        headers = {"location": f"/v1/replays/{replay_id}"}
        return await once.keep(tx, Answer(202, orjson.dumps(shown.replay(made)), headers))


def _types(patterns: Sequence[str]) -> set[str]:
    return {t for pattern in patterns for t in catalogue.matches(pattern)}


async def get(ctx: Context, caller: Principal, replay_id: UUID) -> dict[str, Any]:
    organisation_id = reach(caller, "view")
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        row = await replays.get(tx, replay_id, organisation_id)
    if row is None:
        raise errors.no_replay()
    return shown.replay(row)


async def page(
    ctx: Context, caller: Principal, endpoint_id: UUID | None, after: UUID | None, most: int
) -> list[dict[str, Any]]:
    organisation_id = reach(caller, "view")
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        return [shown.replay(row) for row in await replays.page(tx, organisation_id, endpoint_id, after, most)]


async def cancel(ctx: Context, caller: Principal, replay_id: UUID, once: Once) -> Answer:
    """Stop a replay; what it has queued already is sent."""
    organisation_id = reach(caller, "operate")
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        if await replays.get(tx, replay_id, organisation_id) is None:
            raise errors.no_replay()
        await replays.cancel(tx, replay_id, ctx.clock())
        row = await replays.get(tx, replay_id, organisation_id)
        if row is None:
            raise errors.no_replay()
        return await once.keep(tx, Answer(200, orjson.dumps(shown.replay(row))))


async def feed(
    ctx: Context, caller: Principal, after: tuple[int, int], types: Sequence[str] | None, most: int
) -> tuple[list[dict[str, Any]], tuple[int, int]]:
    """The organisation's events after a place, and the place to go on from. The same ids as on webhooks."""
    require(caller, "view")
    owner = (caller.marketplace_id, caller.organisation_id, caller.organisation_kind == "operator")
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        rows = await log.feed(tx, owner, after, types, most)
    items = [
        {
            "id": webhook_id(row["event_id"]),
            "type": row["type"],
            "timestamp": shown.when(row["occurred_at"]),
            "received_at": shown.when(row["received_at"]),
            "data": orjson.Fragment(view(row["data"], Side(row["eyes"]))),
        }
        for row in rows
    ]
    return items, ((int(rows[-1]["tx"]), rows[-1]["ordinal"]) if rows else after)


async def networks(ctx: Context, caller: Principal) -> list[dict[str, Any]]:
    _operator(caller)
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        return [shown.network(row) for row in await endpoints.networks(tx)]


async def allow_network(ctx: Context, caller: Principal, body: AllowedNetwork) -> None:
    """Let this marketplace's endpoints reach a network that the policy denies. The operator answers for it."""
    _operator(caller)
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        await endpoints.allow(tx, caller.marketplace_id, body.network, body.reason, caller.name, ctx.clock())


async def disallow_network(ctx: Context, caller: Principal, network: str) -> None:
    _operator(caller)
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        if not await endpoints.disallow(tx, network):
            raise NotFound("network_not_found", "That network is not on the list.")


def _operator(caller: Principal) -> None:
    require(caller, "manage")
    if not caller.is_operator or caller.act is not None:
        raise Forbidden("operators_only", "The marketplace's operator keeps this list.")
