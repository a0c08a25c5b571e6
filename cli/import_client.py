"""Handing orders of files in over HTTP: sign in, send, and try again what passes by itself."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from cli.demo_client import DemoError, demo_password, send, service_url, session
from services.console.sources import Found, Options, Outcome, Refused, hand_in

PATIENCE_SECONDS: Final = 60.0
_PASSING: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who imports where the environment has neither a token nor an API key. No password: the demo's."""

    email: str
    password: str | None = None


class Importer:
    """A signed-in sender of orders. Use `Importer.signed_in`."""

    def __init__(self, http: aiohttp.ClientSession, sign_in: SignIn, options: Options) -> None:
        self._http, self._sign_in, self._options = http, sign_in, options
        self._token = ""
        self._gone = False
        self._url = service_url("order")
        self._orders = self._url + "/v1/orders"

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

    async def send(self, file: str, orders: Sequence[Found | Refused]) -> Sequence[Outcome]:
        """Hand some orders of a file in."""

        async def call(method: str, path: str, body: Any) -> tuple[int, Any]:
            return await self.call(method, self._url + path, body)

        return await hand_in(call, self._options, file, orders)


def _reason(status: int, answer: Any) -> str:
    return str(answer.get("detail", status)) if isinstance(answer, dict) else str(status)
