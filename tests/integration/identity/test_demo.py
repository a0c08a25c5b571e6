"""`ordertrail seed-demo` and `token` against real identity and order services over the real broker."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from cli.demo_client import Caller, DemoError, session
from cli.demo_data import DEMOS, address, plan
from cli.demo_seed import _seed
from deploy.embedded.process import free_port
from services.identity.app import service as identity
from services.order.app import service as order
from services.order.settings import Settings as OrderSettings
from shared.process import running
from tests.integration.identity.conftest import KEY, settings_for
from tests.stack import Stack, StackDatabase

PASSWORD = "a demo password"


@pytest.fixture(scope="module")
async def demo(module_database: StackDatabase, module_topic_prefix: str, stack: Stack) -> AsyncIterator[dict[str, str]]:
    """Both services and their relay and consumer; what the commands need is in the environment."""
    shared: dict[str, Any] = {
        "kafka_bootstrap_servers": stack.kafka_bootstrap, "topic_prefix": module_topic_prefix,
    }  # fmt: skip
    mine = settings_for(module_database, free_port(), **shared)
    theirs = OrderSettings(
        database_url=SecretStr(module_database.app_dsn("order")),
        worker_database_url=SecretStr(module_database.worker_dsn("order")),
        http_port=free_port(), identity_issuer=mine.identity_issuer, **shared,
    )  # fmt: skip
    environment = {
        "ORDERTRAIL_DEMO_PASSWORD": PASSWORD,
        "ORDERTRAIL_IDENTITY_URL": mine.identity_issuer,
        "ORDERTRAIL_ORDER_URL": f"http://127.0.0.1:{theirs.http_port}",
        "ORDERTRAIL_DATABASE_URL": module_database.app_dsn("identity"),
        "ORDERTRAIL_WORKER_DATABASE_URL": module_database.worker_dsn("identity"),
        "ORDERTRAIL_IDENTITY_KEY": KEY,
        "ORDERTRAIL_ARGON2_MEMORY_KIB": "8192",
    }
    async with (
        running(identity(mine), roles={"api", "relay", "worker"}),
        running(order(theirs), roles={"api", "consumer"}),
    ):
        yield environment


async def test_seeding_makes_everything_once(demo: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in demo.items():
        monkeypatch.setenv(name, value)
    told = str(await _seed())
    people = sum(len(o.people) for m in plan().marketplaces for o in m.organisations)
    assert told.startswith(f"5 marketplaces, {people} people, 15 listings and ")
    assert await _seed() == "0 marketplaces, 0 people, 0 listings and 0 orders are new"
    async with session() as http:
        for each in DEMOS:
            operator = await Caller.signed_in(http, address("operator", each), PASSWORD)
            _, orders = await operator.call("GET", f"{demo['ORDERTRAIL_ORDER_URL']}/v1/orders")
            assert len(orders["items"]) == 4, each.slug
            assert len({o["phase"] for o in orders["items"]}) >= 2, each.slug
            _, channels = await operator.call("GET", f"{demo['ORDERTRAIL_ORDER_URL']}/v1/channels")
            assert {"shopify", "peppol", "csv"} <= {c["name"] for c in channels["items"]}


async def test_where_passwords_do_not_count_no_demo_is_made(
    demo: dict[str, str], module_database: StackDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = settings_for(
        module_database, free_port(), oidc_issuer="http://127.0.0.1:9", oidc_client_id="x",
        oidc_client_secret=SecretStr("x"), oidc_name="Contoso", oidc_only=True,
    )  # fmt: skip
    for name, value in {**demo, "ORDERTRAIL_IDENTITY_URL": f"http://127.0.0.1:{only.http_port}"}.items():
        monkeypatch.setenv(name, value)
    async with running(identity(only), roles={"api"}), session() as http:
        assert await _seed() is None
        with pytest.raises(DemoError, match="cannot sign in: People sign in here with Contoso only"):
            await Caller.signed_in(http, "seller@storefront.example", PASSWORD)


async def test_everybody_of_the_demo_can_sign_in(demo: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in demo.items():
        monkeypatch.setenv(name, value)
    names = ("buyer", "buyer2", "seller", "seller2", "member", "admin", "buyer-admin", "approver", "operator")
    async with session() as http:
        for each in DEMOS:
            for name in names:
                await Caller.signed_in(http, address(name, each), PASSWORD)
        with pytest.raises(DemoError, match="cannot sign in"):
            await Caller.signed_in(http, "nobody@storefront.example", PASSWORD)


async def test_the_token_command_prints_a_token_and_nothing_else(demo: dict[str, str]) -> None:
    async def command(*args: str, **more: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli", "token", *args, cwd=Path(__file__).parents[3],
            env={"PATH": os.environ["PATH"], **demo, **more},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(), 120)
        return process.returncode or 0, out.decode(), err.decode()

    code, out, err = await command("--as", "seller@storefront.example")
    assert (code, err, len(out.split())) == (0, "", 1)
    headers = {"Authorization": f"Bearer {out.strip()}"}
    async with (
        aiohttp.ClientSession() as http,
        http.get(demo["ORDERTRAIL_IDENTITY_URL"] + "/v1/me", headers=headers) as me,
    ):
        assert (await me.json())["person"]["email"] == "seller@storefront.example"
    code, out, err = await command("--as", "nobody@storefront.example")
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    code, out, err = await command("--as", "a@b.example", ORDERTRAIL_IDENTITY_URL="http://127.0.0.1:1")
    assert (code, out) == (1, "")
    assert "does not answer" in err
