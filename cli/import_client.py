"""Handing orders of files in over HTTP: sign in, send, try again what passes by itself, tell what became of each."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from urllib.parse import urlencode

import aiohttp

from cli.demo_client import DemoError, demo_password, send, service_url, session
from cli.sources import Found, Refused, SourceRefund

PATIENCE_SECONDS: Final = 60.0
_PASSING: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says about every order of the files."""

    channel: str | None = None
    buyer: str | None = None
    seller: str | None = None
    with_test: bool = False
    with_canceled: bool = False


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who imports where the environment has neither a token nor an API key. No password: the demo's."""

    email: str
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one order of a file. `orders` are the numbers that it has here."""

    file: str
    where: str
    external_id: str | None
    number: str | None
    result: Literal["taken", "already there", "refused"]
    orders: tuple[str, ...] = ()
    order_ids: tuple[str, ...] = ()
    detail: str = ""
    warnings: tuple[str, ...] = field(default_factory=tuple)


class Importer:
    """A signed-in sender of orders. Use `Importer.signed_in`."""

    def __init__(self, http: aiohttp.ClientSession, sign_in: SignIn, options: Options) -> None:
        self._http, self._sign_in, self._options = http, sign_in, options
        self._token = ""
        self._gone = False
        self._orders = service_url("order") + "/v1/orders"

    @classmethod
    @asynccontextmanager
    async def signed_in(cls, sign_in: SignIn, options: Options) -> AsyncIterator[Importer]:
        """Raises DemoError where nobody can sign in so."""
        async with session() as http:
            importer = cls(http, sign_in, options)
            importer._token = await importer._new_token()
            yield importer

    async def greet(self) -> None:
        """Raises DemoError where the order service does not answer or take the token: then no order is to be tried."""
        status, answer = await send(
            self._http, "GET", f"{self._orders}?limit=1", None, {"Authorization": f"Bearer {self._token}"}
        )
        if status == 401:
            raise DemoError(f"the order service does not take this token: {_reason(status, answer)}")
        if status == 404:
            raise DemoError(f"{self._orders} is not there -- does ORDERTRAIL_ORDER_URL name the order service?")

    async def _new_token(self) -> str:
        given = os.environ.get("ORDERTRAIL_TOKEN")
        if given:
            return given
        identity = service_url("identity")
        key, secret = os.environ.get("ORDERTRAIL_API_KEY_ID"), os.environ.get("ORDERTRAIL_API_KEY_SECRET")
        if key and secret:
            body = {"grant_type": "client_credentials", "client_id": key, "client_secret": secret}
            status, answer = await send(self._http, "POST", f"{identity}/v1/token", body, {})
            who = f"the API key {key}"
        else:
            body = {"email": self._sign_in.email, "password": self._sign_in.password or demo_password()}
            status, answer = await send(self._http, "POST", f"{identity}/v1/sign-in", body, {})
            who = self._sign_in.email
        if status != 200:
            raise DemoError(f"{who} cannot sign in: {answer.get('detail', status)}")
        return str(answer["access_token"])

    async def call(self, method: str, url: str, body: Any = None) -> tuple[int, Any]:
        """One request; what passes by itself (busy, still starting, an old token) is tried again for a minute.

        Status 0 where nobody has answered for so long; from then on nothing is waited for any more.
        """
        deadline, pause, renewed = time.monotonic() + PATIENCE_SECONDS, 0.1, False
        while True:
            headers = {"Authorization": f"Bearer {self._token}"}
            try:
                status, answer = await send(self._http, method, url, body, headers)
                if status == 401 and not renewed and "ORDERTRAIL_TOKEN" not in os.environ:
                    self._token, renewed = await self._new_token(), True
                    continue
            except DemoError as e:
                if self._gone or time.monotonic() > deadline:
                    self._gone = True
                    return 0, {"detail": str(e)}
                status, answer = 503, {}
            if status not in _PASSING or time.monotonic() > deadline:
                return status, answer
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def send(self, file: str, found: Found | Refused) -> Outcome:
        """Hand one order in. Nothing is raised for what is wrong with it: that is its outcome."""
        if isinstance(found, Refused):
            return Outcome(file, found.where, found.external_id, None, "refused", detail=found.reason)
        body = self._body(found)
        outcome = Outcome(file, found.where, found.external_id, found.number, "refused")
        if found.test and not self._options.with_test:
            return replace(outcome, detail="a test order; --with-test takes it")
        if found.canceled and not self._options.with_canceled and not await self._is_known(body):
            why = f"was canceled at its source ({found.canceled}); --with-canceled takes it"
            return replace(outcome, detail=why, warnings=tuple(found.warnings))
        status, answer = await self.call("POST", self._orders, body)
        if status not in (200, 201):
            return replace(outcome, detail=_reason(status, answer), warnings=tuple(found.warnings))
        placed = answer["orders"]
        told = [*found.warnings, *answer.get("warnings", ())]
        for refund in found.refunds:
            told += await self._refund(placed, refund)
        return replace(
            outcome,
            result="taken" if status == 201 else "already there",
            orders=tuple(o["number"] for o in placed),
            order_ids=tuple(o["order_id"] for o in placed),
            warnings=tuple(told),
        )

    def _body(self, found: Found) -> dict[str, Any]:
        o = self._options
        body = dict(found.order)
        if o.channel:
            body["channel"] = o.channel
        if o.buyer:
            body["buyer"] = o.buyer
        if o.seller:
            body["lines"] = [{**line, "seller": o.seller} for line in body["lines"]]
        return body

    async def _is_known(self, body: Mapping[str, Any]) -> bool:
        query = urlencode({"channel": body["channel"], "external_id": body["external_id"], "limit": 1})
        status, answer = await self.call("GET", f"{self._orders}?{query}")
        return status == 200 and bool(answer["items"])

    async def _refund(self, placed: list[Any], refund: SourceRefund) -> list[str]:
        """Book what the source gave back already, once: the refund's own id is sent along."""
        if len(placed) != 1:
            return [f"a refund of {refund.amount['amount']} was not booked: the order is several orders here"]
        body = {"amount": refund.amount, "external_id": refund.external_id}
        if refund.reason:
            body["reason"] = refund.reason
        status, answer = await self.call("POST", f"{self._orders}/{placed[0]['order_id']}/refunds", body)
        if status in (200, 201):
            return [f"refunded at its source: {refund.amount['amount']} {refund.amount['currency']}"]
        return [f"a refund of {refund.amount['amount']} was not booked: {_reason(status, answer)}"]


def _reason(status: int, answer: Any) -> str:
    """A problem in words: its detail, and every field that is wrong (the first one stands in the detail)."""
    if not isinstance(answer, dict):
        return f"the order service answered {status}"
    more = [f"{e['field']}: {e['message']}" for e in answer.get("errors", [])[1:10]]
    return "; ".join([str(answer.get("detail", f"the order service answered {status}")), *more])
