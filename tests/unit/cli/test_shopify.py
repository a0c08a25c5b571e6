"""Shopify orders of every shape: what is taken, what is said about it, what is refused."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from contracts.inbound import SubmittedOrder
from services.console.sources import Found, Refusal, Refused
from services.console.sources.shopify import read
from tests.unit.cli.samples import shopify


def _read(document: Any) -> list[Found | Refused]:
    return list(read(json.dumps(document).encode()))


def _one(**given: Any) -> Found:
    (found,) = _read({"order": shopify(**given)})
    assert isinstance(found, Found), found
    SubmittedOrder.model_validate(found.order)
    return found


def _refused(**given: Any) -> str:
    (found,) = _read({"order": shopify(**given)})
    assert isinstance(found, Refused)
    return found.reason


def _sum(found: Found) -> Decimal:
    """What the order comes to by its own parts."""
    order = found.order
    lines = sum(
        Decimal(line.get("net", {}).get("amount") or Decimal(line["unit_price"]["amount"]) * Decimal(line["quantity"]))
        + Decimal(line.get("tax", {}).get("amount", 0))
        for line in order["lines"]
    )
    more = [Decimal(order[k]["amount"]) for k in ("shipping", "tax") if k in order]
    return lines + sum(more) - Decimal(order["discount"]["amount"])


@pytest.mark.parametrize(
    "document",
    [{"order": shopify()}, {"orders": [shopify()]}, [shopify()], shopify(), [{"order": shopify()}]],
    ids=["order", "orders", "list", "bare", "wrapped in a list"],
)
def test_every_wrapping_is_understood(document: Any) -> None:
    (found,) = _read(document)
    assert isinstance(found, Found)
    assert found.external_id == "820982911946154508"


def test_an_order_is_taken_as_it_says() -> None:
    found = _one()
    order = found.order
    assert (order["channel"], order["external_number"], order["paid"]) == ("shopify", "#9999", True)
    assert [line["sku"] for line in order["lines"]] == ["A", "B"]
    assert order["customer"]["shipping_address"]["city"] == "New York"
    assert _sum(found) == Decimal(order["total"]["amount"]) == Decimal("49.00")
    assert found.warnings == []


@pytest.mark.parametrize(
    ("status", "paid"),
    [("authorized", False), ("pending", False), ("partially_paid", False), ("voided", False), (None, False),
     ("paid", True), ("partially_refunded", True), ("refunded", True), ("expired", False)],
)  # fmt: skip
def test_only_money_that_came_in_is_paid(status: str | None, paid: bool) -> None:
    assert _one(financial_status=status).order["paid"] is paid


def test_prices_that_contradict_the_total_leave_the_total_standing() -> None:
    found = _one(subtotal_price="20.00", total_price="29.00")
    assert found.order["total"]["amount"] == "29.00"
    assert _sum(found) == Decimal("49.00")


@pytest.mark.parametrize("own", [True, False])
def test_prices_with_tax_in_them_come_apart_without_a_rest(own: bool) -> None:
    items = shopify()["line_items"]
    if own:
        items[0]["tax_lines"], items[1]["tax_lines"] = [{"price": "5.01"}], [{"price": "1.67"}]
    ship = [{"title": "Ground", "price": "5.00", "tax_lines": [{"price": "0.83"}]}]
    found = _one(taxes_included=True, line_items=items, shipping_lines=ship, total_tax="7.51", total_price="45.00")
    assert _sum(found) == Decimal("45.00")
    assert sum(Decimal(x["tax"]["amount"]) for x in found.order["lines"]) == Decimal("6.68")


def test_taxes_by_line_and_on_shipping_come_to_the_total() -> None:
    items = shopify()["line_items"]
    items[0]["tax_lines"], items[1]["tax_lines"] = [{"price": "2.00"}, {"price": "1.00"}], [{"price": "1.00"}]
    ship = [{"title": "Ground", "price": "5.00", "tax_lines": [{"price": "0.50"}]}]
    found = _one(line_items=items, shipping_lines=ship, total_tax="4.50", total_price="49.50")
    assert _sum(found) == Decimal("49.50")


def test_discounts_on_lines_and_shipping_come_to_the_total() -> None:
    found = _one(total_discounts="10.00", total_price="39.00", discount_codes=[{"code": "TENOFF", "amount": "10.00"}])
    assert _sum(found) == Decimal("39.00")
    assert found.order["attributes"]["discount codes"] == "TENOFF"
    free = [{"title": "Ground", "price": "5.00", "discounted_price": "0.00", "tax_lines": []}]
    assert _sum(_one(shipping_lines=free, total_price="44.00")) == Decimal("44.00")


def test_discounts_lie_where_the_shop_put_them() -> None:
    items = shopify()["line_items"]
    items[0]["discount_allocations"] = [{"amount": "4.00"}, {"amount_set": {"shop_money": {"amount": "2.00"}}}]
    ship = [{"title": "Ground", "price": "5.00", "discount_allocations": [{"amount": "5.00"}], "tax_lines": []}]
    found = _one(line_items=items, shipping_lines=ship, total_discounts="11.00", total_price="38.00")
    order = found.order
    assert [x.get("discount", {}).get("amount") for x in order["lines"]] == ["6.00", None]
    assert (order["shipping"]["amount"], order["discount"]["amount"]) == ("0.00", "6.00")
    assert _sum(found) == Decimal("38.00")
    # allocations that do not fit what the order says of itself are left to the order
    more = _one(line_items=items, total_discounts="3.00", total_price="46.00")
    assert not any("discount" in x for x in more.order["lines"])


def test_newer_fields_stand_in_for_missing_ones() -> None:
    def money(amount: str) -> dict[str, Any]:
        return {"shop_money": {"amount": amount, "currency_code": "USD"},
                "presentment_money": {"amount": "999.00", "currency_code": "CAD"}}  # fmt: skip

    order = shopify(presentment_currency="CAD", processed_at="2026-01-11T00:00:00Z")
    for name in ("total_price", "total_tax", "total_discounts"):
        order[f"{name}_set"] = money(order.pop(name))
    for item in order["line_items"]:
        item["price_set"] = money(item.pop("price"))
    for row in order["shipping_lines"]:
        row["price_set"] = money(row.pop("price"))
    (found,) = _read({"order": order})
    assert isinstance(found, Found)
    assert _sum(found) == Decimal("49.00")
    assert found.order["placed_at"] == "2026-01-11T00:00:00Z"
    assert any("CAD" in w for w in found.warnings)


def test_edits_and_refunds_are_told_and_the_order_stays_as_placed() -> None:
    refunds = [
        {"id": 7, "note": "damaged", "refund_line_items": [{"quantity": 1}],
         "transactions": [{"kind": "refund", "status": "success", "amount": "12.50"},
                          {"kind": "refund", "status": "failure", "amount": "99.00"}]},
        {"id": 8, "transactions": [{"kind": "void", "status": "success", "amount": "5.00"}]},
    ]  # fmt: skip
    found = _one(current_total_price="36.50", refunds=refunds, financial_status="partially_refunded")
    assert found.order["total"]["amount"] == "49.00"
    ((external_id, amount, reason),) = [(r.external_id, r.amount["amount"], r.reason) for r in found.refunds]
    assert (external_id, amount, reason) == ("7", "12.50", "damaged")
    assert any("36.50 now" in w for w in found.warnings)


def test_nobody_and_nowhere_is_no_reason_to_lose_an_order() -> None:
    found = _one(email=None, customer=None, shipping_address=None, billing_address=None, phone=None, shipping_lines=[],
                 total_price="44.00")  # fmt: skip
    assert found.order["customer"] == {"name": "Unknown customer"}
    assert "names no customer" in found.warnings[0]
    only_mail = _one(customer=None, shipping_address=None)
    assert only_mail.order["customer"]["name"] == "jon@doe.example"
    bad_mail = _one(email="not an address")
    assert "email" not in bad_mail.order["customer"]
    assert bad_mail.warnings


def test_what_the_source_says_of_fulfillment_is_kept() -> None:
    failed = [{"id": 1, "status": "failure", "tracking_number": "1Z"}]
    found = _one(fulfillments=failed)
    assert found.order["external_status"] == "unfulfilled"
    assert "failed" in found.warnings[0]
    sent = [{"id": 1, "status": "success", "tracking_company": "UPS", "tracking_number": "1Z", "shipment_status": None}]
    assert _one(fulfillment_status="fulfilled", fulfillments=sent).order["external_status"] == "fulfilled"
    sent[0]["shipment_status"] = "delivered"
    assert _one(fulfillment_status="fulfilled", fulfillments=sent).order["external_status"] == "delivered"
    assert _one(fulfillment_status="partial", fulfillments=sent).order["external_status"] == "partial"


def test_canceled_and_test_orders_are_marked() -> None:
    canceled = _one(cancelled_at="2026-01-12T00:00:00Z", cancel_reason="customer")
    assert (canceled.canceled, canceled.order["external_status"]) == ("2026-01-12T00:00:00Z", "cancelled")
    assert _one(test=True).test


def test_engravings_and_notes_are_not_lost() -> None:
    items = shopify()["line_items"]
    items[0]["properties"] = [{"name": "Engraving", "value": "Happy Birthday"}]
    found = _one(line_items=items, note_attributes=[{"name": "colour", "value": "green"}], note="Ring twice")
    assert found.order["attributes"]["line 1: Engraving"] == "Happy Birthday"
    assert found.order["attributes"]["colour"] == "green"
    assert found.order["note"] == "Ring twice"


def test_secrets_of_the_buyer_stay_behind() -> None:
    found = _one(browser_ip="203.0.113.9", token="b1946ac9", payment_details={"credit_card_number": "XXXX-4242"})
    assert not any(s in json.dumps(found.order) for s in ("203.0.113.9", "b1946ac9", "4242"))


def test_more_than_fits_is_cut_and_said() -> None:
    many = [{"name": f"a{n}", "value": "x" * 900} for n in range(80)]
    found = _one(note_attributes=many, note="y" * 9_000)
    assert len(found.order["attributes"]) == 50
    assert len(found.order["note"]) == 5_000
    assert any("left out" in w for w in found.warnings)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"id": None}, "no id"),
        ({"currency": None}, "currency is missing"),
        ({"created_at": "yesterday"}, "created_at is 'yesterday'"),
        ({"processed_at": "2026-01-10T11:00:00"}, "processed_at is '2026-01-10T11:00:00'"),
        ({"currency": "XXX"}, "XXX"),
        ({"line_items": []}, "no lines"),
        ({"line_items": [{"quantity": 0, "price": "1.00", "name": "x"}]}, "no lines"),
        ({"line_items": [{"quantity": -1, "price": "1.00", "name": "x"}]}, "quantity is -1"),
        ({"line_items": [{"quantity": 1, "price": "1,000.00", "name": "x"}]}, "1,000.00"),
        ({"line_items": [{"quantity": 1, "name": "x"}]}, "price is missing"),
        ({"line_items": [{"quantity": True, "price": "1.00", "name": "x"}]}, "quantity"),
        ({"total_price": "NaN"}, "total_price"),
        ({"total_price": 1e30}, "total_price"),
    ],
)
def test_what_cannot_be_an_order_is_refused_with_the_reason(given: dict[str, Any], reason: str) -> None:
    assert reason in _refused(**given)


def test_one_bad_order_does_not_hold_the_others_up() -> None:
    found = _read({"orders": [shopify(), shopify(id=None), "x", shopify(id=5)]})
    assert [type(f).__name__ for f in found] == ["Found", "Refused", "Refused", "Found"]
    assert [f.where for f in found] == ["orders[0]", "orders[1]", "orders[2]", "orders[3]"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", "not valid JSON"),
        (b"[1, 2", "not valid JSON"),
        (b"{}", "no Shopify order"),
        (b'{"product": {}}', "no Shopify order"),
        (b'{"order": {"id": 1, "id": 2}}', "stands twice"),
        (b'{"order": {"id": NaN}}', "NaN"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"order": "\xff"}', "UTF-8"),
    ],
)
def test_what_is_no_document_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        list(read(raw))


def test_a_refund_in_the_customers_currency_is_not_booked_as_the_shops() -> None:
    back = {"kind": "refund", "status": "success", "amount": "5.00", "currency": "EUR"}
    found = _one(refunds=[{"id": 9, "transactions": [back]}, {"id": 10, "transactions": [back | {"currency": "USD"}]}])
    assert [(r.external_id, r.amount["amount"]) for r in found.refunds] == [("10", "5.00")]
    assert any("in EUR was not booked" in w for w in found.warnings)


def test_yen_have_no_cents() -> None:
    lines = [
        {"id": 1, "name": "Tea", "quantity": 3, "price": "199.50"},
        {"id": 2, "name": "Cup", "quantity": 1, "price": "80"},
    ]
    found = _one(currency="JPY", line_items=lines, shipping_lines=[], total_tax="0", total_price="678", tax_lines=[])
    tea, cup = found.order["lines"]
    assert (tea["net"]["amount"], cup["unit_price"]["amount"], "net" in cup) == ("598", "80", False)
    assert found.order["total"] == {"amount": "678", "currency": "JPY"}
    assert any("finer than JPY" in w for w in found.warnings)


def test_a_refund_in_the_customers_currency_is_booked_as_the_shop_counts_it() -> None:
    def money(amount: str) -> dict[str, Any]:
        return {"shop_money": {"amount": amount, "currency_code": "USD"}}

    refund = {
        "id": 9,
        "transactions": [{"kind": "refund", "status": "success", "amount": "19.10", "currency": "EUR"}],
        "refund_line_items": [{"quantity": 1, "subtotal_set": money("15.00"), "total_tax_set": money("1.50")}],
        "duties": [{"duty_id": 1, "amount_set": money("2.25")}],
        "order_adjustments": [
            {"kind": "shipping_refund", "amount": "-5.00", "tax_amount": "-0.50"},
            {"kind": "refund_discrepancy", "amount": "2.00", "tax_amount": "0.00"},
        ],
    }
    found = _one(refunds=[refund], financial_status="partially_refunded")
    assert [(r.external_id, r.amount) for r in found.refunds] == [("9", {"amount": "22.25", "currency": "USD"})]


@pytest.mark.parametrize("included", [True, False])
def test_a_line_without_tax_beside_lines_with_tax_is_free_of_it(included: bool) -> None:
    items = shopify()["line_items"]
    items[0]["tax_lines"] = [{"price": "2.73"}]
    ship = [{"title": "Ground", "price": "5.00", "tax_lines": [{"price": "0.45"}]}]
    total = "45.00" if included else "48.18"
    found = _one(line_items=items, shipping_lines=ship, taxes_included=included, total_tax="3.18", total_price=total)
    assert [line["tax"]["amount"] for line in found.order["lines"]] == ["2.73", "0.00"]
    assert _sum(found) == Decimal(total)


def test_shipping_that_was_given_is_seen_beside_a_tip() -> None:
    ship = [{"title": "Ground", "price": "5.00", "discounted_price": "0.00", "tax_lines": []}]
    found = _one(shipping_lines=ship, total_tip_received="3.00", total_price="47.00")
    assert found.order["shipping"]["amount"] == "0.00"
    assert any("total_tip_received 3.00" in w for w in found.warnings)
    items = [*shopify()["line_items"], {"id": 3, "name": "Tip", "quantity": 1, "price": "3.00", "tip": {}}]
    assert _one(line_items=items, total_tip_received="3.00", total_price="52.00").warnings == []


def test_what_is_not_to_be_sent_any_more_is_told_line_by_line() -> None:
    items = shopify()["line_items"]
    items[0]["current_quantity"], items[1]["current_quantity"] = 1, 1
    (told,) = _one(line_items=items).warnings
    assert told == "line 1 (Anorak): 1 of 2 are left at the source; the rest was removed or returned there"


def test_a_refund_of_which_the_file_tells_nothing_is_told() -> None:
    found = _one(financial_status="refunded", refunds=[{"id": 4, "refund_line_items": [{"quantity": 1}]}])
    assert found.refunds == []
    assert "financial_status refunded, but no refund" in found.warnings[0]
