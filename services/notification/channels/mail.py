"""A mail before it is rendered: what its templates show. All text is plain; the templates escape it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of "what it is about"; `url` makes its single value a link."""

    label: str
    rows: tuple[str, ...]
    url: str | None = None

    @property
    def value(self) -> str:
        return self.rows[0]


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    sku: str
    quantity: str
    price: str
    amount: str


@dataclass(frozen=True, slots=True)
class Sum:
    label: str
    value: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One update in a digest."""

    title: str
    body: str
    at: str
    url: str


@dataclass(frozen=True, slots=True)
class Mail:
    """`label` stands in the corner (the order number); `because` says why the reader gets it."""

    subject: str
    marketplace: str
    label: str
    heading: str
    lead: str
    hint: str
    because: str
    settings_url: str
    quote: str = ""
    # the line above which an answer is written; stands first, so that what is quoted begins with it
    answer_above: str = ""
    link: Link | None = None
    facts: tuple[Fact, ...] = ()
    items: tuple[Item, ...] = ()
    more_items: str = ""
    sums: tuple[Sum, ...] = ()
    entries: tuple[Entry, ...] = ()
    more_entries: str = ""
    unsubscribe_url: str | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    html: str
    text: str
