"""Rows as callers see them, and answers that hold a secret: kept sealed, so that a retry gets the same secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from services.identity.context import Context
from services.identity.store import people
from shared.postgres import Transaction
from shared.postgres.database import Row
from shared.web import Answer, Once, Principal, etag

Json = dict[str, Any]


def shown_marketplace(row: Row, caller: Principal) -> Json:
    """The marketplace; what it charges its sellers is not told to those who only buy."""
    fields = ("marketplace_id", "slug", "name", "currency", "time_zone", "lifecycle", "settings", "version")
    shown = {name: row[name] for name in fields}
    if caller.organisation_kind == "buyer":
        shown["settings"] = {name: text for name, text in row["settings"].items() if name != "commission_rate"}
    return shown


def shown_organisation(row: Row) -> Json:
    fields = ("organisation_id", "slug", "name", "kind", "time_zone", "location", "external_ids", "version")
    return {**{name: row[name] for name in fields}, "commission_rate": people.rate_text(row["commission_rate"])}


def shown_person(row: Row) -> Json:
    fields = ("person_id", "organisation_id", "email", "name", "roles", "language", "time_zone", "active", "version")
    limit = people.limit_of(row)
    return {
        **{name: row[name] for name in fields},
        "purchasing_limit": limit.model_dump() if limit else None,
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def shown_api_key(row: Row) -> Json:
    fields = ("api_key_id", "organisation_id", "name", "roles", "scopes", "created_by", "created_at", "expires_at",
              "revoked_at", "last_used_at", "version")  # fmt: skip
    return {name: row[name] for name in fields}


def answer(status: int, content: Mapping[str, Any], *, version: int | None = None, location: str = "") -> Answer:
    headers = {"etag": etag(version)} if version is not None else {}
    if location:
        headers["location"] = location
    # default=str: the UUIDs of the driver are of its own class
    return Answer(status, orjson.dumps(content, default=str), headers)


async def keep_sealed(here: Context, tx: Transaction, once: Once, given: Answer) -> Answer:
    """Keep an answer with a secret in it: the table holds a box that only this installation's key opens."""
    if once.key is not None:
        box = here.vault.seal(given.body, _box_name(once))
        await once.keep(tx, Answer(given.status, box, given.headers))
    return given


async def recall_sealed(here: Context, tx: Transaction, once: Once) -> Answer | None:
    """The answer kept by `keep_sealed`."""
    kept = await once.recall(tx)
    if kept is None:
        return None
    return Answer(kept.status, here.vault.open(kept.body, _box_name(once)), kept.headers, replayed=True)


def _box_name(once: Once) -> str:
    return f"answer {once.marketplace_id} {once.caller} {once.key}"
