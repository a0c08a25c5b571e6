"""What reporting keeps of an order event. Pure: no clock, no database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NamedTuple
from uuid import UUID

from contracts.order import Deadline, OrderCompleted, OrderCreated, OrderEvent, OrderSnapshot
from services.reporting.projections.savings import Saving, saving

# The order was taken on by its seller: it is being prepared, or is beyond that.
ACCEPTED_PHASES: Final = frozenset({"preparing", "in_transit", "completed"})
# A request to cancel is a question to the owner, not a fault of the order.
NO_FAULT: Final = frozenset({"cancellation_request"})

# What a seller promised. Other deadlines are the clock's own (closing, abandoning) or concern evidence: those are no
# lateness; any deadline that an operator's own lifecycle adds counts once it is overdue.
PROMISES: Final = frozenset({"acknowledge", "ship"})
EVIDENCE: Final = "evidence"

DayOf = Callable[[datetime], date]


class Flags(NamedTuple):
    """What an order once was stays true, whichever of its events comes last."""

    seller_knows: bool
    accepted: bool
    due: bool
    late: bool
    issue: bool
    completed_at: datetime | None

    def joined(self, other: Flags) -> Flags:
        return Flags(
            self.seller_knows or other.seller_knows,
            self.accepted or other.accepted,
            self.due or other.due,
            self.late or other.late,
            self.issue or other.issue,
            self.completed_at or other.completed_at,
        )


class Movement(NamedTuple):
    """The amounts after one event of an order, and what the event entered; the columns of `add_movements`."""

    order_id: UUID
    sequence: int
    marketplace_id: UUID
    occurred_at: datetime
    day: date
    status: str
    phase: str
    enters_status: bool
    enters_phase: bool
    seller_told: bool  # the seller may know of the event
    total_minor: int
    paid_minor: int
    refunded_minor: int
    commission_minor: int
    commission_reversed_minor: int

    @property
    def canceled_minor(self) -> int:
        return self.total_minor if self.phase == "canceled" else 0


class Fact(NamedTuple):
    """An order as its newest snapshot and its flags say, money in minor units; the columns of `insert_facts`."""

    order_id: UUID
    marketplace_id: UUID
    sequence: int
    number: str
    lifecycle: str
    status: str
    phase: str
    cancel_kind: str | None
    placed_at: datetime
    placed_day: date
    channel: str
    currency: str
    seller_organisation_id: UUID
    buyer_organisation_id: UUID
    total_minor: int
    paid_minor: int
    refunded_minor: int
    commission_minor: int
    commission_reversed_minor: int
    saved_grams: int
    saved_co2e_grams: int
    saved_minor: int
    factors: str
    seller_told: bool  # the seller may know of the newest event
    seller_knows: bool
    accepted: bool
    due: bool
    late: bool
    issue: bool
    completed_at: datetime | None
    completed_day: date | None

    @property
    def flags(self) -> Flags:
        return Flags(self.seller_knows, self.accepted, self.due, self.late, self.issue, self.completed_at)

    @property
    def belongs(self) -> tuple[str, str, str, UUID]:
        """What every contribution of the order is counted under, by either clock."""
        return self.currency, self.lifecycle, self.channel, self.seller_organisation_id


@dataclass(slots=True)
class Folded:
    """The events of one order in a batch by sequence, in whatever order they came."""

    by_sequence: dict[int, OrderEvent]
    flags: Flags

    @property
    def newest(self) -> OrderEvent:
        return self.by_sequence[max(self.by_sequence)]


def fold(events: Iterable[OrderEvent]) -> dict[UUID, Folded]:
    """By order: its events, and the flags of them all."""
    folded: dict[UUID, Folded] = {}
    for e in events:
        known = folded.get(e.order_id)
        if known is None:
            folded[e.order_id] = Folded({e.sequence: e}, flags(e))
        else:
            known.by_sequence.setdefault(e.sequence, e)
            known.flags = known.flags.joined(flags(e))
    return folded


def flags(e: OrderEvent) -> Flags:
    """What this event alone says of the order for good."""
    order = e.order
    return Flags(
        seller_knows="seller" in e.audience,
        accepted=order.phase in ACCEPTED_PHASES or e.change.from_phase in ACCEPTED_PHASES,
        due=any((d.name in PROMISES and _is_sellers(d)) or _is_late(d) for d in order.deadlines),
        late=any(_is_late(d) for d in order.deadlines),
        issue=any(i.kind not in NO_FAULT for i in order.issues),
        completed_at=e.occurred_at if isinstance(e, OrderCompleted) else None,
    )


def _is_late(deadline: Deadline) -> bool:
    return deadline.overdue and deadline.name != EVIDENCE and _is_sellers(deadline)


def _is_sellers(deadline: Deadline) -> bool:
    """Whether it concerns the seller: what it may not know of, it cannot keep."""
    return deadline.audience is None or "seller" in deadline.audience


def movement(e: OrderEvent, day_of: DayOf) -> Movement:
    """The row of an event. An order enters pending once, when it is placed: what comes back to it was placed before."""
    order, change, totals, commission = e.order, e.change, e.order.totals, e.order.commission
    return Movement(
        e.order_id,
        e.sequence,
        e.marketplace_id,
        e.occurred_at,
        day_of(e.occurred_at),
        order.status,
        order.phase,
        change.from_status != change.to_status,
        change.from_phase != change.to_phase and (change.to_phase != "pending" or isinstance(e, OrderCreated)),
        "seller" in e.audience,
        totals.total.minor,
        totals.paid.minor,
        totals.refunded.minor,
        commission.amount.minor,
        commission.reversed.minor,
    )


def fact(order: OrderSnapshot, amounts: Movement, joined: Flags, day_of: DayOf) -> Fact:
    """The row of a snapshot whose amounts were read already, with the flags of all events so far."""
    received_at = joined.completed_at or order.updated_at
    saved = saving(order, received_at) if order.phase == "completed" else Saving.NONE
    return Fact(
        order.order_id,
        order.marketplace_id,
        order.sequence,
        order.number,
        order.lifecycle.name,
        order.status,
        order.phase,
        order.cancel_kind,
        order.placed_at,
        day_of(order.placed_at),
        order.channel,
        order.currency,
        order.seller.organisation_id,
        order.buyer.organisation_id,
        amounts.total_minor,
        amounts.paid_minor,
        amounts.refunded_minor,
        amounts.commission_minor,
        amounts.commission_reversed_minor,
        saved.grams,
        saved.co2e_grams,
        saved.value_minor,
        saved.factors,
        amounts.seller_told,
        joined.seller_knows,
        joined.accepted,
        joined.due,
        joined.late,
        joined.issue,
        joined.completed_at,
        day_of(joined.completed_at) if joined.completed_at else None,
    )


def with_flags(known: Fact, joined: Flags, day_of: DayOf) -> Fact:
    """A fact whose snapshot stays, with flags that rose."""
    day = day_of(joined.completed_at) if joined.completed_at else None
    return known._replace(**joined._asdict(), completed_day=day)
