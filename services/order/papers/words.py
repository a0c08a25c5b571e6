"""The reader's language on paper: texts, labels of lifecycles, amounts, quantities and times as they are written there.

The console has the same labels and writes alike; a test keeps their translations from differing.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_decimal

from contracts.money import Money
from services.order.papers.times import at_minute, on
from shared.amounts import written
from shared.languages import SOURCE, accepted, locale_of, translations

PACKAGE: Final = "services.order"
# Labels of built-in lifecycles: the same word may be another one elsewhere on the paper.
LIFECYCLE: Final = "lifecycle"


def N_(text: str) -> str:  # the usual name of the mark
    """Marks a text for translation."""
    return text


# What stands on a timeline beside a label: of deadlines.
_BESIDE: Final = (N_("%(what)s: overdue"), N_("%(what)s: due"))
_PIECES: Final = "C62"


def asked_in(header: str) -> str:
    """The language that a call asks for (Accept-Language); English where it names none that there are texts in."""
    return accepted(header, PACKAGE) or SOURCE


class Words:
    """One language and time zone."""

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        self.language = language
        self.zone = zone
        self._locale = locale_of(language)
        self._translations = translations(PACKAGE, language)

    def tr(self, text: str, **values: Any) -> str:
        """The text with its %(names)s filled in."""
        return str(self._translations.gettext(text)) % values

    def label(self, text: str) -> str:
        """A label of a lifecycle: those of the built-in ones are translated, others stay as they were written."""
        for beside in _BESIDE:
            ending = beside.removeprefix("%(what)s")
            if text.endswith(ending):
                return self.tr(beside, what=self.label(text.removesuffix(ending)))
        return str(self._translations.pgettext(LIFECYCLE, text)) if text else ""

    def money(self, money: Money) -> str:
        return written(Decimal(money.amount), money.currency, self._locale)

    def quantity(self, value: Decimal, unit_code: str) -> str:
        """2, or 2.5 KGM: pieces need no unit."""
        text = str(format_decimal(value, locale=self._locale, decimal_quantization=False))
        return text if unit_code == _PIECES else f"{text} {unit_code}"

    def day(self, at: datetime | str) -> str:
        return str(format_date(on(at, self.zone), "medium", locale=self._locale))

    def moment(self, at: datetime | str) -> str:
        """Day and minute; a text is RFC 3339."""
        return f"{self.day(at)}, {at_minute(at, self.zone)}"
