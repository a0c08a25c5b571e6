"""Placing: from a submitted order and resolved facts to one order per seller, in its first state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from contracts.inbound import SubmittedCustomer, SubmittedLine, SubmittedOrder
from contracts.money import MAX_MINOR, Money
from contracts.order import (
    Address,
    Approval,
    Customer,
    DeliveryMode,
    LifecycleRef,
    Note,
)
from services.order.workflow.actors import sides
from services.order.workflow.decide import Run
from services.order.workflow.decision import Decision, PlaceAgain, Placed
from services.order.workflow.facts import Actor, Facts, LineFacts, Placement
from services.order.workflow.lifecycle import Lifecycle
from services.order.workflow.model import Ids, Line, Order
from services.order.workflow.proportion import share
from services.order.workflow.refusals import BadOrder, LifecycleFault
from services.order.workflow.steps import enter, holds, seal
from services.order.workflow.totals import Part, Priced, check_discounts, divide, price_lines

PLACE = "place"


@dataclass(frozen=True, slots=True)
class _Group:
    """One seller's share of a purchase."""

    seller_id: UUID
    lines: tuple[tuple[SubmittedLine, LineFacts, Priced], ...]


def seller_count(placement: Placement) -> int:
    """How many orders the placement becomes: one per seller."""
    return len({f.seller_id for f in placement.lines})


def place(
    placement: Placement,
    lifecycle: Lifecycle,
    actor: Actor,
    *,
    now: datetime,
    ids: Ids,
    numbers: Sequence[str],
    facts: Facts = Facts(),  # noqa: B008 - frozen and empty
) -> Placed:
    """The orders of a purchase, one per seller, each with its first event and what follows by itself.

    `numbers` gives each order its short number. Raises BadOrder, and then nothing was made.
    """
    submitted = placement.submitted
    _check(placement, numbers)
    priced = price_lines(submitted, placement.lines)
    check_discounts(submitted, priced)
    groups = _groups(placement, priced)
    nets = [sum(p.net for _, _, p in g.lines) for g in groups]
    taxes = [sum(p.tax for _, _, p in g.lines) for g in groups]
    parts = divide(submitted, nets, taxes, [sum(p.discount for _, _, p in g.lines) for g in groups])
    purchase_id = ids()
    orders = [
        _order(placement, lifecycle, group, part, number, purchase_id, now, ids)
        for group, part, number in zip(groups, parts, numbers, strict=True)
    ]
    approval = _approval(placement, sum(o.total for o in orders))
    decisions = tuple(_begin(order.with_(approval=approval), lifecycle, actor, now, ids, facts) for order in orders)
    return Placed(purchase_id, decisions)


def _check(placement: Placement, numbers: Sequence[str]) -> None:
    submitted, facts = placement.submitted, placement.lines
    if len(facts) != len(submitted.lines):
        raise ValueError("one LineFacts per submitted line is wanted")
    if len(numbers) != seller_count(placement):
        raise ValueError(f"{seller_count(placement)} order numbers are wanted")
    errors = []
    for i, (line, fact) in enumerate(zip(submitted.lines, facts, strict=True)):
        if fact.tracked and line.quantity != line.quantity.to_integral_value():
            errors.append((f"lines.{i}.quantity", f"{fact.sku} has units; a whole number is wanted"))
    if errors:
        raise BadOrder(*errors)


def _groups(placement: Placement, priced: Sequence[Priced]) -> list[_Group]:
    by_seller: dict[UUID, list[tuple[SubmittedLine, LineFacts, Priced]]] = {}
    for line, fact, price in zip(placement.submitted.lines, placement.lines, priced, strict=True):
        by_seller.setdefault(fact.seller_id, []).append((line, fact, price))
    return [_Group(seller, tuple(lines)) for seller, lines in by_seller.items()]


def _order(
    placement: Placement,
    lifecycle: Lifecycle,
    group: _Group,
    part: Part,
    number: str,
    purchase_id: UUID,
    now: datetime,
    ids: Ids,
) -> Order:
    submitted = placement.submitted
    rate = placement.commission_rates.get(group.seller_id, Decimal(0))
    net = sum(p.net for _, _, p in group.lines)
    made = Order(
        order_id=ids(),
        marketplace_id=placement.marketplace_id,
        purchase_id=purchase_id,
        number=number,
        lifecycle=LifecycleRef(name=lifecycle.name, version=lifecycle.version),
        status="",
        status_since=now,
        placed_at=min(placement.placed_at or submitted.placed_at or now, now),
        updated_at=now,
        buyer=placement.buyer,
        seller=placement.sellers[group.seller_id],
        customer=_customer(submitted, placement),
        time_zone=placement.time_zone,
        destination=placement.destination,
        currency=submitted.currency,
        lines=tuple(_line(n, *x, ids) for n, x in enumerate(group.lines, 1)),
        shipping=part.shipping,
        discount=part.discount,
        adjustment=part.adjustment,
        commission_rate=rate,
        # on the goods, after the discount: tax and shipping are not the seller's earnings
        commission=share(max(net - part.discount, 0), rate, 1),
        delivery_mode=_mode(submitted, group),
        replaces_order_id=placement.replaces_order_id,
        reordered_from_id=placement.reordered_from_id,
    )
    if made.total > MAX_MINOR:
        raise BadOrder(("total", f"is beyond the largest amount, {MAX_MINOR} minor units"))
    # a stated total below what the goods cost: the owner earns no more than is paid
    return _described(made.with_(commission=min(made.commission, made.total)), submitted, now, ids)


def _described(order: Order, submitted: SubmittedOrder, now: datetime, ids: Ids) -> Order:
    """The order with what its source says of it: references, payment, how it is delivered, a note."""
    notes: tuple[Note, ...] = ()
    if submitted.note:
        by = order.buyer.person_name or submitted.customer.name
        notes = (Note(note_id=ids(), at=now, by=by, side="buyer", text=submitted.note),)
    return order.with_(
        channel=submitted.channel,
        external_id=submitted.external_id,
        external_number=submitted.external_number,
        external_status=submitted.external_status,
        paid=order.total if submitted.paid else 0,
        delivery_method=submitted.delivery_method,
        attributes=dict(submitted.attributes),
        notes=notes,
    )


def _line(position: int, line: SubmittedLine, facts: LineFacts, price: Priced, ids: Ids) -> Line:
    return Line(
        line_id=ids(),
        position=position,
        listing_id=facts.listing_id,
        sku=facts.sku,
        name=facts.name,
        unit_code=facts.unit_code or line.unit_code,
        unit_price=price.unit_price,
        ordered=line.quantity,
        net=price.net,
        tax=price.tax,
        discount=price.discount,
        tracked=facts.tracked,
        external_line_id=line.external_line_id,
        kg_per_unit=facts.kg_per_unit,
        material=facts.material,
    )


def _customer(submitted: SubmittedOrder, placement: Placement) -> Customer:
    given = submitted.customer
    shipping = Address(**given.shipping_address.model_dump()) if given.shipping_address else None
    if shipping is None and submitted.external_id is None and placement.destination:
        # loopfront page: who has ordered what to where; unless said, to the buyer's own place
        shipping = Address(name=placement.buyer.name, line1=placement.destination)
    return Customer(
        name=given.name,
        email=given.email,
        phone=given.phone,
        shipping_address=shipping,
        billing_address=Address(**given.billing_address.model_dump()) if given.billing_address else None,
    )


def _mode(submitted: SubmittedOrder, group: _Group) -> DeliveryMode:
    """By the listings (loopfront page); one thing that is delivered makes the order a delivery."""
    modes = {f.delivery_mode for _, f, _ in group.lines if f.delivery_mode}
    if "delivery" in modes:
        return "delivery"
    return "pickup" if modes else submitted.delivery_mode or "delivery"


def _approval(placement: Placement, total: int) -> Approval | None:
    """Whether the purchase needs approval: its total is above the person's limit; a limit of zero means always.

    A limit in another currency cannot be compared, so it needs approval too.
    """
    limit = placement.purchasing_limit
    if limit is None:
        return None
    comparable = limit.currency == placement.submitted.currency
    if comparable and limit.minor > 0 and total <= limit.minor:
        return None
    return Approval(state="needed", limit=limit)


def _begin(order: Order, lifecycle: Lifecycle, actor: Actor, now: datetime, ids: Ids, facts: Facts) -> Decision:
    run = Run(order, lifecycle, now, ids, facts)
    stands = sides(order, actor)
    draft = run.draft(actor, next((s for s in ("buyer", "operator", "seller") if s in stands), None))
    first = next((t.state for t in lifecycle.document.initial if holds(draft, t.when)), None)
    if first is None:
        raise LifecycleFault(f"{lifecycle.name} has no first state for this order")
    draft.hidden = lifecycle.states[first].phase == "approval"
    if not draft.hidden:
        draft.change(approval=None)
    for line in order.lines:
        draft.stock("reserve", line, line.ordered)
    enter(draft, first)
    times = draft.order.status_times
    draft.change(status_times=(times[0].model_copy(update={"at": order.placed_at}), *times[1:]))
    run.keep(draft, seal(draft, order, PLACE, "Order placed", None))
    run.follow_up()
    return run.decision()


def again(order: Order, wish: PlaceAgain) -> SubmittedOrder:
    """What to place for a reorder (listings give the prices anew) or a replacement (free of charge, paid)."""
    by_id = {line.line_id: line for line in order.lines}
    lines = []
    for line_id, quantity in wish.lines:
        line = by_id[line_id]
        old = Money.of(line.unit_price, order.currency)
        free = Money.of(0, order.currency)
        lines.append(
            SubmittedLine(
                listing_id=line.listing_id,
                sku=line.sku[:100],
                name=line.name[:500],
                quantity=quantity,
                unit_code=line.unit_code,
                seller=str(order.seller.organisation_id),
                unit_price=free if wish.kind == "replacement" else None if line.listing_id else old,
            )
        )
    return SubmittedOrder(
        channel=order.channel,
        lifecycle=order.lifecycle.name,
        currency=order.currency,
        customer=SubmittedCustomer.model_validate(order.customer.model_dump(exclude_none=True)),
        lines=tuple(lines),
        paid=wish.kind == "replacement",
        delivery_mode=order.delivery_mode,
        delivery_method=order.delivery_method,
    )
