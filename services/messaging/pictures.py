"""Images are decoded and written anew: what leaves is a picture and nothing else (no EXIF, no place, no text, no tail).

Bounded before anything is unpacked: the size that the file states decides whether it is decoded at all. One image at
a time in each process, in a thread of its own; a decoder of foreign bytes fails in many ways, which are one refusal.
"""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from PIL import Image

from services.messaging import errors
from services.messaging.attachments import MediaType
from shared.errors import Problem

# The longest side of what is kept: an A4 page at 220 dots per inch.
LONGEST_SIDE: Final = 2_560
THUMBNAIL_SIDE: Final = 320
QUALITY: Final = 85
_FORMATS: Final = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
# EXIF's entry that says how a camera was held, and what makes the picture upright.
_ORIENTATION: Final = 0x0112
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Pillow's own limit warns on standard error; ours is lower and refuses.
Image.MAX_IMAGE_PIXELS = None
_one_at_a_time: Final = ThreadPoolExecutor(1, "pictures")


class Picture(NamedTuple):
    """An image as it is kept, and a small JPEG of it."""

    content: bytes
    thumbnail: bytes


async def renewed(content: bytes, media_type: MediaType, most_pixels: int) -> Picture:
    """The image in the same format. Raises Problem for one that is too large or cannot be read."""
    return await asyncio.get_running_loop().run_in_executor(
        _one_at_a_time, renew, content, media_type, most_pixels
    )  # fmt: skip


def renew(content: bytes, media_type: MediaType, most_pixels: int) -> Picture:
    """As `renewed`, in this very thread."""
    if media_type == "image/webp":
        most_pixels //= 2  # its decoder takes 20 bytes for each, the others 8 to 12
    try:
        _check_size(_stated_webp_size(content) if media_type == "image/webp" else None, most_pixels)
        with Image.open(io.BytesIO(content), formats=(_FORMATS[media_type],)) as opened:
            _check_size(opened.size, most_pixels)
            return _renewed(opened, media_type)
    except Problem:
        raise
    except Exception as e:
        raise errors.unreadable_file(
            "The image cannot be read: it is damaged or not complete. Save it again and send that."
        ) from e


def _check_size(size: tuple[int, int] | None, most: int) -> None:
    if size is not None and size[0] * size[1] > most:
        raise errors.image_too_large(*size, most)


def _stated_webp_size(content: bytes) -> tuple[int, int] | None:
    """What an extended WebP states: its decoder takes the room for it when it is opened. Other kinds state it too."""
    if content[12:16] != b"VP8X" or len(content) < 30:
        return None
    return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1


def _renewed(opened: Any, media_type: MediaType) -> Picture:
    turn = _turn_of(opened)
    # a JPEG is decoded at a fraction of its size where that is enough
    opened.draft(None, (LONGEST_SIDE, LONGEST_SIDE))
    opened.load()
    image = _plain(opened, media_type)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), reducing_gap=2.0)
    if turn is not None:
        image = image.transpose(turn)
    # a writer takes along what it finds here: colour profiles, comments
    image.info = {}
    kept = io.BytesIO()
    image.save(kept, _FORMATS[media_type], quality=QUALITY)
    return Picture(kept.getvalue(), _small(image))


def _turn_of(opened: Any) -> Image.Transpose | None:
    try:
        return _TURNS.get(opened.getexif().get(_ORIENTATION))
    except Exception:
        return None  # what a camera wrote there is of no use; the picture may be


def _plain(opened: Any, media_type: MediaType) -> Any:
    """The first picture of the file, in eight bits a channel and with an alpha channel only where one is used."""
    if opened.mode.startswith("I;16"):
        return opened.point(lambda level: level * (1 / 256)).convert("L")
    if opened.has_transparency_data and media_type != "image/jpeg":
        mode = "RGBA"
    else:
        mode = "L" if opened.mode in ("1", "L") else "RGB"
    return opened if opened.mode == mode else opened.convert(mode)


def _small(image: Any) -> bytes:
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), reducing_gap=2.0)
    if image.mode == "RGBA":
        ground = Image.new("RGB", image.size, "white")
        ground.paste(image, mask=image)
        image = ground
    written = io.BytesIO()
    image.save(written, "JPEG", quality=75)
    return written.getvalue()
