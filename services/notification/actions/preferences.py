"""What a person wishes to be told, and how; and the one click in a mail that ends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from uuid import UUID

from services.notification import errors, signing
from services.notification.channels.texts import CATEGORY_NAMES
from services.notification.channels.words import Words, language_for, languages
from services.notification.policy import may_change_settings, person_of
from services.notification.schemas import (
    CategoryPreference,
    ChannelState,
    Digest,
    EmailAddress,
    Preferences,
    PutPreferences,
    QuietHours,
)
from services.notification.store import delivering
from services.notification.store import feed as store
from services.notification.store.feed import Address, Preference
from services.notification.telling.categories import CATEGORIES, CHANNELS, Category, Channel, enabled
from shared.errors import Unprocessable
from shared.postgres import Transaction
from shared.process import Runtime
from shared.web import Answer, Once, Precondition, Principal


async def read(run: Runtime, caller: Principal, shown_in: str | None = None) -> tuple[Preferences, int]:
    """The caller's settings and their version; labels in the language that is asked for, else in the person's."""
    person = person_of(caller)
    async with run.db.tenant(caller.marketplace_id) as tx:
        wishes = await store.preference(tx, person)
        return _shown(wishes, await _address(tx, person), shown_in), wishes.version


async def write(
    run: Runtime, caller: Principal, wanted: PutPreferences, if_match: Precondition
) -> tuple[Preferences, int]:
    """Replace the caller's settings. Raises Unprocessable where a required row is switched off."""
    person = may_change_settings(caller)
    wishes = _wishes(wanted)
    async with run.db.tenant(caller.marketplace_id) as tx:
        address = await _address(tx, person)
        now = await store.preference(tx, person, lock=True)
        if_match.check(now.version, _shown(now, address).model_dump(mode="json"))
        written = await store.put_preference(tx, person, caller.marketplace_id, wishes, run.clock())
        return _shown(written, address), written.version


async def resume(run: Runtime, caller: Principal, once: Once) -> Answer:
    """Take mail again at an address that was refused: the person says that it works now."""
    person = may_change_settings(caller)
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        address = await _address(tx, person)
        await store.resume_address(tx, caller.marketplace_id, address.email)
        shown = _email(await _address(tx, person))
        return await once.keep(tx, Answer(200, shown.model_dump_json().encode()))


@dataclass(frozen=True, slots=True)
class Stopping:
    """Whose mails of which category a link would stop, in words."""

    what: signing.Unsubscribe
    words: Words
    category: str
    address: str


async def read_link(run: Runtime, token: str) -> Stopping:
    """What a link in a mail is about. Raises NotFound for one that is not ours."""
    async with run.db.transaction() as tx:
        keys = await delivering.mail_keys(tx)
    what = signing.read_unsubscribe_token(keys, token)
    if what is None:
        raise errors.bad_unsubscribe_link()
    async with run.db.tenant(what.marketplace_id) as tx:
        address = await store.address(tx, what.person_id)
        tongue = await store.tongue(tx, what.person_id)
    if address is None:
        raise errors.bad_unsubscribe_link()
    words = Words(tongue.language, tongue.time_zone)
    return Stopping(what, words, words.text(CATEGORY_NAMES[what.category]), address.email)


async def unsubscribe(run: Runtime, token: str) -> Stopping:
    """Switch the category's e-mail off; asking twice does nothing more. Required categories carry no such link."""
    stopping = await read_link(run, token)
    what = stopping.what
    if CATEGORIES[what.category].email == "required":
        raise errors.required_category(what.category, "email")
    async with run.db.tenant(what.marketplace_id) as tx:
        if not await store.switch_off_email(tx, what.person_id, what.marketplace_id, what.category, run.clock()):
            raise errors.bad_unsubscribe_link()
    return stopping


async def _address(tx: Transaction, person: UUID) -> Address:
    address = await store.address(tx, person)
    if address is None:
        raise errors.unknown_person()
    return address


def _wishes(wanted: PutPreferences) -> Preference:
    if wanted.language is not None and wanted.language not in languages():
        known = ", ".join(sorted(languages()))
        raise Unprocessable("unknown_language", f"There are no texts in {wanted.language!r}. Choose one of {known}.")
    quiet = wanted.quiet_hours
    return Preference(
        language=wanted.language,
        time_zone=wanted.time_zone,
        quiet_from=time.fromisoformat(quiet.start) if quiet else None,
        quiet_until=time.fromisoformat(quiet.end) if quiet else None,
        digest=wanted.digest.mode,
        digest_at=time.fromisoformat(wanted.digest.at),
        choices=_choices(wanted),
    )


def _choices(wanted: PutPreferences) -> Mapping[str, Mapping[str, bool]]:
    """Only what differs from a default that may be changed."""
    choices: dict[str, dict[str, bool]] = {}
    for name, chosen in wanted.categories.items():
        category = CATEGORIES.get(name)
        if category is None:
            known = ", ".join(CATEGORIES)
            raise Unprocessable("unknown_category", f"There is no category {name!r}. They are {known}.")
        for channel in CHANNELS:
            choice: bool | None = getattr(chosen, channel)
            if choice is None:
                continue
            if category.default(channel) == "required":
                if not choice:
                    raise errors.required_category(name, channel)
                continue
            choices.setdefault(name, {})[channel] = choice
    return choices


def _shown(wishes: Preference, address: Address, shown_in: str | None = None) -> Preferences:
    language = wishes.language or language_for(address.language)
    words = Words(shown_in or language, wishes.time_zone or address.time_zone)
    quiet = None
    if wishes.quiet_from is not None and wishes.quiet_until is not None:
        quiet = QuietHours(start=_wall(wishes.quiet_from), end=_wall(wishes.quiet_until))
    return Preferences(
        language=language,
        language_chosen=wishes.language is not None,
        languages=sorted(languages()),
        time_zone=wishes.time_zone or address.time_zone,
        quiet_hours=quiet,
        digest=Digest(mode=wishes.digest, at=_wall(wishes.digest_at)),
        categories=[
            CategoryPreference(
                name=c.name,
                label=words.text(CATEGORY_NAMES[c.name]),
                in_app=_state(c, "in_app", wishes),
                email=_state(c, "email", wishes),
                critical=c.critical,
            )
            for c in CATEGORIES.values()
        ],
        email=_email(address),
    )


def _wall(at: time) -> str:
    return at.strftime("%H:%M")


def _state(category: Category, channel: Channel, wishes: Preference) -> ChannelState:
    if category.default(channel) == "required":
        return "required"
    return "on" if enabled(category, channel, wishes.choices.get(category.name, {}).get(channel)) else "off"


def _email(address: Address) -> EmailAddress:
    return EmailAddress(
        address=address.email,
        state="suppressed" if address.reason else "ok",
        reason=address.reason,
        since=address.since,
    )
