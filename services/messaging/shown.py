"""How threads and messages are shown to a side: who takes part, what is hidden, what is unread. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.order import Side
from services.messaging import schemas, store
from services.messaging.attachments import shown_name
from services.messaging.masking import Masked, MaskingPolicy, hide
from services.messaging.policy import SIDES_OF, Reach, sees_original

OPERATOR_NAME = "Marketplace operator"


def message(
    m: store.Message, files: Sequence[store.Attachment], viewer: Side, reader: Reach, policy: MaskingPolicy
) -> schemas.Message:
    """A message as a side may see it: contact details of others hidden where the marketplace's policy says so."""
    original = sees_original(viewer, m.sender_side)
    masked = Masked(m.text, ()) if original else hide(m.text, m.contacts, policy)
    return schemas.Message(
        message_id=m.message_id,
        thread_id=m.thread_id,
        seq=m.seq,
        posted_at=m.posted_at,
        sender=schemas.Sender(
            side=m.sender_side,
            name=m.sender_name,
            id=m.sender_id,
            kind="person" if m.sender_kind == "person" else "api_key",
            organisation_id=m.sender_organisation_id,
            organisation_name=m.sender_organisation_name,
            on_behalf_of=m.on_behalf_of,
            acted_by=m.acted_by,
            acted_by_name=m.acted_by_name,
        ),
        own=m.sender_id == reader.reader_id,
        automatic=m.automatic,
        text=masked.text,
        hidden=masked.hidden,
        attachments=tuple(attachment(f, policy, original=original) for f in files),
    )


def attachment(f: store.Attachment, policy: MaskingPolicy, *, original: bool) -> schemas.Attachment:
    """A file with the name that a reader may see; `original` as in `policy.sees_original`."""
    return schemas.Attachment(
        attachment_id=f.attachment_id,
        file_name=shown_name(f.file_name, f.media_type, f.position or 1, policy, original=original),
        media_type=f.media_type,
        bytes=f.bytes,
        sha256=f.sha256,
        thumbnail=f.media_type.startswith("image/"),
    )


def thread(t: store.Thread, side: Side, last: schemas.Message | None = None) -> schemas.Thread:
    """A thread as a reader on a side sees it."""
    return schemas.Thread(
        thread_id=t.thread_id,
        order_id=t.order_id,
        order_number=t.order_number,
        kind=t.kind,
        own_side=side,
        participants=participants(t),
        messages=t.last_seq,
        last_seq=t.last_seq,
        last_posted_at=t.last_posted_at,
        last_message=last,
        last_read_seq=t.last_read_seq,
        unread=t.unread(side),
        awaiting_reply=schemas.Awaiting(side=t.awaiting, since=t.awaiting_since)
        if t.awaiting and t.awaiting_since
        else None,
    )


def participants(t: store.Thread) -> tuple[schemas.Participant, ...]:
    """The sides that are authorised in a thread; current are those that have written in it."""
    known = {
        "buyer": (t.buyer_organisation_id, t.buyer_name, t.from_buyer),
        "seller": (t.seller_organisation_id, t.seller_name, t.from_seller),
        "operator": (None, OPERATOR_NAME, t.from_operator),
    }
    return tuple(
        schemas.Participant(side=side, organisation_id=known[side][0], name=known[side][1], current=known[side][2] > 0)
        for side in SIDES_OF[t.kind]
    )
