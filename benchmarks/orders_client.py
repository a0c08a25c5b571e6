"""A client of its own process: places orders over some connections for some seconds, prints the rate."""

from __future__ import annotations

import asyncio
import sys
import time

import aiohttp
import orjson

from shared.ids import new_id


async def main(urls: list[str], token: str, body: str, seconds: float, at_once: int) -> float:
    """Orders per second that were answered 201; anything else ends the run."""
    order = orjson.loads(body)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    done = 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as http:

        async def place(url: str) -> None:
            reference = str(new_id())
            data = orjson.dumps({**order, "external_id": reference})
            async with http.post(
                f"{url}/v1/orders", data=data, headers={**headers, "Idempotency-Key": reference}
            ) as answer:
                if answer.status != 201:
                    raise RuntimeError(f"{answer.status}: {await answer.text()}")
                await answer.read()

        async def client(url: str, until: float) -> None:
            nonlocal done
            while time.perf_counter() < until:
                await place(url)
                done += 1

        mine = [urls[i % len(urls)] for i in range(at_once)]
        await asyncio.gather(*(place(url) for url in mine))
        started = time.perf_counter()
        await asyncio.gather(*(client(url, started + seconds) for url in mine))
        return done / (time.perf_counter() - started)


if __name__ == "__main__":
    import uvloop

    urls, token, body, seconds, at_once = sys.argv[1:6]
    print(uvloop.run(main(urls.split(","), token, body, float(seconds), int(at_once))))
