"""By what an order is recognised that comes again under its external id."""

from __future__ import annotations

from typing import Any

from contracts.inbound import SubmittedOrder
from services.order.store.context import fingerprint_of


def test_how_a_discount_lies_on_the_lines_makes_no_other_order() -> None:
    """It was not told at first: what was imported before is recognised."""

    def order(line: dict[str, Any], **given: Any) -> bytes:
        price = {"amount": "5.00", "currency": "EUR"}
        body = {"external_id": "1", "currency": "EUR", "customer": {"name": "Ada"}, "discount": price,
                "lines": [{"sku": "S", "quantity": "2", "unit_price": price} | line]}  # fmt: skip
        return fingerprint_of(SubmittedOrder.model_validate(body | given))

    assert order({}) == order({"discount": {"amount": "5.00", "currency": "EUR"}}) == order({"quantity": "2.0"})
    assert order({}) != order({}, discount=None)
