"""Names looked up by the system's resolver, in threads: whose name server is quick never waits for those that hang."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal

RESOLVED_SECONDS: Final = 5.0
RESOLVED_MOST: Final = 4_096
# A look-up that takes longer is a slow one. The system's resolver gives up after 5 to 30 s.
QUICK_SECONDS: Final = 1.0

Lane = Literal["quick", "new", "slow"]
# Threads by what the last look-up of a name was. They are no others': neither the loop's own nor each other's, because
# some dozen names whose servers do not answer would keep any number of common threads busy.
THREADS: Final[dict[Lane, int]] = {"quick": 8, "new": 16, "slow": 8}


@dataclass(slots=True)
class _LookUp:
    answer: asyncio.Future[list[str]]
    fresh_until: float = math.inf


class Names:
    """Addresses of names; one look-up at a time per name, its answer (or failure) used for a few seconds."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int], _LookUp] = OrderedDict()
        self._lanes: dict[str, Lane] = {}
        self._threads = {
            lane: ThreadPoolExecutor(n, thread_name_prefix=f"resolve-{lane}") for lane, n in THREADS.items()
        }

    async def addresses(self, host: str, port: int) -> list[str]:
        """Raises socket.gaierror where there are none. Takes as long as the resolver does: callers have deadlines."""
        known = self._known.get((host, port))
        if known is None or known.fresh_until < time.monotonic():
            known = self._known[(host, port)] = self._ask(host, port)
            while len(self._known) > RESOLVED_MOST:
                self._known.popitem(last=False)
        return await asyncio.shield(known.answer)

    def _ask(self, host: str, port: int) -> _LookUp:
        threads = self._threads[self._lanes.get(host, "new")]
        look_up = _LookUp(asyncio.get_running_loop().run_in_executor(threads, self._timed, host, port))

        def answered(answer: asyncio.Future[list[str]]) -> None:
            look_up.fresh_until = time.monotonic() + RESOLVED_SECONDS
            # one whose asker timed out must not be reported as never retrieved
            if not answer.cancelled():
                answer.exception()

        look_up.answer.add_done_callback(answered)
        return look_up

    def _timed(self, host: str, port: int) -> list[str]:
        started = time.monotonic()
        try:
            return _addresses(host, port)
        finally:
            self._lanes[host] = "quick" if time.monotonic() - started < QUICK_SECONDS else "slow"
            if len(self._lanes) > RESOLVED_MOST:
                self._lanes.clear()

    def close(self) -> None:
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
