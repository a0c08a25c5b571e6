"""`ordertrail seed-demo`: five marketplaces with people, listings and a few orders. Running it again adds nothing."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from typing import Any, Final

import aiohttp
import typer
from pydantic import SecretStr

from cli.demo_client import Caller, DemoError, demo_password, send, service_url, session
from cli.demo_data import DEMOS, Demo, Offer, address, plan
from deploy.embedded.errors import SetupError
from deploy.embedded.installation import Installation
from services.identity.actions.setting_up import Report
from services.identity.commands import carry_out
from services.identity.settings import Settings
from services.identity.vault import VaultError
from shared import logs
from shared.errors import Problem
from shared.postgres.database import TRANSIENT

# What identity tells goes over its outbox and Kafka before the order service knows somebody.
KNOWN_SECONDS: Final = 60.0
NO_PASSWORDS: Final = (
    "No demo is made: people sign in here with the outside provider alone (ORDERTRAIL_OIDC_ONLY), and those of the "
    "demo have passwords. docs/identity says how to make marketplaces and people of your own"
)
CHANNELS: Final = ("shopify", "peppol", "csv")
ORDERS: Final[Sequence[tuple[str, Sequence[tuple[int, str]], bool]]] = (
    # who orders, (which offer, how many), whether the seller takes it on
    ("buyer", ((0, "2"),), True),
    ("buyer", ((1, "1"), (2, "3")), False),
    ("buyer2", ((2, "4"),), False),
)


def register(app: typer.Typer) -> None:
    app.command("seed-demo")(seed_demo)


def seed_demo() -> None:
    """Make the five demo marketplaces with people, listings and orders, where they are not there yet."""
    logs.setup("identity", "seed-demo", "warning")
    began = time.monotonic()
    try:
        made = asyncio.run(_seed())
    except (DemoError, SetupError, VaultError, Problem, *TRANSIENT) as error:
        typer.echo(str(error) or type(error).__name__, err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{made} in {time.monotonic() - began:.1f} s" if made else NO_PASSWORDS)


async def _seed() -> str | None:
    """How much is new; None where the demo's people could not sign in."""
    password = demo_password()
    async with session() as http:
        if (await send(http, "GET", service_url("identity") + "/v1/sign-in", None, {}))[1].get("password") is False:
            return None
    report = await _people(password)
    async with session() as http:
        counts = await asyncio.gather(*(_marketplace(http, demo, password) for demo in DEMOS))
    listings, orders = (sum(c[i] for c in counts) for i in (0, 1))
    return (
        f"{len(report.marketplaces)} marketplaces, {len(report.people)} people, {listings} listings and {orders} "
        "orders are new"
    )


async def _people(password: str) -> Report:
    return await carry_out(plan(), password, _identity_settings())


def _identity_settings() -> Settings:
    """Identity's own, from its environment or secrets folder where it was given one, else from this checkout's."""
    if os.environ.get("ORDERTRAIL_SECRETS_DIR") or os.environ.get("ORDERTRAIL_WORKER_DATABASE_URL"):
        return Settings()
    secrets = Installation.current().secrets
    try:
        given = {
            name: SecretStr(secrets.read("identity", f"ordertrail_{name}"))
            for name in ("database_url", "worker_database_url", "identity_key")
        }
    except OSError as error:
        raise DemoError(f"identity's secrets cannot be read ({error.filename}) -- run `make up` first") from None
    # an outside provider is nothing to seeding, and its secret is for identity's process alone
    return Settings(**given, oidc_issuer="", oidc_only=False)  # type: ignore[arg-type]  # fields are of several types


async def _marketplace(http: aiohttp.ClientSession, demo: Demo, password: str) -> tuple[int, int]:
    """(new listings, new orders)."""
    names = ("seller", "seller2", "buyer", "buyer2", "operator")
    found = await asyncio.gather(*(Caller.signed_in(http, address(name, demo), password) for name in names))
    people = dict(zip(names, found, strict=True))
    offered = await asyncio.gather(*(_listing(people[offer.seller], demo, offer) for offer in demo.offers))
    await _channels(people["operator"], demo)
    ids = [listing_id for listing_id, _ in offered]
    orders = 0
    for n, (buyer, lines, taken) in enumerate(ORDERS, 1):
        orders += await _order(people, demo, n, buyer, [(ids[i], quantity) for i, quantity in lines], taken)
    return sum(new for _, new in offered), orders


async def _listing(seller: Caller, demo: Demo, offer: Offer) -> tuple[str, bool]:
    """The listing's id, and whether it is new."""
    url = f"{service_url('order')}/v1/listings"
    body: dict[str, Any] = {
        "sku": offer.sku, "name": offer.name, "price": {"amount": offer.price, "currency": demo.currency},
        "available": offer.available, **(offer.more or {}),
    }  # fmt: skip
    query = f"{url}?sku={offer.sku}&seller={demo.slug}-{offer.seller}"
    _, found = await seller.call("GET", query, patience=5)
    if found.get("items"):
        return str(found["items"][0]["listing_id"]), False
    status, answer = await seller.call("POST", url, body, key=f"demo-{demo.slug}-{offer.sku}", patience=KNOWN_SECONDS)
    if status != 201:
        raise DemoError(f"the listing {offer.sku} of {demo.slug} was refused: {answer.get('detail', status)}")
    return str(answer["listing_id"]), True


async def _channels(operator: Caller, demo: Demo) -> None:
    """The channels of `ordertrail import`, with who buys and sells where a file names nobody that is known here."""
    _, listed = await operator.call("GET", f"{service_url('identity')}/v1/organisations?limit=200", patience=5)
    ids = {o["slug"]: o["organisation_id"] for o in listed.get("items", [])}
    for name in CHANNELS:
        url = f"{service_url('order')}/v1/channels/{name}"
        if (await operator.call("GET", url))[0] == 200:
            continue
        body = {"default_seller": ids.get(f"{demo.slug}-seller"), "default_buyer": ids.get(f"{demo.slug}-buyer")}
        status, told = await operator.call("PUT", url, body, patience=KNOWN_SECONDS)
        if status not in (200, 201):
            raise DemoError(f"the channel {name} of {demo.slug} was refused: {told.get('detail', status)}")


async def _order(
    people: dict[str, Caller], demo: Demo, number: int, buyer: str, lines: Sequence[tuple[str, str]], taken: bool
) -> int:
    """How many orders are new: one for each seller of the lines, or none where they are there already."""
    url = f"{service_url('order')}/v1/orders"
    mark = f"demo {demo.slug} {number}"
    _, found = await people[buyer].call("GET", f"{url}?limit=50&view=full", patience=5)
    if any(order.get("attributes", {}).get("demo") == mark for order in found.get("items", [])):
        return 0
    body = {
        "currency": demo.currency,
        "customer": {"name": "Demo Outlet", "email": address(buyer, demo)},
        "lines": [{"listing_id": listing_id, "quantity": quantity} for listing_id, quantity in lines],
        "attributes": {"demo": mark},
    }
    status, answer = await people[buyer].call("POST", url, body, key=mark, patience=KNOWN_SECONDS)
    if status not in (200, 201):
        raise DemoError(f"order {number} of {demo.slug} was refused: {answer.get('detail', status)}")
    if taken:
        for order in answer["orders"]:
            act = f"{url}/{order['order_id']}/actions/{demo.first_action}"
            status, told = await people["seller"].call("POST", act, {"params": {}}, key=f"{mark} {demo.first_action}")
            if status != 200:
                raise DemoError(f"{demo.first_action} of {demo.slug} was refused: {told.get('detail', status)}")
    return len(answer["orders"])
