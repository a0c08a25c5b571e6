"""The administrator's commands as processes, and member.changed as it really reaches Kafka."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from contracts.envelope import decode
from contracts.identity import MemberChanged
from services.identity import commands
from services.identity.actions.setting_up import set_up
from services.identity.app import service
from services.identity.context import Context
from services.identity.plan import Plan
from shared.process import running
from tests.integration.identity.conftest import KEY, PASSWORD, Desk, plan, settings_for
from tests.stack import Stack, StackDatabase


async def command(database: StackDatabase, *args: str, key: str = KEY) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of `python -m services.identity ...`."""
    environment = {
        "PATH": os.environ["PATH"],
        "ORDERTRAIL_DATABASE_URL": database.app_dsn("identity"),
        "ORDERTRAIL_WORKER_DATABASE_URL": database.worker_dsn("identity"),
        "ORDERTRAIL_IDENTITY_KEY": key,
        "ORDERTRAIL_LOG_LEVEL": "error",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.identity", *args, env=environment, cwd=Path(__file__).parents[3],
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, out.decode(), err.decode()


async def test_bootstrap_makes_the_first_operator_and_again_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"marketplaces": [plan("zeta", "EUR")]}))
    code, out, err = await command(desk.database, "bootstrap", str(file))
    assert code == 0, err
    report = json.loads(out[out.index("{") :])
    assert report["marketplaces"] == ["zeta"]
    token = report["invitations"]["operator@zeta.example"]
    assert (await desk.call("POST", "/v1/password", {"token": token, "password": PASSWORD}))[0] == 200
    code, out, _ = await command(desk.database, "bootstrap", str(file))
    assert code == 0
    assert json.loads(out[out.index("{") :])["people"] == []


async def test_wrong_use_is_one_line_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORDERTRAIL_IDENTITY_KEY", raising=False)
    file = tmp_path / "plan.json"
    good = json.dumps({"marketplaces": [plan("eta", "EUR")]})
    wrong = (
        ("{", "JSON"),
        ('{"marketplaces": []}', "marketplaces"),
        (good, "ORDERTRAIL_IDENTITY_KEY"),
        (None, "No such file"),
    )
    for text, reason in wrong:
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)
        assert await asyncio.to_thread(commands.main, ["bootstrap", str(file)]) == 1
        told = capsys.readouterr().err
        assert reason in told
        assert "Traceback" not in told


async def test_the_audit_is_verified(desk: Desk) -> None:
    code, out, err = await command(desk.database, "verify-audit")
    assert (code, "every chain holds" in out) == (0, True), err


async def test_after_a_leak_every_other_key_is_withdrawn_at_once(desk: Desk) -> None:
    await desk.here.ring.renew()
    old = await desk.here.ring.signing()
    code, out, err = await command(desk.database, "rotate-keys")
    assert code == 0, err
    await desk.here.ring.renew()
    new = await desk.here.ring.signing()
    assert new.kid != old.kid
    assert str(new.kid) in out
    assert [k.kid for k in await desk.here.ring.published()] == [new.kid]


async def test_people_reach_the_topic_in_order(
    database: StackDatabase, stack: Stack, topic_prefix: str, free_port: Any
) -> None:
    settings = settings_for(
        database, free_port(), kafka_bootstrap_servers=stack.kafka_bootstrap, topic_prefix=topic_prefix
    )
    consumer = AIOKafkaConsumer(
        topic_prefix + MemberChanged.TOPIC, bootstrap_servers=stack.kafka_bootstrap, auto_offset_reset="earliest"
    )
    async with running(service(settings), roles={"relay"}) as run:
        await set_up(Context.of(run), Plan.model_validate({"marketplaces": [plan("alpha", "EUR")]}), PASSWORD)
        await consumer.start()
        try:
            found: dict[str, MemberChanged] = {}
            async with asyncio.timeout(90):
                while len(found) < 5:
                    record = await consumer.getone()
                    event = decode(record.headers, record.value).event
                    assert isinstance(event, MemberChanged)
                    assert record.key == event.key().encode()
                    found[event.member.email] = event
        finally:
            await consumer.stop()
    buyer = found["buyer@alpha.example"]
    assert (buyer.version, buyer.organisation.slug, buyer.marketplace.lifecycle) == (1, "alpha-buyer", "storefront")
    assert buyer.member.purchasing_limit
    assert buyer.member.purchasing_limit.minor == 10_000


async def test_without_its_key_the_service_says_so_and_does_not_start(desk: Desk) -> None:
    code, _, err = await command(desk.database, "api", key="")
    assert code == 1
    assert "ORDERTRAIL_IDENTITY_KEY" in err
    assert "Traceback" not in err
