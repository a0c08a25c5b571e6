"""Model orders for seeding: made by the real engine, then copied with new ids, names and times.

A million orders through the engine would take a quarter of an hour; a thousand lives, copied a thousand times each
with other ids and dates, have every state and every amount that lists are tried with.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
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
_MOST_STEPS: Final = 9
# how often an action is let through that cancels the order, or leaves it where it is: most orders are completed
_CANCELED: Final = 0.05
_STAYED: Final = 0.2
GOODS: Final = ("Chair", "Table", "Lamp", "Shelf", "Desk", "Sofa", "Rug", "Mirror", "Stool", "Cabinet")


@dataclass(frozen=True, slots=True)
class Text:
    """A text with places: `parts` alternate between what stays and the index of a value."""

    parts: tuple[str | int, ...]

    def filled(self, values: Sequence[str]) -> str:
        return "".join([p if isinstance(p, str) else values[p] for p in self.parts])


@dataclass(frozen=True, slots=True)
class Template:
    """One life: the order's row with places in its texts. `ids` counts them; `spans` are its moments after placing."""

    order: Order
    row: tuple[object, ...]
    card: Text
    doc: Text
    entries: tuple[Text, ...]
    audiences: tuple[str, ...]
    ids: int
    spans: tuple[timedelta, ...]
    step_spans: tuple[int, ...]


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
    for n in range(1, rng.choice((0, 1, 2, _MOST_STEPS, _MOST_STEPS, _MOST_STEPS)) + 1):
        now = EPOCH + timedelta(hours=n * 7, seconds=n)
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
    """Something that somebody may do now without saying more, mostly on the way to the end."""
    if rng.random() < 0.1:
        return workflow.fire(order, lifecycle, now, ids)
    for actor in rng.sample(people, len(people)):
        open_to = [
            a.name
            for a in workflow.allowed_actions(order, lifecycle, actor, now)
            if not a.params.get("required") and a.name not in ("add_note", "reorder", "chargeback", "record_payment")
        ]
        rng.shuffle(open_to)
        for name in open_to[:2]:
            try:
                decision = workflow.decide(order, lifecycle, name, actor, {}, now, ids)
            except workflow.Refused:
                continue
            ended = workflow.phase_of(decision.order, lifecycle) == "canceled"
            moved = decision.order.status != order.status
            if decision.steps and rng.random() < (_CANCELED if ended else 1.0 if moved else _STAYED):
                return decision
    return None


def _template(order: Order, lifecycle: Lifecycle, steps: Sequence[workflow.Step], ids: _Ids) -> Template:
    event_ids = [ids() for _ in steps]
    times = sorted({EPOCH, *(s.at for s in steps), *_moments(order)})
    row = rows.placing(order, lifecycle, None, b"", part=1, fingerprint=None)
    places = _Places(ids.made, times)
    return Template(
        order=order,
        row=row,
        card=places.text(str(row[-2])),
        doc=places.text(str(row[-1])),
        entries=tuple(places.text(entry_of(s, e, None)) for s, e in zip(steps, event_ids, strict=True)),
        audiences=tuple("{" + ",".join(s.audience) + "}" for s in steps),
        ids=ids.made,
        spans=tuple(t - EPOCH for t in times),
        step_spans=tuple(times.index(s.at) for s in steps),
    )


def _moments(order: Order) -> list[datetime]:
    """Every time that may stand in the order's text."""
    found = re.findall(r'"(2001-[0-9T:.+-]+Z)"', order.model_dump_json())
    return [datetime.fromisoformat(t) for t in found]


class _Places:
    """Turns traces of a template's ids, names and times into places: ids first, then times, then four texts."""

    def __init__(self, ids: int, times: Sequence[datetime]) -> None:
        known = {str(UUID(int=(0xFEED << 112) | n)): n - 1 for n in range(1, ids + 1)}
        known |= {_iso(t): ids + n for n, t in enumerate(times)}
        base = ids + len(times)
        known |= {NUMBER: base, NAME: base + 1, MAIL: base + 2, EXTERNAL: base + 3}
        self._known = known
        # longer traces first: one time may be the beginning of another
        self._pattern = re.compile("|".join(re.escape(k) for k in sorted(known, key=len, reverse=True)))

    def text(self, given: str) -> Text:
        parts: list[str | int] = []
        at = 0
        for match in self._pattern.finditer(given):
            parts += [given[at : match.start()], self._known[match[0]]]
            at = match.end()
        return Text((*parts, given[at:]))


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def values(template: Template, ids: Sequence[str], placed_at: datetime, number: int, who: tuple[str, str]) -> list[str]:
    """What goes into a template's places."""
    times = [_iso(placed_at + span) for span in template.spans]
    name, mail = who
    return [*ids, *times, f"{rows.NUMBER_PREFIX}{number}", name, mail, f"SEED-{number}"]
