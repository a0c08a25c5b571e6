"""The table of the console's addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.console.page import Page
from services.console.pages import (
    acting,
    balance,
    channels,
    counts,
    courses,
    dashboard,
    endpoints,
    figures,
    importing,
    inbox,
    listings,
    members,
    messages,
    order,
    orders,
    outside,
    people,
    placing,
    preferences,
    replays,
    reports,
    signing,
    trail,
    views,
    webhooks,
)

PAGES: Final[Sequence[Page]] = (
    *signing.PAGES,
    *outside.PAGES,
    *counts.PAGES,
    *views.PAGES,
    *dashboard.PAGES,
    *orders.PAGES,
    *placing.PAGES,
    *importing.PAGES,
    *listings.PAGES,
    *order.PAGES,
    *trail.PAGES,
    *acting.PAGES,
    *messages.PAGES,
    *inbox.PAGES,
    *preferences.PAGES,
    *people.PAGES,
    *members.PAGES,
    *reports.PAGES,
    *figures.PAGES,
    *balance.PAGES,
    *channels.PAGES,
    *courses.PAGES,
    *endpoints.PAGES,
    *webhooks.PAGES,
    *replays.PAGES,
)
