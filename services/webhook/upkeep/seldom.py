"""Every minute: failing endpoints warned and disabled, expired keys; every hour: days made and dropped."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from contracts.webhook import EndpointDisabled
from services.webhook.actions.endpoints import Disabling, disable_many, disabled_event
from services.webhook.schedule import DISABLE_AFTER, WARN_AFTER, standing
from services.webhook.settings import Settings
from services.webhook.store import endpoints, intake
from services.webhook.upkeep import rows
from services.webhook.vault import Vault
from shared.logs import log, unit_of_work
from shared.postgres.database import TRANSIENT, Row
from shared.process import Runtime
from shared.stop import Stop

EVERY_SECONDS: Final = 60.0
HOURLY: Final = 3_600.0
DAYS_AHEAD: Final = 14
FAILING_AT_ONCE: Final = 200
ROWS_AT_ONCE: Final = 5_000
RESEAL_AT_ONCE: Final = 200
# Hourly figures outlive the log that they sum up.
HOURS_DAYS: Final = 400


async def run(runtime: Runtime, stop: Stop, vault: Vault) -> None:
    housekept = -HOURLY
    while not stop.requested:
        if time.monotonic() - housekept >= HOURLY:
            await housekeep(runtime, stop, vault)
            housekept = time.monotonic()
        await look_after(runtime)
        await stop.wait(EVERY_SECONDS)


async def look_after(runtime: Runtime) -> None:
    """Warn and disable who does nothing but fail; forget expired keys."""
    now = runtime.clock()
    async with runtime.worker_db.transaction() as tx:
        await rows.forget_secrets(tx, now)
        failing = await endpoints.failing(tx, now - WARN_AFTER, now - DISABLE_AFTER, FAILING_AT_ONCE)
        warned, disabled = [], []
        for row in failing:
            match standing(row["failing_since"], row["warned"], now):
                case "warn":
                    warned.append(row)
                case "disable":
                    detail = (
                        f"nothing but failures since {row['failing_since']:%Y-%m-%d %H:%M} UTC: {row['last_error']}"
                    )
                    disabled.append(Disabling(row["endpoint_id"], "failing", detail))
        await runtime.outbox.append_many(tx, [_warning(row, now) for row in warned])
        await endpoints.note_warned(tx, [row["endpoint_id"] for row in warned], now)
        if disabled:
            await disable_many(tx, runtime.outbox, disabled, now)


def _warning(row: Row, now: datetime) -> EndpointDisabled:
    end = f"{row['failing_since'] + DISABLE_AFTER:%Y-%m-%d %H:%M} UTC"
    return disabled_event(row, "warning", f"nothing but failures ({row['last_error']}); it is disabled at {end}", now)


async def housekeep(runtime: Runtime, stop: Stop, vault: Vault) -> None:
    """Days made ahead and dropped behind; what was never sent in all that time goes with them."""
    settings: Settings = runtime.settings
    now = runtime.clock()
    today = now.astimezone(UTC).date()
    keep_from = today - timedelta(days=settings.webhook_retention_days)
    with unit_of_work("webhook.housekeeping", keep_from=str(keep_from)) as line:
        async with runtime.worker_db.transaction() as tx:
            line.add(made=await rows.make_partitions(tx, today - timedelta(days=1), today + timedelta(days=DAYS_AHEAD)))
        start = datetime(keep_from.year, keep_from.month, keep_from.day, tzinfo=UTC)
        line.add(unsent=await _forget_pending(runtime, stop, first_id(start)))
        try:
            async with runtime.worker_db.transaction() as tx:
                line.add(dropped=await rows.drop_partitions(tx, keep_from))
        except TRANSIENT as e:
            line.add(dropped=[], put_off=type(e).__name__)
        async with runtime.worker_db.transaction() as tx:
            await rows.forget_hours(tx, now - timedelta(days=HOURS_DAYS))
            await rows.forget_streams(tx, now - timedelta(days=6 * settings.webhook_retention_days), ROWS_AT_ONCE)
        async with runtime.worker_db.transaction() as tx:
            line.add(sealed_anew=await rows.reseal(tx, vault, RESEAL_AT_ONCE))


async def _forget_pending(runtime: Runtime, stop: Stop, before: UUID) -> int:
    total = 0
    while not stop.requested:
        async with runtime.worker_db.transaction() as tx:
            streams = await rows.forget_pending(tx, before, ROWS_AT_ONCE)
            await intake.free_lanes(tx, list(set(streams)), runtime.clock())
        total += len(streams)
        if len(streams) < ROWS_AT_ONCE:
            break
    if total:
        log.warning("webhook.unsent_forgotten", deliveries=total)
    return total


def first_id(at: datetime) -> UUID:
    """The lowest UUIDv7 of a moment."""
    return UUID(int=(int(at.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62))
