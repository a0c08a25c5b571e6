"""The guards: conditions that a lifecycle file may name for a transition, a rule or a label."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from contracts.order import DeliveryMode, IssueKind
from services.order.workflow.draft import Draft
from services.order.workflow.model import ZERO, is_active
from services.order.workflow.registry import guard


def _text(quantity: Decimal) -> str:
    return f"{quantity.normalize():f}"


@guard()
def nothing_open(draft: Draft) -> str | None:
    """Every quantity of every line is decided."""
    waiting = [line for line in draft.order.lines if line.open > 0]
    if not waiting:
        return None
    return f"{len(waiting)} line(s) still wait for a decision, the first is {waiting[0].sku}"


@guard()
def nothing_accepted(draft: Draft) -> str | None:
    """Every quantity was rejected or canceled."""
    if draft.order.nothing_left:
        return None
    return "not every line is rejected"


@guard()
def everything_accepted(draft: Draft) -> str | None:
    """Every ordered quantity is accepted."""
    if all(line.accepted == line.ordered for line in draft.order.lines):
        return None
    return "not every quantity is accepted"


@guard()
def everything_shipped(draft: Draft) -> str | None:
    """Every accepted quantity has been sent, and something is accepted."""
    if all(line.to_ship == 0 for line in draft.order.lines) and any(x.shipped > 0 for x in draft.order.lines):
        return None
    return "something accepted is not sent yet"


@guard()
def something_to_ship(draft: Draft) -> str | None:
    """An accepted quantity has not been sent."""
    return None if any(x.to_ship > 0 for x in draft.order.lines) else "everything accepted has been sent"


@guard()
def nothing_shipped(draft: Draft) -> str | None:
    """No parcel has left."""
    if any(x.shipped > 0 for x in draft.order.lines):
        return "part of the order has been sent already; report a problem or refund instead"
    return None


@guard()
def something_shipped(draft: Draft) -> str | None:
    """Something has left."""
    return None if any(x.shipped > 0 for x in draft.order.lines) else "nothing has been sent yet"


@guard()
def something_to_return(draft: Draft) -> str | None:
    """Something that was sent has not come back."""
    return None if any(x.shipped > x.returned for x in draft.order.lines) else "nothing that was sent is still out"


@guard()
def has_parcel(draft: Draft) -> str | None:
    """There is a parcel to which tracking can be added."""
    return None if draft.order.parcels else "nothing has been sent in a parcel yet"


@guard()
def has_tracked_lines(draft: Draft) -> str | None:
    """Some line's things have their own QR code or serial number."""
    if any(x.tracked and x.accepted > 0 for x in draft.order.lines):
        return None
    return "no line has units with a QR code or serial number to choose from"


@guard()
def units_complete(draft: Draft) -> str | None:
    """For every line with units, as many are selected as are accepted (loopfront page: then "Mark as sent" works)."""
    for line in draft.order.lines:
        chosen = len(line.units_in("selected", "shipped", "received"))
        if line.tracked and chosen != line.accepted:
            return f"{line.name}: {chosen} of {_text(line.accepted)} units are selected; select the rest first"
    return None


@guard()
def delivered_by(draft: Draft, *, mode: DeliveryMode) -> str | None:
    """The order is to be delivered, or picked up."""
    return None if draft.order.delivery_mode == mode else f"the order is for {draft.order.delivery_mode}"


@guard(reads={"carrier": "text", "tracking_number": "text"}, by_params=True)
def tracking_given(draft: Draft, *, method: str) -> str | None:
    """A carrier and/or a tracking number is given where the delivery method is `method` (lengow page: "tracked")."""
    if (draft.order.delivery_method or "").strip().lower() != method.lower():
        return None
    if draft.params.get("carrier") or draft.params.get("tracking_number"):
        return None
    return f"the delivery method is {method}: give the carrier, the tracking number, or both"


@guard()
def setting_on(draft: Draft, *, setting: str) -> str | None:
    """A setting of the marketplace is switched on."""
    return None if draft.settings[setting] else f"the marketplace's setting {setting} is off"


@guard(by_params=True, reads={"lines": "lines"})
def partial_allowed(draft: Draft, *, setting: str) -> str | None:
    """Either everything open is taken, or the setting allows less (supplier page, option "Partial")."""
    wanted = draft.params.get("lines")
    if draft.settings[setting] or wanted is None:
        return None
    for line in draft.order.lines:
        ask = wanted.get(line.line_id)
        if ask is None or ask.quantity not in (None, line.open):
            break
    else:
        return None
    return "partial acceptance is switched off here; accept the whole order or decline it"


@guard()
def above_purchasing_limit(draft: Draft) -> str | None:
    """Placing found that the purchase is above the person's limit, so that it needs approval."""
    needed = draft.order.approval is not None and draft.order.approval.state == "needed"
    return None if needed else "the purchase is within the limit"


@guard()
def actor_is_not_placer(draft: Draft) -> str | None:
    """Whoever placed the order does not decide on its approval, nor while logged in as somebody else."""
    placer = draft.order.buyer.person_id
    if placer is not None and placer in (draft.actor.person_id, draft.actor.id):
        return "whoever placed the order cannot approve it; ask another approver"
    return None


@guard()
def channel_accepts(draft: Draft) -> str | None:
    """Automatic acceptance is switched on for the order's channel."""
    return None if draft.facts.channel.auto_accept else "automatic acceptance is off for this channel"


@guard(tells=True)
def stock_above_buffer(draft: Draft) -> str | None:
    """Every line's quantity is at most what is available less the channel's buffer for its SKU, and nobody has begun to
    decide on the order."""
    if any(line.open != line.ordered for line in draft.order.lines):
        # what a person takes on in part is theirs to finish: the rest may be short, or meant to be rejected
        return "somebody has begun to decide on it"
    channel = draft.facts.channel
    wanted: dict[object, Decimal] = {}
    for line in draft.order.lines:
        available = draft.facts.available.get(line.listing_id) if line.listing_id else None
        if available is None:
            return f"{line.sku}: the stock is not known"
        wanted[line.listing_id] = wanted.get(line.listing_id, ZERO) + line.open
        buffer = channel.buffers.get(line.sku, channel.buffer)
        if wanted[line.listing_id] > available - buffer:
            return (
                f"{line.sku}: {_text(wanted[line.listing_id])} ordered, {_text(available)} available less a "
                f"buffer of {_text(buffer)}"
            )
    return None


@guard()
def channel_can_refund(draft: Draft) -> str | None:
    """The order's channel takes refund requests (lengow page: depending upon the channel)."""
    if draft.facts.channel.can_refund:
        return None
    return f"the channel {draft.order.channel} takes no refund requests; contact it"


@guard()
def refundable(draft: Draft) -> str | None:
    """Something of what was paid is not refunded yet."""
    if draft.order.refund_left > 0:
        return None
    return "nothing is left to refund" if draft.order.paid else "nothing has been paid, so nothing can be refunded"


@guard()
def refund_pending(draft: Draft) -> str | None:
    """A refund waits for being paid out."""
    return None if any(r.state == "pending" for r in draft.order.refunds) else "no refund is pending"


@guard()
def no_active_issue(draft: Draft, *, kinds: tuple[IssueKind, ...]) -> str | None:
    """No issue of these kinds is open."""
    for issue in draft.order.issues:
        if issue.kind in kinds and is_active(issue):
            return f"the {issue.kind.replace('_', ' ')} is still open"
    return None


@guard()
def has_issue(draft: Draft, *, kinds: tuple[IssueKind, ...], state: Literal["open", "resolved"] = "open") -> str | None:
    """An issue of these kinds is in this state."""
    if any(i.kind in kinds and i.state == state for i in draft.order.issues):
        return None
    return f"there is no {state} {' or '.join(kinds).replace('_', ' ')}"


@guard()
def has_active_issue(draft: Draft, *, kinds: tuple[IssueKind, ...]) -> str | None:
    """An issue of these kinds is not over."""
    if any(i.kind in kinds and is_active(i) for i in draft.order.issues):
        return None
    return f"there is no open {' or '.join(kinds).replace('_', ' ')}"


@guard()
def refund_answers_issue(draft: Draft) -> str | None:
    """A refund was given in answer to an issue that is still open."""
    answered = {r.issue_id for r in draft.order.refunds if r.issue_id}
    if any(i.issue_id in answered and i.state == "open" for i in draft.order.issues):
        return None
    return "no refund answers an open issue"
