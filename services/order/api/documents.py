"""Files of an order."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import File, Form, UploadFile
from starlette.responses import Response

from services.order import policy
from services.order.actions import attaching
from shared.web import Caller, Idempotent, Router, Run, max_body

router = Router(tags=["documents"])
# The largest that settings allow, and the frame of a form around it.
MOST_BODY = 20_100_000
# How many files one process takes in at once: each is held in memory.
UPLOADS_AT_ONCE = 4


@router.post("/v1/orders/{order_id}/documents", status_code=201)
@max_body(MOST_BODY, at_once=UPLOADS_AT_ONCE)
async def upload(
    order_id: UUID,
    caller: Caller,
    once: Idempotent,
    run: Run,
    file: Annotated[UploadFile, File()],
    kind: Annotated[Literal["image", "invoice"], Form()] = "image",
) -> Response:
    """Upload an image or invoice; an action then attaches it by its id. While others upload: 503 with Retry-After."""
    policy.need_scope(caller, "orders:write")
    content = await file.read()
    return (await attaching.upload(run, caller, order_id, kind, file.filename, content, once)).response()


@router.get("/v1/orders/{order_id}/documents/{document_id}")
async def document(order_id: UUID, document_id: UUID, caller: Caller, run: Run) -> Response:
    """The file itself."""
    policy.need_scope(caller, "orders:read")
    found = await attaching.download(run, caller, order_id, document_id)
    name = quote(found.file_name)
    return Response(
        found.content,
        media_type=found.media_type,
        headers={"content-disposition": f"attachment; filename*=UTF-8''{name}"},
    )
