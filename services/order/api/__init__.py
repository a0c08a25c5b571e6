"""The HTTP API of the order service: addresses, parameters and answers; what happens is in `actions`."""

from __future__ import annotations

from fastapi import FastAPI

from services.order.api.actions import router as actions
from services.order.api.balances import router as balances
from services.order.api.channels import router as channels
from services.order.api.documents import router as documents
from services.order.api.exports import router as exports
from services.order.api.lifecycles import router as lifecycles
from services.order.api.listings import router as listings
from services.order.api.orders import router as orders
from shared.process import Runtime
from shared.web import create_app

DESCRIPTION = "Places orders and follows them through their lifecycle until they are received, cancelled or refunded."


def api(runtime: Runtime) -> FastAPI:
    """The application. Exports come before orders: `/v1/orders/export` is no order id."""
    return create_app(
        title="Ordertrail orders",
        service="order",
        runtime=runtime,
        routers=[exports, orders, actions, documents, listings, channels, lifecycles, balances],
        description=DESCRIPTION,
    )
