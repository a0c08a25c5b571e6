"""The live stream: those who may know are told at once, nobody else, and a slow or greedy reader is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from services.messaging import metrics
from shared.ids import new_id
from tests.integration.messaging.conftest import Desk, Somebody
from tests.waiting import until


class Listener:
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def next(self) -> tuple[str, dict[str, Any]]:
        """The next event that is not a heartbeat."""
        name = ""
        async with asyncio.timeout(60):
            while True:
                line = (await self._answer.content.readline()).decode().rstrip("\n")
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    return name, orjson.loads(line.removeprefix("data: "))


@asynccontextmanager
async def listening(desk: Desk, who: Somebody, **claims: Any) -> AsyncIterator[Listener]:
    async with desk.http.get(desk.url + "/v1/stream", headers=desk.bearer(who, **claims)) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        listener = Listener(answer)
        assert (await listener.next())[0] == "ready"
        yield listener


async def test_those_who_may_know_are_told_and_nobody_else(desk: Desk) -> None:
    order_id, other = await desk.order(), await desk.order()
    stranger = Somebody("seller", ("seller",), "Other")
    async with (
        listening(desk, desk.seller) as seller,
        listening(desk, desk.buyer) as buyer,
        listening(desk, stranger) as outsider,
        listening(desk, desk.seller, marketplace_id=new_id()) as abroad,
    ):
        await desk.say(desk.buyer, order_id, "hello")
        name, told = await seller.next()
        assert (name, told["order_id"], told["seq"], told["own"]) == ("message", str(order_id), 1, False)
        assert "text" not in told
        assert (await buyer.next())[1]["own"] is True
        await desk.say(desk.seller, other, "between us", kind="seller_operator")
        assert (await seller.next())[1]["kind"] == "seller_operator"
        await desk.say(desk.seller, other, "to the buyer")
        assert (await buyer.next())[1]["kind"] == "buyer_seller"
        for silent in (outsider, abroad):
            try:
                async with asyncio.timeout(1.5):
                    raise AssertionError(f"was told {await silent.next()}")
            except TimeoutError:
                pass


async def test_streams_are_counted_and_given_back(desk: Desk) -> None:
    third = desk.http.get(desk.url + "/v1/stream", headers=desk.bearer(desk.seller))
    async with listening(desk, desk.seller), listening(desk, desk.seller), third as refused:
        assert refused.status == 429
        assert (await refused.json())["code"] == "too_many_streams"
    await until(lambda: metrics.STREAMS._value.get() == 0, what="the streams are closed")
    async with listening(desk, desk.seller):
        pass


async def test_a_reader_that_is_too_slow_is_told_to_fetch_anew(desk: Desk) -> None:
    order_id = await desk.order()
    live = desk.runtime.wakes.get("posted")
    async with listening(desk, desk.seller) as seller:
        await asyncio.gather(*(desk.say(desk.buyer, order_id, f"m{n}") for n in range(40)))
        live.set()
        seen: list[str] = []
        while "resync" not in seen and len(seen) < 40:
            seen.append((await seller.next())[0])
    assert "resync" in seen or seen.count("message") == 40


async def test_a_key_without_the_scope_cannot_listen(desk: Desk) -> None:
    headers = desk.bearer(desk.seller, api_key_id=new_id(), scopes=["orders:read"])
    async with desk.http.get(desk.url + "/v1/stream", headers=headers) as answer:
        assert answer.status == 403
