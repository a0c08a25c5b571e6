"""Who is told of what: one table. Everything here is data; `planning` reads it.

Sources: the product pages behind the five built-in lifecycles, named at the rows that follow from their words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.notification.telling.occasions import Occasion as O


class To(StrEnum):
    """Recipients, resolved against the people of the order's organisations.

    BUYER, SELLER: the person named on the order; without one, those of that side who may see the order.
    SELLER_TEAM: the colleagues of the above. OTHER_SIDE: whichever of the two sides talking (for orders buyer and
    seller) did not act; both, where neither did. APPROVER: who may approve for the buyer. OPERATOR: the
    marketplace's operators. ORGANISATION: who may look after an organisation's endpoints. STOOD_FOR: whom the
    actor was logged in as.
    """

    BUYER = "buyer"
    SELLER = "seller"
    SELLER_TEAM = "seller_team"
    OTHER_SIDE = "other_side"
    APPROVER = "approver"
    OPERATOR = "operator"
    ORGANISATION = "organisation"
    STOOD_FOR = "stood_for"


@dataclass(frozen=True, slots=True)
class Rule:
    """`to` hears of it under `category`, in-app and, unless `email` is False, by e-mail.

    Whoever acted is not told of their own deed, except where `keep_actor` says so (a confirmation).
    A person is told once per event: the first rule that reaches them wins. `kind` is whose texts are
    used, where not those of the occasion itself.
    """

    to: To
    category: str
    email: bool = True
    keep_actor: bool = False
    kind: O | None = None


_CONFIRMED: Final = (
    Rule(To.BUYER, "order_confirmation", keep_actor=True),
    Rule(To.SELLER, "order_confirmation", keep_actor=True),
    Rule(To.SELLER_TEAM, "team_orders"),
)
_PROGRESS: Final = (Rule(To.OTHER_SIDE, "order_progress"),)
_QUIET_PROGRESS: Final = (Rule(To.OTHER_SIDE, "order_progress", email=False),)
_ENDED: Final = (Rule(To.OTHER_SIDE, "order_canceled"), Rule(To.SELLER_TEAM, "team_orders", email=False))
_MEDIATED: Final = (Rule(To.OTHER_SIDE, "issues"), Rule(To.OPERATOR, "issues"))
_BOTH_ISSUES: Final = (Rule(To.BUYER, "issues"), Rule(To.SELLER, "issues"))
_REFUND: Final = (Rule(To.BUYER, "refunds"), Rule(To.SELLER, "refunds"))

RULES: Final[Mapping[O, tuple[Rule, ...]]] = {
    # supplier page: above the purchasing limit the supplier won't see the order until it is approved
    O.APPROVAL_NEEDED: (
        Rule(To.APPROVER, "approvals"),
        Rule(To.BUYER, "order_progress", email=False, keep_actor=True, kind=O.APPROVAL_PENDING),
    ),
    O.APPROVAL_REJECTED: (Rule(To.BUYER, "order_canceled"),),
    # loopfront page: notifications in the platform and an order confirmation by email, with a "view order" button
    O.CREATED: _CONFIRMED,
    O.APPROVED: _CONFIRMED,
    # loopfront page: the buyer will then be notified of the accepted order
    O.ACCEPTED: _PROGRESS,
    O.PARTLY_ACCEPTED: _PROGRESS,
    O.PREPARING: _PROGRESS,
    O.LINES_REJECTED: _PROGRESS,
    O.REOPENED: _PROGRESS,
    O.READY_FOR_PICKUP: _PROGRESS,
    O.READY_FOR_DELIVERY: _PROGRESS,
    O.SHIPPED: _PROGRESS,
    O.PARCEL: _PROGRESS,
    O.TRACKING: _PROGRESS,
    O.SCHEDULED: _PROGRESS,
    O.COMPLETED: _PROGRESS,
    O.CLOSED: _QUIET_PROGRESS,
    O.MOVED: _QUIET_PROGRESS,
    O.NOTE_ADDED: _QUIET_PROGRESS,
    O.PAID: (Rule(To.SELLER, "order_progress", email=False),),
    # a payment for what is not sold any more: whoever gives it back, and who has paid it
    O.PAID_LATE: (Rule(To.OPERATOR, "refunds"), Rule(To.BUYER, "refunds"), Rule(To.SELLER, "refunds", email=False)),
    O.REJECTED: _ENDED,
    O.CANCELED: _ENDED,
    O.EXPIRED: _ENDED,
    # supplier page: when an order is abandoned the supplier receives an email notification
    O.ABANDONED: (Rule(To.SELLER, "order_canceled"), Rule(To.BUYER, "order_canceled")),
    O.REFUND_BEGUN: _REFUND,
    O.REFUND_DONE: _REFUND,
    # storefront page: the owner mediates
    O.ISSUE_OPENED: _MEDIATED,
    O.ISSUE_SETTLED: _BOTH_ISSUES,
    # supplier page: the order's supplier will receive an email of the dispute
    O.DISPUTED: (Rule(To.SELLER, "issues"), Rule(To.BUYER, "issues"), Rule(To.OPERATOR, "issues", email=False)),
    O.DISPUTE_RESOLVED: _BOTH_ISSUES,
    O.CHARGEBACK: (Rule(To.OPERATOR, "issues"), Rule(To.SELLER, "issues")),
    O.CANCELLATION_REQUESTED: (Rule(To.OPERATOR, "issues"), Rule(To.OTHER_SIDE, "order_progress")),
    O.CANCELLATION_DECLINED: (Rule(To.BUYER, "order_progress"), Rule(To.SELLER, "order_progress")),
    # storefront page: the seller should acknowledge within 24-48 hours: owner and seller told at both. What is only due
    # asks nothing of the owner yet, and fills no mailbox.
    O.DUE: (Rule(To.SELLER, "reminders"), Rule(To.OPERATOR, "reminders", email=False)),
    # storefront page: late shipments: reach out to the seller, and keep the buyer informed about any delays. Who may
    # know is the deadline's own (`tell`): a seller that has not begun yet is no news to the buyer, a late parcel is.
    O.OVERDUE: (Rule(To.SELLER, "reminders"), Rule(To.OPERATOR, "reminders"), Rule(To.BUYER, "order_progress")),
    O.MESSAGE: (Rule(To.OTHER_SIDE, "messages"),),
    O.ENDPOINT_WARNING: (Rule(To.ORGANISATION, "integrations"),),
    O.ENDPOINT_DISABLED: (Rule(To.ORGANISATION, "integrations"),),
}

# Where a lifecycle's page says otherwise than the table above.
EXCEPTIONS: Final[Mapping[tuple[str, O], tuple[Rule, ...]]] = {
    # lengow page: the buyer is informed by the marketplace that the order has been cancelled
    ("lengow", O.REJECTED): (Rule(To.SELLER, "order_canceled"), Rule(To.SELLER_TEAM, "team_orders", email=False)),
    ("lengow", O.CANCELED): (Rule(To.SELLER, "order_canceled"), Rule(To.SELLER_TEAM, "team_orders", email=False)),
}

# On every event that somebody caused while logged in as somebody else, that person hears of it.
STOOD_FOR: Final = Rule(To.STOOD_FOR, "security", email=False, kind=O.ACTED_FOR)
# When an order is canceled that was paid for: cancelling gives nothing back by itself, so somebody has to.
HELD: Final = Rule(To.OPERATOR, "refunds", kind=O.MONEY_HELD)


def rules_for(lifecycle: str, occasion: O, *, held: bool = False) -> tuple[Rule, ...]:
    """The rules of an occasion in a lifecycle, in order of precedence. `held`: the order has just ended with money."""
    own = EXCEPTIONS.get((lifecycle, occasion), RULES.get(occasion, ()))
    return (*own, HELD, STOOD_FOR) if held else (*own, STOOD_FOR)
