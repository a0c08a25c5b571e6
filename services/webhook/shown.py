"""Rows as the API shows them. Pure; secrets and header values have no way in here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import orjson

from services.webhook.schedule import BREAKER_FAILURES
from services.webhook.signing import webhook_id

HIDDEN: Final = "***"


class Columns(Protocol):
    """A row by column name."""

    def __getitem__(self, name: str, /) -> Any: ...


def when(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC; None for a moment that is not there (also PostgreSQL's infinity)."""
    if moment is None or moment.year in (1, 9999):
        return None
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def address(url: str) -> str:
    """A URL without the values of its query, any of which may be a secret: `?key=***`."""
    place, mark, query = url.partition("?")
    return place + mark + "&".join(_unread(part) for part in query.split("&"))


def _unread(part: str) -> str:
    name, equals, value = part.partition("=")
    # without an equals sign, the name may be the secret
    return f"{name}={HIDDEN if value else ''}" if equals else HIDDEN if part else ""


def endpoint(
    row: Columns, *, in_full: bool, waiting: int | None = None, keys: Iterable[Columns] | None = None
) -> dict[str, Any]:
    """An endpoint, its address `in_full` for whom it may be shown to."""
    document: dict[str, Any] = {
        "endpoint_id": str(row["endpoint_id"]),
        "organisation_id": str(row["organisation_id"]),
        "url": row["url"] if in_full else address(row["url"]),
        "description": row["description"],
        "event_types": list(row["event_types"]),
        "filter": _filter(row),
        "header_names": list(row["header_names"]),
        "format": row["format"],
        "signature": row["signature"],
        "http_signature": row["http_signature"],
        "ordered": row["ordered"],
        "retry_schedule": list(row["retry_schedule"]),
        "timeout_ms": row["timeout_ms"],
        "max_in_flight": row["max_in_flight"],
        "rate_limit": row["rate_limit"],
        "status": row["status"],
        "disabled_reason": row["disabled_reason"],
        "disabled_detail": row["disabled_detail"],
        "handshake": row["handshake"],
        "handshake_error": row["handshake_error"],
        "health": _health(row),
        "version": row["version"],
        "created_by": row["created_by"],
        "created_at": when(row["created_at"]),
        "updated_at": when(row["updated_at"]),
    }
    if waiting is not None:
        document["waiting"] = waiting
    if keys is not None:
        document["keys"] = [key(k) for k in keys]
    return document


def _filter(row: Columns) -> dict[str, Any]:
    sellers = [str(s) for s in row["sellers"]] if row["sellers"] is not None else None
    return {"channels": row["channels"], "sellers": sellers, "actions": row["actions"], "phases": row["phases"]}


def _health(row: Columns) -> dict[str, Any]:
    return {
        "breaker": "open" if row["failures"] >= BREAKER_FAILURES else "closed",
        "failures": row["failures"],
        "failing_since": when(row["failing_since"]),
        "held_back_until": when(row["gate_until"]),
        "last_success_at": when(row["last_success_at"]),
        "last_failure_at": when(row["last_failure_at"]),
        "last_error": row["last_error"],
    }


def key(row: Columns) -> dict[str, Any]:
    return {
        "key_id": str(row["secret_id"]),
        "kind": row["kind"],
        "public_key": row["public_key"],
        "created_at": when(row["created_at"]),
        "expires_at": when(row["expires_at"]),
    }


def delivery(row: Columns) -> dict[str, Any]:
    return {
        "delivery_id": str(row["delivery_id"]),
        "endpoint_id": str(row["endpoint_id"]),
        "webhook_id": webhook_id(row["event_id"]),
        "event_id": str(row["event_id"]),
        "type": row["type"],
        "order_id": str(row["order_id"]) if row["order_id"] is not None else None,
        "sequence": row["sequence"],
        "origin": row["origin"],
        "state": row["state"],
        "attempts": row["tries"],
        "last_status": row["last_status"],
        "last_error": row["last_error"],
        "next_attempt_at": _due(row),
        "created_at": when(row["created_at"]),
        "finished_at": when(row["finished_at"]),
    }


def _due(row: Columns) -> str | None:
    """When it is sent next: what goes before all others is due since it was made."""
    due: datetime | None = row["next_attempt_at"]
    return None if due is None or when(due) is None else when(max(due, row["created_at"]))


def attempt(row: Columns) -> dict[str, Any]:
    body: bytes | None = row["response_body"]
    return {
        "number": row["number"],
        "started_at": when(row["started_at"]),
        "duration_ms": row["duration_ms"],
        "connect_ms": row["connect_ms"],
        "status": row["status"],
        "outcome": row["outcome"],
        "error": row["error"],
        "response_headers": orjson.loads(row["response_headers"]) if row["response_headers"] is not None else None,
        "response_body": body.decode("utf-8", "replace") if body is not None else None,
        "response_truncated": row["response_truncated"],
    }


def replay(row: Columns) -> dict[str, Any]:
    return {
        "replay_id": str(row["replay_id"]),
        "endpoint_id": str(row["endpoint_id"]),
        "scope": row["scope"],
        "event_types": row["event_types"],
        "order_id": str(row["order_id"]) if row["order_id"] is not None else None,
        "received_from": when(row["received_from"]),
        "received_to": when(row["received_to"]),
        "status": row["status"],
        "examined": row["examined"],
        "queued": row["queued"],
        "created_by": row["created_by"],
        "created_at": when(row["created_at"]),
        "finished_at": when(row["finished_at"]),
    }


def network(row: Columns) -> dict[str, Any]:
    return {
        "network": row["network"],
        "reason": row["reason"],
        "created_by": row["created_by"],
        "created_at": when(row["created_at"]),
    }
