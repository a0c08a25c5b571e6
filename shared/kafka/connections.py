"""Connections to brokers that end while they are written to.

The event loop in use says RuntimeError where one writes to a connection that has just been closed; aiokafka expects
OSError. What got through ended the task that keeps a client's knowledge of the cluster, without a word, and everything
that waited for it waited for ever: a consumer stood still after its broker had been killed. See docs/decisions/0103.
"""

from __future__ import annotations

from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_send = AIOKafkaConnection.send


def _sent(self: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:
    try:
        return _send(self, request, expect_response)
    except RuntimeError as e:
        if type(e) is not RuntimeError:
            raise
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {e}") from e


def closed_ones_are_connection_errors() -> None:
    """Make it so, for every client of this process. Doing it again changes nothing."""
    AIOKafkaConnection.send = _sent
