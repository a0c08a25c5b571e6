"""Channels."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from starlette.responses import Response

from services.order import policy
from services.order.actions import channelling
from services.order.schemas import ChannelConfig
from shared.web import Caller, IfMatch, Router, Run

router = Router(tags=["channels"])
ChannelName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


@router.get("/v1/channels")
async def channels(caller: Caller, run: Run) -> dict[str, Any]:
    """The marketplace's channels."""
    policy.need_scope(caller, *policy.CATALOGUE)
    return {"items": await channelling.all_of(run, caller)}


@router.get("/v1/channels/{name}")
async def channel(name: ChannelName, caller: Caller, run: Run) -> Response:
    """One channel, with its ETag."""
    policy.need_scope(caller, *policy.CATALOGUE)
    return (await channelling.get(run, caller, name)).response()


@router.put("/v1/channels/{name}")
async def put(name: ChannelName, body: ChannelConfig, caller: Caller, if_match: IfMatch, run: Run) -> Response:
    """Set a channel up, or change it as a whole."""
    policy.need_scope(caller, "orders:write")
    return (await channelling.put(run, caller, name, body, if_match)).response()
