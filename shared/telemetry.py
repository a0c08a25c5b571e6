"""Traces: W3C context from the HTTP request through the outbox and Kafka to the handler.

Spans are recorded and exported only where `OTEL_EXPORTER_OTLP_ENDPOINT` is set; trace ids exist always, so that
log lines of one cause can be found together without any collector.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, TraceState

_tracer: trace.Tracer | None = None
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


def setup(service: str) -> None:
    """Start exporting if the environment names a collector; called once per process."""
    global _tracer
    if not (os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"ordertrail-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=4096))
    _tracer = provider.get_tracer("ordertrail")


def shutdown() -> None:
    """Flush what is waiting, for at most two seconds."""
    provider = getattr(_tracer, "span_processor", None)
    if provider is not None:
        provider.force_flush(2_000)


def parse_traceparent(header: str) -> SpanContext | None:
    """The span context of a W3C traceparent, or None where the text is not one."""
    parts = header.split("-")
    if len(parts) < 4 or [len(p) for p in parts[:4]] != [2, 32, 16, 2] or parts[0] == "ff":
        return None
    try:
        trace_id, span_id, flags = int(parts[1], 16), int(parts[2], 16), int(parts[3], 16)
    except ValueError:
        return None
    if not trace_id or not span_id:
        return None
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags), trace_state=TraceState())


def current_traceparent() -> str:
    """The traceparent of the current span, or "" outside any."""
    c = trace.get_current_span().get_span_context()
    return f"00-{c.trace_id:032x}-{c.span_id:016x}-{int(c.trace_flags):02x}" if c.is_valid else ""


def trace_ids() -> tuple[str, str] | None:
    """(trace id, span id) in hex of the current span, or None."""
    c = trace.get_current_span().get_span_context()
    return (f"{c.trace_id:032x}", f"{c.span_id:016x}") if c.is_valid else None


@contextmanager
def span(name: str, *, traceparent: str = "", kind: SpanKind = SpanKind.INTERNAL, **attributes: Any) -> Iterator[Span]:
    """A span, child of `traceparent` where given and valid, else of the current span, else a new trace."""
    remote = parse_traceparent(traceparent) if traceparent else None
    parent = trace.set_span_in_context(NonRecordingSpan(remote)) if remote else None
    if _tracer is not None:
        with _tracer.start_as_current_span(name, context=parent, kind=kind, attributes=attributes) as recorded:
            yield recorded
        return
    base = remote or trace.get_current_span().get_span_context()
    context = SpanContext(
        base.trace_id if base.is_valid else secrets.randbits(128) | 1,
        secrets.randbits(64) | 1,
        is_remote=False,
        trace_flags=base.trace_flags if base.is_valid else _SAMPLED,
    )
    light = NonRecordingSpan(context)
    token = otel_context.attach(trace.set_span_in_context(light))
    try:
        yield light
    finally:
        otel_context.detach(token)


@contextmanager
def continue_trace(traceparent: str) -> Iterator[None]:
    """What is done inside belongs to the trace of `traceparent` (e.g. events that a handler emits)."""
    remote = parse_traceparent(traceparent)
    if remote is None:
        yield
        return
    token = otel_context.attach(trace.set_span_in_context(NonRecordingSpan(remote)))
    try:
        yield
    finally:
        otel_context.detach(token)
