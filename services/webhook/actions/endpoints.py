"""Making, changing, stopping and starting endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from contracts.webhook import EndpointDisabled
from services.webhook import errors, metrics, shown
from services.webhook.actions.context import Context
from services.webhook.addresses import ForbiddenTarget, parse_target
from services.webhook.formats import check_custom_headers
from services.webhook.policy import reach, reads_addresses_of, require_secrets
from services.webhook.schedule import DisableReason
from services.webhook.schemas import Enabling, EndpointBase, EndpointChange, NewEndpoint, Rotation
from services.webhook.signing import KeyKind, SigningKey
from services.webhook.store import endpoints as store
from services.webhook.store import replays
from services.webhook.store.endpoints import EndpointRow
from services.webhook.vault import Sealed
from shared.errors import Unprocessable
from shared.ids import new_id
from shared.outbox import Outbox
from shared.postgres import Transaction
from shared.postgres.database import Row
from shared.web import Answer, Once, Precondition, Principal, etag

NOT_SHOWN_AGAIN: Final = "shown once; rotate to get a new one"
# Of one kind: each adds its signature to every request, and receivers bound the size of headers.
LIVE_KEYS_MOST: Final = 10
# An intake that found the endpoint disabled may commit this much later.
OPEN_INTAKE: Final = timedelta(minutes=1)


async def create(ctx: Context, caller: Principal, body: NewEndpoint, once: Once) -> Answer:
    """Make an endpoint. The secret is in this answer only: a repeated request gets the answer without it."""
    require_secrets(caller)
    now, endpoint_id = ctx.clock(), new_id()
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        if await store.count(tx, caller.organisation_id) >= ctx.settings.webhook_endpoints_most:
            raise errors.too_many_endpoints(ctx.settings.webhook_endpoints_most)
        row = await _row(ctx, tx, caller.marketplace_id, endpoint_id, body.url, body)
        owner = (caller.marketplace_id, caller.organisation_id, caller.organisation_kind == "operator")
        await store.insert(tx, endpoint_id, owner, row, caller.name, now)
        secrets: dict[KeyKind, str] = {}
        given = SigningKey.parse(body.secret) if body.secret else None
        for kind in kinds_of(body.signature):
            key = given if given is not None and given.kind == kind else SigningKey.generate(kind)
            secrets[kind] = key.text
            await _add_key(ctx, tx, (caller.marketplace_id, endpoint_id), key, now)
        found = await store.get(tx, endpoint_id, caller.organisation_id)
        document = await _document(ctx, tx, found, caller)
        headers = {"location": f"/v1/endpoints/{endpoint_id}", "etag": f'"{document["version"]}"'}
        await once.keep(tx, Answer(201, _json({**document, "secret": None, "secret_note": NOT_SHOWN_AGAIN}), headers))
        if row.handshake == "required":
            tx.after_commit(ctx.wakes.get("handshakes").set)
    secret = secrets.get("hmac") or secrets["ed25519"]
    return Answer(201, _json({**document, "secret": secret, "secrets": secrets}), headers)


async def change(
    ctx: Context, caller: Principal, endpoint_id: UUID, body: EndpointChange, if_match: Precondition
) -> dict[str, Any]:
    """Change settings; deliveries claimed from now on follow them. Keys that this makes are in the answer, once."""
    organisation_id = reach(caller, "manage")
    if body.url is not None or body.headers is not None or body.signature is not None:
        require_secrets(caller)
    now = ctx.clock()
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        old = await _locked(tx, endpoint_id, organisation_id)
        if_match.check(old["version"], _shown(old, caller))
        given = body.model_dump(exclude_unset=True, exclude={"url"})
        if "filter" in given:
            given["filter"] = given["filter"] or {}
        wanted = EndpointBase.model_validate({**_settings(old), **given})
        row = await _row(ctx, tx, caller.marketplace_id, endpoint_id, body.url or old["url"], wanted)
        if body.headers is None:
            sealed = Sealed(old["headers_key_id"], old["headers_box"]) if old["headers_box"] is not None else None
            row = replace(row, sealed_headers=sealed, header_names=old["header_names"])
        if old["handshake"] == "granted" and row.handshake == "required" and row.url == old["url"]:
            row = replace(row, handshake="granted")
        await store.update(tx, endpoint_id, row, now)
        secrets = await _missing_keys(ctx, tx, (caller.marketplace_id, endpoint_id), wanted.signature, now)
        if old["status"] in ("active", "paused"):
            # what another address did is not held against this one
            await (store.start_afresh if row.url != old["url"] else store.wake)(tx, endpoint_id, now)
        tx.after_commit(lambda: ctx.hints.add([endpoint_id]))
        if row.handshake == "required":
            tx.after_commit(ctx.wakes.get("handshakes").set)
        document = await _document(ctx, tx, await store.get(tx, endpoint_id, organisation_id), caller)
    return {**document, "secrets": secrets} if secrets else document


async def _missing_keys(
    ctx: Context, tx: Transaction, endpoint: tuple[UUID, UUID], signature: str, now: datetime
) -> dict[KeyKind, str]:
    """Keys for the kinds that have no current one, by kind, as they are shown."""
    live = {key["kind"] for key in await store.live_keys(tx, endpoint[1], now) if key["expires_at"] is None}
    made = {kind: SigningKey.generate(kind) for kind in kinds_of(signature) if kind not in live}
    for key in made.values():
        await _add_key(ctx, tx, endpoint, key, now)
    return {kind: key.text for kind, key in made.items()}


async def get(ctx: Context, caller: Principal, endpoint_id: UUID) -> dict[str, Any]:
    organisation_id = reach(caller, "view")
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        return await _document(ctx, tx, await store.get(tx, endpoint_id, organisation_id), caller)


async def page(ctx: Context, caller: Principal, after: UUID | None, most: int) -> list[dict[str, Any]]:
    organisation_id = reach(caller, "view")
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        rows = await store.page(tx, organisation_id, after, most)
        sizes = await store.queue_sizes(tx, [row["endpoint_id"] for row in rows])
    return [_shown(row, caller, waiting=sizes[row["endpoint_id"]]) for row in rows]


async def delete(ctx: Context, caller: Principal, endpoint_id: UUID, if_match: Precondition) -> None:
    """Send nothing more, and forget keys and headers at once; the log of what was sent stays for its time."""
    organisation_id = reach(caller, "manage")
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        row = await _locked(tx, endpoint_id, organisation_id)
        if_match.check(row["version"], _shown(row, caller))
        await store.forget(tx, endpoint_id, ctx.clock())
        tx.after_commit(ctx.wakes.get("upkeep").set)


async def keys(ctx: Context, caller: Principal, endpoint_id: UUID) -> list[dict[str, Any]]:
    """The live keys, without their secrets: ids, kinds, public halves and when they end."""
    organisation_id = reach(caller, "view")
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        if await store.get(tx, endpoint_id, organisation_id) is None:
            raise errors.no_endpoint()
        return [shown.key(row) for row in await store.live_keys(tx, endpoint_id, ctx.clock())]


async def rotate(ctx: Context, caller: Principal, endpoint_id: UUID, body: Rotation, once: Once) -> Answer:
    """A new key; the old ones of its kind sign beside it until they expire."""
    require_secrets(caller)
    now = ctx.clock()
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        row = await _locked(tx, endpoint_id, caller.organisation_id)
        key = _new_key(row["signature"], body)
        await store.expire_keys(tx, endpoint_id, key.kind, now + timedelta(hours=body.expire_after_hours))
        live = [k for k in await store.live_keys(tx, endpoint_id, now) if k["kind"] == key.kind]
        if len(live) >= LIVE_KEYS_MOST:
            raise errors.too_many_keys(LIVE_KEYS_MOST)
        secret_id = await _add_key(ctx, tx, (caller.marketplace_id, endpoint_id), key, now)
        await store.set_status(
            tx, endpoint_id, row["status"], now, row["disabled_reason"], row["disabled_detail"]
        )  # the settings' version moves on: workers read the keys anew
        document = {
            "key_id": str(secret_id),
            "kind": key.kind,
            "public_key": key.public_text,
            "keys": [shown.key(k) for k in await store.live_keys(tx, endpoint_id, now)],
        }
        await once.keep(tx, Answer(201, _json({**document, "secret": None, "secret_note": NOT_SHOWN_AGAIN})))
    return Answer(201, _json({**document, "secret": key.text}))


async def pause(ctx: Context, caller: Principal, endpoint_id: UUID, once: Once) -> Answer:
    """Hold everything back; what comes meanwhile waits in the queue."""
    return await _switch(ctx, caller, endpoint_id, ("active", "paused"), once)


async def resume(ctx: Context, caller: Principal, endpoint_id: UUID, once: Once) -> Answer:
    """Go on after a pause: what has waited leaves in order. What held the endpoint back before is over."""
    return await _switch(ctx, caller, endpoint_id, ("paused", "active"), once)


async def disable(ctx: Context, caller: Principal, endpoint_id: UUID, once: Once) -> Answer:
    """Stop for good: what waits and what comes is kept for replay."""
    organisation_id = reach(caller, "operate")
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        row = await _locked(tx, endpoint_id, organisation_id)
        if row["status"] not in ("active", "paused"):
            raise errors.wrong_status(row["status"], "active or paused")
        detail = f"disabled by {caller.name}"
        await disable_many(tx, ctx.outbox, [Disabling(endpoint_id, "person", detail)], ctx.clock())
        tx.after_commit(ctx.wakes.get("upkeep").set)
        return await _state(ctx, tx, (endpoint_id, organisation_id), caller, once)


async def enable(ctx: Context, caller: Principal, endpoint_id: UUID, body: Enabling, once: Once) -> Answer:
    """Start again. With `replay_missing` the endpoint stays paused until what was kept is queued, so order holds."""
    organisation_id = reach(caller, "operate")
    now = ctx.clock()
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        row = await _locked(tx, endpoint_id, organisation_id)
        if row["status"] != "disabled":
            raise errors.wrong_status(row["status"], "disabled")
        await store.set_status(tx, endpoint_id, "paused" if body.replay_missing else "active", now)
        await store.start_afresh(tx, endpoint_id, now)
        if body.replay_missing:
            since = max(row["created_at"], now - OPEN_INTAKE)
            chosen = (None, None, min(await store.kept_since(tx, endpoint_id) or since, since), now)
            await replays.insert(tx, new_id(), row, "missing", chosen, caller.name, now, then_resume=True)
            tx.after_commit(ctx.wakes.get("upkeep").set)
        tx.after_commit(lambda: ctx.hints.add([endpoint_id]))
        return await _state(ctx, tx, (endpoint_id, organisation_id), caller, once)


async def _switch(ctx: Context, caller: Principal, endpoint_id: UUID, way: tuple[str, str], once: Once) -> Answer:
    """From the first status of `way` to the second; one that has it already stays as it is, but is looked at anew."""
    organisation_id = reach(caller, "operate")
    now, (from_, to) = ctx.clock(), way
    async with ctx.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        row = await _locked(tx, endpoint_id, organisation_id)
        if row["status"] not in way:
            raise errors.wrong_status(row["status"], from_)
        if row["status"] == from_:
            await store.set_status(tx, endpoint_id, to, now)
        if to == "active":
            await store.start_afresh(tx, endpoint_id, now)
        tx.after_commit(lambda: ctx.hints.add([endpoint_id]))
        return await _state(ctx, tx, (endpoint_id, organisation_id), caller, once)


async def _state(
    ctx: Context, tx: Transaction, endpoint: tuple[UUID, UUID | None], caller: Principal, once: Once
) -> Answer:
    """The endpoint (its id, and whose it has to be) as it is now, as the kept answer of the request."""
    document = await _document(ctx, tx, await store.get(tx, *endpoint), caller)
    return await once.keep(tx, Answer(200, _json(document), {"etag": etag(document["version"])}))


@dataclass(frozen=True, slots=True)
class Disabling:
    """An endpoint to disable, and what its owner is told."""

    endpoint_id: UUID
    reason: DisableReason
    detail: str


async def disable_many(tx: Transaction, outbox: Outbox, wanted: Sequence[Disabling], now: datetime) -> None:
    """Disable endpoints and publish it, once each, in the caller's transaction."""
    unique = {w.endpoint_id: w for w in wanted}
    rows = await store.disable(
        tx, list(unique), [w.reason for w in unique.values()], [w.detail for w in unique.values()], now
    )
    await outbox.append_many(tx, [disabled_event(row, row["reason"], row["detail"], now) for row in rows])
    for row in rows:
        metrics.DISABLED.labels(row["reason"]).inc()


def disabled_event(row: Row, reason: Any, detail: str, now: datetime) -> EndpointDisabled:
    """The event for an endpoint's row. The URL goes without its query, which may hold a token."""
    return EndpointDisabled(
        marketplace_id=row["marketplace_id"],
        endpoint_id=row["endpoint_id"],
        organisation_id=row["organisation_id"],
        url=str(row["url"]).partition("?")[0],
        reason=reason,
        detail=detail[:500],
        at=now,
    )


def kinds_of(signature: str) -> tuple[KeyKind, ...]:
    """The kinds of key that a signature setting needs."""
    kinds: dict[str, tuple[KeyKind, ...]] = {"hmac": ("hmac",), "ed25519": ("ed25519",), "both": ("hmac", "ed25519")}
    return kinds[signature]


def _new_key(signature: str, body: Rotation) -> SigningKey:
    kinds = kinds_of(signature)
    key = SigningKey.parse(body.secret) if body.secret else None
    kind = key.kind if key else body.kind or (kinds[0] if len(kinds) == 1 else None)
    if kind is None:
        raise Unprocessable("kind_needed", "The endpoint signs with both kinds: say which key to rotate in `kind`.")
    if kind not in kinds:
        raise Unprocessable(
            "wrong_kind", f"The endpoint signs with {signature}; a key of kind {kind} would not be used."
        )
    return key or SigningKey.generate(kind)


async def _add_key(ctx: Context, tx: Transaction, endpoint: tuple[UUID, UUID], key: SigningKey, now: datetime) -> UUID:
    secret_id = new_id()
    sealed = ctx.vault.seal(key.material, endpoint[0], secret_id, "secret")
    await store.add_key(tx, secret_id, endpoint, key, sealed, now)
    return secret_id


async def _row(
    ctx: Context, tx: Transaction, marketplace_id: UUID, endpoint_id: UUID, url: str, body: EndpointBase
) -> EndpointRow:
    """The columns of an endpoint. Raises where the URL is not allowed."""
    policy = await ctx.policy(tx)
    try:
        target = parse_target(url, policy)
    except ForbiddenTarget as e:
        raise errors.bad_target(str(e)) from None
    headers = check_custom_headers(body.headers)
    sealed = ctx.vault.seal(orjson.dumps(headers), marketplace_id, endpoint_id, "headers") if headers else None
    f = body.filter
    return EndpointRow(
        target.url, body.description, body.event_types, f.channels, f.sellers, f.actions, f.phases, sealed,
        tuple(headers), body.format, body.signature, body.http_signature, body.ordered, body.retry_schedule,
        body.timeout_ms, body.max_in_flight, body.rate_limit, "none" if body.format == "standard" else "required",
    )  # fmt: skip


def _settings(row: Row) -> dict[str, Any]:
    """An endpoint's row as the settings that it was made with; the custom headers stay sealed."""
    names = (
        "description", "event_types", "format", "signature", "http_signature", "ordered", "retry_schedule",
        "timeout_ms", "max_in_flight", "rate_limit",
    )  # fmt: skip
    return {name: row[name] for name in names} | {
        "filter": {name: row[name] for name in ("channels", "sellers", "actions", "phases") if row[name] is not None}
    }


async def _locked(tx: Transaction, endpoint_id: UUID, organisation_id: UUID | None) -> Row:
    row = await store.lock(tx, endpoint_id, organisation_id)
    if row is None:
        raise errors.no_endpoint()
    return row


def _shown(row: Row, caller: Principal, **more: Any) -> dict[str, Any]:
    return shown.endpoint(row, in_full=reads_addresses_of(caller, row["organisation_id"]), **more)


async def _document(ctx: Context, tx: Transaction, row: Row | None, caller: Principal) -> dict[str, Any]:
    if row is None:
        raise errors.no_endpoint()
    sizes = await store.queue_sizes(tx, [row["endpoint_id"]])
    live = await store.live_keys(tx, row["endpoint_id"], ctx.clock())
    return _shown(row, caller, waiting=sizes[row["endpoint_id"]], keys=live)


def _json(document: Any) -> bytes:
    return orjson.dumps(document)
