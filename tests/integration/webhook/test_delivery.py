"""An event reaches a foreign receiver, signed so that its own library accepts it; what fails is tried again."""

from __future__ import annotations

from standardwebhooks import Webhook

from tests.integration.webhook.receiver import Receiver, status
from tests.integration.webhook.world import World
from tests.waiting import until


async def test_foreign_library_verifies(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url)
    [event_id] = await world.take_in(world.life())
    await until(lambda: receiver.hits)
    hit = receiver.hits[0]
    payload = Webhook(endpoint["secret"]).verify(hit.body, hit.headers)
    assert payload["type"] == "order.created"
    assert hit.webhook_id == f"msg_{event_id.hex}"
    assert payload["data"]["sequence"] == 1
    deliveries = await until(lambda: world.deliveries(endpoint, state="delivered"))
    assert deliveries[0]["attempts"] == 1
    code, one = await world.call("GET", f"/v1/deliveries/{deliveries[0]['delivery_id']}")
    assert code == 200
    assert [a["status"] for a in one["attempt_log"]] == [200]
    assert one["payload"] == hit.json


async def test_failure_is_tried_again_with_the_same_id(world: World, receiver: Receiver) -> None:
    receiver.answer = status(500, b"not now")
    endpoint = await world.endpoint(receiver.url, retry_schedule=[1] * 20)
    await world.take_in(world.life())
    await until(lambda: len(receiver.hits) >= 2)
    receiver.answer = status(200)
    delivered = await until(lambda: world.deliveries(endpoint, state="delivered"))
    assert len({h.webhook_id for h in receiver.hits}) == 1
    assert [h.headers["webhook-timestamp"] for h in receiver.hits] == sorted(
        h.headers["webhook-timestamp"] for h in receiver.hits
    )
    assert delivered[0]["attempts"] == len(receiver.hits)
