"""Signing in by the outside provider: the way there, and the way back. Whatever goes wrong is told on the sign-in page.

The way there is a link and no form: our own policy has forms lead to nobody else, redirects included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from services.console.errors import Refused, ServiceDown
from services.console.outside import Pending
from services.console.page import Page
from services.console.pages.signing import FIRST, local_path
from services.console.visit import Visit
from shared.web.exchange import exchange

# Identity's codes, as the sign-in page tells them (`signing.WHY`).
_WHY: Final[Mapping[str, str]] = {
    "outside_sign_in_stale": "stale",
    "outside_sign_in_failed": "failed",
    "outside_email_unverified": "unverified",
    "outside_person_unknown": "unknown",
    "outside_person_inactive": "inactive",
    "outside_linked_to_another": "other",
    "too_many_failures": "often",
    "provider_unavailable": "away",
    "provider_unusable": "unusable",
}
# A code of Entra ID has some 1,500 letters.
MOST_CODE: Final = 8_192


async def leave(visit: Visit) -> Response:
    """On to the provider."""
    wanted = local_path(visit.asked("next", 2_000))
    if visit.session is not None and visit.session.person is not None:
        return visit.go(wanted)
    pending = Pending.begun(wanted, visit.now)
    try:
        address = await visit.console.tokens.outside(pending)
    except Refused as e:
        if e.code == "outside_sign_in_off":
            return visit.go("/sign-in")
        return _refused(visit, _WHY.get(e.code, "failed"), wanted, e)
    except ServiceDown as e:
        return _down(visit, e, wanted)
    response = visit.go(address)
    visit.console.cookies.keep_pending(response, pending)
    return response


async def come_back(visit: Visit) -> Response:
    """From the provider, with a code or with a refusal."""
    pending = visit.console.cookies.pending(visit.request.cookies)
    if visit.session is not None and visit.session.person is not None:
        # another window was quicker
        return visit.go(pending.wanted if pending is not None else FIRST)
    if pending is None or not pending.is_of(_one(visit, "state"), visit.now):
        # whose state it is not, may not end what this browser has begun: the cookie stays
        return _refused(visit, "stale", FIRST)
    response = await _finished(visit, pending)
    visit.console.cookies.forget_pending(response)
    return response


async def _finished(visit: Visit, pending: Pending) -> Response:
    if error := _one(visit, "error"):
        return _refused(visit, "cancelled" if error == "access_denied" else "declined", pending.wanted)
    code = _one(visit, "code")
    if not 0 < len(code) <= MOST_CODE:
        return _refused(visit, "declined", pending.wanted)
    address = visit.request.client.host if visit.request.client else "unknown"
    try:
        session = await visit.console.tokens.returned(pending, code, _one(visit, "iss"), address)
    except Refused as e:
        return _refused(visit, _WHY.get(e.code, "failed"), pending.wanted, e)
    except ServiceDown as e:
        return _down(visit, e, pending.wanted)
    visit.replace_session(session)
    return visit.go(pending.wanted)


def _one(visit: Visit, name: str) -> str:
    """A parameter of the answer; "" where it is not there, or there twice, which no provider sends (RFC 6749, 3.1)."""
    given = visit.request.query_params.getlist(name)
    return given[0] if len(given) == 1 else ""


def _down(visit: Visit, error: ServiceDown, wanted: str) -> Response:
    """Raises it again where it is identity that does not answer, and not the provider."""
    if error.code not in _WHY:
        raise error
    return _refused(visit, _WHY[error.code], wanted, error)


def _refused(visit: Visit, why: str, wanted: str, error: Exception | None = None) -> Response:
    """To the sign-in page, which says why: at an address without the code, that can be loaded again."""
    exchange(visit.request.scope).line.add(outcome="refused", code=f"outside_{why}", detail=str(error or why))
    return visit.go("/sign-in?" + urlencode({"refused": why, "next": wanted}))


PAGES: Final[Sequence[Page]] = (
    Page("/sign-in/outside", leave, public=True, counted=False),
    Page("/sign-in/callback", come_back, public=True, counted=False),
)
