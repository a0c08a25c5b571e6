"""Signing in by an outside provider as the console does it: the way there, the way back, and what is kept meanwhile."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from deploy.embedded.process import free_port
from tests.integration.identity.conftest import Desk, settings_for
from tests.provider import CLIENT, SECRET, OutsideProvider

CONSOLE = "http://console.test:8000"
BACK = f"{CONSOLE}/sign-in/callback"
Answer = tuple[int, Any]


@dataclass
class Door:
    """An identity service that names the provider, on the desk's database."""

    desk: Desk
    provider: OutsideProvider

    async def begun(self) -> tuple[str, dict[str, str]]:
        """The address at the provider, and what the console would keep."""
        kept = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "code_verifier")}
        digest = hashlib.sha256(kept["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        body = {"state": kept["state"], "nonce": kept["nonce"], "code_challenge": challenge}
        status, answer, _ = await self.desk.call("POST", "/v1/sign-in/outside/start", body)
        assert status == 200, answer
        return str(answer["address"]), kept

    async def finished(self, code: str, kept: dict[str, str], **more: Any) -> Answer:
        body = {"code": code, "code_verifier": kept["code_verifier"], "nonce": kept["nonce"], **more}
        status, answer, _ = await self.desk.call("POST", "/v1/sign-in/outside", body)
        return status, answer

    async def through(self, subject: str) -> Answer:
        """The whole way of somebody with this account."""
        address, kept = await self.begun()
        return await self.finished(code_of(self.provider.consent(address, subject)), kept)

    async def refused(self, subject: str) -> tuple[int, str]:
        status, answer = await self.through(subject)
        assert "access_token" not in answer
        return status, answer["code"]


def code_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["code"][0]


def outside_settings(desk: Desk, provider: OutsideProvider, **more: Any) -> Any:
    given = {
        "oidc_issuer": provider.url, "oidc_client_id": CLIENT, "oidc_client_secret": SecretStr(SECRET),
        "oidc_name": "Contoso", "console_url": CONSOLE,
    }  # fmt: skip
    return settings_for(desk.database, free_port(), **(given | more))
