"""Templates: everything is escaped, unknown names are errors, and words for what the services say in codes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from typing import Any, Final

import jinja2
from babel.dates import format_date
from babel.numbers import format_decimal
from jinja2.runtime import Context
from markupsafe import Markup

from contracts.money import Money
from services.console.codes import WORDS
from services.console.language import N_, Texts, count, label, language, locale, tr, translations
from services.console.sentences import sentence
from shared.amounts import written
from shared.ids import new_id

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "console.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "keys.js": "text/javascript; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
}
PHASES: Final[Mapping[str, str]] = Texts(
    {
        "approval": N_("Awaiting approval"),
        "pending": N_("Pending"),
        "preparing": N_("Being prepared"),
        "in_transit": N_("On its way"),
        "completed": N_("Completed"),
        "canceled": N_("Cancelled"),
    }
)
TONES: Final[Mapping[str, str]] = {
    "approval": "warn",
    "pending": "info",
    "preparing": "info",
    "in_transit": "info",
    "completed": "good",
    "canceled": "plain",
}
# What has become of a quantity of a line.
_BECAME: Final[Mapping[str, str]] = {
    "open": N_("%(quantity)s open"),
    "accepted": N_("%(quantity)s accepted"),
    "rejected": N_("%(quantity)s rejected"),
    "canceled": N_("%(quantity)s cancelled"),
    "shipped": N_("%(quantity)s shipped"),
    "received": N_("%(quantity)s received"),
    "returned": N_("%(quantity)s returned"),
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
    return written(Decimal(value.amount), value.currency, locale())


def number(value: Any) -> str:
    """A quantity or count with its thousands apart."""
    try:
        return format_decimal(Decimal(str(value)), locale=locale())
    except InvalidOperation:
        return str(value)


def moment_of(value: Any) -> datetime | None:
    """An RFC 3339 time as the services write it."""
    if value is None or value == "":
        return None
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@jinja2.pass_context
def moment(context: Context, value: Any, seconds: bool = False) -> Markup | str:
    """A time in the reader's zone, with the machine's form beside it."""
    at = moment_of(value)
    if at is None:
        return ""
    local = at.astimezone(context["zone"])
    # where a line is too short, it breaks between day and time
    on = f"{day(local)},".replace(" ", "\u00a0")
    return Markup('<time datetime="{}">{} {}</time>').format(
        at.astimezone(UTC).isoformat(timespec="seconds"), on, f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    )


def day(value: Any) -> str:
    """A date without a time; "" for none."""
    if not value:
        return ""
    return format_date(
        value if isinstance(value, date) else date.fromisoformat(str(value)[:10]), "medium", locale=locale()
    )


def words(code: Any) -> str:
    """A code such as `lost_in_transit` as words."""
    text = str(code or "")
    return tr(WORDS.get(text) or text.replace("_", " ").replace(".", " ").capitalize())


def became(what: str, quantity: str) -> str:
    """A quantity with what has become of it."""
    return tr(_BECAME[what], quantity=quantity)


def sides(codes: Iterable[str]) -> str:
    """Sides or roles, one after the other."""
    return ", ".join(words(code).lower() for code in codes)


def duration(seconds: int | None) -> str:
    """How long something took, to the two largest units; "" where nothing did."""
    if seconds is None:
        return ""
    # L10n: days, hours and minutes, abbreviated
    units = (N_("%(count)s d"), N_("%(count)s h"), N_("%(count)s min"))
    parts = list(zip((seconds // 86_400, seconds % 86_400 // 3_600, seconds % 3_600 // 60), units, strict=True))
    first = next((i for i, (n, _) in enumerate(parts) if n), None)
    if first is None:
        return tr("less than a minute")
    return " ".join(tr(unit, count=n) for n, unit in parts[first : first + 2] if n)


def size(count: int) -> str:
    """How large a file is."""
    unit, of = (N_("%(count)s MB"), 1_000_000) if count >= 1_000_000 else (N_("%(count)s kB"), 1_000)
    shown = max(Decimal(count) / of, Decimal("0.1"))
    return tr(unit, count=format_decimal(shown, "0.#", locale=locale()))


def share(rate: str | None) -> str:
    """A rate of 0 to 1 as per cent; a dash where it is a share of nothing."""
    if rate is None:
        return "\u2013"
    return f"{format_decimal((Decimal(rate) * 100).quantize(Decimal('0.1')), '0.0', locale=locale())} %"


def web_link(value: Any) -> str:
    """An address that may stand in a link: http and https only, "" for any other."""
    text = str(value or "")
    return text if _HTTP.match(text) else ""


def _as_read(written: Callable[..., str]) -> Callable[..., str]:
    """A filter whose outcome depends on the reader: templates are compiled once, and must not keep it."""

    @jinja2.pass_context
    def filtered(_: Context, *args: Any, **kwargs: Any) -> str:
        return written(*args, **kwargs)

    return filtered


class Renderer:
    """The templates of this package."""

    def __init__(self) -> None:
        self._environment = environment = jinja2.Environment(
            loader=jinja2.PackageLoader("services.console"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            extensions=["jinja2.ext.i18n"],
        )
        environment.policies["ext.i18n.trimmed"] = True
        environment.install_gettext_callables(  # type: ignore[attr-defined]  # an extension adds it
            lambda text: translations().gettext(text),
            lambda one, many, n: translations().ngettext(one, many, n),
            newstyle=True,
            pgettext=lambda context, text: translations().pgettext(context, text),
        )
        depending = (money, number, day, words, duration, share, size, tr, label, sentence)
        environment.filters.update({f.__name__: _as_read(f) for f in depending})
        environment.filters.update(moment=moment, web_link=web_link)
        environment.globals.update(
            asset=asset,
            became=became,
            count=count,
            language=language,
            sides=sides,
            PHASES=PHASES,
            TONES=TONES,
            new_key=lambda: str(new_id()),
        )

    def render(self, template: str, values: Mapping[str, Any]) -> str:
        return self._environment.get_template(template).render(values)
