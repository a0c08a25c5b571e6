"""What every change leaves behind: member.changed for the others, and a row of the audit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.identity.context import Context
from services.identity.store import audit, people
from shared.postgres import Transaction
from shared.web import Principal


async def tell(here: Context, tx: Transaction, person_ids: Sequence[UUID]) -> None:
    """member.changed of these people, whose versions were raised in this transaction."""
    await here.run.outbox.append_many(tx, await people.changed(tx, person_ids))


async def note(
    tx: Transaction, caller: Principal, now: datetime, action: str, subject: tuple[str, UUID],
    organisation_id: UUID | None, **detail: Any,
) -> None:  # fmt: skip
    """An audit row of what the caller did. Ids and settings only: names and addresses could not be erased again."""
    actor = caller.act.person_id if caller.act else caller.person_id or caller.api_key_id
    entry = audit.Entry(action, caller.kind, actor, organisation_id, *subject, detail)
    await audit.append(tx, caller.marketplace_id, entry, now)
