"""Lifecycles: which there are, what each says, and a new version from a text, with all that is wrong in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from services.console.downloads import download
from services.console.errors import NoSuchPage, Refused
from services.console.page import Page, form
from services.console.reading import read
from services.console.schemas import Course, Courses, Finding, Findings
from services.console.visit import Visit

NAME_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")
# Characters of a text, as the order service takes them.
MOST_TEXT: Final = 200_000


async def show_all(visit: Visit) -> Response:
    found = read(Courses, "order", await visit.get("order", "/v1/lifecycles"))
    return await visit.page("courses.html", courses=found.items)


async def show(visit: Visit) -> Response:
    return await _page(visit, _name(visit))


async def _page(
    visit: Visit, name: str, status: int = 200, *, text: str | None = None, findings: Sequence[Finding] = ()
) -> Response:
    """A lifecycle, with `text` in its form where one came back."""
    answer = await visit.get("order", f"/v1/lifecycles/{name}", [("version", _version(visit))])
    course = read(Course, "order", answer)
    return await visit.page(
        "course.html", status, course=course, text=course.text if text is None else text, findings=findings
    )


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
    same = "was there already" if answer.status == 200 else "is in force for new orders; running ones stay on theirs"
    visit.say(f"Version {answer.body['version']} of {answer.body['title']} {same}.")
    return visit.go(f"/lifecycles/{answer.body['name']}")


PAGES: Final[Sequence[Page]] = (
    Page("/lifecycles", show_all),
    Page("/lifecycles/{name}", show),
    Page("/lifecycles/{name}/diagram.svg", diagram, counted=False),
    form("/lifecycles/{name}", add, home="/lifecycles/{name}"),
)
