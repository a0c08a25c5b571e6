"""The categories of notifications: what a person can switch on or off, and what they cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Channel = Literal["in_app", "email"]
Default = Literal["on", "off", "required"]

CHANNELS: Final[tuple[Channel, ...]] = ("in_app", "email")


@dataclass(frozen=True, slots=True)
class Category:
    """One row of the settings page.

    `critical` ones pass quiet hours and are never put into a digest. `reminder` ones carry
    List-Unsubscribe on each e-mail, not only in digests: nobody did anything that led to them.
    """

    name: str
    in_app: Default
    email: Default
    critical: bool = False
    reminder: bool = False

    def default(self, channel: Channel) -> Default:
        return self.in_app if channel == "in_app" else self.email


CATEGORIES: Final[Mapping[str, Category]] = {
    c.name: c
    for c in (
        Category("order_confirmation", in_app="required", email="required", critical=True),
        Category("security", in_app="required", email="required", critical=True),
        Category("approvals", in_app="on", email="on"),
        Category("order_progress", in_app="on", email="on"),
        Category("order_canceled", in_app="on", email="on"),
        Category("team_orders", in_app="on", email="off"),
        Category("issues", in_app="on", email="on", critical=True),
        Category("refunds", in_app="on", email="on"),
        Category("messages", in_app="on", email="on"),
        Category("reminders", in_app="on", email="on", reminder=True),
        Category("integrations", in_app="on", email="on"),
    )
}


def enabled(category: Category, channel: Channel, choice: bool | None) -> bool:
    """Whether a channel is on for a person who chose `choice` (None: never chose)."""
    default = category.default(channel)
    if default == "required":
        return True
    return default == "on" if choice is None else choice
