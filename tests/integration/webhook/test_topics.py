"""From the topic to the receiver: the real consumer, the real broker."""

from __future__ import annotations

from aiokafka import AIOKafkaProducer
from standardwebhooks import Webhook

from contracts.envelope import encode
from contracts.messaging import MessagePosted
from contracts.order import Actor
from deploy.embedded.process import free_port
from shared.clock import utc_now
from shared.ids import new_id
from tests.integration.webhook.receiver import Receiver
from tests.integration.webhook.world import webhook_world
from tests.issuer import TokenIssuer
from tests.stack import Stack, StackDatabase
from tests.waiting import until


async def test_orders_and_messages_from_their_topics(
    stack: Stack, database: StackDatabase, topic_prefix: str, issuer: TokenIssuer, receiver: Receiver
) -> None:
    kafka = {"kafka_bootstrap_servers": stack.kafka_bootstrap, "topic_prefix": topic_prefix}
    roles = ("api", "consumer", "worker", "relay")
    async with webhook_world(database, issuer, free_port, roles=roles, **kafka) as world:
        endpoint = await world.endpoint(receiver.url)
        events = world.life(5)
        message = MessagePosted(
            marketplace_id=world.marketplace, order_id=events[0].order_id, order_number="ORD-1", thread_id=new_id(),
            message_id=new_id(), seq=1, posted_at=utc_now(), sender=Actor(kind="person", name="Sam", side="seller"),
            sender_side="seller", buyer_organisation_id=world.buyer, seller_organisation_id=world.seller,
            preview="Hello",
        )  # fmt: skip
        producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap)
        await producer.start()
        try:
            for event in (*events, message):
                r = encode(event, event_id=new_id(), source="/ordertrail/test", time=utc_now())
                await producer.send_and_wait(topic_prefix + r.topic, r.value, r.key.encode(), headers=r.headers)
        finally:
            await producer.stop()
        await until(lambda: len(receiver.hits) == 7, seconds=90)
        for hit in receiver.hits:
            Webhook(endpoint["secret"]).verify(hit.body, hit.headers)
        orders = [h.sequence for h in receiver.hits if h.json["type"] != "message.posted"]
        assert orders == [1, 2, 3, 4, 5, 6]
