"""Bars by day as numbers for an SVG; the page draws them, and a table beside them says the same. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

WIDTH: Final = 640
HEIGHT: Final = 200
# Room for labels of 22 units, as they are drawn where the whole is half its width.
LEFT: Final = 36
FOOT: Final = 32
HEAD: Final = 30
# As many labels as fit below without touching at the smallest width that is drawn.
MOST_LABELS: Final = 6


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar; `title` is read out and shown on hovering."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    top: str
    width: int = WIDTH
    height: int = HEIGHT
    base: int = HEIGHT - FOOT
    head: int = HEAD


@dataclass(frozen=True, slots=True)
class Value:
    """What a bar stands for: its name, and a short one for below; its amount, also as people write it."""

    label: str
    short: str
    amount: Decimal
    shown: str


def bars(values: Sequence[Value]) -> Chart | None:
    """A chart of the values side by side; None where all of them are zero. Below zero counts as zero."""
    top = max(values, key=lambda v: v.amount, default=None)
    if top is None or top.amount <= 0:
        return None
    slot = (WIDTH - 2 * LEFT) / len(values)
    wide = min(max(slot * 0.72, 1), 48)
    room = HEIGHT - FOOT - HEAD
    made = []
    for i, v in enumerate(values):
        height = float(max(v.amount, Decimal(0)) / top.amount) * room
        # what is there at all is to be seen
        height = max(height, 1.5) if v.amount > 0 else 0
        x = LEFT + slot * i + (slot - wide) / 2
        made.append(
            Bar(
                round(x, 2), round(HEIGHT - FOOT - height, 2), round(wide, 2), round(height, 2), f"{v.label}: {v.shown}"
            )
        )
    step = -(-len(values) // MOST_LABELS)
    ticks = tuple(Tick(round(LEFT + slot * (i + 0.5), 2), v.short) for i, v in enumerate(values) if i % step == 0)
    return Chart(tuple(made), ticks, top.shown)
