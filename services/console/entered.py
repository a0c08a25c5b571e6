"""What people type into fields: read in one way on every page, and told in the same words where it cannot be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from services.console.errors import Refused
from services.console.language import tr

_QUANTITY: Final = re.compile(r"[0-9]{1,9}([.][0-9]{1,6})?")
_AMOUNT: Final = re.compile(r"-?[0-9]{1,15}([.][0-9]{1,4})?")


class Wrong(Exception):
    """What was typed is none of what is asked for; the text tells a person what to enter."""


def decimal_point(text: str) -> str:
    """12,50 and 12.50 are the same amount; spaces between thousands are taken out."""
    text = text.replace(" ", "").replace("\u00a0", "").replace("\u202f", "")
    return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text


def amount(text: str, *, below_zero: bool = False) -> str:
    """An amount of money as the services write it. Raises Wrong."""
    text = decimal_point(text)
    if not _AMOUNT.fullmatch(text) or (text.startswith("-") and not below_zero):
        raise Wrong(tr("Enter an amount such as 12.50."))
    return text


def quantity(text: str) -> str:
    """How many or how much, never less than nothing. Raises Wrong."""
    text = decimal_point(text)
    if not _QUANTITY.fullmatch(text):
        raise Wrong(tr("Enter a quantity such as 2 or 2.5."))
    return text


def number(text: str) -> int | float:
    """Raises Wrong."""
    text = decimal_point(text)
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        raise Wrong(tr("Enter a number.")) from None


def day(text: str) -> date:
    """Raises Wrong."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Wrong(tr("Enter a date such as 2026-01-31.")) from None


def moment(text: str, zone: ZoneInfo) -> datetime:
    """A time as browsers write it; without an offset it is in `zone`. Raises Wrong."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Wrong(tr("Enter a date and time such as 2026-01-31 12:00.")) from None
    return at if at.tzinfo else at.replace(tzinfo=zone)


def placed(
    refused: Refused, fields: Mapping[str, str] | None = None, codes: Mapping[str, str] | None = None
) -> dict[str, str]:
    """A service's refusal by the form's fields.

    `fields` are the form's names of the service's, where they differ; `codes` those of refusals that name no field.
    What belongs to none stands under "". Which entry of a list is meant is said in words.
    """
    found: dict[str, list[str]] = {}
    for path, message in refused.fields.items():
        field, *entry = path.removeprefix("filter.").split(".")
        if entry and entry[0].isdecimal():
            message = tr("Entry %(number)s: %(what)s", number=int(entry[0]) + 1, what=message)
        found.setdefault((fields or {}).get(field, field), []).append(message)
    return {f: " ".join(m) for f, m in found.items()} or {(codes or {}).get(refused.code, ""): refused.detail}
