"""Rows of what people and programs sign in with: passwords, invitations, sessions, API keys, failed attempts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.identity.store import q
from shared.postgres import Transaction
from shared.postgres.database import Row


async def signing_in(tx: Transaction, email: str) -> Row | None:
    """Person and password hash by address (worker role: no tenant is known yet)."""
    return await tx.fetchrow(q.signing_in, email)


async def password_hash(tx: Transaction, person_id: UUID) -> str | None:
    found: str | None = await tx.fetchval(q.credential, person_id)
    return found


async def passwords_of(tx: Transaction, emails: Sequence[str]) -> list[Row]:
    """Address and hash of those of these people who have a password."""
    return await tx.fetch(q.credentials_by_email, emails)


async def insert_password(
    tx: Transaction, person_id: UUID, marketplace_id: UUID, password_hash: str, now: datetime
) -> None:
    """The first password of a person who was just made (tenant-bound role)."""
    await tx.execute(q.insert_credential, person_id, marketplace_id, password_hash, now)


async def set_password(
    tx: Transaction, person_id: UUID, marketplace_id: UUID, password_hash: str, now: datetime
) -> None:
    await tx.execute(q.set_credential, person_id, marketplace_id, password_hash, now)


async def delete_password(tx: Transaction, person_id: UUID) -> None:
    await tx.execute(q.delete_credential, person_id)


async def set_invitation(
    tx: Transaction, person_id: UUID, marketplace_id: UUID, token_hash: bytes, by: UUID | None, now: datetime,
    expires_at: datetime,
) -> None:  # fmt: skip
    """The person's only invitation: an older one stops working."""
    await tx.execute(q.set_invitation, person_id, marketplace_id, token_hash, by, now, expires_at)


async def has_invitation(tx: Transaction, token_hash: bytes, now: datetime) -> bool:
    """Whether there is an invitation with this token that may still be used."""
    return bool(await tx.fetchval(q.has_invitation, token_hash, now))


async def take_invitation(tx: Transaction, token_hash: bytes, now: datetime) -> Row | None:
    """Use an invitation up."""
    return await tx.fetchrow(q.take_invitation, token_hash, now)


async def delete_invitation(tx: Transaction, person_id: UUID) -> None:
    await tx.execute(q.delete_invitation, person_id)


async def insert_session(
    tx: Transaction, session_id: UUID, marketplace_id: UUID, person_id: UUID, now: datetime, expires_at: datetime,
    outside_token: bytes | None,
) -> None:  # fmt: skip
    """`outside_token` is the sealed ID token of a session that began at the outside provider."""
    await tx.execute(q.insert_session, session_id, marketplace_id, person_id, now, expires_at, outside_token)


async def lock_session_of(tx: Transaction, token_hash: bytes) -> Row | None:
    """The session of a refresh token with the token's own `used_at` and `token_expires_at`, both locked."""
    return await tx.fetchrow(q.lock_session_of, token_hash)


async def hold_person_of(tx: Transaction, token_hash: bytes) -> None:
    """The rights of a refresh token's person stay what they are until the transaction ends."""
    await tx.execute(q.hold_person_of_token, token_hash)


async def use_refresh_token(tx: Transaction, token_hash: bytes, now: datetime) -> None:
    await tx.execute(q.use_refresh_token, token_hash, now)


async def insert_refresh_token(
    tx: Transaction, token_hash: bytes, marketplace_id: UUID, session_id: UUID, expires_at: datetime
) -> None:
    await tx.execute(q.insert_refresh_token, token_hash, marketplace_id, session_id, expires_at)


async def end_session(tx: Transaction, session_id: UUID, now: datetime, because: str) -> None:
    await tx.execute(q.end_session, session_id, now, because)


async def end_sessions_of(tx: Transaction, person_id: UUID, now: datetime, because: str) -> None:
    await tx.execute(q.end_sessions_of, person_id, now, because)


async def count_attempts(tx: Transaction, buckets: Sequence[bytes], now: datetime, since: datetime) -> dict[bytes, Row]:
    """One more in each bucket, and how many that makes; a window that began before `since` starts anew."""
    return {row["bucket"]: row for row in await tx.fetch(q.count_attempts, buckets, now, since)}


async def forgive(tx: Transaction, bucket: bytes) -> None:
    """Start the bucket anew."""
    await tx.execute(q.forgive, bucket)


async def uncount(tx: Transaction, bucket: bytes) -> None:
    """Take one attempt back."""
    await tx.execute(q.uncount, bucket)


async def insert_api_key(
    tx: Transaction, api_key_id: UUID, marketplace_id: UUID, organisation_id: UUID, name: str, roles: Sequence[str],
    scopes: Sequence[str], secret_hash: bytes, by: UUID, now: datetime, expires_at: datetime | None,
) -> Row:  # fmt: skip
    row = await tx.fetchrow(
        q.insert_api_key, api_key_id, marketplace_id, organisation_id, name, roles, scopes, secret_hash, by, now,
        expires_at,
    )  # fmt: skip
    assert row is not None
    return row


async def api_key(tx: Transaction, api_key_id: UUID) -> Row | None:
    return await tx.fetchrow(q.api_key, api_key_id)


async def lock_api_key(tx: Transaction, api_key_id: UUID) -> Row | None:
    return await tx.fetchrow(q.lock_api_key, api_key_id)


async def list_api_keys(tx: Transaction, organisation_id: UUID | None, after: UUID | None, limit: int) -> Sequence[Row]:
    return await tx.fetch(q.list_api_keys, organisation_id, after, limit)


async def rotate_api_key(tx: Transaction, api_key_id: UUID, secret_hash: bytes, former_until: datetime) -> Row:
    row = await tx.fetchrow(q.rotate_api_key, api_key_id, secret_hash, former_until)
    assert row is not None
    return row


async def revoke_api_key(tx: Transaction, api_key_id: UUID, now: datetime) -> Row:
    row = await tx.fetchrow(q.revoke_api_key, api_key_id, now)
    assert row is not None
    return row


async def key_of_client(tx: Transaction, api_key_id: UUID) -> Row | None:
    """An API key with its organisation and marketplace (worker role: no tenant is known yet)."""
    return await tx.fetchrow(q.key_of_client, api_key_id)


async def mark_api_key_used(tx: Transaction, api_key_id: UUID, now: datetime) -> None:
    await tx.execute(q.mark_api_key_used, api_key_id, now)


async def prune(tx: Transaction, *, before: datetime, windows: datetime, now: datetime, most: int) -> int:
    """Forget ended sessions, spent windows and expired invitations. Returns how many sessions went."""
    await tx.execute(q.prune_throttle, windows)
    await tx.execute(q.prune_invitations, now)
    done = await tx.execute(q.prune_sessions, before, most)
    return int(done.rpartition(" ")[2])
