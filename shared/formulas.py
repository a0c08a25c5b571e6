"""How a text is kept from being run as a formula by the spreadsheet that opens it."""

from __future__ import annotations

from typing import Final

# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection), and its full-width twins.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "|", "%")


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might run the text. White space before it does not help."""
    return text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA)


def quoted(text: str) -> str:
    """The text for a cell of a CSV file: one that might be run begins with an apostrophe."""
    return f"'{text}" if is_formula(text) else text
