"""The service's own metrics."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

POSTED: Final = Counter("ordertrail_messaging_posted_total", "Messages posted", ["side", "kind"])
ANSWERS: Final = Counter("ordertrail_messaging_answers_total", "Answers by e-mail, by what became of them", ["outcome"])
STREAMS: Final = Gauge("ordertrail_messaging_streams", "Live streams that are open")
STREAM_OVERFLOWS: Final = Counter(
    "ordertrail_messaging_stream_overflows_total", "Streams whose reader was too slow and was told to fetch anew"
)
