"""How names and words are folded for searching: the same on the way in and on the way out."""

from __future__ import annotations

import unicodedata
from typing import Final

# Letters that Unicode does not take apart into a base letter and an accent.
_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"}
)
# What is searched stands in index entries, which hold 2,704 bytes with the filters beside it.
SEARCHED_BYTES: Final = 2_000


def searched(*texts: str) -> str:
    """What an order is found by: folded texts, each with a space before it, cut where an index entry would be full."""
    words = "".join(f" {text}" for text in texts if text)
    return words if len(words) * 4 <= SEARCHED_BYTES else words.encode()[:SEARCHED_BYTES].decode(errors="ignore")


def fold(text: str | None) -> str:
    """Lower case, without accents, single spaces: "Łukasz  Ørsted" and "lukasz orsted" are the same."""
    if not text:
        return ""
    if text.isascii():
        return " ".join(text.lower().split())
    apart = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in apart if not unicodedata.combining(c))
    return " ".join(bare.translate(_LETTERS).split())
