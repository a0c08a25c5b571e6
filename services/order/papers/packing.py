"""The packing slip: what goes into the parcel, to whom, and a QR code that opens the order. No prices."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final

from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from contracts.order import Address, Parcel
from services.order.papers import scripts
from services.order.papers.words import N_, Words
from services.order.workflow import Order

QR_SIZE: Final = 32 * mm
MOST_TEXT: Final = 500
_HEADER: Final = (138 * mm, 36 * mm)
_SIDES: Final = (87 * mm, 87 * mm)
_COLUMNS: Final = (24 * mm, 38 * mm, 74 * mm, 38 * mm)
_HEADINGS: Final = (N_("Quantity"), N_("SKU"), N_("Item"), N_("Codes"))
_PADDING: Final = 12  # points that a cell leaves free, left and right together


def _paragraph(text: str | None, style: ParagraphStyle, width: float) -> Paragraph:
    """What somebody wrote, in a cell of `width` points."""
    return Paragraph(scripts.markup((text or "")[:MOST_TEXT], style.fontSize, width - _PADDING), style)


def packing_slip(order: Order, parcel: Parcel | None, link: str, words: Words) -> bytes:
    """A PDF of one parcel, or of everything that is still to be sent or was sent, in the `words` of whoever prints it.

    `link` opens the order.
    """
    scripts.register()
    style = ParagraphStyle("body", fontName=scripts.FONT, fontSize=9.5, leading=13)
    bold = ParagraphStyle("bold", parent=style, fontName=scripts.BOLD)
    title = ParagraphStyle("title", parent=bold, fontSize=18, leading=24)
    flow: list[Any] = [
        _header(order, parcel, link, words, style, title),
        Spacer(1, 8 * mm),
        _addresses(order, words, style, bold),
        Spacer(1, 8 * mm),
        _lines(order, parcel, words, style, bold),
    ]
    if order.delivery_method:
        flow += [
            Spacer(1, 6 * mm),
            _paragraph(words.tr("Delivery: %(method)s", method=order.delivery_method), style, sum(_SIDES)),
        ]
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=18 * mm,
        rightMargin=18 * mm,
        topMargin=16 * mm,
        bottomMargin=16 * mm,
        title=words.tr("Packing slip %(number)s", number=order.number),
        lang=words.language,
        author=order.seller.name[:200],
        invariant=True,
    )
    document.build(flow)
    return out.getvalue()


def _header(
    order: Order, parcel: Parcel | None, link: str, words: Words, style: ParagraphStyle, title: ParagraphStyle
) -> Table:
    number = words.tr("Order %(number)s", number=order.number)
    told = [Paragraph(words.tr("Packing slip"), title), Paragraph(number, style)]
    if order.external_number:
        told.append(_paragraph(f"{order.channel}: {order.external_number}", style, _HEADER[0]))
    told.append(Paragraph(words.tr("Placed %(day)s", day=words.day(order.placed_at)), style))
    if parcel is not None:
        sent = words.tr("Parcel %(number)s, sent %(day)s", number=parcel.number, day=words.day(parcel.shipped_at))
        told.append(Paragraph(sent, style))
        carrier = " ".join(p for p in (parcel.carrier, parcel.tracking_number) if p)
        if carrier:
            told.append(_paragraph(carrier, style, _HEADER[0]))
    code = QrCodeWidget(link, barLevel="M")
    left, bottom, right, top = code.getBounds()
    drawing = Drawing(QR_SIZE, QR_SIZE, transform=[QR_SIZE / (right - left), 0, 0, QR_SIZE / (top - bottom), 0, 0])
    drawing.add(code)
    return Table([[told, drawing]], colWidths=_HEADER, style=[("VALIGN", (0, 0), (-1, -1), "TOP")])


def _addresses(order: Order, words: Words, style: ParagraphStyle, bold: ParagraphStyle) -> Table:
    to = [Paragraph(words.tr("To"), bold), *(_paragraph(t, style, _SIDES[0]) for t in _address(order))]
    sender = [Paragraph(words.tr("From"), bold), _paragraph(order.seller.name, style, _SIDES[1])]
    return Table([[to, sender]], colWidths=_SIDES, style=[("VALIGN", (0, 0), (-1, -1), "TOP")])


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


def _lines(order: Order, parcel: Parcel | None, words: Words, style: ParagraphStyle, bold: ParagraphStyle) -> Table:
    rows: list[list[Any]] = [[Paragraph(words.tr(t), bold) for t in _HEADINGS]]
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
        texts = (words.quantity(quantity, line.unit_code), line.sku, line.name, ", ".join(codes))
        rows.append([_paragraph(t, style, width) for t, width in zip(texts, _COLUMNS, strict=True)])
    table = Table(rows, colWidths=_COLUMNS, repeatRows=1)
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
