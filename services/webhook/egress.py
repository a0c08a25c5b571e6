"""The way out: names resolved, every address vetted, the connection made to a vetted one, one deadline over all.

No redirect is followed and no proxy variable is read, because nothing here knows of either. Connections are kept
per endpoint, so that what one marketplace's allow-list permits is never used for another's.
"""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.webhook.addresses import Address, ForbiddenTarget, Policy, Target
from services.webhook.exchange import Broken, Connection, HeadersTooLarge, Malformed, Response, request_bytes
from services.webhook.names import Names
from services.webhook.schedule import Failure
from services.webhook.stalls import Stalls
from shared.logs import log

IDLE_SECONDS: Final = 20.0
# A kept connection is not used for longer than this, so that a changed address is noticed.
AGE_SECONDS: Final = 120.0
IDLE_MOST: Final = 1_024
# Open files for everything but receivers: the database, Kafka, the API's callers.
OTHER_FILES: Final = 512
ADDRESSES_TRIED: Final = 3
# Of an address that is not the last: connecting takes a round trip or two, an answer to a lost packet a second.
CONNECT_SECONDS: Final = 2.5
# A deadline that struck after our own process stood still for this part of it says nothing of the receiver.
STALLED_PART: Final = 0.25
_LOCAL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an exchange. Either `failure` is None, or `error` says what went wrong.

    `response` may be there beside a failure (a body that never ended). Seconds are measured on a monotonic clock.
    """

    seconds: float
    connect_seconds: float
    response: Response | None = None
    failure: Failure | None = None
    error: str = ""

    @property
    def status(self) -> int | None:
        return self.response.status if self.response is not None and self.failure is None else None


@dataclass(slots=True)
class _Kept:
    connection: Connection
    made: float
    idle_since: float


_Place = tuple[UUID, bool, str, int]


class Egress:
    """Sends requests. One per process; `close` aborts what is open."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls or client_context()
        self._idle: OrderedDict[_Place, list[_Kept]] = OrderedDict()
        self._idle_count = 0
        self._names = Names()
        self._stalls = Stalls()

    async def send(
        self,
        place: UUID,
        target: Target,
        policy: Policy,
        headers: Mapping[str, str],
        body: bytes,
        *,
        deadline: float,
        method: str = "POST",
    ) -> Outcome:
        """One exchange with `target`; `deadline` in seconds covers name, connect, TLS, headers and body.

        `place` is the endpoint: connections are shared within it only. Never raises for what a server does.
        """
        self._stalls.start()
        started, stalled = time.monotonic(), self._stalls.seconds
        connected = [0.0]
        try:
            request = request_bytes(method, target.path, target.authority, headers, body)
            async with asyncio.timeout(deadline):
                response = await self._exchange(place, target, policy, request, connected)
            return Outcome(time.monotonic() - started, connected[0], response)
        except Exception as e:
            failure, error = _explain(e, deadline, connected[0])
            stalled = self._stalls.seconds - stalled
            if failure is Failure.TIMEOUT and stalled >= deadline * STALLED_PART:
                failure, error = Failure.LOCAL, f"this machine stood still for {stalled:.1f} s of the {deadline:g} s"
            return Outcome(time.monotonic() - started, connected[0], None, failure, error)

    async def _exchange(
        self, place: UUID, target: Target, policy: Policy, request: bytes, connected: list[float]
    ) -> Response:
        key = (place, target.tls, target.host, target.port)
        kept = self._take(key)
        while kept is not None:
            try:
                return await self._on(key, kept, request)
            except Broken as e:
                # The server had closed the kept connection before it saw the request; a new one decides.
                if not e.fresh:
                    raise
                kept = self._take(key)
        started = time.monotonic()
        connection = await self._connect(target, policy)
        connected[0] = max(time.monotonic() - started, 1e-6)
        return await self._on(key, _Kept(connection, time.monotonic(), 0.0), request)

    async def _on(self, key: _Place, kept: _Kept, request: bytes) -> Response:
        try:
            response = await kept.connection.exchange(request)
        except BaseException:
            kept.connection.abort()
            raise
        self._give_back(key, kept)
        return response

    async def _connect(self, target: Target, policy: Policy) -> Connection:
        literal = target.literal
        names = [str(literal)] if literal is not None else await self._names.addresses(target.host, target.port)
        addresses = policy.vet(names)[:ADDRESSES_TRIED]
        last: Exception | None = None
        for nth, address in enumerate(addresses, start=1):
            # one that swallows packets, as broken IPv6 does, leaves time for the next; the last has what there is
            patience = asyncio.timeout(CONNECT_SECONDS if nth < len(addresses) else None)
            try:
                async with patience:
                    return await self._connect_to(address, target)
            except ssl.SSLError:
                raise
            except OSError as e:  # a TimeoutError is one
                if isinstance(e, TimeoutError) and not patience.expired():
                    raise
                last = e
        raise last or ForbiddenTarget("the name has no address")

    async def _connect_to(self, address: Address, target: Target) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            Connection,
            str(address),
            target.port,
            ssl=self._tls if target.tls else None,
            server_hostname=target.host if target.tls else None,
        )
        return connection

    def _take(self, key: _Place) -> _Kept | None:
        now = time.monotonic()
        stack = self._idle.get(key)
        while stack:
            kept = stack.pop()
            self._idle_count -= 1
            if not stack:
                del self._idle[key]
            if kept.connection.usable and now - kept.idle_since < IDLE_SECONDS and now - kept.made < AGE_SECONDS:
                return kept
            kept.connection.abort()
        return None

    def _give_back(self, key: _Place, kept: _Kept) -> None:
        if not kept.connection.usable:
            kept.connection.abort()
            return
        kept.idle_since = time.monotonic()
        self._idle.setdefault(key, []).append(kept)
        self._idle.move_to_end(key)
        self._idle_count += 1
        while self._idle_count > IDLE_MOST:
            oldest = next(iter(self._idle))
            self._drop(oldest, self._idle[oldest][0])

    def _drop(self, key: _Place, kept: _Kept) -> None:
        self._idle[key].remove(kept)
        self._idle_count -= 1
        if not self._idle[key]:
            del self._idle[key]
        kept.connection.abort()

    def sweep(self) -> None:
        """Close what has been idle for too long; called now and then by the owner."""
        now = time.monotonic()
        for key, stack in list(self._idle.items()):
            for kept in [k for k in stack if now - k.idle_since >= IDLE_SECONDS or not k.connection.usable]:
                self._drop(key, kept)

    async def close(self) -> None:
        self._stalls.stop()
        for stack in self._idle.values():
            for kept in stack:
                kept.connection.abort()
        self._idle.clear()
        self._idle_count = 0
        self._names.close()


def make_room(exchanges: int) -> int:
    """Let this process have the open files that so many exchanges at once need, as far as the system's hard limit goes.

    Many systems allow 1,024 unless asked; then names, the database and the API lack sockets as well. Returns how many
    are allowed now; fewer than needed is said in the log.
    """
    needed = exchanges + IDLE_MOST + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    if soft != resource.RLIM_INFINITY and soft < needed:
        log.warning("webhook.few_open_files", allowed=soft, needed=needed, remedy="ulimit -Hn")
    return soft


def client_context(ca_file: str | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer, certificates and names checked; `ca_file` adds a private authority to the system's."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        context.load_verify_locations(ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _explain(e: Exception, deadline: float, connected: float) -> tuple[Failure, str]:
    """The failure that an exception stands for, and a sentence for the endpoint's owner."""
    match e:
        case TimeoutError():
            return Failure.TIMEOUT, f"no complete answer within {deadline:g} s"
        case ForbiddenTarget():
            return Failure.FORBIDDEN_ADDRESS, str(e)
        case HeadersTooLarge():
            return Failure.HEADERS_TOO_LARGE, str(e)
        case Malformed():
            return Failure.PROTOCOL, str(e)
        case Broken():
            return Failure.RESET, str(e)
        case ssl.SSLCertVerificationError():
            return Failure.TLS, f"the certificate was refused: {e.verify_message}"
        case ssl.SSLError():
            return Failure.TLS, f"TLS failed: {e.reason or 'handshake'}"
        case socket.gaierror():
            return Failure.DNS, "the host name could not be resolved"
        case OSError() if e.errno in _LOCAL:
            return Failure.LOCAL, f"this machine is short of something: {e.strerror}"
        case OSError():
            return (Failure.RESET if connected else Failure.CONNECT), f"no connection: {e.strerror or type(e).__name__}"
        case _:
            return Failure.CONFIGURATION, f"the request could not be made: {type(e).__name__}"
