"""What the services say in codes and in English, and how the console says it: for translators to find it here.

Codes are said by their own letters (`lost_in_transit`: "Lost in transit") but where `WORDS` has better ones. Refusals
come in English sentences; those that people meet often are translated by their stable code, all others are shown as
they come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from services.console.language import N_, language, tr
from services.console.sentences import sentence
from shared.languages import SOURCE

WORDS: Final[Mapping[str, str]] = {
    "unpaid": N_("Not paid"),
    "refunding": N_("Being refunded"),
    "partially_refunded": N_("Partly refunded"),
    "cancellation_request": N_("Cancellation request"),
    "canceled": N_("Cancelled"),
    "own_side": N_("Only our own side"),
    "everyone": N_("Everyone on the order"),
    "api_key": N_("API key"),
    "exhausted": N_("Gave up"),
    "held": N_("Kept back"),
    "http_error": N_("HTTP error"),
}
# Said by their own letters; named here so that there is a translation of each.
PLAIN: Final[Sequence[str]] = (
    # sides, roles and kinds of actors
    N_("Buyer"), N_("Seller"), N_("Operator"), N_("Member"), N_("Admin"), N_("Approver"), N_("Person"), N_("Channel"),
    N_("Clock"), N_("Service"), N_("Internal"),
    # issues, refunds, approvals and what became of them
    N_("Incident"), N_("Problem"), N_("Dispute"), N_("Chargeback"), N_("None"), N_("Open"), N_("Resolved"),
    N_("Closed"), N_("Declined"), N_("Needed"), N_("Approved"), N_("Rejected"), N_("Pending"), N_("Done"),
    N_("Won"), N_("Lost"), N_("Withdrawn"), N_("Reship"), N_("Exchange"), N_("Refund"),
    # reasons
    N_("Damaged"), N_("Late"), N_("Lost in transit"), N_("Missing parts"), N_("Not as described"),
    N_("Not received"), N_("Wrong item"), N_("Other"),
    # money, delivery and papers
    N_("Paid"), N_("Refunded"), N_("Delivery"), N_("Pickup"), N_("Image"), N_("Invoice"),
    # parameters of actions that have no label of their own
    N_("Amount"), N_("At"), N_("Carrier"), N_("External status"), N_("Images"), N_("Note"), N_("Parcel id"),
    N_("Quantity"), N_("Reason"), N_("Resolution"), N_("Status"), N_("Tracking number"), N_("Tracking url"),
    N_("Name"), N_("Email"), N_("Country"), N_("City"), N_("Postal code"), N_("Line1"), N_("Currency"),
    # of events and of what went out of them
    N_("Listing changed"), N_("Member changed"), N_("Message posted"), N_("Notification delivered"),
    N_("Notification failed"), N_("Order canceled"), N_("Order completed"), N_("Order created"),
    N_("Order disputed"), N_("Order refunded"), N_("Order submitted"), N_("Order updated"), N_("Payment settled"),
    N_("Webhook endpoint disabled"),
    N_("Active"), N_("Paused"), N_("Disabled"), N_("Deleted"), N_("Event"), N_("Test"), N_("Replay"), N_("Retry"),
    N_("Delivered"), N_("Aborted"), N_("Discarded"), N_("Sent"), N_("Unknown"), N_("Bounced"), N_("Failed"),
    N_("Suppressed"), N_("Skipped"), N_("Running"), N_("Answered"), N_("Timeout"), N_("Dns"),
    N_("Forbidden address"), N_("Connect"), N_("Tls"), N_("Reset"), N_("Protocol"), N_("Headers too large"),
    N_("Configuration"), N_("Local"),
    # L10n: the colour of a dot beside a status
    N_("Red"), N_("Amber"),
)  # fmt: skip
# Shares of what, in the words of the reporting service.
SHARES: Final[Sequence[str]] = (
    N_("orders that were accepted or rejected"),
    N_("orders that the seller had a deadline for"),
    N_("orders placed"),
    N_("orders paid"),
)
# Why an action is not possible yet, in the words of the order service.
NOT_YET: Final[Sequence[str]] = (
    N_("part of the order has been sent already; report a problem or refund instead"),
    N_("nothing has been sent yet"),
    N_("nothing that was sent is still out"),
    N_("nothing has been sent in a parcel yet"),
    N_("no line has units with a QR code or serial number to choose from"),
    N_("the order is for delivery"),
    N_("the order is for pickup"),
    N_("partial acceptance is switched off here; accept the whole order or decline it"),
    N_("the purchase is within the limit"),
    N_("whoever placed the order cannot approve it; ask another approver"),
    N_("automatic acceptance is off for this channel"),
    N_("nothing is left to refund"),
    N_("nothing has been paid, so nothing can be refunded"),
    N_("no refund is pending"),
    N_("the incident is still open"),
    N_("the problem is still open"),
    N_("the dispute is still open"),
    N_("the chargeback is still open"),
    N_("the cancellation request is still open"),
    N_("there is no open incident"),
    N_("there is no open problem"),
    N_("there is no open dispute"),
    N_("there is no open chargeback"),
    N_("there is no open cancellation request"),
    N_("there is no resolved incident"),
    N_("there is no such open issue"),
    N_("that issue is not open any more"),
    N_("no refund answers an open issue"),
)
# Why somebody was not told of something, in the words of the notification service.
NOT_TOLD: Final[Sequence[str]] = (N_("off unless the person switches it on"), N_("switched off by the person"))
# Who something is for, and what nobody may do, in the words of the services.
NOT_YOURS: Final[Sequence[str]] = (
    N_("Your roles place no orders. An admin of your organisation can add one."),
    N_("Your roles show you no orders. An admin of your organisation can add one."),
    N_("Secrets cannot be made or changed while logged in as somebody else."),
    N_("Settings are not changed while logged in as somebody else. Ask them to do it themselves."),
    N_("Listings are kept by their seller or an operator."),
    N_("Balances are for sellers and the operator of the marketplace."),
    N_("Evidence is for the seller and the operator of the marketplace."),
    N_("Packing slips are for whoever sends the order."),
    N_("Reports are for operators and for the people of selling organisations. Savings are for all."),
    N_("Webhooks are for an organisation's sellers and administrators, and for operators."),
    N_("Nobody changes their own roles, limit or activity. Ask another admin or operator."),
    N_("Nobody logs in as an operator."),
    N_("Only an operator may change an operator."),
    N_("Only an operator may make operators."),
    N_("Only an operator, or an admin of the organisation, may do this."),
    N_("This person may not sign in, so nobody may in their name."),
    N_("This person may not sign in. Make them active first."),
    N_("You are that person already."),
)
TITLES: Final[Sequence[str]] = (
    N_("Bad request"),
    N_("Not signed in"),
    N_("Not allowed"),
    N_("Not found"),
    N_("Conflict with the current state"),
    N_("Changed in the meantime"),
    N_("Too large"),
    N_("Cannot be processed"),
    N_("Precondition required"),
    N_("Too many requests"),
    N_("Not available at the moment"),
)
# By code; what the sentence of the service has more, such as a number, is left out in other languages.
REFUSALS: Final[Mapping[str, str]] = {
    "not_found": N_("There is nothing at this address, or it is not yours to see."),
    "not_while_logged_in_as": N_(
        "Logged in as somebody else, nobody changes secrets, roles or settings. Sign in as yourself for that."
    ),
    "sign_in_failed": N_("E-mail address and password do not belong together."),
    "too_many_failures": N_("Too many failed sign-ins. Wait some minutes."),
    "password_sign_in_off": N_("Nobody signs in with a password here. Go back to the sign-in page."),
    "invalid_grant": N_("This invitation does not work, or does not work any more. Ask for a new one."),
    "email_taken": N_("Somebody has this e-mail address already. An address names one person everywhere."),
    "too_many_views": N_("You have as many saved views as there can be. Remove one first."),
    "thread_not_found": N_("There is no such message thread. It opens when the order reaches its seller."),
    "too_many_endpoints": N_("The organisation has as many endpoints as there can be. Delete one first."),
    "event_types_not_taken": N_("The endpoint takes none of these event types, so there is nothing to send."),
    "too_many_replays": N_("The organisation sends many ranges again already. Wait for one, or stop one."),
    "too_many_keys": N_("The endpoint has as many keys of this kind as there can be. Wait until one has ended."),
    "event_gone": N_("The event is older than what is kept; it cannot be sent again."),
    "rate_limited": N_("Too many requests. Wait a moment, then try again."),
}


def refusal(code: str, detail: str) -> str:
    """Why a service refuses something, in the reader's language where there is a sentence for its code, or for this."""
    if language() != SOURCE:
        detail = tr(REFUSALS[code]) if code in REFUSALS else sentence(detail)
    return detail[:1].upper() + detail[1:]
