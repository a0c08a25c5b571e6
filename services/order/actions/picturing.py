"""What an image says of its own size, read from its first bytes: nobody's browser has to find out by unpacking it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

# A reader's browser takes four bytes for each: 400 MB. Cameras of phones make 12 to 50 million.
MOST_PIXELS: Final = 100_000_000
# Parts of a JPEG before its frame: a camera writes some ten.
MOST_SEGMENTS: Final = 1_000
# SOF0 to SOF15 without the tables that lie between them (DHT, JPG, DAC).
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# ISO media brands of phones' photos, which browsers do not show.
_PHONE_BRANDS: Final = frozenset({b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif"})


def is_phone_photo(content: bytes) -> bool:
    """HEIC, HEIF or AVIF."""
    return content[4:8] == b"ftyp" and content[8:12] in _PHONE_BRANDS


def size_of(content: bytes, media_type: str) -> tuple[int, int] | None:
    """(width, height) in pixels as the file states them; None where it states none."""
    read = _READERS.get(media_type)
    return read(content) if read is not None else None


def _png(content: bytes) -> tuple[int, int] | None:
    if len(content) < 24:
        return None
    return _big(content, 16, 4), _big(content, 20, 4)


def _gif(content: bytes) -> tuple[int, int] | None:
    if len(content) < 10:
        return None
    return _little(content, 6, 2), _little(content, 8, 2)


def _webp(content: bytes) -> tuple[int, int] | None:
    kind = content[12:16]
    if len(content) < 30:
        return None
    if kind == b"VP8X":
        return _little(content, 24, 3) + 1, _little(content, 27, 3) + 1
    if kind == b"VP8L":
        packed = _little(content, 21, 4)
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    return (_little(content, 26, 2) & 0x3FFF, _little(content, 28, 2) & 0x3FFF) if kind == b"VP8 " else None


def _jpeg(content: bytes) -> tuple[int, int] | None:
    at = 2
    for _ in range(MOST_SEGMENTS):
        if at + 9 > len(content) or content[at] != 0xFF:
            return None
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _FRAMES:
            return _big(content, at + 7, 2), _big(content, at + 5, 2)
        else:
            at += 2 + _big(content, at + 2, 2)
    return None


def _big(content: bytes, at: int, count: int) -> int:
    return int.from_bytes(content[at : at + count], "big")


def _little(content: bytes, at: int, count: int) -> int:
    return int.from_bytes(content[at : at + count], "little")


_READERS: Final[Mapping[str, Callable[[bytes], tuple[int, int] | None]]] = {
    "image/png": _png,
    "image/gif": _gif,
    "image/webp": _webp,
    "image/jpeg": _jpeg,
}
