"""What other services and channels tell over Kafka, and what the order service tells them: the real broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from contracts.envelope import Event, Received, decode, encode
from contracts.inbound import ListingChanged, OrderSubmitted, PaymentSettled, SubmittedOrder
from contracts.money import Money
from contracts.order import OrderEvent
from contracts.topics import ORDER_TOPIC_NAMES
from deploy.embedded.process import free_port
from services.order.app import service
from shared.ids import new_id
from shared.process import Runtime, running
from tests.integration.order.conftest import settings_of
from tests.integration.order.market import Market
from tests.issuer import TokenIssuer
from tests.stack import Stack, StackDatabase
from tests.waiting import until

NOW = datetime.now(UTC)


class Wire:
    """The topics, from outside."""

    def __init__(self, stack: Stack, prefix: str, producer: AIOKafkaProducer) -> None:
        self.stack, self.prefix, self._producer = stack, prefix, producer

    async def send(self, event: Event, event_id: UUID | None = None) -> UUID:
        found = event_id or new_id()
        record = encode(event, event_id=found, source="/test", time=datetime.now(UTC))
        await self._producer.send_and_wait(
            self.prefix + record.topic, record.value, key=record.key.encode(), headers=record.headers
        )
        return found

    async def told(self, shop: Market, count: int) -> list[Received[OrderEvent]]:
        """The first `count` order events of a marketplace, in the order of each order's sequence."""
        consumer = AIOKafkaConsumer(
            *(self.prefix + t for t in ORDER_TOPIC_NAMES),
            bootstrap_servers=self.stack.kafka_bootstrap, auto_offset_reset="earliest", group_id=None,
        )  # fmt: skip
        await consumer.start()
        found: list[Any] = []
        try:

            async def enough() -> bool:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    events: list[Any] = [decode(r.headers, r.value) for r in records]
                    # the topics are those of all tests here
                    found.extend(e for e in events if e.event.marketplace_id == shop.id)
                return len(found) >= count

            await until(enough, what=f"{count} order events")
        finally:
            await consumer.stop()
        return sorted(found, key=lambda r: (r.event.order.number, r.event.sequence))


@pytest.fixture(scope="module")
async def whole(
    module_database: StackDatabase, module_topic_prefix: str, issuer: TokenIssuer, stack: Stack
) -> AsyncIterator[Runtime]:
    settings = settings_of(
        module_database, issuer, http_port=free_port(), kafka_bootstrap_servers=stack.kafka_bootstrap,
        topic_prefix=module_topic_prefix, parked_first_delay=0.1, parked_attempts=3,
    )  # fmt: skip
    async with running(service(settings), roles={"api", "relay", "consumer"}) as runtime:
        yield runtime


@asynccontextmanager
async def sending(stack: Stack, prefix: str) -> AsyncIterator[Wire]:
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap, acks="all")
    await producer.start()
    try:
        yield Wire(stack, prefix, producer)
    finally:
        await producer.stop()


@pytest.fixture(scope="module")
async def wire(stack: Stack, module_topic_prefix: str) -> AsyncIterator[Wire]:
    async with sending(stack, module_topic_prefix) as made:
        yield made


@pytest.fixture
async def shop(whole: Runtime, issuer: TokenIssuer, http: aiohttp.ClientSession) -> Market:
    return await Market(f"http://127.0.0.1:{whole.settings.http_port}", http, issuer, whole).open()


def _submitted(shop: Market, **given: Any) -> OrderSubmitted:
    order = SubmittedOrder.model_validate(shop.order("10.00", channel="shopify", **given))
    return OrderSubmitted(marketplace_id=shop.id, order=order)


def _payment(shop: Market, payment_id: str, **given: Any) -> PaymentSettled:
    """The whole of an order of 20.00, by its external id."""
    fields: dict[str, Any] = {
        "marketplace_id": shop.id, "payment_id": payment_id, "channel": "shopify", "kind": "paid", "settled_at": NOW,
        "amount": Money(amount="20.00", currency="USD"),
    }  # fmt: skip
    return PaymentSettled(**fields | given)


async def _orders(shop: Market) -> Any:
    return await shop.rows("SELECT id, number, money, total_minor FROM orders WHERE marketplace_id = $1", shop.id)


async def test_members_are_learned_from_the_topic(whole: Runtime, wire: Wire, shop: Market) -> None:
    newcomer = shop.member_changed(shop.seller, version=50)
    changed = newcomer.model_copy(
        update={"organisation": newcomer.organisation.model_copy(update={"name": "Shop & Sons", "slug": "sons"})}
    )
    await wire.send(changed)

    async def known() -> bool:
        rows = await shop.rows("SELECT name FROM organisation WHERE id = $1", shop.shop.organisation_id)
        return bool(rows) and rows[0]["name"] == "Shop & Sons"

    await until(known)
    body = shop.order("10.00")
    body["lines"][0]["seller"] = "sons"
    assert (await shop.place(body))["seller"]["name"] == "Shop & Sons"
    old = shop.order("10.00")
    assert (await shop.call("POST", "/v1/orders", shop.operator, old)).status == 422


async def test_a_submitted_order_is_placed_once_however_often_it_is_sent(wire: Wire, shop: Market) -> None:
    first = _submitted(shop, external_id="S-1")
    event_id = await wire.send(first)
    await wire.send(first, event_id)
    await wire.send(first)
    await wire.send(_submitted(shop, external_id="S-2"))

    async def both() -> bool:
        return len(await _orders(shop)) == 2

    await until(both)
    events = [r.event for r in await wire.told(shop, 2)]
    assert [(e.TYPE, e.sequence) for e in events] == [("order.created", 1), ("order.created", 1)]
    assert {e.order.external_id for e in events} == {"S-1", "S-2"}


async def test_a_submitted_order_without_an_id_is_recognised_by_its_event(wire: Wire, shop: Market) -> None:
    event = _submitted(shop)
    event_id = await wire.send(event)
    await until(lambda: _orders(shop))
    await wire.send(event, event_id)
    await wire.send(_submitted(shop, external_id="last"))

    async def last() -> bool:
        return len(await _orders(shop)) == 2

    await until(last)


async def test_an_order_that_can_never_be_placed_ends_among_the_dead_letters(wire: Wire, shop: Market) -> None:
    await wire.send(_submitted(shop, external_id="D-1", buyer="nobody"))
    wrong = SubmittedOrder.model_validate(
        shop.order("10.00", channel="shopify", external_id="D-2") | {"lifecycle": "no-such"}
    )
    await wire.send(OrderSubmitted(marketplace_id=shop.id, order=wrong))

    async def dead() -> Any:
        return await shop.rows("SELECT reason FROM dead_letter WHERE marketplace_id = $1", shop.id)

    rows = await until(dead)
    assert "unknown_lifecycle" in rows[0]["reason"]
    await until(lambda: _orders(shop), what="the order that can be placed, whichever comes first")
    assert len(await _orders(shop)) == 1  # the unknown buyer is stood in for by the marketplace's own organisation


async def test_a_text_that_no_database_keeps_stops_nobody_else(wire: Wire, shop: Market, whole: Runtime) -> None:
    await wire.send(_submitted(shop, external_id="no\x00body"))
    await wire.send(_payment(shop, "pay-\x00", external_id="a\x00b"))
    await wire.send(_submitted(shop, external_id="N-2"))
    await until(lambda: _orders(shop), what="the order behind the one that cannot be kept")

    async def dead() -> Any:
        found = await shop.rows("SELECT reason FROM dead_letter WHERE reason LIKE '%NUL character%'")
        return sorted(r["reason"] for r in found) if len(found) == 2 else None

    submitted, settled = await until(dead)
    assert "order.external_id has a NUL character" in submitted
    assert "payment.settled" in settled


async def test_payments_that_no_order_could_make_right_are_told_at_once(wire: Wire, shop: Market) -> None:
    long = "0088:7300010000001/0192:987654325/" + "9" * 150
    order = await shop.place(shop.order("10.00", external_id=long, channel="shopify"))
    await wire.send(_payment(shop, "nothing", external_id=long, amount=Money(amount="0.00", currency="USD")))
    await wire.send(_payment(shop, "whole", external_id=long))

    async def settled() -> bool:
        dead = await shop.rows("SELECT reason FROM dead_letter WHERE marketplace_id = $1", shop.id)
        return [("nothing: amount is 0.00" in r["reason"]) for r in dead] == [True]

    await until(settled, what="the payment of nothing among the dead letters")

    async def paid() -> bool:
        return bool((await shop.get(order, shop.operator))["money"] == "paid")

    await until(paid, what="the payment for an order with a long external id")


async def test_nothing_waits_behind_what_fails_elsewhere(
    wire: Wire, shop: Market, whole: Runtime, issuer: TokenIssuer, http: aiohttp.ClientSession
) -> None:
    """External ids are those of a channel of a marketplace: others may have the same ones."""
    other = await Market(shop.url, http, issuer, whole).open()
    order = await other.place(other.order("10.00", external_id="1001", channel="shopify"))
    elsewhere = await other.place(other.order("10.00", external_id="1001", channel="web"))
    await wire.send(_payment(shop, "early", external_id="1001"))  # for an order that is not here
    await until(lambda: shop.rows("SELECT 1 FROM parked WHERE marketplace_id = $1", shop.id))
    await wire.send(_payment(other, "on-time", external_id="1001"))
    await wire.send(_payment(other, "on-time-too", external_id="1001", channel="web"))

    async def paid() -> bool:
        return [(await other.get(o, other.operator))["money"] for o in (order, elsewhere)] == ["paid", "paid"]

    await until(paid, seconds=20, what="payments that have their orders")
    # nor do orders without an external id wait behind one that cannot be placed yet
    stranger = _submitted(shop).model_copy(update={"marketplace_id": new_id()})
    await wire.send(stranger)
    await until(lambda: shop.rows("SELECT 1 FROM parked WHERE marketplace_id = $1", stranger.marketplace_id))
    await wire.send(_submitted(shop))
    await until(lambda: _orders(shop), seconds=20, what="the order of the marketplace that is known")


async def test_an_order_that_its_channel_cancels_is_not_left_waiting_unsaid(wire: Wire, shop: Market) -> None:
    await wire.send(_submitted(shop, external_id="gone"))
    (order,) = await until(lambda: _orders(shop))
    await wire.send(_submitted(shop, external_id="gone", external_status="cancelled"))
    (letter,) = await until(lambda: shop.rows("SELECT reason FROM dead_letter WHERE marketplace_id = $1", shop.id))
    assert "canceled_at_source" in letter["reason"]
    assert "Cancel it here" in letter["reason"]
    assert (await shop.get({"order_id": str(order["id"])}, shop.operator))["status"] == "pending"


async def test_payments_are_booked_once_by_order_or_by_external_id(wire: Wire, shop: Market) -> None:
    order = await shop.place(shop.order("10.00", external_id="P-1", channel="shopify"))
    amount = Money(amount="20.00", currency="USD")
    by_external = PaymentSettled(
        marketplace_id=shop.id, payment_id="pay-1", channel="shopify", external_id="P-1", kind="paid", amount=amount,
        settled_at=NOW,
    )  # fmt: skip
    event_id = await wire.send(by_external)
    await wire.send(by_external, event_id)

    async def paid() -> bool:
        return bool((await _orders(shop))[0]["money"] == "paid")

    await until(paid)
    assert (await shop.get(order, shop.operator))["totals"]["paid"]["amount"] == "20.00"

    refund = await shop.call(
        "POST", f"/v1/orders/{order['order_id']}/refunds", shop.operator,
        {"amount": {"amount": "5.00", "currency": "USD"}},
    )  # fmt: skip
    assert refund.status == 201
    assert (await shop.get(order, shop.operator))["totals"]["refunded"]["amount"] == "5.00"
    back = by_external.model_copy(
        update={"payment_id": "cb-1", "kind": "chargeback", "order_id": UUID(order["order_id"]),
                "channel": None, "external_id": None}
    )  # fmt: skip
    await wire.send(back)

    async def charged_back() -> bool:
        return bool((await shop.get(order, shop.operator))["issue"] == "open")

    await until(charged_back)


async def test_a_payment_before_its_order_waits_for_it(
    database: StackDatabase, topic_prefix: str, issuer: TokenIssuer, stack: Stack, http: aiohttp.ClientSession
) -> None:
    settings = settings_of(
        database, issuer, http_port=free_port(), kafka_bootstrap_servers=stack.kafka_bootstrap,
        topic_prefix=topic_prefix, parked_first_delay=0.1, parked_attempts=50,
    )  # fmt: skip
    async with running(service(settings), roles={"api", "consumer"}) as patient, sending(stack, topic_prefix) as wire:
        shop = await Market(f"http://127.0.0.1:{settings.http_port}", http, issuer, patient).open()
        await _pay_and_place(wire, shop)


async def _pay_and_place(wire: Wire, shop: Market) -> None:
    payment = PaymentSettled(
        marketplace_id=shop.id, payment_id="pay-2", channel="shopify", external_id="P-2", kind="paid",
        amount=Money(amount="20.00", currency="USD"), settled_at=NOW,
    )  # fmt: skip
    await wire.send(payment)

    async def parked() -> Any:
        return await shop.rows("SELECT 1 FROM parked WHERE marketplace_id = $1", shop.id)

    await until(parked)
    await shop.place(shop.order("10.00", external_id="P-2", channel="shopify"))

    async def paid() -> bool:
        return bool((await _orders(shop))[0]["money"] == "paid")

    await until(paid)


async def test_listings_are_kept_up_to_date_and_never_go_back_in_time(wire: Wire, shop: Market) -> None:
    listing_id = new_id()
    fields: dict[str, Any] = {"marketplace_id": shop.id, "listing_id": listing_id, "seller": "shop", "sku": "W-1"}
    price = Money(amount="9.00", currency="USD")
    await wire.send(ListingChanged(**fields, changed_at=NOW, name="Wheel", price=price, available="4"))

    async def there() -> Any:
        return await shop.rows("SELECT on_hand, name FROM listing WHERE id = $1", listing_id)

    await until(there)
    assert (await shop.buy({"listing_id": str(listing_id)}, "3")).status == 201
    older = NOW - timedelta(days=365)
    await wire.send(ListingChanged(**fields, changed_at=older, available="99"))
    newer = NOW + timedelta(days=365)
    await wire.send(ListingChanged(**fields, changed_at=newer, available="8"))

    async def newest() -> bool:
        return bool((await there())[0]["on_hand"] == 8)

    await until(newest)
    seen = (await shop.call("GET", f"/v1/listings/{listing_id}", shop.seller)).json
    assert (seen["available"], seen["reserved"], seen["name"]) == ("5", "3", "Wheel")
    # a statement of the future shuts out nothing that is told after it, nor does one that was kept as it said
    for kept, stock in ((None, "7"), (newer, "6")):
        if kept is not None:
            async with shop.runtime.worker_db.transaction() as tx:
                await tx.execute("UPDATE listing SET changed_at = $2 WHERE id = $1", listing_id, kept)
        await wire.send(ListingChanged(**fields, changed_at=datetime.now(UTC), available=stock))

        async def stated(expected: str = stock) -> bool:
            return bool(str((await there())[0]["on_hand"]) == expected)

        await until(stated)


async def test_listings_that_cannot_be_kept_end_among_the_dead_letters_with_the_reason(
    wire: Wire, shop: Market
) -> None:
    fields: dict[str, Any] = {"marketplace_id": shop.id, "seller": "shop", "sku": "V-1", "changed_at": NOW}
    price, below = Money(amount="9.00", currency="USD"), Money(amount="-9.00", currency="USD")
    first = new_id()
    await wire.send(ListingChanged(**fields, listing_id=first, price=price))
    await until(lambda: shop.rows("SELECT 1 FROM listing WHERE id = $1", first))
    await wire.send(ListingChanged(**fields, listing_id=new_id(), price=price))
    await wire.send(ListingChanged(**fields | {"sku": "V-2"}, listing_id=new_id(), price=below))
    await wire.send(ListingChanged(**fields | {"sku": "V-3"}, listing_id=new_id()))
    naive = {"sku": "V-4", "changed_at": datetime(2026, 1, 31)}  # noqa: DTZ001 - what is sent without an offset
    await wire.send(ListingChanged(**fields | naive, listing_id=new_id(), price=price))
    # a mistaken statement does not keep the next ones of its listing waiting
    await wire.send(ListingChanged(**fields | {"seller": "shpo"}, listing_id=first, available="1"))
    await wire.send(ListingChanged(**fields, listing_id=first, available="7"))

    async def stated() -> bool:
        return bool((await shop.rows("SELECT on_hand FROM listing WHERE id = $1", first))[0]["on_hand"] == 7)

    await until(stated, seconds=20, what="the statement behind the mistaken one")

    async def dead() -> Any:
        found = await shop.rows("SELECT reason FROM dead_letter WHERE marketplace_id = $1", shop.id)
        return sorted(r["reason"] for r in found) if len(found) == 5 else None

    reasons = " ".join(await until(dead))
    for said in ("lists the SKU 'V-1' under another id", "is below zero", "is new and has no price", "has no offset",
                 "is not one of 'shpo'"):  # fmt: skip
        assert said in reasons


async def test_events_reach_the_topics_in_sequence_with_the_whole_order(wire: Wire, shop: Market) -> None:
    order = await shop.place()
    for action in ("process", "ship", "complete"):
        await shop.done(order, action, shop.seller)

    events = await wire.told(shop, 4)
    assert {str(r.event.order_id) for r in events} == {order["order_id"]}
    assert [r.event.sequence for r in events] == [1, 2, 3, 4]
    assert [r.event.TYPE for r in events] == ["order.created", "order.updated", "order.updated", "order.completed"]
    assert events[-1].event.order.status == "completed"
    assert events[-1].source == "/ordertrail/order"

    async def drained() -> bool:
        return await shop.rows("SELECT 1 FROM outbox") == []

    await until(drained)
