"""Composing a mail out of a claimed delivery: texts, facts, the confirmation's document, a digest's entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from contracts.order import OrderSnapshot, Side
from services.notification.channels import document
from services.notification.channels.mail import Entry, Fact, Link, Mail
from services.notification.channels.texts import CATEGORY_NAMES, N_, Text
from services.notification.channels.wording import text
from services.notification.channels.words import Words
from services.notification.telling.occasions import Occasion
from services.notification.telling.plain import plain

PRODUCT: Final = "Ordertrail"
# Messaging cuts an answer off at the line that has these signs around it, whatever language it is in.
ANSWER_ABOVE: Final = N_("Write your answer above this line")
MOST_ENTRIES: Final = 40


@dataclass(frozen=True, slots=True)
class Told:
    """A notification as its texts need it."""

    kind: Occasion
    side: Side
    facts: Mapping[str, Any]
    order_id: UUID | None
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Frame:
    """What is the same in every mail to a person: their words, the marketplace, the addresses of our pages."""

    words: Words
    marketplace: str
    organisation: str
    console_url: str
    category: str
    unsubscribe_url: str | None = None
    # the mail can be answered
    answerable: bool = False

    def page(self, told: Told) -> Link:
        """Where the reader goes next."""
        return page(told, self.words, self.console_url.rstrip("/"))

    @property
    def settings_url(self) -> str:
        return f"{self.console_url.rstrip('/')}/settings/notifications"

    def because(self) -> str:
        values = {
            "organisation": plain(self.organisation),
            "category": self.words.text(CATEGORY_NAMES[self.category]),
        }
        return self.words.fill(N_("You get this e-mail as a member of %(organisation)s (%(category)s)."), values)


def page(told: Told, words: Words, console: str) -> Link:
    """The console page that a notification leads to, below the console's address."""
    if told.order_id is None:
        return Link(words.text(N_("View webhooks")), f"{console}/webhooks")
    if told.kind is Occasion.MESSAGE:
        return Link(words.text(N_("View messages")), f"{console}/orders/{told.order_id}#messages")
    return Link(words.text(N_("View order")), f"{console}/orders/{told.order_id}")


def single(frame: Frame, told: Told, event: Mapping[str, Any] | None) -> Mail:
    """The mail of one notification. With `event` (an order event's JSON) it is a confirmation with the whole order."""
    words = frame.words
    said = text(told.kind, told.side, told.facts, words)
    is_message = told.kind is Occasion.MESSAGE
    number = str(told.facts.get("number") or "")
    parts: dict[str, Any] = {"facts": _facts(told, words)}
    if event is not None:
        order = OrderSnapshot.model_validate_json(orjson.dumps(event["order"]))
        parts = {
            "facts": document.facts(order, told.side, words),
            "items": document.items(order, words),
            "more_items": document.more_items(order, words),
            "sums": document.sums(order, words),
        }
    return Mail(
        subject=said.title,
        marketplace=plain(frame.marketplace) or PRODUCT,
        label=number,
        heading=said.title,
        lead=said.body,
        quote=said.body if is_message else "",
        hint=words.text(N_("Reply to this e-mail, or on the order page.")) if frame.answerable else said.hint,
        answer_above=f"##- {words.text(ANSWER_ABOVE)} -##" if frame.answerable else "",
        link=frame.page(told),
        because=frame.because(),
        settings_url=frame.settings_url,
        unsubscribe_url=frame.unsubscribe_url,
        **parts,
    )


def digest(frame: Frame, entries: Sequence[Told], total: int) -> Mail:
    """One mail for several notifications of a category."""
    words = frame.words
    title = words.count("%(count)s update for you", "%(count)s updates for you", total)
    category = words.text(CATEGORY_NAMES[frame.category])
    shown = entries[:MOST_ENTRIES]
    hidden = total - len(shown)
    more = words.count("%(count)s more is in your inbox", "%(count)s more are in your inbox", hidden)
    return Mail(
        subject=f"{category}: {title}",
        marketplace=plain(frame.marketplace) or PRODUCT,
        label=category,
        heading=title,
        lead="",
        hint="",
        link=Link(words.text(N_("Open inbox")), f"{frame.console_url.rstrip('/')}/inbox"),
        entries=tuple(_entry(frame, told) for told in shown),
        more_entries=more if hidden > 0 else "",
        because=frame.because(),
        settings_url=frame.settings_url,
        unsubscribe_url=frame.unsubscribe_url,
    )


def _entry(frame: Frame, told: Told) -> Entry:
    said: Text = text(told.kind, told.side, told.facts, frame.words)
    return Entry(said.title, said.body, frame.words.moment(told.occurred_at), frame.page(told).url)


def _facts(told: Told, words: Words) -> tuple[Fact, ...]:
    """The few facts under a short notice: what it is, between whom, and the parcel."""
    given = told.facts
    rows = [
        Fact(words.text(N_("Status")), (words.label(given.get("status", "")),)),
        Fact(words.text(N_("Buyer")), (given.get("buyer", ""),)),
        Fact(words.text(N_("Seller")), (given.get("seller", ""),)),
        Fact(words.text(N_("Total")), (words.money(given.get("total")),)),
    ]
    if told.kind in (Occasion.SHIPPED, Occasion.TRACKING):
        parcel = " ".join(str(given[n]) for n in ("carrier", "tracking_number") if given.get(n))
        url = given.get("tracking_url")
        rows.append(Fact(words.text(N_("Parcel")), (parcel or (url or ""),), url))
    if given.get("files"):
        rows.append(Fact(words.text(N_("Attachments")), tuple(given["files"])))
    return tuple(row for row in rows if row.value)
