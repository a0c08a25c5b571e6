"""What was said about orders: kept from message.posted, read for evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from contracts.messaging import MessagePosted
from contracts.order import Side
from services.order.store.orders import q
from shared.postgres import Transaction

MOST: Final = 5_000


async def keep(tx: Transaction, posted: Sequence[MessagePosted]) -> None:
    """Each message once; one that is kept already stays as it is."""
    await tx.execute(
        q.keep_messages,
        [m.marketplace_id for m in posted],
        [m.message_id for m in posted],
        [m.order_id for m in posted],
        [m.posted_at for m in posted],
        ["{" + ",".join(m.audience) + "}" for m in posted],
        [_told(m) for m in posted],
    )


def _told(m: MessagePosted) -> str:
    fields = {"message_id", "thread_kind", "seq", "posted_at", "sender", "sender_side", "on_behalf_of", "preview"}
    fields |= {"attachment_count", "attachments", "automatic"}
    return m.model_dump_json(include=fields, exclude_none=True)


async def of(tx: Transaction, order_id: UUID, side: Side) -> list[dict[str, Any]]:
    """The messages that a side may read, oldest first, at most MOST of them."""
    return [orjson.loads(r["told"]) for r in await tx.fetch(q.messages_of, order_id, side, MOST)]
