"""What a source file yields, and how its texts, amounts and addresses are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from contracts.money import exponent, from_minor, round_minor, to_minor

# also as XML Schema writes decimals: +4, 4. and .5
_NUMBER: Final = re.compile(r"^[-+]?([0-9]{1,15}(\.[0-9]{0,20})?|\.[0-9]{1,20})$")
_EMAIL: Final = re.compile(r"^[^@\s]+@[^@\s]+$")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|[\ud800-\udfff]")
MOST_ATTRIBUTES: Final = 50
MOST_IDENTITY: Final = 200


class Refusal(Exception):
    """This file or order cannot be taken; `reason` says what, where and how to mend."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SourceRefund:
    """Money that the source already gave back; `external_id` makes booking it twice impossible."""

    external_id: str
    amount: dict[str, str]
    reason: str | None
    line: str | None = None  # the source's id of the one line that all of it was for


@dataclass(slots=True)
class Found:
    """An order of a file. `order` is the JSON body of `POST /v1/orders`; `where` is its place in the file."""

    where: str
    external_id: str
    number: str
    order: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    refunds: list[SourceRefund] = field(default_factory=list)
    canceled: str | None = None  # when the source says that it ended without being fulfilled
    test: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """An order of a file that is not sent at all."""

    where: str
    external_id: str | None
    reason: str


def text(value: Any, most: int = 500) -> str | None:
    """A trimmed text without control characters, at most `most` long; None where there is nothing."""
    if value is None or isinstance(value, dict | list):
        return None
    cleaned = _CONTROL.sub("", str(value)).strip()
    return cleaned[:most].rstrip() or None


def external_id(value: Any, what: str) -> str | None:
    """What makes the order one order. Raises Refusal for a longer one than is kept: cut off it could be another's."""
    found = text(value, MOST_IDENTITY + 1)
    if found is not None and len(found) > MOST_IDENTITY:
        raise Refusal(f"{what} is longer than {MOST_IDENTITY} characters")
    return found


def number(value: Any, what: str) -> Decimal:
    """An exact decimal from a JSON number or a plain decimal text. Raises Refusal for anything else."""
    if isinstance(value, bool) or value is None:
        raise Refusal(f"{what} is missing or not a number")
    raw = str(value).strip()
    # 1E+9 is a number that JSON may write so; one of thousands of digits is not written out to be refused
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < 40 and not _NUMBER.match(raw):
        raw = f"{value:f}"
    if not _NUMBER.match(raw):
        raise Refusal(f"{what} is {raw[:40]!r}; a plain decimal number such as 12.50 is needed")
    try:
        return Decimal(raw)
    except InvalidOperation:
        raise Refusal(f"{what} is {raw[:40]!r}, not a number") from None


def quantity(value: Any, what: str) -> Decimal:
    """How much of something was ordered. Raises Refusal for what is not above zero, or finer or more than is kept."""
    found = number(value, what)
    if found <= 0:
        raise Refusal(f"{what} is {found}; it must be above zero")
    if found >= 10**9 or round(found, 6) != found:
        raise Refusal(f"{what} is {found:f}; at most 9 digits before the point and 6 after it are kept")
    return found


def check_currency(value: Any, what: str) -> str:
    """An ISO 4217 code that has a minor unit, upper case. Raises Refusal."""
    code = (text(value, 40) or "").upper()
    if not code:
        raise Refusal(f"{what} is missing; an ISO 4217 code such as EUR is needed")
    try:
        exponent(code)
    except ValueError as e:
        raise Refusal(f"{what}: {e}") from None
    return code


def moment(value: Any, what: str) -> str | None:
    """A time with its offset; None where there is none. Raises Refusal for anything else."""
    given = text(value, 60)
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 1970 <= found.year <= 2199:
        raise Refusal(f"{what} is {given[:40]!r}; a time such as 2026-01-31T12:00:00Z is needed, from 1970 to 2199")
    return found.isoformat().replace("+00:00", "Z")


def is_exact(amount: Decimal, currency: str) -> bool:
    try:
        to_minor(amount, currency)
    except ValueError:
        return False
    return True


def money(amount: Decimal, currency: str, what: str) -> dict[str, str]:
    """Money of the API, rounded half to even to the currency's minor unit. Raises Refusal where it is too large."""
    try:
        return {"amount": from_minor(round_minor(amount, currency), currency), "currency": currency}
    except (ValueError, InvalidOperation) as e:
        raise Refusal(f"{what}: {e}") from None


def spread(minor: int, weights: Sequence[Decimal]) -> list[int]:
    """`minor` units shared out by weight so that the parts add up exactly; equal shares where all weights are 0."""
    total = sum(weights, Decimal(0)) or Decimal(len(weights))
    shares = [w if sum(weights, Decimal(0)) else Decimal(1) for w in weights]
    parts: list[int] = []
    given, seen = 0, Decimal(0)
    for share in shares:
        seen += share
        upto = int((Decimal(minor) * seen / total).to_integral_value())
        parts.append(upto - given)
        given = upto
    return parts


def email(value: Any, warnings: list[str]) -> str | None:
    """The address if it looks like one; else None and a warning, because one bad address must not stop an order."""
    found = text(value, 300)
    if found is None:
        return None
    if len(found) > 254 or not _EMAIL.match(found):
        warnings.append(f"the e-mail address {found[:60]!r} is not usable and was left out")
        return None
    return found


def country(value: Any) -> str | None:
    code = (text(value, 10) or "").upper()
    return code if re.fullmatch(r"[A-Z]{2}", code) else None


def unit_code(value: Any, what: str, warnings: list[str]) -> str | None:
    """A UN/ECE Rec 20 code; None (pieces) and a warning for a unit that is none."""
    code = (text(value, 40) or "").upper()
    if code and not re.fullmatch(r"[A-Z0-9]{2,3}", code):
        warnings.append(f"{what}: {code!r} is no unit code (UN/ECE Rec 20); taken as pieces")
        return None
    return code or None


def compact(values: dict[str, Any]) -> dict[str, Any]:
    """Without what is absent: the API refuses empty texts, and null says nothing."""
    return {k: v for k, v in values.items() if v is not None and v != {}}


def attributes(pairs: Iterable[tuple[str, Any]], warnings: list[str]) -> dict[str, str]:
    """Free-form facts within the API's bounds (50 facts, names of 100, values of 500 characters)."""
    kept: dict[str, str] = {}
    dropped = 0
    for name, value in pairs:
        key, content = text(name, 100), text(value, 500)
        if key is None or content is None:
            continue
        if len(kept) >= MOST_ATTRIBUTES and key not in kept:
            dropped += 1
            continue
        kept[key] = content
    if dropped:
        warnings.append(f"{dropped} attribute(s) beyond the first {MOST_ATTRIBUTES} were left out")
    return kept
