"""Effects on lines: accepting, rejecting, picking units, sending, receiving, returning."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from contracts.order import Parcel, ParcelLine, Unit
from services.order.workflow.decision import UnitMove
from services.order.workflow.draft import MOST_PARCELS, Draft
from services.order.workflow.model import HELD, ZERO, Line
from services.order.workflow.params import LineAsk
from services.order.workflow.refusals import BadParams
from services.order.workflow.registry import effect

Asked = list[tuple[Line, Decimal, LineAsk]]


def asked(draft: Draft, available: Callable[[Line], Decimal], what: str) -> Asked:
    """The lines and quantities that the parameter `lines` asks for; without it, everything available.

    Raises BadParams where more is asked than there is (`what` completes "only 2 can be ...").
    """
    wanted: dict[UUID, LineAsk] | None = draft.params.get("lines")
    if wanted is None:
        return [(x, available(x), LineAsk()) for x in draft.order.lines if available(x) > 0]
    chosen: Asked = []
    errors = []
    for i, (line_id, ask) in enumerate(wanted.items()):
        line = draft.line(line_id)
        most = available(line)
        quantity = most if ask.quantity is None else ask.quantity
        if quantity > most or most <= 0:
            left = f"only {most.normalize():f}" if most > 0 else "nothing"
            errors.append((f"lines.{i}.quantity", f"{left} of {line.sku} can be {what}"))
        chosen.append((line, quantity, ask))
    if errors:
        raise BadParams(errors)
    return chosen


def listed(chosen: Asked) -> list[dict[str, str]]:
    """Lines and quantities as an event's details tell them."""
    return [{"line_id": str(x.line_id), "quantity": f"{q.normalize():f}"} for x, q, _ in chosen]


@effect(reads={"lines": "lines"})
def accept_lines(draft: Draft, *, rest: Literal["open", "rejected"] = "open") -> None:
    """Open quantities are accepted: those asked for, or all; what is left stays open or is rejected."""
    chosen = asked(draft, lambda x: x.open, "accepted")
    for line, quantity, _ in chosen:
        draft.put_line(line, accepted=line.accepted + quantity)
    draft.details["accepted"] = listed(chosen)
    if rest == "rejected":
        reject_all_open(draft)


def reject_all_open(draft: Draft) -> None:
    rejected: Asked = [(x, x.open, LineAsk()) for x in draft.order.lines if x.open > 0]
    for line, quantity, _ in rejected:
        draft.give_back(line, "rejected", undecided=quantity, accepted=ZERO)
    if rejected:
        draft.details["rejected"] = listed(rejected)


@effect(reads={"lines": "lines"})
def reject_lines(draft: Draft) -> None:
    """Open quantities are rejected: those asked for, or all."""
    chosen = asked(draft, lambda x: x.open, "rejected")
    for line, quantity, _ in chosen:
        draft.give_back(line, "rejected", undecided=quantity, accepted=ZERO)
    draft.details["rejected"] = listed(chosen)


@effect()
def reopen_lines(draft: Draft) -> None:
    """Accepted quantities that were not sent are open again, and their picked units are let go."""
    for line in draft.order.lines:
        line = draft.drop_units(line, [u.unit_id for u in line.units_in("reserved", "selected")])
        draft.put_line(line, accepted=line.shipped)


@effect(reads={"units": "units"}, needs=("units",))
def select_units(draft: Draft) -> None:
    """Picks exactly the units named for a line; those picked before and not named again are let go."""
    wanted: dict[UUID, LineAsk] = draft.params["units"]
    named: set[UUID] = set()
    for i, (line_id, ask) in enumerate(wanted.items()):
        line = draft.line(line_id)
        _check_pick(draft, line, ask, f"units.{i}")
        if named & set(ask.unit_ids):
            raise BadParams([(f"units.{i}.unit_ids", "names a unit that another line has taken")])
        named |= set(ask.unit_ids)
        keep = set(ask.unit_ids)
        line = draft.drop_units(
            line, [u.unit_id for u in line.units_in("reserved", "selected") if u.unit_id not in keep]
        )
        held = {u.unit_id for u in line.units_in(*HELD)}
        fresh = [u for u in ask.unit_ids if u not in held]
        codes = draft.facts.free_units.get(line.listing_id, {}) if line.listing_id else {}
        others = tuple(u for u in line.units if u.unit_id not in fresh)
        taken = tuple(Unit(unit_id=u, code=codes[u], state="selected") for u in fresh)
        draft.put_line(line, units=(*others, *taken))
        if fresh and line.listing_id is not None:
            draft.world.append(UnitMove("take", line.listing_id, line.line_id, tuple(fresh)))
    draft.details["selected"] = [
        {"line_id": str(x), "units": [str(u) for u in ask.unit_ids]} for x, ask in wanted.items()
    ]


def _check_pick(draft: Draft, line: Line, ask: LineAsk, path: str) -> None:
    gone = len(line.units_in("shipped", "received"))
    most = int(line.accepted) - gone
    if not line.tracked:
        raise BadParams([(f"{path}.line_id", f"{line.sku} has no units to choose from")])
    if len(ask.unit_ids) > most:
        raise BadParams([(f"{path}.unit_ids", f"{len(ask.unit_ids)} units are named; {most} are wanted")])
    free = draft.facts.free_units.get(line.listing_id, {}) if line.listing_id else {}
    mine = {u.unit_id for u in line.units_in("reserved", "selected")}
    for n, unit_id in enumerate(ask.unit_ids):
        if unit_id not in free and unit_id not in mine:
            raise BadParams([(f"{path}.unit_ids.{n}", "is not a free unit of the line's listing")])


def _parcel_units(draft: Draft, line: Line, quantity: Decimal, ask: LineAsk, path: str) -> tuple[UUID, ...]:
    """The units that a parcel takes along. Raises BadParams unless they are exactly as many as the quantity."""
    if not line.tracked:
        return ()
    picked = [u.unit_id for u in line.units_in("selected")]
    if draft.following:
        return tuple(picked)
    units = ask.unit_ids or tuple(picked)
    if any(u not in picked for u in units):
        raise BadParams([(path, "names a unit that is not selected; select it first")])
    if len(units) != quantity:
        message = f"{quantity.normalize():f} of {line.sku} are to be sent and {len(units)} units are chosen"
        raise BadParams([(path, f"{message}; select the units, and name those of this parcel")])
    return units


@effect(
    reads={"lines": "lines", "carrier": "text", "tracking_number": "text", "tracking_url": "url"},
)
def ship_lines(draft: Draft) -> None:
    """Sends accepted quantities in one parcel: those asked for, or all; tracking is optional and may follow later."""
    if len(draft.order.parcels) >= MOST_PARCELS:
        raise BadParams([("lines", f"the order has {MOST_PARCELS} parcels already; send the rest in one")])
    chosen = asked(draft, lambda x: x.to_ship, "sent")
    contents = []
    for i, (line, quantity, ask) in enumerate(chosen):
        units = _parcel_units(draft, line, quantity, ask, f"lines.{i}.unit_ids")
        _send(draft, line, quantity, units)
        contents.append(ParcelLine(line_id=line.line_id, quantity=quantity, unit_ids=units))
    if not contents:
        return
    parcel = Parcel(
        parcel_id=draft.ids(),
        number=len(draft.order.parcels) + 1,
        shipped_at=draft.now,
        carrier=draft.params.get("carrier"),
        tracking_number=draft.params.get("tracking_number"),
        tracking_url=draft.params.get("tracking_url"),
        lines=tuple(contents),
    )
    draft.change(parcels=(*draft.order.parcels, parcel))
    draft.details["parcel"] = _parcel_details(parcel)
    draft.details["shipped"] = listed(chosen)


def _parcel_details(parcel: Parcel) -> dict[str, Any]:
    fields = {"parcel_id": str(parcel.parcel_id), "number": parcel.number, "carrier": parcel.carrier}
    fields |= {"tracking_number": parcel.tracking_number, "tracking_url": parcel.tracking_url}
    return {k: v for k, v in fields.items() if v is not None}


def _send(draft: Draft, line: Line, quantity: Decimal, units: tuple[UUID, ...]) -> Line:
    line = draft.put_line(line, shipped=line.shipped + quantity)
    draft.stock("ship", line, quantity)
    return draft.mark_units(line, units, "shipped") if units else line


@effect(reads={"parcel_id": "parcel", "carrier": "text", "tracking_number": "text", "tracking_url": "url"})
def add_tracking(draft: Draft) -> None:
    """Gives a parcel its carrier, tracking number or link, also later; without `parcel_id`, the last one."""
    parcels = draft.order.parcels
    wanted = draft.params.get("parcel_id", parcels[-1].parcel_id if parcels else None)
    fields = {k: draft.params[k] for k in ("carrier", "tracking_number", "tracking_url") if k in draft.params}
    if not fields:
        raise BadParams([("tracking_number", "give the carrier, the tracking number or the tracking link")])
    draft.change(parcels=tuple(p.model_copy(update=fields) if p.parcel_id == wanted else p for p in parcels))
    changed = next(p for p in draft.order.parcels if p.parcel_id == wanted)
    draft.details["parcel"] = _parcel_details(changed)


@effect()
def hand_over(draft: Draft) -> None:
    """What is to be delivered is on its way now; what is to be picked up stays until it is."""
    if draft.order.delivery_mode == "delivery":
        send_everything(draft)


def send_everything(draft: Draft) -> None:
    for line in draft.order.lines:
        if line.to_ship > 0:
            units = tuple(u.unit_id for u in line.units_in("reserved", "selected"))
            _send(draft, line, line.to_ship, units)


def receive_everything(draft: Draft) -> None:
    """Everything that was not turned away is with the buyer: the meaning of entering phase completed."""
    for line in draft.order.lines:
        if line.open > 0:
            draft.put_line(line, accepted=line.accepted + line.open)
    send_everything(draft)
    for line in draft.order.lines:
        if line.received < line.shipped:
            line = draft.put_line(line, received=line.shipped)
            units = line.units_in("shipped")
            if units:
                draft.mark_units(line, [u.unit_id for u in units], "received")


@effect(reads={"lines": "lines"})
def return_lines(draft: Draft) -> None:
    """Sent quantities have come back and are on the shelf again: those asked for, or all."""
    chosen = asked(draft, lambda x: x.shipped - x.returned, "returned")
    for i, (line, quantity, ask) in enumerate(chosen):
        out = [u.unit_id for u in line.units_in("shipped", "received")]
        units = ask.unit_ids or (tuple(out) if quantity == len(out) else ())
        if line.tracked and (len(units) != quantity or any(u not in out for u in units)):
            raise BadParams([(f"lines.{i}.unit_ids", f"name the {quantity.normalize():f} units that came back")])
        line = draft.put_line(line, returned=line.returned + quantity)
        draft.stock("restock", line, quantity)
        draft.drop_units(line, units)
    draft.details["returned"] = listed(chosen)


def cancel_everything(draft: Draft, bucket: str) -> None:
    """Everything not received goes back to its listing: the meaning of entering phase canceled."""
    for line in draft.order.lines:
        draft.give_back(line, bucket, undecided=line.open, accepted=line.accepted - line.received)
