"""Amounts of money as people read them: written alike on every page and in every letter."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from babel import Locale
from babel.numbers import format_currency

# English is written as in the United Kingdom: dollars say whose they are (US$77.00), days stand before months.
ENGLISH: Final = "en_GB"
_CODE: Final = re.compile(r"([A-Z])(-?\d)")


def written(amount: Decimal, currency: str, locale: Locale | str = ENGLISH) -> str:
    """An amount with its currency (ISO 4217), with as many digits as the currency has."""
    text = str(format_currency(amount, currency, locale=locale, currency_digits=True))
    # CLDR puts a space after a code of letters (NOK 12.50), which the library leaves out
    return _CODE.sub("\\1\u00a0\\2", text)
