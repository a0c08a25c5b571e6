"""Effects that record: notes, documents, approval, delivery date, channel status, place and savings of what came."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from contracts.order import Side
from services.order.workflow.decision import Relocation, Saving
from services.order.workflow.draft import MOST_DOCUMENTS, Draft
from services.order.workflow.model import EVERYONE
from services.order.workflow.refusals import BadParams
from services.order.workflow.registry import effect


@effect(reads={"note": "text", "text": "text", "audience": "choice"})
def add_note(draft: Draft, *, audience: tuple[Side, ...] = EVERYONE) -> None:
    """Keeps the parameter `note` or `text` on the order, for the sides of `audience` (or the author's own only)."""
    text = draft.params.get("note") or draft.params.get("text")
    if not text:
        return
    side: Side = draft.side or "operator"
    if draft.params.get("audience") == "own_side":
        audience = (side,)
        draft.audience = (side,)
    draft.note(text, draft.actor.full_name, side, audience)


@effect(reads={"images": "images", "invoice": "invoice"})
def attach(draft: Draft) -> None:
    """Attaches the images and the invoice given."""
    images = draft.params.get("images", ())
    invoice = draft.params.get("invoice")
    wanted = [(d, "image") for d in images] + ([(invoice, "invoice")] if invoice else [])
    if not wanted:
        return
    if len(draft.order.documents) + len(wanted) > MOST_DOCUMENTS:
        raise BadParams([("images", f"an order holds at most {MOST_DOCUMENTS} documents")])
    if invoice in images:
        raise BadParams([("invoice", "is one of the images; upload the invoice as a file of its own")])
    made = tuple(
        draft.facts.documents[d].model_copy(
            update={"kind": kind, "added_at": draft.now, "side": draft.side or "operator"}
        )
        for d, kind in wanted
    )
    draft.change(documents=(*draft.order.documents, *made))
    draft.details["documents"] = [str(d.document_id) for d in made]


@effect(reads={"note": "text"})
def decide_approval(draft: Draft, *, state: Literal["approved", "rejected"]) -> None:
    """Keeps who decided on the approval, how and why."""
    if draft.order.approval is not None:
        decided = {
            "state": state,
            "decided_at": draft.now,
            "decided_by": draft.actor.person_id,
            "note": draft.params.get("note"),
        }
        draft.change(approval=draft.order.approval.model_copy(update=decided))


@effect(reads={"day": "day"}, needs=("day",))
def schedule(draft: Draft) -> None:
    """Sets the delivery date."""
    day = draft.params["day"]
    draft.change(scheduled_for=day)
    draft.details["scheduled_for"] = day.isoformat()


@effect(reads={"external_status": "text", "at": "moment"})
def keep_channel_status(draft: Draft) -> None:
    """Keeps the channel's own status beside ours."""
    at = draft.params.get("at")
    if at is not None and at > draft.now + timedelta(days=1):
        raise BadParams([("at", "lies in the future")])
    raw = draft.params.get("external_status")
    if raw is not None and raw != draft.order.external_status:
        draft.details["external_status"] = {"from": draft.order.external_status, "to": raw}
        draft.change(external_status=raw)


@effect()
def move_location(draft: Draft) -> None:
    """Received things are at the buyer's place now (loopfront page)."""
    order = draft.order
    for line in order.lines:
        if line.accepted > 0:
            draft.world.append(
                Relocation(
                    listing_id=line.listing_id,
                    line_id=line.line_id,
                    quantity=line.accepted,
                    unit_ids=tuple(u.unit_id for u in line.units_in("selected", "shipped", "received")),
                    organisation_id=order.buyer.organisation_id,
                    location=order.destination,
                )
            )
    draft.details["location"] = order.destination


@effect()
def book_savings(draft: Draft) -> None:
    """What is received counts as reuse in both organisations' reports (loopfront page)."""
    order = draft.order
    for line in order.lines:
        if line.accepted > 0:
            draft.world.append(
                Saving(
                    line_id=line.line_id,
                    sku=line.sku,
                    quantity=line.accepted,
                    kg_per_unit=line.kg_per_unit,
                    material=line.material,
                    buyer_organisation_id=order.buyer.organisation_id,
                    seller_organisation_id=order.seller.organisation_id,
                )
            )
