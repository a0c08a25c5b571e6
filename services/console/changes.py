"""What a change of an order was about, in words: the details of a timeline entry as people read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from contracts.order import Line
from services.console.forms import quantity
from services.console.language import N_, Texts, count, tr
from services.console.rendering import day, words
from services.console.schemas import Order

Details = Mapping[str, Any]
# Of lists: a timeline is read at a glance, and the order itself has all of them.
MOST_LISTED: Final = 6
_LINES: Final[Mapping[str, str]] = Texts(
    {
        "accepted": N_("Accepted"),
        "rejected": N_("Not accepted"),
        "shipped": N_("Sent"),
        "returned": N_("Came back"),
        "replacement": N_("Sent again"),
    }
)


@dataclass(frozen=True, slots=True)
class Said:
    """A line of words, and the order that it speaks of, if it is another one."""

    text: str
    order_id: UUID | None = None


def said(details: Details, order: Order) -> Sequence[Said]:
    """The details that say more than the entry's label does; those of a kind that nobody knows are passed over."""
    found: list[Said] = []
    for name, tell in _TELLERS.items():
        if name in details:
            # what is not as it should be says nothing, and keeps nothing else from being said
            with suppress(KeyError, TypeError, ValueError, AttributeError, InvalidOperation):
                found += tell(name, details[name], order)
    return found


def _lines(name: str, value: Any, order: Order) -> Iterator[Said]:
    known = {str(x.line_id): x for x in order.lines}
    parts = [_part(known[v["line_id"]], v["quantity"]) for v in value if v["line_id"] in known]
    if parts:
        yield Said(f"{_LINES[name]}: {_listed(parts)}")


def _part(line: Line, amount: str) -> str:
    return f"{line.name} ({quantity(Decimal(amount), line.unit_code)})"


def _listed(parts: Sequence[str]) -> str:
    rest = len(parts) - MOST_LISTED
    named = ", ".join(parts[:MOST_LISTED])
    return tr("%(names)s and %(count)s more", names=named, count=rest) if rest > 0 else named


def _selected(_name: str, value: Any, order: Order) -> Iterator[Said]:
    known = {str(x.line_id): x for x in order.lines}
    for chosen in value:
        line = known[chosen["line_id"]]
        codes = {str(u.unit_id): u.code for u in line.units}
        units = [codes.get(u, tr("a thing that was let go since")) for u in chosen["units"]]
        chosen = _listed(units) if units else tr("none")
        yield Said(f"{line.name}: {chosen}")


def _parcel(_name: str, value: Any, _order: Order) -> Iterator[Said]:
    parts = [tr("Parcel %(number)s", number=value["number"]), value.get("carrier"), value.get("tracking_number")]
    yield Said(", ".join(p for p in parts if p))


def _scheduled(_name: str, value: Any, _order: Order) -> Iterator[Said]:
    yield Said(tr("For %(day)s", day=day(value)))


def _refund(_name: str, value: Any, _order: Order) -> Iterator[Said]:
    paid = value["state"] == "done"
    done = tr("paid out") if paid else tr("still to be paid out")
    yield Said(f"{value['amount']}, {done}")


def _paid(_name: str, value: Any, _order: Order) -> Iterator[Said]:
    yield Said(str(value))


def _issue(_name: str, value: Any, _order: Order) -> Iterator[Said]:
    parts = [words(value["reason_code"]).lower() if value.get("reason_code") else "", value.get("amount")]
    if told := ", ".join(str(p) for p in parts if p):
        yield Said(f"{words(value['kind'])}: {told}")
    if value.get("resolution"):
        yield Said(resolution(value["resolution"]))


def resolution(text: str) -> str:
    """How an issue ended: people's own words as they are, what the order service says of it as words."""
    code, colon, rest = text.partition(": ")
    if not (code.replace("_", "").isalpha() and code.islower()):
        return text
    return f"{words(code)}{colon}{rest}"


def _documents(_name: str, value: Any, _order: Order) -> Iterator[Said]:
    yield Said(count("%(count)s file", "%(count)s files", len(value)))


def _external(_name: str, value: Any, _order: Order) -> Iterator[Said]:
    yield Said(tr("The channel says %(status)s", status=value["to"]))


def _location(_name: str, value: Any, _order: Order) -> Iterator[Said]:
    if value:
        yield Said(tr("Now at %(place)s", place=value))


def _waits(_name: str, value: Any, _order: Order) -> Iterator[Said]:
    if value:
        yield Said(tr("Waits for a person; the reason is among the notes"))


def _placed(_name: str, value: Any, _order: Order) -> Iterator[Said]:
    for made in value[:MOST_LISTED]:
        yield Said(tr("New order %(number)s", number=made["number"]), UUID(made["order_id"]))


_TELLERS: Final[Mapping[str, Callable[[str, Any, Order], Iterator[Said]]]] = {
    "issue": _issue,
    **dict.fromkeys(_LINES, _lines),
    "selected": _selected,
    "parcel": _parcel,
    "scheduled_for": _scheduled,
    "refund": _refund,
    "paid": _paid,
    "documents": _documents,
    "external_status": _external,
    "location": _location,
    "waits_for_person": _waits,
    "placed": _placed,
}
