"""The order list through HTTP: every filter, sort and side at 1,000,000 orders against 10,000; and seeding them.

One request at a time from this process to the order service's api processes, each combination warmed up once. The two
sizes are two databases that are asked in turns, so that the machine's moment is the same for both. A filter's p99 is
over its sorts, sides and pages: the one combination that is slow is in it. Everything is asked in three rounds, and
how much a filter's p99 has grown is the middle one of their ratios: a single slow request is the machine's, one in most
rounds is the filter's.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

import aiohttp
import asyncpg

from benchmarks import list_filters, list_varied
from benchmarks.list_filters import SIDES, SORTS
from benchmarks.processor import Processor
from benchmarks.world import Figure, World, percentile, reached
from shared.postgres.migrate import bootstrap
from tests.e2e.fleet import fleet
from tests.e2e.market import Market
from tests.stack import PASSWORDS, ROOT, StackDatabase, with_database

SIZES = (10_000, 1_000_000)
# another marketplace: names that nearly all differ, and hundreds of channels
VARIED = bool(os.environ.get("BENCH_VARIED"))
SMALL_SIZES = (400, 800)
ROUNDS = 3
REPEATS = 3
WORST = 5
# of a small run: each of so many combinations is asked for once
SMALL_STEP = 29


@dataclass(frozen=True)
class Place:
    """A database of one size behind an api process of its own: what to ask it for, and where the middle pages begin."""

    url: str
    asked: dict[str, dict[str, str]]
    cursors: dict[tuple[str, str], str]
    processor: Processor


class Taken(NamedTuple):
    """By one request, in milliseconds: as the client sees it, and of processors. `what` is side, sort and page."""

    what: tuple[str, str, bool]
    time: float
    processor: float


Round = Sequence[Mapping[str, Sequence[Taken]]]


async def run(world: World) -> list[Figure]:
    """Times in milliseconds as the client sees them, and what seeding took."""
    small, large = SMALL_SIZES if world.small else SIZES
    async with market_of(world, serving=False) as market:
        if VARIED:
            await executed(world.database, list_varied.TRIGGER)
        await seed(world, small)
        async with copy_of(world.database) as other:
            seconds = await seed(world, large)
            async with place_of(market, other) as first, place_of(market, world.database) as second:
                places, times = (first, second), 1 if world.small else ROUNDS
                rounds = [await measured(places, market, small=world.small) for _ in range(times)]
    seeding = Figure(f"seeding {large:,} orders", seconds, "s", "" if world.small else "<= 300", "ordertrail seed")
    return [seeding, *figures(rounds, small, large)]


@asynccontextmanager
async def market_of(world: World, *, serving: bool = True) -> AsyncIterator[Market]:
    """A marketplace that the order service knows, and its api process if `serving`; nothing else of it runs."""
    async with fleet(world.database, ORDERTRAIL_LOG_LEVEL="warning") as f:
        consumer = f.add("order", "consumer")
        if serving:
            f.add("order", "api")
        await f.ready()
        market = Market(f)
        await market.announce()
        admin = await asyncpg.connect(world.database.admin_dsn)
        try:
            await reached(lambda: _known(admin))
        finally:
            await admin.close()
        await asyncio.to_thread(consumer.stop)
        yield market


async def _known(admin: asyncpg.Connection) -> bool:
    return bool(await admin.fetchval("SELECT (SELECT count(*) FROM orders.member) = 3"))


@asynccontextmanager
async def copy_of(database: StackDatabase) -> AsyncIterator[StackDatabase]:
    """The database as it is now, to be asked in turns with what it becomes."""
    name = f"{database.name}_copy"
    server = StackDatabase("postgres", with_database(database.admin_dsn, "postgres"))
    await executed(server, f"CREATE DATABASE {name} TEMPLATE {database.name}")
    try:
        copied = StackDatabase(name, with_database(database.admin_dsn, name))
        await bootstrap(copied.admin_dsn, PASSWORDS)
        yield copied
    finally:
        await executed(server, f"DROP DATABASE {name} WITH (FORCE)")


async def executed(database: StackDatabase, sql: str) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    try:
        await admin.execute(sql)
    finally:
        await admin.close()


@asynccontextmanager
async def place_of(market: Market, database: StackDatabase) -> AsyncIterator[Place]:
    """The api process of a database that is at rest."""
    f = market.fleet
    f.ports.pop("order", None)
    process = f.add(
        "order", "api", number=len(f.processes) + 1, ORDERTRAIL_DATABASE_URL=database.app_dsn("order"),
        ORDERTRAIL_WORKER_DATABASE_URL=database.worker_dsn("order"),
    )  # fmt: skip
    await f.ready(process)
    admin = await asyncpg.connect(database.admin_dsn)
    try:
        await at_rest(admin)
        known = await list_filters.known(admin, market)
        asked = list_filters.filters(known, market) | (list_varied.filters(known) if VARIED else {})
        pages = itertools.product(SIDES, SORTS)
        cursors = {(side, sort): await list_filters.deep_cursor(admin, market, side, sort) for side, sort in pages}
        assert process.popen is not None
        yield Place(f"{f.url('order')}/v1/orders", asked, cursors, Processor(process.popen.pid, admin))
    finally:
        await admin.close()


async def seed(world: World, orders: int) -> float:
    """`ordertrail seed` in a process of its own; the seconds that it took."""
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", "seed", "--orders", str(orders), cwd=ROOT, stdout=subprocess.PIPE,
        env={**os.environ, "ORDERTRAIL_ADMIN_DATABASE_URL": world.database.admin_dsn},
    )  # fmt: skip
    out, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"seeding failed: {out.decode()[-500:]}")
    return time.perf_counter() - started


async def at_rest(admin: asyncpg.Connection) -> None:
    """What seeding has left to write and to clean up is not the lists'."""
    await admin.execute("CHECKPOINT")
    await reached(lambda: _nothing_is_vacuumed(admin))


async def _nothing_is_vacuumed(admin: asyncpg.Connection) -> bool:
    return not await admin.fetchval("SELECT EXISTS (SELECT FROM pg_stat_progress_vacuum)")


async def measured(places: Sequence[Place], market: Market, *, small: bool) -> list[dict[str, list[Taken]]]:
    """What every request took, by the name of its filter, of each place."""
    wanted = list(itertools.product(places[0].asked, SIDES, SORTS, (False, True)))
    random.Random(1).shuffle(wanted)
    tokens = {side: _headers(market, side) for side in SIDES}
    times: list[dict[str, list[Taken]]] = [{} for _ in places]
    async with aiohttp.ClientSession() as http:
        for name, side, sort, deep in wanted[:: SMALL_STEP if small else 1]:
            asked = [
                {**place.asked[name], "sort": sort} | ({"cursor": place.cursors[side, sort]} if deep else {})
                for place in places
            ]
            for place in places:
                await place.processor.watch()
            taken: list[list[Taken]] = [[] for _ in places]
            # request by request in turns: a slow moment of the machine is for both
            for _ in range((1 if small else REPEATS) + 1):
                for place, params, of_place in zip(places, asked, taken, strict=True):
                    of_place.append(await _taken(http, place, params, tokens[side], (side, sort, deep), name))
            for found, of_place in zip(times, taken, strict=True):
                found.setdefault(name, []).extend(of_place[1:])
    return times


async def _taken(
    http: aiohttp.ClientSession, place: Place, params: Mapping[str, str], headers: Mapping[str, str],
    what: tuple[str, str, bool], name: str,
) -> Taken:  # fmt: skip
    before, started = place.processor.milliseconds(), time.perf_counter()
    async with http.get(place.url, params=params, headers=headers) as answer:
        body = await answer.read()
    seconds = time.perf_counter() - started
    if answer.status != 200:
        raise RuntimeError(f"{name}, {what}: {answer.status} {body[:300]!r}")
    return Taken(what, 1_000 * seconds, place.processor.milliseconds() - before)


def _headers(market: Market, side: str) -> dict[str, str]:
    kind, roles = SIDES[side]
    token = market.fleet.issuer.token(
        marketplace_id=market.marketplace_id, organisation_id=market.organisations[side],
        person_id=market.people[side], roles=roles, kind=kind, seconds=3_600,
    )  # fmt: skip
    return {"Authorization": f"Bearer {token}"}


def figures(rounds: Sequence[Round], small: int, large: int) -> Iterator[Figure]:
    """Over all requests, then the filters that are slowest and those that grew most."""
    before, after = (
        {name: [t.time for r in rounds for t in r[place][name]] for name in rounds[0][place]} for place in (0, 1)
    )
    at_small, at_large = ([t for times in found.values() for t in times] for found in (before, after))
    note = f"{len(after)} filters, {len(at_large):,} requests"
    for share in (0.5, 0.99):
        yield Figure(f"list at {small:,} orders, p{share * 100:.0f}", percentile(at_small, share), "ms", note=note)
        goal = "<= 60" if share == 0.99 else ""
        yield Figure(f"list at {large:,} orders, p{share * 100:.0f}", percentile(at_large, share), "ms", goal)
    yield Figure("p99 of all, grown by", percentile(at_large, 0.99) / percentile(at_small, 0.99), "", "<= 1.5")
    p99 = {name: (percentile(before[name], 0.99), percentile(after[name], 0.99)) for name in after}
    for name in _worst(p99, [late for _, late in p99.values()]):
        yield Figure(f"slow: {name}, p99", p99[name][1], "ms", "<= 60", f"{p99[name][0]:.1f} ms at {small:,}")
    pooled = sum(late > 1.5 * early for early, late in p99.values())
    grown = {n: statistics.median(_p99(r[1][n]) / _p99(r[0][n]) for r in rounds) for n in after}
    yield from _grown("p99", grown, p99, f"; {pooled} with all rounds as one")
    for what, measure in (("time", "time"), ("processor time", "processor")):
        slowest = {name: (_slowest(rounds, 0, name, measure), _slowest(rounds, 1, name, measure)) for name in after}
        grown = {name: late / early for name, (early, late) in slowest.items()}
        late = max(late for _, late in slowest.values())
        yield Figure(f"slowest combination of all, {what}", late, "ms", note="the middle of its requests")
        yield from _grown(f"usual {what}", grown, slowest, ", by their slowest combinations")


def _p99(taken: Sequence[Taken]) -> float:
    return percentile([t.time for t in taken], 0.99)


def _slowest(rounds: Sequence[Round], place: int, name: str, measure: str) -> float:
    """Milliseconds, of the clock or of processors, for the middle request of the filter's slowest combination."""
    found: dict[tuple[str, str, bool], list[float]] = {}
    for taken in (t for r in rounds for t in r[place][name]):
        found.setdefault(taken.what, []).append(getattr(taken, measure))
    return max(statistics.median(of_one) for of_one in found.values())


def _grown(
    what: str, grown: Mapping[str, float], figures: Mapping[str, tuple[float, float]], further: str
) -> Iterator[Figure]:  # fmt: skip
    beyond = sum(g > 1.5 for g in grown.values())
    yield Figure(f"filters whose {what} grew by more than 1.5", beyond, "", "<= 0", f"of {len(grown)}{further}")
    for name in _worst(grown, list(grown.values())):
        early, late = figures[name]
        yield Figure(f"grown: {name}", grown[name], "", "<= 1.5", f"{early:.1f} -> {late:.1f} ms")


def _worst(names: Mapping[str, object], values: Sequence[float]) -> list[str]:
    return [name for _, name in sorted(zip(values, names, strict=True), reverse=True)[:WORST]]
