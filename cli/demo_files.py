"""Two small orders of made-up people, as a shop and a purchasing system would hand them over; new ids each time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

_UBL = """<?xml version="1.0" encoding="UTF-8"?>
<Order xmlns="urn:oasis:names:specification:ubl:schema:xsd:Order-2"
    xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
    xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
  <cbc:CustomizationID>urn:fdc:peppol.eu:poacc:trns:order:3</cbc:CustomizationID>
  <cbc:ProfileID>urn:fdc:peppol.eu:poacc:bis:order_only:3</cbc:ProfileID>
  <cbc:ID>{reference}</cbc:ID>
  <cbc:IssueDate>{date}</cbc:IssueDate>
  <cbc:DocumentCurrencyCode>USD</cbc:DocumentCurrencyCode>
  <cac:BuyerCustomerParty><cac:Party>
    <cbc:EndpointID schemeID="0088">5790000000005</cbc:EndpointID>
    <cac:PartyLegalEntity><cbc:RegistrationName>Northwind Canteens</cbc:RegistrationName></cac:PartyLegalEntity>
    <cac:Contact>
      <cbc:Name>Nora Wind</cbc:Name><cbc:ElectronicMail>nora@northwind.example</cbc:ElectronicMail>
    </cac:Contact>
  </cac:Party></cac:BuyerCustomerParty>
  <cac:SellerSupplierParty><cac:Party>
    <cbc:EndpointID schemeID="0088">5790000000012</cbc:EndpointID>
    <cac:PartyLegalEntity><cbc:RegistrationName>Mug Works</cbc:RegistrationName></cac:PartyLegalEntity>
  </cac:Party></cac:SellerSupplierParty>
  <cac:TaxTotal><cbc:TaxAmount currencyID="USD">14.50</cbc:TaxAmount></cac:TaxTotal>
  <cac:AnticipatedMonetaryTotal>
    <cbc:LineExtensionAmount currencyID="USD">145.00</cbc:LineExtensionAmount>
    <cbc:PayableAmount currencyID="USD">159.50</cbc:PayableAmount>
  </cac:AnticipatedMonetaryTotal>
  <cac:OrderLine><cac:LineItem>
    <cbc:ID>1</cbc:ID>
    <cbc:Quantity unitCode="C62">10</cbc:Quantity>
    <cbc:LineExtensionAmount currencyID="USD">145.00</cbc:LineExtensionAmount>
    <cac:Price><cbc:PriceAmount currencyID="USD">14.50</cbc:PriceAmount></cac:Price>
    <cac:Item>
      <cbc:Name>Blue mug</cbc:Name>
      <cac:SellersItemIdentification><cbc:ID>MUG-WORKS-1</cbc:ID></cac:SellersItemIdentification>
      <cac:ClassifiedTaxCategory>
        <cbc:ID>S</cbc:ID><cbc:Percent>10</cbc:Percent><cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme>
      </cac:ClassifiedTaxCategory>
    </cac:Item>
  </cac:LineItem></cac:OrderLine>
</Order>
"""


def write(folder: Path, now: datetime) -> tuple[Path, Path]:
    """(Shopify order JSON, Peppol order XML), written to `folder`."""
    number = int(now.astimezone(UTC).timestamp() * 1000)
    address = {
        "name": "Ada Quill", "address1": "12 Harbor Road", "city": "Portland", "zip": "97201", "country_code": "US",
        "province": "Oregon",
    }  # fmt: skip
    order = {
        "id": number, "name": f"#{number % 100_000}", "created_at": now.isoformat(), "currency": "USD",
        "email": "ada.quill@mail.example", "financial_status": "paid", "fulfillment_status": None,
        "subtotal_price": "67.40", "total_tax": "0.00", "total_discounts": "0.00", "total_price": "72.40",
        "taxes_included": False, "test": False,
        "line_items": [
            {"id": number + 1, "sku": "SHOP-TEE", "title": "T-shirt, size M", "name": "T-shirt, size M",
             "price": "24.00", "quantity": 1},
            {"id": number + 2, "sku": "SHOP-MUG", "title": "Blue mug", "name": "Blue mug",
             "price": "21.70", "quantity": 2},
        ],
        "shipping_lines": [{"code": "Standard", "price": "5.00", "title": "Standard"}],
        "shipping_address": address, "billing_address": address,
    }  # fmt: skip
    shop, purchasing = folder / "shop-order.json", folder / "purchase-order.xml"
    shop.write_text(json.dumps({"order": order}, indent=2), encoding="utf-8")
    purchasing.write_text(_UBL.format(reference=f"PO-{number}", date=f"{now:%Y-%m-%d}"), encoding="utf-8")
    return shop, purchasing
