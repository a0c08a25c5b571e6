"""The packing slip: what goes into the parcel, to whom, and a QR code that opens the order. No prices."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, Final
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from contracts.order import Address, Parcel
from services.order.papers.times import on
from services.order.workflow import Order

FONT, BOLD, EAST = "OpenSans", "OpenSans-Bold", "HeiseiKakuGo-W5"
QR_SIZE: Final = 32 * mm
MOST_TEXT: Final = 500


@cache
def _known_characters() -> frozenset[int]:
    """Registers the fonts once and says which characters the Latin one has."""
    folder = files("ttf_opensans").joinpath("ttf")
    for name, file in ((FONT, "OpenSans-Regular.ttf"), (BOLD, "OpenSans-Bold.ttf")):
        pdfmetrics.registerFont(TTFont(name, io.BytesIO(folder.joinpath(file).read_bytes())))
    # Readers bring this one along themselves; it has Japanese, Chinese and much else.
    pdfmetrics.registerFont(UnicodeCIDFont(EAST))
    face: Any = pdfmetrics.getFont(FONT).face  # type: ignore[attr-defined]  # the stubs know the built-in fonts only
    return frozenset(face.charToGlyph)


def _marked_up(text: str | None) -> str:
    """Text for a paragraph: escaped, and other scripts in the font that has them."""
    known = _known_characters()
    parts: list[str] = []
    east = False
    for c in (text or "")[:MOST_TEXT]:
        wanted = ord(c) not in known and ord(c) > 0x2E7F
        if wanted != east:
            parts.append(f'<font name="{EAST}">' if wanted else "</font>")
            east = wanted
        parts.append(escape(c) if wanted or ord(c) in known else "?")
    return "".join(parts) + ("</font>" if east else "")


def packing_slip(order: Order, parcel: Parcel | None, link: str, zone: ZoneInfo) -> bytes:
    """A PDF of one parcel, or of everything that is still to be sent or was sent. `link` opens the order; days are
    those of `zone`.
    """
    _known_characters()
    style = ParagraphStyle("body", fontName=FONT, fontSize=9.5, leading=13)
    bold = ParagraphStyle("bold", parent=style, fontName=BOLD)
    title = ParagraphStyle("title", parent=bold, fontSize=18, leading=24)
    flow: list[Any] = [
        _header(order, parcel, link, zone, style, title),
        Spacer(1, 8 * mm),
        _addresses(order, style, bold),
        Spacer(1, 8 * mm),
        _lines(order, parcel, style, bold),
    ]
    if order.delivery_method:
        flow += [Spacer(1, 6 * mm), Paragraph(f"Delivery: {_marked_up(order.delivery_method)}", style)]
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=18 * mm,
        rightMargin=18 * mm,
        topMargin=16 * mm,
        bottomMargin=16 * mm,
        title=f"Packing slip {order.number}",
        author=order.seller.name[:200],
        invariant=True,
    )
    document.build(flow)
    return out.getvalue()


def _header(
    order: Order, parcel: Parcel | None, link: str, zone: ZoneInfo, style: ParagraphStyle, title: ParagraphStyle
) -> Table:
    told = [Paragraph("Packing slip", title), Paragraph(f"Order {order.number}", style)]
    if order.external_number:
        told.append(Paragraph(f"{_marked_up(order.channel)}: {_marked_up(order.external_number)}", style))
    told.append(Paragraph(f"Placed {on(order.placed_at, zone)}", style))
    if parcel is not None:
        told.append(Paragraph(f"Parcel {parcel.number}, sent {on(parcel.shipped_at, zone)}", style))
        carrier = " ".join(p for p in (parcel.carrier, parcel.tracking_number) if p)
        if carrier:
            told.append(Paragraph(_marked_up(carrier), style))
    code = QrCodeWidget(link, barLevel="M")
    left, bottom, right, top = code.getBounds()
    drawing = Drawing(QR_SIZE, QR_SIZE, transform=[QR_SIZE / (right - left), 0, 0, QR_SIZE / (top - bottom), 0, 0])
    drawing.add(code)
    return Table([[told, drawing]], colWidths=[138 * mm, 36 * mm], style=[("VALIGN", (0, 0), (-1, -1), "TOP")])


def _addresses(order: Order, style: ParagraphStyle, bold: ParagraphStyle) -> Table:
    to = [Paragraph("To", bold), *(Paragraph(_marked_up(t), style) for t in _address(order))]
    sender = [Paragraph("From", bold), Paragraph(_marked_up(order.seller.name), style)]
    return Table([[to, sender]], colWidths=[87 * mm, 87 * mm], style=[("VALIGN", (0, 0), (-1, -1), "TOP")])


def _address(order: Order) -> Iterator[str]:
    given = order.customer.shipping_address or Address()
    yield given.name or order.customer.name
    for text in (
        given.line1,
        given.line2,
        " ".join(p for p in (given.postal_code, given.city) if p),
        given.region,
        given.country,
    ):
        if text:
            yield text


def _lines(order: Order, parcel: Parcel | None, style: ParagraphStyle, bold: ParagraphStyle) -> Table:
    rows: list[list[Any]] = [[Paragraph(t, bold) for t in ("Quantity", "SKU", "Item", "Codes")]]
    by_id = {line.line_id: line for line in order.lines}
    sent = (
        [(p.line_id, p.quantity, frozenset(p.unit_ids)) for p in parcel.lines]
        if parcel is not None
        else [(x.line_id, x.ordered - x.given_back, None) for x in order.lines]
    )
    for line_id, quantity, units in sent:
        line = by_id[line_id]
        if quantity <= 0:
            continue
        codes = [u.code for u in line.units if (u.unit_id in units if units is not None else u.state != "released")]
        unit = "" if line.unit_code == "C62" else f" {line.unit_code}"
        texts = (f"{quantity.normalize():f}{unit}", line.sku, line.name, ", ".join(codes))
        rows.append([Paragraph(_marked_up(t), style) for t in texts])
    table = Table(rows, colWidths=[24 * mm, 38 * mm, 74 * mm, 38 * mm], repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black),
                ("LINEBELOW", (0, 1), (-1, -1), 0.25, colors.grey),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ]
        )
    )
    return table
