"""Signing in, tokens, keys, and oneself."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from services.identity.actions import me, revoking, sessions
from services.identity.api.here import Here, listed
from services.identity.schemas import (
    ChangePassword,
    EditMe,
    SetPassword,
    SignIn,
    SignOut,
    TokenAnswer,
    TokenRequest,
)
from shared.postgres.database import Row
from shared.web import Caller, Cursor, IfMatch, Paging, Router
from shared.web.exchange import exchange

router = Router(tags=["sign-in"])
LOG_INS = Cursor("log-ins.-sequence", int)
# Verifiers ask again for an unknown key, and every five minutes besides.
JWKS_CACHE = "public, max-age=300"
_FAREWELL = "`address`: where the browser ends its session at the outside provider, and comes back from."


@router.post("/v1/sign-in")
async def sign_in(body: SignIn, request: Request, here: Here) -> TokenAnswer:
    """Access and refresh token for an e-mail address and a password."""
    address = request.client.host if request.client else "unknown"
    return await sessions.sign_in(here, body.email, body.password.get_secret_value(), address)


@router.post("/v1/token", response_model_exclude_none=True)
async def token(body: TokenRequest, here: Here) -> TokenAnswer:
    """A new access token for a refresh token (which is exchanged too) or for an API key."""
    return await sessions.token(here, body)


@router.post("/v1/sign-out", status_code=204, responses={200: {"description": _FAREWELL}})
async def sign_out(body: SignOut, here: Here) -> Response:
    """End the session of a refresh token; of one that began at the outside provider, 200 with `address`."""
    address = await sessions.sign_out(here, body.refresh_token.get_secret_value())
    if address is None:
        return Response(status_code=204)
    return Response(orjson.dumps({"address": address}), media_type="application/json")


@router.post("/v1/password")
async def set_password(body: SetPassword, here: Here) -> TokenAnswer:
    """Set a password with an invitation, and be signed in."""
    return await me.set_password(here, body.token.get_secret_value(), body.password.get_secret_value())


@router.get("/.well-known/jwks.json")
async def jwks(here: Here) -> Response:
    """The public keys of access tokens."""
    keys = await here.ring.published()
    body = orjson.dumps(keys.as_dict(private=False))
    return Response(body, headers={"cache-control": JWKS_CACHE}, media_type="application/json")


@router.get("/.well-known/revoked-tokens.json")
async def revoked_tokens(
    request: Request,
    here: Here,
    after: Annotated[float | None, Query(ge=0, le=1e11, description="`at` of the answer before.")] = None,
) -> Response:
    """Whose access tokens count no longer, though they have not expired: BLAKE2b-128 (hex) of the `sub`, the `sid` or
    the `act.sub`, with the time of issue (`iat`) before which tokens do not count."""
    # asked for every two seconds by each process
    exchange(request.scope).line.drop()
    found = await revoking.found(here, after)
    return Response(orjson.dumps({"at": found.at, "revoked": found.marks}), media_type="application/json")


@router.get("/v1/me")
async def who_am_i(caller: Caller, here: Here) -> dict[str, Any]:
    """The caller, with organisation and marketplace, and who is really behind it when logged in as somebody."""
    return await me.me(here, caller)


@router.put("/v1/me")
async def edit_me(body: EditMe, caller: Caller, here: Here, if_match: IfMatch) -> Response:
    """Change your own name, language and time zone."""
    return (await me.edit_me(here, caller, body, if_match)).response()


@router.post("/v1/me/password", status_code=204)
async def change_password(body: ChangePassword, caller: Caller, here: Here) -> Response:
    """Change your own password; every session ends."""
    current, new = body.current_password.get_secret_value(), body.new_password.get_secret_value()
    await me.change_password(here, caller, current, new)
    return Response(status_code=204)


@router.get("/v1/me/log-ins")
async def log_ins(caller: Caller, here: Here, page: Paging) -> dict[str, Any]:
    """Who was logged in as you, when and why."""
    after = LOG_INS.decode(page.cursor)
    rows = await me.log_ins(here, caller, after[0] if after else None, page.fetch)
    return listed(page, rows, _shown_log_in, lambda row: LOG_INS.encode(row["sequence"]))


def _shown_log_in(row: Row) -> dict[str, Any]:
    return {"at": row["at"], "person_id": row["actor_id"], "name": row["actor_name"], "reason": row["reason"]}
