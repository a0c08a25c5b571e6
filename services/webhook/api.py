"""The HTTP surface: parameters in, documents out. Who may do what is decided in the actions."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import FastAPI, Query, Request
from starlette.responses import Response

from services.webhook import answers, catalogue, errors
from services.webhook.actions import endpoints, log, replays
from services.webhook.actions.context import Context
from services.webhook.schemas import (
    AllowedNetwork,
    Enabling,
    EndpointChange,
    NewEndpoint,
    NewReplay,
    Pattern,
    Rotation,
    TestEvent,
)
from shared.errors import BadRequest, Unprocessable
from shared.process import Runtime
from shared.web import Caller, Cursor, Idempotent, IfMatch, Paging, Router, create_app, etag

router = Router(tags=["webhooks"])
ENDPOINTS: Final = Cursor("endpoints.-id", UUID)
DELIVERIES: Final = Cursor("deliveries.-id", UUID)
ORDER_DELIVERIES: Final = Cursor("deliveries.order.created_at", datetime, int, UUID)
REPLAYS: Final = Cursor("replays.-id", UUID)
EVENTS: Final = Cursor("events.position", str, int)
_TX: Final = re.compile(r"[0-9]{1,19}")
Document = dict[str, Any]


def _ctx(request: Request) -> Context:
    ctx: Context = request.app.state.webhook
    return ctx


def _json(document: Any, status: int = 200, **headers: str) -> Response:
    return Response(orjson.dumps(document), status, headers, "application/json")


@router.post("/v1/endpoints", status_code=201, response_model=answers.EndpointMade)
async def create_endpoint(body: NewEndpoint, caller: Caller, once: Idempotent, request: Request) -> Response:
    """Make an endpoint. Its secret is in this answer and nowhere else afterwards."""
    _check_patterns(body.event_types)
    return (await endpoints.create(_ctx(request), caller, body, once)).response()


@router.get("/v1/endpoints", response_model=answers.Page[answers.EndpointListed])
async def list_endpoints(caller: Caller, page: Paging, request: Request) -> Response:
    after = ENDPOINTS.decode(page.cursor)
    rows = await endpoints.page(_ctx(request), caller, after[0] if after else None, page.fetch)
    items, cursor = page.of(rows, lambda r: ENDPOINTS.encode(UUID(r["endpoint_id"])))
    return _json({"items": items, "next_cursor": cursor})


@router.get("/v1/endpoints/{endpoint_id}", response_model=answers.EndpointShown)
async def get_endpoint(endpoint_id: UUID, caller: Caller, request: Request) -> Response:
    return _endpoint(await endpoints.get(_ctx(request), caller, endpoint_id))


@router.patch("/v1/endpoints/{endpoint_id}", response_model=answers.EndpointChanged)
async def change_endpoint(
    endpoint_id: UUID, body: EndpointChange, caller: Caller, if_match: IfMatch, request: Request
) -> Response:
    """Change what is given. It holds for whatever is sent from now on."""
    _check_patterns(body.event_types or ())
    return _endpoint(await endpoints.change(_ctx(request), caller, endpoint_id, body, if_match))


@router.delete("/v1/endpoints/{endpoint_id}", status_code=204)
async def delete_endpoint(endpoint_id: UUID, caller: Caller, if_match: IfMatch, request: Request) -> Response:
    """Send nothing more. What waits is discarded; the log of what was sent stays for its time."""
    await endpoints.delete(_ctx(request), caller, endpoint_id, if_match)
    return Response(status_code=204)


@router.get("/v1/endpoints/{endpoint_id}/secret", response_model=answers.Items[answers.Key])
async def list_keys(endpoint_id: UUID, caller: Caller, request: Request) -> Response:
    """The live keys: ids, public halves (whpk_...) and when they end. Never a secret."""
    return _json({"items": await endpoints.keys(_ctx(request), caller, endpoint_id)})


@router.post("/v1/endpoints/{endpoint_id}/secret", status_code=201, response_model=answers.KeyMade)
async def rotate_secret(
    endpoint_id: UUID, caller: Caller, once: Idempotent, request: Request, body: Rotation | None = None
) -> Response:
    """A new key. The old ones sign beside it for `expire_after_hours` (24), so that receivers can change over."""
    return (await endpoints.rotate(_ctx(request), caller, endpoint_id, body or Rotation(), once)).response()


@router.post("/v1/endpoints/{endpoint_id}/pause", response_model=answers.EndpointShown)
async def pause_endpoint(endpoint_id: UUID, caller: Caller, once: Idempotent, request: Request) -> Response:
    """Hold deliveries back; they wait and leave in order after `resume`."""
    return (await endpoints.pause(_ctx(request), caller, endpoint_id, once)).response()


@router.post("/v1/endpoints/{endpoint_id}/resume", response_model=answers.EndpointShown)
async def resume_endpoint(endpoint_id: UUID, caller: Caller, once: Idempotent, request: Request) -> Response:
    return (await endpoints.resume(_ctx(request), caller, endpoint_id, once)).response()


@router.post("/v1/endpoints/{endpoint_id}/disable", response_model=answers.EndpointShown)
async def disable_endpoint(endpoint_id: UUID, caller: Caller, once: Idempotent, request: Request) -> Response:
    """Stop. Nothing is lost: everything is kept as `held` and can be replayed."""
    return (await endpoints.disable(_ctx(request), caller, endpoint_id, once)).response()


@router.post("/v1/endpoints/{endpoint_id}/enable", response_model=answers.EndpointShown)
async def enable_endpoint(
    endpoint_id: UUID, caller: Caller, once: Idempotent, request: Request, body: Enabling | None = None
) -> Response:
    """Start again, with what was kept meanwhile before anything new where `replay_missing` says so."""
    return (await endpoints.enable(_ctx(request), caller, endpoint_id, body or Enabling(), once)).response()


@router.post("/v1/endpoints/{endpoint_id}/test", status_code=202, response_model=answers.DeliveryShown)
async def send_test(
    endpoint_id: UUID, caller: Caller, once: Idempotent, request: Request, body: TestEvent | None = None
) -> Response:
    """Send an example of a type, before all that waits; the header `webhook-test: true` marks it."""
    return (await log.test(_ctx(request), caller, endpoint_id, body or TestEvent(), once)).response()


@router.get("/v1/endpoints/{endpoint_id}/deliveries", response_model=answers.Page[answers.DeliveryShown])
async def list_deliveries(
    endpoint_id: UUID,
    caller: Caller,
    page: Paging,
    request: Request,
    state: answers.State | None = None,
    type: Pattern | None = None,
) -> Response:
    """An endpoint's deliveries, newest first; `type` is one type, not a wildcard."""
    if type is not None and type not in catalogue.TYPES:
        raise _unknown(type)
    after = DELIVERIES.decode(page.cursor)
    rows = await log.page(
        _ctx(request), caller, endpoint_id, after[0] if after else None, page.fetch, state=state, event_type=type
    )
    items, cursor = page.of(rows, lambda r: DELIVERIES.encode(UUID(r["delivery_id"])))
    return _json({"items": items, "next_cursor": cursor})


@router.get("/v1/endpoints/{endpoint_id}/stats", response_model=answers.StatsShown)
async def get_stats(
    endpoint_id: UUID, caller: Caller, request: Request, hours: Annotated[int, Query(ge=1, le=720)] = 24
) -> Response:
    """Attempts per hour with success rate and latency; `pNN_ms` are upper bounds (buckets double)."""
    return _json(await log.stats(_ctx(request), caller, endpoint_id, hours))


@router.get("/v1/deliveries", response_model=answers.Page[answers.DeliveryShown])
async def deliveries_of_order(order_id: UUID, caller: Caller, page: Paging, request: Request) -> Response:
    """What went out because of an order, oldest first."""
    after = ORDER_DELIVERIES.decode(page.cursor)
    place = (after[0], after[1], after[2]) if after else None
    rows = await log.of_order(_ctx(request), caller, order_id, place, page.fetch)
    items, cursor = page.of(rows, _order_cursor)
    return _json({"items": items, "next_cursor": cursor})


@router.get("/v1/deliveries/{delivery_id}", response_model=answers.DeliveryInFull)
async def get_delivery(delivery_id: UUID, caller: Caller, request: Request) -> Response:
    """A delivery with its payload and every attempt: status, times, answer."""
    return _json(await log.get(_ctx(request), caller, delivery_id))


@router.post("/v1/deliveries/{delivery_id}/retry", status_code=202, response_model=answers.DeliveryShown)
async def retry_delivery(delivery_id: UUID, caller: Caller, once: Idempotent, request: Request) -> Response:
    """Send it again now. The webhook-id stays the same."""
    return (await log.retry(_ctx(request), caller, delivery_id, once)).response()


@router.post("/v1/replays", status_code=202, response_model=answers.ReplayShown)
async def create_replay(body: NewReplay, caller: Caller, once: Idempotent, request: Request) -> Response:
    """Send a range again, or only what is missing of it; narrowed to event types and to one order where they are given.

    Types that the endpoint does not take at all are refused.
    """
    _check_patterns(body.event_types or ())
    return (await replays.create(_ctx(request), caller, body, once)).response()


@router.get("/v1/replays", response_model=answers.Page[answers.ReplayShown])
async def list_replays(caller: Caller, page: Paging, request: Request, endpoint_id: UUID | None = None) -> Response:
    after = REPLAYS.decode(page.cursor)
    rows = await replays.page(_ctx(request), caller, endpoint_id, after[0] if after else None, page.fetch)
    items, cursor = page.of(rows, lambda r: REPLAYS.encode(UUID(r["replay_id"])))
    return _json({"items": items, "next_cursor": cursor})


@router.get("/v1/replays/{replay_id}", response_model=answers.ReplayShown)
async def get_replay(replay_id: UUID, caller: Caller, request: Request) -> Response:
    return _json(await replays.get(_ctx(request), caller, replay_id))


@router.post("/v1/replays/{replay_id}/cancel", response_model=answers.ReplayShown)
async def cancel_replay(replay_id: UUID, caller: Caller, once: Idempotent, request: Request) -> Response:
    return (await replays.cancel(_ctx(request), caller, replay_id, once)).response()


@router.get("/v1/event-types", response_model=answers.Items[answers.EventTypeShown])
async def list_event_types(caller: Caller) -> Response:
    """The catalogue: every type with its JSON Schema and an example."""
    return _json({"items": [catalogue.described(name) for name in catalogue.TYPES]})


@router.get("/v1/event-types/{name}", response_model=answers.EventTypeShown)
async def get_event_type(name: str, caller: Caller) -> Response:
    if name not in catalogue.TYPES:
        raise errors.no_event_type(name)
    return _json(catalogue.described(name))


@router.get("/v1/events", response_model=answers.Feed)
async def poll_events(
    caller: Caller,
    request: Request,
    after: Annotated[
        str | None, Query(description="`next_after` of the last answer; none: from the beginning.")
    ] = None,
    type: Annotated[list[Pattern] | None, Query(max_length=20)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Everything that the organisation may know of, in the order in which it came: to catch up by polling.

    `next_after` is always there: ask again with it later. The ids are those of the webhooks.
    """
    place = _place(after)
    _check_patterns(type or ())
    types = sorted({t for p in type for t in catalogue.matches(p)}) if type else None
    items, (tx, ordinal) = await replays.feed(_ctx(request), caller, place, types, limit + 1)
    if len(items) > limit:
        items, (tx, ordinal) = await replays.feed(_ctx(request), caller, place, types, limit)
        return _json({"items": items, "next_after": EVENTS.encode(str(tx), ordinal), "has_more": True})
    return _json({"items": items, "next_after": EVENTS.encode(str(tx), ordinal), "has_more": False})


@router.get("/v1/allowed-networks", response_model=answers.Items[answers.NetworkShown])
async def list_networks(caller: Caller, request: Request) -> Response:
    """Private networks that this marketplace's endpoints may reach (operators)."""
    return _json({"items": await replays.networks(_ctx(request), caller)})


@router.put("/v1/allowed-networks", status_code=204)
async def allow_network(body: AllowedNetwork, caller: Caller, request: Request) -> Response:
    await replays.allow_network(_ctx(request), caller, body)
    return Response(status_code=204)


@router.delete("/v1/allowed-networks", status_code=204)
async def disallow_network(network: Annotated[str, Query(max_length=50)], caller: Caller, request: Request) -> Response:
    await replays.disallow_network(_ctx(request), caller, network)
    return Response(status_code=204)


def api(runtime: Runtime, ctx: Context) -> FastAPI:
    """The application; `ctx` is what the actions are given."""
    app = create_app(
        title="Ordertrail webhooks",
        service="webhook",
        runtime=runtime,
        routers=[router],
        description="Endpoints, deliveries, replays and the event catalogue. Signed as Standard Webhooks 1.0.0.",
    )
    app.state.webhook = ctx
    return app


def _order_cursor(row: Document) -> str:
    return ORDER_DELIVERIES.encode(datetime.fromisoformat(row["created_at"]), row["sequence"], UUID(row["delivery_id"]))


def _place(after: str | None) -> tuple[int, int]:
    """Where the feed goes on; an empty `after` is the beginning, as none is. Raises BadRequest."""
    decoded = EVENTS.decode(after or None)
    if decoded is None:
        return 0, -1
    tx, ordinal = decoded
    if not _TX.fullmatch(tx or "") or ordinal is None or not -1 <= ordinal < 2**31:
        raise BadRequest("invalid_cursor", "The cursor is no `next_after` of this feed. Start again without it.")
    return int(tx), ordinal


def _endpoint(document: Document) -> Response:
    return _json(document, etag=etag(document["version"]))


def _check_patterns(patterns: Any) -> None:
    unknown = [p for p in patterns if not catalogue.matches(p)]
    if unknown:
        raise _unknown(unknown[0])


def _unknown(pattern: str) -> Unprocessable:
    return Unprocessable("unknown_event_type", f"There is no event type {pattern!r}; GET /v1/event-types lists them.")
