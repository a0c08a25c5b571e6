"""A client of its own process: places orders over some connections for some seconds, prints the rate."""

from __future__ import annotations

import asyncio
import sys
import time

import aiohttp
import orjson

from shared.ids import new_id


async def main(url: str, token: str, body: str, seconds: float, at_once: int) -> float:
    """Orders per second that were answered 201; anything else ends the run."""
    order = orjson.loads(body)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    done = 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as http:

        async def place() -> None:
            reference = str(new_id())
            data = orjson.dumps({**order, "external_id": reference})
            async with http.post(
                f"{url}/v1/orders", data=data, headers={**headers, "Idempotency-Key": reference}
            ) as answer:
                if answer.status != 201:
                    raise RuntimeError(f"{answer.status}: {await answer.text()}")
                await answer.read()

        async def client(until: float) -> None:
            nonlocal done
            while time.perf_counter() < until:
                await place()
                done += 1

        await asyncio.gather(*(place() for _ in range(at_once)))
        started = time.perf_counter()
        await asyncio.gather(*(client(started + seconds) for _ in range(at_once)))
        return done / (time.perf_counter() - started)


if __name__ == "__main__":
    import uvloop

    url, token, body, seconds, at_once = sys.argv[1:6]
    print(uvloop.run(main(url, token, body, float(seconds), int(at_once))))
