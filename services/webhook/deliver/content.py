"""What a delivery needs beside its row: the endpoint's settings and keys, and the event. Read in batches, kept a while.

Settings are kept by version, so that a change takes effect with the next claim; events by size, the oldest go first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any, Final
from uuid import UUID

import orjson

from services.webhook.addresses import ForbiddenTarget, Policy, Target, parse_target
from services.webhook.audience import Side, view
from services.webhook.deliver.queue import Claimed
from services.webhook.formats import Content, Style
from services.webhook.signing import KeyKind, SigningKey
from services.webhook.store.intake import Incoming
from services.webhook.vault import Sealed, Vault
from shared.keyring import KeyRingError
from shared.postgres import Queries, Statements
from shared.postgres.database import Row

_q = Queries.load("services.webhook.deliver")
# Enough for what is on its way to many endpoints at once; a process holds several times this of memory for it.
MESSAGE_BYTES: Final = 4_000_000
ENDPOINTS_KEPT: Final = 20_000
OFFERED_MOST: Final = 200
# what is read of an event
READ: Final = ("event_id", "type", "version", "sequence", "order_id", "stream_id", "occurred_at", "traceparent", "data")
# Settings are read anew after this, or as soon as one of the keys ends.
FRESH: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Destination:
    """An endpoint ready for sending. `problem` says why it cannot be sent to, where it cannot."""

    version: int
    fresh_until: datetime
    policy: Policy
    schedule: tuple[int, ...]
    deadline: float
    max_in_flight: int
    limited: bool
    target: Target | None = None
    style: Style | None = field(default=None, repr=False)
    problem: str = ""


class Contents:
    """The caches of a worker."""

    def __init__(self, vault: Vault, policy: Policy) -> None:
        self._vault, self._policy = vault, policy
        self._destinations: OrderedDict[UUID, Destination] = OrderedDict()
        self._messages: OrderedDict[tuple[UUID, Side], Content] = OrderedDict()
        self._bytes = 0
        self._offered: dict[UUID, Incoming] = {}

    def offer(self, events: Iterable[Incoming]) -> None:
        """What has just come and is likely to be claimed next: it need not be read."""
        for event in events:
            self._offered[event.event_id] = event
        while len(self._offered) > OFFERED_MOST:
            del self._offered[next(iter(self._offered))]

    def at_hand(self, claimed: Sequence[Claimed], now: datetime) -> list[Content | None] | None:
        """What each claim sends, where nothing has to be read for any of them; None where something has."""
        for c in claimed:
            if not self._fresh(self._destinations.get(c.endpoint_id), c, now):
                return None
            if (c.event_id, c.eyes) not in self._messages:
                event = self._offered.get(c.event_id)
                if event is None:
                    return None
                self._keep(_row(event), c.eyes)
        return [self._content(c) for c in claimed]

    async def load(self, tx: Statements, claimed: Sequence[Claimed], now: datetime) -> list[Content | None]:
        """What each claim sends, read where it is not here; None where the event's day has been dropped (retention).

        Whoever sends keeps it: it may be forgotten here before the delivery has found a place.
        """
        at_hand = self.at_hand(claimed, now)
        if at_hand is not None:
            return at_hand
        stale = [c.endpoint_id for c in claimed if not self._fresh(self._destinations.get(c.endpoint_id), c, now)]
        if stale:
            await self._load_destinations(tx, list(dict.fromkeys(stale)), now)
        missing = {c.event_id: c.message_at for c in claimed if (c.event_id, c.eyes) not in self._messages}
        if missing:
            wanted: dict[UUID, set[Side]] = {}
            for c in claimed:
                wanted.setdefault(c.event_id, set()).add(c.eyes)
            for row in await self._read(tx, missing):
                for eyes in wanted[row["event_id"]]:
                    self._keep(row, eyes)
        return [self._content(c) for c in claimed]

    async def _read(self, tx: Statements, missing: dict[UUID, datetime]) -> list[Any]:
        found: list[Any] = [_row(self._offered[i]) for i in missing if i in self._offered]
        unread = {i: at for i, at in missing.items() if i not in self._offered}
        if unread:
            found.extend(await tx.fetch(_q.messages, list(unread), list(unread.values())))
        return found

    @staticmethod
    def _fresh(known: Destination | None, c: Claimed, now: datetime) -> bool:
        return known is not None and known.version == c.version and now < known.fresh_until

    def destination(self, claimed: Claimed) -> Destination | None:
        return self._destinations.get(claimed.endpoint_id)

    def _content(self, claimed: Claimed) -> Content | None:
        found = self._messages.get((claimed.event_id, claimed.eyes))
        if found is None or claimed.origin != "test":
            return found
        return Content(**{**{name: getattr(found, name) for name in found.__slots__}, "test": True})

    def trim(self) -> None:
        """Forget the oldest events beyond the bound; called between batches."""
        while self._bytes > MESSAGE_BYTES:
            _, content = self._messages.popitem(last=False)
            self._bytes -= len(content.data)
        while len(self._destinations) > ENDPOINTS_KEPT:
            self._destinations.popitem(last=False)

    def _keep(self, row: Mapping[str, Any], eyes: Side) -> None:
        key = (row["event_id"], eyes)
        if key in self._messages:
            return
        # a copy, because orjson's bytes hold on to the 16 kB that they were written into, however few they are
        data = bytes(memoryview(view(row["data"], eyes)))
        self._messages[key] = Content(
            row["event_id"],
            row["type"],
            row["version"],
            row["occurred_at"],
            str(row["order_id"] or row["stream_id"]),
            row["sequence"],
            data,
            row["traceparent"],
        )
        self._bytes += len(data)

    async def _load_destinations(self, tx: Statements, endpoint_ids: list[UUID], now: datetime) -> None:
        for endpoint_id, read in (await read_destinations(tx, endpoint_ids, self._vault, self._policy, now)).items():
            self._destinations[endpoint_id] = read
            self._destinations.move_to_end(endpoint_id)


def _row(event: Incoming) -> dict[str, Any]:
    return {name: getattr(event, name) for name in READ}


async def read_destinations(
    tx: Statements, endpoint_ids: Sequence[UUID], vault: Vault, policy: Policy, now: datetime
) -> dict[UUID, Destination]:
    """Endpoints as they are now, with their live keys opened."""
    rows = await tx.fetch(_q.endpoints, list(endpoint_ids))
    secrets: dict[UUID, list[Row]] = {}
    for secret in await tx.fetch(_q.live_secrets, list(endpoint_ids), now):
        secrets.setdefault(secret["endpoint_id"], []).append(secret)
    return {
        row["endpoint_id"]: _destination(row, secrets.get(row["endpoint_id"], []), vault, policy, now) for row in rows
    }


def _destination(row: Row, secrets: Sequence[Row], vault: Vault, policy: Policy, now: datetime) -> Destination:
    policy = policy.with_allowed(ip_network(n) for n in row["networks"])
    schedule, deadline = tuple(row["retry_schedule"]), row["timeout_ms"] / 1000
    fresh_until = min([now + FRESH, *(s["expires_at"] for s in secrets if s["expires_at"] is not None)])
    common = (
        row["version"],
        fresh_until,
        policy,
        schedule,
        deadline,
        row["max_in_flight"],
        row["rate_limit"] is not None,
    )
    try:
        target = parse_target(row["url"], policy)
        keys = [(str(s["secret_id"]), _key(row, s, vault)) for s in secrets if row["signature"] in ("both", s["kind"])]
        if not keys:
            return Destination(*common, problem="the endpoint has no live key; rotate its secret")
        style = Style(target.url, row["format"], keys, _custom(row, vault), row["http_signature"])
    except (ForbiddenTarget, KeyRingError) as e:
        return Destination(*common, problem=str(e))
    return Destination(*common, target=target, style=style)


def _key(endpoint: Row, secret: Row, vault: Vault) -> SigningKey:
    kind: KeyKind = secret["kind"]
    sealed = Sealed(secret["key_id"], secret["box"])
    return SigningKey.of(kind, vault.open(sealed, endpoint["marketplace_id"], secret["secret_id"], "secret"))


def _custom(row: Row, vault: Vault) -> Mapping[str, str]:
    if row["headers_box"] is None:
        return {}
    sealed = Sealed(row["headers_key_id"], row["headers_box"])
    headers: dict[str, str] = orjson.loads(vault.open(sealed, row["marketplace_id"], row["endpoint_id"], "headers"))
    return headers
