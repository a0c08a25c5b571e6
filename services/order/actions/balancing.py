"""A seller's balance: what was paid for its orders, less refunds and the owner's commission, and how much is free.

Only orders for which money came in count. What an order earned is pending until it is completed, held while an issue
is open on it, a refund is on its way or it was canceled, and available otherwise. What was paid beyond its total is
held.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson

from contracts.money import from_minor, to_minor
from services.order import policy
from services.order.actions import listing
from services.order.errors import absent, wrong_fields
from services.order.store import balances, channels
from shared.errors import Forbidden
from shared.postgres import Transaction
from shared.postgres.database import Row
from shared.process import Runtime
from shared.web import Principal

_PARTS = ("paid", "refunded", "commission", "pending", "held", "available")


async def balance(run: Runtime, caller: Principal, named: str | None) -> dict[str, Any]:
    """GET /v1/balance: one row per currency. Raises Forbidden for buyers, NotFound for another's balance."""
    _check(caller, named)
    async with run.db.tenant(caller.marketplace_id) as tx:
        seller = await _seller(tx, caller, named)
        rows = await balances.of(tx, caller.marketplace_id, seller["id"])
    return {
        "seller": {"organisation_id": str(seller["id"]), "name": seller["name"]},
        "as_of": run.clock(),
        "items": [_shown(dict(r)) for r in rows],
    }


async def held(
    run: Runtime, caller: Principal, named: str | None, after: tuple[Any, ...] | None, rows: int
) -> Sequence[Row]:
    """The orders of which money is held, newest first: with all pages, what the balance says is held."""
    _check(caller, named)
    async with run.db.tenant(caller.marketplace_id) as tx:
        seller = await _seller(tx, caller, named)
        return await balances.held(
            tx, caller.marketplace_id, seller["id"], (after[0], after[1]) if after else None, rows
        )


def held_order(row: Row, caller: Principal) -> dict[str, Any]:
    """What lists show of the order, with how much of it is held, and for what."""
    reasons = {
        "issue": row["issue"] == "open",
        "refunding": row["money"] == "refunding",
        "canceled": row["phase"] == "canceled",
        "excess": row["excess"] > 0 and row["phase"] != "canceled",
    }
    card = orjson.loads(row["card"])
    return {
        **listing.for_side(card, listing.side_of(card, caller)),
        "held": _money(row["held"], row["currency"]),
        "held_for": [name for name, holds in reasons.items() if holds],
    }


def _check(caller: Principal, named: str | None) -> None:
    if not (caller.is_operator or policy.may_state_prices(caller)):
        raise Forbidden("sellers_only", "Balances are for sellers and the operator of the marketplace.")
    if named is None and caller.is_operator:
        raise wrong_fields(("seller", "is needed: id, slug or external id of the organisation"), code="seller_needed")


async def _seller(tx: Transaction, caller: Principal, named: str | None) -> Row:
    found = await channels.organisations(tx, caller.marketplace_id, [named or str(caller.organisation_id)])
    sellers = [r for r in found if r["kind"] in ("seller", "both")]
    if len(sellers) != 1 or not policy.may_sell_for(caller, sellers[0]["id"]):
        raise absent()
    return sellers[0]


def _money(amount: Decimal, currency: str) -> dict[str, str]:
    return {"amount": from_minor(to_minor(amount, currency), currency), "currency": currency}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    currency = row["currency"]
    total = row["pending"] + row["held"] + row["available"]
    return {
        "currency": currency,
        "orders": row["orders"],
        **{name: _money(row[name], currency) for name in _PARTS},
        "balance": _money(total, currency),
    }
