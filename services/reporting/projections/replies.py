"""Reply times: from the buyer's first unanswered message to the first answer for the seller that a person wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from contracts.messaging import MessagePosted
from services.reporting import store
from services.reporting.projections.calendar import days_in, hours_of, zone_of
from services.reporting.projections.rollups import Difference
from services.reporting.store import Clock, Marketplace, Reply
from shared.postgres import Transaction

HOURS_SETTING: Final = "business_hours"
# Business seconds of the columns within_1h, within_4h, within_8h, within_24h.
WITHIN: Final = (3_600, 14_400, 28_800, 86_400)


async def project(tx: Transaction, events: Sequence[MessagePosted]) -> None:
    """Move the reply clocks of the batch's threads. A message that a clock has passed already changes nothing."""
    told = [e for e in events if e.thread_kind == "buyer_seller"]
    if not told:
        return
    known = await store.marketplaces(tx, sorted({e.marketplace_id for e in told}))
    zones = await store.organisation_zones(tx, sorted({e.seller_organisation_id for e in told}))
    groups: dict[int, list[MessagePosted]] = {}
    for e in told:
        for generation in known[e.marketplace_id].generations:
            groups.setdefault(generation, []).append(e)
    for generation, own in sorted(groups.items()):
        await apply(tx, generation, own, known, zones)


async def apply(
    tx: Transaction,
    generation: int,
    events: Sequence[MessagePosted],
    known: dict[UUID, Marketplace],
    zones: dict[UUID, str | None],
) -> None:
    """Clocks, replies and figures of one generation."""
    threads = {e.thread_id: (e.marketplace_id, e.seller_organisation_id) for e in events}
    clocks = await store.locked_clocks(tx, generation, threads)
    replies: list[Reply] = []
    for e in sorted(events, key=lambda e: e.seq):
        clocks[e.thread_id], reply = advance(clocks[e.thread_id], e)
        if reply is not None:
            replies.append(placed_in(reply, known[e.marketplace_id], zones.get(e.seller_organisation_id)))
    await store.save_clocks(tx, generation, list(clocks.values()), replies)
    await store.add_reply_figures(tx, generation, reply_difference(replies))


def advance(clock: Clock, message: MessagePosted) -> tuple[Clock, Reply | None]:
    """The clock after a message, and the reply that it is, if it is one. Pure.

    The operator answers for the seller only where the message says so; automatic messages move nothing.
    """
    if message.seq <= clock.last_seq:
        return clock, None
    clock = clock._replace(last_seq=message.seq)
    side = message.on_behalf_of or message.sender_side
    if message.automatic or side == "operator":
        return clock, None
    if side == "buyer":
        if clock.asked_seq is None:
            clock = clock._replace(asked_seq=message.seq, asked_at=message.posted_at)
        return clock, None
    if clock.asked_seq is None or clock.asked_at is None:
        return clock, None
    elapsed = max(0, int((message.posted_at - clock.asked_at).total_seconds()))
    reply = Reply(
        message.thread_id, clock.asked_seq, message.marketplace_id, message.seller_organisation_id, clock.asked_at,
        message.posted_at, message.posted_at.date(), clock.replies == 0, elapsed, elapsed,
    )  # fmt: skip
    return clock._replace(asked_seq=None, asked_at=None, replies=clock.replies + 1), reply


def placed_in(reply: Reply, marketplace: Marketplace, seller_zone: str | None) -> Reply:
    """The reply on the marketplace's day, with its time counted in the seller's working hours."""
    hours = hours_of(marketplace.settings.get(HOURS_SETTING))
    seconds = hours.seconds(reply.asked_at, reply.replied_at, zone_of(seller_zone, marketplace.zone))
    return reply._replace(day=days_in(marketplace.zone)(reply.replied_at), business_seconds=seconds)


def reply_difference(replies: Sequence[Reply]) -> Difference:
    """What new replies add to `reply_day`."""
    difference = Difference(3 + len(WITHIN))
    for r in replies:
        measures = [1, r.elapsed_seconds, r.business_seconds, *(r.business_seconds <= w for w in WITHIN)]
        difference.add((r.marketplace_id, r.day, r.seller_organisation_id, r.first), measures, 1)
    return difference
