"""Marketplaces, organisations, and the audit."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.responses import Response

from services.identity.actions import auditing, places
from services.identity.actions.answers import answer, shown_marketplace, shown_organisation
from services.identity.api.here import Here, after_name, by_name, listed
from services.identity.schemas import EditMarketplace, EditOrganisation, NewOrganisation
from shared.postgres.database import Row
from shared.web import Caller, Cursor, Idempotent, IfMatch, Paging, Router

router = Router(tags=["organisations"])
ORGANISATIONS = Cursor("organisations.name", str, UUID)
AUDIT = Cursor("audit.-sequence", int)


@router.get("/v1/marketplaces")
async def list_marketplaces(caller: Caller, here: Here) -> dict[str, Any]:
    """The caller's marketplace, the only one that it sees."""
    row = await places.marketplace(here, caller, caller.marketplace_id)
    return {"items": [shown_marketplace(row, caller)], "next_cursor": None}


@router.get("/v1/marketplaces/{marketplace_id}")
async def get_marketplace(marketplace_id: UUID, caller: Caller, here: Here) -> Response:
    row = await places.marketplace(here, caller, marketplace_id)
    return answer(200, shown_marketplace(row, caller), version=row["version"]).response()


@router.put("/v1/marketplaces/{marketplace_id}")
async def edit_marketplace(
    marketplace_id: UUID, body: EditMarketplace, caller: Caller, here: Here, if_match: IfMatch
) -> Response:
    """Change the name, time zone, lifecycle and settings."""
    return (await places.edit_marketplace(here, caller, marketplace_id, body, if_match)).response()


@router.get("/v1/organisations")
async def list_organisations(caller: Caller, here: Here, page: Paging) -> dict[str, Any]:
    """By name: your own; as an operator, the marketplace's."""
    rows = await places.organisations(here, caller, after_name(ORGANISATIONS, page), page.fetch)
    return listed(page, rows, shown_organisation, by_name(ORGANISATIONS, "organisation_id"))


@router.post("/v1/organisations", status_code=201)
async def make_organisation(body: NewOrganisation, caller: Caller, here: Here, once: Idempotent) -> Response:
    return (await places.make_organisation(here, caller, body, once)).response()


@router.get("/v1/organisations/{organisation_id}")
async def get_organisation(organisation_id: UUID, caller: Caller, here: Here) -> Response:
    row = await places.organisation(here, caller, organisation_id)
    return answer(200, shown_organisation(row), version=row["version"]).response()


@router.put("/v1/organisations/{organisation_id}")
async def edit_organisation(
    organisation_id: UUID, body: EditOrganisation, caller: Caller, here: Here, if_match: IfMatch
) -> Response:
    return (await places.edit_organisation(here, caller, organisation_id, body, if_match)).response()


@router.get("/v1/audit")
async def read_audit(caller: Caller, here: Here, page: Paging) -> dict[str, Any]:
    """Who did what to whom, newest first."""
    after = AUDIT.decode(page.cursor)
    rows = await auditing.entries(here, caller, after[0] if after else None, page.fetch)
    return listed(page, rows, _shown_entry, lambda row: AUDIT.encode(row["sequence"]))


def _shown_entry(row: Row) -> dict[str, Any]:
    fields = ("sequence", "at", "action", "actor_kind", "actor_id", "organisation_id", "subject_kind", "subject_id",
              "detail")  # fmt: skip
    return {**{name: row[name] for name in fields}, "hash": row["hash"].hex()}
