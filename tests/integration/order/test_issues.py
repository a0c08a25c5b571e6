"""Issues as a resource: every kind is opened, settled and reopened at its own address, whatever the lifecycle."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.order.conftest import MakeMarket
from tests.integration.order.market import Market, Reply, Somebody

# lifecycle, actions that lead there (as "action by who"), kind, who opens with which parameters, what settles it how
CASES: list[Any] = [
    ("marketpush", ["accept seller", "ship seller"], "incident", "buyer_admin", {"reason_code": "damaged"},
     [("resolve", "seller", "resolved"), ("reopen", "operator", "open"), ("close", "operator", "closed")]),
    ("marketpush", ["accept seller", "ship seller", "receive buyer_admin"], "incident", "operator",
     {"reason_code": "other"}, [("close", "operator", "closed")]),
    ("lengow", ["accept seller", "ship seller"], "dispute", "buyer_admin", {"note": "empty box"},
     [("close", "operator", "resolved")]),
    ("supplier", ["accept seller", "complete buyer_admin"], "dispute", "buyer_admin", {"note": "two are missing"},
     [("resolve", "buyer_admin", "resolved")]),
    ("storefront", ["process seller"], "problem", "seller", {"reason_code": "late"}, [("close", "operator", "closed")]),
    ("storefront", [], "cancellation_request", "buyer_admin", {"note": "please"},
     [("decline", "operator", "declined")]),
    ("storefront", [], "cancellation_request", "seller", {}, [("approve", "operator", "resolved")]),
    *((name, [], "chargeback", "operator", {}, [("close", "operator", "resolved")])
      for name in ("loopfront", "storefront", "marketpush", "lengow", "supplier")),
]  # fmt: skip


async def _open(market: Market, order: Any, kind: str, who: Somebody, params: Any) -> Reply:
    return await market.call("POST", f"/v1/orders/{order['order_id']}/issues", who, {"kind": kind, "params": params})


@pytest.mark.parametrize(("lifecycle", "steps", "kind", "opener", "params", "verbs"), CASES)
async def test_an_issue_is_opened_and_settled_at_its_address(
    make_market: MakeMarket, lifecycle: str, steps: list[str], kind: str, opener: str, params: Any, verbs: Any
) -> None:
    market = await make_market(lifecycle=lifecycle, currency="EUR")
    order = await market.place(market.order("10.00", paid=True))
    for step in steps:
        action, who = step.split()
        order = await market.done(order, action, getattr(market, who))
    if kind == "incident":
        params = params | {"line_id": order["lines"][0]["line_id"]}
    opened = await _open(market, order, kind, getattr(market, opener), params)
    assert opened.status == 201, opened.raw
    assert opened.json.get("payout_held", True) is (kind != "cancellation_request") or opener.startswith("buyer")
    issue_id = opened.json["issues"][-1]["issue_id"]
    for verb, who, state in verbs:
        body = {"params": {"resolution": "won"}} if kind == "chargeback" else {}
        path = f"/v1/orders/{order['order_id']}/issues/{issue_id}/{verb}"
        settled = await market.call("POST", path, getattr(market, who), body)
        assert settled.status == 200, settled.raw
        assert settled.json["issues"][-1]["state"] == state
        again = await market.call("POST", path, getattr(market, who), body)
        assert again.status == 409, again.raw
    seen = await market.get(order, market.operator)
    assert seen["payout_held"] is False
    assert seen["issue"] == ("none" if kind == "cancellation_request" else "resolved")


async def test_a_line_has_its_status_from_before_once_its_incident_is_closed(make_market: MakeMarket) -> None:
    market = await make_market(lifecycle="marketpush", currency="GBP", settings={"auto_close_days": "0"})
    order = await market.place(market.order("5.00", "7.00", "9.00", paid=True))
    first, second, third = (line["line_id"] for line in order["lines"])
    await market.done(order, "reject", market.seller, {"lines": [{"line_id": third}]})
    await market.done(order, "accept", market.seller)
    await market.done(order, "refund", market.operator, {"line_id": second, "quantity": "1"})
    await market.done(order, "ship", market.seller)

    def statuses(seen: Any) -> list[str]:
        return [line["status"] for line in seen["lines"]]

    before = statuses(await market.get(order, market.buyer_admin))
    assert before == ["shipped", "partially_refunded", "rejected"]
    issues = []
    for line in (first, second):
        reply = await _open(market, order, "incident", market.buyer_admin, {"line_id": line, "reason_code": "damaged"})
        issues.append(reply.json["issues"][-1]["issue_id"])
    assert statuses(reply.json) == ["incident_open", "incident_open", "rejected"]
    assert (reply.json["status"], reply.json["issue"]) == ("shipped", "open")
    path = f"/v1/orders/{order['order_id']}/issues"
    closed = await market.call("POST", f"{path}/{issues[1]}/close", market.operator, {})
    assert statuses(closed.json) == ["incident_open", "partially_refunded", "rejected"]
    closed = await market.call("POST", f"{path}/{issues[0]}/close", market.operator, {})
    assert statuses(closed.json) == before


async def test_a_chargeback_is_opened_by_whoever_hears_of_it(market: Market) -> None:
    order = await market.place(market.order("10.00", paid=True))
    for who in (market.seller, market.buyer_admin, market.operator):
        opened = await _open(market, order, "chargeback", who, {"note": f"heard by {who.name}"})
        assert opened.status == 201, opened.raw
        issue = opened.json["issues"][-1]
        assert (issue["kind"], issue["note"], "evidence_due_at" in issue) == (
            "chargeback",
            f"heard by {who.name}",
            True,
        )
    late = await _open(market, order, "problem", market.seller, {"reason_code": "late"})
    assert late.json["issues"][-1]["kind"] == "problem"


async def test_who_may_not_settle_is_told_so_and_nothing_changes(make_market: MakeMarket) -> None:
    market = await make_market(lifecycle="marketpush", currency="GBP")
    order = await market.place(market.order("5.00", paid=True))
    for action in ("accept", "ship"):
        order = await market.done(order, action, market.seller)
    line = order["lines"][0]["line_id"]
    denied = await _open(market, order, "incident", market.seller, {"line_id": line, "reason_code": "damaged"})
    assert (denied.status, denied.code) == (403, "not_allowed")
    opened = await _open(market, order, "incident", market.operator, {"line_id": line, "reason_code": "damaged"})
    path = f"/v1/orders/{order['order_id']}/issues/{opened.json['issues'][0]['issue_id']}"
    for verb, who, status in (("close", market.seller, 403), ("resolve", market.operator, 403),
                              ("approve", market.operator, 404), ("close", market.seller2, 404)):  # fmt: skip
        assert (await market.call("POST", f"{path}/{verb}", who, {})).status == status, verb
    assert (await market.get(order, market.operator))["sequence"] == opened.json["sequence"]
    smashed = await market.call("POST", f"{path}/smash", market.operator, {})
    assert (smashed.status, smashed.code, "It takes close, resolve" in smashed.json["detail"]) == (
        404, "unknown_action", True
    )  # fmt: skip
    unknown = await _open(market, order, "dispute", market.buyer_admin, {})
    assert (unknown.status, unknown.code) == (409, "issue_kind_unknown")
