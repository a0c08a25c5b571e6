"""The composition root: what the console is made of."""

from __future__ import annotations

from starlette.types import ASGIApp

from services.console.api import api
from services.console.sealing import REMEDY, Sealer
from services.console.settings import Settings
from shared.keyring import KeyRingError
from shared.logs import log
from shared.process import Runtime, Service


def service(settings: Settings | None = None) -> Service:
    """The console; it has no schema. Raises KeyRingError where production has no key for the cookies."""
    settings = settings or Settings()
    sealer = _sealer(settings)

    def make_api(runtime: Runtime) -> ASGIApp:
        return api(runtime, sealer)

    return Service(name="console", schema="console", settings=settings, migrations=None, api=make_api)


def _sealer(settings: Settings) -> Sealer:
    keys = settings.console_session_keys.get_secret_value()
    if keys:
        return Sealer.parse(keys)
    if settings.environment == "production":
        raise KeyRingError(f"there is no key. {REMEDY}")
    log.warning("console.throwaway_key", reason="no session key is set: everybody is signed out when this process ends")
    return Sealer.throwaway()
