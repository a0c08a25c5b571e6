"""The HTTP API: feeds, settings, what went out because of an order."""

from __future__ import annotations

from fastapi import FastAPI

from services.notification.api import feed, preferences, trail, unsubscribe
from shared.process import Runtime
from shared.web import create_app


def api(runtime: Runtime) -> FastAPI:
    """The service's application."""
    return create_app(
        title="Ordertrail notifications",
        service="notification",
        runtime=runtime,
        routers=[feed.router(runtime), preferences.router, trail.router, unsubscribe.router],
        public=[unsubscribe.PATH],
    )
