"""The filters of the order list as query parameters: the same for lists and exports."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Query

from contracts.order import IssueState, MoneyState, Phase
from services.order.store.search import Filters, Sort
from shared.errors import BadRequest

Text = Annotated[str | None, Query(max_length=200)]
MOST_VALUES = 10
MOST_IDS = 200


async def filters(
    status: Annotated[
        str | None, Query(max_length=500, description="One or several statuses, separated by commas.")
    ] = None,
    phase: Annotated[str | None, Query(max_length=100, description="One or several phases.")] = None,
    q: Annotated[
        str | None, Query(max_length=200, description="Part of a name or e-mail, an order number or external id.")
    ] = None,
    seller: Annotated[str | None, Query(max_length=100, description="Organisation: id, slug or external id.")] = None,
    buyer: Annotated[str | None, Query(max_length=100, description="Organisation: id, slug or external id.")] = None,
    customer: Annotated[str | None, Query(max_length=200, description="Part of the customer's name or e-mail.")] = None,
    channel: Text = None,
    money: MoneyState | None = None,
    issue: IssueState | None = None,
    purchase_id: UUID | None = None,
    ids: Annotated[
        str | None, Query(max_length=8_000, description="Selected orders: up to 200 order ids, separated by commas.")
    ] = None,
    external_id: Text = None,
    placed_from: Annotated[
        str | None, Query(max_length=40, description="A date (its beginning in UTC), or a time with offset.")
    ] = None,
    placed_to: Annotated[
        str | None,
        Query(max_length=40, description="A date (that day of UTC is in), or a time with offset (exclusive)."),
    ] = None,
    overdue: bool | None = None,
    sort: Sort = "-placed_at",
) -> tuple[Filters, str | None, str | None]:
    """The filters; seller and buyer are still names, which the action looks up."""
    return (
        Filters(
            statuses=_many("status", status),
            phases=_phases(phase),
            q=q,
            customer=customer,
            channel=channel,
            money=money,
            issue=issue,
            purchase_id=purchase_id,
            ids=_ids(ids),
            external_id=external_id,
            placed_from=_moment("placed_from", placed_from),
            placed_to=_moment("placed_to", placed_to, end=True),
            overdue=overdue,
            sort=sort,
        ),
        seller,
        buyer,
    )


Filtered = Annotated[tuple[Filters, str | None, str | None], Depends(filters)]
ExportFormat = Literal["csv", "xlsx"]
_PHASES: tuple[str, ...] = Phase.__args__  # type: ignore[attr-defined]  # typing's own way to list a Literal


def _many(name: str, given: str | None) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(v.strip() for v in (given or "").split(",") if v.strip()))
    if len(values) > MOST_VALUES:
        raise BadRequest("too_many_values", f"{name} takes at most {MOST_VALUES} values.")
    for value in values:
        if not value.replace("_", "").isalnum() or len(value) > 48:
            raise BadRequest("invalid_filter", f"{name}: {value[:50]!r} is no {name}.")
    return values


def _ids(given: str | None) -> tuple[UUID, ...] | None:
    """None where nothing is selected: an empty selection would be another list than the whole one."""
    if given is None:
        return None
    texts = list(dict.fromkeys(v.strip() for v in given.split(",") if v.strip()))
    if not 1 <= len(texts) <= MOST_IDS:
        raise BadRequest("invalid_filter", f"ids: {len(texts)} order ids are given; 1 to {MOST_IDS} are taken.")
    try:
        return tuple(UUID(v) for v in texts)
    except ValueError:
        raise BadRequest("invalid_filter", "ids: order ids are UUIDs, separated by commas.") from None


def _phases(given: str | None) -> tuple[str, ...]:
    values = _many("phase", given)
    for value in values:
        if value not in _PHASES:
            raise BadRequest("invalid_filter", f"phase: {value[:50]!r} is none of {', '.join(_PHASES)}.")
    return values


def _moment(name: str, given: str | None, *, end: bool = False) -> datetime | None:
    """A day begins and ends in UTC; times need their offset."""
    if given is None:
        return None
    try:
        if len(given) == 10:
            day = date.fromisoformat(given)
            return datetime.combine(day, time(), UTC) + (timedelta(days=1) if end else timedelta())
        # a plus sign in an address is a space unless it was escaped
        moment = datetime.fromisoformat(given.replace(" ", "+"))
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadRequest(
            "invalid_filter", f"{name}: give a date (2026-01-31) or a time with offset (2026-01-31T12:00:00Z)."
        )
    return moment
