"""Idempotency keys: the same key and body get the same answer, kept in the transaction of its effect.

Before the work one round trip (`recall`), after it one row (`keep`). A request without the header pays nothing.
Rows are kept for seven days (the janitor of shared.process).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from uuid import UUID

import asyncpg
from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from shared.errors import BadRequest, Conflict, Unprocessable
from shared.postgres import Database, Queries, Transaction
from shared.web.exchange import exchange

MAX_KEY: Final = 255
CONSTRAINT: Final = "idempotency_pkey"

q = Queries.load("shared.web")


@dataclass(frozen=True, slots=True)
class Answer:
    """What an action answers, ready to be sent and kept: `body` is serialised JSON."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    replayed: bool = False

    def response(self) -> Response:
        extra = {"idempotency-replayed": "true"} if self.replayed else {}
        return Response(self.body, self.status, {**self.headers, **extra}, "application/json")


class Once:
    """The idempotency key of one request, or the absence of one (then everything here does nothing).

    async with db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        ...
        return await once.keep(tx, Answer(201, body))
    """

    __slots__ = ("_body_hash", "_lock", "caller", "key", "marketplace_id", "route")

    def __init__(
        self, key: str | None, marketplace_id: UUID, caller: str, route: str, body_hash: bytes, *, service: str
    ) -> None:
        self.key, self.marketplace_id, self.caller, self.route = key, marketplace_id, caller, route
        self._body_hash = body_hash
        self._lock = 0 if key is None else _lock_number(f"{service}\n{marketplace_id}\n{caller}\n{key}")

    async def recall(self, tx: Transaction) -> Answer | None:
        """The answer kept for this key, or None: then the key is locked until the transaction ends.

        Raises Conflict (409) while another request with the key is at work, Unprocessable (422) where the key was
        used for something else.
        """
        if self.key is None:
            return None
        row = await tx.fetchrow(q.recall, self._lock, self.marketplace_id, self.caller, self.key)
        assert row is not None
        if row["route"] is None:
            if not row["free"]:
                raise in_flight()
            return None
        if row["route"] != self.route or row["body_hash"] != self._body_hash:
            raise Unprocessable(
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request. Use a new key for every new request.",
            )
        return Answer(row["status"], row["response"], row["headers"], replayed=True)

    async def keep(self, tx: Transaction, answer: Answer) -> Answer:
        """Keep the answer in the transaction of its effect. Raises Conflict where another request was faster."""
        if self.key is not None:
            try:
                await tx.execute(q.keep, *self.row(answer))
            except asyncpg.UniqueViolationError:
                raise in_flight() from None
        return answer

    def row(self, answer: Answer) -> tuple[Any, ...]:
        """(marketplace_id, caller, key, route, body_hash, status, response, headers): the parameters of `keep`, for a
        service that inserts the row in a statement of its own. Only where `key` is not None."""
        return (
            self.marketplace_id, self.caller, self.key, self.route, self._body_hash,
            answer.status, answer.body, dict(answer.headers),
        )  # fmt: skip

    async def settle(self, db: Database, error: asyncpg.UniqueViolationError) -> Answer:
        """For a service that skips `recall` and lets the primary key speak: the answer that was there already.

        Call it outside the failed transaction. Raises `error` again where it is of another table.
        """
        if error.constraint_name != CONSTRAINT:
            raise error
        async with db.tenant(self.marketplace_id) as tx:
            kept = await self.recall(tx)
        if kept is None:
            raise in_flight()
        return kept


def _lock_number(text: str) -> int:
    # Advisory locks are the whole database's: the service is part of the text, as it is of the table's schema.
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def in_flight() -> Conflict:
    return Conflict(
        "idempotency_in_flight",
        "A request with this Idempotency-Key is being worked on, or has just been answered. Send it again in a moment.",
    )


async def once(request: Request) -> Once:
    # Read here, declared in openapi.py: a declared header parameter costs 20 us of every request.
    idempotency_key = request.headers.get("idempotency-key")
    ex = exchange(request.scope)
    caller = ex.principal
    if caller is None:
        raise RuntimeError("an idempotency key needs a principal: this path is public")
    if idempotency_key is not None:
        check_key(idempotency_key)
        ex.line.add(idempotency_key=idempotency_key)
    who = caller.subject if caller.act is None else f"{caller.subject}/{caller.act.person_id}"
    route = f"{request.method} {request.scope['path']}"
    digest = ex.body_hash() if ex.body_hash is not None and idempotency_key is not None else b""
    return Once(idempotency_key, caller.marketplace_id, who, route, digest, service=ex.service)


def check_key(key: str) -> None:
    if not 0 < len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise BadRequest("invalid_idempotency_key", f"Idempotency-Key takes 1 to {MAX_KEY} printable ASCII characters.")


Idempotent = Annotated[Once, Depends(once)]
