"""Signing in by the outside provider; the console is in between, and keeps what a sign-in has to be known again by."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from services.identity.actions import outside
from services.identity.api.here import Here
from services.identity.schemas import FinishOutside, StartOutside, TokenAnswer
from shared.web import Router

router = Router(tags=["sign-in"])


@router.get("/v1/sign-in")
async def ways(here: Here) -> dict[str, Any]:
    """How people sign in: whether by password, and by which outside provider (its name, null for none)."""
    return outside.ways(here)


@router.post("/v1/sign-in/outside/start")
async def start(body: StartOutside, here: Here) -> dict[str, str]:
    """Where to send a person at the provider. Keep the nonce and the code verifier for `/v1/sign-in/outside`."""
    return {"address": await outside.start(here, body)}


@router.post("/v1/sign-in/outside")
async def finish(body: FinishOutside, request: Request, here: Here) -> TokenAnswer:
    """Access and refresh token for the code with which a person came back from the provider."""
    address = request.client.host if request.client else "unknown"
    return await outside.finish(here, body, address)
