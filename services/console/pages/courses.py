"""Lifecycles: which there are, what each says, and a new version from a text, with all that is wrong in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from services.console.downloads import download
from services.console.errors import NoSuchPage, Refused
from services.console.language import N_, tr
from services.console.page import Page, form
from services.console.reading import read
from services.console.schemas import Course, Courses, CourseSetting, Finding, Findings, Marketplace
from services.console.visit import Visit, part

NAME_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")
# Characters of a text, as the order service takes them; one more is sent on, so that it says so.
MOST_TEXT: Final = 200_000
CHANGED: Final = N_("Somebody else has changed the settings meanwhile. They are below as they are now.")


async def show_all(visit: Visit) -> Response:
    found = read(Courses, "order", await visit.get("order", "/v1/lifecycles"))
    return await visit.page("courses.html", courses=found.items)


async def show(visit: Visit) -> Response:
    return await _page(visit, _name(visit))


async def _page(
    visit: Visit,
    name: str,
    status: int = 200,
    *,
    text: str | None = None,
    findings: Sequence[Finding] = (),
    problem: str = "",
) -> Response:
    """A lifecycle, with `text` in its form where one came back, or with what is wrong with the settings."""
    answer = await visit.get("order", f"/v1/lifecycles/{name}", [("version", _version(visit))])
    course = read(Course, "order", answer)
    return await visit.page(
        "course.html",
        status,
        course=course,
        text=course.text if text is None else text,
        findings=findings,
        problem=problem,
        place=await _marketplace(visit) if visit.person.is_operator else None,
    )


async def _marketplace(visit: Visit) -> Marketplace | None:
    answer, _ = await part(visit.get("identity", f"/v1/marketplaces/{visit.person.marketplace_id}"))
    return read(Marketplace, "identity", answer) if answer is not None else None


def _name(visit: Visit) -> str:
    """Raises NoSuchPage for what can be none."""
    name = str(visit.request.path_params["name"])
    if not name or len(name) > 63 or set(name) - NAME_LETTERS:
        raise NoSuchPage
    return name


def _version(visit: Visit) -> int | None:
    given = visit.asked("version", 7)
    return int(given) if given.isascii() and given.isdigit() and int(given) > 0 else None


async def diagram(visit: Visit) -> Response:
    """The lifecycle, drawn."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    path = f"/v1/lifecycles/{_name(visit)}/diagram.svg"
    return await download(visit, "order", path, [("version", _version(visit))], policy=policy, inline=True)


async def add(visit: Visit) -> Response:
    """A new version, or a lifecycle of a new name: the text says which."""
    # forms come without the blank ends of their fields; a text ends with a line
    text = visit.posted.one("text")[:MOST_TEXT] + "\n"
    try:
        answer = await visit.send("POST", "order", "/v1/lifecycles", {"text": text}, key=visit.form_key)
    except Refused as e:
        if e.status not in (409, 422):
            raise
        given = {"findings": e.document.get("findings") or [{"line": 0, "message": e.detail, "remedy": ""}]}
        return await _page(visit, _name(visit), 422, text=text, findings=Findings.model_validate(given).findings)
    version, title = answer.body["version"], answer.body["title"]
    if answer.status == 200:
        visit.say(tr("Version %(version)s of %(title)s was there already.", version=version, title=title))
    else:
        told = N_("Version %(version)s of %(title)s is in force for new orders; running ones stay on theirs.")
        visit.say(tr(told, version=version, title=title))
    return visit.go(f"/lifecycles/{answer.body['name']}")


async def settle(visit: Visit) -> Response:
    """What the marketplace sets of what the lifecycle leaves to it; everything else that it has set stays."""
    name = _name(visit)
    course = read(Course, "order", await visit.get("order", f"/v1/lifecycles/{name}"))
    path = f"/v1/marketplaces/{visit.person.marketplace_id}"
    place = read(Marketplace, "identity", await visit.get("identity", path))
    typed = {n: (_setting(s, visit.posted.one(f"s.{n}")), _kept(s.default)) for n, s in course.settings.items()}
    # what was never set and still is as it came goes on following the lifecycle
    given = {n: text for n, (text, default) in typed.items() if text and (text != default or n in place.settings)}
    body = {
        "name": place.name,
        "time_zone": place.time_zone,
        "lifecycle": place.lifecycle,
        "settings": place.settings | given,
    }
    try:
        await visit.send("PUT", "identity", path, body, if_match=visit.form_state)
    except Refused as e:
        if e.status not in (412, 422):
            raise
        told = tr(CHANGED) if e.status == 412 else "; ".join(e.fields.values()) or e.detail
        return await _page(visit, name, e.status, problem=told)
    visit.say(tr("Set. Orders follow it in a moment; what is due already stays as it is."))
    return visit.go(f"/lifecycles/{name}")


def _setting(setting: CourseSetting, typed: str) -> str:
    """As settings are kept: text. A box without its tick is sent as nothing; an empty number leaves things alone."""
    return _kept(bool(typed)) if isinstance(setting.default, bool) else typed


def _kept(value: bool | int) -> str:
    return str(value).lower()


PAGES: Final[Sequence[Page]] = (
    Page("/lifecycles", show_all),
    Page("/lifecycles/{name}", show),
    Page("/lifecycles/{name}/diagram.svg", diagram, counted=False),
    form("/lifecycles/{name}/settings", settle, home="/lifecycles/{name}"),
    form("/lifecycles/{name}", add, home="/lifecycles/{name}"),
)
