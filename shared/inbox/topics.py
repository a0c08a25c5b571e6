"""What a service has to subscribe to, by what it has handlers for."""

from __future__ import annotations

from contracts.envelope import registered
from shared.inbox.processor import Handlers


def handled_topics(handlers: Handlers) -> list[str]:
    """The topics to subscribe to. Raises ValueError where a version of a subscribed topic has no handler."""
    topics = sorted({cls.TOPIC for cls in handlers})
    lacking = [
        f"{cls.TYPE} v{cls.VERSION}" for cls in registered().values() if cls.TOPIC in topics and cls not in handlers
    ]
    if lacking:
        raise ValueError(f"no handler for {', '.join(lacking)}: every version on a subscribed topic needs one")
    return topics
