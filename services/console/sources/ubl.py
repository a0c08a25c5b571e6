"""A Peppol BIS 3 / UBL 2.1 Order document, bare or inside a Standard Business Document.

Rules: the identity is buyer party + seller party + document id, because a document id is only unique to its buyer
(Peppol BIS Ordering: parties are named by EndpointID). Line amounts and totals are kept as stated; a price for a
BaseQuantity becomes a price for one, and what that loses to rounding stays in the stated line amount. A document
type declaration is refused before anything in it could be expanded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from lxml import etree

from contracts.money import from_minor, round_minor
from services.console.sources.model import (
    Found,
    Refusal,
    Refused,
    attributes,
    check_currency,
    compact,
    email,
    moment,
    money,
    number,
    quantity,
    text,
    unit_code,
)
from services.console.sources.ubl_parties import Party, address, delivery_address, party
from services.console.sources.ubl_totals import allowances, amount, totals
from services.console.sources.ubl_tree import ORDER, Element, child, children, first_text, texts

CHANNEL: Final = "peppol"
MOST_BYTES: Final = 20 * 1024 * 1024
_CHUNK: Final = 16_384
_BOM: Final = b"\xef\xbb\xbf"
# categories of UNCL5305 under which no tax is charged: they need no percentage
_UNTAXED: Final = frozenset({"AE", "E", "G", "K", "O", "Z"})
_OFFSET: Final = re.compile(r"(Z|[-+][0-9]{2}:[0-9]{2})$")


def read(content: bytes) -> Found | Refused:
    """The order of a document. Raises Refusal where it is no order document at all."""
    root = _order_element(_parse(content.removeprefix(_BOM).lstrip(b" \t\r\n")))
    identity = first_text(root, "cbc:ID")
    try:
        return _convert(root)
    except Refusal as e:
        return Refused("Order", identity, e.reason)


def _parse(content: bytes) -> Element:
    if len(content) > MOST_BYTES:
        raise Refusal(f"larger than {MOST_BYTES // 1024 // 1024} MB, which no order document is")
    parser = etree.XMLPullParser(
        events=("start",),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    seen = False
    try:
        for at in range(0, len(content), _CHUNK):
            parser.feed(content[at : at + _CHUNK])
            for _, element in parser.read_events():
                if not seen:
                    seen = True
                    _refuse_dtd(element)
        root: Element = parser.close()
    except etree.XMLSyntaxError as e:
        if "too long" in (e.msg or "") or "huge" in (e.msg or ""):
            raise Refusal(
                "a text in it is longer than 10 MB, such as an attachment; leave it out: attachments are not taken in"
            ) from None
        raise Refusal(f"not well-formed XML: {e.msg}") from None
    return root


def _refuse_dtd(element: Any) -> None:
    info = element.getroottree().docinfo
    if info.doctype or info.internalDTD is not None:
        raise Refusal("it has a document type declaration (DTD); those are refused, remove it")


def _order_element(root: Element) -> Element:
    if etree.QName(root).localname == "StandardBusinessDocument":
        inner = [e for e in root if etree.QName(e).localname != "StandardBusinessDocumentHeader"]
        if len(inner) > 1:
            raise Refusal(f"{len(inner)} documents are in this envelope; one is expected")
        root = inner[0] if inner else root
    name = etree.QName(root)
    if name.namespace == ORDER and name.localname == "Order":
        return root
    space = f" ({name.namespace})" if name.namespace else " without a namespace"
    raise Refusal(f"this is {name.localname}{space}, not an order; only UBL 2 Order documents can be imported")


def _convert(root: Element) -> Found:
    number_ = text(first_text(root, "cbc:ID"), 100)
    if number_ is None:
        raise Refusal("cbc:ID is missing, so the order could not be recognised when it comes again")
    buyer = party(child(root, "cac:BuyerCustomerParty/cac:Party"), "cac:BuyerCustomerParty")
    seller = party(child(root, "cac:SellerSupplierParty/cac:Party"), "cac:SellerSupplierParty")
    currency = check_currency(first_text(root, "cbc:DocumentCurrencyCode"), "cbc:DocumentCurrencyCode")
    warnings: list[str] = []
    reader = _Lines(root, currency, warnings)
    lines = reader.read(seller.reference)
    order = compact(
        {
            "external_id": _identity(buyer, seller, number_),
            "external_number": number_,
            "channel": CHANNEL,
            "placed_at": _placed_at(root),
            "currency": currency,
            "buyer": buyer.reference,
            "customer": _customer(root, buyer, warnings),
            "lines": lines,
            "note": "\n".join(t for n in texts(root, "cbc:Note") if (t := text(n, 5_000)))[:5_000] or None,
            "attributes": attributes(_facts(root, buyer, seller), warnings),
            **totals(root, currency, lines, warnings),
        }
    )
    _tell_what_is_left_out(root, warnings)
    return Found("Order", order["external_id"], number_, order, warnings)


def _tell_what_is_left_out(root: Element, warnings: list[str]) -> None:
    attached = [d for d in children(root, "cac:AdditionalDocumentReference") if child(d, "cac:Attachment") is not None]
    if attached:
        names = ", ".join(text(first_text(d, "cbc:ID"), 60) or "without a name" for d in attached[:5])
        warnings.append(f"{len(attached)} attachment(s) ({names}) are not taken in")


def _identity(buyer: Party, seller: Party, document_id: str) -> str:
    identity = "/".join(p.replace("/", "%2F") for p in (buyer.reference, seller.reference, document_id))
    if len(identity) > 200:
        identity = f"{identity[:150]}~{hashlib.sha256(identity.encode()).hexdigest()[:40]}"
    return identity


def _placed_at(root: Element) -> str | None:
    """IssueDate and IssueTime; the offset is the time's, else the date's, else UTC."""
    day = text(first_text(root, "cbc:IssueDate"), 40)
    if day is None:
        return None
    time = text(first_text(root, "cbc:IssueTime"), 40) or "00:00:00"
    offset = _OFFSET.search(time) or _OFFSET.search(day[10:])
    return moment(f"{_OFFSET.sub('', day)}T{_OFFSET.sub('', time)}{offset[1] if offset else 'Z'}", "cbc:IssueDate")


def _customer(root: Element, buyer: Party, warnings: list[str]) -> dict[str, Any]:
    contact = child(root, "cac:BuyerCustomerParty/cac:Party/cac:Contact")
    delivery = child(root, "cac:Delivery/cac:DeliveryParty/cac:Contact")
    mail = first_text(contact, "cbc:ElectronicMail") or first_text(delivery, "cbc:ElectronicMail")
    phone = first_text(contact, "cbc:Telephone") or first_text(delivery, "cbc:Telephone")
    accounting = child(root, "cac:AccountingCustomerParty/cac:Party")
    return compact(
        {
            "name": buyer.name,
            "email": email(mail, warnings),
            "phone": text(phone, 100),
            "shipping_address": delivery_address(root),
            "billing_address": address(child(accounting, "cac:PostalAddress"), None) or buyer.address,
        }
    )


def _facts(root: Element, buyer: Party, seller: Party) -> Iterator[tuple[str, Any]]:
    yield "buyer party", f"{buyer.name} ({buyer.reference})"
    yield "seller party", f"{seller.name} ({seller.reference})"
    for name, path in (
        ("customer reference", "cbc:CustomerReference"),
        ("accounting cost", "cbc:AccountingCost"),
        ("order type", "cbc:OrderTypeCode"),
        ("contract", "cac:Contract/cbc:ID"),
        ("quotation", "cac:QuotationDocumentReference/cbc:ID"),
        ("requisition", "cac:OriginatorDocumentReference/cbc:ID"),
        ("valid until", "cac:ValidityPeriod/cbc:EndDate"),
        ("deliver from", "cac:Delivery/cac:RequestedDeliveryPeriod/cbc:StartDate"),
        ("deliver until", "cac:Delivery/cac:RequestedDeliveryPeriod/cbc:EndDate"),
        ("contact", "cac:BuyerCustomerParty/cac:Party/cac:Contact/cbc:Name"),
        ("receiver", "cac:Delivery/cac:DeliveryParty/cac:Contact/cbc:Name"),
        ("payment terms", "cac:PaymentTerms/cbc:Note"),
        ("delivery terms", "cac:DeliveryTerms/cbc:ID"),
    ):
        yield name, first_text(root, path)
    for n, item in enumerate(children(root, "cac:OrderLine/cac:LineItem"), 1):
        yield f"line {n}: note", " ".join(texts(item, "cbc:Note"))
        for p in children(item, "cac:Item/cac:AdditionalItemProperty"):
            yield f"line {n}: {first_text(p, 'cbc:Name')}", first_text(p, "cbc:Value")
        base = first_text(item, "cac:Price/cbc:BaseQuantity")
        if base and Decimal(1) != number(base, "BaseQuantity"):
            yield f"line {n}: price", f"{first_text(item, 'cac:Price/cbc:PriceAmount')} for {base}"


class _Lines:
    """Reads the order lines of one document."""

    def __init__(self, root: Element, currency: str, warnings: list[str]) -> None:
        self.root, self.currency, self.warnings = root, currency, warnings

    def read(self, seller: str) -> list[dict[str, Any]]:
        items = children(self.root, "cac:OrderLine/cac:LineItem")
        if not items:
            raise Refusal("the order has no cac:OrderLine")
        return [self._line(item, n, seller) for n, item in enumerate(items, 1)]

    def _line(self, item: Element, n: int, seller: str) -> dict[str, Any]:
        what = f"line {text(first_text(item, 'cbc:ID'), 40) or n}"
        quantity_element = child(item, "cbc:Quantity")
        ordered = quantity(first_text(item, "cbc:Quantity"), f"{what}: cbc:Quantity")
        price, net = self._money(item, ordered, what)
        unit = quantity_element.get("unitCode") if quantity_element is not None else None
        return compact(
            {
                "sku": self._sku(item),
                "name": text(first_text(item, "cac:Item/cbc:Name"))
                or text(first_text(item, "cac:Item/cbc:Description"))
                or what,
                "quantity": f"{ordered:f}",
                "unit_code": unit_code(unit, what, self.warnings),
                "unit_price": price,
                "net": net,
                "tax_rate": _rate(child(item, "cac:Item/cac:ClassifiedTaxCategory"), what),
                "seller": text(seller, 100),
                "external_line_id": text(first_text(item, "cbc:ID"), 100),
            }
        )

    def _money(self, item: Element, ordered: Decimal, what: str) -> tuple[dict[str, str] | None, Any]:
        """The price for one and the line amount, each None where the document does not say it."""
        stated = self._amount(item, "cbc:LineExtensionAmount", what)
        price = self._amount(item, "cac:Price/cbc:PriceAmount", what)
        if price is not None and price < 0:
            raise Refusal(f"{what}: cbc:PriceAmount is {price}; it must not be below zero")
        if price is None:
            if stated is None:
                return None, None
            return money(stated / ordered, self.currency, what), money(stated, self.currency, what)
        base_text = first_text(item, "cac:Price/cbc:BaseQuantity")
        base = number(base_text, f"{what}: cbc:BaseQuantity") if base_text else Decimal(1)
        if base <= 0:
            raise Refusal(f"{what}: cbc:BaseQuantity is {base}; it must be above zero")
        worth = ordered * price / base + allowances(item, self.currency, what)
        net = worth if stated is None else stated
        if round_minor(net, self.currency) < 0:
            raise Refusal(
                f"{what}: it comes to {net}, below zero; what takes money off the order has to be an allowance of the "
                "whole document (cac:AllowanceCharge)"
            )
        if abs(round_minor(net, self.currency) - round_minor(worth, self.currency)) > 1:
            made = from_minor(round_minor(worth, self.currency), self.currency)
            self.warnings.append(
                f"{what}: the stated amount {net} is kept, though quantity, price and allowances make {made}"
            )
        return money(price / base, self.currency, what), money(net, self.currency, what)

    def _amount(self, item: Element, path: str, what: str) -> Decimal | None:
        return amount(item, path, self.currency, what)

    @staticmethod
    def _sku(item: Element) -> str | None:
        for kind in ("SellersItemIdentification", "StandardItemIdentification", "BuyersItemIdentification"):
            found = text(first_text(item, f"cac:Item/cac:{kind}/cbc:ID"), 100)
            if found:
                return found
        return None


def _rate(category: Element | None, what: str) -> str | None:
    percent = first_text(category, "cbc:Percent")
    if percent is None:
        return "0" if (first_text(category, "cbc:ID") or "").upper() in _UNTAXED else None
    rate = number(percent, f"{what}: cbc:Percent") / 100
    if not 0 <= rate <= 1:
        raise Refusal(f"{what}: cbc:Percent is {percent}; 0 to 100 is expected")
    return f"{rate.quantize(Decimal('0.000001')).normalize():f}"
