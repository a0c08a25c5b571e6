"""One click in a mail (RFC 8058): the POST ends a category's mails; the GET only asks, as scanners follow links."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

from fastapi import Form, Query
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from services.notification.actions import preferences
from services.notification.actions.preferences import Stopping
from services.notification.channels.texts import N_
from shared.process import Runtime
from shared.web import Router, Run

PATH: Final = "/v1/unsubscribe"
STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:0;padding:2rem;background:#f3f4f6;color:#1f2937}"
    "main{max-width:32rem;margin:auto;background:#fff;border-radius:8px;padding:1.5rem 2rem}"
    "h1{font-size:1.4rem;margin:0 0 .5rem}a{color:#0b5cad}"
    "button{font:inherit;font-weight:600;background:#0b5cad;color:#fff;border:0;border-radius:6px;padding:.6rem 1.2rem}"
    "@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}main{background:#161b22}a{color:#58a6ff}}"
)
# The token is a key to one setting: it is in the query, which no log line has, and is not passed on to other pages.
Token = Annotated[str, Query(min_length=1, max_length=300, description="As it stands in the mail's link.")]

router = Router(tags=["unsubscribe"])


@router.get(PATH, response_class=HTMLResponse)
async def ask(token: Token, run: Run) -> Response:
    """A page with one button."""
    stopping = await preferences.read_link(run, token)
    return _page(
        run,
        stopping,
        title=N_("Stop these e-mails?"),
        detail=N_("%(address)s then gets no more e-mails of the kind “%(category)s”."),
        button=N_("Stop these e-mails"),
    )


@router.post(PATH, response_class=HTMLResponse)
async def stop(
    token: Token, run: Run, one_click: Annotated[str, Form(alias="List-Unsubscribe", pattern="^One-Click$")]
) -> Response:
    """Ends the mails of the category that the link stands for. The same click twice is one."""
    stopping = await preferences.unsubscribe(run, token)
    return _page(
        run,
        stopping,
        title=N_("Done"),
        detail=N_("%(address)s gets no more e-mails of the kind “%(category)s”. They still stand in the inbox."),
    )


def _page(run: Runtime, stopping: Stopping, *, title: str, detail: str, button: str = "") -> Response:
    words = stopping.words
    values = {"address": stopping.address, "category": stopping.category}
    html = _template().render(
        lang=words.language,
        title=words.text(title),
        detail=words.fill(detail, values),
        button=words.text(button),
        style=Markup(STYLE),  # noqa: S704 - our own constant, named by its hash in the policy below
        settings=words.text(N_("Notification settings")),
        settings_url=f"{run.settings.console_url.rstrip('/')}/settings/notifications",
    )
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'"
    return HTMLResponse(html, headers={"content-security-policy": policy})


@cache
def _template() -> Template:
    source = files("services.notification").joinpath("templates", "unsubscribe.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source)
