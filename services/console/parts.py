"""The services that the pages are made from, and what people know them as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from services.console.language import N_, Texts

ServiceName = Literal["order", "notification", "messaging", "reporting", "webhook", "identity"]
# for the page that says which one does not answer
PARTS: Final[Mapping[str, str]] = Texts(
    {
        "order": N_("Orders"),
        "notification": N_("Notifications"),
        "messaging": N_("Messages"),
        "reporting": N_("Reports"),
        "webhook": N_("Webhooks"),
        "identity": N_("Sign-in"),
    }
)
