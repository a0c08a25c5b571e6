"""What a seller or an operator looks at first: what waits for them, how it goes, and what is new."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.responses import Response

from services.console.language import N_, Texts
from services.console.lifecycles import lifecycle
from services.console.page import Page
from services.console.pages.orders import Filters, waiting
from services.console.reading import read
from services.console.schemas import Cards, Figures, Summary
from services.console.visit import Visit, part

NEWEST: Final = 5
# What waits is counted to here: more is told as "25+", and stands in the list.
MOST: Final = 25
RATES: Final[Mapping[str, str]] = Texts(
    {"acceptance": N_("Accepted"), "late": N_("Late"), "issue": N_("With an issue"), "cancel": N_("Cancelled")}
)


async def show(visit: Visit) -> Response:
    """For those who sell and the operator; whoever buys has the list of orders."""
    if not visit.person.sees_dashboard:
        return visit.go("/orders")
    course = await lifecycle(visit, visit.person.lifecycle)
    lists = waiting(visit.person, course)
    wanted = [(Filters(), NEWEST), *((filters, MOST) for _, filters in lists)]
    orders = asyncio.gather(*(_cards(visit, filters, most) for filters, most in wanted))
    (newest, *counted), summary = await asyncio.gather(orders, _summary(visit))
    return await visit.page(
        "dashboard.html",
        waits=[
            (words, f"/orders{filters.query()}", _counted(cards))
            for (words, filters), cards in zip(lists, counted, strict=True)
        ],
        newest=newest.items if newest is not None else None,
        summary=summary,
        figures=_beside(summary) if summary is not None else (),
        rates=RATES,
    )


async def _cards(visit: Visit, wanted: Filters, most: int) -> Cards | None:
    """The first orders of a list; None where it cannot be had."""
    answer, _ = await part(visit.get("order", "/v1/orders", [*wanted.asked(visit.zone), ("limit", str(most))]))
    return read(Cards, "order", answer) if answer is not None else None


async def _summary(visit: Visit) -> Summary | None:
    """Of the last thirty days, with those before; None where it cannot be had."""
    answer, _ = await part(visit.get("reporting", "/v1/reports/summary"))
    return read(Summary, "reporting", answer) if answer is not None else None


def _counted(cards: Cards | None) -> str:
    return "\u2013" if cards is None else f"{len(cards.items)}{'+' if cards.next_cursor else ''}"


def _beside(summary: Summary) -> Sequence[tuple[Figures, Figures | None]]:
    """The figures of each currency with those of the period before."""
    before = {f.currency: f for f in summary.previous_figures}
    return [(f, before.get(f.currency)) for f in summary.figures]


PAGES: Final[Sequence[Page]] = (Page("/dashboard", show),)
