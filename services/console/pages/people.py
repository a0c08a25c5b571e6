"""The people of the marketplace or the organisation, and being logged in as one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from starlette.responses import Response

from services.console.errors import Refused
from services.console.language import tr
from services.console.names import organisations
from services.console.page import Page, form
from services.console.reading import read
from services.console.schemas import MemberRow, Members
from services.console.session import Person
from services.console.visit import Visit

ADDRESS: Final = "/people"
PAGE_SIZE: Final = 50


async def show(visit: Visit) -> Response:
    return await _page(visit)


async def log_in_as(visit: Visit) -> Response:
    """Marketpush page: the operator emulates the seller's account and acts on their behalf."""
    person_id, reason = visit.id("person_id"), visit.posted.one("reason")
    assert visit.session is not None
    try:
        session = await visit.console.tokens.stand_in(visit.session, person_id, reason, visit.form_key)
    except Refused as e:
        if e.status not in (400, 422):
            raise
        return await _page(visit, refused=person_id, reason=reason, problem=" ".join(e.fields.values()) or e.detail)
    visit.replace_session(session)
    return visit.go("/orders")


async def come_back(visit: Visit) -> Response:
    """Be oneself again. Whoever is so already stays."""
    assert visit.session is not None
    if visit.session.own is not None:
        visit.say(tr("You are no longer logged in as %(name)s.", name=visit.person.name))
        visit.replace_session(visit.session.own)
    return visit.go(ADDRESS)


async def _page(visit: Visit, *, refused: UUID | None = None, reason: str = "", problem: str = "") -> Response:
    params = [("limit", str(PAGE_SIZE)), ("cursor", visit.asked("cursor", 2_000))]
    answer, places = await asyncio.gather(visit.get("identity", "/v1/members", params), organisations(visit))
    found = read(Members, "identity", answer)
    return await visit.page(
        "people.html",
        422 if problem else 200,
        people=found.items,
        organisations={o.organisation_id: o.name for o in places},
        may=[p.person_id for p in found.items if may_stand_in(visit.person, p)] if not _stands_in(visit) else [],
        following="?" + urlencode({"cursor": found.next_cursor}) if found.next_cursor else "",
        paged=bool(visit.asked("cursor")),
        refused=refused,
        reason=reason,
        problem=problem,
    )


def _stands_in(visit: Visit) -> bool:
    return visit.session is not None and visit.session.own is not None


def may_stand_in(person: Person, other: MemberRow) -> bool:
    """Whom to offer it for; whether it is allowed the identity service decides."""
    oneself = str(other.person_id) == person.person_id
    return person.manages and not oneself and other.active and "operator" not in other.roles


PAGES: Final[Sequence[Page]] = (
    Page(ADDRESS, show),
    form(f"{ADDRESS}/return", come_back, home=ADDRESS),
    form(f"{ADDRESS}/{{person_id:uuid}}/log-in-as", log_in_as, home=ADDRESS),
)
