"""The tables of guards and effects, filled: importing this module has imported everything that registers."""

from __future__ import annotations

from services.order.workflow import effects_issues, effects_lines, effects_money, effects_records, guards
from services.order.workflow.registry import EFFECTS, GUARDS

FILLED_BY = (guards, effects_lines, effects_money, effects_issues, effects_records)

__all__ = ["EFFECTS", "FILLED_BY", "GUARDS"]
