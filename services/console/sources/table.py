"""Orders as CSV: one row per line, order fields repeated on each row of an order or given on its first one.

Columns (any order, case and spaces do not matter; see docs/orders): external_id, currency, customer_name, sku, name,
quantity, unit_price; optional: channel, external_number, external_status, placed_at, customer_email, customer_phone,
unit_code, net, tax, tax_rate, seller, buyer, shipping, discount, order_tax, total, paid, note, delivery_method,
ship_to_name, ship_to_line1, ship_to_line2, ship_to_postal_code, ship_to_city, ship_to_region, ship_to_country.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from services.console.sources.model import (
    Found,
    Refusal,
    Refused,
    check_currency,
    compact,
    country,
    email,
    external_id,
    is_exact,
    moment,
    money,
    number,
    quantity,
    text,
    unit_code,
)

CHANNEL: Final = "csv"
NEEDED: Final = ("external_id", "currency", "customer_name", "quantity")
ORDER_FIELDS: Final = (
    "channel", "external_number", "external_status", "placed_at", "currency", "customer_name", "customer_email",
    "customer_phone", "buyer", "shipping", "discount", "order_tax", "total", "paid", "note", "delivery_method",
    "ship_to_name", "ship_to_line1", "ship_to_line2", "ship_to_postal_code", "ship_to_city", "ship_to_region",
    "ship_to_country",
)  # fmt: skip
LINE_FIELDS: Final = ("sku", "name", "quantity", "unit_code", "unit_price", "net", "tax", "tax_rate", "seller")
MOST_CELL: Final = 20_000
# how spreadsheets note the separator that they wrote
_SEPARATOR: Final = re.compile(r"sep=([,;\t])\r?\n", re.IGNORECASE)
# texts that recur, such as currencies and names, are kept once: an export of 100 MB has a million rows
MOST_KEPT_ONCE: Final = 100_000
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
Row = dict[str, str]
Cells = tuple[str, ...]


def read(content: bytes) -> Iterator[Found | Refused]:
    """The orders of a CSV file. Raises Refusal where it has no usable header."""
    written = _decode(content)
    ended = written.endswith(("\n", "\r"))
    header, rows = _rows(written)
    del written  # a file may have 256 MB
    cut_off = None if ended else _cut_off(header, rows)
    place = header.index("external_id")
    groups: dict[str, list[tuple[int, Cells]]] = {}
    refused: list[Refused] = []
    for n, cells in rows:
        try:
            identity = external_id(cells[place], "external_id") if place < len(cells) else None
            if identity is None:
                raise Refusal("external_id is empty; without it a second import would double")
        except Refusal as e:
            refused.append(Refused(f"row {n}", None, e.reason))
        else:
            groups.setdefault(identity, []).append((n, cells))
    return chain(refused, (_order(identity, header, group, cut_off) for identity, group in groups.items()))


def _cut_off(header: list[str], rows: list[tuple[int, Cells]]) -> int | None:
    """The row in which a file that has no last line break ends too soon: the last one, where it lacks cells."""
    return rows[-1][0] if rows and len(rows[-1][1]) < len(header) else None


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as e:
        raise Refusal(f"not UTF-8 text (byte {e.start}); save it as UTF-8") from None


def _rows(content: str) -> tuple[list[str], list[tuple[int, Cells]]]:
    """The header, and the rows that are not empty, each with its number."""
    named = _SEPARATOR.match(content)
    header_line = content[named.end() if named else 0 :].split("\n", 1)[0]
    delimiter = named[1] if named else max(",;\t", key=header_line.count)
    csv.field_size_limit(MOST_CELL)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    try:
        if named:
            next(reader)
        header = [re.sub(r"[\s-]+", "_", h.strip().lower()) for h in next(reader, [])]
        _check_header(header)
        rows: list[tuple[int, Cells]] = []
        once: dict[str, str] = {}
        for cells in reader:
            if not any(c.strip() for c in cells):
                continue
            if len(cells) > len(header):
                raise Refusal(f"row {reader.line_num} has {len(cells)} cells, the header {len(header)}")
            if len(once) > MOST_KEPT_ONCE:
                once.clear()
            rows.append((reader.line_num, tuple(once.setdefault(c, c) for c in cells)))
        return header, rows
    except csv.Error as e:
        raise Refusal(f"not readable as CSV near line {reader.line_num}: {e}") from None


def _check_header(header: list[str]) -> None:
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise Refusal(
            f"neither XML, JSON nor a CSV of orders: the first row has no column {', '.join(missing)} "
            f"(it begins {', '.join(header)[:80]!r})"
        )
    unknown = [h for h in header if h and h not in (*NEEDED, *ORDER_FIELDS, *LINE_FIELDS)]
    if unknown:
        raise Refusal(f"unknown column(s) {', '.join(unknown[:5])}; remove or rename them")
    doubled = sorted({h for h in header if header.count(h) > 1})
    if doubled:
        raise Refusal(f"the column(s) {', '.join(doubled)} stand twice")


def _order(identity: str, header: list[str], cells: list[tuple[int, Cells]], cut_off: int | None) -> Found | Refused:
    where = f"row {cells[0][0]}"
    if cells[-1][0] == cut_off:
        told = f"row {cut_off} has {len(cells[-1][1])} cells, the header {len(header)}, and ends without a line break"
        return Refused(where, identity, f"{told}: the file is cut off; export it again, or complete the row")
    try:
        return _convert(identity, where, [(n, dict(zip(header, c, strict=False))) for n, c in cells])
    except Refusal as e:
        return Refused(where, identity, e.reason)


def _convert(identity: str, where: str, group: list[tuple[int, Row]]) -> Found:
    fields = _order_fields(group)
    warnings: list[str] = []
    currency = check_currency(fields.get("currency"), "currency")
    ship_to = {k.removeprefix("ship_to_"): text(v) for k, v in fields.items() if k.startswith("ship_to_")}
    if stated := ship_to.get("country"):
        ship_to["country"] = country(stated)
        if ship_to["country"] is None:
            warnings.append(f"ship_to_country {stated[:40]!r} is no ISO 3166-1 code of two letters and was left out")
    order = compact(
        {
            "external_id": identity,
            "channel": fields.get("channel") or CHANNEL,
            **{k: fields.get(k) for k in ("external_number", "external_status", "buyer", "note", "delivery_method")},
            "placed_at": _moment(fields.get("placed_at")),
            "currency": currency,
            "customer": compact(
                {
                    "name": text(fields.get("customer_name")) or "Unknown customer",
                    "email": email(fields.get("customer_email"), warnings),
                    "phone": text(fields.get("customer_phone"), 100),
                    "shipping_address": compact(ship_to) or None,
                }
            ),
            "lines": [_line(n, row, currency, warnings) for n, row in group],
            **{k: _money(fields.get(k), currency, k) for k in ("shipping", "discount", "total")},
            "tax": _money(fields.get("order_tax"), currency, "order_tax"),
            "paid": _flag(fields.get("paid")),
        }
    )
    return Found(where, identity, fields.get("external_number") or identity, order, warnings)


def _order_fields(group: list[tuple[int, Row]]) -> dict[str, str]:
    """Order fields from the rows that give them; rows that disagree are refused."""
    found: dict[str, tuple[int, str]] = {}
    for n, row in group:
        for name in ORDER_FIELDS:
            value = text(row.get(name), 5_000)
            if value is None:
                continue
            first, known = found.setdefault(name, (n, value))
            if known != value:
                raise Refusal(
                    f"rows {first} and {n} of one order disagree about {name}: {known[:40]!r}, {value[:40]!r}"
                )
    return {name: value for name, (_, value) in found.items()}


def _line(n: int, row: Row, currency: str, warnings: list[str]) -> dict[str, Any]:
    ordered = quantity(row.get("quantity"), f"row {n}: quantity")
    sku, name = text(row.get("sku"), 100), text(row.get("name"))
    if sku is None and name is None:
        raise Refusal(f"row {n} has neither sku nor name")
    return compact(
        {
            "sku": sku,
            "name": name or sku,
            "quantity": f"{ordered:f}",
            "unit_code": unit_code(row.get("unit_code"), f"row {n}", warnings),
            **{k: _money(row.get(k), currency, f"row {n}: {k}") for k in ("unit_price", "net", "tax")},
            "tax_rate": _rate(row.get("tax_rate"), f"row {n}: tax_rate"),
            "seller": text(row.get("seller"), 100),
        }
    )


def _money(value: str | None, currency: str, what: str) -> dict[str, str] | None:
    given = text(value, 60)
    if given is None:
        return None
    amount = number(given, what)
    if amount < 0:
        raise Refusal(f"{what} is {given}; it must not be below zero: what takes money off belongs into discount")
    if not is_exact(amount, currency):
        raise Refusal(f"{what} is {given}, finer than {currency} has units; round it")
    return money(amount, currency, what)


def _flag(value: str | None) -> bool:
    """Whether a column says yes. Raises Refusal for what is neither, because money is at stake."""
    given = (value or "").strip().lower()
    if given in ("1", "true", "yes", "y", "paid"):
        return True
    if given in ("", "0", "false", "no", "n", "unpaid"):
        return False
    raise Refusal(f"paid is {given[:40]!r}; true or false is needed")


def _rate(value: str | None, what: str) -> str | None:
    """A share such as 0.25. Raises Refusal, because 25 for 25 % would be another order."""
    given = text(value, 60)
    if given is None:
        return None
    if not 0 <= (rate := number(given, what)) <= 1:
        raise Refusal(f"{what} is {given}; a share from 0 to 1 is needed, such as 0.25 for 25 %")
    return f"{rate:f}"


def _moment(value: str | None) -> str | None:
    """A date alone is midnight UTC; a time needs its offset."""
    return moment(f"{value}T00:00:00Z" if value and _DAY.fullmatch(value) else value, "placed_at")
