"""What a worker keeps of events takes the memory that is counted for it."""

from __future__ import annotations

import tracemalloc
from typing import Any

import orjson

from contracts.examples import examples
from services.webhook.addresses import Policy
from services.webhook.audience import Side
from services.webhook.deliver import content
from services.webhook.deliver.content import Contents
from services.webhook.vault import Vault
from shared.clock import utc_now
from shared.ids import new_id
from shared.keyring import new_entry


def row() -> dict[str, Any]:
    """A message as the store gives it."""
    event = examples()["order.created", 1]
    data = event.model_dump_json(exclude_none=True).encode()
    return {
        "event_id": new_id(), "type": event.TYPE, "version": 1, "occurred_at": utc_now(), "order_id": new_id(),
        "stream_id": new_id(), "sequence": 1, "data": data, "traceparent": "",
    }  # fmt: skip


def test_memory_is_what_is_counted() -> None:
    contents = Contents(Vault.parse(new_entry()), Policy(https_only=True, ports=frozenset()))
    rows = [row() for _ in range(300)]
    size = len(orjson.dumps(orjson.loads(rows[0]["data"])))
    tracemalloc.start()
    try:
        for each in rows:
            contents._keep(each, Side.OPERATOR)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert contents._bytes <= 300 * size
    # beside the bytes themselves: the names, ids and times of each
    assert taken <= contents._bytes + 300 * 2_000


def test_no_more_is_kept_than_fits() -> None:
    contents = Contents(Vault.parse(new_entry()), Policy(https_only=True, ports=frozenset()))
    for _ in range(content.MESSAGE_BYTES // 1_000):
        contents._keep(row(), Side.OPERATOR)
        contents.trim()
    assert 0.9 * content.MESSAGE_BYTES < contents._bytes <= content.MESSAGE_BYTES
