"""Signing in and out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from services.console.errors import Refused
from services.console.language import N_, tr
from services.console.page import Page, form
from services.console.visit import Visit

FIRST: Final = "/orders"
# A path of our own: "//host" and "/\host" would be another site's.
_LOCAL: Final = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,1999}")
_EMAIL: Final = re.compile(r"[^\s@]{1,64}@[^\s@]{1,190}")
# As `ordertrail seed-demo` makes them: in each marketplace the same people under its own domain.
DEMO_MARKETPLACES: Final = ("loopfront", "storefront", "marketpush", "lengow", "supplier")
DEMO_PEOPLE: Final = ("buyer", "seller", "operator", "approver", "buyer-admin", "member", "admin", "buyer2", "seller2")


# Why nobody came in by the outside provider: what happened, and what to do.
WHY: Final[Mapping[str, str]] = {
    "cancelled": N_("You did not go through with signing in at %(name)s. Nothing was changed; you can try again."),
    "declined": N_(
        "%(name)s did not let you go on. Try again; if it comes up again, tell whoever runs this installation when "
        "it was."
    ),
    "stale": N_(
        "This sign-in was finished before, was begun in another browser, or has taken longer than ten minutes. "
        "Start again."
    ),
    "failed": N_(
        "What %(name)s sent does not prove who you are, so nobody was signed in. Start again; if it comes up again, "
        "tell whoever runs this installation when it was."
    ),
    "unverified": N_(
        "%(name)s does not say that your e-mail address is really yours. Have it confirmed there, then sign in again."
    ),
    "unknown": N_(
        "%(name)s knows you, but nobody here has the e-mail address that you have there. Ask an admin of your "
        "organisation to add you under that address, then sign in again."
    ),
    "inactive": N_("You may not sign in here any more. Ask an admin of your organisation if that is a mistake."),
    "other": N_(
        "You sign in here with another account at %(name)s. Use that one, or ask an admin of your organisation to let "
        "you change it."
    ),
    "often": N_("Too many failed sign-ins. Wait some minutes."),
    "away": N_("%(name)s does not answer right now. Nothing is lost: wait a moment, then try again."),
    "unusable": N_(
        "%(name)s and this installation do not fit together right now. Tell whoever runs this installation: the "
        "reason is in the log of its identity service."
    ),
}
_STATUS: Final[Mapping[str, int]] = {"often": 429, "away": 503, "unusable": 503}
# Where identity does not tell the provider's name just now: the name of what all of them are.
NAMELESS: Final = "OpenID Connect"


def local_path(given: str) -> str:
    """Where to go after signing in: the path that was asked for if it is one of ours, else the orders."""
    return given if _LOCAL.fullmatch(given) and not given.startswith("/sign-") else FIRST


async def start(visit: Visit) -> Response:
    return visit.go(FIRST)


async def show(visit: Visit) -> Response:
    wanted = local_path(visit.asked("next", 2_000))
    if visit.session is not None and visit.session.person is not None:
        return visit.go(wanted)
    given, refused = visit.asked("email", 254), visit.asked("refused")
    status = _STATUS.get(refused, 403) if refused in WHY else 200
    return await _page(visit, status, wanted, given if _EMAIL.fullmatch(given) else "", refused=refused)


async def sign_in(visit: Visit) -> Response:
    email, password = visit.posted.one("email"), visit.posted.one("password")
    wanted = local_path(visit.posted.one("next"))
    if not email or not password:
        return await _page(visit, 422, wanted, email, tr("Enter both your e-mail address and your password."))
    address = visit.request.client.host if visit.request.client else "unknown"
    try:
        session = await visit.console.tokens.sign_in(email, password, address)
    except Refused as e:
        return await _page(visit, e.status, wanted, email, _why(e))
    visit.replace_session(session)
    return visit.go(wanted)


async def sign_out(visit: Visit) -> Response:
    address = await visit.console.tokens.sign_out(visit.session) if visit.session is not None else ""
    visit.replace_session(None)
    # a page of ours that goes on by itself: forms, and where they are sent on to, lead to nobody else
    name = (await visit.console.tokens.ways()).outside or NAMELESS if address else ""
    response = await visit.page("leaving.html", address=address, name=name) if address else visit.go("/sign-in")
    visit.say(tr("You are signed out."))
    return response


def _why(error: Refused) -> str:
    if error.code == "password_sign_in_off":
        return error.detail
    if error.status == 429:
        return tr("%(why)s Then try again.", why=error.detail)
    if error.status in (401, 403):
        return tr("The e-mail address or the password is not right. Check both, and try again.")
    return error.detail


async def _page(
    visit: Visit, status: int, wanted: str, email: str, problem: str = "", *, refused: str = ""
) -> Response:
    ways = await visit.console.tokens.ways()
    hint = visit.console.settings.shows_demo_hint and ways.password
    if refused in WHY:
        problem = tr(WHY[refused], name=ways.outside or NAMELESS)
    return await visit.page(
        "sign_in.html",
        status,
        next=wanted,
        email=email,
        problem=problem,
        ways=ways,
        outside="/sign-in/outside?" + urlencode({"next": wanted}),
        demo=[(m, [f"{p}@{m}.example" for p in DEMO_PEOPLE]) for m in DEMO_MARKETPLACES] if hint else [],
    )


PAGES: Final[Sequence[Page]] = (
    Page("/", start, public=True),
    Page("/sign-in", show, public=True),
    form("/sign-in", sign_in, home="/sign-in", public=True),
    form("/sign-out", sign_out, home="/sign-in", public=True),
)
