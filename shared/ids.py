"""Identifiers: UUIDv7, so that rows and events made later also sort later."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new UUIDv7 (RFC 9562)."""
    return uuid7()
