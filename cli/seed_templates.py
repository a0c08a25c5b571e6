"""Model orders for seeding: made by the real engine, then copied with new ids, names and times.

A million orders through the engine would take a quarter of an hour; a thousand lives, copied a thousand times each
with other ids and dates, have every state and every amount that lists are tried with. A template is the text of its
rows as COPY takes them, with places where the copies differ.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
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
# What a copy gives for the places of a text, in this order; behind them are its times.
NUMBER_AT, NAME_AT, FOLDED_AT, MAIL_AT, CHAIN_AT, ID_AT, FIRST_TIME_AT = range(7)
# The last digits of an id tell which of its order's ids it is; the others are the order's own.
_ID_DIGITS: Final = 3
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
    """A text with places: which of the values stands in each is told by its index."""

    __slots__ = ("_format", "_of", "_places")

    def __init__(self, format_: str, places: tuple[int, ...]) -> None:
        self._format, self._places = format_, places
        # of a single index it gives the bare value, which a format takes as well
        self._of = itemgetter(*places) if places else lambda _: ()

    @classmethod
    def of(cls, parts: Iterable[str | int]) -> Text:
        """`parts` are what stays, and the indexes of values."""
        kept = tuple(parts)
        format_ = "".join("%s" if isinstance(p, int) else p.replace("%", "%%") for p in kept)
        return cls(format_, tuple(p for p in kept if isinstance(p, int)))

    def filled(self, values: Sequence[str]) -> str:
        return self._format % self._of(values)

    def __reduce__(self) -> tuple[Any, ...]:
        return Text, (self._format, self._places)


@dataclass(frozen=True, slots=True)
class Entry:
    """A timeline entry: `text` is what is hashed, `before` the row's columns up to it."""

    text: Text
    before: Text


@dataclass(frozen=True, slots=True)
class Template:
    """One life. `row` is the order's row for COPY; `spans` are the moments after placing that its texts name."""

    row: Text
    entries: tuple[Entry, ...]
    spans: tuple[timedelta, ...]


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
        return UUID(int=(0xFEED << 112) | self.made)


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
    times = sorted({EPOCH, *(s.at for s in steps), *_moments(order.model_dump_json(), *texts)})
    row = dict(zip(COLUMNS, rows.placing(order, lifecycle, None, b"", part=1, fingerprint=None), strict=True))
    places = _Places(ids.made, times)
    entries = []
    for step, event_id, text in zip(steps, event_ids, texts, strict=True):
        audience = "{" + ",".join(step.audience) + "}"
        before = (order.marketplace_id, order.order_id, step.order.sequence, step.at, event_id, audience)
        entries.append(Entry(places.text(text), places.text("\t".join(map(_column, before)) + "\t")))
    return Template(
        row=_row(row, places), entries=tuple(entries), spans=tuple(t - EPOCH for t in times),
    )  # fmt: skip


def _row(row: dict[str, Any], places: _Places) -> Text:
    """The order's row for COPY: its texts with places, and places for what only a copy knows."""
    parts: list[str | int] = []
    for name in COLUMNS:
        match name:
            case "number":
                own: Sequence[str | int] = (NUMBER_AT,)
            case "chain":
                own = ("\\\\x", CHAIN_AT)
            case "customer_name_lc" | "search":
                own = places.parts(_column(row[name]), {NAME: (FOLDED_AT,), EXTERNAL: ("seed-", NUMBER_AT)})
            case _:
                own = places.parts(_column(row[name]))
        parts += [*own, "\t"]
    return Text.of([*parts[:-1], "\n"])


def copy_text(text: str) -> str:
    """As COPY's text format has it, where a backslash begins an escape."""
    if "\\" not in text and "\t" not in text and "\n" not in text:
        return text
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _column(value: Any) -> str:
    match value:
        case None:
            return "\\N"
        case bool():
            return "t" if value else "f"
        case bytes():
            return "\\\\x" + value.hex()
        case datetime():
            return _iso(value)
        case _:
            return copy_text(str(value))


def _moments(*texts: str) -> list[datetime]:
    """Every time that stands in the texts."""
    return [
        datetime.fromisoformat(found).replace(tzinfo=UTC)
        for text in texts
        for found in re.findall(r'"(2001-[0-9T:.-]+)(?:Z|\+00:00)"', text)
    ]


class _Places:
    """Turns traces of a template's ids, names and times into places."""

    def __init__(self, ids: int, times: Sequence[datetime]) -> None:
        known: dict[str, tuple[str | int, ...]] = {
            str(UUID(int=(0xFEED << 112) | n)): (ID_AT, f"{n:0{_ID_DIGITS}x}") for n in range(1, ids + 1)
        }
        # how a time ends (Z, or the offset) stays in the text
        known |= {_iso(t)[:-1]: (FIRST_TIME_AT + n,) for n, t in enumerate(times)}
        known |= {
            NUMBER: (rows.NUMBER_PREFIX, NUMBER_AT),
            NAME: (NAME_AT,),
            MAIL: (MAIL_AT,),
            EXTERNAL: ("SEED-", NUMBER_AT),
        }
        self._known = known
        # longer traces first: one time may be the beginning of another
        self._pattern = re.compile("|".join(re.escape(k) for k in sorted(known, key=len, reverse=True)))

    def parts(self, given: str, instead: dict[str, tuple[str | int, ...]] | None = None) -> list[str | int]:
        known = {**self._known, **(instead or {})}
        parts: list[str | int] = []
        at = 0
        for match in self._pattern.finditer(given):
            parts += [given[at : match.start()], *known[match[0]]]
            at = match.end()
        return [*parts, given[at:]]

    def text(self, given: str) -> Text:
        return Text.of(self.parts(given))


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
