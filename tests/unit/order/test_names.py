"""File names, media types and pixels of uploads."""

from __future__ import annotations

import pytest

from services.order.actions.attaching import media_type_of, safe_name
from services.order.actions.picturing import size_of


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a\r\nSet-Cookie: x=1.png", "a__Set-Cookie_ x=1.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\y.png", "y.png"),
        ("\u202egnp.exe", "_gnp.exe"),
        ("x" * 300 + ".png", "x" * 116 + ".png"),
        ("...", "file"),
        (None, "file"),
    ],
)
def test_names_lead_nowhere(given: str | None, kept: str) -> None:
    assert safe_name(given) == kept


def test_types_are_told_by_the_first_bytes() -> None:
    assert media_type_of(b"RIFF\x00\x00\x00\x00WEBPVP8 ") == "image/webp"
    assert media_type_of(b"\xff\xd8\xff\xe0") == "image/jpeg"
    assert media_type_of(b"<svg xmlns='http://www.w3.org/2000/svg'>") is None
    assert media_type_of(b"") is None


def _jpeg(width: int, height: int) -> bytes:
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return b"\xff\xd8\xff\xe0\x00\x04JF\xff\xff\xdb\x00\x03\x00\xff\xc2\x00\x0b\x08" + size + b"\x01\x01\x11\x00"


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\x00\x00\x00\x00\x02", (256, 2)),
        (b"GIF89a\x03\x00\x00\x01", (3, 256)),
        (_jpeg(4_000, 3_000), (4_000, 3_000)),
        (b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\xff\x3f\x00\x01\x00\x00", (16_384, 2)),
        (b"RIFF\x00\x00\x00\x00WEBPVP8L\x0a\x00\x00\x00\x2f\x02\xc0\x00\x00" + b"\x00" * 8, (3, 4)),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 \x0a\x00\x00\x00\x00\x00\x00\x9d\x01\x2a\x40\x01\xf0\x00", (320, 240)),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"\xff\xd8\xff\xff\xff\xff", None),
        (b"\xff\xd8\xff\xe0" + b"\x00" * 5_000, None),
        (b"%PDF-1.7", None),
    ],
)
def test_an_image_says_how_large_it_is(content: bytes, size: tuple[int, int] | None) -> None:
    media_type = media_type_of(content)
    assert media_type is not None
    assert size_of(content, media_type) == size
