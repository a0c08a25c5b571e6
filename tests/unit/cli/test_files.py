"""Which kind of file it is, and orders as CSV."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.inbound import SubmittedOrder
from services.console.sources import Found, Refusal, Refused, files_of, read_file
from tests.unit.cli.samples import shopify, ubl

HEAD = "external_id,currency,customer_name,sku,name,quantity,unit_price"


def _csv(tmp_path: Path, *rows: str, head: str = HEAD) -> list[Found | Refused]:
    file = tmp_path / "orders.csv"
    file.write_text("\n".join([head, *rows]), encoding="utf-8")
    return list(read_file(file))


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    for content, channel in ((json.dumps({"order": shopify()}).encode(), "shopify"), (ubl(), "peppol")):
        for bom in (b"", b"\xef\xbb\xbf"):
            file = tmp_path / "order.txt"
            file.write_bytes(bom + b"\n" * (not bom and channel == "shopify") + content)
            (found,) = read_file(file)
            assert isinstance(found, Found)
            assert found.order["channel"] == channel


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_json_is_read_in_every_encoding_that_it_may_have(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "order.json"
    file.write_bytes(json.dumps({"order": shopify(note="grüße")}, ensure_ascii=False).encode(encoding))
    (found,) = read_file(file)
    assert isinstance(found, Found)
    assert found.order["note"] == "grüße"


@pytest.mark.parametrize(
    ("value", "reason"),
    [("9" * 5_000, "thousands of digits"), ("1e999999999", "plain decimal number"), ("1e-999999999", "plain decimal")],
)
def test_a_number_beyond_all_bounds_is_refused(tmp_path: Path, value: str, reason: str) -> None:
    file = tmp_path / "order.json"
    file.write_text('{"order":{"id":1,"currency":"USD","line_items":[{"quantity":1,"price":%s}]}}' % value)  # noqa: UP031 - braces
    assert reason in _why(file)


def _why(file: Path) -> str:
    """Why the file, or the one order in it, is refused."""
    try:
        (found,) = read_file(file)
    except Refusal as e:
        return e.reason
    return found.reason if isinstance(found, Refused) else "taken"


def test_rows_state_exact_amounts_and_shares(tmp_path: Path) -> None:
    head = f"{HEAD},tax_rate"
    rows = ("A-1,JPY,Jo,S1,Sauce,2,1.50,", "A-2,EUR,Jo,S1,Sauce,2,1.50,25%", "A-3,EUR,Jo,S1,Sauce,2,1.50,25")
    found = _csv(tmp_path, *rows, head=head)
    reasons = [f.reason for f in found if isinstance(f, Refused)]
    assert [r.split(" is ")[0] for r in reasons] == ["row 2: unit_price", "row 3: tax_rate", "row 4: tax_rate"]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="No such file"):
        read_file(tmp_path / "none.json")
    with pytest.raises(Refusal, match="folder"):
        read_file(tmp_path)
    empty = tmp_path / "empty.xml"
    empty.write_bytes(b" \n")
    with pytest.raises(Refusal, match="empty"):
        read_file(empty)
    packed = tmp_path / "order.json"
    packed.write_bytes(b"PK\x03\x04")
    with pytest.raises(Refusal, match="zip archive"):
        read_file(packed)


def test_rows_of_one_id_are_one_order(tmp_path: Path) -> None:
    found = _csv(tmp_path, "A-1,EUR,Jo,S1,Sauce,2,4.00", "A-2,EUR,Bo,S1,Sauce,1,4.00", "A-1,EUR,Jo,S2,Salt,1.5,3.00")
    orders = [f for f in found if isinstance(f, Found)]
    for order in orders:
        SubmittedOrder.model_validate(order.order)
    assert [(f.external_id, len(f.order["lines"])) for f in orders] == [("A-1", 2), ("A-2", 1)]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_and_headings_are_understood(tmp_path: Path, delimiter: str) -> None:
    head = "External ID,Currency,Customer-Name,SKU,Name,Quantity,Unit Price".replace(",", delimiter)
    (found,) = _csv(tmp_path, "A-1,EUR,Jo,S1,Sauce,2,4.00".replace(",", delimiter), head=head)
    assert isinstance(found, Found)
    assert found.order["lines"][0]["unit_price"]["amount"] == "4.00"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("A-1,EUR,Jo,S1,Sauce,2,-1.50", "row 3: unit_price is -1.50; it must not be below zero"),
        ("A-1,EUR,Jo,S1,Sauce,0.1234567,1.50", "row 3: quantity is 0.1234567; at most 9 digits"),
        (",EUR,Jo,S1,Sauce,2,4.00", "external_id is empty"),
        ("A-1,EUR,Jo,S1,Sauce,-2,4.00", "above zero"),
        ("A-1,EUR,Jo,S1,Sauce,two,4.00", "two"),
        ('A-1,EUR,Jo,S1,Sauce,2,"4,00"', "4,00"),
        ("A-1,XXX,Jo,S1,Sauce,2,4.00", "XXX"),
        ("A-1,EUR,Jo,,,2,4.00", "neither sku nor name"),
    ],
)
def test_a_wrong_row_is_refused_with_the_reason(tmp_path: Path, row: str, reason: str) -> None:
    good, bad = _csv(tmp_path, "A-9,EUR,Jo,S1,Sauce,2,4.00", row)
    if isinstance(good, Refused):
        good, bad = bad, good
    assert isinstance(good, Found)
    assert isinstance(bad, Refused)
    assert reason in bad.reason


def test_an_order_in_which_the_file_is_cut_off_is_refused(tmp_path: Path) -> None:
    rows = ("A-1,EUR,Jo,S1,Sauce,2,4.00,true", "A-2,EUR,Jo,S1,Sauce,2,4.00,true", "A-2,EUR,Jo,S2,Salt,1,4.0")
    whole, cut = _csv(tmp_path, *rows, head=HEAD + ",paid")
    assert isinstance(whole, Found)
    assert isinstance(cut, Refused)
    assert cut.reason.startswith("row 4 has 7 cells, the header 8, and ends without a line break")
    # what a row leaves out at its end is no fault where the line has an end, nor is a file without a last one
    assert isinstance(_csv(tmp_path, *rows, "", head=HEAD + ",paid")[1], Found)
    assert isinstance(_csv(tmp_path, *rows[:2], head=HEAD + ",paid")[1], Found)


def test_rows_that_disagree_about_their_order_are_refused(tmp_path: Path) -> None:
    (found,) = _csv(tmp_path, "A-1,EUR,Jo,S1,Sauce,2,4.00", "A-1,EUR,Bo,S2,Salt,1,3.00")
    assert isinstance(found, Refused)
    assert "disagree about customer_name" in found.reason


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("a,b,c", "no column external_id"),
        (HEAD + ",colour", "colour"),
        (HEAD + ",sku", "twice"),
        ("hello world", "neither XML"),
    ],
)
def test_a_table_that_is_no_table_of_orders_is_refused(tmp_path: Path, head: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        _csv(tmp_path, "1,2,3", head=head)


def test_orders_one_per_line_are_read_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    lines = [
        json.dumps(shopify(id=1)), '{"id": 2,', json.dumps({"order": shopify(id=3)}), "", '"no order"',
        json.dumps(shopify(id=4)) + " {}", json.dumps({"orders": [shopify(id=5)]}, indent=1),
    ]  # fmt: skip
    file.write_text("\n".join(lines), encoding="utf-8-sig")
    found = list(read_file(file))
    assert [(f.where, f.external_id if isinstance(f, Found) else None) for f in found] == [
        ("line 1", "1"), ("line 2", None), ("line 3", "3"), ("line 5", None), ("line 6", None),
        ("line 7 orders[0]", "5"),
    ]  # fmt: skip
    assert [f.reason[:16] for f in found if isinstance(f, Refused)] == [
        "not valid JSON: ",
        "no Shopify order",
        "not valid JSON: ",
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (json.dumps({"orders": [shopify(id=1), shopify(id=2)]})[:-9], "not valid JSON"),
        (json.dumps([shopify(id=1)]) + "]", "Extra data"),
        (json.dumps({"orders": [shopify()]})[:-1] + ', "orders": []}', "stands twice"),
        ('{"orders": [] "x": 1}', "Expecting ','"),
        ('{"orders" []}', "Expecting ':'"),
        ("{orders: []}", "property name"),
        (json.dumps({"draft_order": {"id": 1}}), "draft order"),
        (json.dumps([{"id": 1, "name": "#D1", "invoice_sent_at": None, "line_items": []}]), "draft order"),
        ('{"data": {"orders": {"edges": []}}}', "GraphQL"),
        ("PK\x03\x04", "zip archive"),
        (json.dumps({"order": shopify(id="x" * 201)}), "longer than 200"),
    ],
)
def test_a_document_that_is_broken_gives_nothing(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "orders.json"
    file.write_text(text)
    assert reason in _why(file)


def test_a_folder_is_its_files_of_orders_by_name(tmp_path: Path) -> None:
    for name in ("b.csv", "a.XML", "deeper/c.jsonl", "notes.md", "deeper/picture.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [str(f.relative_to(tmp_path)) for f in files_of(tmp_path)] == ["a.XML", "b.csv", "deeper/c.jsonl"]
    assert files_of(tmp_path / "notes.md") == [tmp_path / "notes.md"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refusal, match=r"no file in this folder is named \.json"):
        files_of(tmp_path / "empty")


def test_a_separator_that_a_spreadsheet_names_is_taken(tmp_path: Path) -> None:
    head = "sep=;\r\n" + HEAD.replace(",", ";")
    (found,) = _csv(tmp_path, "7;EUR;Ann;A;Thing, blue;1;2.50", head=head)
    assert isinstance(found, Found)
    assert found.order["lines"][0]["name"] == "Thing, blue"
    assert found.where == "row 3"


def test_what_a_row_says_of_payment_and_country_is_not_guessed(tmp_path: Path) -> None:
    head = HEAD + ",paid,ship_to_country"
    found = _csv(tmp_path, "1,EUR,A,a,a,1,1,Yes,NO", "2,EUR,A,a,a,1,1,no,Norway", "3,EUR,A,a,a,1,1,perhaps,", head=head)
    paid, unpaid, unclear = found
    assert isinstance(paid, Found)
    assert isinstance(unpaid, Found)
    assert (paid.order["paid"], unpaid.order["paid"]) == (True, False)
    assert paid.order["customer"]["shipping_address"] == {"country": "NO"}
    assert "'Norway' is no ISO 3166-1 code" in unpaid.warnings[0]
    assert isinstance(unclear, Refused)
    assert "true or false" in unclear.reason
