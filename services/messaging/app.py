"""The composition root: what the messaging service is made of."""

from __future__ import annotations

from pathlib import Path

from services.messaging import door
from services.messaging.actions import answering, attaching
from services.messaging.api import api
from services.messaging.handlers import HANDLERS
from services.messaging.settings import Settings
from shared.clock import Clock, utc_now
from shared.process import Service


def service(settings: Settings | None = None, clock: Clock = utc_now) -> Service:
    """The service with the given settings, or those of the environment."""
    return Service(
        name="messaging",
        schema="messaging",
        settings=settings or Settings(),
        migrations=Path(__file__).parent / "migrations",
        api=api,
        handlers=HANDLERS,
        workers={"uploads": attaching.forget, "mails": answering.forget, "answers": door.listen},
        clock=clock,
    )
