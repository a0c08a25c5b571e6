"""Every page of the console: found by its links, and held against its table of addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from services.console.addresses import PAGES
from tests.integration.console.browser import Browser, Page
from tests.integration.console.conftest import BUYER, OPERATOR, SELLER

ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
FILES: Final = re.compile(r"/(print|packing-slip\.pdf|evidence\.zip)$|\.(csv|xlsx|parquet|svg)")
_STARTS: Final[dict[str, Sequence[str]]] = {
    OPERATOR: ("/orders", "/people/new", "/channels/web", "/lifecycles/storefront", "/balance?seller=unknown-seller"),
    SELLER: ("/orders", "/listings/new", "/webhooks/new", "/reports?clock=event&interval=month", "/nowhere", "/people"),
    BUYER: ("/orders", "/orders/new", "/inbox?show=archived", "/messages?show=awaiting", "/webhooks", "/balance"),
}  # fmt: skip
# What has no places to fill goes before what has: /orders/new is no order.
_SHAPES: Final = [
    (p.path, re.compile(re.sub(r"\{\w+(:\w+)?\}", lambda m: ID.pattern if m[1] else "[^/]+", p.path)))
    for p in sorted(PAGES, key=lambda p: "{" in p.path)
    if p.method == "GET"
]


def starts(email: str, order_id: str) -> Sequence[str]:
    """Where somebody's walk begins: an order with something of everything around it, and what no link leads to."""
    order = f"/orders/{order_id}"
    return (order, f"{order}/trail", f"{order}/actions/add_note", "/welcome", *_STARTS[email])


async def walked(browser: Browser, start: Sequence[str]) -> dict[str, Page]:
    """The pages that `start` leads to: of each kind of address one."""
    pages: dict[str, Page] = {}
    waiting = list(start)
    while waiting:
        path = waiting.pop(0)
        kind = ID.sub("*", path.partition("#")[0])
        if urlsplit(path).netloc or not path.startswith("/") or kind in pages or FILES.search(urlsplit(path).path):
            continue
        if len([k for k in pages if k.partition("?")[0] == kind.partition("?")[0]]) > 3:
            continue
        pages[kind] = page = await browser.get(path)
        waiting += [link for link in page.links() if not link.startswith("/static")]
    return pages


def kind_of(path: str) -> str:
    """The console's page that an address leads to; the address itself where it leads to none."""
    bare = path.partition("?")[0]
    return next((place for place, shape in _SHAPES if shape.fullmatch(bare)), bare)


def unvisited(paths: Iterable[str]) -> set[str]:
    """Pages of the console that none of these is."""
    return {p.path for p in PAGES if p.method == "GET" and p.counted} - {kind_of(path) for path in paths}
