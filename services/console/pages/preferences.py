"""Notification settings: what a person is told of, where, when and in which language."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from zoneinfo import available_timezones

from babel import Locale
from babel.core import UnknownLocaleError
from starlette.responses import Response

from services.console.entered import placed
from services.console.errors import Refused
from services.console.language import N_, Texts, locale, tr
from services.console.page import Page, form
from services.console.posted import Posted
from services.console.reading import read
from services.console.schemas import CategoryPreference, Digest, LogIns, Preferences, QuietHours
from services.console.tokens import as_wished, chosen_language
from services.console.visit import Visit, part

ADDRESS: Final = "/settings/notifications"
CHANNELS: Final = ("in_app", "email")
DIGESTS: Final[Mapping[str, str]] = Texts(
    {
        "off": N_("Each one by itself, at once"),
        "hourly": N_("Collected, every hour"),
        "daily": N_("Collected, once a day"),
    }
)
# Zones by place; the rest of the database are offsets and old names.
ZONES: Final = sorted(
    z for z in available_timezones() if z.partition("/")[0] in
    {"Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)  # fmt: skip


async def show(visit: Visit) -> Response:
    return await _page(visit)


async def save(visit: Visit) -> Response:
    posted = visit.posted
    quiet = {"start": posted.one("quiet_start"), "end": posted.one("quiet_end")} if posted.one("quiet") else None
    if quiet is not None and not all(quiet.values()):
        return await _page(visit, {"quiet_hours": tr("Say from when until when the quiet hours are.")})
    names = posted.many("category")[:50]
    body: dict[str, Any] = {
        "language": posted.one("language") or None,
        "time_zone": posted.one("time_zone") or None,
        "quiet_hours": quiet,
        "digest": {"mode": posted.one("digest") or "off", "at": posted.one("digest_at") or "08:00"},
        "categories": {n: {c: bool(posted.one(f"{c}.{n}")) for c in CHANNELS} for n in names},
    }
    try:
        kept = await visit.send("PUT", "notification", "/v1/preferences", body, if_match=visit.form_state)
    except Refused as e:
        if e.status == 412:
            wrong = {"": tr("Your settings were changed elsewhere meanwhile. This is how they are now.")}
            return await _page(visit, wrong, 409, keep=False)
        if e.status not in (400, 422):
            raise
        return await _page(visit, placed(e))
    _follow(visit, kept.body)
    visit.say(tr("Your notification settings are saved."))
    return visit.go(ADDRESS)


async def resume(visit: Visit) -> Response:
    await visit.send("POST", "notification", "/v1/preferences/email/resume", key=visit.form_key)
    visit.say(tr("E-mail is sent to your address again."))
    return visit.go(ADDRESS)


async def _page(
    visit: Visit, errors: Mapping[str, str] | None = None, status: int = 422, *, keep: bool = True
) -> Response:
    """`keep`: a form that came back is shown as it was filled in."""
    answer, (others, _) = await asyncio.gather(
        visit.get("notification", "/v1/preferences"),
        part(visit.get("identity", "/v1/me/log-ins", [("limit", "20")])),
    )
    wishes, etag = read(Preferences, "notification", answer), answer.etag
    mailed_in = "" if wishes.language_chosen else _named(wishes.language)
    if errors and keep:
        wishes, etag = _as_posted(wishes, visit.posted), visit.form_state
    zones = ZONES if wishes.time_zone in ZONES else [wishes.time_zone, *ZONES]
    return await visit.page(
        "preferences.html",
        status if errors else 200,
        wishes=wishes,
        etag=etag,
        errors=errors or {},
        digests=DIGESTS,
        chosen=_chosen(wishes, visit.posted if errors and keep else None),
        mailed_in=mailed_in,
        languages=[(code, _name(code)) for code in wishes.languages],
        zones=zones,
        others=read(LogIns, "identity", others).items if others is not None else None,
    )


def _chosen(wishes: Preferences, posted: Posted | None) -> str:
    """The language that is chosen, "" for none."""
    return chosen_language(wishes.model_dump()) if posted is None else posted.one("language")


def _follow(visit: Visit, wishes: Mapping[str, Any]) -> None:
    """Have the session say what was chosen: pages follow it from now on, without asking for it each time."""
    if visit.session is not None and visit.session.own is None:
        visit.replace_session(replace(visit.session, person=as_wished(visit.person, wishes)))


def _as_posted(wishes: Preferences, posted: Posted) -> Preferences:
    def state(category: CategoryPreference, channel: str) -> str:
        kept = str(getattr(category, channel))
        return kept if kept == "required" else "on" if posted.one(f"{channel}.{category.name}") else "off"

    quiet = QuietHours(start=posted.one("quiet_start"), end=posted.one("quiet_end")) if posted.one("quiet") else None
    return wishes.model_copy(
        update={
            "language": posted.one("language") or wishes.language,
            "time_zone": posted.one("time_zone") or wishes.time_zone,
            "quiet_hours": quiet,
            "digest": Digest(mode=posted.one("digest") or "off", at=posted.one("digest_at")),
            "categories": tuple(
                c.model_copy(update={channel: state(c, channel) for channel in CHANNELS}) for c in wishes.categories
            ),
        }
    )


def _named(code: str) -> str:
    """A language in the reader's."""
    try:
        return Locale.parse(code, sep="-").get_display_name(locale()) or code
    except (UnknownLocaleError, ValueError):
        return code


def _name(code: str) -> str:
    """A language in its own words."""
    try:
        locale = Locale.parse(code, sep="-")
    except (UnknownLocaleError, ValueError):
        return code
    return (locale.get_display_name(locale) or code).capitalize()


PAGES: Final[Sequence[Page]] = (
    Page(ADDRESS, show),
    form(ADDRESS, save, home=ADDRESS),
    form(f"{ADDRESS}/resume-email", resume, home=ADDRESS),
)
