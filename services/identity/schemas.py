"""The bodies of identity's API: what callers send and what they get."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, Literal
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator

from contracts.identity import Role
from contracts.money import CurrencyCode, Money, exponent
from services.identity.marketplace_settings import KNOWN_SETTINGS
from services.identity.passwords import MAX_LENGTH, MIN_LENGTH

ROLES_OF: Final[dict[str, frozenset[str]]] = {
    "buyer": frozenset({"buyer", "member", "admin", "approver"}),
    "seller": frozenset({"seller", "member", "admin"}),
    "both": frozenset({"buyer", "seller", "member", "admin", "approver"}),
    "operator": frozenset({"operator", "member", "admin"}),
}
_ZONES: Final = available_timezones() | {"UTC"}


def _zone(name: str) -> str:
    if name not in _ZONES:
        raise ValueError("is not an IANA time zone such as Europe/Oslo")
    return name


def plain_email(text: str) -> str:
    """An address as it is kept and looked up: composed, without case."""
    return unicodedata.normalize("NFC", text).strip().lower()


def _email(text: str) -> str:
    text = plain_email(text)
    local, _, domain = text.rpartition("@")
    if not local or "@" in local or "." not in domain or any(c.isspace() or not c.isprintable() for c in text):
        raise ValueError("is not an e-mail address")
    return text


def _line(text: str) -> str:
    text = unicodedata.normalize("NFC", text).strip()
    if not text or any(not c.isprintable() for c in text):
        raise ValueError("is one line of printable text")
    return text


def _currency(code: str) -> str:
    exponent(code)
    return code


Line = Annotated[str, Field(max_length=200), AfterValidator(_line)]
Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]
Zone = Annotated[str, Field(max_length=64), AfterValidator(_zone)]
Currency = Annotated[CurrencyCode, AfterValidator(_currency)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
Rate = Annotated[Decimal, Field(ge=0, le=1, max_digits=7, decimal_places=6)]
Scope = Annotated[str, Field(pattern=r"^(\*|[a-z][a-z_-]{0,40}:(read|write|\*))$")]
Kind = Literal["buyer", "seller", "both", "operator"]
SettingName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Password = Annotated[SecretStr, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]
GivenPassword = Annotated[SecretStr, Field(max_length=MAX_LENGTH)]
Secret = Annotated[SecretStr, Field(min_length=1, max_length=8_192)]


# 32 random bytes in base64url at least
Random = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43,128}$")]
FilterName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
FilterValue = Annotated[str, Field(max_length=1_000), AfterValidator(_line)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EditMarketplace(Strict):
    """The slug and the currency stay what they were: orders and links hold them."""

    name: Line
    time_zone: Zone
    lifecycle: Slug
    settings: Annotated[dict[SettingName, Annotated[str, Field(max_length=2_000)]], Field(max_length=50)] = Field(
        default_factory=dict
    )

    @field_validator("settings")
    @classmethod
    def _known(cls, settings: dict[str, str]) -> dict[str, str]:
        for name, text in settings.items():
            rule = KNOWN_SETTINGS.get(name)
            if rule is not None and not rule.fits(text):
                raise ValueError(f"{name} {rule.wanted}")
        return settings


class EditOrganisation(Strict):
    name: Line
    time_zone: Zone = "UTC"
    location: Line | None = None
    external_ids: Annotated[tuple[Line, ...], Field(max_length=20)] = ()
    commission_rate: Rate | None = None


class NewOrganisation(EditOrganisation):
    slug: Slug
    kind: Kind


class EditMember(Strict):
    name: Line
    roles: Annotated[frozenset[Role], Field(min_length=1)]
    language: Language = "en"
    time_zone: Zone = "UTC"
    active: bool = True
    purchasing_limit: Money | None = None

    @field_validator("purchasing_limit")
    @classmethod
    def _not_negative(cls, limit: Money | None) -> Money | None:
        if limit is not None and limit.minor < 0:
            raise ValueError("is not below zero")
        return limit


class NewMember(EditMember):
    """Without a password, the answer holds an invitation token by which the person sets one."""

    email: Email
    organisation_id: UUID | None = None
    password: Password | None = None


class EditMe(Strict):
    name: Line
    language: Language = "en"
    time_zone: Zone = "UTC"


class SaveView(Strict):
    """What an order list is narrowed to, under a name of one's own: filters and sort by their names in the address."""

    name: Annotated[str, Field(max_length=60), AfterValidator(_line)]
    filters: Annotated[dict[FilterName, FilterValue], Field(min_length=1, max_length=30)]


class ChangePassword(Strict):
    current_password: GivenPassword
    new_password: Password


class SetPassword(Strict):
    token: Secret
    password: Password


class SignIn(Strict):
    email: Annotated[str, Field(max_length=254)]
    password: GivenPassword


class StartOutside(Strict):
    """Three values of the caller's own making, kept until the person is back: none of them may be guessed or reused."""

    state: Random
    nonce: Random
    code_challenge: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]


class FinishOutside(Strict):
    """The code as the provider gave it to the browser, and what `StartOutside` was made from. `iss`: RFC 9207."""

    code: Annotated[SecretStr, Field(min_length=1, max_length=8_192)]
    code_verifier: Annotated[SecretStr, Field(min_length=43, max_length=128)]
    nonce: Random
    iss: Annotated[str, Field(max_length=2_000)] | None = None


class SignOut(Strict):
    refresh_token: Secret


class TokenRequest(Strict):
    """RFC 6749 in JSON: grant_type refresh_token with refresh_token, or client_credentials with id and secret."""

    grant_type: Literal["refresh_token", "client_credentials"]
    refresh_token: Secret | None = None
    client_id: UUID | None = None
    client_secret: Secret | None = None


class LogInAs(Strict):
    reason: Annotated[str, Field(min_length=5, max_length=500), AfterValidator(_line)]


class NewApiKey(Strict):
    name: Line
    roles: Annotated[frozenset[Role], Field(min_length=1)]
    scopes: Annotated[frozenset[Scope], Field(min_length=1, max_length=50)]
    organisation_id: UUID | None = None
    expires_at: datetime | None = None


class TokenAnswer(BaseModel):
    """Seconds until the tokens expire are counted from now."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  the scheme's name
    expires_in: int
    refresh_token: str | None = None
    refresh_expires_in: int | None = None
