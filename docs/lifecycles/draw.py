"""Draws the pictures of the built-in lifecycles and writes the reference of guards and effects into this folder."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from services.order import workflow  # noqa: E402 - the checkout is made importable first
from services.order.workflow.reference import reference  # noqa: E402 - as above

for name in workflow.BUILTIN:
    (HERE / f"{name}.svg").write_text(workflow.draw(workflow.builtin(name)), "utf-8")
(HERE / "functions.md").write_text(reference(), "utf-8")
