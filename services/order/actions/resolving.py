"""From what was submitted to whom and what it means: sellers, buyer and listings of each line. Pure.

Every mistake is collected, so that one answer tells all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final
from uuid import UUID

from contracts.inbound import SubmittedLine, SubmittedOrder
from contracts.money import Money
from contracts.order import Party
from services.order.errors import wrong_fields
from services.order.schemas import ChannelConfig
from services.order.store.context import Context, Offer, Organisation
from services.order.workflow import Channel, Facts, LineFacts, Placement
from shared.errors import Unavailable

# Free stock of a listing whose stock is not counted.
PLENTY: Final = Decimal(10) ** 12
_STATED: Final = (
    "external_id",
    "external_number",
    "external_status",
    "shipping",
    "discount",
    "tax",
    "total",
    "placed_at",
)


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who hands the order in. `trusted` may state prices; `sells_as` and `buys_as` are its own organisation."""

    trusted: bool
    buys_as: UUID | None
    sells_as: UUID | None
    person: Party | None
    purchasing_limit: Money | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    placement: Placement
    facts: Facts
    warnings: tuple[str, ...]


class _Resolver:
    def __init__(
        self, order: SubmittedOrder, context: Context, who: Submitter, *, again: bool = False, replacement: bool = False
    ) -> None:
        self.order, self.context, self.who, self.again, self.replacement = order, context, who, again, replacement
        self.errors: list[tuple[str, str]] = []
        self.warnings: list[str] = []
        self.attributes: dict[str, str] = {}

    def run(self, marketplace_id: UUID, *, replaces: UUID | None, reordered_from: UUID | None) -> Resolved:
        if not self.who.trusted:
            self.refuse_stated()
        elif self.order.external_id is None and self.order.external_status is not None:
            self.errors.append(("external_id", "is needed where a channel's status is given"))
        if self.order.placed_at is not None and self.order.placed_at.tzinfo is None:
            self.errors.append(("placed_at", "has no offset; 2026-01-31T12:00:00Z is a time that means one moment"))
        buyer = self.buyer()
        lines = [self.line(i, line) for i, line in enumerate(self.order.lines)]
        if self.errors or buyer is None:
            raise wrong_fields(*self.errors)
        facts = [f for f in lines if f is not None]
        sellers = {f.seller_id: self.context.known[f.seller_id] for f in facts}
        placement = Placement(
            submitted=self.described(),
            lines=tuple(facts),
            marketplace_id=marketplace_id,
            buyer=self.buying_party(buyer),
            sellers={i: o.party() for i, o in sellers.items()},
            commission_rates={i: self.rate(o) for i, o in sellers.items()},
            purchasing_limit=self.limit(buyer),
            time_zone=buyer.time_zone,
            destination=buyer.location,
            replaces_order_id=replaces,
            reordered_from_id=reordered_from,
        )
        return Resolved(placement, self.facts(facts), tuple(self.warnings))

    def refuse_stated(self) -> None:
        """A buyer orders what is listed, at its price; channels and sellers state what was agreed elsewhere."""
        for name in _STATED:
            if getattr(self.order, name) is not None:
                self.errors.append((name, "is for orders that a seller or the operator brings in; leave it out"))
        if self.order.paid:
            self.errors.append(("paid", "is told by the payment itself; leave it out"))
        if self.order.lifecycle is not None:
            self.errors.append(("lifecycle", "is the marketplace's choice; leave it out"))
        if self.order.channel != "direct":
            self.errors.append(("channel", "is for orders that a seller or the operator brings in; leave it out"))
        for i, line in enumerate(self.order.lines):
            for name in ("unit_price", "net", "discount", "tax", "tax_rate"):
                if getattr(line, name) is not None:
                    self.errors.append((f"lines.{i}.{name}", "is the listing's; leave it out"))

    def described(self) -> SubmittedOrder:
        """The order with the facts that were learned of its parties, as far as there is room for them."""
        extra = {k: v for k, v in self.attributes.items() if k not in self.order.attributes}
        if not extra:
            return self.order
        merged = {**self.order.attributes, **extra}
        return self.order.model_copy(update={"attributes": dict(list(merged.items())[:50])})

    # parties

    def find(self, name: str, *, sells: bool) -> Organisation | None:
        known = self.context.aliases.get(name, ())
        fitting = [o for o in known if (o.sells if sells else o.buys or o.kind == "operator")]
        return fitting[0] if len(fitting) == 1 else None

    def buyer(self) -> Organisation | None:
        """The named organisation, else the channel's default, else the caller's own, else the marketplace's own.

        Whoever buys buys for its own organisation, whatever a channel's default is, and so does an order that comes of
        another one. Raises Unavailable where that organisation is not known here yet.
        """
        named = self.order.buyer
        if named is not None and (found := self.find(named, sells=False)):
            if not self.who.trusted and found.id != self.who.buys_as:
                self.errors.append(("buyer", "is another organisation than yours; leave it out"))
            return found
        if named is not None and not (self.who.trusted and self.order.external_id):
            self.errors.append(("buyer", f"there is no buying organisation {named!r} in this marketplace"))
            return None
        if self.again or not self.who.trusted:
            return self.bought_for()
        for candidate in (self.context.channel.default_buyer, self.who.buys_as):
            if candidate is not None and (own := self.context.known.get(candidate)):
                return self.stood_in("buyer", named, own)
        if self.context.operator is not None:
            return self.stood_in("buyer", named, self.context.operator)
        self.errors.append(("buyer", "is needed: you have no buying organisation, and the channel has no default"))
        return None

    def bought_for(self) -> Organisation:
        own = self.context.known.get(self.who.buys_as) if self.who.buys_as is not None else None
        if own is None:
            raise Unavailable("organisation_unknown", "Your organisation is not known here yet. Try again in a moment.")
        return own

    def stood_in(self, side: str, named: str | None, organisation: Organisation) -> Organisation:
        if named is not None:
            self.attributes.setdefault(f"{side} party", named)
            told = f"the {side} {named!r} is no organisation here; {organisation.name} stands in for it"
            if told not in self.warnings:
                self.warnings.append(told)
        return organisation

    def buying_party(self, buyer: Organisation) -> Party:
        person = self.who.person
        if person is None or person.organisation_id != buyer.id:
            return buyer.party()
        return buyer.party(person.person_id, person.person_name, person.email)

    def limit(self, buyer: Organisation) -> Money | None:
        """A person's purchasing limit is for what the person buys, not for what somebody else has bought."""
        person = self.who.person
        own = person is not None and person.organisation_id == buyer.id
        return self.who.purchasing_limit if own else None

    def seller(self, i: int, named: str | None) -> Organisation | None:
        """As the buyer: the named one, else the channel's default, else the caller's own."""
        if named is not None and (found := self.find(named, sells=True)):
            return self.allowed(i, found)
        if named is not None and self.order.external_id is None:
            self.errors.append((f"lines.{i}.seller", f"there is no selling organisation {named!r} in this marketplace"))
            return None
        for candidate in (self.context.channel.default_seller, self.who.sells_as):
            if candidate is not None and (own := self.context.known.get(candidate)) and own.sells:
                return self.allowed(i, self.stood_in("seller", named, own))
        remedy = f"name one, or set default_seller of the channel {self.order.channel!r}"
        what = f"{named!r} is no seller here; {remedy}" if named else f"is not known: {remedy}"
        self.errors.append((f"lines.{i}.seller", what))
        return None

    def allowed(self, i: int, seller: Organisation) -> Organisation | None:
        if self.who.sells_as is not None and self.who.buys_as is None and seller.id != self.who.sells_as:
            self.errors.append((f"lines.{i}.seller", "is another organisation than yours"))
            return None
        return seller

    def rate(self, seller: Organisation) -> Decimal:
        """Commission: the channel's, else the seller's, else the marketplace's; 0 where nobody says."""
        for rate in (self.context.channel.commission_rate, seller.commission_rate):
            if rate is not None:
                return rate
        try:
            rate = Decimal(self.context.settings.get("commission_rate", "0"))
        except ArithmeticError:
            return Decimal(0)
        return rate if 0 <= rate <= 1 else Decimal(0)

    # lines

    def line(self, i: int, line: SubmittedLine) -> LineFacts | None:
        offer = self.offer(i, line)
        if offer is not None:
            seller = self.context.known.get(offer.seller_org)
            if seller is None:
                self.errors.append((f"lines.{i}.listing_id", "the listing's seller is not known here any more"))
                return None
            if self.who.trusted and self.allowed(i, seller) is None:
                return None
            return self.offered(i, line, offer)
        if not self.who.trusted or line.listing_id is not None:
            if not any(path.startswith(f"lines.{i}.") for path, _ in self.errors):
                place = "listing_id" if line.listing_id or not line.sku else "sku"
                self.errors.append((f"lines.{i}.{place}", "there is no such listing in this marketplace"))
            return None
        if any(path == f"lines.{i}.seller" for path, _ in self.errors):
            return None
        found = self.seller(i, line.seller)
        sku = line.sku or line.external_line_id or f"line-{i + 1}"
        return None if found is None else LineFacts(seller_id=found.id, sku=sku, name=line.name or sku)

    def offer(self, i: int, line: SubmittedLine) -> Offer | None:
        """The listing of a line: by its id, or by SKU and seller."""
        if line.listing_id is not None:
            return next((o for o in self.context.offers if o.id == line.listing_id), None)
        candidates = [o for o in self.context.offers if line.sku is not None and o.sku == line.sku]
        if not candidates:
            return None
        wanted: UUID | None = None
        if line.seller is not None:
            found = self.find(line.seller, sells=True)
            if found is None and self.order.external_id is None:
                self.errors.append((f"lines.{i}.seller", f"there is no selling organisation {line.seller!r} here"))
                return None
            wanted = found.id if found else None
        wanted = wanted or self.context.channel.default_seller or self.who.sells_as
        if wanted is not None:
            return next((o for o in candidates if o.seller_org == wanted), None)
        if len(candidates) > 1:
            self.errors.append((f"lines.{i}.seller", f"is needed: {len(candidates)} sellers list the SKU {line.sku!r}"))
            return None
        return candidates[0]

    def offered(self, i: int, line: SubmittedLine, offer: Offer) -> LineFacts:
        channel_owned = self.who.trusted and self.order.external_id is not None
        # what was sold once is replaced though it is not on sale any more
        if not (offer.active or channel_owned or self.replacement):
            self.errors.append((f"lines.{i}.listing_id", f"{offer.name} ({offer.sku}) is not on sale any more"))
        priced = line.unit_price is not None or line.net is not None
        if offer.price.currency != self.order.currency and not priced:
            self.errors.append(
                (f"lines.{i}.listing_id", f"is priced in {offer.price.currency}; the order is in {self.order.currency}")
            )
        return LineFacts(
            seller_id=offer.seller_org,
            sku=offer.sku,
            name=line.name if line.name and self.who.trusted else offer.name,
            listing_id=offer.id,
            unit_price=offer.price if offer.price.currency == self.order.currency else None,
            unit_code=offer.unit_code,
            delivery_mode=offer.delivery_mode,
            tracked=offer.tracked,
            kg_per_unit=offer.kg_per_unit,
            material=offer.material,
        )

    def facts(self, lines: Sequence[LineFacts]) -> Facts:
        """Free stock as it is before this order reserves any of it."""
        free = {o.id: PLENTY if o.free is None else o.free for o in self.context.offers}
        return Facts(
            settings=self.context.settings,
            channel=channel_facts(self.order.channel, self.context.channel),
            available={f.listing_id: free[f.listing_id] for f in lines if f.listing_id is not None},
        )


def resolve(
    order: SubmittedOrder,
    context: Context,
    who: Submitter,
    marketplace_id: UUID,
    *,
    replaces: UUID | None = None,
    reordered_from: UUID | None = None,
) -> Resolved:
    """What the engine needs to place the order. Raises Unprocessable with every mistake; Unavailable where whoever
    buys is not known here yet."""
    again = replaces is not None or reordered_from is not None
    trusted = _trusted_for(order, context, who)
    resolver = _Resolver(order, context, trusted, again=again, replacement=replaces is not None)
    return resolver.run(marketplace_id, replaces=replaces, reordered_from=reordered_from)


def _trusted_for(order: SubmittedOrder, context: Context, who: Submitter) -> Submitter:
    """An organisation that buys and sells states prices for what it sells; from others it buys as any buyer does."""
    if not who.trusted or who.sells_as is None or who.buys_as is None:
        return who
    probe = _Resolver(order, context, who)
    found = [probe.line(i, line) for i, line in enumerate(order.lines)]
    own = all(f is None or f.seller_id == who.sells_as for f in found)
    return who if own else replace(who, trusted=False)


def channel_facts(name: str, config: ChannelConfig) -> Channel:
    """The channel as the engine knows it."""
    return Channel(
        name=name,
        auto_accept=config.auto_accept,
        buffer=config.buffer,
        buffers=config.buffers,
        can_refund=config.can_refund,
        contact=config.contact,
    )
