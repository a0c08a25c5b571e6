"""Action parameters: from a request's JSON to checked values, by the types that a lifecycle file declares.

Every mistake is collected, so that one answer tells all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from contracts.money import Money
from services.order.workflow.facts import Facts
from services.order.workflow.lifecycle import Lifecycle, Param
from services.order.workflow.model import Line, Order
from services.order.workflow.refusals import BadParams

TEXT_MAX: Final = 2000
# Longer ones are notes, which may have several lines; shorter ones are single-line fields such as a carrier.
SINGLE_LINE_MAX: Final = 200
URL_MAX: Final = 500
MOST_LINES: Final = 500
MOST_UNITS: Final = 1000
CODE_MAX: Final = 100
FARTHEST_DAY: Final = timedelta(days=730)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_QUANTITY = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class LineAsk:
    """What is asked for one line; no quantity means all that there is, no units means that none are named."""

    quantity: Decimal | None = None
    unit_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Ground:
    """What parameters are checked against."""

    order: Order
    lifecycle: Lifecycle
    facts: Facts
    now: datetime


class Wrong(Exception):
    """A value that is not what its type wants; `path` is below the parameter."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path


def parse_params(specs: Sequence[Param], given: Mapping[str, Any], ground: Ground) -> dict[str, Any]:
    """The checked values by name; parameters that were not given are absent. Raises BadParams with every mistake."""
    values: dict[str, Any] = {}
    errors: list[tuple[str, str]] = []
    known = {p.name: p for p in specs}
    for name in given:
        if name not in known:
            close = get_close_matches(str(name), known, 1)
            hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known) or 'none'}"
            errors.append((str(name)[:100], f"there is no such parameter{hint}"))
    for spec in specs:
        value = given.get(spec.name)
        if value is None or value == "":
            if spec.required:
                errors.append((spec.name, "is needed"))
            continue
        try:
            values[spec.name] = _PARSERS[spec.type](value, spec, ground)
        except Wrong as e:
            errors.append((f"{spec.name}{e.path}", e.message))
    if errors:
        raise BadParams(errors)
    return values


def _text(value: Any, spec: Param, _: Ground) -> str:
    if not isinstance(value, str):
        raise Wrong("must be text")
    most = spec.max or TEXT_MAX
    text = value.strip()
    if not text:
        raise Wrong("must not be empty")
    if len(text) > most:
        raise Wrong(f"has {len(text)} characters; at most {most} fit")
    if _CONTROL.search(text) or (most <= SINGLE_LINE_MAX and re.search(r"[\r\n]", text)):
        raise Wrong("has control characters or line breaks that do not belong there")
    return text


def _choice(value: Any, spec: Param, _: Ground) -> str:
    if value not in spec.choices or not isinstance(value, str):
        raise Wrong(f"must be one of {', '.join(spec.choices)}")
    return value


def _flag(value: Any, _spec: Param, _: Ground) -> bool:
    if not isinstance(value, bool):
        raise Wrong("must be true or false")
    return value


def _number(value: Any, path: str = "") -> Decimal:
    """A quantity from JSON: a number, or text that is one."""
    text = str(value) if isinstance(value, int | float | Decimal | str) and not isinstance(value, bool) else ""
    if "e" in text.lower():
        try:
            text = f"{Decimal(text):f}" if len(text) < 30 and abs(Decimal(text).adjusted()) < 20 else ""
        except InvalidOperation:
            text = ""
    if not _QUANTITY.fullmatch(text):
        raise Wrong('must be a quantity such as 2 or "2.5" (at most 9 digits, 6 after the point)', path)
    quantity = Decimal(text)
    if quantity <= 0:
        raise Wrong("must be more than zero", path)
    return quantity


def _quantity(value: Any, _spec: Param, _: Ground) -> Decimal:
    return _number(value)


def _money(value: Any, _spec: Param, ground: Ground) -> int:
    try:
        money = Money.model_validate(value)
    except ValidationError as e:
        why = e.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise Wrong(f'must be like {{"amount": "12.50", "currency": "EUR"}}: {why}') from None
    if money.currency != ground.order.currency:
        raise Wrong(f"is in {money.currency}; the order is in {ground.order.currency}", ".currency")
    if money.minor <= 0:
        raise Wrong("must be more than zero", ".amount")
    return money.minor


def today(order: Order, now: datetime) -> date:
    """The day that it is at the buying outlet (UTC where its zone is unknown)."""
    try:
        return now.astimezone(ZoneInfo(order.time_zone)).date()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return now.date()


def _day(value: Any, _spec: Param, ground: Ground) -> date:
    first = today(ground.order, ground.now)
    if value == "tomorrow":
        return first + timedelta(days=1)
    try:
        day = date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else None
    except ValueError:
        day = None
    if day is None:
        raise Wrong('must be "tomorrow" or a date such as 2026-01-31')
    if day < first:
        raise Wrong(f"is in the past: it is {first} at the outlet ({ground.order.time_zone})")
    if day > first + FARTHEST_DAY:
        raise Wrong(f"is too far ahead; the last possible day is {first + FARTHEST_DAY}")
    return day


def _moment(value: Any, _spec: Param, _: Ground) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= 40 else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise Wrong("must be a time with an offset, such as 2026-01-31T12:00:00Z")
    return moment


def _url(value: Any, _spec: Param, _: Ground) -> str:
    wanted = f"must be an http or https address of at most {URL_MAX} characters"
    if (
        not isinstance(value, str)
        or len(value) > URL_MAX
        or re.search(r"[\s\x00-\x1f\x7f\"<>\\^`{|}\ud800-\udfff]", value)
    ):
        raise Wrong(wanted)
    try:
        parts = urlsplit(value)
        # a port that is none is found only when it is asked for
        leads_there = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise Wrong(wanted) from None
    if parts.scheme not in ("http", "https") or not leads_there or "@" in parts.netloc:
        raise Wrong(wanted)
    return value


def _uuid(value: Any, path: str = "") -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value) if isinstance(value, str) and len(value) == 36 else UUID(int=-1)
    except ValueError:
        raise Wrong("must be an id (a UUID)", path) from None


def _member(ids: Sequence[UUID], what: str) -> Callable[[Any], UUID]:
    def check(value: Any) -> UUID:
        found = _uuid(value)
        if found not in ids:
            raise Wrong(f"is not a {what} of this order")
        return found

    return check


def _line(value: Any, spec: Param, ground: Ground) -> UUID:
    found = _member([x.line_id for x in ground.order.lines], "line")(value)
    line = next(x for x in ground.order.lines if x.line_id == found)
    if spec.sent and line.shipped <= 0:
        raise Wrong(f"nothing of {line.sku} has been sent")
    return found


def _issue(value: Any, spec: Param, ground: Ground) -> UUID:
    kinds = spec.kinds
    return _member([i.issue_id for i in ground.order.issues if not kinds or i.kind in kinds], "matching issue")(value)


def _refund(value: Any, _spec: Param, ground: Ground) -> UUID:
    return _member([r.refund_id for r in ground.order.refunds], "refund")(value)


def _parcel(value: Any, _spec: Param, ground: Ground) -> UUID:
    return _member([p.parcel_id for p in ground.order.parcels], "parcel")(value)


def _lines(value: Any, spec: Param, ground: Ground) -> dict[UUID, LineAsk]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_LINES:
        raise Wrong(f"must be a list of 1 to {MOST_LINES} lines")
    asks: dict[UUID, LineAsk] = {}
    for i, item in enumerate(value):
        if not isinstance(item, dict) or "line_id" not in item or item.keys() - {"line_id", "quantity", "unit_ids"}:
            raise Wrong('must be like {"line_id": "...", "quantity": 2}', f".{i}")
        line_id = _uuid(item["line_id"], f".{i}.line_id")
        line = next((x for x in ground.order.lines if x.line_id == line_id), None)
        if line is None:
            raise Wrong("is not a line of this order", f".{i}.line_id")
        if line_id in asks:
            raise Wrong("names a line twice", f".{i}.line_id")
        quantity = None if item.get("quantity") is None else _number(item["quantity"], f".{i}.quantity")
        if quantity is not None and line.tracked and quantity != quantity.to_integral_value():
            raise Wrong("must be a whole number: the line has units", f".{i}.quantity")
        if item.get("unit_ids") and not line.tracked:
            raise Wrong("the line has no units of its own", f".{i}.unit_ids")
        units = _units(item.get("unit_ids"), line, ground, f".{i}.unit_ids", needed=spec.type == "units")
        if spec.type == "units" and quantity is not None and quantity != len(units):
            raise Wrong(f"is not the number of units named, which is {len(units)}; leave it out", f".{i}.quantity")
        asks[line_id] = LineAsk(quantity, units)
    return asks


def _units(value: Any, line: Line, ground: Ground, path: str, needed: bool) -> tuple[UUID, ...]:
    """The units of a line that are named, each by its id or by its code (serial number, QR code)."""
    if value is None and not needed:
        return ()
    if not isinstance(value, list) or len(value) > MOST_UNITS:
        raise Wrong(f"must be a list of at most {MOST_UNITS} units, each by its id or code", path)
    free = ground.facts.free_units.get(line.listing_id, {}) if line.listing_id else {}
    known = {**free, **{u.unit_id: u.code for u in line.units if u.state != "released"}}
    by_code = {code: unit_id for unit_id, code in known.items()}
    units = tuple(_unit(u, known, by_code, line, f"{path}.{i}") for i, u in enumerate(value))
    if len(set(units)) != len(units):
        raise Wrong("names a unit twice", path)
    return units


def _unit(value: Any, known: Mapping[UUID, str], by_code: Mapping[str, UUID], line: Line, path: str) -> UUID:
    # scanners end what they read with a line break
    text = str(value).strip() if isinstance(value, UUID | str) else ""
    try:
        by_id = UUID(text) if len(text) == 36 else None
    except ValueError:
        by_id = None
    coded = by_code.get(text)
    if by_id in known and coded not in (None, by_id):
        raise Wrong(
            f"{text!r} is the id of one unit of {line.sku} and the code of another; name them by their ids", path
        )
    found = by_id if by_id in known else coded
    if found is None:
        what = f"{text[:100]!r}" if text else "that"
        raise Wrong(f"is not a free unit of {line.sku}: none has the id or the code {what}", path)
    return found


def _document(value: Any, kind: str, ground: Ground, path: str = "") -> UUID:
    document_id = _uuid(value, path)
    if any(d.document_id == document_id for d in ground.order.documents):
        raise Wrong("is attached already", path)
    document = ground.facts.documents.get(document_id)
    if document is None:
        raise Wrong("is not an uploaded document; upload it first", path)
    image = document.media_type.startswith("image/")
    if not (image or (kind == "invoice" and document.media_type == "application/pdf")):
        raise Wrong("must be an image" + (" or a PDF" if kind == "invoice" else ""), path)
    return document_id


def _images(value: Any, spec: Param, ground: Ground) -> tuple[UUID, ...]:
    most = spec.max or 3
    if not isinstance(value, list):
        raise Wrong(f"must be a list of at most {most} images")
    if len(value) > most:
        raise Wrong(f"are {len(value)}; at most {most} are taken")
    ids = tuple(_document(v, "image", ground, f".{i}") for i, v in enumerate(value))
    if len(set(ids)) != len(ids):
        raise Wrong("names an image twice")
    return ids


def _invoice(value: Any, _spec: Param, ground: Ground) -> UUID:
    return _document(value, "invoice", ground)


def _state(value: Any, spec: Param, ground: Ground) -> str:
    choices = spec.states or tuple(ground.lifecycle.states)
    if not isinstance(value, str) or value not in choices:
        raise Wrong(f"must be one of {', '.join(choices)}")
    return value


_PARSERS: Final[Mapping[str, Callable[[Any, Param, Ground], Any]]] = {
    "text": _text,
    "choice": _choice,
    "flag": _flag,
    "quantity": _quantity,
    "money": _money,
    "day": _day,
    "moment": _moment,
    "url": _url,
    "line": _line,
    "lines": _lines,
    "units": _lines,
    "issue": _issue,
    "refund": _refund,
    "parcel": _parcel,
    "images": _images,
    "invoice": _invoice,
    "state": _state,
}
