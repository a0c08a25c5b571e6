"""The composition root: what the notification service is made of."""

from __future__ import annotations

from pathlib import Path

from services.notification import bounces, deliver, digests
from services.notification.actions.telling import catch_up
from services.notification.api import api
from services.notification.handlers import handlers
from services.notification.settings import Settings
from shared.clock import Clock, utc_now
from shared.process import Service


def service(settings: Settings | None = None, clock: Clock = utc_now) -> Service:
    """The service with the given settings, or those of the environment."""
    settings = settings or Settings()
    return Service(
        name="notification",
        schema="notification",
        settings=settings,
        migrations=Path(__file__).parent / "migrations",
        api=api,
        handlers=handlers,
        workers={
            **deliver.lanes(settings),
            "digests": digests.close_digests,
            "arrivals": catch_up,
            "waiting-mails": digests.sample,
            "prune": digests.prune,
            "bounces": bounces.listen,
        },
        clock=clock,
    )
