"""Order events into facts, and the facts' differences into the figures, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from contracts.order import OrderEvent
from services.reporting import store
from services.reporting.projections.calendar import days_in
from services.reporting.projections.facts import DayOf, Fact, Folded, Movement, fact, fold, movement, with_flags
from services.reporting.projections.rollups import OrderDifferences
from services.reporting.store import Marketplace
from shared.postgres import Transaction


async def project(tx: Transaction, events: Sequence[OrderEvent]) -> None:
    """Project a batch, in any order, into every generation that its marketplaces keep; again changes nothing."""
    known = await store.marketplaces(tx, sorted({e.marketplace_id for e in events}))
    await store.add_organisations(tx, _names(events))
    groups: dict[int, list[OrderEvent]] = {}
    for e in events:
        for generation in known[e.marketplace_id].generations:
            groups.setdefault(generation, []).append(e)
    for generation in sorted(groups):
        await apply(tx, generation, groups[generation], known)


async def apply(tx: Transaction, generation: int, events: Sequence[OrderEvent], known: dict[UUID, Marketplace]) -> None:
    """Facts, movements and figures of one generation. The marketplaces' rows must be locked (see `store`)."""
    folded = fold(events)
    batch = Batch(known, await store.lock_facts(tx, generation, sorted(folded)))
    history = await store.movements(tx, generation, [i for i, f in folded.items() if batch.is_irregular(i, f)])
    for order_id, f in folded.items():
        batch.take(order_id, f, history.get(order_id))
    await store.save_facts(tx, generation, batch.new, batch.changed, batch.moved)
    await store.add_order_figures(tx, generation, batch.differences)


class Batch:
    """What a batch makes of the facts that were there: new and changed rows, and the figures' differences."""

    def __init__(self, marketplaces: dict[UUID, Marketplace], facts: dict[UUID, Fact]) -> None:
        self._facts = facts
        self._day_of: dict[UUID, DayOf] = {i: days_in(m.zone) for i, m in marketplaces.items()}
        self.new: list[Fact] = []
        self.changed: list[Fact] = []
        self.moved: list[Movement] = []
        self.differences = OrderDifferences()

    def is_irregular(self, order_id: UUID, folded: Folded) -> bool:
        """Whether the order's earlier events are needed.

        One comes late or again, they are counted otherwise now, or the seller was told of one, but not of the newest.
        Else all events follow the newest one known, whose amounts stand in the fact: that is nearly always so.
        """
        old = self._facts.get(order_id)
        if old is None:
            return False
        newest = folded.newest.order
        return (
            min(folded.by_sequence) <= old.sequence
            or (old.seller_knows and not old.seller_told)
            or old.belongs != (newest.currency, newest.lifecycle.name, newest.channel, newest.seller.organisation_id)
        )

    def take(self, order_id: UUID, folded: Folded, history: list[Movement] | None) -> None:
        """Take the events of one order in; `history` are its known events where it is irregular."""
        old = self._facts.get(order_id)
        day_of = self._day_of[folded.newest.marketplace_id]
        seen = {m.sequence for m in history} if history else set()
        fresh = [movement(folded.by_sequence[s], day_of) for s in sorted(folded.by_sequence) if s not in seen]
        now = self._fact(old, folded, fresh, day_of)
        if old is None:
            self.new.append(now)
        elif now != old:
            self.differences.add_order(old, -1)
            self.changed.append(now)
        if now != old:
            self.differences.add_order(now, 1)
        self.moved += fresh
        if history is None:
            self.differences.add_events(now, fresh, _last(old), 1)
        elif fresh or (old is not None and old.belongs != now.belongs):
            self.differences.add_events(old or now, history, None, -1)
            merged = sorted([*history, *fresh], key=lambda m: m.sequence)
            self.differences.add_events(now, merged, None, 1)

    def _fact(self, old: Fact | None, folded: Folded, fresh: list[Movement], day_of: DayOf) -> Fact:
        joined = folded.flags if old is None else old.flags.joined(folded.flags)
        newest = folded.newest
        if old is None or newest.sequence > old.sequence:
            return fact(newest.order, fresh[-1], joined, day_of)
        return old if joined == old.flags else with_flags(old, joined, day_of)


def _last(old: Fact | None) -> Movement | None:
    """The newest known event of an order, as far as the next one's difference needs it."""
    if old is None:
        return None
    return Movement(
        old.order_id, old.sequence, old.marketplace_id, old.placed_at, old.placed_day, old.status, old.phase, False,
        False, old.seller_told, old.total_minor, old.paid_minor, old.refunded_minor, old.commission_minor,
        old.commission_reversed_minor,
    )  # fmt: skip


def _names(events: Sequence[OrderEvent]) -> dict[UUID, tuple[UUID, str]]:
    return {
        party.organisation_id: (e.marketplace_id, party.name)
        for e in events
        for party in (e.order.seller, e.order.buyer)
    }
