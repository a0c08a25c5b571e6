"""Saved views of the order list, everybody's own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.responses import Response

from services.identity.actions import views
from services.identity.api.here import Here
from services.identity.schemas import SaveView
from shared.web import Caller, Idempotent, Router

router = Router(tags=["members"])


@router.get("/v1/me/views")
async def list_views(caller: Caller, here: Here) -> dict[str, Any]:
    """Your own saved views, by name."""
    return {"items": [views.shown(row) for row in await views.views(here, caller)]}


@router.post("/v1/me/views", status_code=201)
async def save_view(body: SaveView, caller: Caller, here: Here, once: Idempotent) -> Response:
    """Save filters under a name; under one that is there, in place of what it had."""
    return (await views.save(here, caller, body, once)).response()


@router.delete("/v1/me/views/{view_id}", status_code=204)
async def delete_view(view_id: UUID, caller: Caller, here: Here) -> Response:
    await views.delete(here, caller, view_id)
    return Response(status_code=204)
