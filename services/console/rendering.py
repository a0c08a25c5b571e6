"""Templates: everything is escaped, unknown names are errors, and words for what the services say in codes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from typing import Any, Final

import jinja2
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal
from markupsafe import Markup

from contracts.money import Money
from shared.amounts import ENGLISH, written
from shared.ids import new_id

LOCALE: Final = ENGLISH
MEDIA_TYPES: Final[Mapping[str, str]] = {
    "console.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "keys.js": "text/javascript; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
}
PHASES: Final[Mapping[str, str]] = {
    "approval": "Awaiting approval",
    "pending": "Pending",
    "preparing": "Being prepared",
    "in_transit": "On its way",
    "completed": "Completed",
    "canceled": "Cancelled",
}
TONES: Final[Mapping[str, str]] = {
    "approval": "warn",
    "pending": "info",
    "preparing": "info",
    "in_transit": "info",
    "completed": "good",
    "canceled": "plain",
}
_WORDS: Final[Mapping[str, str]] = {
    "unpaid": "Not paid",
    "refunding": "Being refunded",
    "partially_refunded": "Partly refunded",
    "cancellation_request": "Cancellation request",
    "canceled": "Cancelled",
    "own_side": "Only our own side",
    "everyone": "Everyone on the order",
    "api_key": "API key",
    "exhausted": "Gave up",
    "held": "Kept back",
    "http_error": "HTTP error",
}
_HTTP: Final = re.compile(r"^https?://", re.IGNORECASE)


@cache
def asset(name: str) -> str:
    """The address of a static file; it changes with the content, so that browsers may keep it for ever."""
    return f"/static/{digest(name)}/{name}"


@cache
def digest(name: str) -> str:
    return hashlib.sha256(content(name)).hexdigest()[:12]


@cache
def content(name: str) -> bytes:
    """Raises KeyError for a file that is not ours to serve."""
    MEDIA_TYPES[name]
    return files("services.console").joinpath("static", name).read_bytes()


def money(value: Money | None) -> str:
    """An amount as people write it; "" for none."""
    if not value:
        return ""
    return written(Decimal(value.amount), value.currency, LOCALE)


def number(value: Any) -> str:
    """A quantity or count with its thousands apart."""
    try:
        return format_decimal(Decimal(str(value)), locale=LOCALE)
    except InvalidOperation:
        return str(value)


def moment_of(value: Any) -> datetime | None:
    """An RFC 3339 time as the services write it."""
    if value is None or value == "":
        return None
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@jinja2.pass_context
def moment(context: jinja2.runtime.Context, value: Any, seconds: bool = False) -> Markup | str:
    """A time in the reader's zone, with the machine's form beside it."""
    at = moment_of(value)
    if at is None:
        return ""
    shown = format_datetime(
        at, "d MMM y, HH:mm:ss" if seconds else "d MMM y, HH:mm", tzinfo=context["zone"], locale=LOCALE
    )
    # where a line is too short, it breaks between day and time
    on, _, clock = shown.rpartition(" ")
    return Markup('<time datetime="{}">{} {}</time>').format(
        at.astimezone(UTC).isoformat(timespec="seconds"), on.replace(" ", "\u00a0"), clock
    )


def day(value: Any) -> str:
    """A date without a time; "" for none."""
    if not value:
        return ""
    return format_date(
        value if isinstance(value, date) else date.fromisoformat(str(value)[:10]), "d MMM y", locale=LOCALE
    )


def words(code: Any) -> str:
    """A code such as `lost_in_transit` as words."""
    text = str(code or "")
    return _WORDS.get(text) or text.replace("_", " ").replace(".", " ").capitalize()


def duration(seconds: int | None) -> str:
    """How long something took, to the two largest units; "" where nothing did."""
    if seconds is None:
        return ""
    parts = [(seconds // 86_400, "d"), (seconds % 86_400 // 3_600, "h"), (seconds % 3_600 // 60, "min")]
    first = next((i for i, (n, _) in enumerate(parts) if n), None)
    if first is None:
        return "less than a minute"
    return " ".join(f"{n} {unit}" for n, unit in parts[first : first + 2] if n)


def share(rate: str | None) -> str:
    """A rate of 0 to 1 as per cent; a dash where it is a share of nothing."""
    return "\u2013" if rate is None else f"{(Decimal(rate) * 100).quantize(Decimal('0.1'))} %"


def plural(count: int, one: str, many: str) -> str:
    return f"{number(count)} {one if count == 1 else many}"


def web_link(value: Any) -> str:
    """An address that may stand in a link: http and https only, "" for any other."""
    text = str(value or "")
    return text if _HTTP.match(text) else ""


class Renderer:
    """The templates of this package."""

    def __init__(self) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("services.console"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(
            money=money,
            number=number,
            moment=moment,
            day=day,
            words=words,
            web_link=web_link,
            duration=duration,
            share=share,
        )
        self._environment.globals.update(
            asset=asset, plural=plural, PHASES=PHASES, TONES=TONES, new_key=lambda: str(new_id())
        )

    def render(self, template: str, values: Mapping[str, Any]) -> str:
        return self._environment.get_template(template).render(values)
