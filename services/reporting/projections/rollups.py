"""Roll-ups: what facts contribute, and the differences that the figures get out of a batch. Pure.

The same contributions are said in SQL by the views of the migration; reconciliation holds the two to each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from services.reporting.projections.facts import Fact, Movement

PHASES: Final = {
    phase: position
    for position, phase in enumerate(("approval", "pending", "preparing", "in_transit", "completed", "canceled"))
}
# of status_day: orders, value, paid, refunded, commission, commission reversed
STATUS_WIDTH: Final = 6
# of channel_day and seller_day: the phases; gross, canceled, paid, refunded, commission, commission reversed;
# accepted, rejected, due, late, issues, paid orders, refunded orders
DAY_WIDTH: Final = 19
MONEY_AT: Final = 6
SAVING_WIDTH: Final = 4

Key = tuple[Any, ...]
Columns = list[list[Any]]


class Difference:
    """Sums by key; `columns` gives what is left of them, in key order so that writers lock rows in one order."""

    __slots__ = ("_sums", "_width")

    def __init__(self, width: int) -> None:
        self._width = width
        self._sums: dict[Key, list[int]] = {}

    def add(self, key: Key, measures: Sequence[int], sign: int) -> None:
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = [0] * self._width
        for i, value in enumerate(measures):
            if value:
                sums[i] += sign * value

    def columns(self) -> Columns | None:
        """The keys and their sums as parallel lists, without those that cancelled out; None where nothing is left."""
        rows = sorted((key, sums) for key, sums in self._sums.items() if any(sums))
        if not rows:
            return None
        return [list(column) for column in zip(*((*key, *sums) for key, sums in rows), strict=True)]


class OrderDifferences:
    """The differences of the roll-ups that orders feed. `sign`: -1 for what counted before, +1 for what counts now."""

    def __init__(self) -> None:
        self.status = Difference(STATUS_WIDTH)
        self.channel = Difference(DAY_WIDTH)
        self.seller = Difference(DAY_WIDTH)
        self.saving = Difference(SAVING_WIDTH)

    def add_order(self, f: Fact, sign: int) -> None:
        """What an order contributes by the day on which it was placed, and its saving."""
        money = f.paid_minor, f.refunded_minor, f.commission_minor, f.commission_reversed_minor
        self.status.add(
            (f.marketplace_id, "placed", f.placed_day, f.currency, f.lifecycle, f.status, f.phase),
            (1, f.total_minor, *money),
            sign,
        )
        phases = [0] * MONEY_AT
        phases[PHASES[f.phase]] = 1
        canceled = f.phase == "canceled"
        measures = (
            *phases,
            f.total_minor,
            f.total_minor if canceled else 0,
            *money,
            f.accepted,
            f.cancel_kind == "rejected" and not f.accepted,
            f.due,
            f.late,
            f.issue,
            f.paid_minor > 0,
            f.refunded_minor > 0,
        )
        self.channel.add((f.marketplace_id, "placed", f.placed_day, f.currency, f.channel), measures, sign)
        if f.seller_knows:
            key = (f.marketplace_id, "placed", f.placed_day, f.seller_organisation_id, f.currency)
            self.seller.add(key, measures, sign)
        if f.saved_grams and f.completed_day is not None:
            self._add_saving(f, sign)

    def _add_saving(self, f: Fact, sign: int) -> None:
        measures = 1, f.saved_grams, f.saved_co2e_grams, f.saved_minor
        rest = f.currency, f.factors
        internal = f.seller_organisation_id == f.buyer_organisation_id
        own = "internal" if internal else "seller"
        self.saving.add((f.marketplace_id, f.completed_day, f.seller_organisation_id, own, *rest), measures, sign)
        if not internal:
            self.saving.add(
                (f.marketplace_id, f.completed_day, f.buyer_organisation_id, "buyer", *rest), measures, sign
            )

    def add_events(self, f: Fact, chain: Iterable[Movement], before: Movement | None, sign: int) -> None:
        """What consecutive events of an order contribute by the days on which they happened.

        `before` is the event ahead of the chain's first; None where that is the order's first of all. The seller has a
        chain of its own, of the events that it was told of: the money of the others comes with the next of these.
        """
        told = before if before is not None and before.seller_told else None
        for m in chain:
            self._add_event(f, m, before, sign)
            before = m
            if m.seller_told:
                key = m.marketplace_id, "event", m.day, f.seller_organisation_id, f.currency
                self.seller.add(key, _day_measures(m, told), sign)
                told = m

    def _add_event(self, f: Fact, m: Movement, before: Movement | None, sign: int) -> None:
        measures = _day_measures(m, before)
        self.status.add(
            (m.marketplace_id, "event", m.day, f.currency, f.lifecycle, m.status, m.phase),
            (m.enters_status, m.total_minor if m.enters_status else 0, *measures[MONEY_AT + 2 :]),
            sign,
        )
        self.channel.add((m.marketplace_id, "event", m.day, f.currency, f.channel), measures, sign)


def _day_measures(m: Movement, before: Movement | None) -> list[int]:
    """What an event adds to its day: the phase that it enters, and by how much each amount changed."""
    measures = [0] * MONEY_AT
    measures[PHASES[m.phase]] = int(m.enters_phase)
    now = (m.total_minor, m.canceled_minor, *m[-4:])
    then = (0,) * len(now) if before is None else (before.total_minor, before.canceled_minor, *before[-4:])
    return [*measures, *(a - b for a, b in zip(now, then, strict=True))]
