"""Looking after people: who is added, with which roles and limit, who may sign in, and a way in for the invited."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from services.console.entered import Wrong, amount, placed
from services.console.errors import Refused
from services.console.language import N_, Texts, tr
from services.console.names import organisations
from services.console.page import Page, form
from services.console.reading import read
from services.console.schemas import Invited, MemberRow
from services.console.visit import Visit

PEOPLE: Final = "/people"
ROLES: Final[Mapping[str, str]] = Texts(
    {
        "buyer": N_("Buyer: orders, and sees what they ordered"),
        "seller": N_("Seller: accepts, ships and answers"),
        "member": N_("Member: does what buyers and sellers may, for all orders of the organisation"),
        "admin": N_("Admin: also looks after people"),
        "approver": N_("Approver: approves orders above a purchasing limit"),
        "operator": N_("Operator: runs the marketplace"),
    }
)
# The service's names of the fields, and refusals that belong to one although they do not name it.
_FIELD_OF: Final[Mapping[str, str]] = {"purchasing_limit": "limit", "organisation_id": "organisation"}
_FIELD_BY_CODE: Final[Mapping[str, str]] = {"email_taken": "email"}
# What a person can set right on the form; anything else is a page of its own.
_SHOWN: Final = (400, 403, 409, 422)


@dataclass(frozen=True, slots=True)
class Draft:
    """The form's fields: as they are kept, or as they came back."""

    name: str = ""
    email: str = ""
    roles: Sequence[str] = ()
    active: bool = True
    limit: str = ""
    organisation: str = ""

    @classmethod
    def of(cls, visit: Visit) -> Draft:
        p = visit.posted
        roles = [r for r in p.many("role") if r in ROLES]
        return cls(p.one("name"), p.one("email"), roles, bool(p.one("active")), p.one("limit"), p.one("organisation"))

    @property
    def problems(self) -> dict[str, str]:
        """What can be said before the service is asked, by field."""
        found = {}
        if not self.name:
            found["name"] = tr("Enter a name.")
        if not self.roles:
            found["roles"] = tr("Choose at least one role.")
        try:
            amount(self.limit or "0")
        except Wrong as e:
            found["limit"] = str(e)
        return found

    def body(self, currency: str) -> dict[str, Any]:
        limit = {"amount": amount(self.limit), "currency": currency} if self.limit else None
        return {"name": self.name, "roles": list(self.roles), "purchasing_limit": limit}


async def new(visit: Visit) -> Response:
    return await _page(visit, Draft())


async def create(visit: Visit) -> Response:
    draft = Draft.of(visit)
    if draft.problems:
        return await _page(visit, draft, errors=draft.problems, status=422)
    body = {**draft.body(await _currency(visit)), "email": draft.email, "organisation_id": draft.organisation or None}
    try:
        answer = await visit.send("POST", "identity", "/v1/members", body, key=visit.form_key)
    except Refused as e:
        return await _refused(visit, draft, e)
    ways = await visit.console.tokens.ways()
    if not ways.password:
        # an invitation is for a password
        visit.say(tr("%(name)s is added, and signs in with %(provider)s.", name=draft.name, provider=ways.outside))
        return visit.go(PEOPLE)
    return await _invitation(visit, draft.name, read(Invited, "identity", answer))


async def edit(visit: Visit) -> Response:
    person, state = await _member(visit)
    limit = person.purchasing_limit.amount if person.purchasing_limit else ""
    return await _page(visit, Draft(person.name, person.email, person.roles, person.active, limit), person, state=state)


async def save(visit: Visit) -> Response:
    """Language and time zone stay as the person has them."""
    (person, _), draft = await _member(visit), Draft.of(visit)
    if draft.problems:
        return await _page(visit, draft, person, state=visit.form_state, errors=draft.problems, status=422)
    body = {
        **draft.body(await _currency(visit)),
        "active": draft.active,
        "language": person.language,
        "time_zone": person.time_zone,
    }
    try:
        await visit.send("PUT", "identity", f"/v1/members/{person.person_id}", body, if_match=visit.form_state)
    except Refused as e:
        if e.status == 412:
            visit.say(
                tr(
                    "%(name)s was changed elsewhere meanwhile. This is how it is now; nothing of yours was kept.",
                    name=person.name,
                )
            )
            return visit.go(f"{PEOPLE}/{person.person_id}")
        return await _refused(visit, draft, e, person)
    visit.say(tr("%(name)s is saved.", name=draft.name))
    return visit.go(PEOPLE)


async def invite(visit: Visit) -> Response:
    person, _ = await _member(visit)
    path = f"/v1/members/{person.person_id}/invitation"
    answer = await visit.send("POST", "identity", path, key=visit.form_key)
    return await _invitation(visit, person.name, read(Invited, "identity", answer))


async def unlink(visit: Visit) -> Response:
    """Let somebody sign in by another account at the outside provider."""
    person, _ = await _member(visit)
    await visit.send("DELETE", "identity", f"/v1/members/{person.person_id}/outside-identity")
    visit.say(tr("The next account with the e-mail address of %(name)s is theirs.", name=person.name))
    return visit.go(f"{PEOPLE}/{person.person_id}")


async def welcome(visit: Visit) -> Response:
    return await visit.page("welcome.html", errors={}, token="")


async def enter(visit: Visit) -> Response:
    """Use an invitation up."""
    token, password = visit.posted.one("token"), visit.posted.one("password")
    try:
        session = await visit.console.tokens.welcome(token, password)
    except Refused as e:
        if e.status not in (400, 422, 429):
            raise
        return await visit.page("welcome.html", e.status, errors=placed(e), token=token)
    visit.replace_session(session)
    visit.say(tr("Your password is set, and you are signed in."))
    return visit.go("/orders")


async def _member(visit: Visit) -> tuple[MemberRow, str]:
    answer = await visit.get("identity", f"/v1/members/{visit.id('person_id')}")
    return read(MemberRow, "identity", answer), answer.etag


async def _currency(visit: Visit) -> str:
    """A limit is in the marketplace's currency."""
    return str((await visit.get("identity", "/v1/me")).body["marketplace"]["currency"])


async def _refused(visit: Visit, draft: Draft, error: Refused, person: MemberRow | None = None) -> Response:
    if error.status not in _SHOWN:
        raise error
    wrong = placed(error, _FIELD_OF, _FIELD_BY_CODE)
    return await _page(visit, draft, person, state=visit.form_state, errors=wrong, status=error.status)


async def _page(
    visit: Visit,
    draft: Draft,
    person: MemberRow | None = None,
    *,
    state: str = "",
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    currency, places, ways = await asyncio.gather(
        _currency(visit), organisations(visit), visit.console.tokens.ways()
    )  # fmt: skip
    return await visit.page(
        "member.html",
        status,
        draft=draft,
        person=person,
        state=state,
        errors=errors or {},
        roles=ROLES,
        currency=currency,
        ways=ways,
        organisations={o.organisation_id: o.name for o in places} if visit.person.is_operator else {},
    )


async def _invitation(visit: Visit, name: str, invited: Invited) -> Response:
    address = f"{visit.console.settings.console_url.rstrip('/')}/welcome"
    return await visit.page("invitation.html", name=name, invitation=invited.invitation, address=address)


_ONE: Final = f"{PEOPLE}/{{person_id:uuid}}"
PAGES: Final[Sequence[Page]] = (
    Page(f"{PEOPLE}/new", new),
    form(f"{PEOPLE}/new", create, home=f"{PEOPLE}/new"),
    Page(_ONE, edit),
    form(_ONE, save, home=_ONE.replace(":uuid", "")),
    form(f"{_ONE}/invitation", invite, home=_ONE.replace(":uuid", "")),
    form(f"{_ONE}/outside", unlink, home=_ONE.replace(":uuid", "")),
    Page("/welcome", welcome, public=True),
    form("/welcome", enter, home="/welcome", public=True),
)
