"""Idempotency keys over HTTP and a real database: one effect, the same answer, and honest refusals."""

from __future__ import annotations

import asyncio
from uuid import UUID

import asyncpg
import pytest

from shared.errors import Conflict, Unprocessable
from shared.ids import new_id
from shared.web import Answer, Once
from tests.integration.web.conftest import Door
from tests.stack import StackDatabase


class Caller:
    """One person of one marketplace, who sends the same key again and again."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.marketplace_id, self.person_id = new_id(), new_id()
        self.token = {"marketplace_id": self.marketplace_id, "person_id": self.person_id}

    async def place(self, number: int, key: str | None, path: str = "/v1/items"):  # type: ignore[no-untyped-def]
        headers = {"Idempotency-Key": key} if key is not None else {}
        return await self.door.post(path, {"number": number}, headers=headers, **self.token)

    async def effects(self) -> int:
        async with self.door.db.tenant(self.marketplace_id) as tx:
            return int(await tx.fetchval("SELECT count(*) FROM inbox"))


@pytest.fixture
def caller(door: Door) -> Caller:
    return Caller(door)


async def test_the_same_key_and_body_get_the_same_answer_once(caller: Caller) -> None:
    first = await caller.place(1, "key-1")
    again = await caller.place(1, "key-1")
    assert first[0] == again[0] == 201
    assert first[1] == again[1]
    assert first[2]["location"] == again[2]["location"]
    assert "idempotency-replayed" not in first[2]
    assert again[2]["idempotency-replayed"] == "true"
    assert await caller.effects() == 1


async def test_another_body_or_address_under_the_same_key_is_422(caller: Caller) -> None:
    await caller.place(1, "key-1")
    status, document, _ = await caller.place(2, "key-1")
    assert (status, document["code"]) == (422, "idempotency_key_reused")
    assert await caller.effects() == 1


async def test_a_key_belongs_to_its_caller_and_marketplace(caller: Caller, door: Door) -> None:
    await caller.place(1, "shared")
    colleague = Caller(door)
    colleague.token["marketplace_id"] = caller.marketplace_id
    stranger = Caller(door)
    stranger.token["person_id"] = caller.person_id
    assert (await colleague.place(2, "shared"))[0] == 201
    assert (await stranger.place(3, "shared"))[0] == 201
    assert await caller.effects() == 2


async def test_without_a_key_each_request_counts(caller: Caller) -> None:
    await caller.place(1, None)
    await caller.place(1, None)
    assert await caller.effects() == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "sm\xf8rrebr\xf8d"])
async def test_a_malformed_key_is_400(caller: Caller, key: str) -> None:
    status, document, _ = await caller.place(1, key)
    assert (status, document["code"]) == (400, "invalid_idempotency_key")
    assert await caller.effects() == 0


async def test_a_refused_request_keeps_nothing_and_may_be_mended(caller: Caller) -> None:
    status, _, _ = await caller.place(-1, "key-1")
    assert status == 422
    assert (await caller.place(1, "key-1"))[0] == 201


async def test_in_flight_is_409_then_the_answer(caller: Caller) -> None:
    gate = caller.door.gate
    gate.open.clear()
    gate.waiting.clear()
    try:
        first = asyncio.create_task(caller.place(1, "key-1"))
        async with asyncio.timeout(60):
            await gate.waiting.wait()
            status, document, _ = await caller.place(1, "key-1")
        assert (status, document["code"]) == (409, "idempotency_in_flight")
    finally:
        gate.open.set()
    assert (await first)[0] == 201
    status, _, headers = await caller.place(1, "key-1")
    assert (status, headers["idempotency-replayed"]) == (201, "true")
    assert await caller.effects() == 1


async def test_thirty_at_once_have_one_effect(caller: Caller) -> None:
    answers = await asyncio.gather(*(caller.place(1, "key-1") for _ in range(30)))
    assert {a[0] for a in answers} <= {201, 409}
    assert len({a[1]["id"] for a in answers if a[0] == 201}) == 1
    assert await caller.effects() == 1


def _once(marketplace_id: UUID, body: bytes = b"body") -> Once:
    return Once("key-1", marketplace_id, "me", "POST /x", body, service="identity")


async def test_a_commit_between_snapshot_and_lock_is_found_by_the_primary_key(door: Door) -> None:
    """The look-up's snapshot may be older than the other's commit: then the row itself refuses the second effect."""
    marketplace_id = new_id()
    async with door.db.tenant(marketplace_id) as tx:
        assert await _once(marketplace_id).keep(tx, Answer(201, b"{}"))

    async def again() -> None:
        async with door.db.tenant(marketplace_id) as tx:
            await tx.execute("INSERT INTO inbox (event_id, marketplace_id) VALUES ($1, $2)", new_id(), marketplace_id)
            await _once(marketplace_id).keep(tx, Answer(201, b"{}"))

    with pytest.raises(Conflict, match="idempotency_in_flight"):
        await again()
    async with door.db.tenant(marketplace_id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM inbox") == 0


async def test_a_service_may_insert_the_row_itself_and_settle(door: Door) -> None:
    marketplace_id = new_id()
    sql = (
        "INSERT INTO idempotency (marketplace_id, caller, key, route, body_hash, status, response, headers) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    )
    once = _once(marketplace_id)
    async with door.db.tenant(marketplace_id) as tx:
        await tx.execute(sql, *once.row(Answer(201, b'{"n":1}', {"etag": '"1"'})))
    caught: asyncpg.UniqueViolationError | None = None
    try:
        async with door.db.tenant(marketplace_id) as tx:
            await tx.execute(sql, *once.row(Answer(201, b'{"n":2}')))
    except asyncpg.UniqueViolationError as e:
        caught = e
    assert caught is not None
    kept = await once.settle(door.db, caught)
    assert (kept.status, kept.body, kept.headers, kept.replayed) == (201, b'{"n":1}', {"etag": '"1"'}, True)
    with pytest.raises(Unprocessable, match="idempotency_key_reused"):
        await _once(marketplace_id, b"another").settle(door.db, caught)


async def test_rows_are_seen_by_their_marketplace_only(door: Door, module_database: StackDatabase) -> None:
    mine, foreign = new_id(), new_id()
    async with door.db.tenant(mine) as tx:
        await _once(mine).keep(tx, Answer(201, b"{}"))
    async with door.db.tenant(foreign) as tx:
        assert await tx.fetchval("SELECT count(*) FROM idempotency WHERE marketplace_id = $1", mine) == 0
