"""Which PDFs are taken, wherever files are uploaded."""

from __future__ import annotations

import io
import random
import time
import zlib
from typing import Any

import pytest
from reportlab.pdfgen.canvas import Canvas

from shared import pdf
from tests.images import PDF, stream
from tests.images import pdf as made

SCRIPT = b"<< /S /JavaScript /JS (app.alert\\(1\\)) >>"
PACKED = b"/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode"


def drawn(**given: Any) -> bytes:
    written = io.BytesIO()
    page = Canvas(written, **given)
    page.drawString(72, 72, "Invoice 7")
    page.save()
    return written.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        PDF,
        made(version=b"2.0"),
        PDF + b"\r\n" * 20,
        drawn(),
        drawn(pageCompression=1),
        made(b"<< /Type /Filespec /F (factur-x.xml) >>", b"<< /LaunchPad true /JavaScripture 1 >>"),
        made(stream(zlib.compress(b"1 0 << /Type /Page >>"), PACKED)),
        made(stream(b"1 0 << /Type /Page >>", b"/Type /ObjStm /N 1 /First 4")),
    ],
)
def test_what_programs_write_is_taken(content: bytes) -> None:
    assert pdf.fault_of(content) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%PDF-1.7\n" + b"x" * 64, "its end is missing"),
        (b"%PDF-9.9\n" + PDF[9:], "version"),
        (b"%PDF-<script>" + PDF, "version"),
        (PDF[:-10], "its end is missing"),
        (PDF + b"x" * pdf.TAIL, "its end is missing"),
        (PDF.replace(b"startxref\n", b"startxref\n99"), "damaged"),
        (made(trailer=b" /Encrypt 5 0 R"), "without a password"),
        (made(SCRIPT), "scripts or programs"),
        (made(SCRIPT.replace(b"/JavaScript", b"/J#61v#61Script")), "scripts or programs"),
        (made(b"<< /S /Launch /F (cmd.exe) >>"), "scripts or programs"),
        (made(stream(zlib.compress(b"1 0 " + SCRIPT), PACKED)), "scripts or programs"),
        (made(stream(zlib.compress(b"1 0 " + SCRIPT), PACKED.replace(b"Stm", b"S#74m"))), "scripts or programs"),
        (made(stream(b"no zlib", PACKED)), "cannot be read"),
    ],
)
def test_what_is_refused_says_what_to_do(content: bytes, said: str) -> None:
    fault = pdf.fault_of(content)
    assert fault is not None
    assert said in fault
    assert fault.endswith("send that.")


def test_objects_are_read_to_their_end_however_long_they_are() -> None:
    noise = random.Random(7).randbytes(300_000).hex().encode()
    assert pdf.fault_of(made(stream(zlib.compress(noise), PACKED))) is None
    assert pdf.fault_of(made(stream(zlib.compress(noise + SCRIPT), PACKED))) is not None


@pytest.mark.parametrize("before", [0, 1, 5, 12])
def test_names_are_found_wherever_they_stand(before: int) -> None:
    """Files are searched piece by piece; a name may lie across two."""
    begin = len(PDF[:9])
    for name, runs in ((b"/Launch ", True), (b"/LaunchPad ", False), (b"/#4cau#6Ech ", True)):
        content = PDF[:9] + bytes(64 * 1024 - begin - before) + name + PDF[9:]
        assert (pdf.fault_of(content) is not None) == runs, name


def test_many_small_ones_take_no_more_time_than_one() -> None:
    """What is behind each of them is not copied for each."""
    small = b"/ObjStm stream\n" + zlib.compress(b"") + b"\n"
    content = PDF[:9] + small * (pdf.MOST_PACKED * 2) + bytes(10_000_000) + PDF[9:]
    begun = time.monotonic()
    assert pdf.fault_of(content) is not None
    assert time.monotonic() - begun < 5


def test_a_bomb_is_refused_before_it_unpacks() -> None:
    bomb = zlib.compress(bytes(pdf.MOST_UNPACKED))
    begun = time.monotonic()
    assert pdf.fault_of(made(*[stream(bomb, PACKED)] * 50)) is not None
    assert time.monotonic() - begun < 5
