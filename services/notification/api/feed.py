"""The caller's own feed: list, count, mark, watch."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Header, Query
from starlette.responses import Response

from services.notification.actions import feed
from services.notification.actions.streaming import Feeds
from services.notification.channels.words import asked_in
from services.notification.schemas import Counts, Feed, Marked, Notification, ReadAll
from services.notification.store.feed import FeedState
from shared.errors import BadRequest
from shared.process import Runtime
from shared.web import Caller, Cursor, Idempotent, Paging, Router, Run
from shared.web.streams import EventStream

AcceptLanguage = Annotated[str, Header(description="Texts in another language than the person's.")]
FEED = Cursor("notifications.-id", UUID)
GROUPED = Cursor("notifications.by_order.-id", UUID)


def router(runtime: Runtime) -> Router:
    """The routes; the live feeds of this process live as long as they do."""
    feeds = Feeds(runtime)
    made = Router(tags=["notifications"])
    _reading(made, feeds)
    _marking(made)
    return made


def _reading(router: Router, feeds: Feeds) -> None:
    @router.get("/v1/notifications", response_model=Feed)
    async def notifications(
        caller: Caller,
        page: Paging,
        run: Run,
        state: Annotated[FeedState, Query(description="all: whatever is not archived.")] = "all",
        order_id: Annotated[UUID | None, Query(description="Only those of this order.")] = None,
        group: Annotated[Literal["order"] | None, Query(description="One entry per order: its newest.")] = None,
        accept_language: AcceptLanguage = "",
    ) -> Feed:
        """The caller's notifications, newest first, in the language that is asked for, else in the person's."""
        language = asked_in(accept_language)
        if group is not None:
            if state != "all" or order_id is not None:
                raise BadRequest("group_alone", "group=order cannot be combined with state or order_id.")
            after = GROUPED.decode(page.cursor)
            rows = await feed.grouped(
                run, caller, after=after[0] if after else None, limit=page.fetch, language=language
            )
            shown, more = page.of(rows, lambda n: GROUPED.encode(n.id))
        else:
            after = FEED.decode(page.cursor)
            rows = await feed.listed(
                run, caller, state=state, order_id=order_id, after=after[0] if after else None, limit=page.fetch,
                language=language,
            )  # fmt: skip
            shown, more = page.of(rows, lambda n: FEED.encode(n.id))
        return Feed(items=list(shown), next_cursor=more)

    @router.get("/v1/notifications/unread-count", response_model=Counts)
    async def unread_count(caller: Caller, run: Run) -> Counts:
        """How many are unread, and how many of them were not even seen (the dot)."""
        return await feed.count(run, caller)

    @router.get("/v1/notifications/stream", response_class=Response)
    async def stream(
        caller: Caller,
        last_event_id: Annotated[UUID | None, Header(description="The last notification that was received.")] = None,
    ) -> Response:
        """Server-sent events: `notification` for each new one, `counts` whenever they change; a comment as heartbeat.

        The stream ends after some minutes; the browser then connects again by itself, with Last-Event-ID.
        """
        return EventStream(feeds.open(caller, last_event_id))


def _marking(router: Router) -> None:
    @router.post("/v1/notifications/read-all", response_model=Marked)
    async def read_all(body: ReadAll, caller: Caller, once: Idempotent, run: Run) -> Response:
        """Mark everything read, or only up to a notification or of one order."""
        return (await feed.mark_all_read(run, caller, body, once)).response()

    @router.post("/v1/notifications/seen", response_model=Marked)
    async def seen(caller: Caller, once: Idempotent, run: Run) -> Response:
        """The inbox was opened: the dot goes, what is unread stays unread."""
        return (await feed.mark_all_seen(run, caller, once)).response()

    @router.post("/v1/notifications/{notification_id}/read", response_model=Notification)
    async def read(notification_id: UUID, caller: Caller, once: Idempotent, run: Run) -> Response:
        return (await feed.mark(run, caller, notification_id, "read", once)).response()

    @router.post("/v1/notifications/{notification_id}/unread", response_model=Notification)
    async def unread(notification_id: UUID, caller: Caller, once: Idempotent, run: Run) -> Response:
        return (await feed.mark(run, caller, notification_id, "unread", once)).response()

    @router.post("/v1/notifications/{notification_id}/archive", response_model=Notification)
    async def archive(notification_id: UUID, caller: Caller, once: Idempotent, run: Run) -> Response:
        return (await feed.mark(run, caller, notification_id, "archive", once)).response()

    @router.post("/v1/notifications/{notification_id}/unarchive", response_model=Notification)
    async def unarchive(notification_id: UUID, caller: Caller, once: Idempotent, run: Run) -> Response:
        return (await feed.mark(run, caller, notification_id, "unarchive", once)).response()
