"""Images and PDFs for tests, made here so that each says what is special about it."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image


def pdf(*objects: bytes, version: bytes = b"1.7", trailer: bytes = b"") -> bytes:
    """A PDF with a catalogue and further objects, as writers write them."""
    body, places = b"%PDF-" + version + b"\n", []
    for number, told in enumerate((b"<< /Type /Catalog >>", *objects), 1):
        places.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, told)
    rows = b"".join(b"%010d 00000 n \n" % at for at in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
    tail = b"trailer\n<< /Size %d /Root 1 0 R%b >>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, trailer, len(body))
    return body + head + rows + tail


def stream(content: bytes, dictionary: bytes = b"") -> bytes:
    """A stream of a PDF."""
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(content), dictionary, content)


PDF = pdf()
SECRET = b"SecretCam 59.9139 N 10.7522 E"


def image(kind: str = "PNG", size: tuple[int, int] = (60, 40), mode: str = "RGB", **given: Any) -> bytes:
    """A picture whose left half is dark and whose right half is light."""
    picture = Image.new("L", size, 20)
    picture.paste(230, (size[0] // 2, 0, *size))
    written = io.BytesIO()
    picture.convert(mode).save(written, kind, **given)
    return written.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    """What a camera writes of itself, and how it was held."""
    told = Image.Exif()
    told[0x0112] = orientation
    told[0x010F] = SECRET.decode()
    return told


def opened(content: bytes) -> Image.Image:
    found = Image.open(io.BytesIO(content))
    found.load()
    return found


def png_bomb(width: int, height: int) -> bytes:
    """A few hundred bytes that say they are a huge picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def webp_bomb(width: int, height: int) -> bytes:
    """An extended WebP whose header states a size and whose picture is tiny."""
    tiny = image("WEBP", (2, 2))
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + sizes
    body = b"WEBP" + extended + tiny[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body
