"""Answers by e-mail through a real SMTP door: posted once, by whom the mail went to, and refused with the reason."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import aiosmtplib
import pytest

from services.messaging.door import MOST_MAILS
from shared import reply_address
from shared.ids import new_id
from tests.images import PDF, SECRET, exif, image
from tests.integration.messaging.conftest import Desk, Somebody
from tests.integration.messaging.test_messages import posted_events
from tests.waiting import until

BEA, SAM = "bea@buyer.example", "sam@seller.example"


class Post:
    """The buyer's way to answer: addresses, and the door."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.settings: Any = desk.runtime.settings

    async def address(self, order_id: UUID, who: Somebody, email: str, kind: str = "buyer_seller") -> str:
        _, found, _ = await self.desk.get(self.desk.operator, f"/v1/threads?order_id={order_id}")
        [thread] = [t["thread_id"] for t in found["items"] if t["kind"] == kind]
        [key] = reply_address.keys_of(self.settings.reply_keys.get_secret_value())
        now = self.desk.runtime.clock()
        return reply_address.make(key, UUID(thread), who.person_id, email, now, self.settings.reply_domain)

    async def send(self, to: str, mail: EmailMessage | bytes, sender: str = BEA) -> None:
        host, _, port = self.settings.reply_listen.rpartition(":")
        async with aiosmtplib.SMTP(hostname=host, port=int(port), start_tls=False) as door:
            await door.mail(sender)
            await door.rcpt(to)
            await door.data(mail if isinstance(mail, bytes) else bytes(mail))

    async def refused(self, to: str, mail: EmailMessage | bytes, sender: str = BEA) -> str:
        with pytest.raises(aiosmtplib.SMTPResponseException) as refusal:
            await self.send(to, mail, sender)
        return f"{refusal.value.code} {refusal.value.message}"


def written(text: str = "It is blue", sender: str = f"Bea <{BEA}>", **headers: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["Subject"], mail["Message-ID"] = sender, "Re: New message", f"<{new_id()}@buyer.example>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(f"{text}\n\nOn Monday Market wrote:\n> ##- Write your answer above this line -##\n> Colour?\n")
    return mail


@pytest.fixture
async def post(desk: Desk) -> Post:
    for party in (desk.buyer, desk.seller, desk.operator):
        await desk.member(party, roles=party.roles)
    found = Post(desk)
    host, _, port = found.settings.reply_listen.rpartition(":")

    async def opened() -> bool:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        return True

    await until(opened, what="the door to be open")
    return found


async def test_an_answer_is_a_message_of_the_person_and_is_posted_once(desk: Desk, post: Post) -> None:
    order_id = await desk.order()
    await desk.say(desk.seller, order_id, "Which colour?")
    to = await post.address(order_id, desk.buyer, BEA)
    mail = written()
    mail.add_attachment(image("JPEG", exif=exif()), maintype="image", subtype="jpeg", filename="før.jpg")
    mail.add_attachment(PDF, maintype="application", subtype="pdf", filename="r.pdf")
    await asyncio.gather(*(post.send(to, mail) for _ in range(MOST_MAILS)))
    await post.send(to.upper(), mail)
    assert await desk.hear(desk.seller, order_id) == ["Which colour?", "It is blue"]
    _, page, _ = await desk.get(desk.buyer, f"/v1/orders/{order_id}/messages")
    said = page["items"][1]
    assert (said["own"], said["sender"]["side"], said["sender"]["name"]) == (True, "buyer", desk.buyer.name)
    assert said["sender"]["organisation_name"] == "Buyer Ltd"
    assert [f["file_name"] for f in said["attachments"]] == ["før.jpg", "r.pdf"]
    path = f"/v1/orders/{order_id}/attachments/{said['attachments'][0]['attachment_id']}"
    assert SECRET not in (await desk.fetch(desk.seller, path))[1]
    assert page["thread"]["awaiting_reply"]["side"] == "seller", "an answer by e-mail is an answer"
    event = (await posted_events(desk, order_id, 2))[1]
    assert (event.seq, event.sender.id, event.attachment_count) == (2, desk.buyer.person_id, 2)


async def test_sellers_and_operators_answer_in_their_own_thread(desk: Desk, post: Post) -> None:
    order_id = await desk.order()
    await desk.say(desk.operator, order_id, "Please ship", kind="seller_operator")
    await post.send(
        await post.address(order_id, desk.seller, SAM, "seller_operator"), written("Tomorrow", SAM), sender=SAM
    )
    assert await desk.hear(desk.operator, order_id, "kind=seller_operator") == ["Please ship", "Tomorrow"]
    olga = "olga@market.example"
    await post.send(await post.address(order_id, desk.operator, olga), written("Hello both", olga), sender=olga)
    assert await desk.hear(desk.buyer, order_id) == ["Hello both"]
    stranger = await post.address(order_id, desk.buyer, BEA, "seller_operator")
    assert "no such message thread" in await post.refused(stranger, written())


async def test_an_address_is_of_no_use_to_anybody_else(desk: Desk, post: Post) -> None:
    order_id = await desk.order()
    to = await post.address(order_id, desk.buyer, BEA)
    for sender in (SAM, "bea@elsewhere.example", "", f"{BEA}, {SAM}", f"=?utf-8?q?{BEA}?="):
        mail = written()
        mail.replace_header("From", "x@x.example")
        raw = bytes(mail).replace(b"x@x.example", sender.encode())
        assert "554 5.6.0 This address takes answers of the person" in await post.refused(to, raw)
    await desk.member(desk.buyer, version=2, roles=desk.buyer.roles, active=False)
    assert "554" in await post.refused(to, written())
    forged = "reply+" + ("b" if to[6] == "a" else "a") + to[7:]
    for wrong in (forged, "postmaster@reply.test.example", to.replace("reply.test", "other.test"), "reply+@x.example"):
        assert "550 5.1.1 no such mailbox" in await post.refused(wrong, written())
    assert await desk.hear(desk.seller, order_id) == []


async def test_an_address_ends(desk: Desk, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    order_id = await desk.order()
    to = await post.address(order_id, desk.buyer, BEA)
    clock = desk.runtime.clock
    monkeypatch.setattr(desk.runtime, "clock", lambda: clock() + reply_address.LIFETIME + timedelta(days=1))
    assert "550 5.1.6 this address takes no answers any more" in await post.refused(to, written())


async def test_machines_are_not_answered_and_not_posted(desk: Desk, post: Post) -> None:
    order_id = await desk.order()
    to = await post.address(order_id, desk.buyer, BEA)
    await post.send(to, written(Auto_Submitted="auto-replied"))
    await post.send(to, written(Precedence="bulk"))
    await post.send(to, written(), sender="")
    assert await desk.hear(desk.seller, order_id) == []


async def test_what_cannot_be_posted_says_why_and_may_be_sent_again(desk: Desk, post: Post) -> None:
    order_id = await desk.order()
    to = await post.address(order_id, desk.buyer, BEA)
    svg, many = written(), written()
    svg.add_attachment(b"<svg/>", maintype="image", subtype="svg+xml", filename="a.svg")
    for _ in range(6):
        many.add_attachment(PDF, maintype="application", subtype="pdf", filename="r.pdf")
    for mail, why in (
        (written(""), "Nothing new was found in this mail"),
        (written("x" * 5_000), "The answer has 5000 characters; a message has at most 4000."),
        (svg, "Only JPEG, PNG and WebP images and PDFs are taken."),
        (many, "at most 5 attachments"),
    ):
        assert why in await post.refused(to, mail)
    assert "552" in await post.refused(to, b"From: x\n\n" + b"xxx\n" * 600_000)
    assert await desk.hear(desk.seller, order_id) == []
    parts: Any = svg.get_payload()
    svg.set_payload(parts[:1])  # the same mail without what was wrong with it
    await post.send(to, svg)
    assert await desk.hear(desk.seller, order_id) == ["It is blue"]


async def test_contact_details_in_an_answer_are_hidden_as_in_any_message(desk: Desk, post: Post) -> None:
    order_id = await desk.order()
    await desk.member(desk.seller, version=2, roles=desk.seller.roles, settings={"message_masking": "email"})
    await post.send(await post.address(order_id, desk.buyer, BEA), written("Write to me@private.example"))
    assert await desk.hear(desk.seller, order_id) == ["Write to [e-mail address hidden]"]


async def test_garbage_is_harmless(desk: Desk, post: Post) -> None:
    order_id = await desk.order()
    to = await post.address(order_id, desk.buyer, BEA)
    raw = f"From: {BEA}\r\nContent-Type: text/plain; charset=no-such\r\n\r\n".encode() + b"caf\xff \xe2\x82\xac"
    await post.send(to, raw)
    assert await desk.hear(desk.seller, order_id) == ["caf\ufffd €"]
    assert "554" in await post.refused(to, b"\xff\xfe\x00\r\n" * 1_000)
