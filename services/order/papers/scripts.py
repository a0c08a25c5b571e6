"""Writing for paper: which font has a character, how Arabic letters join, and in which order a line is drawn.

A PDF is drawn from left to right with the shapes that it is given; nobody after us joins letters or turns a line
around. Latin, Greek and Cyrillic are in Open Sans; Arabic, Hebrew, Thai, Georgian and Devanagari in FiraGO; East Asian
characters are drawn with fonts that readers bring along themselves.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any, Final
from xml.sax.saxutils import escape

import pymupdf_fonts  # type: ignore[import-untyped]  # fonts as data, without types
from arabic_reshaper import ArabicReshaper  # type: ignore[import-untyped]  # has no types
from bidi.algorithm import get_display  # type: ignore[import-untyped]  # has no types; of its two the one that mirrors brackets
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

FONT, BOLD, WIDE = "OpenSans", "OpenSans-Bold", "FiraGO"
# The reader's own font for Han characters that a national character set has, tried in this order; Hangul has its own.
_HAN: Final = (("shift_jis", "HeiseiKakuGo-W5"), ("gbk", "STSong-Light"), ("big5", "MSung-Light"))
_HANGUL: Final = "HYSMyeongJo-Medium"
_EAST: Final = 0x2E7F
_RIGHT_TO_LEFT: Final = ("R", "AL")
_SHAPES: Final = ArabicReshaper({"use_unshaped_instead_of_isolated": True, "ARABIC LIGATURE ALLAH": False})


@cache
def _known() -> tuple[frozenset[int], frozenset[int]]:
    """Registers the fonts once; the characters of Open Sans and of FiraGO."""
    folder = files("ttf_opensans").joinpath("ttf")
    for name, file in ((FONT, "OpenSans-Regular.ttf"), (BOLD, "OpenSans-Bold.ttf")):
        pdfmetrics.registerFont(TTFont(name, io.BytesIO(folder.joinpath(file).read_bytes())))
    pdfmetrics.registerFont(TTFont(WIDE, io.BytesIO(pymupdf_fonts.myfont("figo"))))
    for name in (*(font for _, font in _HAN), _HANGUL):
        pdfmetrics.registerFont(UnicodeCIDFont(name))
    faces: list[Any] = [pdfmetrics.getFont(name) for name in (FONT, WIDE)]
    return frozenset(faces[0].face.charToGlyph), frozenset(faces[1].face.charToGlyph)


def register() -> None:
    """Makes the fonts known to ReportLab; again is nothing."""
    _known()


def markup(text: str, size: float, width: float) -> str:
    """ReportLab markup of a text: escaped, each character in a font that has it, lines of `width` points at most
    where something in it is read from right to left. What no font has is a question mark.
    """
    one_line = (" " if c.isspace() else c for c in text)
    shaped = _joined("".join(c for c in one_line if unicodedata.category(c) not in ("Cc", "Cf", "Cs")))
    font_of = _fonts(shaped)
    if not any(unicodedata.bidirectional(c) in _RIGHT_TO_LEFT for c in shaped):
        return _in_fonts(shaped, font_of)
    lines = _lines(shaped.split(), font_of, size, width)
    return "<br/>".join(_in_fonts(drawn(line), font_of) for line in lines)


def _fonts(text: str) -> Callable[[str], str | None]:
    """Which font a character of the text is drawn with; None where no font has it."""
    latin, wide = _known()
    han = {c for c in text if "\u3400" <= c <= "\u9fff"}
    east = next((font for charset, font in _HAN if all(_in_charset(c, charset) for c in han)), _HAN[1][1])

    @cache
    def font_of(c: str) -> str | None:
        if ord(c) in latin:
            return FONT
        if ord(c) in wide:
            return WIDE
        if not _EAST < ord(c) <= 0xFFFF:
            return None
        return _HANGUL if "\uac00" <= c <= "\ud7a3" or "\u3130" <= c <= "\u318f" else east

    return font_of


def _in_charset(c: str, charset: str) -> bool:
    try:
        return bool(c.encode(charset))
    except UnicodeEncodeError:
        return False


def _in_fonts(text: str, font_of: Callable[[str], str | None]) -> str:
    parts = []
    for font, run in groupby(text, font_of):
        if font is None:
            parts.append("?")
        else:
            written = escape("".join(run))
            parts.append(written if font == FONT else f'<font name="{font}">{written}</font>')
    return "".join(parts)


def _lines(words: list[str], font_of: Callable[[str], str | None], size: float, width: float) -> list[str]:
    """The words in lines of `width`; a word that is broader than a line goes on in the next one."""

    @cache
    def breadth(c: str) -> float:
        return pdfmetrics.stringWidth(c, font_of(c) or FONT, size)

    lines, room = [""], width
    for word in words:
        needed = sum(breadth(c) for c in word)
        if lines[-1] and breadth(" ") + needed <= room:
            lines[-1] += " "
            room -= breadth(" ")
        elif lines[-1]:
            lines.append("")
            room = width
        for c in word:
            if breadth(c) > room and lines[-1]:
                lines.append("")
                room = width
            lines[-1] += c
            room -= breadth(c)
    return lines


def _joined(text: str) -> str:
    """The text with Arabic letters in the shapes that they have beside each other, without vowel points."""
    if not any("\u0590" <= c <= "\u06ff" for c in text):
        return text
    wide = _known()[1]
    kept = "".join(c for c in unicodedata.normalize("NFC", text) if not _is_point(c))
    return "".join(c if ord(c) in wide else unicodedata.normalize("NFKC", c) for c in _SHAPES.reshape(kept))


def _is_point(c: str) -> bool:
    return "\u0590" <= c <= "\u06ff" and unicodedata.combining(c) != 0


def drawn(line: str) -> str:
    """The line in the order in which it is drawn from left to right (UAX #9)."""
    found: str = get_display(line)
    return found
