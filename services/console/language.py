"""The reader's language: which one a request is answered in, and the texts and forms of writing of it.

English stands in the code and in the templates, other languages in `locale`. The language is that of the request that
is being answered, as its time and its log line are: what builds a page need not hand it on. In Python, `tr` and
`count` give texts and `N_` marks one that is translated where it is used; templates have `_` and `count`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from functools import cache
from typing import Any, Final

from babel import Locale
from babel.numbers import format_decimal
from babel.support import NullTranslations

from shared import languages as shared

PACKAGE: Final = "services.console"
# Of the labels that the built-in lifecycles bring along: the same word may be another one elsewhere on a page.
LIFECYCLE: Final = "lifecycle"
_language: ContextVar[str] = ContextVar("language", default=shared.SOURCE)


def speak(language: str) -> None:
    """Answer this request in `language`, one of `languages`."""
    _language.set(language)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """For as long as the block lasts."""
    before = _language.set(language)
    try:
        yield
    finally:
        _language.reset(before)


def language() -> str:
    return _language.get()


def language_of(chosen: str, header: str) -> str:
    """The language for somebody who has chosen one ("" for none) with a browser that asks for others."""
    return shared.known(chosen, PACKAGE) or shared.accepted(header, PACKAGE) or shared.SOURCE


def locale() -> Locale:
    """How dates and numbers are written."""
    return _locale(language())


@cache
def _locale(language: str) -> Locale:
    return shared.locale_of(language)


def translations() -> NullTranslations:
    return shared.translations(PACKAGE, language())


def N_(text: str) -> str:  # the usual name of the mark
    """Marks a text for translation."""
    return text


def tr(text: str, **values: Any) -> str:
    """The text in the reader's language with its %(names)s filled in; without values it is taken as it stands."""
    found = str(translations().gettext(text)) if text else ""
    return found % values if values else found


def count(one: str, many: str, n: int | Decimal, **values: Any) -> str:
    """The form for `n`, with %(count)s filled in as numbers are written."""
    whole = int(n) if n == int(n) else 2
    shown = format_decimal(n, locale=locale())
    return str(translations().ngettext(one, many, whole)) % {"count": shown, **values}


# What the order service says beside a label, of deadlines and of what the clock does.
_BESIDE: Final = (N_("%(what)s: overdue"), N_("%(what)s: due"), N_("%(what)s, by itself"))


def label(text: str) -> str:
    """A label of a lifecycle: those of the built-in ones are translated, others stay as they were written."""
    for beside in _BESIDE:
        ending = beside.removeprefix("%(what)s")
        if text.endswith(ending):
            return tr(beside, what=label(text.removesuffix(ending)))
    return str(translations().pgettext(LIFECYCLE, text)) if text else ""


class Texts(Mapping[str, str]):
    """Texts by a code, each of them marked with `N_`; read in the language of whoever reads them."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def __getitem__(self, code: str) -> str:
        return tr(self._texts[code])

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)
