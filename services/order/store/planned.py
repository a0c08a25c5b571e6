"""How the planner is asked for lists: by values, and for walks in the list's order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from services.order.store.search import Statement, q
from shared.postgres import Transaction


class Planned:
    """Statements of lists in one transaction, each planned as it has to be."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._in_order: bool | None = None

    async def rows(self, statement: Statement) -> Sequence[Any]:
        changes = [] if self._in_order is not None else [q.plan_by_values]
        wanted = bool(self._in_order) if statement.in_order is None else statement.in_order
        if wanted != bool(self._in_order):
            changes.append(q.in_order if wanted else q.in_any_order)
        if changes:
            await self._tx.execute(";\n".join(changes))
        self._in_order = wanted
        return await self._tx.fetch(statement.sql, *statement.args)

    async def expected(self, estimate: Statement) -> float:
        """How many orders the planner expects of a statement that explains itself; one at least."""
        [row] = await self.rows(estimate)
        [plan] = orjson.loads(row[0])
        return max(1, float(plan["Plan"]["Plan Rows"]))
