"""One action for several orders: each is decided by itself, and each has a result of its own."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import orjson

from services.order.actions.acting import Wish, act
from services.order.schemas import BulkRequest
from shared.errors import Problem
from shared.process import Runtime
from shared.web import Answer, Once, Precondition, Principal

# What a refusal says beside its code: which parameters are wrong, what the order is now.
_TOLD: Final = ("errors", "current", "etag")
_SHOWN: Final = ("order_id", "number", "sequence", "status", "status_label", "phase")


async def act_on_many(run: Runtime, caller: Principal, body: BulkRequest, once: Once) -> Answer:
    """POST /v1/orders/bulk. Each order is a transaction of its own under a key of its own, so that a request that
    broke off half-way and is sent again acts on no order twice."""
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
    digest = hashlib.sha256(orjson.dumps([body.action, body.params], default=str)).digest()
    results = []
    for order_id in dict.fromkeys(body.order_ids):
        key = None if once.key is None else f"{once.key} {order_id}"
        one = Once(key, once.marketplace_id, once.caller, once.route, digest, service="order")
        results.append(await _one(run, caller, Wish(body.action, body.params), order_id, one))
    done = sum(1 for r in results if r["status"] == 200)
    summary = {"results": results, "done": done, "refused": len(results) - done}
    answer = Answer(200, orjson.dumps(summary, default=str))
    async with run.db.tenant(caller.marketplace_id) as tx:
        return await once.keep(tx, answer)


async def _one(run: Runtime, caller: Principal, wish: Wish, order_id: Any, once: Once) -> dict[str, Any]:
    try:
        answer = await act(run, caller, order_id, wish, Precondition(None), once)
    except Problem as e:
        told: dict[str, Any] = {"code": e.code, "detail": e.detail}
        told |= {k: e.extensions[k] for k in _TOLD if k in e.extensions}
        return {"order_id": str(order_id), "status": e.status, "problem": told}
    order = orjson.loads(answer.body)
    return {"order_id": str(order_id), "status": 200, "order": {k: order[k] for k in _SHOWN}}
