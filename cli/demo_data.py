"""The demo: five marketplaces, one for each lifecycle, with people of every role and things to buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.identity.plan import Plan


@dataclass(frozen=True, slots=True)
class Offer:
    """A listing of one of the two sellers. `more` are further fields of POST /v1/listings."""

    sku: str
    name: str
    price: str
    available: str
    seller: str = "seller"
    more: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Demo:
    """A marketplace, its offers, and the action by which its sellers take an order on."""

    slug: str
    name: str
    currency: str
    time_zone: str
    first_action: str
    offers: Sequence[Offer]
    settings: Mapping[str, str]
    buyer_limit: str | None = None
    language: str = "en"
    external_ids: Mapping[str, str] | None = None


_REUSED: Final = {"location": "Storage B, Oslo", "kg_per_unit": "12.5", "material": "wood"}
DEMOS: Final[Sequence[Demo]] = (
    Demo(
        "loopfront", "Loopfront Reuse", "NOK", "Europe/Oslo", "accept",
        (
            Offer("CHAIR-OAK", "Oak chair, used", "450.00", "40", more={**_REUSED, "delivery_mode": "pickup"}),
            Offer("DESK-160", "Desk 160 x 80, used", "1200.00", "12", more={**_REUSED, "delivery_mode": "delivery"}),
            Offer("SHELF-5", "Bookshelf", "690.00", "8", "seller2", {**_REUSED, "delivery_mode": "pickup"}),
        ),
        {}, language="nb",
    ),
    Demo(
        "storefront", "Storefront Market", "USD", "America/New_York", "process",
        (
            Offer("MUG-BLUE", "Blue mug", "14.50", "500"),
            Offer("TEE-M", "T-shirt, size M", "24.00", "200"),
            Offer("LAMP-DESK", "Desk lamp", "59.90", "80", "seller2"),
        ),
        {"commission_rate": "0.1", "ship_within_days": "3", "message_masking": "email,phone"},
    ),
    Demo(
        "marketpush", "Marketpush", "GBP", "Europe/London", "accept",
        (
            Offer("KETTLE-17", "Kettle 1.7 l", "32.00", "120"),
            Offer("TOASTER-2", "Toaster, two slices", "27.50", "90"),
            Offer("PAN-28", "Frying pan 28 cm", "41.00", "60", "seller2"),
        ),
        {"commission_rate": "0.12", "auto_close_days": "14"},
    ),
    Demo(
        "lengow", "Lengow Channels", "EUR", "Europe/Paris", "accept",
        (
            Offer("SHOE-42", "Running shoe, 42", "89.00", "75"),
            Offer("BAG-20", "Backpack 20 l", "54.90", "140"),
            Offer("SOCK-3", "Socks, three pairs", "12.00", "400", "seller2"),
        ),
        {"auto_close_days": "14"},
    ),
    Demo(
        "supplier", "Outlet Supply", "EUR", "Europe/Amsterdam", "accept",
        (
            Offer("TOMATO-KG", "Tomatoes, per kg", "2.40", "900", more={"unit_code": "KGM"}),
            Offer("FLOUR-25", "Flour, 25 kg", "18.75", "200"),
            Offer("COFFEE-BEAN", "Coffee beans, per kg", "14.20", "300", "seller2", {"unit_code": "KGM"}),
        ),
        {"allow_partial": "true"}, buyer_limit="250.00",
        external_ids={"buyer": "0088:7300010000001", "seller": "0192:987654325"},
    ),
)  # fmt: skip


def address(person: str, demo: Demo) -> str:
    """seller@storefront.example"""
    return f"{person}@{demo.slug}.example"


def plan() -> Plan:
    """All five marketplaces as identity's set-up takes them."""
    return Plan.model_validate({"marketplaces": [_marketplace(demo) for demo in DEMOS]})


def _marketplace(demo: Demo) -> dict[str, Any]:
    limit = {"amount": demo.buyer_limit, "currency": demo.currency} if demo.buyer_limit else None

    def person(name: str, words: str, *roles: str, **more: Any) -> dict[str, Any]:
        return {"email": address(name, demo), "name": words, "roles": roles, "language": demo.language, **more}

    def organisation(name: str, words: str, kind: str, *people: dict[str, Any]) -> dict[str, Any]:
        return {
            "slug": f"{demo.slug}-{name}", "name": f"{demo.name} {words}", "kind": kind, "time_zone": demo.time_zone,
            "location": f"{words} house", "people": people,
            "external_ids": [i for k, i in (demo.external_ids or {}).items() if k == name],
        }  # fmt: skip

    return {
        "slug": demo.slug, "name": demo.name, "currency": demo.currency, "time_zone": demo.time_zone,
        "lifecycle": demo.slug, "settings": dict(demo.settings),
        "organisations": [
            organisation(
                "operator", "Operations", "operator", person("operator", "Olga Operator", "operator", "admin")
            ),
            organisation(
                "buyer", "Buyer One", "buyer",
                person("buyer", "Bea Buyer", "buyer", purchasing_limit=limit),
                person("buyer-admin", "Ben Boss", "admin"),
                person("approver", "Ann Approver", "approver"),
            ),
            organisation("buyer2", "Buyer Two", "buyer", person("buyer2", "Bob Buyer", "buyer")),
            organisation(
                "seller", "Seller One", "seller",
                person("seller", "Sam Seller", "seller"),
                person("member", "Mia Member", "member"),
                person("admin", "Ada Admin", "admin"),
            ),
            organisation("seller2", "Seller Two", "seller", person("seller2", "Sue Seller", "seller")),
        ],
    }  # fmt: skip
