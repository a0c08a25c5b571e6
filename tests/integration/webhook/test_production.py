"""Outside development: https only, to public addresses and usual ports; refused when made, and once more when sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from deploy.embedded.process import free_port
from tests.integration.webhook.world import World, path, settled, webhook_world
from tests.issuer import TokenIssuer
from tests.stack import StackDatabase


@pytest.fixture(scope="module")
async def production(module_database: StackDatabase, issuer: TokenIssuer) -> AsyncIterator[World]:
    async with webhook_world(module_database, issuer, free_port, environment="production") as world:
        yield world


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://shop.example/", "https://"),
        ("https://shop.example:22/", "port 22"),
        ("https://user:pass@shop.example/", "credentials"),
        ("https://127.0.0.1/", "loopback"),
        ("https://localhost/", "loopback"),
        ("https://[::ffff:169.254.169.254]/", "IPv4-mapped"),
        ("https://[64:ff9b::a9fe:a9fe]/", "NAT64"),
        ("https://0xa9fea9fe/", "number"),
        ("https://2852039166/", "number"),
        ("https://0251.0376.0251.0376/", "number"),
        ("https://10.0.0.8/", "private"),
    ],
)
async def test_refused_when_made_and_when_changed(production: World, url: str, says: str) -> None:
    code, problem = await production.call("POST", "/v1/endpoints", {"url": url})
    assert (code, problem["code"]) == (422, "url_not_allowed")
    assert says in problem["detail"]
    endpoint = await production.endpoint("https://shop.example/")
    code, problem = await production.call("PATCH", path(endpoint), {"url": url})
    assert (code, problem["code"]) == (422, "url_not_allowed")
    await production.call("DELETE", path(endpoint))


async def test_an_address_that_became_forbidden_is_not_sent_to(production: World) -> None:
    """An endpoint of before (of development, of a network that was allowed) is looked at anew with each delivery."""
    endpoint = await production.endpoint("https://shop.example/", retry_schedule=[])
    await production.admin.execute(
        "UPDATE webhook.endpoint SET url = 'http://127.0.0.1:9/' WHERE endpoint_id = $1", UUID(endpoint["endpoint_id"])
    )
    await production.take_in(production.life())
    await settled(production, endpoint, exhausted=1)
    [delivery] = await production.deliveries(endpoint)
    assert "https://" in delivery["last_error"]
    await production.call("DELETE", path(endpoint))


async def test_an_allowed_network_is_this_marketplaces_alone(production: World) -> None:
    entry = {"network": "10.77.0.0/16", "reason": "the ERP of the house"}
    assert (await production.call("PUT", "/v1/allowed-networks", entry, who="operator"))[0] == 204
    endpoint = await production.endpoint("https://10.77.0.5/")
    assert endpoint["url"] == "https://10.77.0.5/"
    other = World(production.runtime, production.processor, production.issuer, production.http)
    assert (await other.call("POST", "/v1/endpoints", {"url": "https://10.77.0.5/"}))[0] == 422
    code, problem = await production.call("POST", "/v1/endpoints", {"url": "https://10.77.0.5:5432/"})
    assert (code, "port 5432" in problem["detail"]) == (422, True)
    await production.call("DELETE", path(endpoint))
