"""Channels: where orders come from, and what the marketplace has set for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from services.order import policy
from services.order.actions.following import shown_money
from services.order.errors import absent, wrong_fields
from services.order.schemas import ChannelConfig
from services.order.store import channels, lifecycles
from services.order.workflow import Lifecycle
from shared.postgres.database import Row
from shared.process import Runtime
from shared.web import Answer, Precondition, Principal, etag


async def all_of(run: Runtime, caller: Principal) -> list[dict[str, Any]]:
    """GET /v1/channels. Commission and stand-ins are the operator's business; the rest everybody may know."""
    async with run.db.tenant(caller.marketplace_id) as tx:
        rows = await channels.all_of(tx, caller.marketplace_id)
    return [_shown(r, caller) for r in rows]


async def get(run: Runtime, caller: Principal, name: str) -> Answer:
    async with run.db.tenant(caller.marketplace_id) as tx:
        rows = await channels.all_of(tx, caller.marketplace_id)
    row = next((r for r in rows if r["name"] == name), None)
    if row is None:
        raise absent()
    return _answer(row, caller)


async def put(run: Runtime, caller: Principal, name: str, config: ChannelConfig, if_match: Precondition) -> Answer:
    """PUT /v1/channels/{name}: made where it is new. Raises Unprocessable for parties or states that do not exist."""
    policy.need_operator(caller, "set up channels")
    async with run.db.tenant(caller.marketplace_id) as tx:
        row = await channels.lock(tx, caller.marketplace_id, name)
        if if_match.if_match is not None:
            if_match.check(row["version"] if row else 0)
        parties = [str(i) for i in (config.default_buyer, config.default_seller) if i is not None]
        kinds = {r["id"]: r["kind"] for r in await channels.organisations(tx, caller.marketplace_id, parties)}
        errors = []
        if config.default_buyer is not None and kinds.get(config.default_buyer) not in ("buyer", "both", "operator"):
            errors.append(("default_buyer", "is no buying organisation of this marketplace"))
        if config.default_seller is not None and kinds.get(config.default_seller) not in ("seller", "both"):
            errors.append(("default_seller", "is no selling organisation of this marketplace"))
        if config.lifecycle is not None:
            course = await lifecycles.latest(tx, caller.marketplace_id, config.lifecycle)
            if course is None:
                errors.append(("lifecycle", f"there is no lifecycle {config.lifecycle!r} in this marketplace"))
            else:
                chosen = await lifecycles.current(tx, caller.marketplace_id, course, run.clock())
                errors += _unknown_states(config, [chosen], config.lifecycle)
        elif config.statuses:
            # its orders may name their lifecycle themselves
            errors += _unknown_states(config, await lifecycles.newest(tx, caller.marketplace_id), "any lifecycle here")
        if errors:
            raise wrong_fields(*errors, code="bad_channel")
        return _answer(await channels.put(tx, caller.marketplace_id, name, config, run.clock()), caller)


def _unknown_states(config: ChannelConfig, among: Sequence[Lifecycle], of: str) -> list[tuple[str, str]]:
    return [
        (f"statuses.{raw}", f"{state!r} is no state of {of}")
        for raw, state in config.statuses.items()
        if not any(state in x.states or shown_money(raw, config, x) for x in among)
    ]


def _answer(row: Row, caller: Principal) -> Answer:
    return Answer(200, orjson.dumps(_shown(row, caller)), {"etag": etag(row["version"])})


def _shown(row: Row, caller: Principal) -> dict[str, Any]:
    config = dict(row["config"])
    if not caller.is_operator:
        config = {k: config.get(k) for k in ("title", "lifecycle", "can_refund", "contact", "auto_accept")}
    return {"name": row["name"], "version": row["version"], "updated_at": row["updated_at"], **config}
