"""Prometheus metrics of the order service."""

from __future__ import annotations

from prometheus_client import Counter

PLACED = Counter("ordertrail_orders_placed_total", "Orders placed or imported", ["channel"])
ACTIONS = Counter("ordertrail_order_actions_total", "Actions on orders", ["action", "outcome"])
TIMERS = Counter("ordertrail_order_timers_total", "Orders that the clock looked at", ["outcome"])
