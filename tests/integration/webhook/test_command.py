"""`ordertrail webhooks`, run as a person would run it, against the real service."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook

from tests.integration.webhook.receiver import Receiver, status
from tests.integration.webhook.world import World, path, settled
from tests.waiting import until

ROOT = Path(__file__).parents[3]


async def _started(world: World, *command: str) -> asyncio.subprocess.Process:
    token = world.bearer()["Authorization"].removeprefix("Bearer ")
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "ORDERTRAIL_TOKEN": token, "ORDERTRAIL_WEBHOOK_URL": world.base, "COLUMNS": "300"},
    )  # fmt: skip


async def _ran(world: World, *command: str) -> tuple[int, str, str]:
    """(exit code, what it printed, what it complained of)."""
    process = await _started(world, *command)
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_an_endpoint_from_the_command_line(world: World, receiver: Receiver) -> None:
    code, out, err = await _ran(
        world, "webhooks", "add", receiver.url, "--type", "order.*", "--header", "X-Tenant: seven"
    )
    assert (code, err) == (0, "")
    endpoint_id, secret = out.split()
    endpoint = {"endpoint_id": endpoint_id}
    code, out, _ = await _ran(world, "webhooks", "test", endpoint_id)
    assert (code, out.startswith("delivered: answered 200")) == (0, True)
    Webhook(secret).verify(receiver.hits[0].body, receiver.hits[0].headers)
    assert receiver.hits[0].headers["x-tenant"] == "seven"
    receiver.answer = status(500)
    await world.call("PATCH", path(endpoint), {"retry_schedule": []})
    code, out, _ = await _ran(world, "webhooks", "test", endpoint_id, "--type", "order.completed")
    assert (code, out.startswith("exhausted: answered 500")) == (1, True)
    _, out, _ = await _ran(world, "webhooks", "log", endpoint_id, "--state", "exhausted", "--json")
    assert [d["type"] for d in json.loads(out)] == ["order.completed"]
    _, out, _ = await _ran(world, "webhooks", "list")
    assert all(said in out for said in (endpoint_id, receiver.url, "active"))


async def test_an_endpoint_signs_as_the_command_line_says(world: World, receiver: Receiver) -> None:
    code, out, err = await _ran(world, "webhooks", "add", receiver.url, "--signature", "both")
    assert (code, err) == (0, "")
    endpoint_id, secret, public = out.split()
    assert (await world.call("GET", f"/v1/endpoints/{endpoint_id}"))[1]["signature"] == "both"
    assert (await _ran(world, "webhooks", "test", endpoint_id))[0] == 0
    hit = receiver.hits[0]
    Webhook(secret).verify(hit.body, hit.headers)
    signed = f"{hit.headers['webhook-id']}.{hit.headers['webhook-timestamp']}.".encode() + hit.body
    [asymmetric] = [s for s in hit.headers["webhook-signature"].split() if s.startswith("v1a,")]
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    key.verify(base64.b64decode(asymmetric.removeprefix("v1a,")), signed)


async def test_what_is_missing_is_sent_again(world: World, receiver: Receiver) -> None:
    receiver.answer = status(500)
    endpoint = await world.endpoint(receiver.url, retry_schedule=[])
    await world.take_in([*world.life(1), *world.life()])
    await settled(world, endpoint, exhausted=3)
    receiver.answer = status(200)
    code, out, err = await _ran(world, "replay", endpoint["endpoint_id"], "--from", "1h", "--type", "order.created")
    assert (code, out) == (0, "2 of 3 events are sent again (done).\n"), err
    await settled(world, endpoint, exhausted=3, delivered=2)


async def test_listening_prints_what_comes_and_leaves_nothing_behind(world: World) -> None:
    process = await _started(world, "webhooks", "listen", "--events", "2", "--type", "order.*", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    assert b"Listening as endpoint" in await process.stderr.readline()
    events = world.life(1)
    await world.take_in(events)
    out, _ = await process.communicate()
    printed = [json.loads(line) for line in out.splitlines()]
    assert [(p["type"], p["data"]["sequence"]) for p in printed] == [("order.created", 1), ("order.updated", 2)]
    assert process.returncode == 0

    async def gone() -> bool:
        return bool((await world.call("GET", "/v1/endpoints"))[1]["items"] == [])

    await until(gone)


async def test_refusals_are_one_line(world: World) -> None:
    unknown = "01930000-0000-7000-8000-000000000000"
    for command, said in (
        (("webhooks", "add", "ftp://shop.example/"), "must start with https://"),
        (("webhooks", "add", "http://127.0.0.1:9/", "--header", "nothing"), "a header is 'Name: value'"),
        (("webhooks", "test", unknown), "There is no such endpoint."),
        (("replay", unknown, "--from", "yesterday"), "'yesterday' is no time"),
    ):
        code, _, err = await _ran(world, *command)
        assert (code, said in err, len(err.splitlines())) == (1, True, 1), err
