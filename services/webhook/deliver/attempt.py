"""One attempt: the request made and signed, sent with no transaction open, the answer judged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import orjson

from services.webhook import metrics
from services.webhook.deliver.content import Destination
from services.webhook.deliver.queue import Attempt, Claimed, Result
from services.webhook.egress import Egress, Outcome
from services.webhook.formats import Content, render
from services.webhook.schedule import Failure, Progress, State, Verdict, judge
from services.webhook.signing import webhook_id
from shared.clock import Clock
from shared.logs import unit_of_work
from shared.telemetry import span

# What is kept of an answer's headers.
HEADERS_KEPT: Final = 8_192
ERROR_KEPT: Final = 500
# Our own shortage (sockets, memory) costs the delivery nothing; it is looked at again soon.
LOCAL_PAUSE: Final = timedelta(seconds=2)
# Answers are not shown these to anybody: they are the receiver's sessions.
_HIDDEN: Final = frozenset({"set-cookie", "www-authenticate", "proxy-authenticate", "authorization"})


async def attempt(
    egress: Egress, claimed: Claimed, destination: Destination, content: Content, clock: Clock, spread: float
) -> tuple[Result, Verdict | None]:
    """Send once. The verdict is None where the attempt says nothing of the endpoint (our own machine's trouble)."""
    style, target = destination.style, destination.target
    if style is None or target is None:
        return _unsendable(claimed, destination, clock(), spread)
    with (
        span("webhook.deliver", traceparent=content.traceparent),
        unit_of_work(
            "delivery.attempted",
            delivery_id=claimed.delivery_id,
            endpoint_id=claimed.endpoint_id,
            marketplace_id=claimed.marketplace_id,
            webhook_id=webhook_id(claimed.event_id),
            event_type=claimed.type,
            host=target.host,
            attempt=claimed.tries + 1,
        ) as line,
    ):
        started = clock()
        if claimed.tries == 0:
            metrics.FIRST_SECONDS.observe(max(0.0, (started - claimed.message_at).total_seconds()))
        headers, body = render(content, style, int(started.timestamp()))
        outcome = await egress.send(
            claimed.endpoint_id, target, destination.policy, headers, body, deadline=destination.deadline
        )
        result, verdict = _judged(claimed, destination, outcome, started, spread)
        line.add(
            status=outcome.status, outcome=result.state.value, failure=outcome.failure, error=outcome.error or None
        )
    metrics.ATTEMPT_SECONDS.observe(outcome.seconds)
    metrics.ATTEMPTS.labels(_label(outcome)).inc()
    return result, verdict


def _judged(
    claimed: Claimed, destination: Destination, outcome: Outcome, started: datetime, spread: float
) -> tuple[Result, Verdict | None]:
    ended = started + timedelta(seconds=outcome.seconds)
    log = _logged(outcome, started)
    if outcome.failure is Failure.LOCAL:
        due = ended + LOCAL_PAUSE * (1.5 + spread / 2)
        return Result(claimed, State.PENDING, due, claimed.attempts, claimed.deferrals, log), None
    verdict = judge(
        outcome.status,
        outcome.response.headers if outcome.response is not None and outcome.failure is None else {},
        Progress(claimed.attempts, claimed.deferrals),
        now=ended,
        spread=spread,
        schedule=destination.schedule,
    )
    return Result(claimed, verdict.state, verdict.next_attempt_at, verdict.attempts, verdict.deferrals, log), verdict


def _unsendable(
    claimed: Claimed, destination: Destination, now: datetime, spread: float
) -> tuple[Result, Verdict | None]:
    """The endpoint's own settings do not allow to send: counts as a failed attempt, with the reason."""
    outcome = Outcome(0.0, 0.0, None, Failure.CONFIGURATION, destination.problem)
    metrics.ATTEMPTS.labels(_label(outcome)).inc()
    return _judged(claimed, destination, outcome, now, spread)


def _logged(outcome: Outcome, started: datetime) -> Attempt:
    response = outcome.response
    error = outcome.error or (None if response is None or response.status < 300 else f"answered {response.status}")
    return Attempt(
        started_at=started,
        duration_ms=round(outcome.seconds * 1000),
        connect_ms=round(outcome.connect_seconds * 1000),
        status=response.status if response is not None else None,
        outcome=outcome.failure.value if outcome.failure is not None else "answered",
        error=error[:ERROR_KEPT] if error else None,
        response_headers=_headers_kept(response.headers) if response is not None else None,
        response_body=response.body if response is not None else None,
        response_truncated=response.truncated if response is not None else False,
    )


def _headers_kept(headers: Mapping[str, str]) -> str:
    kept: dict[str, str] = {}
    size = 0
    for name, value in headers.items():
        size += len(name) + len(value)
        if size > HEADERS_KEPT:
            break
        # PostgreSQL's text holds no NUL, and JSON readers choke on other control characters
        kept[name] = "(hidden)" if name in _HIDDEN else "".join(c if c >= " " else " " for c in value)
    return orjson.dumps(kept).decode()


def _label(outcome: Outcome) -> str:
    if outcome.failure is not None:
        return outcome.failure.value
    return f"{(outcome.status or 0) // 100}xx"
