"""Orders as the topics tell them, folded from their events for comparing with what is reported. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from contracts.money import from_minor
from contracts.order import OrderEvent
from services.reporting.projections.calendar import days_in
from services.reporting.projections.facts import Fact, Flags, Movement, fact, flags, movement

AMOUNTS: Final = ("gross", "paid", "refunded", "commission", "commission_reversed")
_UTC: Final = days_in("UTC")


class Told:
    """An order: its newest sequence, status and amounts in minor units, and digests of all else that is reported of it.

    Digests are sums and hashes within this process: an order takes some 700 bytes however many events it has.
    """

    __slots__ = ("amounts", "currency", "flags", "marketplace_id", "moved", "rest", "seen", "sequence", "status")

    def __init__(self, e: OrderEvent) -> None:
        self.marketplace_id = e.marketplace_id
        self.sequence = 0
        self.seen = 0
        self.moved = 0
        self.flags = flags(e)
        self.take(e)

    @property
    def events(self) -> int:
        """How many different events the order has."""
        return self.seen.bit_count()

    def take(self, e: OrderEvent) -> None:
        """Another event of the order, in whatever order they come; again changes nothing."""
        bit = 1 << e.sequence
        if self.seen & bit:
            return
        self.seen |= bit
        self.flags = self.flags.joined(flags(e))
        moved = movement(e, _UTC)
        self.moved += _digest(moved)
        if e.sequence > self.sequence:
            self._newest(fact(e.order, moved, self.flags, _UTC))

    def _newest(self, f: Fact) -> None:
        self.sequence, self.status, self.currency = f.sequence, f.status, f.currency
        self.amounts = amounts_of(f)
        self.rest = _rest(f)


def fold(told: dict[UUID, Told], arrived: Iterable[OrderEvent]) -> None:
    """Take events in."""
    for e in arrived:
        known = told.get(e.order_id)
        if known is None:
            told[e.order_id] = Told(e)
        else:
            known.take(e)


def amounts_of(f: Fact) -> tuple[int, int, int, int, int]:
    return f.total_minor, f.paid_minor, f.refunded_minor, f.commission_minor, f.commission_reversed_minor


def _rest(f: Fact) -> int:
    """Of what decides under what the order is counted, besides its amounts and flags. Days follow from the times."""
    return hash((f.marketplace_id, f.number, f.lifecycle, f.phase, f.cancel_kind, f.placed_at, f.channel,
                 f.seller_organisation_id, f.buyer_organisation_id, f.saved_grams, f.saved_co2e_grams, f.saved_minor,
                 f.factors, f.seller_told))  # fmt: skip


def _digest(m: Movement) -> int:
    return hash((*m[:4], *m[5:]))


def unlike(told: Told, f: Fact, zone: str, moved: Sequence[Movement]) -> list[str]:
    """In what an order is reported otherwise than the topics tell it; both are at the same sequence."""
    found = []
    for name, given, kept in zip(AMOUNTS, told.amounts, amounts_of(f), strict=True):
        if given != kept:
            now = from_minor(given, told.currency), from_minor(kept, told.currency)
            found.append(f"{name} {now[0]} in the topics, {now[1]} here")
    if f.status != told.status:
        found.append(f"status {told.status} in the topics, {f.status} here")
    if f.currency != told.currency:
        found.append(f"currency {told.currency} in the topics, {f.currency} here")
    if _rest(f) != told.rest:
        found.append("what it is counted under (phase, channel, seller, buyer, time) or what it saved")
    if f.flags != told.flags:
        found += [f"{name} {t} in the topics, {k} here"
                  for name, t, k in zip(Flags._fields, told.flags, f.flags, strict=True) if t != k]  # fmt: skip
    if sum(map(_digest, moved)) != told.moved:
        found.append("what happened to it day by day")
    if _days_off(f, zone, moved):
        found.append(f"a day that is not that of {zone}")
    return found


def _days_off(f: Fact, zone: str, moved: Sequence[Movement]) -> bool:
    day_of = days_in(zone)
    completed: datetime | None = f.completed_at
    return (
        f.placed_day != day_of(f.placed_at)
        or f.completed_day != (day_of(completed) if completed else None)
        or any(m.day != day_of(m.occurred_at) for m in moved)
    )


class Known:
    """The orders that were reported at the beginning, 21 bytes each; ids are added in rising order."""

    def __init__(self) -> None:
        self._ids = bytearray()
        self._sequences = array("L")
        self._met = bytearray()

    def add(self, order_id: UUID, sequence: int) -> None:
        self._ids += order_id.bytes
        self._sequences.append(sequence)
        self._met.append(0)

    def meet(self, order_id: UUID) -> int:
        """The order is in the topics; the sequence that it was reported with, 0 where it was not."""
        wanted, low, high = order_id.bytes, 0, len(self._met)
        while low < high:
            middle = (low + high) // 2
            if self._ids[16 * middle : 16 * middle + 16] < wanted:
                low = middle + 1
            else:
                high = middle
        if low == len(self._met) or self._ids[16 * low : 16 * low + 16] != wanted:
            return 0
        self._met[low] = 1
        return self._sequences[low]

    def unmet(self) -> Iterator[UUID]:
        """Orders that were reported and are in no topic."""
        at = self._met.find(0)
        while at >= 0:
            yield UUID(bytes=bytes(self._ids[16 * at : 16 * at + 16]))
            at = self._met.find(0, at + 1)
