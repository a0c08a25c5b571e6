"""What is taken as an attachment, what becomes of an image, and what a file is called."""

from __future__ import annotations

import pytest

from services.messaging import attachments
from services.messaging.masking import NOTHING, MaskingPolicy
from services.messaging.pictures import LONGEST_SIDE, THUMBNAIL_SIDE, renew
from shared.errors import Problem
from tests.images import PDF, SECRET, exif, image, opened, png_bomb, webp_bomb

MOST = 1_000_000
PIXELS = 24_000_000
BOTH = frozenset({"image", "pdf"})
TYPES: dict[str, attachments.MediaType] = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


@pytest.mark.parametrize("kind", TYPES)
def test_what_a_camera_wrote_into_an_image_is_gone_and_it_stands_upright(kind: str) -> None:
    given = image(kind, (60, 40), exif=exif(orientation=6))
    assert SECRET in given
    picture = renew(given, TYPES[kind], PIXELS)
    for content in picture:
        assert SECRET not in content
        assert b"Exif" not in content
    kept = opened(picture.content)
    assert (kept.format, kept.size) == (kind, (40, 60))
    gray = kept.convert("L").tobytes()
    assert gray[5 * 40 + 20] < 60 < 200 < gray[55 * 40 + 20], "turned to the right: what was left is above"
    assert opened(picture.thumbnail).size == (40, 60)


def test_comments_profiles_and_a_tail_do_not_stay() -> None:
    given = image("JPEG", comment=SECRET, icc_profile=b"profile " + SECRET) + b"<script>" + SECRET
    assert given.count(SECRET) == 3
    assert SECRET not in renew(given, "image/jpeg", PIXELS).content


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_is_kept_as_one_that_browsers_show(mode: str) -> None:
    picture = renew(image(mode=mode), "image/png", PIXELS)
    assert opened(picture.content).mode in ("L", "RGB", "RGBA")
    assert opened(picture.thumbnail).format == "JPEG"


def test_a_large_image_is_made_smaller() -> None:
    picture = renew(image("JPEG", (4_000, 1_000)), "image/jpeg", PIXELS)
    assert max(opened(picture.content).size) == LONGEST_SIDE
    assert max(opened(picture.thumbnail).size) == THUMBNAIL_SIDE


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (png_bomb(60_000, 60_000), "image/png"),
        (png_bomb(5_000, 5_000), "image/png"),
        (webp_bomb(16_000, 16_000), "image/webp"),
        (webp_bomb(4_000, 4_000), "image/webp"),
    ],
)
def test_an_image_that_unpacks_to_too_much_is_refused_by_what_it_states(
    content: bytes, media_type: attachments.MediaType
) -> None:
    with pytest.raises(Problem) as refused:
        renew(content, media_type, PIXELS)
    assert refused.value.code == "image_too_large"
    assert "at most" in refused.value.detail


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (image("PNG")[:60], "image/png"),
        (image("JPEG", (500, 500))[:-300], "image/jpeg"),
        (b"\xff\xd8\xff" + b"no picture " * 50, "image/jpeg"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (png_bomb(100, 100)[:40], "image/png"),
    ],
)
def test_what_only_looks_like_an_image_is_refused(content: bytes, media_type: attachments.MediaType) -> None:
    with pytest.raises(Problem) as refused:
        renew(content, media_type, PIXELS)
    assert (refused.value.status, refused.value.code) == (422, "attachment_unreadable")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"GIF89a....", "unsupported_media_type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_media_type"),
        (b"<html><script>alert(1)</script>", "unsupported_media_type"),
        (b"PK\x03\x04" + bytes(100), "unsupported_media_type"),
        (b"MZ" + bytes(100), "unsupported_media_type"),
        (b" " + PDF, "unsupported_media_type"),
        (PDF + bytes(MOST), "attachment_too_large"),
        (PDF[:-10], "attachment_unreadable"),
    ],
)
def test_what_is_not_taken_says_why(content: bytes, code: str) -> None:
    with pytest.raises(Problem) as refused:
        attachments.check(content, BOTH, MOST)
    assert refused.value.code == code
    assert refused.value.detail == refused.value.extensions["errors"][0]["message"]


def test_a_phones_own_photo_is_told_what_to_do() -> None:
    with pytest.raises(Problem, match="save it as JPEG"):
        attachments.check(b"\0\0\0\x18ftypheic" + bytes(50), BOTH, MOST)


def test_a_marketplace_decides_which_kinds_are_taken() -> None:
    assert attachments.allowed({}) == BOTH
    assert attachments.allowed({"message_attachments": "image"}) == {"image"}
    assert attachments.allowed({"message_attachments": "none"}) == frozenset()
    with pytest.raises(Problem, match="Only images are taken"):
        attachments.check(PDF, frozenset({"image"}), MOST)
    with pytest.raises(Problem, match="Send a text alone"):
        attachments.check(image(), frozenset(), MOST)


@pytest.mark.parametrize(
    ("given", "media_type", "name"),
    [
        ("crack in the lid.JPG", "image/jpeg", "crack in the lid.jpg"),
        ("photo.html", "image/png", "photo.png"),
        ("..\\..\\etc/passwd", "application/pdf", "passwd.pdf"),
        ("invoice\u202efdp.exe", "application/pdf", "invoice_fdp.pdf"),
        ('a"b\r\nSet-Cookie: x.png', "image/png", "a_b__Set-Cookie_ x.png"),
        ("", "image/webp", "image.webp"),
        (None, "application/pdf", "document.pdf"),
        ("....", "application/pdf", "document.pdf"),
        ("å" * 500 + ".png", "image/png", "å" * 116 + ".png"),
    ],
)
def test_a_name_holds_nothing_that_deceives(given: str | None, media_type: attachments.MediaType, name: str) -> None:
    assert attachments.file_name(given, media_type) == name


def test_where_contact_details_are_hidden_the_other_side_sees_names_of_ours() -> None:
    masking = MaskingPolicy.of({"message_masking": "phone"}, "UTC")
    name = "call me on nine one two.png"
    assert attachments.shown_name(name, "image/png", 2, masking, original=False) == "image-2.png"
    assert attachments.shown_name(name, "image/png", 2, masking, original=True) == name
    assert attachments.shown_name(name, "image/png", 2, NOTHING, original=False) == name
