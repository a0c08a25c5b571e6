"""What the console measures beside its own requests: the calls that it makes."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

CALL_SECONDS = Histogram(
    "ordertrail_console_call_seconds",
    "Calls of the services, from sending to the beginning of the answer",
    ["service"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CALLS_FAILED = Counter("ordertrail_console_calls_failed_total", "Calls without a usable answer", ["service"])
FORMS_REFUSED = Counter("ordertrail_console_forms_refused_total", "Forms not taken, by reason", ["reason"])
