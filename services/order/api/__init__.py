"""The HTTP API of the order service: addresses, parameters and answers; what happens is in `actions`."""

from __future__ import annotations

from fastapi import FastAPI

from services.order.api import actions, channels, documents, exports, lifecycles, listings, orders
from shared.process import Runtime
from shared.web import create_app

DESCRIPTION = "Places orders and follows them through their lifecycle until they are received, cancelled or refunded."


def api(runtime: Runtime) -> FastAPI:
    """The application. Exports come before orders: `/v1/orders/export` is no order id."""
    rooms = (exports, orders, actions, documents, listings, channels, lifecycles)
    return create_app(
        title="Ordertrail orders",
        service="order",
        runtime=runtime,
        routers=[room.router for room in rooms],
        description=DESCRIPTION,
    )
