"""The form of a webhook endpoint: where events go, which of them, and of which orders; for a new one and a kept one."""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response

from services.console.calls import Answer
from services.console.entered import placed
from services.console.errors import BadForm, Refused
from services.console.language import N_, tr
from services.console.names import sellers
from services.console.page import Page, form
from services.console.pages.sending import FIELDS, FORMATS, SIGNATURES, Sending
from services.console.posted import Posted
from services.console.reading import read
from services.console.schemas import Endpoint, EventTypes
from services.console.visit import Visit

# Refusals that belong to a field although they do not name it.
_FIELD_OF: Final[Mapping[str, str]] = {"url_not_allowed": "url", "unknown_event_type": "event_types"}
# What a person can set right on the form.
_SHOWN: Final = (400, 409, 422)
_APART: Final = re.compile(r"[,\n]")
# Of the service; one more is sent on, so that it says so.
MOST_SELLERS: Final = 100


@dataclass(frozen=True, slots=True)
class Draft:
    """The form's fields: as they are kept, or as they came back. Names are texts with commas, sellers ids."""

    url: str = ""
    description: str = ""
    some: bool = False
    types: Sequence[str] = ()
    channels: str = ""
    sellers: Sequence[str] = ()
    actions: str = ""
    phases: Sequence[str] = ()
    sending: Sending = field(default_factory=Sending)

    @classmethod
    def posted(cls, p: Posted) -> Draft:
        return cls(
            p.one("url"), p.one("description"), p.one("which") == "some", p.many("event_type")[:50],
            p.one("channels"), p.many("seller")[:MOST_SELLERS + 1], p.one("actions"), p.many("phase")[:20],
            Sending.posted(p),
        )  # fmt: skip

    @classmethod
    def kept(cls, e: Endpoint) -> Draft:
        f = e.filter
        return cls(
            e.url, e.description, "*" not in e.event_types, [t for t in e.event_types if t != "*"],
            ", ".join(f.channels or ()), _sellers(e), ", ".join(f.actions or ()), f.phases or (),
            Sending.kept(e),
        )  # fmt: skip

    @property
    def problems(self) -> dict[str, str]:
        """What can be said before the service is asked, by field."""
        found = {}
        if not self.url:
            found["url"] = tr("Enter the address that events are to be sent to.")
        if self.some and not self.types:
            found["event_types"] = tr("Choose at least one, or all of them.")
        if self.types and not self.some:
            found["event_types"] = tr(
                "All events are chosen, and single ones as well: say “Only these”, or untick them."
            )
        return found | self.sending.problems

    def body(self, *, new: bool) -> dict[str, Any]:
        """What the service is asked for, all but the address. A filter that is left empty is none."""
        given: dict[str, Sequence[str]] = {
            "channels": names(self.channels), "sellers": self.sellers, "actions": names(self.actions),
            "phases": self.phases,
        }  # fmt: skip
        return {
            "description": self.description,
            "event_types": list(self.types) if self.some else ["*"],
            "filter": {name: list(values) for name, values in given.items() if values},
            **self.sending.body(new=new),
        }


def names(text: str) -> list[str]:
    """The names in a text with commas, each once."""
    return list(dict.fromkeys(n for n in (part.strip() for part in _APART.split(text)) if n))


async def new(visit: Visit) -> Response:
    return await _page(visit, Draft())


async def create(visit: Visit) -> Response:
    draft = Draft.posted(visit.posted)
    if draft.problems:
        return await _page(visit, draft, draft.problems)
    secret = opened(visit)
    body = {"url": draft.url, **draft.body(new=True)}
    # of a key pair nobody needs more than the public half, which can be read at any time
    shared = draft.sending.signature != "ed25519"
    if shared:
        body["secret"] = secret
    try:
        answer = await visit.send("POST", "webhook", "/v1/endpoints", body, key=visit.form_key)
    except Refused as e:
        if e.status not in _SHOWN:
            raise
        return await _page(visit, draft, placed(e, FIELDS, _FIELD_OF))
    return await secret_page(visit, read(Endpoint, "webhook", answer), secret if shared else "", created=True)


async def edit(visit: Visit) -> Response:
    found, answer = await _kept(visit)
    return await _page(visit, Draft.kept(found), kept=found, etag=answer.etag)


async def change(visit: Visit) -> Response:
    draft, state = Draft.posted(visit.posted), visit.form_state
    found, answer = await _kept(visit)
    if draft.problems:
        return await _page(visit, draft, draft.problems, kept=found, etag=state)
    # an address or a signature that stays is not sent: it may only be changed by those who may change secrets
    body = draft.body(new=False) | ({} if draft.url == found.url else {"url": draft.url})
    if draft.sending.signature == found.signature:
        del body["signature"]
    try:
        changed = await visit.send("PATCH", "webhook", f"/v1/endpoints/{found.endpoint_id}", body, if_match=state)
    except Refused as e:
        if e.status == 412:
            wrong = {"": tr("The endpoint was changed elsewhere meanwhile. This is how it is now.")}
            return await _page(visit, Draft.kept(found), wrong, kept=found, etag=answer.etag, status=409)
        if e.status not in _SHOWN:
            raise
        return await _page(visit, draft, placed(e, FIELDS, _FIELD_OF), kept=found, etag=state)
    # of a key pair that was made for the change, the public half stands on the endpoint's page
    if secret := (changed.body.get("secrets") or {}).get("hmac"):
        return await secret_page(visit, read(Endpoint, "webhook", changed), secret, created=False)
    visit.say(tr("Saved. It holds for everything that is sent from now on."))
    return visit.go(f"/webhooks/{found.endpoint_id}")


async def _kept(visit: Visit) -> tuple[Endpoint, Answer]:
    answer = await visit.get("webhook", f"/v1/endpoints/{visit.id('endpoint_id')}")
    return read(Endpoint, "webhook", answer), answer


async def _page(
    visit: Visit,
    draft: Draft,
    errors: Mapping[str, str] | None = None,
    *,
    kept: Endpoint | None = None,
    etag: str = "",
    status: int = 422,
) -> Response:
    answer, known = await asyncio.gather(visit.get("webhook", "/v1/event-types"), sellers(visit))
    types = [t.type for t in read(EventTypes, "webhook", answer).items]
    # wildcards such as "order.*" can be set by programs, and stay what they are
    patterns = [t for t in kept.event_types if t != "*" and t not in types] if kept is not None else []
    return await visit.page(
        "webhook_form.html",
        status if errors else 200,
        endpoint=kept,
        draft=draft,
        types=[*types, *patterns],
        formats=FORMATS,
        signatures=SIGNATURES,
        sellers={**known, **{s: s for s in (*_sellers(kept), *draft.sellers) if s not in known}},
        errors=errors or {},
        etag=etag,
        sealed=sealed(visit) if kept is None else "",
    )


def _sellers(kept: Endpoint | None) -> Sequence[str]:
    return [str(s) for s in kept.filter.sellers or ()] if kept is not None else ()


def sealed(visit: Visit) -> str:
    """A secret drawn for a form, closed so that the page does not show it yet.

    Drawn here and not by the webhook service, which shows a secret in one answer only: where a form is sent twice, the
    browser shows the second answer, and the person would never see it.
    """
    given = visit.posted.one("sealed")
    if given and visit.console.cookies.opened(_use(visit), given) is not None:
        return given
    drawn = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    return visit.console.cookies.sealed(_use(visit), drawn)


def _use(visit: Visit) -> str:
    """A closed secret opens for the person only who was given it."""
    return f"webhook secret of {visit.person.person_id}"


def opened(visit: Visit) -> str:
    """The secret that the form was rendered with. Raises BadForm."""
    found = visit.console.cookies.opened(_use(visit), visit.posted.one("sealed"))
    if found is None:
        raise BadForm(400, N_("This form cannot be read"), N_("Open the page again, and send it from there."))
    return found


async def secret_page(visit: Visit, endpoint: Endpoint, secret: str, *, created: bool) -> Response:
    """What a receiver checks signatures with: a secret, shown here only, and public keys, if there are any."""
    public = [k.public_key for k in endpoint.keys if k.public_key and k.expires_at is None]
    return await visit.page("webhook_secret.html", endpoint=endpoint, secret=secret, public=public, created=created)


PAGES: Final[Sequence[Page]] = (
    Page("/webhooks/new", new),
    form("/webhooks/new", create, home="/webhooks/new"),
    Page("/webhooks/{endpoint_id:uuid}/change", edit),
    form("/webhooks/{endpoint_id:uuid}/change", change, home="/webhooks/{endpoint_id}/change"),
)
