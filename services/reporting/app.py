"""The composition root: what the reporting service is made of."""

from __future__ import annotations

from pathlib import Path

from services.reporting.api import api
from services.reporting.handlers import HANDLERS
from services.reporting.settings import Settings
from services.reporting.zones import keep_zones
from shared.clock import Clock, utc_now
from shared.process import Service


def service(settings: Settings | None = None, clock: Clock = utc_now) -> Service:
    """The service with the given settings, or those of the environment."""
    return Service(
        name="reporting",
        schema="reporting",
        settings=settings or Settings(),
        migrations=Path(__file__).parent / "migrations",
        api=api,
        handlers=HANDLERS,
        workers={"zones": keep_zones},
        clock=clock,
    )
