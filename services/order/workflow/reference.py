"""The reference of guards and effects, as a page for whoever writes lifecycle files."""

from __future__ import annotations

from services.order.workflow.registry import Function
from services.order.workflow.tables import EFFECTS, GUARDS


def reference() -> str:
    """Markdown tables of every guard and effect, from the functions themselves."""
    rows = [
        "# Guards and effects",
        "Drawn up from the code by `python docs/lifecycles/draw.py`; a test fails when it differs.",
        "",
        "## Guards",
        "| name | arguments | holds when |",
        "|---|---|---|",
        *(f"| `{n}` | {_arguments(f)} | {f.summary} |" for n, f in sorted(GUARDS.items())),
        "",
        "## Effects",
        "| name | arguments | parameters it reads | what it does |",
        "|---|---|---|---|",
        *(f"| `{n}` | {_arguments(f)} | {_reads(f)} | {f.summary} |" for n, f in sorted(EFFECTS.items())),
    ]
    return "\n".join(rows) + "\n"


def _arguments(function: Function) -> str:
    return ", ".join(f"`{a}`" + ("" if a in function.required else " (optional)") for a in function.args)


def _reads(function: Function) -> str:
    return ", ".join(f"`{k}`: {v}" + (" (needed)" if k in function.needs else "") for k, v in function.reads.items())
