"""Handing orders of files in, and what became of each. Knows the API's addresses and answers, and no transport."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from urllib.parse import urlencode

from services.console.sources.model import Found, Refused, SourceRefund

AT_ONCE: Final = 8
# (method, path, body) -> (status, answer); status 0 where nobody answers
Call = Callable[[str, str, Any], Awaitable[tuple[int, Any]]]
Result = Literal["taken", "already there", "refused"]


@dataclass(frozen=True, slots=True)
class Options:
    """What is said about every order of the files. The last two say how to take what is left out otherwise."""

    channel: str | None = None
    buyer: str | None = None
    seller: str | None = None
    with_test: bool = False
    with_canceled: bool = False
    test_left_out: str = "a test order; --with-test takes it"
    canceled_left_out: str = "was canceled at its source (%(when)s); --with-canceled takes it"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one order of a file. `orders` are the numbers that it has here."""

    file: str
    where: str
    external_id: str | None
    number: str | None
    result: Result
    orders: tuple[str, ...] = ()
    order_ids: tuple[str, ...] = ()
    detail: str = ""
    warnings: tuple[str, ...] = field(default_factory=tuple)


async def hand_in(call: Call, options: Options, file: str, orders: Sequence[Found | Refused]) -> Sequence[Outcome]:
    """Hand some orders in, AT_ONCE at a time; their outcomes stand as the orders do."""
    busy = asyncio.Semaphore(AT_ONCE)

    async def one(found: Found | Refused) -> Outcome:
        async with busy:
            return await hand_one_in(call, options, file, found)

    sent: dict[int, Outcome] = {}
    for turn in _rounds(orders):
        sent.update(zip(turn, await asyncio.gather(*(one(orders[n]) for n in turn)), strict=True))
    return [sent[n] for n in range(len(orders))]


def _rounds(orders: Sequence[Found | Refused]) -> list[list[int]]:
    """Positions of orders that may be sent at once; one whose id stood before in the file has to wait for that one."""
    rounds: list[list[int]] = [[]]
    times: dict[tuple[Any, str], int] = {}
    for position, order in enumerate(orders):
        turn = 0
        if isinstance(order, Found):
            key = (order.order.get("channel"), order.external_id)
            turn = times.get(key, 0)
            times[key] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(position)
    return rounds


async def hand_one_in(call: Call, options: Options, file: str, found: Found | Refused) -> Outcome:
    """Hand one order in. Nothing is raised for what is wrong with it: that is its outcome."""
    if isinstance(found, Refused):
        return Outcome(file, found.where, found.external_id, None, "refused", detail=found.reason)
    body = _body(options, found)
    outcome = Outcome(file, found.where, found.external_id, found.number, "refused")
    if found.test and not options.with_test:
        return replace(outcome, detail=options.test_left_out)
    if found.canceled and not options.with_canceled and not await _is_known(call, body):
        why = options.canceled_left_out % {"when": found.canceled}
        return replace(outcome, detail=why, warnings=tuple(found.warnings))
    status, answer = await call("POST", "/v1/orders", body)
    if status not in (200, 201):
        return replace(outcome, detail=_reason(status, answer), warnings=tuple(found.warnings))
    placed = answer["orders"]
    told = [*found.warnings, *answer.get("warnings", ())]
    for refund in found.refunds:
        told += await _refund(call, placed, refund)
    return replace(
        outcome,
        result="taken" if status == 201 else "already there",
        orders=tuple(o["number"] for o in placed),
        order_ids=tuple(o["order_id"] for o in placed),
        warnings=tuple(told),
    )


def _body(options: Options, found: Found) -> dict[str, Any]:
    body = dict(found.order)
    if options.channel:
        body["channel"] = options.channel
    if options.buyer:
        body["buyer"] = options.buyer
    if options.seller:
        body["lines"] = [{**line, "seller": options.seller} for line in body["lines"]]
    return body


async def _is_known(call: Call, body: Mapping[str, Any]) -> bool:
    query = urlencode({"channel": body["channel"], "external_id": body["external_id"], "limit": 1})
    status, answer = await call("GET", f"/v1/orders?{query}", None)
    return status == 200 and bool(answer["items"])


async def _refund(call: Call, placed: list[Any], refund: SourceRefund) -> list[str]:
    """Book what the source gave back already, once: the refund's own id is sent along."""
    if len(placed) != 1:
        return [f"a refund of {refund.amount['amount']} was not booked: the order is several orders here"]
    body = {"amount": refund.amount, "external_id": refund.external_id}
    if refund.reason:
        body["reason"] = refund.reason
    path = f"/v1/orders/{placed[0]['order_id']}/refunds"
    lines = [x["line_id"] for x in placed[0]["lines"] if refund.line and x.get("external_line_id") == refund.line]
    status, answer = await call("POST", path, {**body, "line_id": lines[0]} if len(lines) == 1 else body)
    if status in (409, 422) and len(lines) == 1:
        # of no line in particular: so it was booked before, or the line is not worth as much here
        status, answer = await call("POST", path, body)
    if status in (200, 201):
        return [f"refunded at its source: {refund.amount['amount']} {refund.amount['currency']}"]
    return [f"a refund of {refund.amount['amount']} was not booked: {_reason(status, answer)}"]


def _reason(status: int, answer: Any) -> str:
    """A problem in words: its detail, and every field that is wrong (the first one stands in the detail)."""
    if not isinstance(answer, dict):
        return f"the order service answered {status}"
    more = [f"{e['field']}: {e['message']}" for e in answer.get("errors", [])[1:10]]
    return "; ".join([str(answer.get("detail", f"the order service answered {status}")), *more])
