"""The composition root of the webhook service: what is made once, and who is given it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from fastapi import FastAPI
from pydantic import SecretStr

from services.webhook.actions.context import Context
from services.webhook.api import api
from services.webhook.deliver.content import Contents
from services.webhook.deliver.worker import Worker
from services.webhook.egress import Egress, client_context, make_room
from services.webhook.handlers import at_once, handlers
from services.webhook.hints import Hints
from services.webhook.settings import Settings
from services.webhook.upkeep import often, seldom
from services.webhook.upkeep.handshake import Handshakes
from services.webhook.vault import Vault
from shared.logs import log
from shared.postgres import Database
from shared.process import Runtime, Service
from shared.stop import Stop


def service(settings: Settings | None = None) -> Service:
    """The service. Raises KeyRingError, with the remedy, where there is no key to seal secrets with."""
    settings = _with_kept_plans(settings or Settings())
    vault = Vault.parse(settings.webhook_secret_keys.get_secret_value())
    policy = settings.policy()
    hints = Hints()
    _warn_of_loopback(settings)

    def make_api(runtime: Runtime) -> FastAPI:
        context = Context(runtime.db, runtime.outbox, runtime.clock, runtime.wakes, settings, vault, hints)
        return api(runtime, context)

    async def deliver(runtime: Runtime, stop: Stop) -> None:
        make_room(settings.webhook_in_flight)
        egress = Egress(client_context(settings.webhook_ca_file or None))
        claims = Database(
            with_server_settings(settings.worker_database_url.get_secret_value(), {"synchronous_commit": "off"}),
            name="ordertrail-webhook-claims",
            max_size=1,
            statement_timeout_ms=settings.statement_timeout_ms,
        )
        await claims.open()
        try:
            await Worker(runtime, claims, hints, Contents(vault, policy), egress).run(stop)
        finally:
            await claims.close()
            await egress.close()

    async def handshake(runtime: Runtime, stop: Stop) -> None:
        egress = Egress(client_context(settings.webhook_ca_file or None))
        try:
            await Handshakes(runtime, hints, vault, policy, egress).run(stop)
        finally:
            await egress.close()

    return Service(
        name="webhook",
        schema="webhook",
        settings=settings,
        migrations=Path(__file__).parent / "migrations",
        api=make_api,
        handlers=handlers(hints),
        at_once=at_once(hints),
        consumer_waits=False,
        workers={
            "deliver": deliver,
            "handshake": handshake,
            "upkeep": lambda runtime, stop: often.run(runtime, stop, hints),
            "housekeeping": lambda runtime, stop: seldom.run(runtime, stop, vault),
        },
    )


def _warn_of_loopback(settings: Settings) -> None:
    if settings.loopback_allowed:
        log.warning("webhook.loopback_allowed", reason="development: deliveries to this machine itself are allowed")


# The worker's statements are few, set-based and hot, and some touch tables with a partition for each day: planning one
# anew costs more than running it (1.3 ms against 0.4 ms), so plans are kept. A kept plan must be right for a queue that
# was empty when it was made and holds a million rows now: each row is looked up through an index, in the index's order.
_NEVER: Final = ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "enable_sort")
PLANS: Final = {"plan_cache_mode": "force_generic_plan", **dict.fromkeys(_NEVER, "off")}


def _with_kept_plans(settings: Settings) -> Settings:
    url = settings.worker_database_url.get_secret_value()
    if not url or "plan_cache_mode" in url:
        return settings
    return settings.model_copy(update={"worker_database_url": SecretStr(with_server_settings(url, PLANS))})


def with_server_settings(url: str, server_settings: Mapping[str, str]) -> str:
    """The address of a database with what its connections are set to."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(server_settings)}"
