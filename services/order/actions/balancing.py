"""A seller's balance: what was paid for its orders, less refunds and the owner's commission, and how much is free.

Only orders for which money came in count. What an order earned is pending until it is completed, held while an issue
is open on it, a refund is on its way or it was canceled, and available otherwise. What was paid beyond its total is
held.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from contracts.money import from_minor, to_minor
from services.order import policy
from services.order.errors import absent, wrong_fields
from services.order.store import balances, channels
from shared.errors import Forbidden
from shared.process import Runtime
from shared.web import Principal

_PARTS = ("paid", "refunded", "commission", "pending", "held", "available")


async def balance(run: Runtime, caller: Principal, named: str | None) -> dict[str, Any]:
    """GET /v1/balance: one row per currency. Raises Forbidden for buyers, NotFound for another's balance."""
    if not (caller.is_operator or policy.may_state_prices(caller)):
        raise Forbidden("sellers_only", "Balances are for sellers and the operator of the marketplace.")
    if named is None and caller.is_operator:
        raise wrong_fields(("seller", "is needed: id, slug or external id of the organisation"), code="seller_needed")
    async with run.db.tenant(caller.marketplace_id) as tx:
        found = await channels.organisations(tx, caller.marketplace_id, [named or str(caller.organisation_id)])
        sellers = [r for r in found if r["kind"] in ("seller", "both")]
        if len(sellers) != 1 or not policy.may_sell_for(caller, sellers[0]["id"]):
            raise absent()
        rows = await balances.of(tx, caller.marketplace_id, sellers[0]["id"])
    return {
        "seller": {"organisation_id": str(sellers[0]["id"]), "name": sellers[0]["name"]},
        "as_of": run.clock(),
        "items": [_shown(dict(r)) for r in rows],
    }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    currency = row["currency"]

    def money(amount: Decimal) -> dict[str, str]:
        return {"amount": from_minor(to_minor(amount, currency), currency), "currency": currency}

    total = row["pending"] + row["held"] + row["available"]
    return {
        "currency": currency,
        "orders": row["orders"],
        **{name: money(row[name]) for name in _PARTS},
        "balance": money(total),
    }
