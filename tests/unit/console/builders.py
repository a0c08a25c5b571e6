"""An order as the order service answers it, for pages and forms; every text can be made hostile."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.console.schemas import Order

NOW = datetime(2026, 3, 12, 13, 5, tzinfo=UTC)
LINE_1, LINE_2 = UUID(int=1), UUID(int=2)


def order_json(text: str = "Plain", **more: Any) -> dict[str, Any]:
    """A whole order with `text` wherever people or sources may put text."""

    def money(amount: str) -> dict[str, str]:
        return {"amount": amount, "currency": "EUR"}

    zero = money("0.00")
    party = {"organisation_id": str(UUID(int=9)), "name": text, "person_name": text}
    address = {"name": text, "line1": text, "line2": text, "postal_code": text, "city": text, "region": text}
    at = NOW.isoformat()

    def line(line_id: UUID, position: int, **given: Any) -> dict[str, Any]:
        return {
            "line_id": str(line_id), "position": position, "sku": text, "name": text, "unit_price": money("5.00"),
            "ordered": "3", "open": "0", "accepted": "3", "rejected": "0", "canceled": "0", "shipped": "1",
            "received": "0", "returned": "0", "net": money("15.00"), "tax": zero, "total": money("15.00"),
            "refunded": zero, "status": "processing", "units": [{"unit_id": str(UUID(int=77)), "code": text}], **given,
        }  # fmt: skip

    return {
        "order_id": str(UUID(int=5)), "marketplace_id": str(UUID(int=6)), "number": text,
        "purchase_id": str(UUID(int=8)), "sequence": 7, "lifecycle": {"name": "storefront", "version": 1},
        "status": "processing", "status_label": text, "phase": "preparing", "money": "paid", "issue": "open",
        "placed_at": at, "updated_at": at, "channel": text, "external_id": text, "external_number": text,
        "buyer": party, "seller": party,
        "customer": {
            "name": text, "email": text, "phone": text, "shipping_address": address, "billing_address": address,
        },
        "currency": "EUR", "lines": [line(LINE_1, 1), line(LINE_2, 2, unit_code="KGM", ordered="2.5", accepted="2.5")],
        "totals": {
            "lines": money("30.00"), "tax": zero, "shipping": money("4.00"), "discount": money("1.00"),
            "adjustment": zero, "total": money("33.00"), "paid": money("33.00"), "refunded": zero,
        },
        "commission": {"rate": "0.12", "amount": money("3.96"), "reversed": zero},
        "delivery_method": text, "scheduled_for": "2026-03-14",
        "parcels": [{
            "parcel_id": str(UUID(int=20)), "number": 1, "shipped_at": at, "carrier": text, "tracking_number": text,
            "tracking_url": "https://track.example/" if text == "Plain" else f"javascript:{text}",
        }],
        "issues": [{
            "issue_id": str(UUID(int=30)), "kind": "problem", "state": "open", "reason_code": text, "opened_at": at,
            "opened_by": "buyer", "note": text, "resolution": text, "settled_at": at,
        }],
        "refunds": [{
            "refund_id": str(UUID(int=40)), "amount": money("2.00"), "state": "pending", "at": at, "reason": text,
            "commission_reversed": zero,
        }],
        "notes": [{"note_id": str(UUID(int=50)), "at": at, "by": text, "side": "buyer", "text": text}],
        "documents": [{
            "document_id": str(UUID(int=60)), "kind": "image", "file_name": text, "media_type": "image/png",
            "bytes": 5, "sha256": "00", "added_at": at, "side": "buyer",
        }],
        "deadlines": [{"name": text, "due_at": at, "overdue": True}],
        "status_times": [{"status": "pending", "at": at}, {"status": "processing", "at": at}],
        "attributes": {text: text},
        **more,
    }  # fmt: skip


def order(text: str = "Plain", **more: Any) -> Order:
    return Order.model_validate(order_json(text, **more))
