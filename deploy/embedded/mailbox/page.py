"""The mailbox over HTTP: a page for people, JSON for tests. Mails are hostile: they are shown in a sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from deploy.embedded.mailbox.behaviour import Behaviour
from deploy.embedded.mailbox.store import Mail

if TYPE_CHECKING:
    from deploy.embedded.mailbox.server import Mailbox

MOST_LISTED = 200
MOST_BODY_BYTES = 64 * 1024
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; base-uri 'none'"
# Nothing is loaded from anywhere and no script runs; a link opens a page of its own.
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "sandbox allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'self'"
)
NEW_TAB = b'<base target="_blank">'
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1.5rem;color:#1c2430;background:#fafbfc}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.45rem .6rem;border-bottom:1px solid #dde3ea;
vertical-align:top;overflow-wrap:anywhere}a{color:#0b57d0}iframe{width:100%;height:32rem;border:1px solid #dde3ea;
background:#fff}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#fff;border:1px solid #dde3ea;padding:1rem}
input,button{font:inherit;padding:.3rem .6rem}.empty{color:#5b6675;padding:2rem 0}
@media(prefers-color-scheme:dark){body{color:#e4e8ee;background:#14181d}td,th,iframe,pre{border-color:#333c47}
pre{background:#1b2027}a{color:#8ab4f8}.empty{color:#9aa5b3}}
"""


def handler_for(mailbox: Mailbox) -> type[BaseHTTPRequestHandler]:
    """A request handler class bound to `mailbox`."""
    return type("MailboxHandler", (_Handler,), {"mailbox": mailbox})


class _Handler(BaseHTTPRequestHandler):
    """GET /, /mails/<id>[/html|/raw], /api/mails[/<id>], /api/behaviour, /healthz; PUT and DELETE below /api."""

    mailbox: Mailbox
    protocol_version = "HTTP/1.1"
    server_version = "OrdertrailMailbox"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        match [part for part in parts.path.split("/") if part]:
            case []:
                self._html(list_page(self.mailbox.mails(to=query.get("to", "")), query.get("to", "")))
            case ["healthz"]:
                self._json({"status": "ok"})
            case ["mails", number, *view]:
                self._mail(number, view)
            case ["api", "mails"]:
                self._list(query)
            case ["api", "mails", number]:
                mail = self._find(number)
                self._json(mail.details()) if mail else self._problem(HTTPStatus.NOT_FOUND, "no such mail")
            case ["api", "behaviour"]:
                self._json(vars(self.mailbox.behaviour))
            case _:
                self._problem(HTTPStatus.NOT_FOUND, "no such page")

    def do_PUT(self) -> None:
        if self.path != "/api/behaviour":
            self._problem(HTTPStatus.NOT_FOUND, "no such page")
            return
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BODY_BYTES:
            self.close_connection = True
            self._problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MOST_BODY_BYTES} bytes")
            return
        try:
            behaviour = Behaviour.parse(json.loads(self.rfile.read(length)))
        except ValueError as error:
            self._problem(HTTPStatus.BAD_REQUEST, str(error))
            return
        self.mailbox.behave(behaviour)
        self._json(vars(behaviour))

    def do_DELETE(self) -> None:
        if self.path != "/api/mails":
            self._problem(HTTPStatus.NOT_FOUND, "no such page")
            return
        self.mailbox.store.clear()
        self._json({"deleted": True})

    def _list(self, query: Mapping[str, str]) -> None:
        limit = query.get("limit", str(MOST_LISTED))
        if not limit.isdigit() or not 1 <= int(limit) <= MOST_LISTED:
            self._problem(HTTPStatus.BAD_REQUEST, f"limit is 1 to {MOST_LISTED}")
            return
        found = self.mailbox.mails(to=query.get("to", ""), subject=query.get("subject", ""))
        self._json({"total": len(found), "items": [mail.summary() for mail in found[: int(limit)]]})

    def _mail(self, number: str, view: list[str]) -> None:
        mail = self._find(number)
        if mail is None or view not in ([], ["html"], ["raw"]):
            self._html(page("Not here", "<p>This mail is not here (any more).</p>"), HTTPStatus.NOT_FOUND)
        elif not view:
            self._html(mail_page(mail))
        elif view == ["html"]:
            shown = NEW_TAB + mail.html.encode("utf-8", "replace")
            self._answer(shown, "text/html; charset=utf-8", policy=MAIL_POLICY)
        else:
            self._answer(mail.raw, "text/plain; charset=utf-8")

    def _find(self, number: str) -> Mail | None:
        return self.mailbox.store.get(int(number)) if number.isdigit() and len(number) < 12 else None

    def _html(self, text: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._answer(text.encode(), "text/html; charset=utf-8", status)

    def _json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._answer(json.dumps(value).encode(), "application/json", status)

    def _problem(self, status: HTTPStatus, detail: str) -> None:
        self._json({"title": status.phrase, "status": status, "detail": detail}, status)

    def _answer(
        self, body: bytes, content_type: str, status: HTTPStatus = HTTPStatus.OK, *, policy: str = PAGE_POLICY
    ) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Not a line per request: the page is looked at by people and tests only."""


def page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>{body}</body></html>"
    )


def list_page(mails: list[Mail], to: str) -> str:
    """The newest MOST_LISTED mails, and a field to narrow them by recipient."""
    rows = "".join(
        f"<tr><td>{mail.received_at:%H:%M:%S}</td><td>{escape(', '.join(mail.rcpt_to))}</td>"
        f'<td><a href="/mails/{mail.number}">{escape(mail.subject) or "(no subject)"}</a></td></tr>'
        for mail in mails[:MOST_LISTED]
    )
    table = f"<table><tr><th>Received (UTC)</th><th>To</th><th>Subject</th></tr>{rows}</table>"
    return page(
        "Mailbox",
        f"<h1>Mailbox</h1><p>Every mail that Ordertrail sends here is kept here and goes nowhere else.</p>"
        f'<form><label>To <input name="to" value="{escape(to)}"></label> <button>Show</button> '
        '<a href="/">All</a></form>' + (table if mails else '<p class="empty">No mail yet.</p>'),
    )


def mail_page(mail: Mail) -> str:
    """Envelope, headers, the HTML part in a sandboxed frame, the text part, a link to the raw message."""
    headers = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in mail.message.items()
    )
    frame = (
        f'<h2>HTML</h2><iframe sandbox="allow-popups allow-popups-to-escape-sandbox" title="HTML part" '
        f'src="/mails/{mail.number}/html"></iframe>'
        if mail.html
        else ""
    )
    return page(
        mail.subject or "(no subject)",
        f'<p><a href="/">Mailbox</a></p><h1>{escape(mail.subject) or "(no subject)"}</h1>'
        f"<p>Envelope: from {escape(mail.mail_from)} to {escape(', '.join(mail.rcpt_to))}; {len(mail.raw)} bytes; "
        f'<a href="/mails/{mail.number}/raw">raw message</a></p>'
        f"{frame}<h2>Text</h2><pre>{escape(mail.text) or '(none)'}</pre><h2>Headers</h2><table>{headers}</table>",
    )
