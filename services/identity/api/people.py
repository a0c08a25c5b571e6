"""Members of organisations."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.responses import Response

from services.identity.actions import members, standing_in
from services.identity.actions.answers import answer, shown_person
from services.identity.api.here import Here, after_name, by_name, listed
from services.identity.schemas import EditMember, LogInAs, NewMember
from shared.web import Caller, Cursor, Idempotent, IfMatch, Paging, Router

router = Router(tags=["members"])
PEOPLE = Cursor("people.name", str, UUID)


@router.get("/v1/members")
async def list_members(caller: Caller, here: Here, page: Paging, organisation_id: UUID | None = None) -> dict[str, Any]:
    """People by name: your organisation's; as an operator, the marketplace's."""
    rows = await members.members(here, caller, organisation_id, after_name(PEOPLE, page), page.fetch)
    return listed(page, rows, shown_person, by_name(PEOPLE, "person_id"))


@router.post("/v1/members", status_code=201)
async def make_member(body: NewMember, caller: Caller, here: Here, once: Idempotent) -> Response:
    """Make a person, with a password or with an invitation."""
    return (await members.make_member(here, caller, body, once)).response()


@router.get("/v1/members/{person_id}")
async def get_member(person_id: UUID, caller: Caller, here: Here) -> Response:
    row = await members.member(here, caller, person_id)
    return answer(200, shown_person(row), version=row["version"]).response()


@router.put("/v1/members/{person_id}")
async def edit_member(person_id: UUID, body: EditMember, caller: Caller, here: Here, if_match: IfMatch) -> Response:
    """Change a person's name, roles, purchasing limit, or whether they may sign in."""
    return (await members.edit_member(here, caller, person_id, body, if_match)).response()


@router.post("/v1/members/{person_id}/invitation", status_code=201)
async def invite(person_id: UUID, caller: Caller, here: Here, once: Idempotent) -> Response:
    """A one-time token by which the person sets a new password."""
    return (await members.invite(here, caller, person_id, once)).response()


@router.post("/v1/members/{person_id}/log-in-as", status_code=201)
async def log_in_as(person_id: UUID, body: LogInAs, caller: Caller, here: Here, once: Idempotent) -> Response:
    """A short access token in this person's name, with yours and the reason in it."""
    return (await standing_in.log_in_as(here, caller, person_id, body.reason, once)).response()


@router.delete("/v1/members/{person_id}/outside-identity", status_code=204)
async def unlink(person_id: UUID, caller: Caller, here: Here) -> Response:
    """Forget which account at the outside provider is the person's; another may then be linked. Sessions end."""
    await members.unlink(here, caller, person_id)
    return Response(status_code=204)


@router.post("/v1/members/{person_id}/erase")
async def erase(person_id: UUID, caller: Caller, here: Here, once: Idempotent) -> Response:
    """Erase a person's name, address and rights for good."""
    return (await members.erase(here, caller, person_id, once)).response()
