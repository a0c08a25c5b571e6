"""Prometheus metrics of the webhook service."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0)

ATTEMPTS = Counter("ordertrail_webhook_attempts_total", "Attempts by what came of them", ["outcome"])
ATTEMPT_SECONDS = Histogram("ordertrail_webhook_attempt_seconds", "Time of one exchange", buckets=_SECONDS)
FIRST_SECONDS = Histogram(
    "ordertrail_webhook_first_attempt_seconds", "From intake to the start of the first attempt", buckets=_SECONDS
)
FINISHED = Counter("ordertrail_webhook_deliveries_total", "Deliveries that are over", ["state"])
IN_FLIGHT = Gauge("ordertrail_webhook_in_flight", "Exchanges under way")
QUEUED = Counter("ordertrail_webhook_events_total", "Events taken in", ["type"])
STALE = Counter("ordertrail_webhook_unsent_total", "Claims given back unsent", ["reason"])
DISABLED = Counter("ordertrail_webhook_endpoints_disabled_total", "Endpoints disabled", ["reason"])
