"""Amounts are written alike in letters and on the pages that these lead to."""

from __future__ import annotations

import pytest

from contracts.money import Money
from services.console.rendering import money as on_a_page
from services.notification.channels.words import Words


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        ("77.00", "USD", "US$77.00"),
        ("1234.5", "GBP", "£1,234.50"),
        ("1234", "JPY", "JP¥1,234"),
        ("12.50", "NOK", "NOK\u00a012.50"),
        ("-2.125", "BHD", "-BHD\u00a02.125"),
    ],
)
def test_one_rule_for_letters_and_pages(amount: str, currency: str, said: str) -> None:
    assert Words("en", "UTC").money({"amount": amount, "currency": currency}) == said
    assert on_a_page(Money(amount=amount, currency=currency)) == said


def test_other_languages_write_it_their_way() -> None:
    assert Words("nb", "UTC").money({"amount": "1234.50", "currency": "NOK"}).replace("\u00a0", " ") == "1 234,50 kr"
