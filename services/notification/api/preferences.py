"""The caller's own settings."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header
from starlette.responses import Response

from services.notification.actions import preferences
from services.notification.channels.words import asked_in
from services.notification.schemas import EmailAddress, Preferences, PutPreferences
from shared.web import Caller, Idempotent, IfMatch, Router, Run, etag

router = Router(tags=["preferences"])


@router.get("/v1/preferences", response_model=Preferences)
async def read(
    caller: Caller,
    run: Run,
    accept_language: Annotated[str, Header(description="Labels in another language than the person's.")] = "",
) -> Response:
    """Categories and channels, quiet hours, digest, language and time zone; the ETag is their version."""
    return _response(*await preferences.read(run, caller, asked_in(accept_language)))


@router.put("/v1/preferences", response_model=Preferences)
async def write(body: PutPreferences, caller: Caller, if_match: IfMatch, run: Run) -> Response:
    """Replace them all: what is left out goes back to its default. Required rows cannot be switched off."""
    return _response(*await preferences.write(run, caller, body, if_match))


@router.post("/v1/preferences/email/resume", response_model=EmailAddress)
async def resume(caller: Caller, once: Idempotent, run: Run) -> Response:
    """Send mail again to an address that had been refused."""
    return (await preferences.resume(run, caller, once)).response()


def _response(shown: Preferences, version: int) -> Response:
    return Response(shown.model_dump_json(), headers={"etag": etag(version)}, media_type="application/json")
