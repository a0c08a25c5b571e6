"""Small files of the shapes that shops and purchasing systems send; a test changes what it cares about."""

from __future__ import annotations

from typing import Any


def shopify(**given: Any) -> dict[str, Any]:
    """An order of two lines: 2 x 15.00 and 1 x 10.00, shipping 5.00, tax 4.00 beside the prices."""
    order: dict[str, Any] = {
        "id": 820982911946154508, "name": "#9999", "order_number": 1234, "currency": "USD", "email": "jon@doe.example",
        "created_at": "2026-01-10T11:00:00-05:00", "financial_status": "paid", "fulfillment_status": None,
        "taxes_included": False, "test": False, "total_discounts": "0.00", "total_tax": "4.00", "total_price": "49.00",
        "subtotal_price": "40.00", "cancelled_at": None, "closed_at": None, "note": None, "tags": "",
        "line_items": [
            {"id": 1, "sku": "A", "name": "Anorak", "quantity": 2, "price": "15.00", "tax_lines": [], "properties": []},
            {"id": 2, "sku": "B", "name": "Boots", "quantity": 1, "price": "10.00", "tax_lines": [], "properties": []},
        ],
        "shipping_lines": [{"title": "Ground", "price": "5.00", "tax_lines": []}],
        "customer": {"first_name": "Jon", "last_name": "Doe"},
        "shipping_address": {"name": "Jon Doe", "address1": "1 Main St", "address2": "", "zip": "10001",
                             "city": "New York", "province": "NY", "country_code": "US", "company": None},
        "billing_address": None, "fulfillments": [], "refunds": [], "note_attributes": [], "discount_codes": [],
        "tax_lines": [{"price": "4.00", "rate": 0.1, "title": "Tax"}],
    }  # fmt: skip
    return order | given


UBL_LINE = """
  <cac:OrderLine><cac:LineItem>
    <cbc:ID>{id}</cbc:ID><cbc:Quantity unitCode="{unit}">{quantity}</cbc:Quantity>{amount}{allowance}{price}
    <cac:Item><cbc:Name>{name}</cbc:Name>{sku}{tax}</cac:Item>
  </cac:LineItem></cac:OrderLine>"""

UBL = """<?xml version="1.0" encoding="UTF-8"?>
<Order xmlns="urn:oasis:names:specification:ubl:schema:xsd:Order-2"
  xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
  xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
  <cbc:ID>{id}</cbc:ID><cbc:IssueDate>2026-01-10</cbc:IssueDate>{head}
  <cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>
  <cac:BuyerCustomerParty><cac:Party><cbc:EndpointID schemeID="0088">{buyer}</cbc:EndpointID>
    <cac:PartyLegalEntity><cbc:RegistrationName>City Clinic</cbc:RegistrationName></cac:PartyLegalEntity>
  </cac:Party></cac:BuyerCustomerParty>
  <cac:SellerSupplierParty><cac:Party><cbc:EndpointID schemeID="0192">{seller}</cbc:EndpointID>
    <cac:PartyLegalEntity><cbc:RegistrationName>Harbour Supply</cbc:RegistrationName></cac:PartyLegalEntity>
  </cac:Party></cac:SellerSupplierParty>{sums}{lines}
</Order>"""


def ubl_line(**given: str) -> str:
    """A line of 10 x 4.00 = 40.00 at 25 % VAT."""
    fields = {
        "id": "1", "unit": "NAR", "quantity": "10", "name": "Brown sauce", "allowance": "",
        "amount": '<cbc:LineExtensionAmount currencyID="EUR">40</cbc:LineExtensionAmount>',
        "price": '<cac:Price><cbc:PriceAmount currencyID="EUR">4</cbc:PriceAmount></cac:Price>',
        "sku": "<cac:SellersItemIdentification><cbc:ID>SN-33</cbc:ID></cac:SellersItemIdentification>",
        "tax": "<cac:ClassifiedTaxCategory><cbc:Percent>25</cbc:Percent></cac:ClassifiedTaxCategory>",
    }  # fmt: skip
    return UBL_LINE.format(**(fields | given))


def ubl(*lines: str, **given: str) -> bytes:
    """An order document with the lines given, or one line; `sums` stands before them."""
    fields = {"id": "1", "head": "", "buyer": "7300010000001", "seller": "987654325", "sums": ""}
    return UBL.format(**(fields | given), lines="".join(lines) or ubl_line()).encode()


def ubl_sums(tax: str | None, payable: str | None, *more: str) -> str:
    total = "" if tax is None else f'<cac:TaxTotal><cbc:TaxAmount currencyID="EUR">{tax}</cbc:TaxAmount></cac:TaxTotal>'
    if payable is None and not more:
        return total
    paid = "" if payable is None else f'<cbc:PayableAmount currencyID="EUR">{payable}</cbc:PayableAmount>'
    return f"{total}<cac:AnticipatedMonetaryTotal>{''.join(more)}{paid}</cac:AnticipatedMonetaryTotal>"


def ubl_charge(amount: str, charge: bool = True) -> str:
    return (
        f"<cac:AllowanceCharge><cbc:ChargeIndicator>{str(charge).lower()}</cbc:ChargeIndicator>"
        f'<cbc:Amount currencyID="EUR">{amount}</cbc:Amount></cac:AllowanceCharge>'
    )
