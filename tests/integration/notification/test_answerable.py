"""A mail that tells of a message says where to answer it: an address that is the recipient's, of that thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import SecretStr

from shared import reply_address
from shared.keyring import new_entry
from tests.waiting import until

DOMAIN = "reply.test.example"


async def test_a_message_can_be_answered_and_an_order_cannot(make_world: Callable[..., Any]) -> None:
    keys = new_entry()
    async with make_world(reply_domain=DOMAIN, reply_keys=SecretStr(keys)) as world:
        order = world.order()
        await world.tell(world.created(order))
        talk = world.message(order, world.actor("seller", "seller"), "seller", "Which colour?")
        await world.tell(talk)
        async with world.sending():
            told = await until(lambda: _mails(world, "New message"), what="the mail")
            placed = await until(lambda: _mails(world, "placed"), what="the confirmation")
        found = reply_address.read(reply_address.keys_of(keys), told.message["Reply-To"], DOMAIN)
        assert found is not None
        assert found.conversation == talk.thread_id
        assert found.is_of(world.people["buyer"].person_id, told.rcpt_to[0])
        assert not found.is_of(world.people["seller"].person_id, told.rcpt_to[0])
        assert placed.message["Reply-To"] is None


async def _mails(world: Any, subject: str) -> Any:
    return next((m for m in world.mailbox.mails(to="buyer@") if subject in m.message["Subject"]), None)
