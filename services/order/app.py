"""The composition root of the order service: what it is made of, in one place."""

from __future__ import annotations

from pathlib import Path

from services.order.actions.attaching import forget_loose
from services.order.api import api
from services.order.deadlines import keep_deadlines
from services.order.handlers import handlers
from services.order.settings import Settings
from shared.clock import Clock, utc_now
from shared.process import Service


def service(settings: Settings | None = None, clock: Clock = utc_now) -> Service:
    """The service with its settings from the environment unless given; `clock` is replaced in tests."""
    return Service(
        name="order",
        schema="orders",
        settings=settings or Settings(),
        migrations=Path(__file__).parent / "migrations",
        api=api,
        handlers=handlers,
        workers={"deadlines": keep_deadlines, "uploads": forget_loose},
        clock=clock,
    )
