"""The tables of the reports as columns and rows, with amounts beside their currency. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal
from uuid import UUID

from contracts.money import Money
from services.reporting import schemas
from services.reporting.reports import PHASES

Kind = Literal["text", "day", "count", "money", "decimal"]
# A cell by the kind of its column: text is str or UUID, day a date, count an int, money Money, decimal a string of one.
Cell = str | UUID | date | int | Money | Decimal | None
Row = Sequence[Cell]

RATES: Final = ("acceptance", "late", "issue", "refund", "cancel")
REPLIES: Final = ("first", "next")
WITHIN: Final = ("within_1h", "within_4h", "within_8h", "within_24h")


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: Kind = "text"


def _columns(kind: Kind, *names: str) -> tuple[Column, ...]:
    return tuple(Column(n, kind) for n in names)


FIGURES: Final = (
    Column("currency"),
    *_columns("count", "orders", *(f"{p}_orders" for p in PHASES)),
    *_columns("money", "gross", "average", "canceled_gross", "paid", "refunded", "net"),
    *_columns("money", "commission", "commission_reversed", "commission_net"),
)
ORDERS: Final = (
    Column("day", "day"), *_columns("text", "currency", "lifecycle", "status", "phase"), Column("orders", "count"),
    *_columns("money", "gross", "paid", "refunded", "commission", "commission_reversed"),
)  # fmt: skip
SUMMARY: Final = (Column("period"), *_columns("day", "first", "last"), *FIGURES)
CHANNELS: Final = (Column("channel"), *FIGURES)
RATE: Final = (Column("rate"), *_columns("count", "numerator", "denominator"), Column("of"), Column("share", "decimal"))
SELLERS: Final = (
    *_columns("text", "seller_id", "seller"), *FIGURES,
    *(c for r in RATES for c in (*_columns("count", f"{r}_count", f"{r}_of"), Column(f"{r}_rate", "decimal"))),
    *_columns("count", *(f"{k}_{name}" for k in REPLIES
                         for name in ("replies", "reply_seconds", "reply_business_seconds", *WITHIN))),
)  # fmt: skip
SAVINGS: Final = (
    *_columns("text", "organisation_id", "organisation", "side", "currency", "factors"), Column("orders", "count"),
    *_columns("decimal", "kg", "co2e_kg"), Column("value", "money"),
)  # fmt: skip


def order_row(r: schemas.StatusRow) -> Row:
    return (r.day, r.currency, r.lifecycle, r.status, r.phase, r.orders, r.gross, r.paid, r.refunded, r.commission,
            r.commission_reversed)  # fmt: skip


def figures(f: schemas.Figures) -> Row:
    return (f.currency, f.orders, *(f.phases[p] for p in PHASES), f.gross, f.average, f.canceled, f.paid, f.refunded,
            f.net, f.commission, f.commission_reversed, f.commission_net)  # fmt: skip


def summary_rows(s: schemas.Summary) -> list[Row]:
    """The period's figures and those of the period before, by currency."""
    both = (("asked", s.period, s.figures), ("before", s.previous, s.previous_figures))
    return [(name, p.first, p.last, *figures(f)) for name, p, own in both for f in own]


def channel_rows(s: schemas.Summary) -> list[Row]:
    return [(c.channel, *figures(c.figures)) for c in s.channels]


def rate_rows(s: schemas.Summary) -> list[Row]:
    rates = ((name, getattr(s.rates, name)) for name in RATES)
    return [(name, r.numerator, r.denominator, r.of, r.rate) for name, r in rates]


def seller_row(r: schemas.SellerRow) -> Row:
    rates = [getattr(r.rates, name) for name in RATES]
    replies = [getattr(r.replies, name) for name in REPLIES]
    return (
        r.seller_organisation_id, r.seller_name, *figures(r.figures),
        *(cell for x in rates for cell in (x.numerator, x.denominator, x.rate)),
        *(cell for t in replies for cell in (t.replies, t.mean_seconds, t.mean_business_seconds,
                                             *(getattr(t, w) for w in WITHIN))),
    )  # fmt: skip


def saving_row(r: schemas.SavingRow) -> Row:
    return (r.organisation_id, r.organisation_name, r.side, r.currency, r.factors, r.orders, r.kg, r.co2e_kg, r.value)
