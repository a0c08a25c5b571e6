"""The keys that sign access tokens, and the tokens themselves.

A key is made when there is none, and anew every `signing_key_days`: published a quarter of an hour before it signs,
and for an hour after its successor does, so that every verifier knows every key whose tokens are about.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from services.identity.store import keys
from services.identity.vault import Vault
from shared.clock import Clock
from shared.ids import new_id
from shared.postgres import Database
from shared.web.tokens import ALGORITHM, AUDIENCE, TOKEN_TYPE

PUBLISHED_BEFORE: Final = timedelta(minutes=15)
PUBLISHED_AFTER: Final = timedelta(hours=1)
REMEMBERED_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Keys:
    signing: OKPKey
    published: KeySet
    read_at: float


class KeyRing:
    """The keys of the installation, read from the database at most every half minute."""

    def __init__(self, db: Database, vault: Vault, clock: Clock, days: int) -> None:
        """`db` is the worker role's: no tenant's role sees signing keys."""
        self._db, self._vault, self._clock, self._days = db, vault, clock, days
        self._known: _Keys | None = None
        self._reading = asyncio.Lock()

    async def signing(self) -> OKPKey:
        """The private key that signs now."""
        return (await self._current()).signing

    async def published(self) -> KeySet:
        """The public keys of all tokens that may be about, and of those to come."""
        return (await self._current()).published

    async def _current(self) -> _Keys:
        if (known := self._fresh()) is not None:
            return known
        async with self._reading:
            # Whoever waited finds what the first has read.
            return self._fresh() or await self.renew()

    def _fresh(self) -> _Keys | None:
        known = self._known
        return known if known is not None and time.monotonic() - known.read_at < REMEMBERED_SECONDS else None

    async def renew(self, *, at_once: bool = False) -> _Keys:
        """Read the keys, making one where none is young enough. `at_once`: a new key now, and every other is
        withdrawn (their tokens stop working within minutes): for a key that has leaked."""
        now = self._clock()
        async with self._db.transaction() as tx:
            rows = await keys.signing_keys(tx, now)
            if at_once or not rows or rows[0]["active_at"] < now - timedelta(days=self._days):
                await keys.lock_signing_keys(tx)
                again = await keys.signing_keys(tx, now)
                if at_once or [r["kid"] for r in again] == [r["kid"] for r in rows]:
                    first = at_once or not again
                    await self._make(tx, now, now if first else now + PUBLISHED_BEFORE, withdraw_at_once=at_once)
                    again = await keys.signing_keys(tx, now)
                rows = again
        active = next(r for r in rows if r["active_at"] <= now)
        signing = OKPKey.import_key(orjson.loads(self._vault.open(active["sealed"], _name(active["kid"]))))
        self._known = _Keys(signing, KeySet([OKPKey.import_key(r["public"]) for r in rows]), time.monotonic())
        return self._known

    async def _make(self, tx: Any, now: datetime, active_at: datetime, *, withdraw_at_once: bool) -> None:
        kid = str(new_id())
        key = OKPKey.generate_key("Ed25519", {"kid": kid, "use": "sig", "alg": ALGORITHM})
        sealed = self._vault.seal(orjson.dumps(key.as_dict(private=True)), _name(kid))
        await keys.insert_signing_key(tx, kid, dict(key.as_dict(private=False)), sealed, now, active_at)
        await keys.withdraw_others(tx, kid, now if withdraw_at_once else active_at + PUBLISHED_AFTER)


def _name(kid: str) -> str:
    return f"signing key {kid}"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs access tokens (RFC 9068 headers, the claims of `shared.web.principal`) with one key; no I/O."""

    key: OKPKey
    issuer: str
    clock: Clock

    def access_token(self, claims: Mapping[str, Any], seconds: int) -> str:
        """A token with these claims that is valid for `seconds` from now."""
        # with fractions of a second: tokens of before and after a change of rights are told apart by it
        now = self.clock().timestamp()
        times = {"iat": now, "exp": int(now) + seconds}
        full = {**claims, **times, "iss": self.issuer, "aud": AUDIENCE, "jti": str(new_id())}
        header = {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": self.key.kid}
        return jwt.encode(header, full, self.key, algorithms=[ALGORITHM])
