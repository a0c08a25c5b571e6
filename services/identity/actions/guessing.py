"""Counting attempts to sign in, for all processes together, so that guessing is slow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from services.identity.context import Context
from services.identity.errors import too_many_failures
from services.identity.store import secrets
from shared.postgres import Transaction


def bucket(kind: str, value: str) -> bytes:
    """What an attempt is counted under."""
    # A hash, because an address that was typed wrong is nobody's to keep.
    return hashlib.sha256(f"{kind}\n{value}".encode()).digest()


async def count_attempt(here: Context, tx: Transaction, limits: Mapping[bytes, int], now: datetime) -> None:
    """One more in each bucket. Raises TooManyRequests where that is more than its limit within the window."""
    window = timedelta(minutes=here.settings.sign_in_window_minutes)
    counted = await secrets.count_attempts(tx, list(limits), now, now - window)
    for one, limit in limits.items():
        if counted[one]["failures"] > limit:
            raise too_many_failures(max(1, int((counted[one]["since"] + window - now).total_seconds())))
