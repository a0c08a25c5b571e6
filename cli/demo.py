"""`ordertrail demo`: one order's journey on the running installation, each step told as it happens.

Imports a shop's JSON and a purchasing system's XML, has the seller work on the first, and then shows what came out of
it: the e-mail in the mailbox, the message thread, the report, and a webhook that a foreign library has verified.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
import typer
from aiohttp import web
from rich.console import Console
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from cli import demo_files
from cli.demo_client import Caller, DemoError, demo_password, send, service_url, session
from cli.import_client import Importer, SignIn
from deploy.embedded.errors import SetupError
from deploy.embedded.installation import Installation
from services.console.sources import Options, Outcome, read_file
from shared.clock import utc_now
from shared.ids import new_id

PATIENCE: Final = 30.0
MARKETPLACE: Final = "storefront"
console = Console(highlight=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo() -> None:
    """Play an order's journey on the running installation, step by step."""
    try:
        asyncio.run(_journey())
    except (DemoError, SetupError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


class Receiver:
    """An outside system: takes webhooks on a free port of this machine and verifies each."""

    def __init__(self) -> None:
        self.secret = ""
        self.seen: list[dict[str, Any]] = []

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            payload = Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            return web.Response(status=400)
        self.seen.append({"id": request.headers["webhook-id"], **payload})
        return web.Response(status=204)

    async def start(self) -> tuple[web.AppRunner, str]:
        app = web.Application()
        app.router.add_post("/hook", self.handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/hook"


def step(text: str, *details: str) -> None:
    console.print(f"[bold green]*[/] {text}")
    for detail in details:
        console.print(f"    {detail}", markup=False)


async def _journey() -> None:
    password = demo_password()
    async with session() as http:
        seller = await Caller.signed_in(http, f"seller@{MARKETPLACE}.example", password)
        operator = await Caller.signed_in(http, f"operator@{MARKETPLACE}.example", password)
        receiver = Receiver()
        runner, address = await receiver.start()
        endpoint = await _subscribe(operator, receiver, address)
        try:
            before = sum(r["orders"] for r in await _completed(operator))
            order = await _import()
            order_id, number = order["order_id"], order["number"]
            await _work(seller, order_id)
            await _mail(http, number)
            await _talk(seller, operator, order_id, number)
            await _report(operator, before, number)
            await _hooks(receiver, order_id)
            step(f"{number} went its whole way.", f"{service_url('console')}/orders/{order_id}")
        finally:
            await operator.call("DELETE", f"{service_url('webhook')}/v1/endpoints/{endpoint}")
            await runner.cleanup()


async def _subscribe(operator: Caller, receiver: Receiver, address: str) -> str:
    body = {"url": address, "description": "the demo's receiver", "event_types": ["order.*"]}
    made = await _done(operator, "POST", f"{service_url('webhook')}/v1/endpoints", body)
    receiver.secret = made["secret"]
    step("An outside system subscribed to order.*", f"endpoint {made['endpoint_id']} -> {address}")
    return str(made["endpoint_id"])


async def _import() -> dict[str, Any]:
    """Both files are taken in; the shop's order is returned."""
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="ordertrail-demo-") as folder:
        files = demo_files.write(Path(folder), utc_now())
        async with Importer.signed_in(SignIn(f"operator@{MARKETPLACE}.example"), Options()) as importer:
            for file in files:
                outcomes += await importer.send(file.name, list(read_file(file)))
    for o in outcomes:
        step(f"Imported {o.file}: {o.result}", f"order {o.external_id} is {', '.join(o.orders)} here", *o.warnings)
        if o.result == "refused":
            raise DemoError(f"{o.file} was refused: {o.detail}")
    return {"order_id": outcomes[0].order_ids[0], "number": outcomes[0].orders[0]}


async def _work(seller: Caller, order_id: str) -> None:
    base = f"{service_url('order')}/v1/orders/{order_id}"
    parcel = {"carrier": "UPS", "tracking_number": "1Z999AA10123456784"}
    for action, params in (("process", {}), ("ship", parcel), ("complete", {})):
        order = await _done(seller, "POST", f"{base}/actions/{action}", {"params": params})
        step(
            f"The seller did `{action}`",
            f"{order['number']} is now: {order['status_label']} (sequence {order['sequence']})",
        )


async def _mail(http: aiohttp.ClientSession, number: str) -> None:
    mailbox = Installation.current().url("mailbox")

    async def arrived() -> dict[str, Any] | None:
        _, answer = await send(http, "GET", f"{mailbox}/api/mails?limit=200", None, {})
        return next((m for m in answer["items"] if number in m["subject"]), None)

    mail = await _until(arrived, f"an e-mail about {number} in the mailbox at {mailbox}")
    step(
        "An order confirmation was sent by e-mail",
        f"to {mail['rcpt_to'][0]}: {mail['subject']}",
        f"look at it: {mailbox}",
    )


async def _talk(seller: Caller, operator: Caller, order_id: str, number: str) -> None:
    url = f"{service_url('messaging')}/v1/orders/{order_id}/messages"
    text = "Your parcel left our house this morning."
    await _done(seller, "POST", url, {"text": text}, patience=PATIENCE)

    async def listed() -> dict[str, Any] | None:
        status, answer = await operator.call("GET", url)
        return next((m for m in answer.get("items", []) if m["text"] == text), None) if status == 200 else None

    message = await _until(listed, "the message in the order's thread")
    step(f"A message stands in the thread of {number}", f"seller: {message['text']}")


async def _completed(operator: Caller) -> list[dict[str, Any]]:
    """The report's rows of completed orders around today; the marketplace's time zone decides what a day is."""
    first, last = (f"{utc_now() + timedelta(days=d):%Y-%m-%d}" for d in (-1, 1))
    status, answer = await operator.call("GET", f"{service_url('reporting')}/v1/reports/orders?from={first}&to={last}")
    return [r for r in answer["rows"] if r["status"] == "completed" and r["orders"]] if status == 200 else []


async def _report(operator: Caller, before: int, number: str) -> None:
    async def counted() -> dict[str, Any] | None:
        rows = await _completed(operator)
        return rows[-1] if sum(r["orders"] for r in rows) > before else None

    row = await _until(counted, "the order in the report of orders by day and status")
    gross = row["gross"]
    step(f"The report counts {number}",
         f"{row['day']} completed: {row['orders']} orders, {gross['amount']} {gross['currency']} gross")  # fmt: skip


async def _hooks(receiver: Receiver, order_id: str) -> None:
    async def complete() -> list[dict[str, Any]] | None:
        mine = [s for s in receiver.seen if s["data"]["order_id"] == order_id]
        return mine if any(s["type"] == "order.completed" for s in mine) else None

    mine = await _until(complete, "the webhook of order.completed")
    lines = [f"{s['data']['sequence']}  {s['type']:<16} {s['id']}" for s in mine]
    step("The outside system received and verified these webhooks (package standardwebhooks)", *lines)


async def _done(caller: Caller, method: str, url: str, body: Any, *, patience: float = 0) -> Any:
    status, answer = await caller.call(method, url, body, key=str(new_id()), patience=patience)
    if status >= 400:
        raise DemoError(f"{method} {url} was refused with {status}: {answer.get('detail', answer)}")
    return answer


async def _until(look: Callable[[], Awaitable[Any]], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := await look()):
        if time.monotonic() > deadline:
            raise DemoError(f"not within {PATIENCE:.0f} s: {what} -- `make status` and `make logs` tell more")
        await asyncio.sleep(0.1)
    return found
