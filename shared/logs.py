"""Logs: one JSON line on standard output for each unit of work, with every field it has."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import structlog

from shared.errors import Problem
from shared.telemetry import trace_ids

log = structlog.get_logger()


def setup(service: str, role: str, level: str = "info", *, for_good: bool = True) -> None:
    """Configure logging of the process: ours as JSON lines; libraries' warnings through the same writer.

    With `for_good` False it can be configured again later, at some microseconds for each line.
    """
    threshold = getattr(logging, level.upper())
    structlog.configure(
        processors=[
            _stamp(service, role),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=for_good,
    )
    root = logging.getLogger()
    root.handlers = [_ToStructlog()]
    root.setLevel(max(threshold, logging.WARNING))


def _dumps(value: Any, **_: Any) -> str:
    return orjson.dumps(value, default=str).decode()


def _stamp(service: str, role: str) -> structlog.types.Processor:
    def add(_: Any, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        event["service"], event["role"] = service, role
        ids = trace_ids()
        if ids and "trace_id" not in event:
            event["trace_id"], event["span_id"] = ids
        return event

    return add


class _ToStructlog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        log.log(record.levelno, record.getMessage(), **fields)


class Line:
    """The fields of a log line while its work goes on. `drop()` leaves the line out (idle polls)."""

    __slots__ = ("dropped", "fields")

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        self.dropped = False

    def add(self, **fields: Any) -> None:
        self.fields.update(fields)

    def drop(self) -> None:
        self.dropped = True


@contextmanager
def unit_of_work(event: str, **fields: Any) -> Iterator[Line]:
    """One line when the work ends: `duration_ms`, `outcome` (ok, refused, failed) and what was added to it."""
    line = Line(dict(fields))
    start = time.perf_counter()
    try:
        yield line
    except Problem as e:
        _write("info", event, line, start, outcome="refused", code=e.code, detail=e.detail)
        raise
    except Exception as e:
        _write("error", event, line, start, outcome="failed", error=f"{type(e).__name__}: {e}")
        raise
    if not line.dropped:
        _write("info", event, line, start, outcome=line.fields.pop("outcome", "ok"))


def _write(level: str, event: str, line: Line, start: float, **more: Any) -> None:
    duration = round((time.perf_counter() - start) * 1000, 2)
    getattr(log, level)(event, duration_ms=duration, **{**line.fields, **more})
