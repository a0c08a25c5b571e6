"""What notifications say: a title that names the thing and the person, a line of detail, and what to do next.

English stands here; translations stand in locale/<language>. The same texts are used in the feed and in mail.
`wording` fills them in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contracts.order import Side
from services.notification.telling.occasions import Occasion as O


def N_(text: str) -> str:
    """Marks a text for translation."""
    return text


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text, as it is shown; whoever puts it into HTML escapes it."""

    title: str
    body: str = ""
    hint: str = ""


_T = Text
# By occasion and the reader's side; None is for every side that has no text of its own.
TEXTS: Final[Mapping[tuple[O, Side | None], Text]] = {
    (O.CREATED, "buyer"): _T(
        N_("Your order %(number)s has been placed"),
        N_("%(seller)s has received your order of %(items)s for %(total)s."),
        N_("You will hear from us when there is news."),
    ),
    (O.CREATED, None): _T(
        N_("New order %(number)s from %(buyer)s"),
        N_("%(buyer_person)s ordered %(items)s for %(total)s."),
        N_("View the order and take the next step."),
    ),
    (O.APPROVED, "buyer"): _T(
        N_("Your order %(number)s has been approved"),
        N_("Approved %(by)s. %(seller)s has now received your order of %(items)s for %(total)s."),
        N_("You will hear from us when there is news."),
    ),
    (O.APPROVED, None): _T(
        N_("New order %(number)s from %(buyer)s"),
        N_("%(buyer_person)s ordered %(items)s for %(total)s."),
        N_("View the order and take the next step."),
    ),
    (O.APPROVAL_NEEDED, None): _T(
        N_("Order %(number)s needs your approval"),
        N_("%(buyer_person)s wants to order %(items)s for %(total)s from %(seller)s, above the purchasing limit."),
        N_("Approve or reject it. %(seller)s sees nothing of it until then."),
    ),
    (O.APPROVAL_PENDING, None): _T(
        N_("Order %(number)s is waiting for approval"),
        N_("%(total)s is above your purchasing limit. %(seller)s will see the order once it has been approved."),
        N_("There is nothing you need to do."),
    ),
    (O.APPROVAL_REJECTED, None): _T(
        N_("Order %(number)s was not approved"),
        N_("Rejected %(by)s.%(because)s"),
        N_("The order has ended. %(seller)s was never told of it."),
    ),
    (O.ACCEPTED, "buyer"): _T(
        N_("%(seller)s accepted order %(number)s"),
        N_("Accepted %(by)s. %(items)s: your order is being prepared."),
    ),
    (O.ACCEPTED, None): _T(
        N_("Order %(number)s has been accepted"),
        N_("Accepted %(by)s. %(items)s for %(buyer)s."),
        N_("Prepare the order."),
    ),
    (O.PARTLY_ACCEPTED, "buyer"): _T(
        N_("%(seller)s accepted part of order %(number)s"),
        N_("Accepted %(by)s. Not everything can be delivered.%(because)s"),
        N_("View the order to see which items you will get."),
    ),
    (O.PARTLY_ACCEPTED, None): _T(
        N_("Order %(number)s has been accepted in part"),
        N_("Accepted %(by)s.%(because)s"),
        N_("Prepare the accepted items."),
    ),
    (O.PREPARING, "buyer"): _T(
        N_("%(seller)s is preparing order %(number)s"),
        N_("Taken up %(by)s. %(items)s."),
    ),
    (O.PREPARING, None): _T(N_("Order %(number)s is being prepared"), N_("Taken up %(by)s.")),
    (O.LINES_REJECTED, None): _T(
        N_("Some items of order %(number)s were rejected"),
        N_("Rejected %(by)s.%(because)s"),
        N_("View the order to see which items are left."),
    ),
    (O.REOPENED, None): _T(
        N_("Order %(number)s is pending again"),
        N_("Moved back %(by)s.%(because)s"),
    ),
    (O.READY_FOR_PICKUP, "buyer"): _T(
        N_("Order %(number)s is ready for pickup"),
        N_("%(seller)s has %(items)s ready for you."),
        N_("Collect it; %(seller)s then confirms the pickup."),
    ),
    (O.READY_FOR_PICKUP, None): _T(
        N_("Order %(number)s is ready for pickup"),
        N_("Made ready %(by)s."),
        N_("Confirm the pickup when %(buyer)s has collected it."),
    ),
    (O.READY_FOR_DELIVERY, "buyer"): _T(
        N_("Order %(number)s is on its way"),
        N_("%(seller)s has sent %(items)s."),
    ),
    (O.READY_FOR_DELIVERY, None): _T(
        N_("Order %(number)s is on its way"),
        N_("Sent %(by)s."),
        N_("Confirm the delivery when %(buyer)s has got it."),
    ),
    (O.SHIPPED, None): _T(
        N_("Order %(number)s has been shipped"),
        N_("Shipped %(by)s: %(items)s.%(tracking)s"),
        N_("Follow the parcel on the order page."),
    ),
    (O.PARCEL, None): _T(
        N_("A parcel of order %(number)s has been shipped"),
        N_("Shipped %(by)s.%(tracking)s"),
        N_("The rest follows. The order page shows what is in which parcel."),
    ),
    (O.TRACKING, None): _T(
        N_("New shipping information for order %(number)s"),
        N_("Added %(by)s.%(tracking)s"),
        N_("Follow the parcel on the order page."),
    ),
    (O.SCHEDULED, None): _T(
        N_("Order %(number)s will be delivered on %(date)s"),
        N_("Scheduled %(by)s: %(items)s."),
        N_("Make sure that somebody is there."),
    ),
    (O.SCHEDULED, "seller"): _T(
        N_("Order %(number)s will be delivered on %(date)s"),
        N_("Scheduled %(by)s: %(items)s."),
    ),
    (O.COMPLETED, "buyer"): _T(
        N_("Order %(number)s is complete"),
        N_("Confirmed %(by)s: %(items)s."),
        N_("Is something wrong? Report it on the order page."),
    ),
    (O.COMPLETED, None): _T(
        N_("Order %(number)s is complete"),
        N_("Confirmed %(by)s: %(items)s for %(buyer)s."),
    ),
    (O.CLOSED, None): _T(N_("Order %(number)s is closed"), N_("Closed %(by)s.")),
    (O.MOVED, None): _T(N_("Order %(number)s: %(status)s"), N_("%(action)s %(by)s.%(because)s")),
    (O.NOTE_ADDED, None): _T(N_("New note on order %(number)s"), N_("Written %(by)s.")),
    (O.PAID, None): _T(
        N_("Order %(number)s has been paid"),
        N_("The payment of %(buyer)s has arrived: %(total)s."),
    ),
    (O.PAID_LATE, "buyer"): _T(
        N_("Your payment came in for order %(number)s, which has ended"),
        N_("%(amount)s is held for you."),
        N_("The marketplace has been told to give it back. The order page shows what is paid back."),
    ),
    (O.PAID_LATE, "seller"): _T(
        N_("A payment came in for order %(number)s, which has ended"),
        N_("%(amount)s of %(buyer)s is held for it."),
        N_("Do not ship it. The marketplace has been told to give it back."),
    ),
    (O.PAID_LATE, None): _T(
        N_("A payment came in for order %(number)s, which has ended"),
        N_("%(amount)s of %(buyer)s is held for it. Nothing of the order is sold any more."),
        N_("Give it back on the order page, under Refund."),
    ),
    (O.MONEY_HELD, None): _T(
        N_("Order %(number)s has ended, and %(amount)s is held for it"),
        N_("Ended %(by)s.%(because)s Nothing is paid back by itself."),
        N_("Give back to %(buyer)s what is theirs on the order page, under Refund."),
    ),
    (O.REJECTED, "buyer"): _T(
        N_("%(seller)s declined order %(number)s"),
        N_("Declined %(by)s.%(because)s"),
        N_("The order has ended. What you paid for it is released."),
    ),
    (O.REJECTED, None): _T(
        N_("Order %(number)s was declined"),
        N_("Declined %(by)s.%(because)s"),
        N_("Do not ship it. The items are available again."),
    ),
    (O.CANCELED, "buyer"): _T(
        N_("Order %(number)s was canceled"),
        N_("Canceled %(by)s.%(because)s"),
        N_("Nothing more will be delivered. The order page shows what is paid back."),
    ),
    (O.CANCELED, None): _T(
        N_("Order %(number)s was canceled"),
        N_("Canceled %(by)s.%(because)s"),
        N_("Do not ship it. The items are available again."),
    ),
    (O.ABANDONED, None): _T(
        N_("Order %(number)s was abandoned"),
        N_("Abandoned %(by)s.%(because)s"),
        N_("There is nothing more to do for it."),
    ),
    (O.EXPIRED, None): _T(
        N_("Order %(number)s has expired"),
        N_("Nobody took it up in time."),
        N_("The order has ended. The items are available again."),
    ),
    (O.REFUND_BEGUN, "buyer"): _T(
        N_("A refund of %(amount)s for order %(number)s is on its way"),
        N_("Begun %(by)s.%(because)s"),
    ),
    (O.REFUND_BEGUN, None): _T(
        N_("A refund of %(amount)s for order %(number)s has begun"),
        N_("Begun %(by)s.%(because)s"),
    ),
    (O.REFUND_DONE, "buyer"): _T(
        N_("You were refunded %(amount)s for order %(number)s"),
        N_("Refunded %(by)s.%(because)s"),
    ),
    (O.REFUND_DONE, None): _T(
        N_("%(amount)s was refunded for order %(number)s"),
        N_("Refunded %(by)s.%(because)s"),
        N_("Commission is given back in proportion."),
    ),
    (O.ISSUE_OPENED, "operator"): _T(
        N_("%(issue)s on order %(number)s"),
        N_("Reported %(by)s, between %(buyer)s and %(seller)s.%(because)s"),
        N_("View the order and decide: replace, refund, exchange or close."),
    ),
    (O.ISSUE_OPENED, None): _T(
        N_("%(issue)s on order %(number)s"),
        N_("Reported %(by)s.%(because)s"),
        N_("Answer within 24 hours."),
    ),
    (O.ISSUE_SETTLED, None): _T(
        N_("%(issue)s on order %(number)s is settled"),
        N_("Settled %(by)s.%(because)s"),
    ),
    (O.DISPUTED, "buyer"): _T(
        N_("Dispute on order %(number)s"),
        N_("Opened %(by)s.%(because)s"),
        N_("%(seller)s has been told."),
    ),
    (O.DISPUTED, None): _T(
        N_("%(buyer)s disputes order %(number)s"),
        N_("Opened %(by)s.%(because)s"),
        N_("View the note and the pictures, and settle it with %(buyer)s."),
    ),
    (O.DISPUTE_RESOLVED, None): _T(
        N_("The dispute on order %(number)s is resolved"),
        N_("Resolved %(by)s.%(because)s"),
    ),
    (O.CHARGEBACK, None): _T(
        N_("Chargeback on order %(number)s"),
        N_("The buyer's bank takes %(total)s back.%(evidence)s"),
        N_("Download the evidence on the order page and send it to the bank."),
    ),
    (O.CANCELLATION_REQUESTED, "operator"): _T(
        N_("Cancellation of order %(number)s requested"),
        N_("Requested %(by)s.%(because)s"),
        N_("Approve or decline the request."),
    ),
    (O.CANCELLATION_REQUESTED, None): _T(
        N_("Cancellation of order %(number)s requested"),
        N_("Requested %(by)s.%(because)s"),
        N_("Wait for the decision before you go on with the order."),
    ),
    (O.CANCELLATION_DECLINED, None): _T(
        N_("Order %(number)s goes on: the cancellation was declined"),
        N_("Declined %(by)s.%(because)s"),
    ),
    (O.DUE, "operator"): _T(
        N_("Order %(number)s of %(seller)s is due"),
        N_("%(deadline)s was due on %(due)s."),
        N_("%(seller)s has been reminded. You need not do anything yet."),
    ),
    (O.DUE, None): _T(
        N_("Order %(number)s is waiting for you"),
        N_("%(deadline)s was due on %(due)s. %(items)s for %(buyer)s."),
        N_("View the order and take the next step."),
    ),
    (O.OVERDUE, "buyer"): _T(
        N_("Order %(number)s is delayed"),
        N_("%(deadline)s was due on %(due)s. %(seller)s has been reminded."),
        N_("You need not do anything. Write to %(seller)s on the order page if you cannot wait."),
    ),
    (O.OVERDUE, "operator"): _T(
        N_("Order %(number)s of %(seller)s is overdue"),
        N_("%(deadline)s was due on %(due)s."),
        N_("Reach out to %(seller)s and keep %(buyer)s informed."),
    ),
    (O.OVERDUE, None): _T(
        N_("Order %(number)s is overdue"),
        N_("%(deadline)s was due on %(due)s. %(items)s for %(buyer)s."),
        N_("View the order and take the next step now."),
    ),
    (O.MESSAGE, None): _T(
        N_("New message from %(sender)s about order %(number)s"),
        "%(preview)s",
        N_("Reply on the order page."),
    ),
    (O.ENDPOINT_WARNING, None): _T(
        N_("Your webhook endpoint at %(host)s keeps failing"),
        N_("It will be disabled if nothing changes. %(reason)s"),
        N_("Check the receiver, then send a test event."),
    ),
    (O.ENDPOINT_DISABLED, None): _T(
        N_("Your webhook endpoint at %(host)s was disabled"),
        N_("It gets no more events. %(reason)s"),
        N_("Check the receiver, enable the endpoint again and replay what it missed: nothing is lost."),
    ),
    (O.ACTED_FOR, None): _T(
        N_("%(actor)s acted as you on order %(number)s"),
        N_("%(action)s, while logged in as you."),
        N_("If you did not expect this, tell your administrator."),
    ),
}
# How an issue ends, in the codes of the built-in lifecycles.
RESOLUTIONS: Final = {
    "won": N_("Won"),
    "lost": N_("Lost"),
    "withdrawn": N_("Withdrawn"),
    "approved": N_("Approved"),
    "reship": N_("Sent again"),
    "exchange": N_("Exchanged"),
}
ISSUES: Final[Mapping[str, str]] = {
    "incident": N_("Incident"),
    "problem": N_("Problem"),
    "dispute": N_("Dispute"),
    "chargeback": N_("Chargeback"),
    "cancellation_request": N_("Cancellation request"),
}
DEADLINES: Final[Mapping[str, str]] = {
    "acknowledge": N_("Beginning the order"),
    "accept": N_("Accepting the order"),
    "ship": N_("Shipping the order"),
    "evidence": N_("The evidence against the chargeback"),
}
OTHER_DEADLINE: Final = N_("The next step")
OTHER_ISSUE: Final = N_("Issue")
CATEGORY_NAMES: Final[Mapping[str, str]] = {
    "order_confirmation": N_("Order confirmations"),
    "security": N_("Security"),
    "approvals": N_("Approvals"),
    "order_progress": N_("Progress of orders"),
    "order_canceled": N_("Canceled and declined orders"),
    "team_orders": N_("Orders of your colleagues"),
    "issues": N_("Issues and disputes"),
    "refunds": N_("Refunds"),
    "messages": N_("Messages"),
    "reminders": N_("Reminders"),
    "integrations": N_("Webhooks"),
}
