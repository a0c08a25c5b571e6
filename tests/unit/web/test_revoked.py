"""Tokens that stopped counting: what a verifier refuses, how often it asks, and what an issuer that is away does."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID

import pytest

from shared.errors import Unauthenticated, Unavailable
from shared.ids import new_id
from shared.web.fetching import FetchError
from shared.web.revoked import Found, Revoked, mark_of
from shared.web.tokens import Verifier
from tests.issuer import TokenIssuer

PERSON, OPERATOR, SESSION = new_id(), new_id(), new_id()


class List:
    """What an issuer publishes, and how often it was asked."""

    def __init__(self) -> None:
        self.marks: dict[str, float] = {}
        self.asked: list[float | None] = []
        self.broken = False
        self.silent = asyncio.Event()
        self.silent.set()

    async def __call__(self, after: float | None) -> Found:
        self.asked.append(after)
        await self.silent.wait()
        if self.broken:
            raise FetchError("away")
        return Found(time.time(), self.marks)

    def revoke(self, whose: UUID) -> None:
        self.marks[mark_of(str(whose))] = time.time()


def verifier(issuer: TokenIssuer, listed: List, fresh_seconds: float = 0.0, *, strict: bool = False) -> Verifier:
    return Verifier(
        issuer.url, issuer.keys, revoked=Revoked(listed, fresh_seconds=fresh_seconds, strict=strict)
    )  # fmt: skip


@pytest.mark.parametrize("whose", [PERSON, SESSION, OPERATOR], ids=["person", "session", "who is really there"])
async def test_a_token_counts_until_it_is_revoked_and_a_later_one_does(whose: UUID) -> None:
    issuer, listed = TokenIssuer(), List()
    checks = verifier(issuer, listed)
    act = {"sub": str(OPERATOR), "name": "Olga", "reason": "ticket 7"}
    claims: dict[str, Any] = {"person_id": PERSON, "sid": str(SESSION), "act": act}
    former = issuer.token(**claims)
    await checks.principal(former)
    listed.revoke(new_id())
    await checks.principal(former)
    listed.revoke(whose)
    with pytest.raises(Unauthenticated, match="token_revoked"):
        await checks.principal(former)
    assert not await checks.holds(former)
    assert await checks.holds(issuer.token(**claims, iat=time.time()))


async def test_the_list_is_asked_for_what_is_new_and_once_for_all_who_come_together() -> None:
    issuer, listed = TokenIssuer(), List()
    checks = verifier(issuer, listed, fresh_seconds=60)
    tokens = [issuer.token() for _ in range(20)]
    await asyncio.gather(*(checks.principal(t) for t in tokens))
    await asyncio.gather(*(checks.principal(t) for t in tokens))
    assert listed.asked == [None]
    again = verifier(issuer, listed)
    for token in tokens[:2]:
        await again.principal(token)
    assert listed.asked[1] is None
    assert listed.asked[2] is not None


async def test_what_is_known_goes_on_counting_while_the_issuer_is_away() -> None:
    issuer, listed = TokenIssuer(), List()
    checks = verifier(issuer, listed)
    former, other = issuer.token(person_id=PERSON), issuer.token()
    listed.revoke(PERSON)
    assert not await checks.holds(former)
    listed.broken = True
    for _ in range(3):
        assert not await checks.holds(former)
        assert await checks.holds(other)
    assert len(listed.asked) < 5, "not with every request"


async def test_a_silent_issuer_holds_up_one_request() -> None:
    issuer, listed = TokenIssuer(), List()
    checks = verifier(issuer, listed)
    listed.silent.clear()
    began = time.monotonic()
    for _ in range(5):
        await checks.principal(issuer.token())
    assert time.monotonic() - began < 1.5
    listed.silent.set()


async def test_where_rights_are_given_nothing_goes_on_unseen() -> None:
    issuer, listed = TokenIssuer(), List()
    checks = verifier(issuer, listed, strict=True)
    listed.broken = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            await checks.principal(issuer.token())
    listed.broken = False
    await checks.principal(issuer.token())
