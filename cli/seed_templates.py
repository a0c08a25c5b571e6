"""Model orders for seeding: made by the real engine, then copied with new ids, names and times.

A million orders through the engine would take a quarter of an hour; a thousand lives, copied a thousand times each
with other ids and dates, have every state and every amount that lists are tried with. A template is its rows as COPY
takes them in binary, with places where the copies differ.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from contracts.inbound import SubmittedOrder
from contracts.money import Money
from contracts.order import Party
from services.order import workflow
from services.order.store import rows
from services.order.store.writing import entry_of
from services.order.workflow import Actor, Lifecycle, LineFacts, Order, Placement

# A time that no order has, so that every trace of it in a text can be found again.
EPOCH: Final = datetime(2001, 1, 1, tzinfo=UTC)
NAME, MAIL, EXTERNAL, NUMBER = "@name@", "mail@seed.invalid", "@external@", "ORD-0"
COLUMNS: Final = (
    "marketplace_id", "id", "number", "purchase_id", "channel", "external_id", "part", "fingerprint", "lifecycle",
    "lifecycle_version", "sequence", "status", "shown", "phase", "money", "issue", "known", "overdue", "buyer_org",
    "buyer_person", "seller_org", "customer_name_lc", "customer_email_lc", "search", "currency", "total_minor",
    "placed_at", "updated_at", "closed_at", "timer_at", "chain", "card", "doc",
)  # fmt: skip
# What a copy gives for the places, in this order; behind them are its times, each as text and as COPY takes it. Raw is
# what COPY takes.
(
    NUMBER_AT, RAW_NUMBER_AT, RAW_EXTERNAL_AT, NAME_AT, FOLDED_AT, RAW_FOLDED_AT, MAIL_AT, RAW_MAIL_AT,
    ID_AT, RAW_ID_AT, CHAIN_AT, FIRST_TIME_AT,
) = range(12)  # fmt: skip
# The last digits of an id tell which of its order's ids it is; the others are the order's own.
_ID_DIGITS: Final = 4
_FEED: Final = 0xFEED << 112
# One pattern for all templates: one for each would take half of the time that these take to be made.
_TRACE: Final = re.compile(
    "|".join(map(re.escape, (NAME, MAIL, EXTERNAL, NUMBER)))
    + r"|feed0000(?:-0000){3}-[0-9a-f]{12}|2001-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?"
)
_INT4: Final = frozenset({"part", "lifecycle_version"})
_TEXT_OID: Final = 25
_NULL: Final = b"\xff\xff\xff\xff"
_MOST_STEPS: Final = 9
# how often an action is let through that cancels the order, leaves it where it is, gives money back or opens an issue:
# most orders are completed without any of them
_CANCELED: Final = 0.05
_STAYED: Final = 0.1
# an action comes within hours; sometimes after days, when the clock has found the order overdue
_SOON: Final = timedelta(hours=7, seconds=1)
_LATE: Final = timedelta(hours=60)
_NEVER: Final = frozenset({"add_note", "reorder", "chargeback", "record_payment"})
GOODS: Final = ("Chair", "Table", "Lamp", "Shelf", "Desk", "Sofa", "Rug", "Mirror", "Stool", "Cabinet")


class Text:
    """Bytes with places: which of the values stands in each is told by its index."""

    __slots__ = ("_format", "_of", "_places")

    def __init__(self, format_: bytes, places: tuple[int, ...]) -> None:
        self._format, self._places = format_, places
        # of a single index it gives the bare value, which a format takes as well
        self._of = itemgetter(*places) if places else lambda _: ()

    @classmethod
    def of(cls, parts: Iterable[bytes | int]) -> Text:
        """`parts` are what stays, and the indexes of values."""
        kept = tuple(parts)
        format_ = b"".join(b"%b" if isinstance(p, int) else p.replace(b"%", b"%%") for p in kept)
        return cls(format_, tuple(p for p in kept if isinstance(p, int)))

    def filled(self, values: Sequence[bytes]) -> bytes:
        return self._format % self._of(values)

    def __reduce__(self) -> tuple[Any, ...]:
        return Text, (self._format, self._places)


@dataclass(frozen=True, slots=True)
class Entry:
    """A timeline entry: `text` is what is hashed, `before` the row's fields up to it."""

    text: Text
    before: Text


@dataclass(frozen=True, slots=True)
class Template:
    """One life. `row` is the order's row for COPY: fields of a known length, and, by turns with them, one whose length
    is written before it. `spans` are the moments after placing that its texts name, in microseconds."""

    row: tuple[Text, ...]
    entries: tuple[Entry, ...]
    spans: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cast:
    """Who buys and sells in the seeded orders."""

    marketplace_id: UUID
    currency: str
    buyers: Sequence[Party]
    sellers: Sequence[Party]
    channels: Sequence[str] = ("direct", "shopify", "peppol", "marketplace")


class _Ids:
    """Ids that can be found again in a text: numbered, in a form that nothing else has."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> UUID:
        self.made += 1
        if self.made >= 16**_ID_DIGITS:
            raise ValueError(f"a template has at most {16**_ID_DIGITS - 1} ids")
        return UUID(int=_FEED | self.made)


def template(lifecycle: Lifecycle, cast: Cast, rng: random.Random) -> Template:
    """One life of random length, with random goods."""
    ids = _Ids()
    buyer, seller = rng.choice(cast.buyers), rng.choice(cast.sellers)
    channel = rng.choices(cast.channels, [6, 2, 1, 1])[0]
    submitted = _submitted(cast, channel, rng)
    placement = Placement(
        submitted=submitted,
        lines=tuple(LineFacts(seller.organisation_id, x.sku or "", x.name or "") for x in submitted.lines),
        marketplace_id=cast.marketplace_id,
        buyer=buyer,
        sellers={seller.organisation_id: seller},
        commission_rates={seller.organisation_id: Decimal("0.1")},
    )
    operator = Actor("person", "Seed Operator", ids(), UUID(int=0), frozenset({"operator"}))
    placed = workflow.place(placement, lifecycle, operator, now=EPOCH, ids=ids, numbers=[NUMBER])
    (decision,) = placed.decisions
    order, steps = decision.order, list(decision.steps)
    people = (
        Actor("person", "Seed Seller", ids(), seller.organisation_id, frozenset({"seller", "admin"})),
        Actor("person", "Seed Buyer", ids(), buyer.organisation_id, frozenset({"buyer", "admin"})),
        operator,
    )
    now = EPOCH
    for _ in range(rng.choice((0, 1, 2, _MOST_STEPS, _MOST_STEPS, _MOST_STEPS))):
        now += _SOON if rng.random() < 0.9 else _LATE
        made = _step(order, lifecycle, people, now, ids, rng)
        if made is None:
            break
        order, steps = made.order, [*steps, *made.steps]
    return _template(order, lifecycle, steps, ids)


def _submitted(cast: Cast, channel: str, rng: random.Random) -> SubmittedOrder:
    lines = []
    for n in range(rng.choices((1, 2, 3), [6, 3, 1])[0]):
        goods = rng.choice(GOODS)
        price = Money.of(rng.randint(100, 90_000), cast.currency)
        lines.append(
            {"sku": f"{goods[:2].upper()}-{n}", "name": goods, "quantity": rng.randint(1, 4), "unit_price": price}
        )
    fields = {
        "channel": channel,
        "currency": cast.currency,
        "customer": {"name": NAME, "email": MAIL},
        "lines": lines,
        "paid": rng.random() < 0.8,
        "shipping": Money.of(rng.choice((0, 490, 990)), cast.currency),
    }
    if channel != "direct":
        fields["external_id"] = EXTERNAL
    return SubmittedOrder.model_validate(fields)


def _step(
    order: Order, lifecycle: Lifecycle, people: Sequence[Actor], now: datetime, ids: _Ids, rng: random.Random
) -> workflow.Decision | None:
    """What the clock finds, or something that somebody may do now, mostly on the way to the end."""
    if (found := workflow.fire(order, lifecycle, now, ids)) is not None and found.steps:
        return found
    for actor in rng.sample(people, len(people)):
        actions = [a for a in workflow.allowed_actions(order, lifecycle, actor, now) if a.name not in _NEVER]
        rng.shuffle(actions)
        for action in actions[:2]:
            params = _params(action, rng)
            if params is None:
                continue
            try:
                decision = workflow.decide(order, lifecycle, action.name, actor, params, now, ids)
            except workflow.Refused:
                continue
            ended = workflow.phase_of(decision.order, lifecycle) == "canceled"
            moved = decision.order.status != order.status
            if decision.steps and rng.random() < (_CANCELED if ended else 1.0 if moved else _STAYED):
                return decision
    return None


def _params(action: workflow.AllowedAction, rng: random.Random) -> dict[str, Any] | None:
    """What the action has to be told, where that is a choice; None where it is more."""
    required = {name: action.params["properties"][name] for name in action.params.get("required", ())}
    if any("enum" not in schema for schema in required.values()):
        return None
    return {name: rng.choice(schema["enum"]) for name, schema in required.items()}


def _template(order: Order, lifecycle: Lifecycle, steps: Sequence[workflow.Step], ids: _Ids) -> Template:
    event_ids = [ids() for _ in steps]
    texts = [entry_of(s, e, None) for s, e in zip(steps, event_ids, strict=True)]
    row = dict(zip(COLUMNS, rows.placing(order, lifecycle, None, b"", part=1, fingerprint=None), strict=True))
    named = _moments(order.model_dump_json(), *texts)
    times = sorted({EPOCH, *named, *(s.at for s in steps), *(v for v in row.values() if isinstance(v, datetime))})
    places = _Places(ids.made, times)
    entries = []
    for step, event_id, text in zip(steps, event_ids, texts, strict=True):
        audience = _audience(step.audience)
        before: tuple[Any, ...] = (order.marketplace_id, order.order_id, step.order.sequence, step.at, event_id)
        fields = [part for value in before for part in places.field(value)]
        fields = [_count(len(before) + 3), *fields, counted(audience)]
        entries.append(Entry(places.text(text), Text.of(fields)))
    spans = tuple((t - EPOCH) // _MICROSECOND for t in times)
    return Template(row=tuple(_row(row, places)), entries=tuple(entries), spans=spans)


def _row(row: dict[str, Any], places: _Places) -> Iterator[Text]:
    """The order's row for COPY: its texts with places, and places for what only a copy knows."""
    known: list[bytes | int] = [_count(len(COLUMNS))]
    for name in COLUMNS:
        value = row[name]
        match name:
            case "number" | "chain" | "customer_name_lc" | "customer_email_lc":
                known.append(_RAW[name])
            case "external_id" if value is not None:
                known.append(RAW_EXTERNAL_AT)
            case "search":
                yield from (Text.of(known), Text.of(places.parts(value, _FOLDED)))
                known = []
            case _ if isinstance(value, str) and len(parts := places.parts(value)) > 1:
                yield from (Text.of(known), Text.of(parts))
                known = []
            case _:
                known += places.field(value, short=name in _INT4)
    yield Text.of(known)


def _count(fields: int) -> bytes:
    return fields.to_bytes(2, "big")


def length(of: int) -> bytes:
    """What stands before a field of so many bytes."""
    return of.to_bytes(4, "big")


def counted(data: bytes) -> bytes:
    """A field as COPY takes it: its length before it."""
    return length(len(data)) + data


def _audience(sides: Sequence[str]) -> bytes:
    """An array of texts: how many dimensions, whether it has nulls, the type; then the length and the first index."""
    head = b"".join(map(length, (1, 0, _TEXT_OID, len(sides), 1)))
    return head + b"".join(counted(side.encode()) for side in sides)


def _moments(*texts: str) -> list[datetime]:
    """Every time that stands in the texts."""
    return [
        datetime.fromisoformat(found).replace(tzinfo=UTC)
        for text in texts
        for found in _TRACE.findall(text)
        if found.startswith("2001-")
    ]


class _Places:
    """Turns traces of a template's ids, names and times into places."""

    def __init__(self, ids: int, times: Sequence[datetime]) -> None:
        known: dict[str, tuple[bytes | int, ...]] = {
            str(UUID(int=_FEED | n)): (ID_AT, f"{n:0{_ID_DIGITS}x}".encode()) for n in range(1, ids + 1)
        }
        # how a time ends (Z, or the offset) stays in the text
        known |= {_iso(t)[:-1]: (FIRST_TIME_AT + 2 * n,) for n, t in enumerate(times)}
        known |= {
            NUMBER: (rows.NUMBER_PREFIX.encode(), NUMBER_AT),
            NAME: (NAME_AT,),
            MAIL: (MAIL_AT,),
            EXTERNAL: (b"SEED-", NUMBER_AT),
        }
        self._known = known
        self._times = {t: FIRST_TIME_AT + 2 * n + 1 for n, t in enumerate(times)}

    def parts(self, given: str, instead: dict[str, tuple[bytes | int, ...]] | None = None) -> list[bytes | int]:
        """More than one part where it has a place."""
        known = {**self._known, **instead} if instead else self._known
        parts: list[bytes | int] = []
        at = 0
        for match in _TRACE.finditer(given):
            parts += [given[at : match.start()].encode(), *known[match[0]]]
            at = match.end()
        return [*parts, given[at:].encode()]

    def text(self, given: str) -> Text:
        return Text.of(self.parts(given))

    def field(self, value: Any, *, short: bool = False) -> list[bytes | int]:
        """A field of a known length as COPY takes it. `short` is an integer of four bytes."""
        match value:
            case None:
                return [_NULL]
            case bool():
                return [counted(bytes([value]))]
            case int():
                return [counted(value.to_bytes(4 if short else 8, "big", signed=True))]
            case UUID() if value.int >> 112 == _FEED >> 112:
                return [length(16), RAW_ID_AT, value.bytes[-_ID_DIGITS // 2 :]]
            case UUID():
                return [counted(value.bytes)]
            case datetime():
                return [length(8), self._times[value]]
            case _:
                return [counted(str(value).encode())]


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


_MICROSECOND: Final = timedelta(microseconds=1)
_RAW: Final = {
    "number": RAW_NUMBER_AT, "chain": CHAIN_AT, "customer_name_lc": RAW_FOLDED_AT, "customer_email_lc": RAW_MAIL_AT
}  # fmt: skip
_FOLDED: Final[dict[str, tuple[bytes | int, ...]]] = {NAME: (FOLDED_AT,), EXTERNAL: (b"seed-", NUMBER_AT)}
