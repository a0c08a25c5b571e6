"""The web application: addresses, the way in for every request, and what is shown where something goes wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request, cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Scope

from services.console import posted
from services.console.addresses import PAGES
from services.console.calls import Services
from services.console.errors import BadForm, NoSuchPage, Refused, ServiceDown, SignedOut
from services.console.language import speak, tr
from services.console.page import Page
from services.console.pages.counts import counts
from services.console.rendering import MEDIA_TYPES, Renderer, content, digest
from services.console.sealing import Sealer
from services.console.session import Cookies
from services.console.settings import Settings
from services.console.tokens import Tokens
from services.console.visit import Console, Visit
from shared.process import Runtime
from shared.web import WebSettings
from shared.web.door import Door
from shared.web.exchange import exchange
from shared.web.health import health_routes
from shared.web.limits import RateLimit
from shared.web.tokens import Verifier, keys_at

# One stylesheet, one script and pictures of our own; nothing in-line, no frames, forms to nobody else.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
FOR_EVER: Final = {"cache-control": "public, max-age=31536000, immutable"}


def api(runtime: Runtime, sealer: Sealer) -> ASGIApp:
    """The application behind the door. No address needs a bearer token: browsers bring a session cookie instead."""
    settings: Settings = runtime.settings
    services = Services(settings, runtime.stop)
    console = Console(
        settings,
        services,
        Tokens(services, language_seconds=settings.counts_seconds),
        Cookies(sealer, secure=settings.secure_cookies),
        Renderer(),
    )  # fmt: skip
    routes: list[Any] = [*health_routes(runtime.readiness), Route("/static/{digest}/{name}", _static)]
    routes += [_PageRoute(console, page) for page in PAGES]

    async def nowhere(request: Request, error: Exception) -> Response:
        return await _nowhere(console, request, error)

    app = Starlette(routes=routes, exception_handlers={HTTPException: nowhere})
    app.router.redirect_slashes = False
    web = WebSettings()
    return Door(
        app,
        service="console",
        # never asked: every path is public
        verifier=Verifier(settings.identity_issuer, keys_at(settings.jwks_address)),
        public=["/"],
        known=RateLimit("caller", web.rate_per_second, web.rate_burst),
        unknown=RateLimit("address", web.anonymous_per_second, web.anonymous_burst),
        # a whole office may come from one address
        known_by=lambda headers: _signed_in(console.cookies, headers),
    )


def _signed_in(cookies: Cookies, headers: Mapping[bytes, bytes]) -> str | None:
    """Whose session the browser shows."""
    shown = cookie_parser(headers.get(b"cookie", b"").decode("latin-1"))
    session = cookies.session(shown, time.time()) if shown else None
    return session.person.person_id if session is not None and session.person is not None else None


class _PageRoute(Route):
    """A page with everything that is done before and after it."""

    def __init__(self, console: Console, page: Page) -> None:
        async def answer(request: Request) -> Response:
            return await _answer(console, page, request)

        super().__init__(page.path, answer, methods=[page.method])
        self.page = page

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        if match is not Match.NONE:
            # the log line's name of the address; it also tells a form-only address where a browser belongs
            child["route"] = self
        return match, child


async def _answer(console: Console, page: Page, request: Request) -> Response:
    now = time.time()
    visit = Visit(console, request, console.cookies.session(request.cookies, now), now)
    speak(visit.language)
    try:
        response = await _shown(visit, page)
    except ClientDisconnect:
        raise
    except Exception as error:
        response = await _trouble(visit, page, error)
    finally:
        if visit.counts is not None:
            visit.counts.cancel()
    visit.finish(response)
    for name, value in HEADERS.items():
        # a file that is handed on has a stricter policy of its own
        response.headers.setdefault(name, value)
    return response


async def _shown(visit: Visit, page: Page) -> Response:
    if page.method == "POST":
        visit.posted = await posted.read(visit.request, visit.console.settings, files=page.files)
    if not page.public:
        await _sign_in_needed(visit)
    elif visit.session is not None and visit.session.person is not None:
        try:
            await _sign_in_needed(visit)
        except (SignedOut, ServiceDown):
            visit.replace_session(None)
    if page.method == "POST":
        csrf = visit.session.csrf if visit.session else None
        posted.check_origin(visit.request, visit.posted, csrf, visit.console.settings.origin)
    elif not page.public and page.counted:
        visit.counts = asyncio.create_task(counts(visit))
    visit.count = lambda: counts(visit)
    return await page.handler(visit)


async def _sign_in_needed(visit: Visit) -> None:
    """Raises SignedOut; exchanges the tokens where they are about to end."""
    person = visit.person
    exchange(visit.request.scope).line.add(caller=person.person_id)
    assert visit.session is not None
    fresh = await visit.console.tokens.fresh(visit.session)
    if visit.session.own is not None and fresh.own is None:
        visit.say(tr("You are no longer logged in as %(name)s: that ends by itself.", name=person.name))
    if fresh is not visit.session:
        visit.replace_session(fresh)


async def _trouble(visit: Visit, page: Page, error: Exception) -> Response:
    """What a person is shown of an error, with what to do next."""
    line = exchange(visit.request.scope).line
    home = _home(page.home, visit.request)
    if isinstance(error, SignedOut):
        if await _let_in_again(visit):
            return visit.go(home or _local(visit.request))
        visit.replace_session(None)
        return visit.go("/sign-in?" + urlencode({"next": home or _local(visit.request)}))
    if isinstance(error, ServiceDown):
        line.add(outcome="service_down", error=str(error))
        again = list(visit.posted.hidden()) if visit.posted.one("key") and not visit.posted.files else []
        response = await visit.page("down.html", 503, error=error, home=home, again=again)
        response.headers["retry-after"] = str(error.retry_after or 5)
        return response
    if isinstance(error, BadForm):
        line.add(outcome="refused", code="bad_form", detail=str(error))
        return await visit.page("problem.html", error.status, title=error.title, detail=error.detail, home=home)
    if isinstance(error, Refused):
        line.add(outcome="refused", code=error.code, detail=error.said)
        return await refused_page(visit, error, home)
    if isinstance(error, NoSuchPage):
        return await visit.page("missing.html", 404)
    line.add(outcome="failed", exc_info=error)
    return await visit.page(
        "problem.html",
        500,
        title=tr("Something went wrong on our side"),
        detail=tr(
            "It is in our log. Try again; if it comes up again, tell whoever runs this installation when it was."
        ),
        home=home,
    )


async def _let_in_again(visit: Visit) -> bool:
    """Whether who was refused is still signed in: with other rights now, or as nobody but themselves."""
    session = visit.session
    if session is None or session.person is None:
        return False
    try:
        visit.replace_session(await visit.console.tokens.anew(session))
    except (SignedOut, ServiceDown):
        return False
    if session.own is not None:
        visit.say(tr("You are no longer logged in as %(name)s: that ends by itself.", name=session.person.name))
    elif visit.request.method == "POST":
        visit.say(
            tr("Your rights have changed meanwhile. Look whether this was done, and send it again if it was not.")
        )
    return True


async def refused_page(visit: Visit, error: Refused, home: str) -> Response:
    if error.status == 404:
        return await visit.page("missing.html", 404)
    if error.status == 403:
        return await visit.page("forbidden.html", 403, error=error, home=home)
    return await visit.page(
        "problem.html", error.status, title=error.title or tr("This was refused"), detail=error.detail, home=home
    )


async def _nowhere(console: Console, request: Request, error: Exception) -> Response:
    """No such address, or one that takes forms only: then the browser goes where the form is."""
    assert isinstance(error, HTTPException)
    route = request.scope.get("route")
    if error.status_code == 405 and request.method in ("GET", "HEAD") and isinstance(route, _PageRoute):
        return RedirectResponse(_home(route.page.home, request), 303)
    return await _answer(console, Page(request.url.path, _absent, public=True), request)


async def _absent(_: Visit) -> Response:
    raise NoSuchPage


def _home(home: str, request: Request) -> str:
    """A page's home with the values of this request; the page before it where the form says which (`back`)."""
    return home.format(**{name: quote(str(value)) for name, value in request.path_params.items()})


def _local(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in MEDIA_TYPES:
        raise HTTPException(404)
    # an older page may still ask for the former content: it gets today's, and keeps it for today only
    headers: dict[str, str] = (
        FOR_EVER if request.path_params["digest"] == digest(name) else {"cache-control": "no-cache"}
    )
    return Response(content(name), media_type=MEDIA_TYPES[name], headers=headers)
