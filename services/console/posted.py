"""A posted form: read within bounds of size, time and number of fields, and only from a page of this session."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from services.console import metrics
from services.console.calls import File
from services.console.errors import BadForm
from services.console.language import N_
from services.console.settings import Settings
from shared.web.door import DRAINED_BYTES, DRAINED_SECONDS
from shared.web.exchange import exchange

# An order has at most 500 lines; a form of a thousand units has one field for each.
MOST_FIELDS: Final = 5_000
MOST_FILES: Final = 10
FORM_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True)
class Posted:
    """The fields of a form. Line ends are plain newlines, blank ends are cut."""

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: Mapping[str, Sequence[File]] = field(default_factory=dict)

    def one(self, name: str) -> str:
        """The field's value, "" where it was not sent."""
        return (self.values.get(name) or ("",))[0]

    def many(self, name: str) -> Sequence[str]:
        return self.values.get(name, ())

    def hidden(self) -> Iterator[tuple[str, str]]:
        """Every text field but the token, to send the same form again."""
        for name, values in self.values.items():
            if name != "csrf":
                for value in values:
                    yield name, value


async def read(request: Request, settings: Settings, *, files: bool) -> Posted:
    """Raises BadForm; then the browser has been let finish sending, if it took no longer than a moment."""
    try:
        return await _read(request, settings, files=files)
    except BadForm:
        await _drain(request)
        raise


async def _read(request: Request, settings: Settings, *, files: bool) -> Posted:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in FORM_TYPES or (kind == "multipart/form-data" and not files):
        raise BadForm(400, N_("This form cannot be read"), N_("It was not sent by one of the console's own pages."))
    most = settings.upload_bytes if files else settings.form_bytes
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > most:
        raise _too_large(most)
    bounded = Request(request.scope, _within(request, most))
    try:
        async with asyncio.timeout(settings.form_seconds):
            form = await bounded.form(
                max_files=MOST_FILES if files else 0, max_fields=MOST_FIELDS, max_part_size=settings.form_bytes
            )
            try:
                posted = await _taken(form)
            finally:
                await form.close()
    except (MultiPartException, HTTPException) as e:
        raise BadForm(
            400, N_("This form cannot be read"), N_("It is not complete, or has too many fields or files.")
        ) from e
    except TimeoutError:
        raise BadForm(
            400, N_("This form took too long"), N_("The connection is slow. Send it again, with smaller files.")
        ) from None
    exchange(request.scope).body_read = True
    return posted


async def _drain(request: Request) -> None:
    """Drop the rest of a form that nobody wants: a browser that is cut off while sending never shows why."""
    dropped = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAINED_SECONDS):
            while dropped < DRAINED_BYTES:
                message = await request.receive()
                dropped += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    exchange(request.scope).body_read = True
                    return


def _within(request: Request, most: int) -> Receive:
    """`receive` that gives up once more than `most` bytes have come."""
    seen = 0

    async def receive() -> Message:
        nonlocal seen
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        seen += len(message.get("body", b""))
        if seen > most:
            raise _too_large(most)
        return message

    return receive


def _too_large(most: int) -> BadForm:
    return BadForm(
        413,
        N_("This is too large"),
        N_("Everything together may have %(most)s MB. Send smaller files or shorter text."),
        most=most // 1_000_000 or 1,
    )


async def _taken(form: FormData) -> Posted:
    values: dict[str, list[str]] = {}
    files: dict[str, list[File]] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            # a file field that was left empty is sent as a nameless file without content
            if value.filename:
                media_type = value.content_type or "application/octet-stream"
                files.setdefault(name, []).append(File(value.filename, media_type, await value.read()))
        else:
            values.setdefault(name, []).append(value.replace("\r\n", "\n").replace("\r", "\n").strip())
    return Posted(values, files)


def check_origin(request: Request, posted: Posted, csrf: str | None, own: str) -> None:
    """Raises BadForm unless the form comes from a page that this console gave to this very session.

    `own` is the console's origin as browsers see it: a proxy may ask for us under another name. The token alone proves
    it; what the browser says of the sender turns the rest away sooner. `Origin: null` says nothing here: browsers send
    it with the pages' referrer policy.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin", "null")
    foreign = site not in ("same-origin", "none") or (
        origin != "null" and origin != own and urlsplit(origin).netloc != request.headers.get("host")
    )
    if foreign:
        metrics.FORMS_REFUSED.labels("foreign").inc()
        raise BadForm(
            403, N_("This was not sent from the console"), N_("Another site tried to send a form in your name.")
        )
    if csrf is None or not hmac.compare_digest(posted.one("csrf").encode(), csrf.encode()):
        metrics.FORMS_REFUSED.labels("stale").inc()
        raise BadForm(
            403,
            N_("This page is from before you signed in"),
            N_(
                "Nothing was changed. Open the page again and send the form from there. The console needs cookies: if "
                "this comes up every time, allow them for this address."
            ),
        )
