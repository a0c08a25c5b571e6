"""One request of a browser: who is signed in, what was posted, and the ways to answer it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.console.calls import Answer, Params, Services
from services.console.errors import BadForm, Refused, ServiceDown, SignedOut
from services.console.language import N_, language_of, speak
from services.console.parts import ServiceName
from services.console.posted import Posted
from services.console.rendering import Renderer
from services.console.session import Cookies, Person, Session
from services.console.settings import Settings
from services.console.tokens import Tokens
from shared.ids import new_id

T = TypeVar("T")
_STATE: Final = re.compile(r"[0-9A-Za-z._:-]{1,80}")


@dataclass(frozen=True)
class Console:
    """What is made once per process."""

    settings: Settings
    services: Services
    tokens: Tokens
    cookies: Cookies
    renderer: Renderer


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers beside the menu; None where they cannot be had right now."""

    inbox: int | None = None
    messages: int | None = None


@dataclass
class Visit:
    """`session` is None for a browser without a usable cookie; `posted` is empty unless a form was sent."""

    console: Console
    request: Request
    session: Session | None
    now: float
    posted: Posted = field(default_factory=Posted)
    counts: asyncio.Task[Counts] | None = None
    # asks for the numbers where a form's answer turns out to be a page
    count: Callable[[], Awaitable[Counts]] | None = None
    _said: str | None = None
    _session_changed: bool = False
    _notice_shown: bool = False

    # who

    @property
    def person(self) -> Person:
        """Raises SignedOut."""
        if self.session is None or self.session.person is None:
            raise SignedOut
        return self.session.person

    @property
    def token(self) -> str:
        if self.session is None or self.session.person is None:
            raise SignedOut
        return self.session.access

    @property
    def zone(self) -> ZoneInfo:
        """The person's time zone; UTC where it is not known here."""
        if self.session is not None and self.session.person is not None:
            try:
                return ZoneInfo(self.session.person.time_zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                pass
        return ZoneInfo("UTC")

    @property
    def language(self) -> str:
        """What the person has chosen who is really here, else the browser's; English where there is neither."""
        here = self.session and (self.session.own or self.session).person
        return language_of(here.language if here else "", self.request.headers.get("accept-language", ""))

    def replace_session(self, session: Session | None) -> None:
        self.session = session
        self._session_changed = True
        speak(self.language)

    # what was asked

    def id(self, name: str) -> UUID:
        """A path parameter; the route has checked it."""
        return UUID(str(self.request.path_params[name]))

    def asked(self, name: str, most: int = 200) -> str:
        """A query parameter, cut to `most` characters, without what no search has."""
        return self.request.query_params.get(name, "").replace("\x00", "").strip()[:most]

    @property
    def form_key(self) -> str:
        """The idempotency key that the form was rendered with; a new one where a hand-made form has none that fits."""
        given = self.posted.one("key")
        fits = given and len(given) <= 100 and given.isascii() and given.replace("-", "").isalnum()
        return given if fits else str(new_id())

    @property
    def form_state(self) -> str:
        """The state of what the form was rendered from, for If-Match. Raises BadForm for what no page of ours has."""
        given = self.posted.one("etag")
        if given and not _STATE.fullmatch(given):
            raise BadForm(400, N_("This form cannot be read"), N_("It was not sent by one of the console's own pages."))
        return given

    # the services

    async def get(
        self, service: ServiceName, path: str, params: Params = (), *, seconds: float | None = None
    ) -> Answer:
        return await self.console.services.get(service, path, self.token, params, seconds=seconds)

    async def send(
        self,
        method: str,
        service: ServiceName,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        key: str = "",
        if_match: str = "",
    ) -> Answer:
        """A change in the person's name; `key` is the idempotency key of the form that asked for it."""
        return await self.console.services.send(method, service, path, self.token, body, key=key, if_match=if_match)

    # the answers

    def say(self, text: str) -> None:
        """What the next page that is shown begins with."""
        self._said = text

    def go(self, path: str) -> Response:
        """Answer a form: the browser fetches `path` next, so that reloading sends nothing twice."""
        return RedirectResponse(path, status_code=303)

    async def page(self, template: str, status: int = 200, **values: Any) -> Response:
        notice = self.console.cookies.notice(self.request.cookies)
        self._notice_shown = notice is not None
        notice, self._said = self._said or notice, None
        counts = await self._counted()
        if self.session is None:
            self.replace_session(Session.fresh())
        assert self.session is not None
        html = self.console.renderer.render(
            template,
            {
                "me": self.session.person,
                "own": self.session.own.person if self.session.own is not None else None,
                "csrf": self.session.csrf,
                "notice": notice,
                "counts": counts,
                "zone": self.zone,
                "path": self.request.url.path,
                "here": str(self.request.url.path) + (f"?{self.request.url.query}" if self.request.url.query else ""),
                **values,
            },
        )
        return Response(html, status, media_type="text/html; charset=utf-8")

    async def _counted(self) -> Counts:
        if self.counts is not None:
            return await self.counts
        signed_in = self.session is not None and self.session.person is not None
        return await self.count() if signed_in and self.count is not None else Counts()

    def finish(self, response: Response) -> Response:
        """The answer with the cookies that it takes along."""
        cookies, request = self.console.cookies, self.request
        if self._session_changed and self.session is not None:
            cookies.keep(response, self.session, request.cookies, self.now)
        elif self._session_changed:
            cookies.forget(response, request.cookies)
        if self._said is not None:
            cookies.keep_notice(response, self._said)
        elif self._notice_shown:
            cookies.forget_notice(response)
        return response


async def part(work: Awaitable[T]) -> tuple[T | None, ServiceDown | Refused | None]:
    """A part of a page that the page can do without: what it is, or why it cannot be shown."""
    try:
        return await work, None
    except (ServiceDown, Refused) as e:
        return None, e
