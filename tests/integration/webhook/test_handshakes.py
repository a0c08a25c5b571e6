"""CloudEvents' handshake: who does not answer, or does not agree, keeps nobody else waiting."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from tests.integration.webhook.receiver import Answer, Hit, Receiver, receiving, status
from tests.integration.webhook.world import World, path, settled
from tests.waiting import until


async def _silent(_: Hit, __: asyncio.StreamWriter) -> bool:
    await asyncio.Event().wait()
    return False


async def _agreeing(hit: Hit, writer: asyncio.StreamWriter) -> bool:
    origin = hit.headers.get("webhook-request-origin", "")
    return await status(200, webhook_allowed_origin=origin or "x")(hit, writer)


@pytest.mark.parametrize("answer", [_silent, status(405)], ids=["silent", "refusing"])
async def test_others_are_asked_meanwhile(world: World, receiver: Receiver, answer: Answer) -> None:
    structured = partial(world.endpoint, format="cloudevents_structured", timeout_ms=60_000)
    async with receiving(answer) as bad:
        # as many as an organisation may have
        made = [await structured(bad.url) for _ in range(50)]
        await until(lambda: len(bad.hits) >= 50, what="all of them to be asked")
        receiver.answer = _agreeing
        endpoint = await structured(receiver.url, who="buyer-admin")
        await world.take_in(world.life())
        await settled(world, endpoint, delivered=1)
        for each in made:
            await world.call("DELETE", path(each))


async def test_a_refusal_is_shown_and_asked_about_again(world: World, receiver: Receiver) -> None:
    receiver.answer = status(405)
    endpoint = await world.endpoint(receiver.url, format="cloudevents_binary")

    async def told() -> bool:
        return bool((await world.call("GET", path(endpoint)))[1]["handshake_error"])

    await until(told)
    await world.take_in(world.life())
    receiver.answer = _agreeing
    # changed settings are asked about at once, not after the pause
    assert (await world.call("PATCH", path(endpoint), {"description": "mended"}))[0] == 200
    await settled(world, endpoint, delivered=1)
    assert receiver.hits[-1].headers["ce-type"] == "order.created"
