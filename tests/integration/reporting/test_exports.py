"""Exports: what a file says is what the report says, in each kind of file, and no text in it is run."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from arro3.io import read_parquet
from openpyxl import load_workbook

from services.reporting import actions, exporting
from shared.ids import new_id
from tests.integration.reporting.conftest import Desk, stranger
from tests.integration.reporting.lives import World

ALL = "from=2026-02-01&to=2026-06-30"
HOSTILE = "=cmd|' /C calc'!A0"


@pytest.fixture(scope="module")
def world() -> World:
    world = World(41)
    world.sellers[0] = world.sellers[0].model_copy(update={"name": HOSTILE})
    return world


async def fetched(desk: Desk, marketplace_id: UUID, path: str, **claims: Any) -> tuple[int, str, bytes]:
    given = {"marketplace_id": marketplace_id, "roles": ["operator"], "kind": "operator"} | claims
    async with desk.http.get(f"{desk.url}/v1/reports/{path}", headers=desk.issuer.bearer(**given)) as answer:
        return answer.status, answer.headers.get("content-disposition", ""), await answer.read()


def in_csv(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))


def in_xlsx(body: bytes) -> list[dict[str, Any]]:
    sheet = load_workbook(io.BytesIO(body))["Report"]
    rows = list(sheet.iter_rows())
    assert all(c.data_type != "f" for row in rows for c in row)
    names = [str(c.value) for c in rows[0]]
    return [dict(zip(names, (c.value for c in row), strict=True)) for row in rows[1:]]


def in_parquet(body: bytes) -> list[dict[str, Any]]:
    table = read_parquet(io.BytesIO(body)).read_all()
    columns = {name: [c[i].as_py() for c in table[name].chunks for i in range(len(c))] for name in table.schema.names}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row of any kind of file: numbers as decimals, days as days, nothing as None."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if hasattr(value, "hour"):
            value = value.date()
        if value == "":
            value = None
        try:
            found[name] = Decimal(str(value))
        except ArithmeticError:
            found[name] = str(value).removeprefix("'") if value is not None else None
    return found


@pytest.mark.parametrize("query", ["", "&clock=event", "&interval=month"])
@pytest.mark.parametrize("table", ["orders", "summary", "rates", "sellers", "channels", "savings"])
async def test_the_three_kinds_of_file_say_the_same(desk: Desk, world: World, table: str, query: str) -> None:
    await desk.project(world.lives(2))
    path = f"{table}/export?{ALL}{query}&format="
    files = {k: (await fetched(desk, world.marketplace_id, path + k)) for k in ("csv", "xlsx", "parquet")}
    assert {status for status, _, _ in files.values()} == {200}
    rows = [plain(r) for r in in_csv(files["csv"][2])]
    assert rows == [plain(r) for r in in_xlsx(files["xlsx"][2])]
    assert rows == [plain(r) for r in in_parquet(files["parquet"][2])]
    assert rows or table == "savings"
    clock = "event" if "event" in query or table == "savings" else "placed"
    assert files["csv"][1] == f'attachment; filename="{table}-2026-02-01-2026-06-30-{clock}.csv"'


async def test_a_file_says_what_the_report_says(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(42)
    await desk.project(world.lives(60))
    _, report = await desk.get(world.marketplace_id, f"/v1/reports/orders?{ALL}")
    rows = in_csv((await fetched(desk, world.marketplace_id, f"orders/export?{ALL}"))[2])
    assert [(r["day"], r["currency"], r["status"], int(r["orders"]), r["gross"]) for r in rows] == [
        (r["day"], r["currency"], r["status"], r["orders"], r["gross"]["amount"]) for r in report["rows"]
    ]
    # more sellers than one batch
    monkeypatch.setattr(actions, "SELLERS_AT_ONCE", 3)
    _, page = await desk.get(world.marketplace_id, f"/v1/reports/sellers?{ALL}&limit=200")
    rows = in_csv((await fetched(desk, world.marketplace_id, f"sellers/export?{ALL}"))[2])
    assert [(r["seller_id"], r["currency"], r["gross"], r["average"]) for r in rows] == [
        (s["seller_organisation_id"], s["figures"]["currency"], s["figures"]["gross"]["amount"],
         s["figures"]["average"]["amount"]) for s in page["items"]
    ]  # fmt: skip
    assert [(r["late_count"], r["late_of"]) for r in rows] == [
        (str(s["rates"]["late"]["numerator"]), str(s["rates"]["late"]["denominator"])) for s in page["items"]
    ]


async def test_texts_are_never_run(desk: Desk, world: World) -> None:
    await desk.project(world.lives(30))
    path = f"sellers/export?{ALL}&format="
    [named, *_] = [
        r for r in in_csv((await fetched(desk, world.marketplace_id, path + "csv"))[2]) if "cmd" in r["seller"]
    ]
    assert named["seller"] == "'" + HOSTILE
    book = load_workbook(io.BytesIO((await fetched(desk, world.marketplace_id, path + "xlsx"))[2]))
    [cell, *_] = [c for row in book["Report"].iter_rows() for c in row if c.value == HOSTILE]
    assert (cell.data_type, cell.quotePrefix) == ("s", True)
    assert book["About"]["B4"].value == "day the order was placed"
    day = load_workbook(io.BytesIO((await fetched(desk, world.marketplace_id, f"orders/export?{ALL}&format=xlsx"))[2]))
    assert day["Report"]["A2"].value.date() >= date(2026, 2, 1)


async def test_everybody_exports_what_it_sees(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(43)
    await desk.project(world.lives(60))
    seller, other = (s.organisation_id for s in world.sellers[:2])
    as_seller = {"roles": ["seller"], "kind": "seller", "organisation_id": seller}
    _, _, body = await fetched(desk, world.marketplace_id, f"sellers/export?{ALL}", **as_seller)
    assert {r["seller_id"] for r in in_csv(body)} == {str(seller)}
    status, _, _ = await fetched(desk, world.marketplace_id, f"orders/export?{ALL}&seller={other}", **as_seller)
    assert status == 403
    _, _, own = await fetched(desk, world.marketplace_id, f"orders/export?{ALL}", **as_seller)
    _, _, asked = await fetched(desk, world.marketplace_id, f"orders/export?{ALL}&seller={seller}")
    assert own == asked
    _, _, nothing = await fetched(desk, world.marketplace_id, f"orders/export?{ALL}", **stranger())
    assert in_csv(nothing) == []
    buyer = {"roles": ["buyer"], "kind": "buyer", "organisation_id": world.buyers[0].organisation_id}
    assert (await fetched(desk, world.marketplace_id, f"orders/export?{ALL}", **buyer))[0] == 403
    assert (await fetched(desk, world.marketplace_id, f"savings/export?{ALL}", **buyer))[0] == 200
    assert (await fetched(desk, new_id(), "summary/export?from=2026-03-02&to=2026-03-01"))[0] == 422
    assert (await fetched(desk, new_id(), "people/export"))[0] == 404
    monkeypatch.setattr(exporting, "MOST_SELLERS", 2)
    assert (await fetched(desk, world.marketplace_id, f"sellers/export?{ALL}"))[0] == 422
    monkeypatch.setattr(exporting, "MOST_AT_ONCE", 0)
    assert (await fetched(desk, world.marketplace_id, f"orders/export?{ALL}"))[0] == 503
