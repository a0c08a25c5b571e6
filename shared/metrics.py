"""Prometheus metrics of the mechanism. Names start with `ordertrail_`, units are base units, and stand here."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

HTTP_SECONDS = Histogram(
    "ordertrail_http_request_seconds", "Time to answer a request", ["method", "route", "status"], buckets=_FAST
)
OUTBOX_SIZE = Gauge("ordertrail_outbox_events", "Events waiting in the outbox (counted up to 100,000)")
OUTBOX_AGE = Gauge("ordertrail_outbox_oldest_seconds", "Age of the oldest event in the outbox")
RELAYED = Counter("ordertrail_relay_events_total", "Events that the broker acknowledged", ["topic"])
RELAY_ERRORS = Counter("ordertrail_relay_errors_total", "Failed sends; the events stay in the outbox", ["reason"])
RELAY_ACTIVE = Gauge("ordertrail_relay_active", "1 where this process holds the relay's lock")
CONSUMED = Counter("ordertrail_consumer_events_total", "Events by what became of them", ["topic", "outcome"])
CONSUMER_LAG = Gauge(
    "ordertrail_consumer_lag_events", "Records behind the end of the partition", ["topic", "partition"]
)
CONSUMER_ERRORS = Counter("ordertrail_consumer_batch_errors_total", "Batches that were taken back", ["reason"])
HANDLER_SECONDS = Histogram(
    "ordertrail_handler_seconds", "Time of a handler for its events of one batch", ["type"], buckets=_FAST
)
PARKED = Gauge("ordertrail_parked_events", "Events parked behind a failing one")
DEAD_LETTERS = Gauge("ordertrail_dead_letters", "Dead letters waiting for a decision")
WORKER_RESTARTS = Counter("ordertrail_worker_restarts_total", "Workers that failed and were started again", ["worker"])
