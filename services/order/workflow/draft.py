"""A change in the making: the order as it is becoming, and what guards and effects may look at.

The one mutable thing of the engine. It lives inside a single decision and never leaves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from contracts.money import from_minor
from contracts.order import Issue, Note, Returned, Side, Unit
from services.order.workflow.decision import Released, Revealed, StockMove, UnitMove, World
from services.order.workflow.facts import Actor, Facts
from services.order.workflow.lifecycle import Lifecycle
from services.order.workflow.model import EVERYONE, HELD, ZERO, Ids, Line, Order
from services.order.workflow.proportion import share
from services.order.workflow.refusals import BadParams

# An order's document travels whole in every event (1 MB at most): 50 notes and 50 issues of 2,000 characters
# with 500 lines of about 0.7 kB stay below it.
MOST_NOTES = 50
MOST_ISSUES = 50
MOST_REFUNDS = 200
MOST_PARCELS = 200
MOST_DOCUMENTS = 60


class Draft:
    """`order` is as it has become so far; the rest of the public fields become parts of the step."""

    def __init__(
        self,
        order: Order,
        lifecycle: Lifecycle,
        actor: Actor,
        side: Side | None,
        params: Mapping[str, Any],
        now: datetime,
        ids: Ids,
        facts: Facts,
        settings: Mapping[str, bool | int],
    ) -> None:
        self._order = order
        # lines by id while effects change them one by one: an order may have 500
        self._lines = {line.line_id: line for line in order.lines}
        self._moved = False
        self._values: dict[UUID, int] = {}
        self.lifecycle = lifecycle
        self.actor = actor
        self.side = side
        self.params = params
        self.now = now
        self.ids = ids
        self.facts = facts
        self.settings = settings
        self.world: list[World] = []
        self.details: dict[str, Any] = {}
        self.returned: list[Returned] = []
        self.audience: tuple[Side, ...] | None = None
        self.refund_id: UUID | None = None
        self.issue_id: UUID | None = None
        self.reason: str | None = params.get("reason")
        # following a channel: what people would have had to choose is taken as it is
        self.following = False
        # what waits for approval is held unseen by its seller
        self.hidden = bool(order.status) and lifecycle.states[order.status].phase == "approval"

    @property
    def order(self) -> Order:
        if self._moved:
            self._order = self._order.with_(lines=tuple(self._lines.values()))
            self._moved = False
        return self._order

    def change(self, **fields: Any) -> None:
        """Changes fields of the order; lines go through `put_line`."""
        self._order = self.order.with_(**fields)

    def put_line(self, line: Line, **fields: Any) -> Line:
        """Replaces a line by itself with changed fields, and gives it back as it is now."""
        changed = line.model_copy(update=fields)
        self._lines[line.line_id] = changed
        self._moved = True
        return changed

    def line(self, line_id: UUID) -> Line:
        return self._lines[line_id]

    def _value(self, line: Line) -> int:
        """What the line comes to, whatever becomes of its quantities."""
        if not self._values:
            self._values = dict(zip(self._lines, self.order.line_values, strict=True))
        return self._values[line.line_id]

    def money(self, minor: int) -> str:
        """An amount of the order's currency for people: "12.50 EUR"."""
        return f"{from_minor(minor, self.order.currency)} {self.order.currency}"

    def stock(self, kind: Any, line: Line, quantity: Decimal) -> None:
        if quantity > 0 and line.listing_id is not None:
            self.world.append(StockMove(kind, line.listing_id, line.line_id, quantity, self.hidden))

    def reveal(self) -> None:
        """From now on the seller may see what the order holds of its listings."""
        self.hidden = False
        for line in self.order.lines:
            held = line.ordered - line.given_back - line.shipped
            if held > 0 and line.listing_id is not None:
                self.world.append(Revealed(line.listing_id, line.line_id, held))

    def drop_units(self, line: Line, unit_ids: Iterable[UUID]) -> Line:
        """Lets go of units: they are free on their listing again."""
        gone = set(unit_ids)
        dropped = tuple(u.unit_id for u in line.units if u.unit_id in gone and u.state in HELD)
        if not dropped:
            return line
        units = tuple(u.model_copy(update={"state": "released"}) if u.unit_id in dropped else u for u in line.units)
        if line.listing_id is not None:
            self.world.append(UnitMove("give_back", line.listing_id, line.line_id, dropped))
        return self.put_line(line, units=units)

    def mark_units(self, line: Line, unit_ids: Iterable[UUID], state: str) -> Line:
        chosen = set(unit_ids)
        units: tuple[Unit, ...] = tuple(
            u.model_copy(update={"state": state}) if u.unit_id in chosen else u for u in line.units
        )
        return self.put_line(line, units=units)

    def note(self, text: str, by: str, side: Side, audience: tuple[Side, ...] = EVERYONE) -> None:
        """Adds a note; refuses beyond MOST_NOTES, since the whole order travels in every event."""
        if len(self.order.notes) >= MOST_NOTES:
            raise BadParams([("note", f"the order has {MOST_NOTES} notes already; use its message thread")])
        made = Note(note_id=self.ids(), at=self.now, by=by, side=side, text=text, audience=audience)
        self.change(notes=(*self.order.notes, made))

    def put_issue(self, issue: Issue, **fields: Any) -> Issue:
        changed = issue.model_copy(update=fields)
        self.change(issues=tuple(changed if i.issue_id == issue.issue_id else i for i in self.order.issues))
        return changed

    def give_back(self, line: Line, bucket: str, *, undecided: Decimal, accepted: Decimal) -> None:
        """Rejects or cancels quantities: back to the listing with their units and money, exactly once.

        `undecided` comes out of the open quantity, `accepted` out of the accepted one, the part that had been
        shipped last. Raises nothing: the caller has checked the amounts.
        """
        quantity = undecided + accepted
        if quantity <= 0:
            return
        left = line.accepted - accepted
        came_back = max(line.shipped - left, ZERO)
        # what a return has put on the shelf already is not put there again
        shelved = max(line.returned - (line.shipped - came_back), ZERO)
        value = self._value(line)
        before = share(value, line.given_back, line.ordered)
        line = self.put_line(
            line,
            accepted=left,
            shipped=line.shipped - came_back,
            returned=line.returned - shelved,
            **{bucket: getattr(line, bucket) + quantity},
        )
        self.stock("release", line, quantity - came_back)
        self.stock("restock", line, came_back - shelved)
        if line.tracked:
            held = (*line.units_in("reserved", "selected"), *line.units_in("shipped"))
            surplus = len(held) + len(line.units_in("received")) - int(line.accepted)
            line = self.drop_units(line, [u.unit_id for u in held[: max(surplus, 0)]])
        self.world.append(Released(line.line_id, share(value, line.given_back, line.ordered) - before))
        self.returned.append(
            Returned(line_id=line.line_id, listing_id=line.listing_id, sku=line.sku, quantity=quantity)
        )
