"""Alive, ready, measured: the pages that supervisors and Prometheus read. No token, no tenant, no log line."""

from __future__ import annotations

import asyncio
from typing import Final

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.readiness import Readiness

READY_SECONDS: Final = 5.0


def health_routes(readiness: Readiness) -> list[Route]:
    """`/healthz` (the process answers), `/readyz` (200 or 503 with each check), `/metrics` (Prometheus text)."""

    async def alive(_: Request) -> Response:
        return Response(b'{"status":"alive"}', media_type="application/json")

    async def ready(_: Request) -> Response:
        try:
            async with asyncio.timeout(READY_SECONDS):
                results = await readiness.check()
        except TimeoutError:
            results = {"checks": f"no answer in {READY_SECONDS:g} s"}
        fine = all(r == "ok" for r in results.values())
        body = orjson.dumps({"status": "ready" if fine else "not ready", "checks": results})
        return Response(body, 200 if fine else 503, media_type="application/json")

    async def measured(_: Request) -> Response:
        return Response(generate_latest(REGISTRY), headers={"content-type": CONTENT_TYPE_LATEST})

    return [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", measured)]
