"""The recipient's language: translated texts, and dates, amounts and quantities as they are written there."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.numbers import format_decimal
from babel.support import NullTranslations

from services.notification.telling.timing import zone
from shared.amounts import written
from shared.languages import SOURCE, accepted, known, locale_of, translations
from shared.languages import languages as of_package

SOURCE_LANGUAGE: Final = SOURCE
PACKAGE: Final = "services.notification"
# Labels of built-in lifecycles: the same word may be another one elsewhere in a mail.
LIFECYCLE: Final = "lifecycle"

# UN/ECE Recommendation 20 codes that people meet on orders; the code itself is shown for all others.
_UNITS: Final = {"KGM": "kg", "GRM": "g", "TNE": "t", "LTR": "l", "MTR": "m", "MTK": "m²", "MTQ": "m³", "HUR": "h"}
_PIECES: Final = frozenset(("C62", "EA", "H87", "PCE"))


def languages() -> frozenset[str]:
    """The languages there are texts in: English, and every folder of `locale`."""
    return of_package(PACKAGE)


def language_for(wanted: str) -> str:
    """The language to write in for somebody who asked for `wanted` ("nb-NO" is nb; unknown ones are English)."""
    return known(wanted, PACKAGE) or SOURCE_LANGUAGE


def asked_in(header: str) -> str | None:
    """The language that a call asks for (Accept-Language); None where it names none that there are texts in."""
    return accepted(header, PACKAGE)


class Words:
    """Texts and formats of one language and time zone."""

    def __init__(self, language: str, time_zone: str) -> None:
        self.language = language_for(language)
        # as on the pages that a letter leads to
        self.locale = locale_of(self.language)
        self.zone = zone(time_zone)
        self._translations = translations(PACKAGE, self.language)

    def text(self, msgid: str) -> str:
        """The translation of a text; the text itself where there is none."""
        return str(self._translations.gettext(msgid)) if msgid else ""

    def label(self, text: str) -> str:
        """A label of a lifecycle: those of the built-in ones are translated, others stay as they were written."""
        return str(self._translations.pgettext(LIFECYCLE, text)) if text else ""

    def count(self, singular: str, plural: str, n: int) -> str:
        """The form for `n`, with %(count)s filled in."""
        return str(self._translations.ngettext(singular, plural, n)) % {"count": self.number(n)}

    @property
    def translations(self) -> NullTranslations:
        return self._translations

    def number(self, value: Decimal | int) -> str:
        return str(format_decimal(value, locale=self.locale))

    def money(self, money: dict[str, str] | None) -> str:
        """A contract's money: {"amount": "12.50", "currency": "EUR"}."""
        if not money:
            return ""
        return written(Decimal(money["amount"]), money["currency"], self.locale)

    def quantity(self, value: str | Decimal, unit_code: str) -> str:
        """2, 2.5 kg, 3 XBX: pieces need no unit."""
        text = str(format_decimal(Decimal(value), locale=self.locale, decimal_quantization=False))
        return text if unit_code in _PIECES else f"{text} {_UNITS.get(unit_code, unit_code)}"

    def day(self, value: date | str | None) -> str:
        if not value:
            return ""
        return str(format_date(date.fromisoformat(value) if isinstance(value, str) else value, "full", self.locale))

    def moment(self, value: datetime | str | None) -> str:
        """A point in time in the recipient's zone, with the zone's name."""
        if not value:
            return ""
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        local = at.astimezone(self.zone)
        day, time = format_date(local, "long", self.locale), format_time(local, "short", locale=self.locale)
        return f"{day}, {time} {local.tzname() or ''}".rstrip()

    def country(self, code: str | None) -> str:
        """The name of a country in the reader's language; an unknown code as it is."""
        return str(self.locale.territories.get(code, code)) if code else ""

    def both(self, *parts: str) -> str:
        return str(format_list([p for p in parts if p], locale=self.locale))

    def fill(self, msgid: str, values: Any) -> str:
        """The translation of `msgid` with its %(names)s filled in from a mapping."""
        return self.text(msgid) % values if msgid else ""
