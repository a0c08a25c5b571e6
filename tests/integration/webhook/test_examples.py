"""The examples of the receiver guide, run as a reader would run them, against the real service."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.embedded.process import free_port
from services.webhook.formats import Content, Style, render
from services.webhook.signing import SigningKey
from shared.ids import new_id
from tests.integration.webhook.world import World
from tests.waiting import until

EXAMPLES = Path(__file__).parents[3] / "docs" / "webhooks" / "examples"
needs_node = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm")), reason="node and npm are not on this machine"
)


@pytest.fixture(scope="module")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JavaScript examples with their locked packages installed, in a folder of the test's own."""
    folder = tmp_path_factory.mktemp("javascript")
    for name in ("receiver.mjs", "verify.mjs", "package.json", "package-lock.json"):
        shutil.copy(EXAMPLES / "javascript" / name, folder)
    npm = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
    subprocess.run(npm, cwd=folder, check=True, capture_output=True, timeout=250)
    return folder


@asynccontextmanager
async def running(*command: str, cwd: Path, secret: str, port: int) -> AsyncIterator[list[dict[str, object]]]:
    """The example as a process; what it printed grows while the block lasts."""
    process = await asyncio.create_subprocess_exec(
        *command, str(port), cwd=cwd, stdout=asyncio.subprocess.PIPE, env={**os.environ, "ORDERTRAIL_SECRET": secret}
    )
    printed: list[dict[str, object]] = []
    assert process.stdout is not None
    stdout = process.stdout

    async def read() -> None:
        async for line in stdout:
            printed.append(json.loads(line))

    reading = asyncio.create_task(read())
    try:
        yield printed
    finally:
        process.kill()
        await process.wait()
        await reading


async def _listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _tells_all_of_it(world: World, command: tuple[str, ...], cwd: Path) -> None:
    port = free_port()
    endpoint = await world.endpoint(f"http://127.0.0.1:{port}/", retry_schedule=[1] * 9)
    async with running(*command, cwd=cwd, secret=endpoint["secret"], port=port) as printed:
        await until(lambda: _listening(port))
        events = world.life(3)
        await world.take_in(events)
        await until(lambda: len(printed) == 4)
        # the same again is verified, answered, and not taken a second time
        body = {"endpoint_id": endpoint["endpoint_id"], "scope": "all", "received_from": "2020-01-01T00:00:00Z"}
        code, _ = await world.call("POST", "/v1/replays", body)
        assert code == 202

        async def again() -> bool:
            return (await world.states(endpoint)).get("delivered") == 8

        await until(again)
    assert [line["sequence"] for line in printed] == [1, 2, 3, 4]
    assert {line["order_id"] for line in printed} == {str(events[0].order_id)}


async def test_python_receiver(world: World) -> None:
    await _tells_all_of_it(world, (sys.executable, "receiver.py"), EXAMPLES / "python")


@needs_node
async def test_javascript_receiver(world: World, javascript: Path) -> None:
    await _tells_all_of_it(world, ("node", "receiver.mjs"), javascript)


@needs_node
def test_javascript_packages_verify(javascript: Path) -> None:
    """`standardwebhooks` and `svix` from npm accept what is signed, also while keys rotate, and nothing else."""
    old, new, other = (SigningKey.generate("hmac") for _ in range(3))
    content = Content(new_id(), "order.created", 1, datetime.now(UTC), "o", 1, '{"name":"Grüße \\u2028"}'.encode())
    style = Style("https://x.example/", "standard", [("a", new), ("e", SigningKey.generate("ed25519")), ("b", old)])
    headers, body = render(content, style, int(datetime.now(UTC).timestamp()))
    text = body.decode()
    cases = [(new, text, True), (old, text, True), (other, text, False), (new, text + " ", False)]
    lines = [json.dumps({"secret": key.text, "headers": headers, "body": sent}) for key, sent, _ in cases]
    process = subprocess.Popen(["node", "verify.mjs"], cwd=javascript, stdin=-1, stdout=-1, text=True)
    printed, _ = process.communicate("\n".join(lines), timeout=120)
    said = [json.loads(line) for line in printed.splitlines()]
    assert said == [{"standardwebhooks": right, "svix": right} for _, _, right in cases]
