"""Contact details in messages: hidden by the marketplace's policy from those who may not have them, and kept."""

from __future__ import annotations

import asyncpg

from tests.integration.messaging.conftest import Desk
from tests.integration.messaging.test_messages import posted_events
from tests.stack import StackDatabase

TEXT = "Call 412 34 567 or write to bea@example.com, see https://example.com/x"


async def test_the_policy_hides_from_the_other_side_and_from_previews_only(desk: Desk) -> None:
    await desk.settings(message_masking="email,phone,link")
    order_id = await desk.order()
    own = await desk.say(desk.buyer, order_id, TEXT)
    assert (own["text"], own["hidden"]) == (TEXT, [])
    _, page, _ = await desk.get(desk.seller, f"/v1/orders/{order_id}/messages")
    assert page["items"][0]["hidden"] == ["email", "link", "phone"]
    for secret in ("412", "bea@", "https://"):
        assert secret not in page["items"][0]["text"]
    assert await desk.hear(desk.operator, order_id) == [TEXT]
    assert await desk.hear(desk.buyer.colleague("admin"), order_id) == [TEXT]
    _, threads, _ = await desk.get(desk.seller, "/v1/threads")
    assert "bea@" not in threads["items"][0]["last_message"]["text"]
    (event,) = await posted_events(desk, order_id, 1)
    assert not any(secret in event.preview for secret in ("412", "bea@", "https://"))


async def test_a_changed_policy_works_on_what_was_written_before(desk: Desk) -> None:
    await desk.settings()
    order_id = await desk.order()
    await desk.say(desk.buyer, order_id, TEXT)
    assert await desk.hear(desk.seller, order_id) == [TEXT]
    await desk.member(desk.seller, version=2, settings={"message_masking": "phone"})
    (shown,) = await desk.hear(desk.seller, order_id)
    assert "412" not in shown
    assert "bea@example.com" in shown
    await desk.member(desk.seller, version=3, settings={"message_masking": "none"})
    assert await desk.hear(desk.seller, order_id) == [TEXT]


async def test_the_original_cannot_be_changed_by_the_service(desk: Desk, module_database: StackDatabase) -> None:
    order_id = await desk.order()
    await desk.say(desk.buyer, order_id, TEXT)
    conn = await asyncpg.connect(module_database.worker_dsn("messaging"))
    try:
        for sql in ("UPDATE message SET text = 'x'", "DELETE FROM message"):
            try:
                await conn.execute(sql)
            except asyncpg.InsufficientPrivilegeError:
                continue
            raise AssertionError(f"{sql} was allowed")
    finally:
        await conn.close()
