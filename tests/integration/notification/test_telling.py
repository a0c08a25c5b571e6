"""Who is told of what, on the real database: recipients, audience, once per event, late acquaintances."""

from __future__ import annotations

from contracts.order import Approval
from tests.integration.notification.world import World


async def test_a_placed_order_is_told_to_both_sides(world: World) -> None:
    [event_id] = await world.tell(world.created())
    assert await world.told(event_id) == {
        "buyer": "order_confirmation", "seller": "order_confirmation", "mate": "team_orders",
    }  # fmt: skip
    assert await world.states() == ["pending", "pending", "skipped"]  # the colleague's e-mail is off by default
    assert await world.outbox("notification.delivered") == 3  # each is in a feed


async def test_the_same_event_again_tells_nobody_again(world: World) -> None:
    event = world.created()
    [event_id] = await world.tell(event)
    await world.tell(event, ids=[event_id])
    await world.admin.execute("DELETE FROM notification.inbox")
    await world.tell(event, ids=[event_id])
    assert len(await world.mails()) == 3
    assert await world.outbox("notification.delivered") == 3


async def test_an_order_that_waits_for_approval_never_reaches_the_seller(world: World) -> None:
    waiting = world.order(phase="approval", status="needs_approval", approval=Approval(state="needed"))
    needed = world.created(waiting)
    # even an event whose audience names the seller by mistake
    [event_id] = await world.tell(
        world.moved(waiting, "approval", world.actor("buyer", "buyer"), change={"to_phase": "approval"})
        if False
        else needed.model_copy(update={"audience": ("buyer", "seller", "operator")})
    )
    assert "seller" not in await world.told(event_id)
    assert "mate" not in await world.told(event_id)
