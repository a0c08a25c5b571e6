"""Copies of model orders as rows for COPY, and the processes that write them.

Orders are made in the order of their dates, as a marketplace gets them: ids, numbers, dates and so the rightmost pages
of most indexes are then the same for many rows, which is what makes writing them fast.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import random
import struct
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import Final

import asyncpg

from cli.seed_templates import CHAIN_AT, COLUMNS, Template, counted, length
from services.order.store.texts import fold
from services.order.store.writing import GENESIS
from shared.postgres.database import connect

BATCH: Final = 2_000
DAYS: Final = 730
CUSTOMERS: Final = 400_000
TIMELINE: Final = ("marketplace_id", "order_id", "sequence", "occurred_at", "event_id", "audience", "entry", "hash")
FIRST: Final = (
    "John", "Sarah", "Mike", "Åse", "José", "Łukasz", "Ingrid", "Ahmed", "Mei", "Olga", "Paul", "Anna", "Kofi", "Lena",
    "Tom", "Nina", "Ravi", "Eva", "Finn", "Zoë",
)  # fmt: skip
LAST: Final = (
    "Doe", "Miller", "Tran", "Ødegård", "Núñez", "Żak", "Berg", "Haddad", "Lin", "Petrova", "Weber", "Novak", "Mensah",
    "Koch", "Baker", "Rossi", "Iyer", "Horvat", "Larsen", "Dubois",
)  # fmt: skip
NAMES: Final = tuple(
    (name.encode(), fold(name).encode(), counted(fold(name).encode()))
    for name in (f"{first} {last}" for last in LAST for first in FIRST)
)
# COPY's binary format: its signature with no flags and nothing further, and what ends it; its times count from then.
HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END: Final = b"\xff\xff"
EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_EIGHT, _HASH = length(8), length(32)


@dataclass(frozen=True, slots=True)
class Task:
    """What every process needs to know: which orders, from what, until when, and where they go."""

    url: str
    orders: int
    seed: str
    first_number: int
    end: datetime
    templates: tuple[Template, ...]

    def batches(self) -> range:
        return range(0, self.orders, BATCH)


def rows_of(task: Task, start: int) -> tuple[bytes, bytes, int]:
    """One batch for COPY: orders, timeline entries, and how many orders. The same batch is the same again."""
    rng = random.Random(f"{task.seed}:{start}")  # noqa: S311 - made-up orders, no secrets
    orders = [HEAD]
    entries = [HEAD]
    stop = min(start + BATCH, task.orders)
    step = timedelta(days=DAYS) / task.orders
    begin = task.end - timedelta(days=DAYS)
    for n in range(start, stop):
        placed_at = begin + step * (n + rng.random())
        template = task.templates[int(rng.random() * len(task.templates))]
        _copy(template, placed_at.replace(microsecond=0), task.first_number + n, rng, orders, entries)
    return b"".join([*orders, END]), b"".join([*entries, END]), stop - start


def _copy(
    t: Template, placed_at: datetime, number: int, rng: random.Random, orders: list[bytes], entries: list[bytes]
) -> None:
    """One order of a template: other ids, another customer, another time; the timeline hashed anew."""
    who = int(rng.random() * CUSTOMERS)
    name, folded, raw_folded = NAMES[who % len(NAMES)]
    mail, digits, own = b"c%d@customer.example" % who, b"%d" % number, _id(placed_at, rng)
    values = [
        digits, _EIGHT + _int8(number), counted(b"SEED-" + digits), name, folded, raw_folded,
        mail, counted(mail), own.encode(), bytes.fromhex(own.replace("-", "")), b"",
    ]  # fmt: skip
    base, since = placed_at.replace(tzinfo=None), int((placed_at - EPOCH).total_seconds()) * 1_000_000
    for span in t.spans:
        values += ((base + timedelta(microseconds=span)).isoformat().encode(), _int8(since + span))
    chain = GENESIS
    for entry in t.entries:
        text = entry.text.filled(values)
        chain = hashlib.sha256(chain + text).digest()
        entries += (entry.before.filled(values), length(len(text)), text, _HASH, chain)
    values[CHAIN_AT] = _HASH + chain
    for place, part in enumerate(t.row):
        data = part.filled(values)
        orders += (length(len(data)), data) if place % 2 else (data,)


_int8: Final = struct.Struct(">q").pack


def _id(at: datetime, rng: random.Random) -> str:
    """All but the last digits of UUIDv7s of that moment: the templates have those."""
    stamp, bits = f"{int(at.timestamp() * 1000):012x}", f"{rng.getrandbits(56):014x}"
    return f"{stamp[:8]}-{stamp[8:]}-7{bits[:3]}-{'89ab'[rng.getrandbits(2)]}{bits[3:6]}-{bits[6:]}"


class Writer:
    """One process's connection. Rows of a batch are there together or not at all."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._runner = asyncio.Runner()
        self._conn = self._runner.run(connected(task.url))

    def write(self, start: int) -> int:
        orders, entries, count = rows_of(self._task, start)
        self._runner.run(self._copy(orders, entries))
        return count

    async def _copy(self, orders: bytes, entries: bytes) -> None:
        async with self._conn.transaction():
            await self._conn.copy_to_table("orders", source=io.BytesIO(orders), columns=COLUMNS, format="binary")
            await self._conn.copy_to_table("timeline", source=io.BytesIO(entries), columns=TIMELINE, format="binary")


async def connected(url: str) -> asyncpg.Connection:
    """The administrator's connection. A seeded order that a power cut takes away is seeded again."""
    conn = await connect(url, name="ordertrail-seed")
    await conn.execute(
        "SET search_path = orders, public; SET synchronous_commit = off; SET statement_timeout = 0;"
        "SET gin_pending_list_limit = '64MB'"
    )
    # compressing pages for the log takes a fifth of the processors here; only a superuser may choose
    await conn.execute(
        "SELECT set_config('wal_compression', 'off', false) FROM pg_roles WHERE rolname = current_user AND rolsuper"
    )
    return conn


_writer: Writer | None = None


def _begin(task: Task) -> None:
    global _writer
    _writer = Writer(task)


def _write(start: int) -> int:
    assert _writer is not None
    return _writer.write(start)


def write_all(task: Task, processes: int) -> Iterator[int]:
    """Write every batch; how many orders each had is given as it is done. Raises what a process raised."""
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin, (task,)) as pool:
        waiting = [pool.submit(_write, start) for start in task.batches()]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)
