"""Ids by their moment."""

from __future__ import annotations

from uuid import UUID

from services.webhook.upkeep.seldom import first_id
from tests.builders import NOON


def test_the_first_id_of_a_moment() -> None:
    low = first_id(NOON)
    assert low.version == 7
    assert (low.int >> 80) == int(NOON.timestamp() * 1000)
    assert low < UUID(int=low.int + 1)
