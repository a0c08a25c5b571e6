"""Texts in every language: one for every occasion, and never a raw place left in them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts.order import Side
from services.notification.channels.texts import CATEGORY_NAMES, TEXTS
from services.notification.channels.wording import text
from services.notification.channels.words import Words, language_for, languages
from services.notification.telling.categories import CATEGORIES
from services.notification.telling.occasions import Occasion
from services.notification.telling.rules import EXCEPTIONS, RULES, STOOD_FOR

FACTS = {
    "number": "ORD-1", "status": "Pending", "actor": "Ola", "actor_for": "", "automatic": False, "action": "Ship",
    "reason": "100 % sure", "buyer": "Buyer AS", "buyer_person": "Kari", "seller": "Seller AS",
    "total": {"amount": "1234.50", "currency": "EUR"}, "amount": {"amount": "10.00", "currency": "EUR"},
    "first_item": {"name": "Chair", "quantity": "2.5", "unit": "KGM"}, "more_items": 2,
    "scheduled_for": "2026-03-05", "due_at": "2026-03-02T12:00:00+00:00", "deadline": "ship", "issue": "problem",
    "carrier": "Posten", "tracking_number": "1", "evidence_due_at": "2026-03-09T12:00:00+00:00", "preview": "Hei",
    "host": "hooks.example",
}  # fmt: skip


def test_every_occasion_that_is_told_has_a_text() -> None:
    told: set[Occasion | None] = {*RULES, STOOD_FOR.kind, *(o for _, o in EXCEPTIONS)}
    told |= {rule.kind for rules in RULES.values() for rule in rules if rule.kind}
    assert told - {o for o, side in TEXTS if side is None} == set()
    assert {r.category for rules in RULES.values() for r in rules} | {STOOD_FOR.category} == set(CATEGORIES)
    assert set(CATEGORY_NAMES) == set(CATEGORIES)


@pytest.mark.parametrize("language", sorted(languages()))
def test_every_text_is_filled(language: str) -> None:
    words = Words(language, "Europe/Oslo")
    for occasion, only_for in TEXTS:
        side: Side = only_for or "seller"
        said = text(occasion, side, FACTS, words)
        for part in (said.title, said.body, said.hint):
            assert "%(" not in part
            assert "None" not in part
            assert not part.startswith(" "), occasion
        assert said.title
        # an event that lacks what the text names reads poorly, but it reads
        assert text(occasion, side, {"number": "ORD-1"}, words).title


def test_languages_and_formats() -> None:
    assert [language_for(x) for x in ("nb-NO", "no", "en_GB", "tlh", "")] == ["nb", "nb", "en", "en", "en"]
    nb, en = Words("nb", "Europe/Oslo"), Words("en", "America/New_York")
    assert nb.money({"amount": "1234.50", "currency": "NOK"}).replace("\xa0", " ") == "1 234,50 kr"
    assert en.money({"amount": "1234", "currency": "JPY"}) == "JP¥1,234"
    assert nb.quantity("2.5", "KGM") == "2,5 kg"
    assert en.quantity("3", "C62") == "3"
    assert en.quantity("3", "XBX") == "3 XBX"
    moment = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    assert nb.moment(moment) == "2. juli 2026, 00:30 CEST"
    assert en.moment(moment) == "1 July 2026, 18:30 EDT"
    assert en.country("NO") == "Norway"
