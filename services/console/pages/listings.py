"""What a seller offers: a list, one listing with its form and its single things, and a form for a new one.

A seller keeps its own, an operator everybody's; the order service has the last word. Orders move a listing's stock at
any moment: the form says which stock it was made from, so that what they took is never written over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from services.console import entered
from services.console.calls import Answer
from services.console.entered import Wrong, placed
from services.console.errors import NoSuchPage, Refused
from services.console.forms import quantity
from services.console.forms.building import UNITS
from services.console.language import N_, Texts, tr
from services.console.names import PAGE_SIZE as MOST_SELLERS
from services.console.names import order_numbers, sellers
from services.console.page import Page, form
from services.console.posted import Posted
from services.console.reading import read
from services.console.schemas import ListedUnit, Listing, Listings, UnitList
from services.console.visit import Visit, part

HOME: Final = "/listings"
PAGE_SIZE: Final = 25
# Single things on a page; more of them are found by their code.
MOST_UNITS: Final = 30
# Codes that are added at once, as the order service takes them; one more is sent on, so that it says so.
MOST_CODES: Final = 1_000
PIECE: Final = "C62"
# UN/ECE Rec 20 codes by the words for them; other codes stay what they are.
MEASURES: Final[Mapping[str, str]] = Texts({PIECE: N_("Pieces")} | {code: word for code, word in UNITS.items() if word})
MODES: Final[Mapping[str, str]] = Texts({"delivery": N_("Delivery"), "pickup": N_("Pickup")})
LABELS: Final[Mapping[str, str]] = Texts(
    {
        "sku": N_("Article number"),
        "name": N_("Name"),
        "price": N_("Price"),
        "currency": N_("Currency"),
        "unit_code": N_("Sold in"),
        "stock": N_("Stock"),
        "delivery_mode": N_("Handed over by"),
        "location": N_("Where it is"),
        "kg_per_unit": N_("Weight of one in kg"),
        "material": N_("Material"),
        "active": N_("On sale"),
    }
)
_NEEDED: Final[Mapping[str, str]] = Texts(
    {
        "sku": N_("Enter an article number."),
        "name": N_("Enter a name."),
        "currency": N_("Enter a currency such as EUR."),
    }
)
# The form's names of the service's fields, and refusals that belong to one although they do not name it.
_FIELDS: Final[Mapping[str, str]] = {"on_hand": "stock", "available": "stock", "codes": "units"}
_CODES: Final[Mapping[str, str]] = {"sku_taken": "sku", "stock_moved": "stock", "not_tracked": "units"}
_SHOWN: Final = (400, 409, 422)
CHANGED: Final = N_("The listing was changed elsewhere meanwhile. The form shows it as it is now.")


@dataclass(frozen=True, slots=True)
class Draft:
    """The form's fields as texts: as they are kept, or as they came back. `stock_read` goes along unseen."""

    seller: str = ""
    sku: str = ""
    name: str = ""
    price: str = ""
    currency: str = ""
    unit_code: str = PIECE
    stock: str = ""
    stock_read: str = ""
    tracked: str = ""
    units: str = ""
    delivery_mode: str = ""
    location: str = ""
    kg_per_unit: str = ""
    material: str = ""
    active: str = "yes"

    @classmethod
    def posted(cls, p: Posted) -> Draft:
        typed = cls(**{f.name: p.one(f.name) for f in fields(cls)})
        return replace(typed, currency=typed.currency.upper(), unit_code=typed.unit_code or PIECE)

    @classmethod
    def kept(cls, listing: Listing) -> Draft:
        stock = _plain(listing.on_hand)
        return cls(
            sku=listing.sku, name=listing.name, price=listing.price.amount, currency=listing.price.currency,
            unit_code=listing.unit_code, stock=stock, stock_read=stock, tracked="yes" if listing.tracked else "",
            delivery_mode=listing.delivery_mode or "", location=listing.location or "",
            kg_per_unit=_plain(listing.kg_per_unit), material=listing.material or "",
            active="yes" if listing.active else "",
        )  # fmt: skip

    @property
    def problems(self) -> dict[str, str]:
        """What can be said before the service is asked, by field."""
        found = {}
        for name, told in _NEEDED.items():
            if not getattr(self, name):
                found[name] = told
        for name, reader in (("price", entered.amount), ("stock", entered.quantity), ("kg_per_unit", entered.quantity)):
            text = getattr(self, name)
            try:
                if text or name == "price":
                    reader(text)
            except Wrong as e:
                found[name] = str(e)
        if self.units and not self.tracked:
            found["units"] = tr(
                "Codes are for listings whose every piece has one: tick the box, or take the codes out."
            )
        if self.tracked and self.stock and not self.stock_read:
            found["stock"] = tr("Pieces with codes are counted by them: leave the stock empty, and enter the codes.")
        return found

    def body(self) -> dict[str, Any]:
        """The listing as a whole. What is left empty is absent."""
        optional = {n: getattr(self, n) or None for n in ("delivery_mode", "location", "material")}
        return {
            "sku": self.sku,
            "name": self.name,
            "price": {"amount": entered.amount(self.price), "currency": self.currency},
            "unit_code": self.unit_code,
            "tracked": bool(self.tracked),
            "on_hand": entered.quantity(self.stock) if self.stock and not self.tracked else None,
            "kg_per_unit": entered.quantity(self.kg_per_unit) if self.kg_per_unit else None,
            "active": bool(self.active),
            **optional,
        }

    def otherwise(self, kept: Draft) -> Sequence[str]:
        """What was typed and is not what is kept, in words."""
        said = {"active": {"yes": tr("yes"), "": tr("no")}, "delivery_mode": {**MODES, "": tr("as the order says")}}
        return [
            tr("%(field)s: you entered %(typed)s", field=label, typed=_typed(said.get(name, {}), getattr(self, name)))
            for name, label in LABELS.items()
            if getattr(self, name) != getattr(kept, name)
        ]


def _typed(said: Mapping[str, str], text: str) -> str:
    return said.get(text, text) or tr("nothing")


def _plain(number: Any) -> str:
    return "" if number is None else f"{number.normalize():f}"


def _codes(text: str) -> list[str]:
    return [code.strip() for code in text.split("\n") if code.strip()][: MOST_CODES + 1]


def _need_keeper(visit: Visit) -> None:
    """Raises Refused for whoever sells nothing here."""
    if not visit.person.keeps_listings:
        told = tr("Listings are kept by those who sell, and by operators.")
        raise Refused("order", 403, "listings_not_yours", tr("Not allowed"), told)


async def show_all(visit: Visit) -> Response:
    _need_keeper(visit)
    operates = visit.person.is_operator
    q, cursor = visit.asked("q", 100), visit.asked("cursor", 2_000)
    seller = visit.asked("seller", 100) if operates else ""
    query = {n: v for n, v in (("q", q), ("seller", seller)) if v}
    params = [*query.items(), ("inactive", "true"), ("limit", str(PAGE_SIZE)), ("cursor", cursor or None)]
    found, problem = Listings(items=()), ""
    try:
        found = read(Listings, "order", await visit.get("order", "/v1/listings", params))
    except Refused as e:
        # a page of the list that does not exist: the search stays
        if e.status not in (400, 422):
            raise
        problem = e.detail
    named = await sellers(visit) if operates else {}
    return await visit.page(
        "listings.html",
        422 if problem else 200,
        listings=found.items,
        q=q,
        seller=seller,
        sellers=named,
        few=len(named) <= MOST_SELLERS,
        problem=problem,
        paged=bool(cursor),
        first="?" + urlencode(query) if query else HOME,
        following="?" + urlencode({**query, "cursor": found.next_cursor}) if found.next_cursor else "",
        measured=quantity,
        modes=MODES,
    )


async def new(visit: Visit) -> Response:
    _need_keeper(visit)
    answer, _ = await part(visit.get("identity", "/v1/me"))
    currency = str(answer.body["marketplace"]["currency"]) if answer is not None else ""
    return await _form(visit, Draft(currency=currency))


async def create(visit: Visit) -> Response:
    _need_keeper(visit)
    draft = Draft.posted(visit.posted)
    problems = draft.problems
    if visit.person.is_operator and not draft.seller:
        problems["seller"] = tr("Say which seller it is of.")
    if problems:
        return await _form(visit, draft, problems)
    body = draft.body()
    if visit.person.is_operator:
        body["seller"] = draft.seller
    if draft.units:
        body["units"] = _codes(draft.units)
    try:
        answer = await visit.send("POST", "order", "/v1/listings", body, key=visit.form_key)
    except Refused as e:
        if e.status not in _SHOWN:
            raise
        return await _form(visit, draft, placed(e, _FIELDS, _CODES), status=e.status)
    made = read(Listing, "order", answer)
    visit.say(
        tr("%(name)s is on sale.", name=made.name)
        if made.active
        else tr("%(name)s is kept, and not on sale yet.", name=made.name)
    )
    return visit.go(f"{HOME}/{made.listing_id}")


async def show(visit: Visit) -> Response:
    listing, answer = await _kept(visit)
    return await _form(visit, Draft.kept(listing), kept=listing, state=answer.etag, status=200)


async def change(visit: Visit) -> Response:
    listing, answer = await _kept(visit)
    draft, state = Draft.posted(visit.posted), visit.form_state
    if listing.tracked:
        # counted by its codes: the form has no stock
        there = _plain(listing.on_hand)
        draft = replace(draft, tracked="yes", stock=there, stock_read=there)
    else:
        draft = replace(draft, tracked="")
    if draft.problems:
        return await _form(visit, draft, draft.problems, kept=listing, state=state)
    body = draft.body()
    if draft.stock_read and not listing.tracked:
        # what is no quantity is no form of ours; the service says what is wrong with it
        body["on_hand_read"] = draft.stock_read
    try:
        await visit.send("PUT", "order", f"/v1/listings/{listing.listing_id}", body, if_match=state)
    except Refused as e:
        if e.status == 412:
            now = Draft.kept(listing)
            told = dict(enumerate([tr(CHANGED), *draft.otherwise(now)]))
            return await _form(visit, now, {str(n): t for n, t in told.items()}, listing, answer.etag, 409)
        if e.status not in _SHOWN:
            raise
        if e.code == "stock_moved":
            now = Draft.kept(listing)
            draft = replace(draft, stock=now.stock, stock_read=now.stock_read)
        return await _form(visit, draft, placed(e, _FIELDS, _CODES), listing, state, e.status)
    visit.say(tr("%(name)s is saved.", name=draft.name))
    return visit.go(f"{HOME}/{listing.listing_id}")


async def add_units(visit: Visit) -> Response:
    listing, answer = await _kept(visit)
    codes = _codes(visit.posted.one("units"))
    draft = replace(Draft.kept(listing), units=visit.posted.one("units"))
    if not codes:
        return await _form(visit, draft, {"units": tr("Enter at least one code.")}, listing, answer.etag)
    path = f"/v1/listings/{listing.listing_id}/units"
    try:
        added = await visit.send("POST", "order", path, {"codes": codes}, key=visit.form_key)
    except Refused as e:
        if e.status not in _SHOWN:
            raise
        return await _form(visit, draft, placed(e, _FIELDS, _CODES), listing, answer.etag, e.status)
    more = (read(Listing, "order", added).on_hand or 0) - (listing.on_hand or 0)
    visit.say(
        tr(
            "Pieces with codes that were added: %(count)s. Codes that are there already stay what they were.",
            count=f"{more:f}",
        )
    )
    return visit.go(f"{HOME}/{listing.listing_id}")


async def _kept(visit: Visit) -> tuple[Listing, Answer]:
    """A listing that the person looks after. Raises NoSuchPage for everybody else's."""
    _need_keeper(visit)
    answer = await visit.get("order", f"/v1/listings/{visit.id('listing_id')}")
    listing = read(Listing, "order", answer)
    if listing.reserved is None:
        raise NoSuchPage
    return listing, answer


async def _form(
    visit: Visit,
    draft: Draft,
    errors: Mapping[str, str] | None = None,
    kept: Listing | None = None,
    state: str = "",
    status: int = 422,
) -> Response:
    names, units = await asyncio.gather(_names(visit), _units(visit, kept))
    wanted = visit.asked("code", 100)
    shown = [u for u in units if wanted.casefold() in u.code.casefold()]
    return await visit.page(
        "listing.html",
        status if errors else 200,
        draft=draft,
        kept=kept,
        state=state,
        errors=errors or {},
        labels={**LABELS, "seller": tr("Seller"), "units": tr("Codes")},
        measures=MEASURES,
        modes=MODES,
        measured=quantity,
        sellers=names,
        units=shown[:MOST_UNITS],
        fitting=len(shown),
        there=len(units),
        free=sum(u.state == "free" for u in units),
        wanted=wanted,
        numbers=await order_numbers(visit, [u.order_id for u in shown[:MOST_UNITS] if u.order_id]),
    )


async def _names(visit: Visit) -> Mapping[str, str]:
    return await sellers(visit) if visit.person.is_operator else {}


async def _units(visit: Visit, kept: Listing | None) -> Sequence[ListedUnit]:
    """The listing's single things, as far as the service lists them; none of one whose pieces have no codes."""
    if kept is None or not kept.tracked:
        return ()
    return read(UnitList, "order", await visit.get("order", f"/v1/listings/{kept.listing_id}/units")).items


_ONE: Final = f"{HOME}/{{listing_id:uuid}}"
PAGES: Final[Sequence[Page]] = (
    Page(HOME, show_all),
    Page(f"{HOME}/new", new),
    form(f"{HOME}/new", create, home=f"{HOME}/new"),
    Page(_ONE, show),
    form(_ONE, change, home=_ONE.replace(":uuid", "")),
    form(f"{_ONE}/units", add_units, home=_ONE.replace(":uuid", "")),
)
