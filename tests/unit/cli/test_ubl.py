"""Peppol and UBL orders of every shape, and documents that are none or mean harm."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from contracts.inbound import SubmittedOrder
from services.console.sources import Found, Refusal, Refused
from services.console.sources.ubl import read
from tests.unit.cli.samples import ubl, ubl_charge, ubl_line, ubl_sums

PRICE = "<cbc:PriceAmount>4</cbc:PriceAmount>"


def _one(content: bytes) -> Found:
    found = read(content)
    assert isinstance(found, Found), found
    SubmittedOrder.model_validate(found.order)
    return found


def _total(order: dict[str, Any]) -> Decimal:
    """What the order comes to by its own parts."""
    lines = sum(Decimal(x["net"]["amount"]) + Decimal(x.get("tax", {}).get("amount", 0)) for x in order["lines"])
    more = sum(Decimal(order[k]["amount"]) for k in ("shipping", "tax") if k in order)
    return lines + more - Decimal(order.get("discount", {}).get("amount", 0))


def test_an_order_is_taken_as_it_says() -> None:
    order = _one(ubl(sums=ubl_sums("10.00", "50.00"))).order
    assert (order["channel"], order["external_number"], order["placed_at"]) == ("peppol", "1", "2026-01-10T00:00:00Z")
    assert (order["buyer"], order["customer"]["name"]) == ("0088:7300010000001", "City Clinic")
    (line,) = order["lines"]
    assert (line["sku"], line["quantity"], line["unit_code"], line["seller"]) == (
        "SN-33",
        "10",
        "NAR",
        "0192:987654325",
    )
    assert line["tax"]["amount"] == "10.00"
    assert _total(order) == Decimal(order["total"]["amount"]) == 50


def test_the_same_document_id_of_other_parties_is_another_order() -> None:
    ids = {
        _one(ubl()).external_id,
        _one(ubl(seller="7300010000001")).external_id,
        _one(ubl(buyer="7300010000002")).external_id,
        _one(ubl(id="2")).external_id,
        _one(ubl(id="1/0192:987654325")).external_id,
    }
    assert len(ids) == 5
    assert _one(ubl()).external_id == "0088:7300010000001/0192:987654325/1"


def test_an_identity_that_is_too_long_stays_its_own() -> None:
    long = [_one(ubl(buyer="9" * 80, seller="8" * 80, id="7" * 90 + end)).external_id for end in ("1", "2")]
    assert len(set(long)) == 2
    assert all(len(x) <= 200 for x in long)


def test_a_price_for_several_is_a_price_for_one_and_loses_nothing() -> None:
    price = (
        '<cac:Price><cbc:PriceAmount currencyID="EUR">12.34</cbc:PriceAmount>'
        '<cbc:BaseQuantity unitCode="C62">100</cbc:BaseQuantity></cac:Price>'
    )
    amount = '<cbc:LineExtensionAmount currencyID="EUR">30.85</cbc:LineExtensionAmount>'
    found = _one(ubl(ubl_line(quantity="250", price=price, amount=amount)))
    (line,) = found.order["lines"]
    assert (line["unit_price"]["amount"], line["net"]["amount"]) == ("0.12", "30.85")
    assert found.order["attributes"]["line 1: price"] == "12.34 for 100"
    assert found.warnings == []


def test_fractions_have_their_unit() -> None:
    amount = '<cbc:LineExtensionAmount currencyID="EUR">10.00</cbc:LineExtensionAmount>'
    (line,) = _one(ubl(ubl_line(quantity="2.500", unit="KGM", amount=amount))).order["lines"]
    assert (Decimal(line["quantity"]), line["unit_code"]) == (Decimal("2.5"), "KGM")


def test_what_is_optional_may_be_missing() -> None:
    bare = _one(ubl(ubl_line(amount="", sku="", tax=""))).order
    (line,) = bare["lines"]
    assert (line["net"]["amount"], line.get("sku")) == ("40.00", None)
    assert "total" not in bare
    assert "tax" not in bare
    unpriced = _one(ubl(ubl_line(amount="", price=""))).order["lines"][0]
    assert "unit_price" not in unpriced
    only_amount = _one(ubl(ubl_line(price=""))).order["lines"][0]
    assert (only_amount["unit_price"]["amount"], only_amount["net"]["amount"]) == ("4.00", "40.00")


def test_allowances_and_charges_come_to_the_total() -> None:
    line = ubl_line(
        allowance=ubl_charge("2.00", charge=False) + ubl_charge("1.00"),
        amount='<cbc:LineExtensionAmount currencyID="EUR">39.00</cbc:LineExtensionAmount>',
    )
    # 39 + 6 freight - 5 off = 40, and 25 % of that
    sums = ubl_charge("6.00") + ubl_charge("5.00", charge=False) + ubl_sums("10.00", "50.00")
    found = _one(ubl(line, sums=sums))
    assert found.warnings == []
    assert _total(found.order) == Decimal(found.order["total"]["amount"]) == 50
    assert Decimal(found.order["shipping"]["amount"]) >= 6


def test_taxes_of_several_rates_are_laid_on_their_lines() -> None:
    low = "<cac:ClassifiedTaxCategory><cbc:Percent>12</cbc:Percent></cac:ClassifiedTaxCategory>"
    order = _one(ubl(ubl_line(), ubl_line(id="2", tax=low), sums=ubl_sums("14.81", "94.81"))).order
    assert [x["tax"]["amount"] for x in order["lines"]] == ["10.01", "4.80"]
    assert _total(order) == Decimal("94.81")


def test_a_total_without_stated_tax_says_whether_there_is_any() -> None:
    with_tax = _one(ubl(sums=ubl_sums(None, "50.00"))).order
    assert with_tax["lines"][0]["tax"]["amount"] == "10.00"
    without = _one(ubl(sums=ubl_sums(None, "40.00"))).order
    assert without["lines"][0]["tax"]["amount"] == "0.00"
    assert _total(without) == 40


def test_a_total_that_contradicts_the_lines_is_kept_for_the_service_to_tell() -> None:
    order = _one(ubl(sums=ubl_sums("10.00", "70.00"))).order
    assert _total(order) == 50
    assert order["total"]["amount"] == "70.00"


def test_a_line_amount_that_contradicts_its_price_is_kept_and_told() -> None:
    amount = '<cbc:LineExtensionAmount currencyID="EUR">41.00</cbc:LineExtensionAmount>'
    found = _one(ubl(ubl_line(amount=amount)))
    assert found.order["lines"][0]["net"]["amount"] == "41.00"
    assert "41.00 is kept" in found.warnings[0]


def test_what_was_paid_before_is_part_of_the_total() -> None:
    prepaid = '<cbc:PrepaidAmount currencyID="EUR">{}</cbc:PrepaidAmount>'
    whole = _one(ubl(sums=ubl_sums("10.00", "0.00", prepaid.format("50.00"))))
    assert (whole.order["total"]["amount"], whole.order["paid"]) == ("50.00", True)
    part = _one(ubl(sums=ubl_sums("10.00", "30.00", prepaid.format("20.00"))))
    assert (part.order["total"]["amount"], part.order["paid"]) == ("50.00", False)
    assert "prepaid" in part.warnings[0]


def test_an_order_inside_a_business_document_is_found() -> None:
    inner = ubl().decode().split("?>", 1)[1]
    wrapped = (
        '<StandardBusinessDocument xmlns="http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader">'
        f"<StandardBusinessDocumentHeader/>{inner}</StandardBusinessDocument>"
    )
    assert _one(wrapped.encode()).number == "1"


def test_times_without_an_offset_are_utc() -> None:
    for time, expected in (
        ("05:10:10", "T05:10:10Z"),
        ("05:10:10Z", "T05:10:10Z"),
        ("05:10:10+02:00", "T05:10:10+02:00"),
    ):
        found = _one(ubl(head=f"<cbc:IssueTime>{time}</cbc:IssueTime>"))
        assert found.order["placed_at"] == f"2026-01-10{expected}"
    dated = _one(ubl().replace(b">2026-01-10<", b">2026-01-10+02:00<"))
    assert dated.order["placed_at"] == "2026-01-10T00:00:00+02:00"


def _untaxed(category: str) -> str:
    return f"<cac:ClassifiedTaxCategory><cbc:ID>{category}</cbc:ID></cac:ClassifiedTaxCategory>"


@pytest.mark.parametrize("category", ["E", "O", "Z", "AE", "K", "G"])
def test_what_is_free_of_tax_needs_no_percentage_and_bears_none(category: str) -> None:
    # 25 % of 40 and of the freight of 10; nothing on the second line
    sums = ubl_charge("10.00") + ubl_sums("12.50", "102.50")
    order = _one(ubl(ubl_line(), ubl_line(id="2", tax=_untaxed(category)), sums=sums)).order
    assert [x["tax"]["amount"] for x in order["lines"]] == ["10.00", "0.00"]
    assert _total(order) == Decimal("102.50")


def test_a_total_without_stated_tax_holds_the_tax_of_charges_too() -> None:
    rated = "</cbc:Amount><cac:TaxCategory><cbc:Percent>25</cbc:Percent></cac:TaxCategory></cac:AllowanceCharge>"
    sums = "".join(
        ubl_charge(amount, charge).replace("</cbc:Amount></cac:AllowanceCharge>", rated)
        for amount, charge in (("10.00", True), ("4.00", False))
    )
    order = _one(ubl(sums=sums + ubl_sums(None, "57.50"))).order
    assert order["lines"][0]["tax"]["amount"] == "10.00"
    assert _total(order) == Decimal("57.50")


def test_decimals_are_read_as_xml_writes_them() -> None:
    for written, meant in (("+10", "10"), ("10.", "10"), (".5", "0.5"), ("010.0", "10")):
        (line,) = _one(ubl(ubl_line(quantity=written, amount=""))).order["lines"]
        assert Decimal(line["quantity"]) == Decimal(meant)


def test_a_charge_below_zero_takes_off() -> None:
    order = _one(ubl(sums=ubl_charge("-5.00") + ubl_charge("-2.00", charge=False) + ubl_sums("10.00", "47.00"))).order
    assert (order["shipping"]["amount"], order["discount"]["amount"]) == ("2.00", "5.00")
    assert _total(order) == 47


def test_what_is_not_taken_along_is_told_and_what_a_line_says_is_kept() -> None:
    attached = (
        "<cac:AdditionalDocumentReference><cbc:ID>drawing.pdf</cbc:ID><cac:Attachment>"
        '<cbc:EmbeddedDocumentBinaryObject mimeCode="application/pdf">{}</cbc:EmbeddedDocumentBinaryObject>'
        "</cac:Attachment></cac:AdditionalDocumentReference>"
    )
    line = ubl_line(id="1</cbc:ID><cbc:Note>In two boxes</cbc:Note><cbc:ID>1")
    found = _one(ubl(line, head=attached.format("QUJD")))
    assert found.warnings == ["1 attachment(s) (drawing.pdf) are not taken in"]
    assert found.order["attributes"]["line 1: note"] == "In two boxes"
    with pytest.raises(Refusal, match="longer than 10 MB, such as an attachment; leave it out"):
        read(ubl(head=attached.format("QUJD" * 2_600_000)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (ubl(id=""), "cbc:ID"),
        (ubl().replace(b">EUR<", b"><"), "DocumentCurrencyCode is missing"),
        (ubl().replace(b">2026-01-10<", b">10.01.2026<"), "cbc:IssueDate is '10.01.2026"),
        (ubl(ubl_line(id="7", amount="", allowance=ubl_charge("46.00", charge=False))), "line 7: it comes to -6"),
        (ubl().replace(b"cac:SellerSupplierParty", b"cac:OtherParty"), "SellerSupplierParty"),
        (ubl().replace(b">EUR<", b">EURO<"), "DocumentCurrencyCode"),
        (ubl(ubl_line().replace('currencyID="EUR">40', 'currencyID="USD">40')), "USD"),
        (ubl(ubl_line(quantity="-1")), "above zero"),
        (ubl(ubl_line(quantity="0")), "above zero"),
        (ubl(ubl_line(quantity="many")), "many"),
        (ubl(ubl_line(quantity="0.3333333")), "line 1: cbc:Quantity is 0.3333333; at most"),
        (ubl(ubl_line(quantity="1000000000")), "line 1: cbc:Quantity is 1000000000; at most"),
        (ubl(ubl_line(quantity="1e3")), "1e3"),
        (ubl(ubl_line(price="<cac:Price><cbc:PriceAmount>-4</cbc:PriceAmount></cac:Price>")), "below zero"),
        (ubl(ubl_line(price=f"<cac:Price>{PRICE}<cbc:BaseQuantity>0</cbc:BaseQuantity></cac:Price>")), "BaseQuantity"),
        (ubl().replace(b"<cbc:Percent>25<", b"<cbc:Percent>250<"), "250"),
        (ubl(" "), "no cac:OrderLine"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_order_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    found = read(content)
    assert isinstance(found, Refused)
    assert reason in found.reason


@pytest.mark.parametrize("kind", ["OrderResponse", "Invoice", "OrderChange", "OrderCancellation", "Catalogue"])
def test_other_documents_are_refused_by_name(kind: str) -> None:
    other = (
        ubl().decode().replace("<Order ", f"<{kind} ").replace("</Order>", f"</{kind}>").replace("Order-2", f"{kind}-2")
    )
    with pytest.raises(Refusal, match=f"this is {kind} .*only UBL 2 Order documents"):
        read(other.encode())


BOMB = (
    b'<!DOCTYPE Order [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    + b"".join(b'<!ENTITY c%d "%s">' % (n, (b"&c%d;" % (n - 1) if n else b"&b;") * 10) for n in range(20))
    + b"]>"
)


@pytest.mark.parametrize(
    "content",
    [
        ubl().replace(b"?>", b"?>" + BOMB, 1).replace(b"Brown sauce", b"&c19;"),
        ubl().replace(b"?>", b'?><!DOCTYPE Order [<!ENTITY x SYSTEM "file:///etc/passwd">]>', 1).replace(
            b"Brown sauce", b"&x;"
        ),
        ubl().replace(b"?>", b'?><!DOCTYPE Order SYSTEM "http://127.0.0.1:1/evil.dtd">', 1),
        ubl().decode().replace("?>", "?><!DOCTYPE Order>").replace("UTF-8", "UTF-16").encode("utf-16"),
    ],
    ids=["bomb", "external entity", "external DTD", "UTF-16"],
)  # fmt: skip
def test_document_type_declarations_are_refused_unread(content: bytes) -> None:
    with pytest.raises(Refusal, match=r"DTD|not well-formed"):
        read(content)


def test_depth_and_damage_are_refused() -> None:
    with pytest.raises(Refusal, match="not well-formed"):
        read(ubl()[:-20])
    with pytest.raises(Refusal, match="not well-formed"):
        read(b"<a>" * 100_000)
    with pytest.raises(Refusal, match="larger than"):
        read(b"<Order>" + b" " * (21 * 1024 * 1024))


def test_tax_is_taken_in_the_documents_currency() -> None:
    both = "".join(
        f'<cac:TaxTotal><cbc:TaxAmount currencyID="{c}">{a}</cbc:TaxAmount></cac:TaxTotal>'
        for c, a in (("SEK", "110.00"), ("EUR", "10.00"))
    )
    found = _one(ubl(sums=both + ubl_sums("10.00", "50.00").partition("</cac:TaxTotal>")[2]))
    assert _total(found.order) == Decimal("50.00")


def test_an_envelope_with_another_document_or_several_is_refused_by_what_is_in_it() -> None:
    def enveloped(*documents: bytes) -> bytes:
        head = b'<StandardBusinessDocument xmlns="urn:envelope"><StandardBusinessDocumentHeader/>'
        return head + b"".join(d.split(b"?>", 1)[1] for d in documents) + b"</StandardBusinessDocument>"

    response = ubl().replace(b"<Order ", b"<OrderResponse ").replace(b"</Order>", b"</OrderResponse>")
    with pytest.raises(Refusal, match="this is OrderResponse"):
        read(enveloped(response.replace(b"Order-2", b"OrderResponse-2")))
    with pytest.raises(Refusal, match="2 documents are in this envelope"):
        read(enveloped(ubl(), ubl()))
    assert isinstance(read(b"\r\n " + ubl()), Found)
