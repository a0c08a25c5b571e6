"""The mail as people read it: both parts, everything escaped, nothing loaded from anywhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import orjson
import pytest

from contracts.envelope import Received
from contracts.order import Address, Customer, Note, OrderCreated, OrderSnapshot
from services.notification.channels.compose import Frame, Told, digest, single
from services.notification.channels.document import MOST_ITEMS
from services.notification.channels.mail import Rendered
from services.notification.channels.rendering import compiled_html, render
from services.notification.channels.words import Words
from services.notification.telling.causes import cause_of
from services.notification.telling.occasions import Occasion
from shared.ids import new_id
from tests.builders import NOON, line, order_event, snapshot

EVIL = '<script>alert(1)</script>"><img src=x onerror=y>{{ 7777*7777 }}&amp;'


def rendered(order: OrderSnapshot, language: str = "en", side: str = "seller", market: str = "Market") -> Rendered:
    event = order_event(OrderCreated, order, action="place")
    cause = cause_of(Received(new_id(), "/test", NOON, "", event))
    assert cause is not None
    words = Words(language, "Europe/Oslo")
    frame = Frame(words, market, market, "http://console.example/", "order_confirmation")
    told = Told(cause.occasion, side, cause.facts, cause.order_id, NOON)  # type: ignore[arg-type]
    return render(single(frame, told, orjson.loads(event.model_dump_json())), words)


def test_what_people_wrote_is_escaped_everywhere() -> None:
    note = Note(note_id=new_id(), at=NOON, by=EVIL, side="buyer", text=EVIL)
    address = Address(name=EVIL, line1=EVIL, line2=EVIL, city=EVIL, region=EVIL, country=EVIL)
    order = snapshot(
        number=EVIL, notes=(note,), customer=Customer(name=EVIL, email=EVIL, shipping_address=address),
        lines=(line(name=EVIL, sku=EVIL, unit_code=EVIL),), external_number=EVIL, channel=EVIL,
    )  # fmt: skip
    for language in ("en", "nb"):
        html = rendered(order, language, market=EVIL).html
        assert "<script" not in html
        assert "<img" not in html
        assert str(7777 * 7777) not in html
        assert "&lt;script&gt;" in html


def test_a_note_that_only_one_side_may_read_stays_there() -> None:
    note = Note(note_id=new_id(), at=NOON, by="Bea", side="buyer", text="for us only", audience=("buyer",))
    order = snapshot(notes=(note,))
    assert "for us only" in rendered(order, side="buyer").text
    assert "for us only" not in rendered(order, side="seller").text
    assert "commission" not in rendered(order, side="buyer").html.lower()


def test_nothing_is_loaded_from_anywhere_and_the_text_part_has_it_all() -> None:
    mail = rendered(snapshot())
    assert not re.search(r"<(link|script|img|iframe)\b|@import|src=|url\(", mail.html)
    assert "{{" not in mail.html
    assert "{%" not in mail.html
    for said in ("ORD-1", "A thing", "SKU-1", "€20.00", "View order", "http://console.example/orders/"):
        assert said in mail.text
        assert said in mail.html
    assert "@media print" in mail.html
    assert "prefers-color-scheme" in compiled_html()


def test_a_long_order_is_cut_and_says_so() -> None:
    mail = rendered(snapshot(lines=tuple(line(name=f"Thing {n}") for n in range(MOST_ITEMS + 3))))
    assert f"Thing {MOST_ITEMS - 1}" in mail.text
    assert f"Thing {MOST_ITEMS}" not in mail.text
    assert "3 more items are on the order page" in mail.text
    assert len(mail.html.encode()) < 102_000  # mail programs cut off what is longer


@pytest.mark.parametrize(("total", "said"), [(1, "1 update for you"), (45, "45 updates for you")])
def test_a_digest_counts_what_it_holds(total: int, said: str) -> None:
    words = Words("en", "UTC")
    frame = Frame(words, "Market", "Org", "http://console.example", "messages", "http://n.example/u?token=t")
    facts = {"number": "ORD-1", "actor": "Ola", "preview": "Hello"}
    entry = Told(Occasion.MESSAGE, "buyer", facts, new_id(), datetime(2026, 3, 2, tzinfo=UTC))
    mail = render(digest(frame, [entry], total), words)
    assert said in mail.subject
    assert "Hello" in mail.text
    assert ("44 more are in your inbox" in mail.text) == (total == 45)
    assert "http://n.example/u?token=t" in mail.html


@pytest.mark.parametrize(("language", "line"), [("en", "Write your answer above"), ("nb", "Skriv svaret ditt over")])
def test_a_mail_that_can_be_answered_begins_with_the_line_that_says_where(language: str, line: str) -> None:
    words = Words(language, "UTC")
    frame = Frame(words, "Market", "Org", "http://console.example", "messages", answerable=True)
    told = Told(Occasion.MESSAGE, "buyer", {"number": "ORD-1", "actor": "Ola", "preview": "Hi"}, new_id(), NOON)
    mail = render(single(frame, told, None), words)
    assert mail.text.startswith(f"##- {line}")
    assert mail.text.splitlines()[0].endswith(" -##")
    assert 0 < mail.html.index(line) < mail.html.index("Market")


@pytest.mark.parametrize(
    ("preview", "language", "said", "label"),
    [("Look here", "en", "Look here (2 attachments)", "Attachments"), ("", "nb", "2 vedlegg", "Vedlegg")],
)
def test_a_message_names_its_attachments(preview: str, language: str, said: str, label: str) -> None:
    words = Words(language, "UTC")
    frame = Frame(words, "Market", "Org", "http://console.example", "messages")
    facts = {"number": "ORD-1", "actor": "Ola", "preview": preview, "attachments": 2, "files": ["lid.jpg", "<b>.pdf"]}
    told = Told(Occasion.MESSAGE, "buyer", facts, new_id(), datetime(2026, 3, 2, tzinfo=UTC))
    mail = render(single(frame, told, None), words)
    assert said in mail.text
    assert f"{label}: lid.jpg, <b>.pdf" in mail.text
    assert "lid.jpg<br />&lt;b&gt;.pdf" in mail.html


def test_a_notice_names_status_and_outcome_in_its_language() -> None:
    facts = {"number": "ORD-1", "status": "Completed after dispute", "actor": "Olga", "issue": "chargeback"}
    said = {"en": ("Completed after dispute", "Lost: too late"), "nb": ("Fullført etter tvist", "Tapt: too late")}
    for language, (status, reason) in said.items():
        words = Words(language, "Europe/Oslo")
        frame = Frame(words, "Market", "Market", "http://console.example/", "issues")
        told = Told(Occasion.ISSUE_SETTLED, "seller", {**facts, "reason": "lost: too late"}, new_id(), NOON)
        mail = render(single(frame, told, None), words)
        assert f"Status: {status}" in mail.text
        assert reason in mail.text
        own = Told(Occasion.ISSUE_SETTLED, "seller", {**facts, "reason": "We agreed: half"}, new_id(), NOON)
        assert "We agreed: half" in render(single(frame, own, None), words).text
