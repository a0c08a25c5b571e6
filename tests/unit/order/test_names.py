"""File names and media types of uploads."""

from __future__ import annotations

import pytest

from services.order.actions.attaching import media_type_of, safe_name


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
