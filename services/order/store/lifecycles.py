"""Lifecycle versions: stored texts that are never changed, compiled once per process.

A built-in lifecycle is stored when a marketplace first uses it, and again as a new version when a release brings
another text: running orders stay on the text that they started with.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

from services.order import workflow
from services.order.store.context import Course
from services.order.store.orders import q
from services.order.workflow import Lifecycle
from shared.errors import Unprocessable
from shared.postgres import Transaction
from shared.postgres.database import Row

MOST_CACHED: Final = 500
RELEASE: Final = "Ordertrail"
_by_version: dict[tuple[UUID, str, int], Lifecycle] = {}


@lru_cache(maxsize=MOST_CACHED)
def _compiled(text: str, version: int) -> Lifecycle:
    return workflow.load_stored(text, version)


async def of(tx: Transaction, marketplace_id: UUID, name: str, version: int) -> Lifecycle:
    """The lifecycle of a running order. Raises LookupError where its text is not there, which cannot happen."""
    key = (marketplace_id, name, version)
    found = _by_version.get(key)
    if found is None:
        text = await tx.fetchval(q.lifecycle_text, marketplace_id, name, version)
        if text is None:
            raise LookupError(f"lifecycle {name} version {version} has no text")
        found = _compiled(text, version)
        if len(_by_version) >= MOST_CACHED:
            _by_version.pop(next(iter(_by_version)))
        _by_version[key] = found
    return found


async def current(tx: Transaction, marketplace_id: UUID, course: Course, now: datetime) -> Lifecycle:
    """The version that new orders start with. Raises Unprocessable for a name that nobody knows."""
    if course.name not in workflow.BUILTIN:
        if course.version == 0:
            raise Unprocessable("unknown_lifecycle", f"There is no lifecycle {course.name!r} in this marketplace.")
        return await of(tx, marketplace_id, course.name, course.version)
    if course.version and (not course.builtin or course.digest == workflow.builtin(course.name).digest):
        return await of(tx, marketplace_id, course.name, course.version)
    return await _store_builtin(tx, marketplace_id, course, now)


async def _store_builtin(tx: Transaction, marketplace_id: UUID, course: Course, now: datetime) -> Lifecycle:
    text, version = workflow.builtin_text(course.name), course.version + 1
    digest = workflow.builtin(course.name).digest
    await tx.execute(q.add_lifecycle, marketplace_id, course.name, version, digest, text, True, RELEASE, now)
    # Whoever was faster has stored the same release's text under this number.
    return _compiled(text, version)


async def latest(tx: Transaction, marketplace_id: UUID, name: str) -> Course | None:
    """The newest stored version; a built-in one that was never used here is version 0; None for unknown names."""
    row = await tx.fetchrow(q.lifecycle_latest, marketplace_id, name)
    if row is not None:
        return Course(row["name"], row["version"], row["digest"], row["builtin"])
    return Course(name, 0, "", True) if name in workflow.BUILTIN else None


async def all_latest(tx: Transaction, marketplace_id: UUID) -> Sequence[Row]:
    """name, version, digest, builtin, added_by, added_at of the newest version of each."""
    return await tx.fetch(q.lifecycle_list, marketplace_id)


async def newest(tx: Transaction, marketplace_id: UUID) -> Sequence[Lifecycle]:
    """The newest version of every lifecycle of the marketplace, built-in ones that nobody has used here included."""
    stored = {r["name"]: r["version"] for r in await all_latest(tx, marketplace_id)}
    unused = [workflow.builtin(name) for name in workflow.BUILTIN if name not in stored]
    return [*unused, *[await of(tx, marketplace_id, name, version) for name, version in stored.items()]]


async def add(tx: Transaction, marketplace_id: UUID, lifecycle: Lifecycle, text: str, by: str, now: datetime) -> bool:
    """Store a version; False where somebody else has just stored the same number."""
    added = await tx.fetchval(
        q.add_lifecycle, marketplace_id, lifecycle.name, lifecycle.version, lifecycle.digest, text, False, by, now
    )
    return added is not None


async def text(tx: Transaction, marketplace_id: UUID, name: str, version: int) -> str | None:
    found: str | None = await tx.fetchval(q.lifecycle_text, marketplace_id, name, version)
    return found
