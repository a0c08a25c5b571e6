"""Talking to a running installation as the people of the demo: addresses, password, sign-in, calls."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import orjson

from deploy.embedded.installation import Installation

CALL_SECONDS: Final = 30.0
SIGN_IN_SECONDS: Final = 45.0


class DemoError(Exception):
    """One line: what did not work, and what to do."""


def service_url(service: str) -> str:
    """Where a service answers: ORDERTRAIL_<SERVICE>_URL, else as this checkout's installation has it."""
    return os.environ.get(f"ORDERTRAIL_{service.upper()}_URL") or Installation.current().url(service)


def demo_password(installation: Installation | None = None) -> str:
    """ORDERTRAIL_DEMO_PASSWORD, else the installation's, which is made where there is none yet. Raises DemoError."""
    given = os.environ.get("ORDERTRAIL_DEMO_PASSWORD")
    if given:
        return given
    installation = installation or Installation.current()
    try:
        return installation.secrets.read("demo", "password")
    except OSError:
        raise DemoError(
            f"there is no demo password in {installation.secrets.directory} -- run `make up`, or set "
            "ORDERTRAIL_DEMO_PASSWORD"
        ) from None


class Caller:
    """Somebody of the demo, signed in. Use `Caller.signed_in`."""

    def __init__(self, http: aiohttp.ClientSession, tokens: Mapping[str, Any]) -> None:
        self._http, self.tokens = http, tokens

    @classmethod
    async def signed_in(cls, http: aiohttp.ClientSession, email: str, password: str) -> Caller:
        """Raises DemoError where identity does not answer or does not know the two.

        A busy identity (503) is asked again for SIGN_IN_SECONDS: hashing passwords takes a slow machine its time.
        """
        body = {"email": email, "password": password}
        deadline, pause = time.monotonic() + SIGN_IN_SECONDS, 0.2
        while True:
            status, tokens = await send(http, "POST", service_url("identity") + "/v1/sign-in", body, {})
            if status != 503 or time.monotonic() > deadline:
                break
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 2.0)
        if status != 200:
            raise DemoError(f"{email} cannot sign in: {tokens.get('detail', status)}")
        return cls(http, tokens)

    async def call(
        self, method: str, url: str, body: Any = None, *, key: str = "", patience: float = 0
    ) -> tuple[int, Any]:
        """(status, JSON). With `patience`, refusals that pass by themselves are tried again for so many seconds:
        a projection that has not heard of somebody yet, a service that is still starting."""
        headers = {"Authorization": f"Bearer {self.tokens['access_token']}"} | ({"Idempotency-Key": key} if key else {})
        deadline, pause = time.monotonic() + patience, 0.05
        while True:
            try:
                status, answer = await send(self._http, method, url, body, headers)
            except DemoError:
                if time.monotonic() > deadline:
                    raise
                status, answer = 503, {}
            if status < 400 or time.monotonic() > deadline or status not in (404, 409, 422, 429, 503):
                return status, answer
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)


async def send(
    http: aiohttp.ClientSession, method: str, url: str, body: Any, headers: Mapping[str, str]
) -> tuple[int, Any]:
    """One request: (status, JSON). Raises DemoError where nobody answers."""
    data = None if body is None else orjson.dumps(body)
    sent = {**headers, **({"content-type": "application/json"} if data is not None else {})}
    try:
        async with http.request(method, url, data=data, headers=sent, allow_redirects=False) as answer:
            raw = await answer.read()
            return answer.status, orjson.loads(raw) if raw else {}
    except (aiohttp.ClientError, TimeoutError, OSError) as e:
        raise DemoError(f"{url} does not answer ({type(e).__name__}) -- is it running? `make status` tells") from None
    except orjson.JSONDecodeError:
        raise DemoError(f"{url} does not answer in JSON -- is it an Ordertrail service?") from None


def session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_SECONDS), trust_env=False)
