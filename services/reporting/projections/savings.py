"""Savings of reuse: kg x factor x displacement x quantity, on goods that were received and not given back.

loopfront page: completed orders, inside an organisation and between organisations, generate savings in its reports.
The factors are published tables with their sources (factors/<version>.toml), each for what is received from its day on.
A refund takes its part back.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from importlib.resources import files
from typing import Any, ClassVar, Final

from contracts.order import Line, OrderSnapshot

# Lifecycles of reused goods. Elsewhere goods are new, and moving them saves nothing.
REUSE_LIFECYCLES: Final = frozenset({"loopfront"})
GRAMS: Final = Decimal(1_000)


@dataclass(frozen=True, slots=True)
class Factor:
    """kg CO2e per kg, how much new material a reused kg stands for, and where the figure is from."""

    co2e: Decimal
    displacement: Decimal
    source: str


@dataclass(frozen=True, slots=True)
class FactorTable:
    """A published version. `published` is the first day (UTC) whose receipts are counted with it."""

    version: str
    published: date
    materials: Mapping[str, Factor]
    sources: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Saving:
    """What the received goods of an order weigh, what emissions they stand for, and what they were traded for."""

    grams: int
    co2e_grams: int
    value_minor: int
    factors: str
    NONE: ClassVar[Saving]


Saving.NONE = Saving(0, 0, 0, "")


def read_table(text: str) -> FactorTable:
    """Parse a factor table. Raises ValueError for a factor without source or outside 0..1000 (displacement 0..1)."""
    raw: dict[str, Any] = tomllib.loads(text)
    materials: dict[str, Factor] = {}
    for name, entry in raw["material"].items():
        factor = Factor(Decimal(entry["co2e"]), Decimal(entry["displacement"]), entry["source"])
        if factor.source not in raw["source"]:
            raise ValueError(f"material {name}: its source {factor.source!r} is not in the table")
        if not (0 < factor.co2e <= 1_000 and 0 < factor.displacement <= 1):
            raise ValueError(f"material {name}: co2e takes 0 to 1000 and displacement 0 to 1")
        materials[name] = factor
    return FactorTable(raw["version"], raw["published"], materials, raw["source"])


def in_order(tables: Iterable[FactorTable]) -> tuple[FactorTable, ...]:
    """The tables by the day of their publication. Raises ValueError where two have one version or one day."""
    found = tuple(sorted(tables, key=lambda t: t.published))
    for what in ({t.version for t in found}, {t.published for t in found}):
        if len(what) != len(found):
            raise ValueError("two factor tables have the same version or the same day of publication")
    return found


TABLES: Final = in_order(
    read_table(f.read_text(encoding="utf-8"))
    for f in files(__package__).joinpath("factors").iterdir()
    if f.name.endswith(".toml")
)
TABLE: Final = TABLES[-1]


def table_of(received_at: datetime, tables: Sequence[FactorTable] = TABLES) -> FactorTable:
    """The table that was in force at a moment; the first one for what came before it was published."""
    day = received_at.astimezone(UTC).date()
    return next((t for t in reversed(tables) if t.published <= day), tables[0])


def saving(order: OrderSnapshot, received_at: datetime, tables: Sequence[FactorTable] = TABLES) -> Saving:
    """The saving of a completed order; Saving.NONE where nothing in it is reused goods of known weight."""
    if order.lifecycle.name not in REUSE_LIFECYCLES or order.money == "refunded":
        return Saving.NONE
    table, loose = table_of(received_at, tables), _loose(order)
    grams = co2e = value = Decimal(0)
    for line, worth in zip(order.lines, _worths(order), strict=True):
        kept = _kept(line, worth, loose)
        if line.kg_per_unit is None or not kept:
            continue
        kg = line.kg_per_unit * line.received * kept
        grams += kg * GRAMS
        factor = table.materials.get((line.material or "").strip().lower())
        if factor is not None:
            co2e += kg * factor.co2e * factor.displacement * GRAMS
        value += worth * kept * min(Decimal(1), line.received / line.ordered)
    whole = _whole(grams)
    return Saving(whole, _whole(co2e), _whole(value), table.version) if whole else Saving.NONE


def _worths(order: OrderSnapshot) -> list[int]:
    """What each line comes to, in minor units: its share of everything but shipping, as it is refunded (decision 0012).

    An order's discount lies on its lines, as its source divides it or in proportion. Largest remainder, ties to the
    earlier line.
    """
    weights = [line.total.minor - (line.discount.minor if line.discount else 0) for line in order.lines]
    if not any(weights):
        weights = [1] * len(weights)
    goods, whole = max(order.totals.total.minor - order.totals.shipping.minor, 0), sum(weights)
    worths = [goods * w // whole for w in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(goods * weights[i] % whole), i))
    for i in by_remainder[: goods - sum(worths)]:
        worths[i] += 1
    return worths


def _loose(order: OrderSnapshot) -> Decimal:
    """The share of the order that was paid back without saying for which line: it is taken from all of them."""
    refunded = order.totals.refunded.minor - sum(line.refunded.minor for line in order.lines)
    return Decimal(refunded) / order.totals.total.minor if refunded > 0 and order.totals.total.minor > 0 else Decimal(0)


def _kept(line: Line, worth: int, loose: Decimal) -> Decimal:
    """The share of what was received that stays: what was returned or paid back is not counted, nor twice."""
    if line.received <= 0:
        return Decimal(0)
    returned = line.returned / line.received
    refunded = Decimal(line.refunded.minor) / worth if worth > 0 else Decimal(0)
    return max(Decimal(0), 1 - max(returned, refunded + loose))


def _whole(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
