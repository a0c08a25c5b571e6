"""From a cause and the people who are known to the notifications and deliveries that follow. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from contracts.order import Side
from services.notification.telling.categories import CATEGORIES, Category, Channel, enabled
from services.notification.telling.causes import Cause, PartyRef
from services.notification.telling.occasions import Occasion
from services.notification.telling.rules import Rule, To, rules_for
from services.notification.telling.timing import Timing, after_quiet_hours, digest_closes_at

State = Literal["pending", "sent", "unknown", "bounced", "failed", "suppressed", "skipped"]

# One event never tells more people than this: a marketplace's whole staff is fewer, a mistake may be more.
MOST_RECIPIENTS: Final = 500


@dataclass(frozen=True, slots=True)
class Person:
    """A person who may be told, with their wishes. `suppressed`: why their address takes no mail, if so."""

    person_id: UUID
    marketplace_id: UUID
    organisation_id: UUID
    roles: frozenset[str]
    email: str
    active: bool = True
    timing: Timing = field(default_factory=Timing)
    choices: Mapping[tuple[str, Channel], bool] = field(default_factory=dict)
    suppressed: str | None = None


class Directory:
    """The people of some organisations, as far as they are known."""

    def __init__(self, people: Iterable[Person]) -> None:
        self._by_id: dict[UUID, Person] = {}
        self._by_organisation: dict[UUID, list[Person]] = {}
        self._operators: dict[UUID, list[Person]] = {}
        for person in people:
            self._by_id[person.person_id] = person
            self._by_organisation.setdefault(person.organisation_id, []).append(person)
            if "operator" in person.roles:
                self._operators.setdefault(person.marketplace_id, []).append(person)

    def person(self, person_id: UUID | None) -> Person | None:
        return self._by_id.get(person_id) if person_id else None

    def staff(self, organisation_id: UUID, *roles: str) -> list[Person]:
        """The active people of an organisation, with one of the roles where some are named."""
        people = self._by_organisation.get(organisation_id, [])
        return [p for p in people if p.active and (not roles or p.roles & frozenset(roles))]

    def operators(self, marketplace_id: UUID) -> list[Person]:
        return [p for p in self._operators.get(marketplace_id, []) if p.active]

    def knows(self, party: PartyRef) -> bool:
        """Whether the party's person, or for one without a person anybody of the organisation, is known."""
        if party.person_id is not None:
            return party.person_id in self._by_id
        return party.organisation_id in self._by_organisation


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """A delivery row to be. `digest_until` is set where the mail waits in a digest window that closes then."""

    channel: Channel
    state: State
    not_before: datetime
    reason: str = ""
    digest_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A notification row to be, with its deliveries. `side` is whose eyes the texts are written for."""

    cause: Cause
    person: Person
    category: str
    kind: Occasion
    side: Side
    deliveries: tuple[PlannedDelivery, ...]

    @property
    def in_feed(self) -> bool:
        return any(d.channel == "in_app" and d.state == "sent" for d in self.deliveries)


def plan(cause: Cause, directory: Directory, now: datetime, *, stale_after: timedelta) -> list[Planned]:
    """Who is told, in which category and when. Each person at most once; nobody outside the audience.

    An event older than `stale_after` when it is first seen (a new installation that reads old topics) is shown
    in-app but not mailed.
    """
    told: dict[UUID, Planned] = {}
    stale = now - cause.occurred_at > stale_after
    for rule in rules_for(cause.lifecycle, cause.occasion, held=cause.held):
        for person, side in _recipients(rule, cause, directory):
            if person.person_id in told or person.marketplace_id != cause.marketplace_id:
                continue
            if person.person_id == cause.actor_id and not rule.keep_actor:
                continue
            told[person.person_id] = Planned(
                cause, person, rule.category, rule.kind or cause.occasion, side, _deliveries(rule, person, now, stale)
            )
            if len(told) == MOST_RECIPIENTS:
                return list(told.values())
    return list(told.values())


def unknown_parties(cause: Cause, directory: Directory) -> list[PartyRef]:
    """Parties of the cause, among those who may know of it, about whom nothing has been heard yet."""
    parties = [p for side, p in (("buyer", cause.buyer), ("seller", cause.seller)) if side in cause.audience and p]
    if cause.organisation_id is not None:
        parties.append(PartyRef(cause.organisation_id))
    return [p for p in parties if not directory.knows(p)]


def _recipients(rule: Rule, cause: Cause, directory: Directory) -> Iterator[tuple[Person, Side]]:
    for side, people in _groups(rule.to, cause, directory):
        if side in cause.audience:
            for person in people:
                yield person, side


def _groups(to: To, cause: Cause, directory: Directory) -> Iterator[tuple[Side, Sequence[Person]]]:
    match to:
        case To.BUYER if cause.buyer:
            yield "buyer", _responsible(cause.buyer, directory, ("admin", "member"))
        case To.SELLER if cause.seller:
            yield "seller", _responsible(cause.seller, directory, ("seller",), ("admin", "member"))
        case To.SELLER_TEAM if cause.seller:
            yield "seller", directory.staff(cause.seller.organisation_id, "seller", "member", "admin")
        case To.APPROVER if cause.buyer:
            org = cause.buyer.organisation_id
            yield "buyer", directory.staff(org, "approver") or directory.staff(org, "admin")
        case To.OPERATOR:
            yield "operator", directory.operators(cause.marketplace_id)
        case To.OTHER_SIDE:
            for side in cause.between:
                if side != cause.acted:
                    yield from _groups(_OF_SIDE[side], cause, directory)
        case To.ORGANISATION:
            yield from _integrators(cause, directory)
        case To.STOOD_FOR:
            person = directory.person(cause.stood_for)
            if person is not None and person.active:
                yield _side_of(person, cause), [person]


_OF_SIDE: Final[Mapping[Side, To]] = {"buyer": To.BUYER, "seller": To.SELLER, "operator": To.OPERATOR}


def _responsible(party: PartyRef, directory: Directory, *ranks: tuple[str, ...]) -> Sequence[Person]:
    """The named person; where there is none (any more), the first rank of the organisation that has anybody."""
    named = directory.person(party.person_id)
    # who has gone to another organisation since has nothing to do with the order any more
    if named is not None and named.active and named.organisation_id == party.organisation_id:
        return [named]
    for roles in ranks:
        if people := directory.staff(party.organisation_id, *roles):
            return people
    return []


def _integrators(cause: Cause, directory: Directory) -> Iterator[tuple[Side, Sequence[Person]]]:
    if cause.organisation_id is None:
        yield "operator", directory.operators(cause.marketplace_id)
        return
    # those who may make endpoints: whoever made this one is among them
    people = directory.staff(cause.organisation_id, "admin", "operator", "seller")
    people = people or directory.staff(cause.organisation_id)
    for person in people:
        yield _side_of(person, cause), [person]


def _side_of(person: Person, cause: Cause) -> Side:
    if "operator" in person.roles:
        return "operator"
    if cause.buyer is not None and cause.buyer.organisation_id == person.organisation_id:
        return "buyer"
    return "seller"


def _deliveries(rule: Rule, person: Person, now: datetime, stale: bool) -> tuple[PlannedDelivery, ...]:
    category = CATEGORIES[rule.category]
    in_app = PlannedDelivery("in_app", "sent", now)
    chosen = person.choices.get((category.name, "in_app"))
    if not enabled(category, "in_app", chosen):
        in_app = PlannedDelivery("in_app", "skipped", now, _off(chosen))
    if not rule.email:
        return (in_app,)
    return in_app, _email(category, person, now, stale)


def _email(category: Category, person: Person, now: datetime, stale: bool) -> PlannedDelivery:
    chosen = person.choices.get((category.name, "email"))
    if not enabled(category, "email", chosen):
        return PlannedDelivery("email", "skipped", now, _off(chosen))
    if stale:
        return PlannedDelivery("email", "skipped", now, "the event was too old to be mailed when it was first seen")
    if person.suppressed:
        return PlannedDelivery("email", "suppressed", now, person.suppressed)
    if category.critical:
        return PlannedDelivery("email", "pending", now)
    if person.timing.digest != "off":
        closes = digest_closes_at(now, person.timing)
        return PlannedDelivery("email", "pending", closes, digest_until=closes)
    return PlannedDelivery("email", "pending", after_quiet_hours(now, person.timing))


def _off(chosen: bool | None) -> str:
    """Why a channel is off: whoever reads the trail should not think that somebody chose what nobody chose."""
    return "off unless the person switches it on" if chosen is None else "switched off by the person"
