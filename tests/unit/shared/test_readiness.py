"""What `/readyz` says of checks that fail, and of those that do not answer at all."""

from __future__ import annotations

import asyncio

import pytest

from shared import readiness
from shared.readiness import Readiness


async def _good() -> str | None:
    return None


async def _bad() -> str | None:
    raise ConnectionRefusedError("nobody there")


async def _silent() -> str | None:
    await asyncio.Event().wait()
    return None


async def test_a_silent_check_is_named_and_the_others_say_what_they_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "CHECK_SECONDS", 0.05)
    checks = Readiness()
    for name, check in (("database", _silent), ("broker", _bad), ("consumer", _good)):
        checks.add(name, check)
    async with asyncio.timeout(5):
        told = await checks.check()
    assert told == {
        "database": "no answer in 0.05 s",
        "broker": "ConnectionRefusedError: nobody there",
        "consumer": "ok",
    }
