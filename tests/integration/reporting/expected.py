"""What reports have to say, worked out from the orders as the order service shows them, and from nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from contracts.money import exponent
from services.order.workflow.proportion import allocate
from services.reporting.projections.savings import TABLE

MONEY = ("gross", "canceled", "paid", "refunded", "commission", "commission_reversed")
Sums = dict[Any, dict[str, int]]


@dataclass(frozen=True)
class Seen:
    """An order with its timeline, as the operator sees them; `known` says that its seller may know of it."""

    order: Any
    timeline: Sequence[Any]
    known: bool


def minor(money: Any) -> int:
    return int(Decimal(money["amount"]).scaleb(exponent(money["currency"])))


def amounts(order: Any) -> dict[str, int]:
    """The money of an order in minor units, by the names that reports use."""
    totals = order["totals"]
    return {
        "gross": minor(totals["total"]), "canceled": minor(totals["total"]) if order["phase"] == "canceled" else 0,
        "paid": minor(totals["paid"]), "refunded": minor(totals["refunded"]),
        "commission": minor(order["commission"]["amount"]),
        "commission_reversed": minor(order["commission"]["reversed"]),
    }  # fmt: skip


def summed(seen: Sequence[Seen], key: Any) -> Sums:
    """Orders and money by what `key` says of an order."""
    found: Sums = defaultdict(lambda: dict.fromkeys(("orders", *MONEY), 0))
    for s in seen:
        sums = found[key(s.order)]
        sums["orders"] += 1
        for name, value in amounts(s.order).items():
            sums[name] += value
    return dict(found)


def day(moment: str, zone: str) -> date:
    return datetime.fromisoformat(moment).astimezone(ZoneInfo(zone)).date()


def rates(seen: Sequence[Seen]) -> dict[str, tuple[int, int]]:
    """Numerator and denominator of each rate."""
    orders = [s.order for s in seen]
    placed = [o for o in orders if o["phase"] != "approval"]
    accepted = [s for s in seen if _was(s, {"preparing", "in_transit", "completed"})]
    rejected = [s for s in seen if s not in accepted and s.order.get("cancel_kind") == "rejected"]
    faulty = [o for o in orders if any(i["kind"] != "cancellation_request" for i in o["issues"])]
    paid = [o for o in orders if minor(o["totals"]["paid"])]
    return {
        "acceptance": (len(accepted), len(accepted) + len(rejected)),
        "issue": (len(faulty), len(placed)),
        "refund": (len([o for o in orders if minor(o["totals"]["refunded"])]), len(paid)),
        "cancel": (len([o for o in orders if o["phase"] == "canceled"]), len(placed)),
    }


def _was(s: Seen, phases: set[str]) -> bool:
    return bool(phases & {p for e in s.timeline for p in (e.get("from_phase"), e.get("to_phase"))})


def savings(seen: Sequence[Seen]) -> dict[str, tuple[int, int, int, int]]:
    """By currency: orders, grams, CO2e grams and value of received reused goods, told once per order."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for order in (s.order for s in seen):
        if order["phase"] == "completed" and order["lifecycle"]["name"] == "loopfront":
            parts = _saved(order)
            if parts[0]:
                for n, part in enumerate((1, *parts)):
                    found[order["currency"]][n] += part
    return {currency: (n, g, c, v) for currency, (n, g, c, v) in found.items()}


def _saved(order: Any) -> tuple[int, int, int]:
    """docs/reporting: kg x quantity received and kept x factor x displacement; a refund takes its part back.

    A line is worth its share of all but shipping (decision 0012), whatever the order's discount is.
    """
    totals = {k: minor(v) for k, v in order["totals"].items()}
    goods = max(totals["total"] - totals["shipping"], 0)
    own = [minor(x["discount"]) if "discount" in x else 0 for x in order["lines"]]
    worths = allocate(goods, [minor(x["total"]) - off for x, off in zip(order["lines"], own, strict=True)])
    loose = totals["refunded"] - sum(minor(x["refunded"]) for x in order["lines"])
    grams = co2e = value = Decimal(0)
    for line, worth in zip(order["lines"], worths, strict=True):
        gone = Decimal(minor(line["refunded"])) / worth if worth else Decimal(0)
        gone += Decimal(loose) / totals["total"] if totals["total"] else 0
        received, ordered = Decimal(line["received"]), Decimal(line["ordered"])
        returned = Decimal(line["returned"]) / received if received else Decimal(0)
        kept = max(Decimal(0), 1 - max(returned, gone))
        if "kg_per_unit" not in line or not kept or order["money"] == "refunded":
            continue
        kg = Decimal(line["kg_per_unit"]) * received * kept
        grams += kg * 1_000
        factor = TABLE.materials.get(line.get("material", "").strip().lower())
        co2e += kg * 1_000 * factor.co2e * factor.displacement if factor else 0
        value += worth * kept * min(Decimal(1), received / ordered)
    return _whole(grams), _whole(co2e), _whole(value)


def _whole(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
