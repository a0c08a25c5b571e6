"""Lifecycles that are files: checked, drawn and added with the real command, and then in force."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from services.order import workflow
from tests.integration.order.market import Market, Somebody


async def _run(market: Market, *args: str | Path, who: Somebody | None = None) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", "lifecycle", *map(str, args),
        env={**os.environ, "ORDERTRAIL_TOKEN": market.token(who or market.operator),
             "ORDERTRAIL_ORDER_URL": market.url},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, out.decode()


async def test_a_file_becomes_a_version_and_running_orders_stay_on_theirs(market: Market, tmp_path: Path) -> None:
    before = await market.place()
    file = tmp_path / "shop.toml"
    text = workflow.builtin_text("storefront").replace('label = "Pending / New"', 'label = "Brand new"')
    # as an editor on Windows saves it
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    code, told = await _run(market, "add", file)
    assert (code, "storefront version 2" in told) == (0, True), told
    code, told = await _run(market, "add", file)
    assert (code, "version 2, which was there already" in told) == (0, True), told
    after = await market.place()
    assert (before["lifecycle"]["version"], after["lifecycle"]["version"]) == (1, 2)
    assert (await market.get(before, market.operator))["status_label"] == "Pending / New"
    assert after["status_label"] == "Brand new"


async def test_a_file_with_findings_is_not_added_nor_are_those_beside_it(market: Market, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    text = workflow.builtin_text("lengow").replace('name = "lengow"', 'name = "mine"', 1)
    good.write_text(text)
    bad.write_text(text.replace('to = "refused"', 'to = "refussed"').replace('"reject_lines"', '"reject_line"'))
    line = next(n for n, t in enumerate(bad.read_text().splitlines(), 1) if "refussed" in t)
    code, told = await _run(market, "add", good, bad)
    assert code == 1
    assert f"{bad}:{line}: " in told
    assert "did you mean 'refused'?" in told
    assert "did you mean 'reject_lines'?" in told
    assert (await market.call("GET", "/v1/lifecycles/mine", market.operator)).status == 404
    code, told = await _run(market, "add", good, who=market.seller)
    assert (code, "Only an operator" in told) == (1, True), told
    assert (await _run(market, "add", good))[0] == 0
    order = await market.place(market.order("5.00", lifecycle="mine"))
    assert (order["lifecycle"], order["status"]) == ({"name": "mine", "version": 1}, "waiting_acceptance")
    code, svg = await _run(market, "diagram", good)
    served = await market.call("GET", "/v1/lifecycles/mine/diagram.svg", market.seller)
    assert (code, svg.strip()) == (0, served.raw.decode().strip())
