"""Lifecycles and their diagrams."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Header, Path, Query
from starlette.responses import Response

from services.order import policy, workflow
from services.order.actions import ruling
from services.order.papers.words import Words, asked_in
from services.order.schemas import LifecycleRequest
from shared.web import Caller, Idempotent, Router, Run

router = Router(tags=["lifecycles"])
LifecycleName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Version = Annotated[int | None, Query(ge=1, le=1_000_000)]


@router.get("/v1/lifecycles")
async def lifecycles(caller: Caller, run: Run) -> dict[str, Any]:
    """The lifecycles of the marketplace, each with its newest version."""
    return {"items": await ruling.all_of(run, caller)}


@router.post("/v1/lifecycles", status_code=201)
async def add(body: LifecycleRequest, caller: Caller, once: Idempotent, run: Run) -> Response:
    """Add a lifecycle, or a new version of one; running orders stay on theirs."""
    policy.need_scope(caller, "orders:write")
    return (await ruling.add(run, caller, body.text, once)).response()


@router.get("/v1/lifecycles/{name}")
async def lifecycle(name: LifecycleName, caller: Caller, run: Run, version: Version = None) -> dict[str, Any]:
    """States, actions, settings and text of a lifecycle."""
    return ruling.described(*await ruling.get(run, caller, name, version))


@router.get("/v1/lifecycles/{name}/diagram.svg")
async def diagram(
    name: LifecycleName,
    caller: Caller,
    run: Run,
    version: Version = None,
    accept_language: Annotated[str, Header()] = "",
) -> Response:
    """The lifecycle, drawn, in the language that is asked for (Accept-Language)."""
    found, _ = await ruling.get(run, caller, name, version)
    svg = workflow.draw(found, Words(asked_in(accept_language), ZoneInfo("UTC")))
    # The picture styles itself; it runs nothing and loads nothing.
    policy_header = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return Response(svg, media_type="image/svg+xml", headers={"content-security-policy": policy_header})
