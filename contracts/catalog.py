"""The catalogue: every event there is, with what the generated files need to say about it."""

from __future__ import annotations

from collections.abc import Mapping

from contracts import identity, inbound, messaging, notification, order, webhook
from contracts.envelope import Event, registered

MODULES = (order, inbound, identity, messaging, notification, webhook)


def catalogue() -> Mapping[tuple[str, int], type[Event]]:
    """All events by (type, version), sorted; importing this module has registered them."""
    return dict(sorted(registered().items()))


def current(event_type: str) -> type[Event]:
    """The newest version of a type. Raises KeyError for an unknown one."""
    versions = [v for (t, v) in registered() if t == event_type]
    if not versions:
        raise KeyError(event_type)
    return registered()[(event_type, max(versions))]
