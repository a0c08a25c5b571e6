"""An answer by e-mail becomes a message of the person whom the mail was sent to."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

from pydantic import ValidationError

from contracts.order import Side
from services.messaging import answers, errors, policy, schemas, store
from services.messaging.actions import attaching, posting
from services.messaging.attachments import MOST_FILES, MediaType
from services.messaging.policy import Reach
from services.messaging.shown import OPERATOR_NAME
from shared.errors import Unprocessable
from shared.postgres import Transaction
from shared.postgres.database import Row
from shared.process import Runtime
from shared.reply_address import LIFETIME, Reply
from shared.stop import Stop
from shared.web import Principal

FORGET_SECONDS: Final = 600.0
FORGET_ROWS: Final = 5_000
Kept = tuple[str, MediaType, bytes, bytes | None]


async def answer(run: Runtime, to: Reply, raw: bytes) -> str:
    """What became of a mail: "posted", "known" (posted before) or "automatic" (dropped). Raises Problem."""
    mail = answers.read(raw)
    if mail.automatic:
        return "automatic"
    if run.clock().date() > to.ends:
        raise Unprocessable("reply_expired", "This address takes no answers any more. Answer on the order page.")
    async with run.worker_db.transaction() as tx:
        thread = await store.thread_by_id(tx, to.conversation)
        if thread is None:
            raise errors.no_thread()
        caller = _writer(thread, await store.writers(tx, thread), to, mail)
        _, allowed = await store.rules(tx, thread.marketplace_id)
    reader = policy.reach(caller, "messages:write")
    side = reader.side_of(thread)
    if side is None:
        raise errors.no_thread()
    if len(mail.files) > MOST_FILES:
        raise Unprocessable("too_many_attachments", f"A message has at most {MOST_FILES} attachments.")
    files: list[Kept] = []
    for file in mail.files:
        files.append((file.name, *await attaching.taken(run, file.content, allowed)))
    if not mail.text and not files:
        raise Unprocessable(
            "answer_empty",
            "Nothing new was found in this mail: it has no file, and no text beside what it quotes. "
            "Write above or below the quoted text, or answer on the order page.",
        )
    digest = hashlib.sha256(mail.message_id.encode("utf-8", "replace") or raw).digest()
    async with run.db.tenant(thread.marketplace_id) as tx:
        if not await store.take_mail(tx, thread, caller.person_id or reader.reader_id, digest, run.clock()):
            return "known"
        await _post(tx, run, caller, reader, thread, side, mail.text, files)
    return "posted"


async def _post(
    tx: Transaction, run: Runtime, caller: Principal, reader: Reach, thread: store.Thread, side: Side, text: str,
    files: list[Kept],
) -> None:  # fmt: skip
    kept = []
    for name, media_type, content, thumbnail in files:
        await attaching.check_room(tx, thread)
        kept.append(await attaching.keep(tx, run, thread, side, reader, name, media_type, content, thumbnail))
    try:
        ids = tuple(k.attachment_id for k in kept)
        body = schemas.PostMessage(text=text, kind=thread.kind, attachment_ids=ids)
    except ValidationError as e:
        raise Unprocessable("not_readable", _why(e, text)) from None
    await posting.put(tx, run, caller, reader, thread.order_id, body)


def _why(error: ValidationError, text: str) -> str:
    if len(text) > schemas.MOST_TEXT:
        return f"The answer has {len(text)} characters; a message has at most {schemas.MOST_TEXT}."
    return f"The answer cannot be posted: {error.errors()[0]['msg']}."


def _writer(thread: store.Thread, people: list[Row], to: Reply, mail: answers.Answer) -> Principal:
    """The person whom the mail was sent to, as the mail's only sender. Raises Unprocessable for anybody else."""
    sender = mail.senders[0] if len(mail.senders) == 1 else ""
    for person in people:
        if sender and to.is_of(person["person_id"], sender):
            return _principal(thread, person)
    raise Unprocessable(
        "not_the_recipient",
        "This address takes answers of the person it was made for, from the address that the mail went to. "
        "Answer from there, or on the order page.",
    )


def _principal(thread: store.Thread, person: Row) -> Principal:
    names = {thread.buyer_organisation_id: thread.buyer_name, thread.seller_organisation_id: thread.seller_name}
    return Principal(
        kind="person",
        person_id=person["person_id"],
        api_key_id=None,
        name=person["name"],
        email="",
        marketplace_id=thread.marketplace_id,
        marketplace_slug="",
        organisation_id=person["organisation_id"],
        organisation_name=names.get(person["organisation_id"], OPERATOR_NAME),
        organisation_kind=person["organisation_kind"],
        roles=frozenset(person["roles"]),
        scopes=frozenset(),
        purchasing_limit=None,
        act=None,
        token_id="",
        subject=str(person["person_id"]),
    )


async def forget(run: Runtime, stop: Stop) -> None:
    """Forget mails of addresses that take no answers any more, for as long as the process lasts."""
    while not await stop.wait(FORGET_SECONDS):
        async with run.worker_db.transaction() as tx:
            await store.forget_mails(tx, run.clock() - LIFETIME - timedelta(days=1), FORGET_ROWS)
