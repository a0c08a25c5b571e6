"""Texts in several languages: English stands in the code, each other language in a folder of a package's `locale`.

A catalogue is a `.po` file that is read when it is first asked for; nothing is generated, so nothing can drift. Which
texts there are, a tool and a test find out: `python -m deploy.texts`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from shared.amounts import ENGLISH

SOURCE: Final = "en"
# Norwegian is Bokmål unless somebody says Nynorsk
_SAME: Final[Mapping[str, str]] = {"no": "nb"}
# A browser names a handful of languages; what stands behind that many is no wish of anybody.
MOST_CHARACTERS, MOST_WISHES = 500, 20


@cache
def languages(package: str) -> frozenset[str]:
    """The languages that a package has texts in: English, and every folder of its `locale`."""
    folder = files(package).joinpath("locale")
    found = (f.name for f in folder.iterdir() if f.is_dir()) if folder.is_dir() else ()
    return frozenset({SOURCE, *found})


def known(wanted: str, package: str) -> str | None:
    """The package's language for a tag ("nb-NO", "no" and "nb_NO" are nb); None where it has no texts in it."""
    first = wanted.strip().replace("_", "-").partition("-")[0].lower()
    first = _SAME.get(first, first)
    return first if first in languages(package) else None


def accepted(header: str, package: str) -> str | None:
    """The language that a browser likes best of those that there are (Accept-Language, RFC 9110 12.5.4).

    None where there is none; what cannot be read is passed over.
    """
    best, liking = None, 0.0
    for wish in header[:MOST_CHARACTERS].split(",")[:MOST_WISHES]:
        tag, _, parameter = wish.partition(";")
        weight = _weight(parameter)
        language = known(tag, package)
        if language is not None and weight > liking:
            best, liking = language, weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    whole, _, rest = value.strip().partition(".")
    digits = (whole + rest).isascii() and whole in ("0", "1") and (not rest or rest.isdigit()) and len(rest) <= 3
    return min(float(f"{whole}.{rest or 0}"), 1.0) if name.strip().lower() == "q" and digits else 0.0


def locale_of(language: str) -> Locale:
    """How dates and numbers are written in a language; English as in the United Kingdom."""
    return Locale.parse(ENGLISH if language == SOURCE else language)


@cache
def translations(package: str, language: str) -> NullTranslations:
    """A package's texts in one of its languages; English ones are what they are."""
    if language == SOURCE:
        return NullTranslations()
    path = files(package).joinpath("locale", language, "LC_MESSAGES", "messages.po")
    catalogue = read_po(io.BytesIO(path.read_bytes()), locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)
