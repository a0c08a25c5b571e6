"""Spreadsheets: amounts are numbers, shown with the decimals that their currency has."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest

from services.order.papers.cells import COLUMNS
from services.order.papers.spreadsheet import XlsxSheet


def _card(amount: str) -> dict[str, Any]:
    money = {"amount": amount, "currency": "XTS"}
    card: dict[str, Any] = dict.fromkeys(
        ("number", "order_id", "purchase_id", "status", "status_label", "phase", "money", "issue", "channel",
         "external_id", "external_number", "delivery_mode", "scheduled_for", "closed_at", "currency", "line_count"),
    )  # fmt: skip
    at = "2026-01-31T12:00:00Z"
    return card | {"overdue": False, "placed_at": at, "updated_at": at, "total": money, "paid": money}


@pytest.mark.parametrize(
    ("amount", "value", "shown"),
    [
        ("1234567", 1234567, "#,##0"),
        ("-3.50", -3.5, "#,##0.00"),
        ("3.656", 3.656, "#,##0.000"),
        ("3.3765", 3.3765, "#,##0.0000"),
        ("9999999999999.99", 9999999999999.99, "#,##0.00"),
    ],
)
def test_an_amount_is_a_number_with_its_currencys_decimals(amount: str, value: float, shown: str) -> None:
    sheet = XlsxSheet()
    made = sheet.begin() + sheet.rows([_card(amount)]) + sheet.end()
    cell = (
        openpyxl.load_workbook(io.BytesIO(made)).worksheets[0].cell(2, [c.heading for c in COLUMNS].index("total") + 1)
    )
    assert (cell.value, cell.data_type, cell.number_format) == (value, "n", shown)
