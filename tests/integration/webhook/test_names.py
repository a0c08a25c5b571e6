"""Looking names up: whose name server answers never waits for those whose servers do not."""

from __future__ import annotations

import asyncio
import threading

import pytest

from services.webhook import names
from services.webhook.addresses import LOOPBACK, Policy, parse_target
from services.webhook.egress import Egress, Outcome
from shared.ids import new_id
from tests.integration.webhook.receiver import receiving
from tests.waiting import until

POLICY = Policy(https_only=False, ports=frozenset(), allowed=LOOPBACK)
PATIENT = 60.0


async def post(egress: Egress, host: str, port: int) -> Outcome:
    """On a connection of its own."""
    target = parse_target(f"http://{host}:{port}/", POLICY)
    return await egress.send(new_id(), target, POLICY, {}, b"{}", deadline=PATIENT)


async def test_names_that_hang_delay_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    let_go = threading.Event()

    def addresses(host: str, port: int) -> list[str]:
        if host.startswith("hangs"):
            asked.append(host)
            let_go.wait(PATIENT)
        return ["127.0.0.1"]

    monkeypatch.setattr(names, "_addresses", addresses)
    monkeypatch.setattr(names, "RESOLVED_SECONDS", 0.0)
    egress = Egress()
    hanging: list[asyncio.Task[Outcome]] = []
    try:
        async with receiving() as receiver:
            assert (await post(egress, "shop.example", receiver.port)).status == 200
            for n in range(sum(names.THREADS.values()) + 1):
                hanging.append(asyncio.create_task(post(egress, f"hangs{n}.example", receiver.port)))
            await until(lambda: len(asked) == names.THREADS["new"])
            assert (await post(egress, "shop.example", receiver.port)).status == 200
            assert not any(task.done() for task in hanging)
    finally:
        let_go.set()
        await asyncio.gather(*hanging)
        await egress.close()


async def test_one_look_up_at_a_time_and_its_answer_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def addresses(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    monkeypatch.setattr(names, "_addresses", addresses)
    looked_up = names.Names()
    try:
        found = await asyncio.gather(*(looked_up.addresses("shop.example", 443) for _ in range(20)))
        assert found == [["127.0.0.1"]] * 20
        assert asked == ["shop.example"]
        monkeypatch.setattr(names, "RESOLVED_SECONDS", -1.0)
        await looked_up.addresses("other.example", 443)
        await looked_up.addresses("other.example", 443)
        assert asked[1:] == ["other.example"] * 2, "what is no longer fresh is asked for again"
    finally:
        looked_up.close()
