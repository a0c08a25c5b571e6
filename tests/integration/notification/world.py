"""A small marketplace for the tests: its people, its orders, and the service that tells of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import SecretStr

from contracts.envelope import Event, encode
from contracts.identity import Marketplace, Member, MemberChanged, Organisation, Role
from contracts.messaging import MessagePosted
from contracts.order import Actor, Change, OrderCreated, OrderEvent, OrderSnapshot, OrderUpdated, Party, Phase, Side
from deploy.embedded.mailbox import Mailbox
from services.notification.app import service
from services.notification.handlers import handlers
from services.notification.settings import Settings
from services.notification.store import feed
from shared import logs
from shared.ids import new_id
from shared.inbox import Processor, RawRecord
from shared.process import Runtime, running
from shared.stop import Stop
from tests.builders import order_event, snapshot
from tests.stack import StackDatabase

logs.setup("tests", "tests", "error", for_good=False)


def settings_for(database: StackDatabase, mailbox: Mailbox, **given: Any) -> Settings:
    """Settings against the test's database and mail server, with short pauses. Whom it waits for may be busy."""
    fields: dict[str, Any] = {
        "database_url": SecretStr(database.app_dsn("notification")),
        "worker_database_url": SecretStr(database.worker_dsn("notification")),
        "smtp_port": mailbox.smtp_port,
        "smtp_timeout_seconds": 30,
        "smtp_answer_seconds": 30,
        "smtp_retry_seconds": (0.05, 0.05, 0.05),
        "smtp_trouble_seconds": 0.2,
        "smtp_connections": 2,
        "http_port": 0,
    }
    return Settings(**(fields | given))


@dataclass
class Time:
    """A clock that a test can move."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True)
class Someone:
    """A person of the marketplace."""

    person_id: UUID
    organisation_id: UUID
    name: str
    email: str
    roles: tuple[Role, ...]


@dataclass
class World:
    """`tell` gives events to the handlers as the consumer would; `sending` runs the mail workers."""

    settings: Settings
    database: StackDatabase
    mailbox: Mailbox
    runtime: Runtime
    admin: asyncpg.Connection
    clock: Time
    marketplace_id: UUID = field(default_factory=new_id)
    people: dict[str, Someone] = field(default_factory=dict)
    organisations: dict[str, UUID] = field(default_factory=dict)
    version: int = 0

    @property
    def processor(self) -> Processor:
        return Processor(self.runtime.worker_db, handlers(self.runtime), clock=self.clock, first_delay=0.1)

    async def tell(self, *events: Event, ids: Sequence[UUID] | None = None) -> list[UUID]:
        """One batch; the ids of the events."""
        ids = ids or [new_id() for _ in events]
        await self.processor.process([raw(e, i, n) for n, (e, i) in enumerate(zip(events, ids, strict=True))])
        return list(ids)

    @asynccontextmanager
    async def sending(self, **given: Any) -> AsyncIterator[Runtime]:
        """The service's workers, in this process."""
        made = service(settings_for(self.database, self.mailbox, **given) if given else self.settings, self.clock)
        async with running(made, roles={"worker"}) as runtime:
            yield runtime

    def member(self, name: str, organisation: str, *roles: Role, **given: Any) -> MemberChanged:
        """A person who is from now on known as `name`; `organisation` says the kind up to the dash."""
        org_id = self.organisations.setdefault(organisation, new_id())
        known = self.people.get(name)
        someone = Someone(
            known.person_id if known else new_id(), org_id, f"{name.capitalize()} Person",
            given.pop("email", f"{name}@test.example"), roles,
        )  # fmt: skip
        self.people[name] = someone
        self.version += 1
        kind: Any = organisation.partition("-")[0]
        return MemberChanged(
            marketplace_id=self.marketplace_id,
            version=self.version,
            marketplace=Marketplace(
                marketplace_id=self.marketplace_id, slug="test", name="Test Market", currency="EUR",
                time_zone="Europe/Oslo", lifecycle="storefront",
            ),
            organisation=Organisation(
                organisation_id=org_id, slug=organisation, name=f"{organisation.capitalize()} Ltd", kind=kind,
                time_zone="Europe/Oslo",
            ),
            member=Member(
                person_id=someone.person_id, email=someone.email, name=given.pop("full_name", someone.name),
                roles=roles, **given,
            ),
        )  # fmt: skip

    def order(self, **given: Any) -> OrderSnapshot:
        """An order of the buyer `buyer` from the seller organisation, placed now."""
        now = self.clock()
        fields: dict[str, Any] = {
            "placed_at": now,
            "updated_at": now,
            "buyer": self.party("buyer", "buyer-org"),
            "seller": Party(organisation_id=self.organisations["seller-org"], name="Seller-org Ltd"),
        }
        return snapshot(marketplace_id=self.marketplace_id, **(fields | given))

    def party(self, name: str | None, organisation: str) -> Party:
        person = self.people.get(name or "")
        return Party(
            organisation_id=self.organisations[organisation],
            name=f"{organisation.capitalize()} Ltd",
            person_id=person.person_id if person else None,
            person_name=person.name if person else None,
        )

    def actor(self, name: str | None, side: Side | None, **given: Any) -> Actor:
        person = self.people.get(name or "")
        if person is None:
            return Actor(kind="clock", name="Clock", **given)
        return Actor(kind="person", id=person.person_id, name=person.name, side=side, **given)

    def created(self, order: OrderSnapshot | None = None, **given: Any) -> OrderCreated:
        order = order or self.order()
        change = Change(
            action="place", label="Place", from_status=None, to_status=order.status, from_phase=None,
            to_phase=order.phase, actor=given.pop("actor", self.actor("buyer", "buyer")),
        )  # fmt: skip
        return order_event(OrderCreated, order, change=change, **given)

    def moved(
        self, order: OrderSnapshot, to: Phase, actor: Actor, /, *, action: str = "act", cls: type[Any] = OrderUpdated,
        **given: Any,
    ) -> OrderEvent:  # fmt: skip
        """The next event of `order`, which goes to another phase."""
        fields: dict[str, Any] = {
            "phase": to,
            "status": to,
            "status_label": to.capitalize(),
            "updated_at": self.clock(),
        }
        later = order.model_copy(update={**fields, "sequence": order.sequence + 1, **given.pop("order", {})})
        change = Change(
            action=action, label=action.capitalize(), from_status=order.status, to_status=later.status,
            from_phase=order.phase, to_phase=later.phase, actor=actor, **given.pop("change", {}),
        )  # fmt: skip
        event: OrderEvent = order_event(cls, later, change=change, **given)
        return event

    def message(self, order: OrderSnapshot, actor: Actor, side: Side, preview: str, **given: Any) -> MessagePosted:
        fields: dict[str, Any] = {
            "marketplace_id": self.marketplace_id, "order_id": order.order_id, "order_number": order.number,
            "thread_id": new_id(), "message_id": new_id(), "seq": 1, "posted_at": self.clock(), "sender": actor,
            "sender_side": side, "buyer_organisation_id": order.buyer.organisation_id,
            "seller_organisation_id": order.seller.organisation_id, "preview": preview,
        }  # fmt: skip
        return MessagePosted(**(fields | given))

    async def wishes(self, name: str, **given: Any) -> None:
        """The person's settings are now so, and otherwise the defaults."""
        async with self.runtime.worker_db.transaction() as tx:
            person = self.people[name].person_id
            await feed.put_preference(tx, person, self.marketplace_id, feed.Preference(**given), self.clock())

    async def told(self, event_id: UUID | None = None) -> dict[str, str]:
        """Who was told, by name, and in which category."""
        rows = await self.admin.fetch(
            "SELECT person_id, category FROM notification.notification WHERE $1::uuid IS NULL OR event_id = $1",
            event_id,
        )
        return {self.name_of(r["person_id"]): r["category"] for r in rows}

    def name_of(self, person_id: UUID) -> str:
        return next(n for n, p in self.people.items() if p.person_id == person_id)

    async def mails(self, **where: Any) -> list[asyncpg.Record]:
        """The e-mail deliveries, oldest first."""
        rows = await self.admin.fetch(
            "SELECT d.*, n.person_id, n.event_id, n.category, n.kind FROM notification.delivery d"
            " JOIN notification.notification n USING (notification_id) WHERE channel = 'email' ORDER BY delivery_id"
        )
        return [r for r in rows if all(r[k] == v for k, v in where.items())]

    async def states(self) -> list[str]:
        return sorted(r["state"] for r in await self.mails())

    async def outbox(self, topic: str) -> int:
        return int(
            await self.admin.fetchval("SELECT count(*) FROM notification.outbox WHERE topic = $1", topic)  # a count
        )


def raw(event: Event, event_id: UUID, offset: int = 0) -> RawRecord:
    record = encode(event, event_id=event_id, source="/test", time=datetime.now(UTC))
    return RawRecord(record.topic, 0, offset, record.key.encode(), record.headers, record.value)


async def emptied(admin: asyncpg.Connection) -> None:
    """Tests share a database: what one has left is no business of the next."""
    tables = await admin.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'notification'::regnamespace AND relkind = 'r'"
        " AND relname NOT IN ('schema_migration', 'mail_key')"
    )
    await admin.execute("TRUNCATE " + ", ".join(f"notification.{t['relname']}" for t in tables) + " CASCADE")


@asynccontextmanager
async def opened(
    database: StackDatabase, mailbox: Mailbox, *, at: datetime | None = None, empty: bool = True, **given: Any
) -> AsyncIterator[World]:
    """A world whose people are a buyer, a colleague who administers, two sellers' people and an operator."""
    settings = settings_for(database, mailbox, **given)
    clock = Time((at - datetime.now(UTC)) if at else timedelta(0))
    admin = await asyncpg.connect(database.admin_dsn)
    if empty:
        await emptied(admin)
    try:
        async with running(service(settings, clock), roles=set(), stop=Stop()) as runtime:
            world = World(settings, database, mailbox, runtime, admin, clock)
            await world.tell(
                world.member("buyer", "buyer-org", "buyer"),
                world.member("boss", "buyer-org", "admin", "approver"),
                world.member("seller", "seller-org", "seller"),
                world.member("mate", "seller-org", "member"),
                world.member("operator", "operator-org", "operator"),
                world.member("rival", "seller-rival", "seller"),
            )
            yield world
    finally:
        await admin.close()
