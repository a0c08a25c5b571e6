"""`ordertrail webhooks`: endpoints from the command line, for who integrates and for who operates.

Who asks is the environment's token (ORDERTRAIL_TOKEN) or API key (ORDERTRAIL_API_KEY_ID and ORDERTRAIL_API_KEY_SECRET),
else `--as` with the demo's password.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, NoReturn, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import typer
from aiohttp import web
from rich.console import Console
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from cli.demo_client import DemoError, service_url
from cli.import_client import Importer, SignIn
from cli.plain import plain
from deploy.embedded.errors import SetupError
from services.console.sources import Options

T = TypeVar("T")
ANSWER_SECONDS: Final = 90.0
_AGO: Final = re.compile(r"([0-9]{1,5})([mhd])")
_UNIT: Final = {"m": "minutes", "h": "hours", "d": "days"}

Endpoint = Annotated[UUID, typer.Argument(help="the endpoint's id, as list shows it")]
As = Annotated[
    str, typer.Option("--as", help="who asks, with the demo's password, where the environment has no token or key")
]
AsJson = Annotated[bool, typer.Option("--json", help="machine-readable")]
Types = Annotated[
    list[str] | None, typer.Option("--type", help="an event type or a wildcard such as order.*; repeatable")
]


class Signature(StrEnum):
    """How what an endpoint is sent is signed: with a secret that both sides know, with a key pair, or with both."""

    HMAC = "hmac"
    ED25519 = "ed25519"
    BOTH = "both"


SELLER: Final = "seller@storefront.example"


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        no_args_is_help=True, help="List, add and test webhook endpoints, read their log, listen to events."
    )
    group.command("list")(list_endpoints)
    group.command("test")(send_test)
    for command in (add, log, replay, listen):
        group.command()(command)
    app.add_typer(group, name="webhooks")
    app.command("replay")(replay)


def list_endpoints(who: As = SELLER, as_json: AsJson = False) -> None:
    """Endpoints with their standing: one's own, and for operators those of everybody."""
    found = _run(who, lambda api: api.items("/v1/endpoints", 200))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif found:
        # an id has to be whole, to be copied: a table would cut it off where the terminal is narrow
        for e in found:
            since = (e["health"]["failing_since"] or "")[:16].replace("T", " ")
            failing = f", failing since {since}" if since else ""
            typer.echo(f"{e['endpoint_id']}  {e['status']}, {e['waiting']} waiting{failing}  {plain(e['url'])}")
    else:
        typer.echo("No endpoints.")


def add(
    url: Annotated[str, typer.Argument(help="where events are to go")],
    types: Types = None,
    header: Annotated[list[str] | None, typer.Option(help="'Name: value', sent with every event; repeatable")] = None,
    description: str = "",
    signature: Annotated[
        Signature, typer.Option(help="signed with a secret (hmac), with a key pair (ed25519), or with both")
    ] = Signature.HMAC,
    who: As = SELLER,
    as_json: AsJson = False,
) -> None:
    """Make an endpoint, and print its id and what its receiver verifies with: the secret, which is shown this once, the
    public key of a pair, or both.
    """
    given = [h.partition(":") for h in header or ()]
    if any(not colon for _, colon, _ in given):
        _fail("a header is 'Name: value'")
    headers = {name.strip(): value.strip() for name, _, value in given}
    body = {
        "url": url, "event_types": types or ["*"], "headers": headers, "description": description,
        "signature": signature,
    }  # fmt: skip
    made = _run(who, lambda api: api.done("POST", "/v1/endpoints", body))
    if as_json:
        typer.echo(json.dumps(made, indent=2))
        return
    public = [k["public_key"] for k in made["keys"] if k["public_key"]]
    typer.echo("\n".join([made["endpoint_id"], *filter(None, [made["secrets"].get("hmac")]), *public]))


def send_test(
    endpoint: Endpoint,
    kind: Annotated[str, typer.Option("--type", help="the example of which type")] = "order.created",
    who: As = SELLER,
) -> None:
    """Send an example and tell how the receiver answered. Exit code 1 where it did not take it."""
    found = _run(who, lambda api: api.tested(endpoint, kind))
    attempt = found["attempt_log"][-1]
    typer.echo(
        f"{found['state']}: {attempt['error'] or 'answered ' + str(attempt['status'])}, {attempt['duration_ms']} ms"
    )
    raise typer.Exit(0 if found["state"] == "delivered" else 1)


def log(
    endpoint: Endpoint,
    state: Annotated[str | None, typer.Option(help="pending, delivered, exhausted, aborted, held or discarded")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    who: As = SELLER,
    as_json: AsJson = False,
) -> None:
    """An endpoint's deliveries, newest first."""
    query = urlencode({"limit": limit, **({"state": state} if state else {})})
    found = _run(who, lambda api: api.done("GET", f"/v1/endpoints/{endpoint}/deliveries?{query}"))["items"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for d in found:
        last = plain(d["last_error"] or d["last_status"] or "-")
        made = d["created_at"][:19].replace("T", " ")
        typer.echo(f"{d['delivery_id']}  {made}  {d['type']}  {d['state']}, attempt {d['attempts']}: {last}")
    if not found:
        typer.echo("No deliveries.")


def replay(
    endpoint: Endpoint,
    since: Annotated[str, typer.Option("--from", help="30m, 24h, 7d, or a time such as 2026-01-31T12:00:00Z")] = "24h",
    until: Annotated[str | None, typer.Option("--to", help="the same; none: now")] = None,
    every: Annotated[bool, typer.Option("--all", help="everything, not only what never arrived")] = False,
    types: Types = None,
    order: Annotated[UUID | None, typer.Option(help="only this order's events")] = None,
    who: As = SELLER,
) -> None:
    """Send again what an endpoint has missed, or all of a time, and wait until it is queued."""
    body: dict[str, Any] = {
        "endpoint_id": str(endpoint),
        "scope": "all" if every else "missing",
        "received_from": moment(since),
        **({"received_to": moment(until)} if until else {}),
        **({"event_types": types} if types else {}),
        **({"order_id": str(order)} if order else {}),
    }
    with Console(stderr=True).status("Looking through the events"):
        found = _run(who, lambda api: api.replayed(body))
    typer.echo(f"{found['queued']} of {found['examined']} events are sent again ({found['status']}).")


def listen(
    types: Types = None,
    most: Annotated[int, typer.Option("--events", min=0, help="stop after so many; 0: when interrupted")] = 0,
    who: As = SELLER,
    as_json: AsJson = False,
) -> None:
    """Take events on this machine and print each once it is verified, by an endpoint that is deleted at the end.

    For trying things out on an installation that runs on this machine.
    """
    try:
        _run(who, lambda api: api.listened(types or ["*"], most, as_json))
    except KeyboardInterrupt:
        typer.echo("Stopped.", err=True)


def moment(text: str) -> str:
    """A time as the service takes it; "24h" is that long ago."""
    if ago := _AGO.fullmatch(text):
        return (datetime.now(UTC) - timedelta(**{_UNIT[ago[2]]: int(ago[1])})).isoformat()
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        _fail(f"{text!r} is no time: give 30m, 24h, 7d, or a time such as 2026-01-31T12:00:00Z")
    return at.astimezone().isoformat()


class _Api:
    """The webhook service, as whoever asks."""

    def __init__(self, caller: Importer) -> None:
        self._caller = caller

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        """The answer. Raises DemoError with what the service says where it refuses."""
        status, answer = await self._caller.call(method, service_url("webhook") + path, body)
        if status >= 400:
            raise DemoError(answer.get("detail", f"the webhook service answered {status}"))
        return answer

    async def items(self, path: str, limit: int) -> list[Any]:
        """All pages of a list, 10,000 items at most."""
        found: list[Any] = []
        cursor = ""
        for _ in range(10_000 // limit):
            query = {"limit": limit, **({"cursor": cursor} if cursor else {})}
            page = await self.done("GET", f"{path}?{urlencode(query)}")
            found += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                break
        return found

    async def tested(self, endpoint: UUID, kind: str) -> Any:
        queued = await self.done("POST", f"/v1/endpoints/{endpoint}/test", {"type": kind})
        path = f"/v1/deliveries/{queued['delivery_id']}"
        return await self._until(path, lambda d: bool(d["attempt_log"]) and d["attempts"] > 0)

    async def replayed(self, body: Any) -> Any:
        made = await self.done("POST", "/v1/replays", body)
        return await self._until(f"/v1/replays/{made['replay_id']}", lambda r: r["status"] != "running", seconds=3_600)

    async def _until(self, path: str, there: Callable[[Any], bool], seconds: float = ANSWER_SECONDS) -> Any:
        deadline, pause = time.monotonic() + seconds, 0.05
        while not there(found := await self.done("GET", path)):
            if time.monotonic() > deadline:
                raise DemoError(f"not within {seconds:.0f} s; it goes on, see GET {path}")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)
        return found

    async def listened(self, types: Sequence[str], most: int, as_json: bool) -> None:
        seen: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        secret = ""

        async def take(request: web.Request) -> web.Response:
            try:
                event = Webhook(secret).verify(await request.read(), dict(request.headers))
            except WebhookVerificationError:
                return web.Response(status=400)
            await seen.put({"id": request.headers["webhook-id"], **event})
            return web.Response(status=204)

        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_post("/", take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
            body = {"url": url, "event_types": list(types), "description": "ordertrail webhooks listen"}
            made = await self.done("POST", "/v1/endpoints", body)
            secret = made["secret"]
            try:
                typer.echo(f"Listening as endpoint {made['endpoint_id']}", err=True)
                shown = 0
                while not most or shown < most:
                    _print(await seen.get(), as_json)
                    shown += 1
            finally:
                await self.done("DELETE", f"/v1/endpoints/{made['endpoint_id']}")
        finally:
            await runner.cleanup()


def _print(event: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(event))
        return
    data = event["data"]
    number = data["order"]["number"] if "order" in data else data.get("order_number", "")
    what = data["change"]["label"] if "change" in data else data.get("preview", "")
    typer.echo(f"{event['timestamp'][:19]}  {event['type']:<16} {number}  {what}")


def _run(who: str, ask: Callable[[_Api], Awaitable[T]]) -> T:
    async def asked() -> T:
        async with Importer.signed_in(SignIn(who), Options()) as caller:
            return await ask(_Api(caller))

    try:
        return asyncio.run(asked())
    except (DemoError, SetupError) as error:
        _fail(str(error))


def _fail(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(1)
