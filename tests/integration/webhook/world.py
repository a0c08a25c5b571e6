"""The webhook service on the real pair, with what a test asks of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid5

import aiohttp
import asyncpg
from pydantic import SecretStr

from contracts.envelope import Event, encode
from contracts.order import OrderEvent, OrderSnapshot, Party
from services.webhook.app import service
from services.webhook.settings import Settings
from shared import logs
from shared.clock import utc_now
from shared.ids import new_id
from shared.inbox import Processor, RawRecord
from shared.keyring import new_entry
from shared.process import Runtime, processor_of, running
from tests.builders import life, snapshot
from tests.issuer import TokenIssuer
from tests.stack import StackDatabase
from tests.waiting import until

logs.setup("tests", "tests", "error", for_good=False)
RING = new_entry()


class World:
    """One marketplace with a seller, a buyer and an operator organisation, and a running service."""

    def __init__(
        self, runtime: Runtime, processor: Processor, issuer: TokenIssuer, http: aiohttp.ClientSession
    ) -> None:
        self.runtime, self.processor, self.issuer, self.http = runtime, processor, issuer, http
        self.marketplace, self.seller, self.buyer, self.operator = new_id(), new_id(), new_id(), new_id()
        self.base = f"http://127.0.0.1:{runtime.settings.http_port}"
        self.admin: asyncpg.Connection

    def bearer(self, who: str = "seller", **claims: Any) -> dict[str, str]:
        kinds = {"seller": ("seller", "seller", self.seller), "admin": ("admin", "seller", self.seller),
                 "member": ("member", "seller", self.seller), "buyer": ("buyer", "buyer", self.buyer),
                 "buyer-admin": ("admin", "buyer", self.buyer),
                 "operator": ("operator", "operator", self.operator)}  # fmt: skip
        role, kind, organisation = kinds[who]
        person = uuid5(self.marketplace, who)
        given = {
            "person_id": person,
            "marketplace_id": self.marketplace,
            "organisation_id": organisation,
            "roles": [role],
            "kind": kind,
        }
        return self.issuer.bearer(**(given | claims))

    async def call(
        self, method: str, path: str, body: Any = None, *, who: str = "seller", **given: Any
    ) -> tuple[int, Any]:
        """(status, JSON or None) of an API call."""
        headers = {**self.bearer(who, **given.pop("claims", {})), **given.pop("headers", {})}
        async with self.http.request(method, self.base + path, json=body, headers=headers, **given) as response:
            raw = await response.read()
            return response.status, (await response.json(content_type=None) if raw else None)

    async def endpoint(self, url: str, *, who: str = "seller", **settings: Any) -> dict[str, Any]:
        status, document = await self.call("POST", "/v1/endpoints", {"url": url, **settings}, who=who)
        assert status == 201, document
        return dict(document)

    def order(self, **given: Any) -> OrderSnapshot:
        fields: dict[str, Any] = {
            "marketplace_id": self.marketplace,
            "buyer": Party(organisation_id=self.buyer, name="Buyer Ltd"),
            "seller": Party(organisation_id=self.seller, name="Seller Ltd"),
        }
        return snapshot(**(fields | given))

    def life(self, changes: int = 0, **given: Any) -> list[OrderEvent]:
        return life(self.order(**given), changes)

    async def take_in(
        self, events: Sequence[Event], ids: Sequence[UUID] | None = None, *, by: Processor | None = None
    ) -> list[UUID]:
        """Events through the inbox, as the consumer gives them; their ids. `by`: not the service's own processor."""
        ids = list(ids or [new_id() for _ in events])
        records = []
        for n, (event, event_id) in enumerate(zip(events, ids, strict=True)):
            r = encode(event, event_id=event_id, source="/ordertrail/test", time=utc_now())
            records.append(RawRecord(r.topic, 0, n, r.key.encode(), r.headers, r.value))
        await (by or self.processor).process(records)
        return ids

    async def deliveries(self, endpoint: dict[str, Any], **filters: str) -> list[dict[str, Any]]:
        status, page = await self.call(
            "GET", f"/v1/endpoints/{endpoint['endpoint_id']}/deliveries", params={"limit": "200", **filters}
        )
        assert status == 200, page
        return list(page["items"])

    async def states(self, endpoint: dict[str, Any]) -> dict[str, int]:
        """How many deliveries of an endpoint are in each state."""
        rows = await self.admin.fetch(
            "SELECT 'pending' AS state, count(*) AS n FROM webhook.pending WHERE endpoint_id = $1 HAVING count(*) > 0"
            " UNION ALL SELECT state, count(*) FROM webhook.delivery WHERE endpoint_id = $1 GROUP BY state",
            UUID(endpoint["endpoint_id"]),
        )
        return {row["state"]: row["n"] for row in rows}


@asynccontextmanager
async def webhook_world(
    database: StackDatabase,
    issuer: TokenIssuer,
    port: Callable[[], int],
    roles: Sequence[str] = ("api", "worker"),
    **given: Any,
) -> AsyncIterator[World]:
    """The service's roles in this process."""
    fields: dict[str, Any] = {
        "database_url": SecretStr(database.app_dsn("webhook")),
        "worker_database_url": SecretStr(database.worker_dsn("webhook")),
        "identity_issuer": issuer.url,
        "http_port": port(),
        "webhook_secret_keys": SecretStr(RING),
        "shutdown_seconds": 6,
    }
    made = service(Settings(**(fields | given)))
    admin = await asyncpg.connect(database.admin_dsn)
    async with running(made, roles=frozenset(roles)) as runtime, aiohttp.ClientSession() as http:
        handlers = made.handlers(runtime) if callable(made.handlers) else made.handlers
        world = World(runtime, processor_of(made, runtime, handlers), issuer, http)
        world.admin = admin
        yield world
    await admin.close()


def path(endpoint: dict[str, Any], suffix: str = "") -> str:
    return f"/v1/endpoints/{endpoint['endpoint_id']}{suffix}"


async def settled(world: World, endpoint: dict[str, Any], **states: int) -> None:
    async def there() -> bool:
        return await world.states(endpoint) == states

    await until(there, what=f"states {states}")


async def events_published(world: World, endpoint: dict[str, Any]) -> list[str]:
    """Reasons of the webhook.endpoint_disabled events of an endpoint."""
    found = await world.admin.fetch(
        "SELECT convert_from(value, 'utf8')::jsonb ->> 'reason' AS reason FROM webhook.outbox WHERE key = $1"
        " ORDER BY seq", endpoint["endpoint_id"],
    )  # fmt: skip
    return [row["reason"] for row in found]
