"""Parties and addresses of a UBL document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.console.sources.model import Refusal, compact, country, text
from services.console.sources.ubl_tree import Element, child, first_text


@dataclass(frozen=True, slots=True)
class Party:
    """`reference` is the party's id with its scheme, as organisations list theirs ("0088:7300010000001")."""

    reference: str
    name: str
    address: dict[str, Any] | None


def party(element: Element | None, what: str) -> Party:
    """A party by its endpoint, else its identification, legal entity or name. Raises Refusal where it has none."""
    if element is None:
        raise Refusal(f"{what} is missing")
    name = (
        text(first_text(element, "cac:PartyName/cbc:Name"))
        or text(first_text(element, "cac:PartyLegalEntity/cbc:RegistrationName"))
        or text(first_text(element, "cac:Contact/cbc:Name"))
    )
    reference = None
    for path in ("cbc:EndpointID", "cac:PartyIdentification/cbc:ID", "cac:PartyLegalEntity/cbc:CompanyID"):
        found = child(element, path)
        if found is not None and (identity := text(found.text, 80)):
            scheme = text(found.get("schemeID"), 18)
            reference = f"{scheme}:{identity}" if scheme else identity
            break
    reference = reference or (name[:100] if name else None)
    if reference is None:
        raise Refusal(f"{what} has neither an EndpointID nor another id nor a name")
    postal = address(child(element, "cac:PostalAddress"), name) or address(
        child(element, "cac:PartyLegalEntity/cac:RegistrationAddress"), name
    )
    return Party(reference, name or reference, postal)


def address(element: Element | None, name: str | None) -> dict[str, Any] | None:
    """A UBL address as the API takes it, or None where it says nothing."""
    if element is None:
        return None
    more = [first_text(element, "cbc:AdditionalStreetName"), first_text(element, "cac:AddressLine/cbc:Line")]
    found = compact(
        {
            "line1": text(first_text(element, "cbc:StreetName")),
            "line2": text(", ".join(m for m in more if m)),
            "postal_code": text(first_text(element, "cbc:PostalZone"), 100),
            "city": text(first_text(element, "cbc:CityName")),
            "region": text(first_text(element, "cbc:CountrySubentity")),
            "country": country(first_text(element, "cac:Country/cbc:IdentificationCode")),
        }
    )
    return compact({"name": name, **found}) if found else None


def delivery_address(root: Element) -> dict[str, Any] | None:
    """Where it goes: the delivery location with the name of the delivery party."""
    delivery = child(root, "cac:Delivery")
    name = first_text(delivery, "cac:DeliveryParty/cac:PartyName/cbc:Name") or first_text(
        delivery, "cac:DeliveryLocation/cbc:Name"
    )
    return address(child(delivery, "cac:DeliveryLocation/cac:Address"), text(name)) or address(
        child(delivery, "cac:DeliveryParty/cac:PostalAddress"), text(name)
    )
