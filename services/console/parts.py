"""The services that the pages are made from, and what people know them as."""

from __future__ import annotations

from typing import Final, Literal

ServiceName = Literal["order", "notification", "messaging", "reporting", "webhook", "identity"]
# for the page that says which one does not answer
PARTS: Final[dict[ServiceName, str]] = {
    "order": "Orders",
    "notification": "Notifications",
    "messaging": "Messages",
    "reporting": "Reports",
    "webhook": "Webhooks",
    "identity": "Sign-in",
}
