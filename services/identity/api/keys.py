"""API keys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.responses import Response

from services.identity.actions import api_keys
from services.identity.actions.answers import answer, shown_api_key
from services.identity.api.here import Here, listed
from services.identity.schemas import NewApiKey
from shared.web import Caller, Cursor, Idempotent, Paging, Router

router = Router(tags=["api-keys"])
KEYS = Cursor("api-keys.id", UUID)


@router.get("/v1/api-keys")
async def list_api_keys(caller: Caller, here: Here, page: Paging) -> dict[str, Any]:
    """For admins, their organisation's; as an operator, the marketplace's. Never a secret."""
    after = KEYS.decode(page.cursor)
    rows = await api_keys.api_keys(here, caller, after[0] if after else None, page.fetch)
    return listed(page, rows, shown_api_key, lambda row: KEYS.encode(row["api_key_id"]))


@router.post("/v1/api-keys", status_code=201)
async def make_api_key(body: NewApiKey, caller: Caller, here: Here, once: Idempotent) -> Response:
    """Make a key. `client_secret` is shown this once."""
    return (await api_keys.make_api_key(here, caller, body, once)).response()


@router.get("/v1/api-keys/{api_key_id}")
async def get_api_key(api_key_id: UUID, caller: Caller, here: Here) -> Response:
    row = await api_keys.api_key(here, caller, api_key_id)
    return answer(200, shown_api_key(row), version=row["version"]).response()


@router.post("/v1/api-keys/{api_key_id}/rotate")
async def rotate_api_key(api_key_id: UUID, caller: Caller, here: Here, once: Idempotent) -> Response:
    """A new secret; the former one works on for a day."""
    return (await api_keys.rotate_api_key(here, caller, api_key_id, once)).response()


@router.post("/v1/api-keys/{api_key_id}/revoke")
async def revoke_api_key(api_key_id: UUID, caller: Caller, here: Here, once: Idempotent) -> Response:
    return (await api_keys.revoke_api_key(here, caller, api_key_id, once)).response()
