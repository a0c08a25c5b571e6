"""The service's own metrics."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_LONG: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 43_200, 172_800)

PLANNED = Counter(
    "ordertrail_notification_planned_total",
    "Deliveries by category, channel and first state",
    ["category", "channel", "state"],
)
SETTLED = Counter("ordertrail_notification_mails_total", "Mails by what became of them", ["state"])
ATTEMPTS = Counter("ordertrail_notification_mail_attempts_total", "Attempts to send a mail, by outcome", ["outcome"])
TROUBLE = Counter("ordertrail_notification_smtp_trouble_total", "Times the mail server itself was in trouble")
SEND_SECONDS = Histogram(
    "ordertrail_notification_send_seconds",
    "From MAIL to the answer to DATA",
    buckets=(0.005, 0.02, 0.05, 0.1, 0.5, 2, 10, 30),
)
ARRIVAL_SECONDS = Histogram(
    "ordertrail_notification_mail_arrival_seconds", "From the notification to the mail server's 250", buckets=_LONG
)
WAITING = Gauge("ordertrail_notification_mails_waiting", "Mails that are due and not sent (counted up to 10,000)")
OLDEST = Gauge("ordertrail_notification_mails_oldest_seconds", "How long the oldest due mail has been due")
BOUNCES = Counter("ordertrail_notification_bounces_total", "Returned mail, by what came of it", ["outcome"])
STREAMS = Gauge("ordertrail_notification_streams", "Live feeds that are open")
