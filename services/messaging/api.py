"""The HTTP surface of messaging."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends, FastAPI, File, Form, Query, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from services.messaging import policy, schemas
from services.messaging.actions import attaching, posting
from services.messaging.actions import threads as talking
from services.messaging.live import Live
from services.messaging.policy import ThreadKind
from services.messaging.settings import MOST_UPLOAD
from shared.errors import Unprocessable
from shared.process import Runtime
from shared.web import Caller, Cursor, Idempotent, Paging, Router, Run, create_app, max_body
from shared.web.streams import EventStream

router = Router(tags=["messages"])
THREADS: Final = Cursor("threads.-last_posted_at", datetime, UUID)
MESSAGES: Final = Cursor("messages.-seq", int)
# As many orders as a page of an order list has at most.
MOST_ORDERS: Final = 200
# Around a file in its form; and how many files one process takes in at once: each is held in memory.
FORM_FRAME: Final = 100_000
UPLOADS_AT_ONCE: Final = 4

Kind = Annotated[ThreadKind, Query(description="Which of the order's threads.")]


@router.get("/v1/threads")
async def threads(
    caller: Caller,
    page: Paging,
    run: Run,
    order_id: Annotated[UUID | None, Query(description="Only the threads of this order, empty ones too.")] = None,
    unread: Annotated[bool, Query(description="Only threads with unread messages.")] = False,
    awaiting: Annotated[bool, Query(description="Only threads that wait for an answer of the caller's side.")] = False,
) -> schemas.ThreadPage:
    """Threads of the caller, last spoken in first."""
    if order_id is not None:
        found = await talking.threads_of_order(run, caller, order_id)
        return schemas.ThreadPage(items=tuple(found), next_cursor=None)
    after = THREADS.decode(page.cursor)
    rows = await talking.threads(
        run, caller, (after[0], after[1]) if after else None, page.fetch, unread=unread, awaiting=awaiting
    )
    shown, next_cursor = page.of(rows, _cursor_of)
    return schemas.ThreadPage(items=tuple(shown), next_cursor=next_cursor)


def _cursor_of(t: schemas.Thread) -> str:
    return THREADS.encode(t.last_posted_at, UUID(int=t.thread_id.int))


@router.get("/v1/orders/{order_id}/messages")
async def messages(
    order_id: UUID,
    caller: Caller,
    page: Paging,
    run: Run,
    kind: Kind = "buyer_seller",
    after_seq: Annotated[int | None, Query(ge=0, le=2**53, description="Only newer ones, oldest first.")] = None,
) -> schemas.Conversation:
    """The newest messages of a thread, shown oldest first; `next_cursor` leads to older ones.

    With `after_seq` the ones after it; then there is no cursor: ask again with the last number that you have.
    """
    before = MESSAGES.decode(page.cursor)
    if before and after_seq is not None:
        raise Unprocessable("cursor_or_after_seq", "Send either cursor or after_seq, not both.")
    thread, rows, kinds = await talking.conversation(
        run, caller, order_id, kind, before=before[0] if before else None, after=after_seq, rows=page.fetch
    )
    shown, next_cursor = page.of(rows, lambda m: MESSAGES.encode(m.seq))
    if after_seq is not None:
        shown, next_cursor = shown[::-1], None
    return schemas.Conversation(
        thread=thread, items=tuple(reversed(shown)), next_cursor=next_cursor, attachment_kinds=tuple(kinds)
    )


@router.post("/v1/orders/{order_id}/messages", status_code=201, response_model=schemas.Message)
async def post(order_id: UUID, body: schemas.PostMessage, caller: Caller, once: Idempotent, run: Run) -> Response:
    """Write a message. Numbers of a thread have no gaps; the same Idempotency-Key writes once."""
    return (await posting.post(run, caller, order_id, body, once)).response()


@router.post("/v1/orders/{order_id}/attachments", status_code=201, response_model=schemas.Attachment)
@max_body(MOST_UPLOAD + FORM_FRAME, at_once=UPLOADS_AT_ONCE)
async def attach(
    order_id: UUID,
    caller: Caller,
    once: Idempotent,
    run: Run,
    file: Annotated[UploadFile, File(description="A JPEG, PNG or WebP image, or a PDF.")],
    kind: Annotated[ThreadKind, Form(description="For which of the order's threads.")] = "buyer_seller",
) -> Response:
    """Upload a file; a message of the same caller then names it (`attachment_ids`). Images are written anew."""
    return (await attaching.upload(run, caller, order_id, kind, file.filename, await file.read(), once)).response()


@router.get("/v1/orders/{order_id}/attachments/{attachment_id}")
async def attachment(
    order_id: UUID,
    attachment_id: UUID,
    caller: Caller,
    run: Run,
    small: Annotated[bool, Query(description="A small JPEG of an image.")] = False,
) -> Response:
    """The file itself, to be saved."""
    name, media_type, content = await attaching.download(run, caller, order_id, attachment_id, small=small)
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return Response(content, media_type=media_type, headers={"content-disposition": disposition})


@router.post("/v1/orders/{order_id}/read")
async def read(order_id: UUID, body: schemas.MarkRead, caller: Caller, run: Run) -> schemas.ReadState:
    """Everything up to and with a message has been read; the cursor never goes back this way."""
    return await talking.mark_read(run, caller, order_id, body)


@router.post("/v1/orders/{order_id}/unread")
async def mark_unread(order_id: UUID, body: schemas.MarkUnread, caller: Caller, run: Run) -> schemas.ReadState:
    """A message and those after it are to be read again."""
    return await talking.mark_unread(run, caller, order_id, body)


@router.get("/v1/orders/{order_id}/participants")
async def participants(order_id: UUID, caller: Caller, run: Run, kind: Kind = "buyer_seller") -> schemas.Participants:
    """Who may read and write in a thread, and which sides have."""
    return await talking.participants(run, caller, order_id, kind)


@router.get("/v1/unread")
async def unread(
    caller: Caller,
    run: Run,
    order_ids: Annotated[
        list[UUID] | None, Query(max_length=MOST_ORDERS, description="Numbers of these orders (repeat the parameter).")
    ] = None,
) -> schemas.Unread:
    """Totals, and per order: of the given orders, else of those with unread messages, last spoken in first."""
    return await talking.unread(run, caller, order_ids)


async def _live(request: Request) -> Live:
    live: Live = request.app.state.live
    return live


@router.get("/v1/stream", response_class=EventStream)
async def stream(caller: Caller, live: Annotated[Live, Depends(_live)]) -> EventStream:
    """Server-sent events: `message` for each message that the caller may see, `resync` to fetch anew.

    Ends after some minutes; a client connects again with a fresh token, and fetches what it missed.
    """
    opened = live.open(caller.marketplace_id, policy.reach(caller, "messages:read"))
    return EventStream(live.notices(opened))


def api(runtime: Runtime) -> FastAPI:
    """The application."""
    app = create_app(
        title="Messages",
        service="messaging",
        runtime=runtime,
        routers=[router],
        description="Threads about orders between buyer, seller and operator.",
    )
    app.state.live = Live(runtime)
    return app
