"""Orders from a file: what `ordertrail import` does, for an operator with a browser, and what became of each order.

The file is read here and each order handed in by itself, so that a wrong one holds no other up. Sending the same file
again takes nothing twice: an order is known by its channel and its id there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

from starlette.responses import Response

from services.console.calls import File
from services.console.errors import NoSuchPage, Refused, ServiceDown
from services.console.language import N_, Texts, count, tr
from services.console.names import organisations
from services.console.page import Page, form
from services.console.reading import read
from services.console.schemas import Channels
from services.console.sources import Found, Options, Outcome, Refusal, hand_in, read_content
from services.console.sources import Refused as RefusedOrder
from services.console.sources.table import LINE_FIELDS, NEEDED, ORDER_FIELDS
from services.console.uploads import room
from services.console.visit import Visit, part

# A browser waits for the answer; larger files are for the command.
MOST_ORDERS: Final = 500
MOST_BYTES: Final = 5_000_000
# Between tries of what passes by itself.
PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 4.0)
RESULTS: Final[Mapping[str, str]] = Texts(
    {"taken": N_("Taken"), "already there": N_("Already there"), "refused": N_("Refused")}
)
_ONE_OF: Final = ("sku", "name", "unit_price", "net")
TONES: Final = {"taken": "good", "already there": "plain", "refused": "bad"}


async def show(visit: Visit) -> Response:
    return await _page(visit)


async def take(visit: Visit) -> Response:
    _operators_only(visit)
    with room(visit):
        return await _take(visit)


def _operators_only(visit: Visit) -> None:
    if not visit.person.is_operator:
        raise NoSuchPage


async def _take(visit: Visit) -> Response:
    file = next(iter(visit.posted.files.get("file", ())), None)
    if file is None:
        return await _page(visit, error=tr("Choose a file."))
    try:
        orders = await asyncio.to_thread(_orders, file)
    except Refusal as e:
        return await _page(visit, error=tr("“%(name)s”: %(why)s", name=file.name[:80], why=e.reason))
    given = {name: visit.posted.one(name) or None for name in ("channel", "buyer", "seller")}
    options = Options(
        **given,
        with_test=bool(visit.posted.one("with_test")),
        with_canceled=bool(visit.posted.one("with_canceled")),
        test_left_out=tr("A test order: tick “Take test orders too” to take it."),
        canceled_left_out=tr(
            "It was cancelled at its source (%(when)s): tick “Take cancelled orders too” to take it.", when="%(when)s"
        ),
    )
    return await _page(visit, file=file.name[:80], outcomes=await hand_in(_Sender(visit).call, options, "", orders))


def _orders(file: File) -> Sequence[Found | RefusedOrder]:
    """Raises Refusal where the file as a whole cannot be read, or is one for the command."""
    if len(file.content) > MOST_BYTES:
        raise Refusal(tr("larger than %(most)s MB; split it, or use ordertrail import", most=MOST_BYTES // 1_000_000))
    found = list(islice(read_content(file.content, file.name), MOST_ORDERS + 1))
    if len(found) > MOST_ORDERS:
        raise Refusal(tr("more than %(most)s orders; split it, or use ordertrail import", most=MOST_ORDERS))
    return found


class _Sender:
    """Calls of the order service: what passes by itself is tried again, until it has not for once."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._gone = False

    async def call(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        for pause in (*PAUSES, None):
            try:
                answer = await self._visit.send(method, "order", path, body)
                return answer.status, answer.body
            except Refused as e:
                if e.status != 429 or pause is None:
                    return e.status, {**e.document, "detail": e.detail}
            except ServiceDown:
                if self._gone or pause is None:
                    break
            await asyncio.sleep(pause)
        self._gone = True
        return 0, {"detail": tr("Orders cannot be reached right now. Send the file again: nothing is taken twice.")}


async def _page(visit: Visit, *, error: str = "", file: str = "", outcomes: Sequence[Outcome] = ()) -> Response:
    """The form; with what became of the orders of a file that was sent."""
    _operators_only(visit)
    there, (answer, _) = await asyncio.gather(organisations(visit), part(visit.get("order", "/v1/channels")))
    channels = read(Channels, "order", answer).items if answer is not None else ()
    results = [o.result for o in outcomes]
    return await visit.page(
        "import.html",
        422 if error else 200,
        errors={"file": error} if error else {},
        file=file,
        # what needs a hand first
        outcomes=sorted(outcomes, key=lambda o: o.result != "refused"),
        summary=_summary(results) if outcomes else "",
        worst="bad" if "refused" in results else "good",
        empty=bool(file) and not outcomes,
        results=RESULTS,
        tones=TONES,
        typed=visit.posted.one,
        channels={c.name: c.title or c.name for c in channels},
        buyers={str(o.organisation_id): o.name for o in there if o.kind in ("buyer", "both")},
        sellers={str(o.organisation_id): o.name for o in there if o.kind in ("seller", "both")},
        needed=NEEDED,
        optional=[c for c in (*ORDER_FIELDS, *LINE_FIELDS) if c not in (*NEEDED, *_ONE_OF)],
        most_orders=MOST_ORDERS,
        most_megabytes=MOST_BYTES // 1_000_000,
    )


def _summary(results: Sequence[str]) -> str:
    taken, known, refused = (results.count(name) for name in RESULTS)
    return " ".join(
        [
            count("%(count)s order was taken.", "%(count)s orders were taken.", taken),
            count("%(count)s was there already.", "%(count)s were there already.", known),
            count("%(count)s was refused.", "%(count)s were refused.", refused),
        ]
    )


PAGES: Final[Sequence[Page]] = (
    Page("/orders/import", show),
    form("/orders/import", take, home="/orders/import", files=True),
)
