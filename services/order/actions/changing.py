"""Writing a decision about a locked order: what every use case that changes an order ends with."""

from __future__ import annotations

from collections.abc import Iterable

from services.order.store import lifecycles, orders
from services.order.store.orders import Changes, Held, StockShort, UnitsTaken
from services.order.store.writing import Writing
from services.order.workflow import Decision, Lifecycle
from services.order.workflow.lifecycle import Role
from services.order.workflow.model import Line
from shared.errors import Conflict
from shared.postgres import Transaction
from shared.process import Runtime


async def lifecycle_of(tx: Transaction, held: Held) -> Lifecycle:
    """The version of the lifecycle that the order started with."""
    order = held.order
    return await lifecycles.of(tx, order.marketplace_id, order.lifecycle.name, order.lifecycle.version)


def refunding_action(lifecycle: Lifecycle, status: str, role: Role) -> str:
    """The action by which a role refunds an order in a status: `refund`, or else what has that effect (where a channel
    is asked). Where it has none, one of the lifecycle's, which is then refused with the reason.
    """
    every = [t for t in lifecycle.transitions if not t.auto and any(e.name == "refund" for e in t.effects)]
    own = [t for t in every if any(w.role == role for w in t.who)]
    here = [t for t in own if t in lifecycle.actions[status].get(t.name, ())]
    names = [t.name for t in here or own or every]
    return "refund" if "refund" in names or not names else names[0]


def out_of_stock(lines: Iterable[Line], short: StockShort) -> Conflict:
    """What of the lines' listings is not there, in the words of whoever orders."""
    names = {line.listing_id: line.sku for line in lines if line.listing_id is not None}
    told = [{"listing_id": str(i), "sku": names.get(i, "")} for i in short.listing_ids]
    what = ", ".join(t["sku"] for t in told[:5])
    return Conflict("out_of_stock", f"Not enough stock of {what}. Order less, or try again later.", listings=told)


async def write(
    run: Runtime,
    tx: Transaction,
    held: Held,
    decision: Decision,
    lifecycle: Lifecycle,
    acting_reason: str | None = None,
) -> None:
    """Write a decision that nobody waits for an answer to. Raises Conflict where stock or units went elsewhere."""
    changes = Changes(Writing(run.outbox, acting_reason))
    chain = changes.writing.add(decision, lifecycle, held.chain)
    await write_changes(tx, held, decision, lifecycle, chain, changes)


async def write_changes(
    tx: Transaction, held: Held, decision: Decision, lifecycle: Lifecycle, chain: bytes, changes: Changes
) -> None:
    """The same with the answer that is kept with it; of a decision without steps only the answer is kept."""
    if not decision.steps:
        if changes.once is not None and changes.answer is not None:
            await changes.once.keep(tx, changes.answer)
        return
    try:
        await orders.change(tx, held, decision, lifecycle, chain, changes)
    except StockShort as e:
        raise out_of_stock(decision.order.lines, e) from None
    except UnitsTaken:
        raise Conflict("unit_taken", "Somebody else has just taken one of the units. Choose others.") from None
